// SPDX-License-Identifier: MIT

/**
 * One message for many: large bodies, which all subscribers share, are freed exactly once, also
 * when some of them are terminated in the middle; and whatever happens to links, each subscriber
 * receives whole messages.
 */
import assert from "node:assert/strict";
import { describe } from "node:test";
import type { Context } from "threadmq";
import {
  type Actor,
  DISTANCES,
  far,
  type Ground,
  type Place,
  play,
  type Thread,
} from "../support/ground.ts";
import { NAME, several } from "../support/links.ts";
import { Random } from "../support/random.ts";

const LARGE = "L".repeat(100_000);

/** Fails unless as much memory is in use as then: pages that are kept for later do not count. */
function assertFreed(g: Ground, before: number): void {
  const { used } = g.context.stats().memory;
  assert.ok(used <= before, `${used} bytes are in use, ${before} before`);
}

async function used(g: Ground): Promise<number> {
  const probe = await g.open("Publisher");
  await probe.close();
  return g.context.stats().memory.used;
}

/** Large messages to 64 subscribers, who do not read the last; then they close. */
async function share(g: Ground, pub: Actor, place: Place): Promise<void> {
  const before = g.context.stats();
  const subs = await several(g, 64, "Subscriber", place);
  for (const sub of subs) await sub.call("subscribe", "L");
  for (let round = 0; round < 5; round++) {
    await pub.send([[`${LARGE}${round}`, "small", LARGE]]);
    const { used } = g.context.stats().memory;
    assert.ok(used < before.memory.used + (4 << 20), `${used}: they are there once, not 64 times`);
    if (round === 4) break;
    const message = `${LARGE}${round}|small|${LARGE}`;
    for (const sub of subs) assert.deepEqual(await sub.receive(1), [message]);
  }
  assert.equal(g.conserved().queued, 64);
  for (const sub of subs) await sub.close();
  const { queued, dropped } = g.conserved();
  assert.deepEqual([queued, dropped], [0, before.messages.dropped + 64]);
}

describe("large bodies", () => {
  for (const distance of DISTANCES) {
    play(`64 subscribers, ${distance}: the arena is as before`, async (g) => {
      const place = far(g, distance);
      const pub = await g.open("Publisher");
      await pub.bind(NAME);
      await share(g, pub, place);
      const before = g.context.stats().memory.used;
      await share(g, pub, place);
      assertFreed(g, before);
    });
  }

  play(
    "subscribers are terminated in the middle: nothing is freed twice, or never",
    async (g, t) => {
      const random = new Random();
      t.diagnostic(`THREADMQ_SEED=${random.seed}`);
      const pub = await g.open("Publisher", { sendHighWaterMark: 20 });
      await pub.bind(NAME);
      const stays = await g.open("Subscriber", { receiveHighWaterMark: 0 });
      await stays.connect(NAME);
      await stays.call("subscribe");
      const before = await used(g);
      let published = 0;
      for (let round = 0; round < 4; round++) {
        const threads: Thread[] = [g.thread(), g.thread()];
        for (const thread of threads) {
          await thread.run(({ threadmq, context, props }) => {
            props.subs = Array.from({ length: 8 }, () => new threadmq.Subscriber({ context }));
            for (const sub of props.subs) {
              sub.connect("inproc://a");
              sub.subscribe("");
            }
            // They receive in the event loop until the thread is killed.
            for (const sub of props.subs) {
              (async () => {
                for await (const [part] of sub) if (part?.length !== 100_000) process.exit(9);
              })();
            }
          });
        }
        const ends = threads.map((thread) => {
          const after = random.next(30);
          return { thread, after };
        });
        const killed: Promise<void>[] = [];
        for (let i = 0; i < 30; i++) {
          for (const { thread, after } of ends) if (after === i) killed.push(thread.kill());
          await pub.send([LARGE]);
          published++;
          if (i % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        await Promise.all(killed);
        assert.equal((await stays.drain()).length, 30);
      }
      await pub.send(["the dead are heard of"]);
      assert.deepEqual(await stays.drain(), ["the dead are heard of"]);
      assert.equal((await pub.call("stats")).pipes, 1);
      assert.equal((await pub.call("stats")).sent, published + 1);
      assert.equal(g.conserved().queued, 0);
      assertFreed(g, before + (1 << 20)); // A page or two more are kept for later.
    },
  );
});

describe("whole messages, or none", () => {
  for (const distance of DISTANCES) {
    for (const step of ["close", "disconnect", "reconnect", "publisher rebinds"] as const) {
      play(`${distance}: ${step}, between and in the middle of batches`, async (g) => {
        const pub = await g.open("XPublisher", { sendHighWaterMark: 7 });
        await pub.bind(NAME);
        const place = far(g, distance);
        for (let before = 0; before < 12; before++) {
          const sub = await g.open("Subscriber", { receiveHighWaterMark: 2 }, place);
          await sub.connect(NAME);
          await sub.call("subscribe");
          const message = (n: number) => [`${n}`, LARGE.slice(0, 9000), "", `${n}`];
          const send = (from: number, to: number) =>
            pub.send(Array.from({ length: to - from }, (_, i) => message(from + i)));
          await send(0, before);
          const got = before > 3 ? await sub.receive(1) : [];
          if (step === "close") await sub.close();
          else if (step === "disconnect") await sub.call("disconnect", NAME);
          else if (step === "reconnect") {
            await sub.call("disconnect", NAME);
            await sub.connect(NAME);
          } else {
            await pub.call("unbindSync", NAME);
            await pub.bind(NAME);
          }
          await send(before, before + 2);
          if (step !== "close") got.push(...(await sub.drain()));
          for (const text of got) {
            const parts = text.split("|");
            assert.equal(parts.length, 4);
            assert.equal(parts[0], parts[3]);
          }
          const most = Math.min(before, 9);
          if (step === "disconnect") assert.equal(got.length, most, "what had arrived is received");
          await sub.close();
          g.conserved();
        }
      });
    }
  }

  play("a subscriber may close, or disconnect, while it reads a message", async (g) => {
    const { Publisher, Subscriber } = await import("threadmq");
    const options = { context: g.context as Context };
    for (const what of ["close", "disconnect", "unsubscribe"] as const) {
      const pub = new Publisher(options);
      pub.bindSync(NAME);
      const sub = new Subscriber(options);
      sub.connect(NAME);
      sub.subscribe("");
      pub.sendManySync(Array.from({ length: 10 }, (_, i) => ["x", LARGE, `${i}`]));
      const got: string[] = [];
      for await (const [, body, number] of sub) {
        assert.equal(body?.length, LARGE.length);
        got.push(`${number}`);
        if (got.length === 3) {
          if (what === "close") sub.close();
          else if (what === "disconnect") sub.disconnect(NAME);
          else sub.unsubscribe("");
        }
        if (got.length === (what === "disconnect" ? 10 : 3)) break;
      }
      sub.close();
      pub.close();
      g.conserved();
    }
  });
});
