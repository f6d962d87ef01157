// SPDX-License-Identifier: MIT

/**
 * Who hears what of `sys://log`, and that nobody is held up by it (M2, J2).
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Context, Push, Subscriber } from "threadmq";
import { runProgram } from "../support/child.ts";
import { DISTANCES, far, type Ground, type Place, play, SMALL, zmq } from "../support/ground.ts";
import { hear, LOG, listen, parse, type Told, told } from "../support/listening.ts";
import { PATIENCE, WAYS } from "../support/stage.ts";

const NAME = "inproc://a";

/** The topics that a listener hears while a PUSH opens, connects and closes. */
async function toldOfPush(g: Ground, log: Subscriber): Promise<string[]> {
  const push = await g.push();
  await push.connect(NAME);
  await push.close();
  const found: string[] = [];
  for (let m = log.tryReceive(); m !== undefined; m = log.tryReceive()) found.push(`${m[0]}`);
  return found;
}

describe("who hears what", () => {
  play(
    "nothing is received without a subscription, and everything with an empty one",
    async (g) => {
      const log = await g.open("Subscriber");
      await log.connect(LOG);
      await (await g.push()).close();
      assert.deepEqual(await log.drain(), []);
      await log.call("subscribe");
      assert.deepEqual(await log.drain(), [], "what happened before is not told");
      await (await g.push()).close();
      assert.equal((await log.drain()).length, 2);
      await log.call("unsubscribe");
      await (await g.push()).close();
      assert.deepEqual(await log.drain(), []);
    },
  );

  play("subscriptions are prefixes of any length, text or bytes, and are counted", async (g) => {
    const log = new Subscriber({ context: g.context });
    const topics = () => toldOfPush(g, log);
    log.subscribe("socket.c", Buffer.from("pipe"), new DataView(Buffer.from("none").buffer));
    log.connect(LOG);
    const all = ["socket.connected", "pipe.detached", "socket.closed"];
    assert.deepEqual(await topics(), all);
    log.subscribe("socket.", "socket.c");
    log.unsubscribe("socket.", "socket.c", "never subscribed to");
    assert.deepEqual(await topics(), all);
    log.unsubscribe("socket.c");
    assert.deepEqual(await topics(), ["pipe.detached"]);
    log.subscribe("pipe.detached.and.more");
    log.unsubscribe("pipe");
    assert.deepEqual(await topics(), []);
    log.close();
  });

  play("what has arrived by a subscription that was taken back is not received", async (g) => {
    const log = await listen(g, ["socket."]);
    const push = await g.push();
    await log.call("unsubscribe", "socket.");
    await log.call("subscribe", "socket.closed");
    await push.close();
    assert.deepEqual(
      (await told(log)).map(({ topic }) => topic),
      ["socket.closed"],
    );
    const stats = await log.call("stats");
    assert.equal(stats.received, 1);
  });

  play("invertMatching: what is not subscribed to is told, from the setting on", async (g) => {
    const log = new Subscriber({ context: g.context, invertMatching: true });
    log.connect(LOG);
    const topics = () => toldOfPush(g, log);
    const all = ["socket.opened", "socket.connected", "pipe.detached", "socket.closed"];
    assert.deepEqual(await topics(), all);
    log.subscribe("socket.opened", "socket.cl");
    assert.deepEqual(await topics(), ["socket.connected", "pipe.detached"]);
    log.unsubscribe("socket.cl");
    assert.deepEqual(await topics(), ["socket.connected", "pipe.detached", "socket.closed"]);
    log.invertMatching = false;
    assert.deepEqual(await topics(), ["socket.opened"]);
    log.invertMatching = true;
    assert.deepEqual(await topics(), ["socket.connected", "pipe.detached", "socket.closed"]);
    log.subscribe();
    assert.deepEqual(await topics(), []);
    log.close();
  });

  play("a bad prefix is EINVAL, and changes nothing; a closed socket is EBADF", async (g) => {
    const log = await listen(g, ["thread."]);
    for (const method of ["subscribe", "unsubscribe"]) {
      const gone = new Uint8Array(8);
      structuredClone(gone.buffer, { transfer: [gone.buffer] });
      for (const bad of [5, null, {}, ["pipe."], gone]) {
        await assert.rejects(async () => log.call(method, "thread.", bad), zmq("EINVAL"));
      }
    }
    await g.push();
    assert.deepEqual(await log.drain(), []);
    await log.close();
    for (const method of ["subscribe", "unsubscribe"]) {
      await assert.rejects(async () => log.call(method, ""), zmq("EBADF"));
    }
  });

  for (const way of WAYS) {
    for (const distance of DISTANCES) {
      play(`M2: what happens after subscribe is told, at once: ${distance}, ${way}`, async (g) => {
        const place = g.thread();
        const log = await g.open("Subscriber", {}, far(g, distance));
        await log.connect(LOG);
        for (let round = 0; round < 20; round++) {
          await log.call("subscribe", "socket.opened");
          const push = await g.push({}, place);
          const [{ topic, socket }] = (await log.receive(1, way)).map(parse) as [Told];
          assert.deepEqual([topic, socket?.type], ["socket.opened", "PUSH"]);
          await log.call("unsubscribe", "socket.opened");
          await push.close();
        }
      });
    }
  }

  play("two listeners in two threads hear three threads, each by what it wants", async (g) => {
    const places = [g.here, g.thread(), g.thread()];
    const near = await listen(g, ["socket.opened"]);
    const other = await listen(g, ["socket."], {}, places[1] as Place);
    for (const place of places) await (await g.push({}, place)).close();
    const opened = await hear(near, 4);
    const threads = opened.map(({ thread }) => thread);
    assert.equal(new Set(threads).size, 3);
    assert.deepEqual(
      opened.map(({ socket }) => socket?.type).sort(),
      ["PUSH", "PUSH", "PUSH", "SUB"],
      "one listener hears of the other",
    );
    const both = await hear(other, 6);
    for (const name of new Set(threads)) {
      const topics = both.filter(({ thread }) => thread === name).map(({ topic }) => topic);
      assert.deepEqual(topics, ["socket.opened", "socket.closed"], `of ${name}, in order`);
    }
    await near.close();
    await g.push({}, places[2] as Place);
    assert.equal((await hear(other, 2)).at(-1)?.topic, "socket.opened");
  });

  play("for await hears it until the socket is closed", async (g) => {
    const log = new Subscriber({ context: g.context });
    log.connect(LOG);
    log.subscribe("socket.");
    const push = new Push({ context: g.context });
    push.close();
    const topics: string[] = [];
    for await (const [topic] of log) {
      topics.push(`${topic}`);
      if (topics.length === 2) log.close();
    }
    assert.deepEqual(topics, ["socket.opened", "socket.closed"]);
  });
});

describe("nobody is held up, and nothing is left", () => {
  play("J2: a slow listener loses records, sees how many, and slows nobody", async (g) => {
    const slow = await listen(g, ["socket.opened"], { receiveHighWaterMark: 5 });
    const quick = await listen(g, ["socket.opened"], { receiveHighWaterMark: 0 }, g.thread());
    await hear(slow, 1); // That of the other.
    const place = g.thread();
    for (let i = 0; i < 30; i++) await (await g.push({}, place)).close();
    assert.equal((await hear(quick, 30)).length, 30);
    const kept = (await slow.drain()).map(parse);
    assert.deepEqual(
      kept.map(({ sequence, dropped }) => [sequence, dropped]),
      [1, 2, 3, 4, 5, 6].map((sequence) => [sequence, 0]),
    );
    await g.push({}, place);
    await g.push({}, place);
    const next = (await hear(slow, 2)).map(({ sequence, dropped }) => [sequence, dropped]);
    assert.deepEqual(next, [
      [31, 24],
      [32, 0],
    ]);
  });

  play("a listener's watermark can be changed while it listens", async (g) => {
    const log = await listen(g, ["socket.opened"], { receiveHighWaterMark: 1 });
    for (let i = 0; i < 5; i++) await g.push();
    assert.equal((await log.drain()).length, 2);
    await log.set("receiveHighWaterMark", 0);
    for (let i = 0; i < 5; i++) await g.push();
    assert.equal((await log.drain()).length, 5);
  });

  play("H1: the context's numbers are the same, whether or not somebody listens", async (g) => {
    const numbers: object[] = [];
    for (const listens of [false, true]) {
      const log = listens ? await listen(g, [""], { receiveHighWaterMark: 3 }) : undefined;
      const before = g.context.stats();
      const push = await g.push({ sendHighWaterMark: 2 }, g.thread());
      const pull = await g.pull({ receiveHighWaterMark: 2 });
      await pull.bind(NAME);
      await push.connect(NAME);
      await push.fill("x", 10);
      await pull.receive(1);
      const { endpoints, pipes, messages } = g.context.stats();
      const { sent, received, queued, dropped } = messages;
      numbers.push({
        endpoints,
        pipes,
        sent: sent - before.messages.sent,
        received: received - before.messages.received,
        queued,
        dropped,
      });
      await log?.drain();
      await pull.drain();
      for (const actor of [push, pull, log]) await actor?.close();
    }
    assert.deepEqual(numbers[0], {
      endpoints: 1,
      pipes: 1,
      sent: 4,
      received: 1,
      queued: 3,
      dropped: 0,
    });
    assert.deepEqual(numbers[1], numbers[0]);
  });

  play("with nobody listening nothing is made, and afterwards nothing is left", async (g) => {
    const places = [g.here, g.thread(), g.thread()];
    const stir = async (): Promise<void> => {
      for (const place of places) await (await g.push({}, place)).close();
    };
    const used = async (): Promise<number> => {
      // Each thread hears what has come, and gives back what it holds for later: twice, for the
      // last to leave a link may free a block that is of the first one's pages.
      for (const place of [...places, ...places]) {
        await place.do({ what: "run", args: [`({ context }) => void context.stats()`] });
      }
      return g.context.stats().memory.used;
    };
    const before = await used();
    for (let round = 0; round < 3; round++) {
      const log = await listen(g, [], {}, places[round] as Place);
      await stir();
      assert.ok((await log.call("stats")).pipes >= 2, "one from each thread that told something");
      if (round === 1) await log.call("disconnect", LOG);
      await log.close();
      assert.equal(await used(), before, `round ${round}`);
    }
    await stir();
    assert.equal(await used(), before);
  });

  play("a thread that ends leaves what it has told to be heard, and no memory", async (g) => {
    const log = await listen(g, ["socket.opened"]);
    const used: number[] = [];
    for (let round = 0; round < 3; round++) {
      const thread = g.thread();
      await g.push({}, thread);
      await thread.end();
      const [event] = await hear(log);
      assert.equal(event?.topic, "socket.opened");
      assert.match(event?.thread ?? "", /^worker/);
      assert.equal((await log.call("stats")).pipes, 0);
      used.push(g.context.stats().memory.used);
    }
    assert.equal(used[2], used[1]);
  });

  play("a thread that ends while it listens is not written to any more", async (g) => {
    const thread = g.thread();
    await listen(g, [], {}, thread);
    const push = await g.push();
    await thread.end();
    await push.close();
    const { memory, threads } = g.context.stats();
    for (let i = 0; i < 100; i++) await (await g.push()).close();
    assert.equal(threads, 1);
    assert.equal(g.context.stats().memory.used, memory.used);
  });

  play("disconnect lets what has been told be heard, and ends the listening", async (g) => {
    const log = await listen(g, ["socket.opened"]);
    await g.push();
    await log.call("disconnect", LOG);
    await g.push();
    assert.equal((await log.drain()).length, 1);
    await assert.rejects(async () => log.call("disconnect", LOG), zmq("ENOENT", LOG));
    await log.connect(LOG);
    await log.connect(LOG); // It listens already: nothing is told twice.
    await g.push();
    assert.equal((await log.drain()).length, 1);
  });

  test("an idle listener does not hold the process", async () => {
    const { code } = await runProgram(`
      import { Push, Subscriber } from "threadmq";
      const log = new Subscriber();
      log.connect("sys://log");
      log.subscribe();
      new Push().bindSync("inproc://x");
    `);
    assert.equal(code, 0);
  });

  test("the end of the context is the end of listening", async () => {
    const context = new Context(SMALL);
    const log = new Subscriber({ context });
    log.connect(LOG);
    log.subscribe();
    const pending = log.receive();
    const heard = assert.rejects(pending, zmq("ETERM"));
    await context.terminate({ timeout: PATIENCE });
    await heard;
    assert.equal(context.stats().sockets, 0);
  });
});
