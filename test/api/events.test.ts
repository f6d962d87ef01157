// SPDX-License-Identifier: MIT

/** What a socket tells of itself (M1): the same as the log, without anybody listening there. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  Context,
  Pair,
  Publisher,
  Pull,
  Push,
  Router,
  type Socket,
  type SocketEvent,
  Subscriber,
} from "threadmq";
import { play, SMALL, zmq } from "../support/ground.ts";

const A = "inproc://a";

/** All events that have come, without what every event has. */
async function taken(socket: Socket): Promise<Omit<SocketEvent, "time" | "lost">[]> {
  const events: Omit<SocketEvent, "time" | "lost">[] = [];
  for (;;) {
    const event = await socket.events.receive({ timeout: 0 }).catch(() => undefined);
    if (event === undefined) return events;
    const { time, lost, ...rest } = event;
    assert.ok(Math.abs(Date.now() - time) < 60_000);
    assert.equal(lost, 0);
    events.push(rest);
  }
}

async function types(socket: Socket): Promise<string[]> {
  return (await taken(socket)).map(({ type }) => type);
}

/** A PUSH and a PULL, whose events are listened to. */
function pair(options: object = {}): { context: Context; push: Push; pull: Pull } {
  const context = new Context(SMALL);
  const push = new Push({ context, sendHighWaterMark: 1, ...options });
  const pull = new Pull({ context, receiveHighWaterMark: 1 });
  assert.equal(push.events, push.events);
  pull.events;
  return { context, push, pull };
}

describe("events", () => {
  test("a link, from both ends", async () => {
    const { push, pull } = pair();
    push.connect(A);
    pull.bindSync(A);
    push.stats();
    const [bind, attach] = await taken(pull);
    assert.deepEqual(bind, { type: "bind", endpoint: A });
    const { pipe } = attach as SocketEvent;
    const peer = { type: "attach", endpoint: A, pipe, side: "binder", peer: "PUSH", queued: 0 };
    assert.deepEqual(attach, peer);
    assert.deepEqual(await taken(push), [
      { type: "connect", endpoint: A, pending: true },
      { type: "attach", endpoint: A, pipe, side: "connecter", queued: 0 },
    ]);
    pull.unbindSync(A);
    push.stats();
    assert.deepEqual(await types(pull), ["unbind", "detach"]);
    assert.deepEqual(await taken(push), [
      { type: "peer-lost", endpoint: A, pipe, side: "connecter", why: "peer left", queued: 0 },
    ]);
    pull.bindSync(A);
    push.stats();
    assert.deepEqual(await types(push), ["attach"]);
    await types(pull);
    push.disconnect(A);
    pull.stats();
    assert.deepEqual(await types(push), ["disconnect", "detach"]);
    assert.deepEqual(await types(pull), ["peer-lost", "detach"]);
  });

  test("full and relieved; swap and drain; drop", async () => {
    const { push, pull } = pair();
    pull.bindSync(A);
    push.connect(A);
    while (push.trySend("x"));
    push.swap = 1000;
    push.sendSync("x");
    for (let left = 3; left > 0; left--) pull.receiveSync();
    push.stats();
    assert.equal(push.trySend("x"), true);
    const told = (await types(push)).filter((type) => type !== "connect" && type !== "attach");
    assert.deepEqual(told.sort(), ["drain", "full", "relieved", "swap"]);
    pull.close();
    push.stats();
    push.close();
    const closing = await taken(push);
    assert.deepEqual(closing.map(({ type }) => type).slice(-2), ["detach", "close"]);
    const router = new Router({ context: push.context });
    router.events;
    router.sendSync(["nobody", "x"]);
    assert.deepEqual(await taken(router), [{ type: "drop", count: 1, why: "unreachable" }]);
  });

  test("what a subscriber had not received when it went", async () => {
    const context = new Context(SMALL);
    const publisher = new Publisher({ context });
    const subscriber = new Subscriber({ context });
    subscriber.bindSync(A);
    publisher.connect(A);
    subscriber.subscribe();
    for (let i = 0; i < 5; i++) publisher.sendSync("x");
    publisher.events;
    subscriber.close();
    assert.equal(publisher.stats().dropped, 5);
    const drops = (await taken(publisher)).filter(({ type }) => type === "drop");
    assert.deepEqual(drops, [{ type: "drop", count: 5, why: "peer left" }]);
    publisher.close();
  });

  test("who is refused", async () => {
    const context = new Context(SMALL);
    const [first, second, binder] = [0, 1, 2].map(() => new Pair({ context })) as [
      Pair,
      Pair,
      Pair,
    ];
    const push = new Push({ context });
    for (const socket of [second, binder, push]) socket.events;
    binder.bindSync(A);
    first.connect(A);
    assert.throws(() => second.connect(A), zmq("EADDRINUSE"));
    assert.deepEqual(await types(second), ["connect", "refused"]);
    assert.deepEqual(await types(binder), ["bind", "attach", "refused"]);
    assert.throws(() => push.connect(A), zmq("ENOCOMPATPROTO"));
    assert.deepEqual(await types(push), ["refused"]);
  });

  play("a thread that dies is a lost peer", async (g) => {
    const thread = g.thread();
    const far = await g.pull({}, thread);
    await far.bind(A);
    const push = new Push({ context: g.context });
    push.events;
    push.connect(A);
    await far.call("stats");
    await thread.kill();
    for await (const { type, why } of push.events) {
      if (type === "peer-lost") assert.equal(why, "thread died");
      if (type === "peer-lost") break;
    }
    push.close();
  });

  test("listeners: what one throws is uncaught, and does not lose the others", async () => {
    const { pull } = pair();
    const heard: string[] = [];
    const listener = ({ type }: SocketEvent) => heard.push(type);
    const thrower = () => {
      throw new Error("the listener's own");
    };
    pull.events.on("bind", thrower).on("bind", listener).on("unbind", listener);
    const kept = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    const uncaught = new Promise((resolve) => process.once("uncaughtException", resolve));
    pull.bindSync(A);
    assert.deepEqual(heard, [], "the library is not at work when it is called");
    assert.match(`${await uncaught}`, /own/);
    for (const each of kept) process.on("uncaughtException", each);
    pull.unbindSync(A);
    await Promise.resolve();
    pull.events.off("bind", thrower);
    pull.bindSync("inproc://b");
    pull.unbindSync("inproc://b");
    pull.events.off("unbind", listener); // It was not called yet.
    await new Promise(setImmediate);
    assert.deepEqual(heard, ["bind", "unbind", "bind"]);
    assert.throws(() => pull.events.on("bind", 1 as never), zmq("EINVAL"));
    assert.throws(
      () => pull.events.on("typo" as never, () => {}),
      (error: unknown) => zmq("EINVAL")(error) && /peer-lost/.test((error as Error).message),
    );
  });

  test("after close no listener is called, but those of a close are told of it", async () => {
    const { pull } = pair();
    const heard: string[] = [];
    for (const type of ["bind", "close"] as const) {
      pull.events.on(type, (event) => heard.push(event.type));
    }
    pull.close();
    await new Promise(setImmediate);
    assert.deepEqual(heard, ["close"]);
    const other = new Pull({ context: pull.context });
    other.events.on("bind", (event) => heard.push(event.type));
    other.bindSync(A);
    other.events.close();
    await new Promise(setImmediate);
    assert.deepEqual(heard, ["close"]);
    other.close();
  });

  test("who is slow loses events, and sees how many", async () => {
    const { pull } = pair();
    for (let round = 0; round < 600; round++) {
      pull.bindSync(A);
      pull.unbindSync(A);
    }
    for (let received = 0; received < 1000; received++) {
      assert.equal((await pull.events.receive()).lost, 0);
    }
    pull.bindSync(A);
    assert.equal((await pull.events.receive()).lost, 200);
  });

  test("they end with the socket, or before", async () => {
    const { push, pull } = pair();
    const waiting = push.events.receive();
    push.events.close();
    await assert.rejects(waiting, zmq("EBADF"));
    const all: string[] = [];
    const iterated = (async () => {
      for await (const { type } of pull.events) all.push(type);
    })();
    pull.bindSync(A);
    pull.close();
    await iterated;
    assert.deepEqual(all, ["bind", "unbind", "close"]);
    assert.equal(pull.events.closed, true);
    await assert.rejects(pull.events.receive(), zmq("EBADF"));
    const late = new Pull({ context: push.context });
    late.close();
    await assert.rejects(late.events.receive(), zmq("EBADF"));
  });
});
