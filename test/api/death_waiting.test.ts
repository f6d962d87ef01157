// SPDX-License-Identifier: MIT

/**
 * Threads die while somebody waits: the dying thread itself, its peers, and threads that are
 * blocked and so cannot be told.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { Context, Dealer, Pair, Pull, Push, Router } from "threadmq";
import { joinSlot, VISITORS } from "#src/context/slots.ts";
import { Arena } from "#src/memory/index.ts";
import { host } from "#src/platform/index.ts";
import { DEATHS, type Death, die, hearing, inUse } from "../support/deaths.ts";
import { type Actor, play, SMALL, type Thread, text, zmq } from "../support/ground.ts";
import { PATIENCE, WAYS } from "../support/stage.ts";

const KILLED = DEATHS["worker.terminate()"] as Death;
const ONE = { sendHighWaterMark: 1, receiveHighWaterMark: 1 };
const PUSH_ONE = { sendHighWaterMark: ONE.sendHighWaterMark };
const PULL_ONE = { receiveHighWaterMark: ONE.receiveHighWaterMark };

describe("who waits for a peer that dies goes on with another", () => {
  for (const way of WAYS) {
    play(`a send to full pipes, when a reader has died: ${way}`, async (g) => {
      const [thread, sender] = [g.thread(), g.thread()];
      const push = await g.push(PUSH_ONE, sender);
      await push.bind("inproc://x");
      const [dead, alive] = [await g.pull(PULL_ONE, thread), await g.pull(PULL_ONE)];
      for (const pull of [dead, alive]) await pull.connect("inproc://x");
      await push.call("stats");
      const heard = await hearing(g, sender);
      const filled = await push.fill("a");
      assert.equal(filled, 4);
      const sent = push.send(["b0", "b1", "b2", "b3"], way);
      await die(thread, KILLED);
      // Until then, what it sends may go to who has room before what is returned does.
      await heard();
      const got = await alive.receive(8);
      await sent;
      assert.deepEqual(got.toSorted(), ["a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3"]);
      assert.deepEqual(got.slice(-4), ["b0", "b1", "b2", "b3"], "what was returned goes first");
    });

    play(`a send to a full pipe whose reader was the only one: ${way}`, async (g) => {
      const [thread, sender] = [g.thread(), g.thread()];
      const push = await g.push(PUSH_ONE, sender);
      const dead = await g.pull(PULL_ONE, thread);
      await dead.bind("inproc://x");
      await push.connect("inproc://x");
      await push.call("stats");
      assert.equal(await push.fill("a"), 2);
      const sent = push.send(["b0", "b1"], way);
      await die(thread, KILLED);
      const next = await g.pull(PULL_ONE);
      await next.bind("inproc://x");
      assert.deepEqual(await next.receive(4), ["a0", "a1", "b0", "b1"]);
      await sent;
    });

    play(`a receive whose writer has died: ${way}`, async (g) => {
      const [thread, receiver] = [g.thread(), g.thread()];
      const pull = await g.pull({}, receiver);
      await pull.bind("inproc://x");
      const [dead, alive] = [await g.push({}, thread), await g.push()];
      await dead.connect("inproc://x");
      await alive.connect("inproc://x");
      await dead.send(["1"]);
      assert.deepEqual(await pull.receive(1), ["1"]);
      const got = pull.receive(2, way);
      await die(thread, KILLED);
      await alive.send(["2", "3"]);
      assert.deepEqual(await got, ["2", "3"]);
    });
  }
});

describe("a thread dies while it is", () => {
  const STATES: Record<string, (thread: Thread, push: Actor, pull: Actor) => Promise<unknown>> = {
    "in its event loop, with calls that wait": async (_, push, pull) => {
      void pull.call("receiveMany", 5).catch(() => {});
      await push.fill();
      void push.call("send", "one more").catch(() => {});
    },
    "blocked in receiveSync": async (_, __, pull) => {
      void pull.receive(100, "sync").catch(() => {});
    },
    "blocked in sendSync": async (_, push) => {
      await push.fill();
      void push.call("sendSync", "one more").catch(() => {});
    },
  };
  for (const [name, begin] of Object.entries(STATES)) {
    for (const below of [undefined, "a member", "a stranger"] as const) {
      const skip = below === "a stranger" && process.platform !== "linux" && "Linux can tell";
      const title = `${name}${below === undefined ? "" : `; below ${below}`}`;
      play(
        title,
        async (g) => {
          g.context.stats();
          const before = inUse(g);
          const thread = g.thread(below === undefined ? {} : { below });
          const push = await g.push(PUSH_ONE, thread);
          const pull = await g.pull({}, thread);
          const full = await g.pull(PULL_ONE);
          await full.bind("inproc://full");
          await push.connect("inproc://full");
          await pull.bind("inproc://empty");
          await begin(thread, push, pull);
          await thread.kill();
          assert.ok([0, 2].includes((await full.drain()).length));
          await full.close();
          assert.deepEqual(inUse(g), before);
        },
        { skip },
      );
    }
  }

  for (const how of ["trySend", "sendSync", "sendManySync"] as const) {
    play(`in a busy loop of ${how}`, async (g) => {
      g.context.stats();
      const before = inUse(g);
      for (let round = 0; round < 10; round++) {
        const pull = await g.pull();
        await pull.bind("inproc://x");
        const thread = g.thread();
        const push = await g.push({}, thread);
        await push.connect("inproc://x");
        void thread
          .run(({ threadmq, context }, method) => {
            const mine = new threadmq.Push({ context });
            mine.connect("inproc://x");
            const large = Buffer.alloc(5000);
            for (let number = 0; ; number++) {
              const message = [String(number), number % 7 === 0 ? large : "body"];
              if (method === "sendManySync") mine.sendManySync([message, message]);
              else if (method === "sendSync") mine.sendSync(message);
              else while (!mine.trySend(message));
            }
          }, how)
          .catch(() => {});
        const got = heads(await pull.receive(200 + 150 * round));
        await thread.kill();
        got.push(...heads(await pull.drain()));
        const step = how === "sendManySync" ? 2 : 1;
        assert.deepEqual(
          got,
          got.map((_, index) => `${Math.floor(index / step)}`),
          "no gap",
        );
        await pull.close();
        assert.deepEqual(inUse(g), before);
      }
    });
  }
});

const heads = (messages: readonly string[]) => messages.map((m) => m.split("|")[0] as string);

/** A blocked thread gets no event: it finds out by looking. */
const SKIP = process.platform !== "linux" && "only Linux says of any thread whether it exists";

describe("while this thread is blocked, another dies", { skip: SKIP }, () => {
  play("and the blocked one learns of it: its sendSync gets the next binder", async (g) => {
    const [thread, other] = [g.thread(), g.thread()];
    const dead = await g.pull(PULL_ONE, thread);
    await dead.bind("inproc://x");
    const push = new Push({ context: g.context, ...PUSH_ONE });
    push.connect("inproc://x");
    while (push.trySend("before"));
    const got = other.run(({ threadmq, context }) => {
      const pull = new threadmq.Pull({ context });
      const pause = new Int32Array(new SharedArrayBuffer(4));
      for (let bound = false; !bound; ) {
        try {
          pull.bindSync("inproc://x");
          bound = true;
        } catch (error) {
          if ((error as { code?: string }).code !== "EADDRINUSE") throw error;
          Atomics.wait(pause, 0, 0, 5);
        }
      }
      return [1, 2, 3].map(() => String(pull.receiveSync({ timeout: 10_000 })));
    });
    got.catch(() => {});
    void thread.worker.terminate(); // Its end cannot be told before we return to the event loop.
    push.sendSync("after", { timeout: PATIENCE });
    assert.deepEqual(await got, ["before", "before", "after"]);
    push.close();
  });

  play("and another blocked one learns of it: what was unread comes to us", async (g) => {
    const [thread, sender] = [g.thread(), g.thread()];
    const dead = await g.pull({}, thread);
    await dead.bind("inproc://x");
    const pull = new Pull({ context: g.context });
    pull.bindSync("inproc://here");
    const push = await g.push({}, sender);
    await push.connect("inproc://x");
    await push.send(["1", "2", "3"]);
    await push.connect("inproc://here");
    const waits = await g.pull({}, sender);
    await waits.connect("inproc://end");
    const blocked = waits.receive(1, "sync");
    void thread.worker.terminate();
    const got = [1, 2, 3].map(() => text(pull.receiveSync({ timeout: PATIENCE })));
    assert.deepEqual(got, ["1", "2", "3"]);
    pull.close();
    const end = await g.push();
    await end.bind("inproc://end");
    await end.send(["end"]);
    assert.deepEqual(await blocked, ["end"]);
  });
});

describe("terminate", () => {
  test("names the threads that hold sockets, and is content when they have died", async () => {
    const context = new Context(SMALL);
    const lines = `
      const { parentPort, workerData } = require("node:worker_threads");
      import("threadmq").then(({ Context, Pull }) => {
        const sockets = [1, 2].map(() => new Pull({ context: Context.from(workerData) }));
        parentPort.postMessage(sockets.length);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      });`;
    const worker = new Worker(lines, { eval: true, workerData: context.handle });
    await once(worker, "message");
    const { threadId } = worker;
    await assert.rejects(context.terminate({ timeout: 20 }), (error: any) => {
      zmq("EAGAIN")(error);
      assert.match(error.hint, new RegExp(`2 socket.*worker ${threadId} \\(2\\)`));
      return true;
    });
    const over = context.terminate();
    await worker.terminate();
    await over;
    assert.equal(context.stats().sockets, 0);
  });

  test("is content with threads that had died before anybody looked", async () => {
    const context = new Context(SMALL);
    const lines = `
      const { parentPort, workerData } = require("node:worker_threads");
      import("threadmq").then(({ Context, Pull }) => {
        new Pull({ context: Context.from(workerData) }).bindSync("inproc://x");
        parentPort.postMessage(0);
      });
      setInterval(() => {}, 1000);`;
    // Nobody is a member of the context but the thread that dies.
    const worker = new Worker(lines, { eval: true, workerData: context.handle });
    await once(worker, "message");
    await worker.terminate();
    await context.terminate({ timeout: PATIENCE });
    assert.equal(context.stats().sockets, 0);
  });
});

/** Kills a thread and waits until the system has it no more, blocked: so nobody is told of it. */
function killUnheard(thread: Thread): void {
  const before = tasks();
  void thread.kill();
  while (tasks() >= before);
}

/** How many threads the process has. */
function tasks(): number {
  return readdirSync("/proc/self/task").length;
}

describe("a newcomer takes the place of one that has died, though nobody was told", () => {
  const skip = process.platform !== "linux" && "Linux can tell";
  play(
    "at a PAIR",
    async (g) => {
      const pair = new Pair({ context: g.context });
      pair.bindSync("inproc://pair");
      const thread = g.thread();
      await thread.run(({ threadmq, context }) => {
        const first = new threadmq.Pair({ context });
        first.connect("inproc://pair");
        first.sendSync("first");
      });
      assert.equal(`${await pair.receive()}`, "first");
      killUnheard(thread);
      const second = new Pair({ context: g.context });
      second.connect("inproc://pair");
      second.sendSync("second");
      assert.equal(`${pair.receiveSync({ timeout: PATIENCE })}`, "second");
      for (const socket of [pair, second]) socket.close();
    },
    { skip },
  );

  play(
    "with its routing id",
    async (g) => {
      const router = new Router({ context: g.context, mandatory: true });
      router.bindSync("inproc://router");
      const thread = g.thread();
      await thread.run(({ threadmq, context }) => {
        const first = new threadmq.Dealer({ context, routingId: "name" });
        first.connect("inproc://router");
        first.sendSync("first");
      });
      assert.equal(`${await router.receive()}`, "name,first");
      killUnheard(thread);
      const second = new Dealer({ context: g.context, routingId: "name" });
      second.connect("inproc://router");
      second.sendSync("second");
      assert.equal(`${router.receiveSync({ timeout: PATIENCE })}`, "name,second");
      await router.send(["name", "reply"]);
      assert.equal(`${await second.receive({ timeout: PATIENCE })}`, "reply");
      for (const socket of [router, second]) socket.close();
    },
    { skip },
  );
});

const SLOTS_LEFT = 6;

play("more threads die, one after the other, than there are slots", async (g) => {
  const { context } = g;
  const pull = new Pull({ context });
  pull.bindSync("inproc://x");
  // All but a few are taken, as if by threads that live: we need not start hundreds.
  const arena = Arena.open(context.handle.threadmq);
  while (context.stats().threads < VISITORS - SLOTS_LEFT) joinSlot(arena, host);
  const lines = `
    const { workerData } = require("node:worker_threads");
    import("threadmq").then(({ Context, Push }) => {
      const push = new Push({ context: Context.from(workerData) });
      push.connect("inproc://x");
      push.sendSync("here");
    });
    setInterval(() => {}, 1000);`;
  const before = inUse(g);
  for (let round = 0; round < 3; round++) {
    const workers = Array.from(
      { length: 4 },
      () => new Worker(lines, { eval: true, workerData: context.handle }),
    );
    for (const _ of workers) await pull.receive({ timeout: PATIENCE });
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  assert.deepEqual(inUse(g), before);
  pull.close();
});
