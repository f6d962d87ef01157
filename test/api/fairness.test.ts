// SPDX-License-Identifier: MIT

/**
 * A loop of calls that need not wait leaves the event loop its turns: a timer of 5 ms is never more
 * than 20 ms late.
 *
 * What counts is the time in which the loop goes on. While the thread stands still, because the
 * machine runs something else or the engine collects garbage, nobody has a turn: a step of the loop
 * counts as two milliseconds at most. How long a run is, is measured so, too: however seldom the
 * other thread has its turn, there are many messages. The lateness by the clock on the wall is
 * shown beside it.
 */
import assert from "node:assert/strict";
import { Pull, Push } from "threadmq";
import { play } from "../support/ground.ts";

const RUN_MS = 1000;
/** Of loops that are much the same as another. */
const SHORT_RUN_MS = 400;
const WARM_MS = 300;
const LONGEST_STEP_MS = 2;
const EVERY_MS = 5;
const MOST_MS = 20;

/** A clock that runs while the loop goes on: each step tells it. */
class LoopClock {
  now = 0;
  #last = performance.now();

  step(): void {
    const now = performance.now();
    this.now += Math.min(now - this.#last, LONGEST_STEP_MS);
    this.#last = now;
  }
}

/** How late the timer is at worst, while `loop` runs until it is told to stop. */
async function lateness(
  runMs: number,
  loop: (running: () => boolean) => Promise<void>,
): Promise<{ steps: number; wall: number }> {
  const clock = new LoopClock();
  const last = { steps: 0, wall: performance.now() };
  const worst = { steps: 0, wall: 0 };
  const look = () => {
    const wall = performance.now();
    if (clock.now > WARM_MS) {
      worst.steps = Math.max(worst.steps, clock.now - Math.max(last.steps, WARM_MS) - EVERY_MS);
      worst.wall = Math.max(worst.wall, wall - last.wall - EVERY_MS);
    }
    last.steps = clock.now;
    last.wall = wall;
  };
  const timer = setInterval(look, EVERY_MS);
  await loop(() => {
    clock.step();
    return clock.now < WARM_MS + runMs;
  });
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
    const batch = Array.from({ length: 1000 }, () => "x".repeat(64));
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
      const worst = await lateness(runMs, (running) => loop(socket as never, running));
      const { sent, received } = socket.stats();
      socket.close();
      Atomics.store(stop, 0, 1);
      await done;
      const times = `${worst.steps.toFixed(1)} ms late, ${worst.wall.toFixed(1)} by the wall`;
      t.diagnostic(`${times}, ${sent + received} messages`);
      assert.ok(worst.steps < MOST_MS, times);
    },
  );
}
