// SPDX-License-Identifier: MIT

/**
 * A loop of calls that need not wait leaves the event loop its turns: a timer of 5 ms is never more
 * than 20 ms late.
 *
 * Alone in its file, for the lateness is measured: another program on the same cores adds its own.
 * A loop that starves the event loop does so every time; so of three measurements one must be good.
 * What the engine takes to compile and to start the other thread is let pass first.
 */
import assert from "node:assert/strict";
import { Pull, Push } from "threadmq";
import { play } from "../support/ground.ts";

const RUN_MS = 2000;
/** Of loops that are much the same as another. */
const SHORT_RUN_MS = 500;
const WARM_MS = 300;
const ATTEMPTS = 3;
const EVERY_MS = 5;
const MOST_MS = 20;

/** How late the timer is at worst, while `loop` runs until it is told to stop. */
async function lateness(
  runMs: number,
  loop: (running: () => boolean) => Promise<void>,
): Promise<number> {
  const began = performance.now() + WARM_MS;
  const end = began + runMs;
  let last = performance.now();
  let worst = 0;
  const look = () => {
    const now = performance.now();
    if (last > began) worst = Math.max(worst, now - last - EVERY_MS);
    last = now;
  };
  const timer = setInterval(look, EVERY_MS);
  await loop(() => performance.now() < end);
  look();
  clearInterval(timer);
  return worst;
}

const LOOPS = {
  "for await": async (pull: Pull, running: () => boolean) => {
    let count = 0;
    for await (const _ of pull) if ((++count & 63) === 0 && !running()) return;
  },
  "await receive": async (pull: Pull, running: () => boolean) => {
    for (let count = 0; (count & 63) !== 63 || running(); count++) await pull.receive();
  },
  "await receiveMany": async (pull: Pull, running: () => boolean) => {
    while (running()) await pull.receiveMany();
  },
  "await send": async (push: Push, running: () => boolean) => {
    for (let count = 0; (count & 63) !== 63 || running(); count++) await push.send("x".repeat(64));
  },
  "await sendMany": async (push: Push, running: () => boolean) => {
    const batch = Array.from({ length: 5000 }, () => "x".repeat(64));
    while (running()) await push.sendMany(batch);
  },
};

for (const [name, loop] of Object.entries(LOOPS)) {
  play(
    `a timer is at most ${MOST_MS} ms late beside a loop of \`${name}\` at full speed`,
    async (g, t) => {
      const sends = name.includes("send");
      const runMs = name === "await receive" || name === "await sendMany" ? SHORT_RUN_MS : RUN_MS;
      const thread = g.thread();
      const stop = new Int32Array(new SharedArrayBuffer(4));
      const done = thread.run(
        ({ threadmq, context }, receives, word) => {
          const socket: any = receives
            ? new threadmq.Pull({ context })
            : new threadmq.Push({ context });
          socket.connect("inproc://a");
          const batch = Array.from({ length: 64 }, () => "x".repeat(64));
          while (Atomics.load(word, 0) === 0) {
            try {
              if (receives) socket.receiveManySync(512, { timeout: 100 });
              else socket.sendManySync(batch, { timeout: 100 });
            } catch {
              // The other side has not begun, or has stopped.
            }
          }
          socket.close();
        },
        sends,
        stop,
      );
      const socket = sends ? new Push({ context: g.context }) : new Pull({ context: g.context });
      socket.bindSync("inproc://a");
      let worst = Number.POSITIVE_INFINITY;
      for (let attempt = 0; attempt < ATTEMPTS && worst >= MOST_MS; attempt++) {
        worst = await lateness(runMs, (running) => loop(socket as never, running));
      }
      const { sent, received } = socket.stats();
      socket.close();
      Atomics.store(stop, 0, 1);
      await done;
      t.diagnostic(`${worst.toFixed(1)} ms at worst, ${sent + received} messages`);
      assert.ok(sent + received > 10_000, "it ran at some speed");
      assert.ok(worst < MOST_MS, `${worst} ms late`);
    },
  );
}
