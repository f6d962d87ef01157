// SPDX-License-Identifier: MIT

/**
 * `sys://log`: every event with its fields, who hears what, and that nobody is held up by it (M1,
 * M2, J2).
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Context, type LogRecord, Push, Subscriber } from "threadmq";
import { runProgram } from "../support/child.ts";
import {
  type Actor,
  DISTANCES,
  far,
  type Ground,
  type Place,
  play,
  SMALL,
  zmq,
} from "../support/ground.ts";
import { PATIENCE, WAYS } from "../support/stage.ts";

const LOG = "sys://log";
const NAME = "inproc://a";

type Told = { topic: string } & Partial<LogRecord>;

async function listen(
  g: Ground,
  prefixes: string[],
  options: object = {},
  place: Place = g.here,
): Promise<Actor> {
  const log = await g.open("Subscriber", options, place);
  await log.connect(LOG);
  await log.call("subscribe", ...prefixes);
  return log;
}

function parse(message: string): Told {
  const bar = message.indexOf("|");
  return { topic: message.slice(0, bar), ...JSON.parse(message.slice(bar + 1)) };
}

/** What the log has told, without what every record has. */
async function told(log: Actor): Promise<object[]> {
  return (await log.drain()).map((message) => {
    const { time, thread, sequence, dropped, ...rest } = parse(message);
    return rest;
  });
}

/** The next records that come from any thread. */
async function hear(log: Actor, count = 1): Promise<Told[]> {
  return (await log.receive(count)).map(parse);
}

/** A socket as the log shows it, once it has told that it was opened. */
async function shown(log: Actor): Promise<LogRecord["socket"]> {
  const [opened] = await told(log);
  return (opened as Told).socket;
}

describe("what is told", () => {
  play("M2: every record says when, who, and which in order", async (g) => {
    const log = await listen(g, []);
    const before = Date.now();
    const push = await g.push();
    await push.bind(NAME);
    const records = (await log.drain()).map(parse);
    assert.deepEqual(
      records.map(({ topic, thread, sequence, dropped }) => [topic, thread, sequence, dropped]),
      [
        ["socket.opened", "main thread", 1, 0],
        ["socket.bound", "main thread", 2, 0],
      ],
    );
    for (const { time = 0 } of records) assert.ok(time >= before && time <= Date.now());
  });

  play("M1: a socket's life", async (g) => {
    const log = await listen(g, ["socket."]);
    const push = await g.push();
    const socket = await shown(log);
    assert.equal(socket?.type, "PUSH");
    assert.equal(typeof socket?.number, "number");
    await push.bind(NAME);
    await push.connect("inproc://b");
    await push.call("unbindSync", NAME);
    await push.call("disconnect", "inproc://b");
    await push.bind("sys://c");
    await push.close();
    assert.deepEqual(await told(log), [
      { topic: "socket.bound", socket, endpoint: NAME },
      { topic: "socket.connected", socket, endpoint: "inproc://b", pending: true },
      { topic: "socket.unbound", socket, endpoint: NAME },
      { topic: "socket.disconnected", socket, endpoint: "inproc://b" },
      { topic: "socket.bound", socket, endpoint: "sys://c" },
      { topic: "socket.unbound", socket, endpoint: "sys://c" },
      { topic: "socket.closed", socket, why: "closed" },
    ]);
  });

  play("M1: a link that waits for a bind, and one that does not", async (g) => {
    const [early, pull, late] = [await g.push(), await g.pull(), await g.push()];
    const log = await listen(g, ["socket.connected", "pipe.attached"]);
    await early.connect(NAME);
    await early.send(["1", "2"]);
    await pull.bind(NAME);
    await late.connect(NAME);
    const events = (await told(log)) as Told[];
    assert.deepEqual(
      events.map(({ topic, pending, side, peer, queued }) => [topic, pending, side, peer, queued]),
      [
        ["socket.connected", true, undefined, undefined, undefined],
        ["pipe.attached", undefined, "binder", "PUSH", 2],
        ["socket.connected", false, undefined, undefined, undefined],
        ["pipe.attached", undefined, "binder", "PUSH", 0],
      ],
    );
    assert.deepEqual(
      events.filter(({ pipe }) => pipe !== undefined).map(({ socket }) => socket?.type),
      ["PULL", "PULL"],
    );
    assert.notEqual(events[1]?.pipe, events[3]?.pipe);
  });

  const ends: [string, (push: Actor, pull: Actor) => Promise<unknown>, [string, string][]][] = [
    ["the binder closes", (_, pull) => pull.close(), [["binder", "closed"]]],
    [
      "the connecter closes",
      async (push, pull) => [await push.close(), await pull.call("stats")],
      [
        ["connecter", "closed"],
        ["binder", "peer left"],
      ],
    ],
    ["the binder unbinds", (_, pull) => pull.call("unbindSync", NAME), [["binder", "unbound"]]],
    [
      "the connecter disconnects",
      async (push, pull) => [await push.call("disconnect", NAME), await pull.call("stats")],
      [
        ["connecter", "disconnected"],
        ["binder", "peer left"],
      ],
    ],
  ];
  for (const [how, end, expected] of ends) {
    play(`M1: a link ends: ${how}`, async (g) => {
      const [push, pull] = [await g.push(), await g.pull()];
      const log = await listen(g, ["pipe."]);
      await pull.bind(NAME);
      await push.connect(NAME);
      const [{ pipe }] = (await told(log)) as [Told];
      await end(push, pull);
      const events = (await told(log)) as Told[];
      for (const event of events) {
        assert.equal(event.topic, "pipe.detached");
        assert.equal(event.endpoint, NAME);
        assert.equal(event.pipe, pipe, "both ends name the link alike");
        assert.equal(event.queued, 0);
        assert.equal(event.socket?.type, event.side === "binder" ? "PULL" : "PUSH");
      }
      assert.deepEqual(
        events.map(({ side, why }) => [side, why]),
        expected,
      );
    });
  }

  play("M1: a pipe is full once, and relieved when half of it is free again", async (g) => {
    const push = await g.push({ sendHighWaterMark: 2 });
    const pull = await g.pull({ receiveHighWaterMark: 2 });
    await push.connect(NAME);
    await pull.bind(NAME);
    const log = await listen(g, ["pipe."]);
    assert.equal(await push.fill(), 4);
    for (let i = 0; i < 5; i++) assert.equal(await push.call("trySend", "no"), false);
    const [event, ...more] = (await told(log)) as Told[];
    assert.deepEqual(more, []);
    assert.equal(event?.topic, "pipe.full");
    assert.deepEqual(
      [event?.endpoint, event?.socket?.type, event?.side, event?.queued],
      [NAME, "PUSH", "connecter", 4],
    );
    for (let i = 0; i < 5; i++) {
      await pull.receive(1);
      assert.equal(await push.call("trySend", "near the limit"), true);
      assert.equal(await push.call("trySend", "no"), false);
    }
    assert.deepEqual(await told(log), []);
    await pull.receive(2);
    assert.equal(await push.fill(), 2);
    const { topic, queued, ...rest } = event as Told;
    const expected = [
      { ...rest, topic: "pipe.relieved", queued: 2 },
      { ...rest, topic: "pipe.full", queued: 4 },
    ];
    const strip = ({ time, thread, sequence, dropped, ...fields }: Told) => fields;
    assert.deepEqual(await told(log), expected.map(strip));
  });

  for (const way of WAYS) {
    play(`M1: a send that waits tells that the pipe is full, by ${way}`, async (g) => {
      const push = await g.push({ sendHighWaterMark: 1 }, g.thread());
      await push.connect(NAME);
      const log = await listen(g, ["pipe."]);
      const sent = push.send(["1", "2", "3"], way);
      const [full] = await hear(log);
      assert.deepEqual([full?.topic, full?.queued], ["pipe.full", 1]);
      const pull = await g.pull({ receiveHighWaterMark: 1 });
      await pull.bind(NAME);
      assert.deepEqual(await pull.receive(3), ["1", "2", "3"]);
      await sent;
    });
  }

  play("M1: threads come and go", async (g) => {
    const log = await listen(g, ["thread.", "socket.closed", "pipe.detached"]);
    const thread = g.thread();
    const push = await g.push({}, thread);
    const [attached] = await hear(log);
    assert.equal(attached?.topic, "thread.attached");
    assert.match(attached?.thread ?? "", /^worker \d+$/);
    assert.equal(attached?.sequence, 1);
    assert.ok((attached?.slot ?? 0) > 0);
    await push.connect(NAME);
    await thread.end();
    const events = await hear(log, 3);
    assert.deepEqual(
      events.map(({ topic, why, thread: name }) => [topic, why, name]),
      [
        ["pipe.detached", "thread left", attached?.thread],
        ["socket.closed", "thread left", attached?.thread],
        ["thread.left", undefined, attached?.thread],
      ],
    );
    assert.equal(events[2]?.slot, attached?.slot);
    assert.equal(g.context.stats().threads, 1);
  });

  play("M1: socket types that do not fit", async (g) => {
    const [push, pull] = [await g.push(), await g.push()];
    await push.bind(NAME);
    await pull.connect("inproc://b");
    const log = await listen(g, ["peer."]);
    await assert.rejects(pull.connect(NAME), zmq("ENOCOMPATPROTO", NAME));
    await assert.rejects(push.bind("inproc://b"), zmq("ENOCOMPATPROTO", "inproc://b"));
    await assert.rejects(push.connect(LOG), zmq("ENOCOMPATPROTO", LOG));
    const events = (await told(log)) as Told[];
    assert.deepEqual(
      events.map(({ topic, endpoint, socket }) => [topic, endpoint, socket?.type]),
      [NAME, "inproc://b", LOG].map((name) => ["peer.incompatible", name, "PUSH"]),
    );
    for (const { hint } of events) assert.match(hint ?? "", /^A PUSH cannot .*\.$/);
  });

  play(
    "M1: the arena grows, and is nearly full, once",
    async (g) => {
      const [push, pull] = [await g.push({ sendHighWaterMark: 0 }), await g.pull()];
      await push.bind(NAME);
      await pull.connect(NAME);
      await pull.set("receiveHighWaterMark", 0);
      const log = await listen(g, ["arena."]);
      const { memory } = g.context.stats();
      const body = "x".repeat(5000);
      await push.fill(body, 10_000);
      const events = (await told(log)) as Told[];
      const grown = events.filter(({ topic }) => topic === "arena.grown");
      assert.ok(grown.length >= 1);
      assert.ok(grown[0]?.memory?.size !== undefined && grown[0].memory.size > memory.size);
      const scarce = events.filter(({ topic }) => topic === "arena.nearly-full");
      assert.equal(scarce.length, 1);
      const { used = 0, size, max = 0 } = scarce[0]?.memory ?? {};
      assert.equal(max, memory.max);
      assert.equal(size, max);
      assert.ok(used < max && used > max / 2);
      await pull.drain();
      g.context.stats(); // What is free is free for all from now on.
      await push.fill(body, 10_000);
      const again = ((await told(log)) as Told[]).map(({ topic }) => topic);
      assert.deepEqual(again, ["arena.nearly-full"], "it had been relieved in between");
    },
    { context: { maxMemory: 4 << 20 } },
  );

  play("M1: messages that are lost: nobody has come for them", async (g) => {
    const push = await g.push({ linger: 0 });
    await push.connect(NAME);
    await push.send(["1", "2", "3"]);
    const log = await listen(g, ["messages."]);
    await push.close();
    const lost = { topic: "messages.dropped", endpoint: NAME, count: 3, why: "linger" };
    g.context.stats(); // Any call hears what was to be told later.
    assert.deepEqual(await told(log), [lost]);
  });

  play("M1: messages that are lost: a peer has left them to a socket that closes", async (g) => {
    const push = await g.push();
    const pull = await g.pull();
    await push.bind(NAME);
    await pull.connect(NAME);
    await push.send(["1", "2"]);
    await pull.close();
    const log = await listen(g, ["messages."]);
    await push.call("stats");
    await push.close();
    g.context.stats();
    const lost = { topic: "messages.dropped", endpoint: NAME, count: 2, why: "closed" };
    assert.deepEqual(await told(log), [lost]);
  });
});

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
    const topics = async (): Promise<string[]> => {
      const push = await g.push();
      await push.connect(NAME);
      await push.close();
      const found: string[] = [];
      for (let m = log.tryReceive(); m !== undefined; m = log.tryReceive()) found.push(`${m[0]}`);
      return found;
    };
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
      ((await told(log)) as Told[]).map(({ topic }) => topic),
      ["socket.closed"],
    );
    const stats = await log.call("stats");
    assert.equal(stats.received, 1);
  });

  play("a bad prefix is EINVAL, and changes nothing; a closed socket is EBADF", async (g) => {
    const log = await listen(g, ["thread."]);
    for (const method of ["subscribe", "unsubscribe"]) {
      for (const bad of [5, null, {}, ["pipe."]]) {
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
      // Each thread hears what has come, and gives back what it holds for later.
      for (const place of places) await (await g.push({}, place)).close();
      for (const place of places.slice(1)) {
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

describe("names", () => {
  play("nobody else is bound to sys://log", async (g) => {
    for (const kind of ["Push", "Pull", "Subscriber"] as const) {
      const socket = await g.open(kind);
      await assert.rejects(async () => socket.bind(LOG), zmq("EADDRINUSE", LOG), kind);
      await assert.rejects(async () => socket.call("bind", LOG), zmq("EADDRINUSE", LOG), kind);
      await assert.rejects(async () => socket.call("unbind", LOG), zmq("ENOENT", LOG), kind);
    }
  });

  play("other sys:// names are names, and not the same as with inproc://", async (g) => {
    const push = await g.push();
    await push.bind("sys://logs");
    await push.bind("inproc://logs");
    await push.bind("inproc://log");
    await assert.rejects(async () => push.bind("sys://logs"), zmq("EADDRINUSE", "sys://logs"));
    const pull = await g.pull();
    await pull.connect("sys://logs");
    assert.equal(await pull.get("lastEndpoint"), "sys://logs");
    await push.send(["1"]);
    assert.deepEqual(await pull.receive(1), ["1"]);
    await push.call("unbindSync", "inproc://logs");
    await push.send(["2"]);
    assert.deepEqual(await pull.receive(1), ["2"]);
    for (const [name, code] of [
      ["sys://", "EINVAL"],
      [`sys://${"x".repeat(257)}`, "EINVAL"],
      ["system://log", "EPROTONOSUPPORT"],
    ] as const) {
      await assert.rejects(async () => pull.connect(name), zmq(code), name);
    }
    await push.bind(`sys://${"x".repeat(256)}`);
  });

  play("a SUB is no peer of PUSH and PULL, and the log is no peer of theirs", async (g) => {
    const [push, pull] = [await g.push(), await g.pull()];
    await push.bind("inproc://push");
    await pull.bind("inproc://pull");
    const log = await g.open("Subscriber");
    for (const name of ["inproc://push", "inproc://pull"]) {
      await assert.rejects(async () => log.connect(name), zmq("ENOCOMPATPROTO", name));
    }
    for (const socket of [push, pull]) {
      await assert.rejects(async () => socket.connect(LOG), zmq("ENOCOMPATPROTO", LOG));
    }
    await log.connect(LOG);
    assert.equal(await log.get("lastEndpoint"), LOG);
    assert.equal(await log.get("type"), 2);
    assert.equal(await log.call("tryReceive"), undefined);
  });
});
