// SPDX-License-Identifier: MIT

/**
 * Threads die, in every way there is: whose messages go where, whose names are free, and what is
 * left.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { Context, Pull } from "threadmq";
import { DEATHS, die, inUse } from "../support/deaths.ts";
import { type Actor, type Ground, play, type Thread, zmq } from "../support/ground.ts";
import { PATIENCE } from "../support/stage.ts";

const LARGE = "L".repeat(20_000);
const COUNT = 20;

/** Sends so many messages from each, in turn; each says who sent it and its number. */
async function sendNumbered(pushes: readonly Actor[], from: number, to: number): Promise<string[]> {
  const all: string[] = [];
  for (let number = from; number < to; number++) {
    for (const [name, push] of pushes.entries()) {
      const message = `${name}/${number}`;
      await push.send([[message, number % 5 === 0 ? LARGE : ""]]);
      all.push(message);
    }
  }
  return all;
}

const heads = (messages: readonly string[]) => messages.map((text) => text.split("|")[0] as string);

/**
 * Each once; and of each sender those that went to one peer are in order. Each sender has two, and
 * gives them messages in turn.
 */
function checkOrder(got: readonly string[], senders: number): void {
  for (let sender = 0; sender < senders; sender++) {
    const numbers = got.filter((m) => m.startsWith(`${sender}/`)).map((m) => +m.slice(2));
    for (const parity of [0, 1]) {
      const lane = numbers.filter((number) => number % 2 === parity);
      assert.deepEqual(
        lane,
        lane.toSorted((a, b) => a - b),
        `sender ${sender}: ${numbers}`,
      );
    }
  }
}

function checkOnce(got: readonly string[], all: readonly string[]): void {
  assert.deepEqual(got.toSorted(), all.toSorted(), "each exactly once");
}

/** The PULL in the dying thread reads a little and dies; the other gets all the rest. */
async function pullDies(
  pushes: readonly Actor[],
  [dead, alive]: readonly [Actor, Actor],
  dieNow: () => Promise<void>,
): Promise<void> {
  const all = await sendNumbered(pushes, 0, COUNT);
  const read = heads(await dead.receive(5));
  await dieNow();
  all.push(...(await sendNumbered(pushes, COUNT, COUNT + 2)));
  const got = heads(await alive.receive(all.length - read.length));
  checkOnce([...read, ...got], all);
  checkOrder(got, pushes.length);
  for (const name of pushes.keys()) {
    const own = got.filter((message) => message.startsWith(`${name}/`));
    assert.deepEqual(own.slice(-2), [`${name}/${COUNT}`, `${name}/${COUNT + 1}`], "new ones last");
  }
}

async function openTwo(g: Ground, kind: "Push" | "Pull"): Promise<[Actor, Actor]> {
  return [await g.open(kind), await g.open(kind)];
}

for (const [how, death] of Object.entries(DEATHS)) {
  const start = (g: Ground): Thread => g.thread(death.start);

  describe(`a PULL dies by ${how}`, () => {
    play("what it had not read goes to the other PULLs of a PUSH that is bound", async (g) => {
      const thread = start(g);
      const pushes = await openTwo(g, "Push");
      const pulls = [await g.pull({}, thread), await g.pull({}, g.thread())] as const;
      for (const [index, push] of pushes.entries()) await push.bind(`inproc://${index}`);
      for (const pull of pulls) for (const name of [0, 1]) await pull.connect(`inproc://${name}`);
      await pullDies(pushes, pulls, () => die(thread, death));
      assert.equal(g.conserved().queued, 0);
    });

    play("what it had not read goes to the other name that the PUSH is connected to", async (g) => {
      const thread = start(g);
      const pushes = await openTwo(g, "Push");
      const pulls = [await g.pull({}, thread), await g.pull({}, g.thread())] as const;
      for (const [index, pull] of pulls.entries()) await pull.bind(`inproc://${index}`);
      for (const push of pushes) for (const name of [0, 1]) await push.connect(`inproc://${name}`);
      // What is sent from then on may wait for the next binder of the name, unless it is let go.
      await pullDies(pushes, pulls, async () => {
        await die(thread, death);
        for (const push of pushes) await push.call("disconnect", "inproc://0");
      });
      assert.equal(g.conserved().queued, 0);
    });

    play("with nobody else there, it waits for the next one who connects", async (g) => {
      const thread = start(g);
      const push = await g.push();
      await push.bind("inproc://x");
      const dead = await g.pull({}, thread);
      await dead.connect("inproc://x");
      const all = await sendNumbered([push], 0, COUNT);
      const read = heads(await dead.receive(3));
      await die(thread, death);
      const sending = push.send(["0/last"]);
      const next = await g.pull({}, g.thread());
      await next.connect("inproc://x");
      const got = heads(await next.receive(COUNT - 2));
      await sending;
      assert.deepEqual([...read, ...got], [...all, "0/last"]);
    });

    play("with nobody else there, it waits for the next one who binds the name", async (g) => {
      const thread = start(g);
      const pushes = await openTwo(g, "Push");
      const dead = await g.pull({}, thread);
      await dead.bind("inproc://x");
      for (const push of pushes) await push.connect("inproc://x");
      const all = await sendNumbered(pushes, 0, COUNT);
      const read = heads(await dead.receive(3));
      await die(thread, death);
      all.push(...(await sendNumbered(pushes, COUNT, COUNT + 2)));
      const next = await g.pull({}, g.thread());
      await next.bind("inproc://x");
      const got = heads(await next.receive(all.length - 3));
      checkOnce([...read, ...got], all);
      for (const name of [0, 1]) {
        const mine = (message: string) => message.startsWith(`${name}/`);
        assert.deepEqual([...read, ...got].filter(mine), all.filter(mine));
      }
    });
  });

  describe(`a PUSH dies by ${how}`, () => {
    play("what it had sent is received, whoever was bound", async (g) => {
      const thread = start(g);
      const [here, there] = [await g.pull(), await g.pull()];
      await here.bind("inproc://here");
      const [connects, binds] = [await g.push({}, thread), await g.push({}, thread)];
      await connects.connect("inproc://here");
      await binds.bind("inproc://there");
      await there.connect("inproc://there");
      await sendNumbered([connects], 0, COUNT);
      await sendNumbered([binds], 0, COUNT);
      const [first] = heads(await here.receive(1));
      assert.equal(first, "0/0");
      await die(thread, death);
      const numbers = Array.from({ length: COUNT }, (_, number) => `0/${number}`);
      assert.deepEqual(heads(await here.receive(COUNT - 1)), numbers.slice(1));
      assert.deepEqual(heads(await there.receive(COUNT)), numbers);
      assert.equal(g.conserved().queued, 0);
    });

    play("what it had sent to a name nobody is bound to is kept as its linger says", async (g) => {
      const thread = start(g);
      g.context.stats();
      const before = inUse(g);
      for (const linger of [-1, 60_000, 0]) {
        const push = await g.push({ linger: 7 }, thread);
        await push.connect(`inproc://${linger}`);
        await push.set("linger", linger);
        await push.send(["1", LARGE]);
      }
      await die(thread, death);
      const { queued, dropped } = g.conserved();
      assert.deepEqual({ queued, dropped }, { queued: 4, dropped: 2 });
      for (const linger of [-1, 60_000, 0]) {
        const pull = await g.pull();
        await pull.bind(`inproc://${linger}`);
        assert.deepEqual(await pull.drain(), linger === 0 ? [] : ["1", LARGE], `linger ${linger}`);
        await pull.close();
      }
      assert.deepEqual(inUse(g), before);
    });
  });

  describe(`after the death of a thread by ${how}`, () => {
    play("its names are free, and who was connected is linked to the next binder", async (g) => {
      const thread = start(g);
      const [push, pull] = [await g.push(), await g.pull()];
      const [theirPull, theirPush] = [await g.pull({}, thread), await g.push({}, thread)];
      await theirPull.bind("inproc://x");
      await theirPush.bind("inproc://y");
      await push.connect("inproc://x");
      await pull.connect("inproc://y");
      const other = g.thread();
      const [nextPull, nextPush] = [await g.pull({}, other), await g.push({}, other)];
      await assert.rejects(nextPull.bind("inproc://x"), zmq("EADDRINUSE"));
      await die(thread, death);
      await nextPull.bind("inproc://x");
      await nextPush.bind("inproc://y");
      await push.send(["to the next"]);
      await nextPush.send(["from the next"]);
      assert.deepEqual(await nextPull.receive(1), ["to the next"]);
      assert.deepEqual(await pull.receive(1), ["from the next"]);
    });

    play("all that it used is free again, and the books balance", async (g) => {
      const [push, pull] = [await g.push(), await g.pull()];
      await push.bind("inproc://down");
      await pull.bind("inproc://up");
      const before = inUse(g);
      const thread = start(g);
      const [up, down] = [await g.push({}, thread), await g.pull({}, thread)];
      await up.connect("inproc://up");
      await down.connect("inproc://down");
      await sendNumbered([up], 0, COUNT);
      await sendNumbered([push], 0, COUNT);
      await down.receive(7);
      for (const name of "abcdefgh") await (await g.pull({}, thread)).bind(`inproc://${name}`);
      for (const name of "ijklmnop") await (await g.push({}, thread)).connect(`inproc://${name}`);
      await die(thread, death);
      await pull.drain();
      const rest = await g.pull();
      await rest.connect("inproc://down");
      await push.call("stats");
      assert.equal((await rest.drain()).length, COUNT - 7);
      await rest.close();
      await push.call("stats");
      assert.deepEqual(inUse(g), before);
      const { sent, received } = g.conserved();
      assert.deepEqual({ sent, received }, { sent: 2 * COUNT, received: 2 * COUNT });
    });

    play("its sockets are counted out", async (g) => {
      g.context.maxSockets = 3;
      const thread = start(g);
      for (let i = 0; i < 3; i++) await g.pull({}, thread);
      await assert.rejects(g.pull(), zmq("EMFILE"));
      await die(thread, death);
      for (let i = 0; i < 3; i++) await g.pull();
      await assert.rejects(g.pull(), zmq("EMFILE"));
    });

    play("the context can be terminated", async (g) => {
      const thread = start(g);
      const pull = await g.pull({}, thread);
      await pull.bind("inproc://x");
      const push = await g.push();
      await push.connect("inproc://x");
      await push.send(["1", LARGE]);
      await die(thread, death);
      await g.context.terminate({ timeout: 5000 });
      assert.equal(g.context.stats().sockets, 0);
    });
  });
}

describe("a thread has died, and nobody has had a turn since", () => {
  const options = { skip: process.platform !== "linux" && "only Linux says so at once" };

  test("its names and sockets are free all the same", options, async () => {
    const context = new Context({ maxSockets: 2 });
    const worker = new Worker(
      `const { workerData, parentPort } = require("node:worker_threads");
      import("threadmq").then(({ Context, Pull }) => {
        const context = Context.from(workerData);
        new Pull({ context }).bindSync("inproc://x");
        parentPort.postMessage("bound");
      });
      parentPort.on("message", () => {});`,
      { eval: true, workerData: context.handle },
    );
    await once(worker, "message");
    const pull = new Pull({ context });
    assert.throws(() => pull.bindSync("inproc://x"), zmq("EADDRINUSE"));
    assert.throws(() => new Pull({ context }), zmq("EMFILE"));
    const ended = worker.terminate();
    const end = performance.now() + PATIENCE;
    const inOneTurn = <T>(attempt: () => T): T => {
      for (;;) {
        try {
          return attempt();
        } catch (error) {
          if (performance.now() > end) throw error;
        }
      }
    };
    inOneTurn(() => pull.bindSync("inproc://x"));
    inOneTurn(() => new Pull({ context })).close();
    await ended;
    await context.terminate();
  });
});
