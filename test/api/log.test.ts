// SPDX-License-Identifier: MIT

/**
 * `sys://log`: every event with its fields (M1, M2), and the names of `sys://`.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import type { LogRecord } from "threadmq";
import { topicsThat } from "#src/context/log.ts";
import { type Actor, play, zmq } from "../support/ground.ts";
import { hog } from "../support/hog.ts";
import { hear, LOG, listen, parse, type Told, told } from "../support/listening.ts";
import { WAYS } from "../support/stage.ts";

const NAME = "inproc://a";

/** A socket as the log shows it, once it has told that it was opened. */
async function shown(log: Actor): Promise<LogRecord["socket"]> {
  return (await told(log))[0]?.socket;
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
    const events = await told(log);
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
      const events = await told(log);
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
    const [event, ...more] = await told(log);
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
    const events = await told(log);
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
      const giveBack = hog(g.context);
      const events = await told(log);
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
      giveBack();
      g.context.stats(); // What is free is free for all from now on.
      await push.fill(body, 10_000);
      const giveBackAgain = hog(g.context);
      const again = (await told(log)).map(({ topic }) => topic);
      assert.deepEqual(again, ["arena.nearly-full"], "it had been relieved in between");
      giveBackAgain();
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

test("the page of the log has every topic, and no other", () => {
  const topics: string[] = [];
  topicsThat((topic) => topics.push(`${Buffer.from(topic)}`) < 0);
  const page = readFileSync(new URL("../../../docs/LOG.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| `([a-z]+\.[a-z-]+)` \|/gm)].map(([, topic]) => topic);
  assert.deepEqual(rows, topics);
});
