// SPDX-License-Identifier: MIT

/** Threads that come and go in an orderly way leave nothing behind, and take nothing with them. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { play, type Thread } from "../support/ground.ts";
import { PATIENCE } from "../support/stage.ts";

const ENDS: Record<string, (thread: Thread) => Promise<unknown>> = {
  "by process.exit": (thread) => thread.run(() => process.exit(0)).catch(() => {}),
  "by an error": (thread) =>
    thread
      .run(() => {
        setImmediate(() => {
          throw new Error("on purpose");
        });
        return new Promise(() => {});
      })
      .catch(() => {}),
  "by running out of work": (thread) =>
    thread
      .run(({ threadmq }) => {
        void threadmq;
        const { parentPort } = process.getBuiltinModule("node:worker_threads");
        parentPort?.close();
      })
      .catch(() => {}),
};

for (const [how, end] of Object.entries(ENDS)) {
  describe(`a thread that ends ${how}`, () => {
    play("leaves its names free, its sockets closed, its slot free", async (g) => {
      const thread = g.thread();
      const pull = await g.pull({}, thread);
      await pull.bind("inproc://a");
      const push = await g.push({}, thread);
      await push.connect("inproc://a");
      await end(thread);
      await thread.ended;
      const { threads, sockets, endpoints, pipes } = g.context.stats();
      assert.deepEqual(
        { threads, sockets, endpoints, pipes },
        { threads: 1, sockets: 0, endpoints: 0, pipes: 0 },
      );
    });

    play("what it has sent is received, what it has not received goes to others", async (g) => {
      const thread = g.thread();
      const [pull, push] = [await g.pull(), await g.push()];
      await pull.bind("inproc://there");
      await push.bind("inproc://back");
      const theirs = await g.push({}, thread);
      await theirs.connect("inproc://there");
      const reader = await g.pull({}, thread);
      await reader.connect("inproc://back");
      const large = "L".repeat(50_000);
      await theirs.send(["1", large, ["2", large]]);
      await push.send(["a", "b", large]);
      assert.deepEqual(await reader.receive(1), ["a"]);
      await end(thread);
      await thread.ended;
      assert.deepEqual(await pull.receive(3), ["1", large, `2|${large}`]);
      const next = await g.pull();
      await next.connect("inproc://back");
      assert.deepEqual(await next.receive(2), ["b", large]);
      assert.equal(g.conserved().queued, 0);
    });
  });
}

play(
  "60 threads come, talk, and go: afterwards all is as before",
  async (g) => {
    const pull = await g.pull();
    await pull.bind("inproc://in");
    const push = await g.push();
    await push.bind("inproc://out");
    const figures = () => {
      const { memory, threads, sockets, endpoints, pipes } = g.context.stats();
      return { used: memory.used, threads, sockets, endpoints, pipes };
    };
    let before = figures();
    for (let round = 0; round < 15; round++) {
      const threads = Array.from({ length: 4 }, () => g.thread());
      const talk = (thread: Thread) =>
        thread.run(async ({ threadmq, context }) => {
          const up = new threadmq.Push({ context });
          up.connect("inproc://in");
          const down = new threadmq.Pull({ context });
          down.connect("inproc://out");
          await up.send(["hello", Buffer.alloc(10_000)]);
          await down.receive();
          void down.receive().catch(() => {}); // Still pending when the thread ends.
        });
      const talked = Promise.all(threads.map(talk));
      await pull.receive(4);
      // A message each: who has not had one takes what those that ended left.
      await push.send(["go", "go", "go", "go"]);
      await Promise.race([talked, ...threads.map(({ ended }) => ended)]);
      await push.send(["go", "go", "go", "go"]).catch(() => {});
      await talked;
      await Promise.all(threads.map((thread) => thread.end()));
      await push.call("trySend", "hears of the end");
      const next = await g.pull();
      await next.connect("inproc://out");
      await next.drain();
      await push.call("stats");
      await next.close();
      await pull.call("tryReceive");
      await push.call("trySend", "x");
      if (round === 4) before = figures();
    }
    g.conserved();
    assert.deepEqual(figures(), before);
  },
  { timeout: 10 * PATIENCE },
);
