// SPDX-License-Identifier: MIT

/**
 * Random connects, disconnects, binds, unbinds, opens, closes, sends and receives; at the end the
 * books must balance (H1), and each message have been received whole and at most once.
 *
 * A failure is repeated by THREADMQ_SEED; between threads only as far as their timing allows.
 */
import assert from "node:assert/strict";
import { type Ground, play } from "../support/ground.ts";
import { type Report, rampage } from "../support/rampage.ts";
import { Random } from "../support/random.ts";

function balance(g: Ground, reports: Report[]): void {
  const got = reports.flatMap((report) => report.got);
  assert.equal(new Set(got).size, got.length, "at most once (G3)");
  const { sent, received } = g.conserved();
  const counted = reports.reduce((sum, report) => sum + report.sent, 0);
  assert.equal(sent, counted, "sent");
  assert.equal(received, got.length, "received");
  assert.equal(g.context.stats().sockets, 0);
}

for (let round = 0; round < 6; round++) {
  play(`H1, G3: chaos within a thread, ${round}`, async (g, t) => {
    const random = new Random();
    t.diagnostic(`THREADMQ_SEED=${random.seed}`);
    const seeds = Array.from({ length: 6 }, () => random.next(2 ** 31));
    balance(g, [await rampage(g.context, "m", seeds[round] as number, 3000)]);
  });
}

for (let round = 0; round < 3; round++) {
  play(`H1, G3: chaos in three threads, ${round}`, async (g, t) => {
    const random = new Random();
    t.diagnostic(`THREADMQ_SEED=${random.seed}`);
    const elsewhere = (tag: string) =>
      g.thread().run(
        async ({ load, context }, ...args) => {
          const { rampage: there } = await load("./rampage.js");
          return there(context, ...args);
        },
        tag,
        random.next(2 ** 31),
        5000,
      );
    const here = rampage(g.context, "m", random.next(2 ** 31), 5000);
    balance(g, await Promise.all([elsewhere("a"), elsewhere("b"), here]));
  });
}
