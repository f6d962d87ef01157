// SPDX-License-Identifier: MIT

/** Waiting for many sockets at once (L1, J4): what is told is what is so, and nobody sleeps on. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  Context,
  Dealer,
  Pair,
  type PollEvent,
  Poller,
  Publisher,
  Pull,
  Push,
  Reply,
  Request,
  Router,
  type Socket,
  Subscriber,
  XPublisher,
} from "threadmq";
import { play, SMALL, zmq } from "../support/ground.ts";

const A = "inproc://a";
const NOW = { timeout: 0 };

/** A PUSH and a PULL with room for two messages between them. */
function narrow(): { context: Context; push: Push; pull: Pull } {
  const context = new Context(SMALL);
  const push = new Push({ context, sendHighWaterMark: 1 });
  const pull = new Pull({ context, receiveHighWaterMark: 1 });
  pull.bindSync(A);
  push.connect(A);
  return { context, push, pull };
}

/** Which sockets are told, and for what. */
function told(events: PollEvent[]): [Socket, string][] {
  return events.map(({ socket, readable, writable }) => {
    return [socket, `${readable ? "r" : ""}${writable ? "w" : ""}`];
  });
}

/** Whether a promise is settled, when all that the event loop has to do now is done. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const state = { settled: false };
  const settle = () => {
    state.settled = true;
  };
  promise.then(settle, settle);
  for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve));
  return state.settled;
}

describe("what a poller looks at", () => {
  test("add, modify, remove, size (test_poller)", () => {
    const { push, pull } = narrow();
    const poller = new Poller();
    assert.equal(poller.size, 0);
    poller.add(pull);
    assert.equal(poller.size, 1);
    poller.modify(pull, {});
    assert.equal(poller.size, 1);
    poller.add(push, { writable: true });
    assert.equal(poller.size, 2);
    poller.remove(pull);
    poller.remove(push);
    assert.equal(poller.size, 0);
  });

  test("what cannot be is EINVAL", () => {
    const { context, push, pull } = narrow();
    const poller = new Poller();
    poller.add(pull);
    const bad: (() => void)[] = [
      () => poller.add(pull),
      () => poller.modify(push, { writable: true }),
      () => poller.remove(push),
      () => poller.add({} as Socket),
      () => poller.add(push, { readable: true }),
      () => poller.modify(pull, { writable: true }),
      () => poller.modify(pull, { readable: 1 } as never),
      () => poller.modify(pull, { error: true } as never),
      () => poller.modify(pull, "readable" as never),
      () => poller.add(new Pull({ context: new Context(SMALL) })),
    ];
    for (const call of bad) assert.throws(call, zmq("EINVAL"), `${call}`);
    assert.equal(poller.size, 1);
    push.sendSync("x");
    assert.deepEqual(told(poller.poll()), [[pull, "r"]]);
    poller.add(new Pair({ context }), { readable: true, writable: true });
  });

  test("by default what is received, or else what can be sent", () => {
    const { context, push, pull } = narrow();
    const pair = new Pair({ context });
    const peer = new Pair({ context });
    pair.bindSync("inproc://pair");
    peer.connect("inproc://pair");
    const poller = new Poller();
    for (const socket of [push, pull, pair]) poller.add(socket);
    assert.deepEqual(told(poller.poll()), [[push, "w"]]);
    push.sendSync("1");
    peer.sendSync("1");
    assert.deepEqual(told(poller.poll()), [
      [push, "w"],
      [pull, "r"],
      [pair, "r"],
    ]);
  });

  test("an empty poller: at once EAGAIN, else EINVAL; and one that looks for nothing", async () => {
    const { pull } = narrow();
    const never = new Poller();
    const nothing = new Poller();
    nothing.add(pull, {});
    for (const poller of [never, nothing]) {
      assert.deepEqual(poller.poll(), []);
      await assert.rejects(poller.wait(NOW), zmq("EAGAIN"));
      await assert.rejects(poller.wait(), zmq("EINVAL"));
      assert.throws(() => poller.waitSync(NOW), zmq("EAGAIN"));
      assert.throws(() => poller.waitSync(), zmq("EINVAL"));
    }
  });

  test("a closed socket is EBADF until it is removed; a closed poller too", async () => {
    const { push, pull } = narrow();
    const poller = new Poller();
    poller.add(pull);
    const waiting = poller.wait();
    pull.close();
    await assert.rejects(waiting, zmq("EBADF", A));
    assert.throws(() => poller.poll(), zmq("EBADF", A));
    assert.throws(() => new Poller().add(pull), zmq("EBADF", A));
    poller.remove(pull);
    poller.add(push);
    assert.equal((await poller.wait()).length, 0 + poller.poll().length);
    poller.modify(push, {});
    poller.close();
    poller.close();
    assert.equal(poller.closed, true);
    await assert.rejects(poller.wait(), zmq("EBADF"));
    assert.throws(() => poller.poll(), zmq("EBADF"));
    assert.throws(() => poller.add(push), zmq("EBADF"));
  });
});

describe("a poller that waits", () => {
  test("level-triggered: it is told as long as it is so", async () => {
    const { push, pull } = narrow();
    const poller = new Poller();
    poller.add(pull);
    push.sendSync("1");
    assert.deepEqual(told(await poller.wait()), [[pull, "r"]]);
    assert.deepEqual(told(await poller.wait()), [[pull, "r"]]);
    assert.deepEqual(told(poller.waitSync()), [[pull, "r"]]);
    pull.tryReceive();
    await assert.rejects(poller.wait(NOW), zmq("EAGAIN"));
    assert.throws(() => poller.waitSync({ timeout: 5 }), zmq("EAGAIN"));
    await assert.rejects(poller.wait({ timeout: 5 }), zmq("EAGAIN"));
  });

  test("writable when there is room, at the first message that is taken", async () => {
    const { push, pull } = narrow();
    const poller = new Poller();
    poller.add(push);
    while (push.trySend("x"));
    assert.deepEqual(poller.poll(), []);
    const waiting = poller.wait();
    assert.equal(await isSettled(waiting), false);
    pull.tryReceive();
    assert.deepEqual(told(await waiting), [[push, "w"]]);
    assert.equal(push.trySend("x"), true);
  });

  test("a signal aborts it, a close ends it, and what is looked for may change", async () => {
    const { push, pull } = narrow();
    const poller = new Poller();
    poller.add(pull);
    const controller = new AbortController();
    const aborted = poller.wait({ signal: controller.signal });
    const first = poller.wait();
    controller.abort(new Error("enough"));
    await assert.rejects(aborted, /enough/);
    poller.add(push);
    assert.deepEqual(told(await first), [[push, "w"]]);
    poller.modify(push, {});
    const second = poller.wait();
    poller.modify(push, { writable: true });
    assert.deepEqual(told(await second), [[push, "w"]]);
    poller.modify(push, {});
    const [emptied, closed] = [poller.wait(), poller.wait()];
    assert.equal(await isSettled(emptied), false);
    poller.close();
    for (const waiting of [emptied, closed]) await assert.rejects(waiting, zmq("EBADF"));
  });

  test("the last socket is removed: nothing could end the wait", async () => {
    const { pull } = narrow();
    const poller = new Poller();
    poller.add(pull);
    const waiting = poller.wait();
    poller.remove(pull);
    await assert.rejects(waiting, zmq("EINVAL"));
  });

  test("a context that is terminated is ETERM", async () => {
    const { context, pull } = narrow();
    const poller = new Poller();
    poller.add(pull);
    const waiting = poller.wait();
    const refused = assert.rejects(waiting, zmq("ETERM", A));
    await context.terminate();
    await refused;
    assert.throws(() => poller.waitSync(), zmq("ETERM", A));
  });

  test("it comes after the calls that wait on the same socket", async () => {
    const { push, pull } = narrow();
    const poller = new Poller();
    poller.add(pull);
    const message = pull.receive();
    const waiting = poller.wait();
    push.sendSync("1");
    assert.equal(`${await message}`, "1");
    assert.equal(await isSettled(waiting), false);
    const [second, third] = [pull.receive(), pull.receive({ timeout: 5 })];
    push.sendSync("2");
    assert.equal(`${await second}`, "2");
    await assert.rejects(third, zmq("EAGAIN"));
    push.sendSync("3");
    assert.deepEqual(told(await waiting), [[pull, "r"]]);
  });

  test("it is told of room that a long sendMany leaves, when that is done", async () => {
    const context = new Context(SMALL);
    const push = new Push({ context, sendHighWaterMark: 0 });
    push.connect(A);
    const poller = new Poller();
    poller.add(push);
    const all = push.sendMany(Array.from({ length: 50_000 }, () => "x"));
    const waiting = poller.wait();
    await all;
    assert.deepEqual(told(await waiting), [[push, "w"]]);
  });

  test("iteration goes on until the poller is closed", async () => {
    const { push, pull } = narrow();
    const poller = new Poller();
    poller.add(pull);
    const received: string[] = [];
    push.sendSync("1");
    for await (const [event] of poller) {
      assert.equal(event?.socket, pull);
      received.push(`${pull.tryReceive()}`);
      if (received.length < 3) push.sendSync(`${received.length + 1}`);
      else queueMicrotask(() => poller.close());
    }
    assert.deepEqual(received, ["1", "2", "3"]);
    const other = new Poller();
    other.add(push);
    for await (const _ of other) break;
    assert.equal(other.closed, false);
  });

  for (const how of ["wait", "waitSync"] as const) {
    play(`${how}: messages, and room, of other threads`, async (g) => {
      const thread = g.thread();
      const pulls = [new Pull({ context: g.context }), new Pull({ context: g.context })] as const;
      const push = new Push({ context: g.context, sendHighWaterMark: 1 });
      pulls[0].bindSync("inproc://0");
      pulls[1].bindSync("inproc://1");
      push.bindSync("inproc://2");
      const far0 = await g.push({}, thread);
      const far1 = await g.push({}, thread);
      const farPull = await g.pull({ receiveHighWaterMark: 1 }, thread);
      await far0.connect("inproc://0");
      await far1.connect("inproc://1");
      await farPull.connect("inproc://2");
      const poller = new Poller();
      for (const pull of pulls) poller.add(pull);
      for (let round = 0; round < 20; round++) {
        const at = round % 2;
        const sending = (at === 0 ? far0 : far1).send([`${round}`]);
        const [event] = await poller[how]();
        assert.equal(event?.socket, pulls[at]);
        assert.equal(`${pulls[at]?.tryReceive()}`, `${round}`);
        await sending;
      }
      poller.add(push);
      for (let round = 0; round < 20; round++) {
        while (push.trySend("x"));
        const receiving = farPull.receive(1);
        assert.deepEqual(told(await poller[how]()), [[push, "w"]]);
        await receiving;
      }
      for (const socket of [...pulls, push]) socket.close();
    });
  }
});

describe("what a pattern makes of it", () => {
  test("SUB: what is not subscribed to does not make it readable", async () => {
    const context = new Context(SMALL);
    const log = new Subscriber({ context });
    log.connect("sys://log");
    log.subscribe("socket.bound");
    const poller = new Poller();
    poller.add(log);
    log.subscribe("socket.opened");
    const other = new Pull({ context });
    assert.deepEqual(told(poller.poll()), [[log, "r"]]);
    log.unsubscribe("socket.opened");
    assert.deepEqual(poller.poll(), []);
    const waiting = poller.wait();
    assert.equal(await isSettled(waiting), false);
    other.bindSync(A);
    assert.deepEqual(told(await waiting), [[log, "r"]]);
    assert.match(`${log.tryReceive()}`, /^socket.bound/);
    assert.deepEqual(poller.poll(), []);
  });

  test("REQ and REP: by turns", async () => {
    const context = new Context(SMALL);
    const [request, reply] = [new Request({ context }), new Reply({ context })];
    const both = { readable: true, writable: true };
    const poller = new Poller();
    poller.add(request, both);
    poller.add(reply, both);
    reply.bindSync(A);
    assert.deepEqual(poller.poll(), []);
    const linked = poller.wait();
    request.connect(A);
    assert.deepEqual(told(await linked), [[request, "w"]]);
    request.sendSync("?");
    assert.deepEqual(told(await poller.wait()), [[reply, "r"]]);
    poller.modify(reply, { writable: true });
    const due = poller.wait();
    assert.equal(await isSettled(due), false);
    assert.equal(`${reply.tryReceive()}`, "?");
    assert.deepEqual(told(await due), [[reply, "w"]]);
    reply.sendSync("!");
    poller.modify(request, { readable: true });
    assert.deepEqual(told(await poller.wait()), [[request, "r"]]);
    poller.modify(request, { writable: true });
    const free = poller.wait();
    assert.equal(await isSettled(free), false);
    assert.equal(`${request.tryReceive()}`, "!");
    assert.deepEqual(told(await free), [[request, "w"]]);
  });

  test("REQ: whose replier is gone has something to tell", async () => {
    const context = new Context(SMALL);
    const [request, reply] = [new Request({ context }), new Reply({ context })];
    reply.bindSync(A);
    request.connect(A);
    request.sendSync("?");
    reply.tryReceive();
    const poller = new Poller();
    poller.add(request);
    const waiting = poller.wait();
    reply.close();
    assert.deepEqual(told(await waiting), [[request, "r"]]);
    assert.throws(() => request.tryReceive(), zmq("EHOSTUNREACH", A));
    assert.deepEqual(poller.poll(), []);
  });

  test("REQ: the reply of another than it has asked does not make it readable", () => {
    const context = new Context(SMALL);
    const request = new Request({ context, relaxed: true });
    request.bindSync(A);
    const replies = [new Reply({ context }), new Reply({ context })] as const;
    for (const reply of replies) reply.connect(A);
    for (const reply of replies) {
      request.sendSync("?");
      assert.equal(`${reply.tryReceive()}`, "?");
    }
    const poller = new Poller();
    poller.add(request);
    replies[0].sendSync("late");
    assert.deepEqual(poller.poll(), []);
    replies[1].sendSync("!");
    assert.deepEqual(told(poller.poll()), [[request, "r"]]);
    assert.equal(`${request.tryReceive()}`, "!");
  });

  test("REP: two receives wait, and two requests have come", async () => {
    const context = new Context(SMALL);
    const reply = new Reply({ context });
    reply.bindSync(A);
    const received = [reply.receive(), reply.receive()];
    for (const text of ["1", "2"]) {
      const dealer = new Dealer({ context });
      dealer.connect(A);
      dealer.sendSync(["", text]);
    }
    assert.equal(`${await received[0]}`, "1");
    reply.sendSync("!");
    assert.equal(`${await received[1]}`, "2");
  });

  test("REP: what is no request does not make it readable", () => {
    const context = new Context(SMALL);
    const [dealer, reply] = [new Dealer({ context }), new Reply({ context })];
    reply.bindSync(A);
    dealer.connect(A);
    const poller = new Poller();
    poller.add(reply);
    dealer.sendSync(["no", "envelope"]);
    dealer.sendSync(["no body", ""]);
    assert.deepEqual(poller.poll(), []);
    dealer.sendSync(["", "x".repeat(10_000)]);
    assert.deepEqual(told(poller.poll()), [[reply, "r"]]);
  });

  test("ROUTER: always writable; if mandatory, when some peer has room", async () => {
    const context = new Context(SMALL);
    const router = new Router({ context, mandatory: true, sendHighWaterMark: 1 });
    const poller = new Poller();
    poller.add(router, { writable: true });
    router.bindSync(A);
    assert.deepEqual(poller.poll(), []);
    const linked = poller.wait();
    const dealer = new Dealer({ context, routingId: "d", receiveHighWaterMark: 1 });
    dealer.connect(A);
    assert.deepEqual(told(await linked), [[router, "w"]]);
    while (router.trySend(["d", "x"]));
    assert.deepEqual(poller.poll(), []);
    const waiting = poller.wait();
    dealer.tryReceive();
    assert.deepEqual(told(await waiting), [[router, "w"]]);
    while (router.trySend(["d", "x"]));
    router.mandatory = false;
    assert.deepEqual(told(poller.poll()), [[router, "w"]]);
  });

  test("PAIR: who comes second has something to tell", async () => {
    const context = new Context(SMALL);
    const [first, second] = [new Pair({ context }), new Pair({ context })];
    second.connect(A);
    const poller = new Poller();
    poller.add(second);
    const binder = new Pair({ context });
    first.connect("inproc://b");
    const waiting = poller.wait();
    binder.connect("inproc://b2");
    binder.bindSync(A);
    assert.deepEqual(told(await waiting), [[second, "r"]]);
    assert.throws(() => second.tryReceive(), zmq("EADDRINUSE", A));
    assert.deepEqual(poller.poll(), []);
  });

  test("PUB: always writable; with noDrop, when all who might get it have room", async () => {
    const context = new Context(SMALL);
    const publisher = new Publisher({ context, sendHighWaterMark: 1 });
    publisher.bindSync(A);
    const poller = new Poller();
    assert.throws(() => poller.add(publisher, { readable: true }), zmq("EINVAL"));
    poller.add(publisher);
    const subscriber = new Subscriber({ context, receiveHighWaterMark: 1 });
    subscriber.connect(A);
    subscriber.subscribe("a");
    for (let sent = 0; sent < 5; sent++) assert.equal(publisher.trySend("a"), true);
    assert.deepEqual(told(poller.poll()), [[publisher, "w"]]);
    publisher.noDrop = true;
    assert.equal(publisher.trySend("a"), false);
    assert.deepEqual(poller.poll(), []);
    const waiting = poller.wait();
    assert.equal(await isSettled(waiting), false);
    while (subscriber.tryReceive() !== undefined);
    assert.deepEqual(told(await waiting), [[publisher, "w"]]);
    assert.equal(publisher.trySend("a"), true);
  });

  test("SUB: what a publisher tells of itself does not make it readable", async () => {
    const context = new Context(SMALL);
    const publisher = new Publisher({ context });
    const subscriber = new Subscriber({ context });
    publisher.bindSync(A);
    subscriber.connect(A);
    subscriber.subscribe("a");
    const poller = new Poller();
    poller.add(subscriber);
    const waiting = poller.wait();
    publisher.sendSync("b");
    assert.deepEqual(poller.poll(), []);
    assert.equal(await isSettled(waiting), false);
    publisher.sendSync("a");
    assert.deepEqual(told(await waiting), [[subscriber, "r"]]);
  });

  test("XPUB: a subscription makes it readable", async () => {
    const context = new Context(SMALL);
    const publisher = new XPublisher({ context });
    publisher.bindSync(A);
    const poller = new Poller();
    poller.add(publisher);
    const waiting = poller.wait();
    const subscriber = new Subscriber({ context });
    subscriber.connect(A);
    assert.equal(await isSettled(waiting), false);
    subscriber.subscribe("a");
    assert.deepEqual(told(await waiting), [[publisher, "r"]]);
    assert.equal(`${publisher.tryReceive()}`, "\u0001a");
    assert.deepEqual(poller.poll(), []);
  });

  test("memory that is used up: not writable until some comes free", async () => {
    const context = new Context({ maxMemory: 2 << 20 });
    const push = new Push({ context, sendHighWaterMark: 0 });
    const pull = new Pull({ context, receiveHighWaterMark: 0 });
    pull.bindSync(A);
    push.connect(A);
    const part = Buffer.alloc(50_000);
    while (push.trySend(part));
    const poller = new Poller();
    poller.add(push);
    let tries = 0;
    let waiting = poller.wait();
    while (await isSettled(waiting)) {
      assert.ok(tries++ < 3, "it does not go round in circles");
      assert.equal(push.trySend(part), false);
      waiting = poller.wait();
    }
    while (pull.tryReceive() !== undefined);
    assert.deepEqual(told(await waiting), [[push, "w"]]);
    assert.equal(push.trySend(part), true);
  });

  test("a swap with room makes it writable", () => {
    const { push } = narrow();
    const poller = new Poller();
    poller.add(push);
    while (push.trySend("x"));
    assert.deepEqual(poller.poll(), []);
    push.swap = 100;
    for (let stored = 0; poller.poll().length > 0; stored++) {
      assert.equal(push.trySend(""), true);
      assert.ok(stored < 10);
    }
    assert.equal(push.trySend(""), false);
  });
});
