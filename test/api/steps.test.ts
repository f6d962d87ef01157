// SPDX-License-Identifier: MIT

/**
 * A call that waits may run the user's code, which may do anything with the sockets; a change of
 * links is done as a whole before that. And every change that lets a call go wakes it.
 */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import {
  Client,
  type Codec,
  Context,
  Dealer,
  Dish,
  type Lease,
  type Message,
  Poller,
  Publisher,
  Pull,
  Push,
  Radio,
  Reply,
  Request,
  Router,
  Server,
  Subscriber,
  XPublisher,
  XSubscriber,
} from "threadmq";
import { SMALL, zmq } from "../support/ground.ts";
import { leased } from "../support/leases.ts";
import { PATIENCE } from "../support/stage.ts";

const [A, B] = ["inproc://a", "inproc://b"];

describe("the user's code runs when a change of links is whole", () => {
  test("decode lets go of the link that is being made", async () => {
    const context = new Context(SMALL);
    const peer = new Dealer({ context });
    peer.connect(A);
    peer.sendSync("stop");
    const codec: Codec<string> = {
      encode: (value) => value,
      decode: ([part]) => {
        dealer.unbindSync(A);
        return `${part}`;
      },
    };
    const dealer: Dealer<string, string> = new Dealer<string, string>({ context, codec });
    const received = dealer.receive({ timeout: PATIENCE });
    dealer.bindSync(A);
    assert.equal(await received, "stop");
    assert.equal(dealer.trySend("to nobody"), false);
    const next = new Dealer({ context });
    next.bindSync(A);
    next.sendSync("from the next");
    assert.equal(`${peer.receiveSync({ timeout: PATIENCE })}`, "from the next");
    assert.equal(peer.tryReceive(), undefined);
    await context.terminate();
  });

  test("an iterable closes its socket while an option is set", async () => {
    const context = new Context(SMALL);
    const marks = { sendHighWaterMark: 4, receiveHighWaterMark: 4 };
    const dealer = new Dealer({ context, ...marks, linger: 0 });
    const routers = [A, B].map((name) => {
      const router = new Router({ context, ...marks });
      router.bindSync(name);
      dealer.connect(name);
      return router;
    });
    while (dealer.trySend("x"));
    const narrow = { context, sendHighWaterMark: 1, receiveHighWaterMark: 1 };
    const names = Array.from({ length: 40 }, (_, i) => `inproc://new${i}`);
    function* closing() {
      yield "one";
      for (const socket of [...routers, dealer]) socket.close();
      for (const name of names) new Dealer(narrow).connect(name); // Where the old links were.
      yield "two";
    }
    const sending = assert.rejects(dealer.sendMany(closing()), zmq("EBADF"));
    for (const router of routers) router.tryReceive();
    dealer.receiveHighWaterMark = 5000;
    await sending;
    for (const name of names) {
      const peer = new Dealer(narrow);
      peer.bindSync(name);
      let count = 0;
      while (count < 100 && peer.trySend("y")) count++;
      assert.equal(count, 2, "the watermarks of the new link are its own");
    }
    await context.terminate();
  });

  test("an iterable closes its socket while it is disconnected", async () => {
    const context = new Context(SMALL);
    const router = new Router({ context, receiveHighWaterMark: 4 });
    router.bindSync(A);
    const dealer = new Dealer({ context, sendHighWaterMark: 4, linger: 0 });
    dealer.connect(A);
    dealer.connect(A);
    while (dealer.trySend("x"));
    function* closing() {
      yield "one";
      dealer.close();
      yield "two";
    }
    const sending = assert.rejects(dealer.sendMany(closing()));
    router.tryReceive();
    router.tryReceive();
    dealer.disconnect(A);
    dealer.close();
    await sending;
    await context.terminate();
  });

  for (const waits of [true, false]) {
    test(`a REQ ${waits ? "that waits for its reply " : ""}keeps one link`, async () => {
      const context = new Context(SMALL);
      const request = new Request({ context });
      request.connect(A);
      for (let round = 0; round < 20; round++) {
        const reply = new Reply({ context });
        reply.bindSync(A);
        await request.send("hello");
        const lost = () => assert.rejects(request.receive(), zmq("EHOSTUNREACH"));
        const before = waits ? lost() : undefined;
        reply.close();
        await (before ?? lost());
        const { pipes, sent, dropped } = request.stats();
        assert.deepEqual([pipes, sent, dropped], [1, round + 1, round + 1]);
      }
      assert.equal(context.stats().pipes, 1);
      await context.terminate();
    });
  }

  test("what who has unbound still receives was not dropped", async () => {
    const context = new Context(SMALL);
    const [request, reply] = [new Request({ context }), new Reply({ context })];
    request.connect(A);
    reply.bindSync(A);
    await request.send("x");
    reply.unbindSync(A);
    await assert.rejects(request.receive(), zmq("EHOSTUNREACH"));
    assert.equal(`${reply.tryReceive()}`, "x");
    assert.equal(request.stats().dropped, 0);
    await context.terminate();
  });

  test("a send that waits goes to who takes another's place by handover", async () => {
    const context = new Context(SMALL);
    const router = new Router({ context, mandatory: true, handover: true, sendHighWaterMark: 1 });
    router.bindSync(A);
    const old = new Dealer({ context, routingId: "X", receiveHighWaterMark: 1 });
    old.connect(A);
    while (router.trySend(["X", "old"]));
    const sending = router.send(["X", "new"]);
    const next = new Dealer({ context, routingId: "X" });
    next.connect(A);
    await sending;
    assert.equal(`${next.receiveSync({ timeout: PATIENCE })}`, "new");
    await context.terminate();
  });
});

describe("a send that waits for a subscriber goes on when that one does not want it", () => {
  /** Somebody subscribed to "a" who is full, and the next such message, which waits. */
  function waiting(options: object, other: object = {}) {
    const context = new Context(SMALL);
    const publisher = new Publisher({ context, sendHighWaterMark: 1, ...options });
    publisher.bindSync(A);
    const subscriber = new Subscriber({ context, receiveHighWaterMark: 1, ...other });
    subscriber.connect(A);
    subscriber.subscribe("a");
    while (publisher.trySend("a"));
    return { context, publisher, subscriber, sending: publisher.send("a") };
  }

  for (const [name, options, other, change] of [
    ["unsubscribes, noDrop", { noDrop: true }, {}, (s) => s.unsubscribe("a")],
    ["unsubscribes, block", {}, { whenFull: "block" }, (s) => s.unsubscribe("a")],
    ["would rather miss it", {}, { whenFull: "block" }, (s) => (s.whenFull = "drop-newest")],
  ] as [string, object, object, (subscriber: Subscriber) => void][]) {
    test(`it ${name}`, async () => {
      const { context, subscriber, sending } = waiting(options, other);
      change(subscriber);
      await sending;
      await context.terminate();
    });
  }

  test("an XPUB takes it away", async () => {
    const context = new Context(SMALL);
    const options = { manual: true, noDrop: true, sendHighWaterMark: 1 };
    const publisher = new XPublisher({ context, ...options });
    publisher.bindSync(A);
    const subscriber = new Subscriber({ context, receiveHighWaterMark: 1 });
    subscriber.connect(A);
    subscriber.subscribe("a");
    await publisher.receive();
    publisher.subscribe("a");
    while (publisher.trySend("a"));
    const sending = publisher.send("a");
    publisher.unsubscribe("a");
    await sending;
    await context.terminate();
  });

  test("a DISH leaves the group", async () => {
    const context = new Context(SMALL);
    const radio = new Radio({ context, noDrop: true, sendHighWaterMark: 1 });
    radio.bindSync(A);
    const dish = new Dish({ context, receiveHighWaterMark: 1 });
    dish.connect(A);
    dish.join("g");
    while (radio.trySend("x", { group: "g" }));
    const sending = radio.send("x", { group: "g" });
    dish.leave("g");
    await sending;
    await context.terminate();
  });

  test("and a Poller says that it can be sent", async () => {
    const { context, publisher, subscriber } = waiting({}, { whenFull: "block" });
    const poller = new Poller();
    poller.add(publisher, { writable: true });
    const ready = poller.wait();
    subscriber.whenFull = "drop-newest";
    assert.equal((await ready).length, 1);
    await context.terminate();
  });

  test("a receive of an XPUB hears that a subscriber has gone, whoever has bound", async () => {
    for (const binds of [true, false]) {
      const context = new Context(SMALL);
      const [publisher, subscriber] = [new XPublisher({ context }), new Subscriber({ context })];
      (binds ? publisher : subscriber).bindSync(A);
      (binds ? subscriber : publisher).connect(A);
      subscriber.subscribe("a");
      assert.deepEqual([...((await publisher.receive())[0] as Buffer)], [1, 97]);
      const last = publisher.receive();
      subscriber.close();
      assert.deepEqual([...((await last)[0] as Buffer)], [0, 97]);
      await context.terminate();
    }
  });
});

describe("who names a peer with room does not wait for those who name another", () => {
  /** Two peers, of which the first is full, and a send to it waits. */
  function peers() {
    const context = new Context(SMALL);
    const server = new Server({ context, sendHighWaterMark: 1 });
    server.bindSync(A);
    const ids = ["first", "second"].map((name) => {
      const client = new Client({ context, receiveHighWaterMark: 1 });
      client.connect(A);
      client.sendSync(name);
      return server.receiveSync({ timeout: PATIENCE })[1];
    });
    while (server.trySend("x", ids[0]));
    const waits = assert.rejects(server.send("x", ids[0]), zmq("ETERM"));
    return { context, server, other: { ...ids[1], timeout: PATIENCE }, waits } as any;
  }

  for (const [what, messages] of [
    ["an array", ["1"]],
    ["another iterable", new Set(["1"])],
  ] as const) {
    test(`sendMany of ${what}`, async () => {
      for (const isSync of [true, false]) {
        const { context, server, other, waits } = peers();
        if (isSync) server.sendManySync(messages, other);
        else await server.sendMany(messages, other);
        await context.terminate();
        await waits;
      }
    });
  }
});

describe("a call is given up", () => {
  test("by its iterable, while it is tried at first, and later", async () => {
    for (const isLater of [false, true]) {
      const context = new Context(SMALL);
      const push = new Push({ context, sendHighWaterMark: 4 });
      if (!isLater) push.connect(A);
      const abort = new AbortController();
      function* giving() {
        yield "1";
        abort.abort(new Error("given up"));
        for (const text of "2345678") yield text;
      }
      const sending = push.sendMany(giving(), { signal: abort.signal });
      if (isLater) push.connect(A);
      await assert.rejects(sending, /given up/);
      assert.deepEqual([push.stats().sent, push.stats().pending], [1, 0]);
      push.linger = 0;
      push.close();
      await context.terminate();
    }
  });

  test("by its codec, while it is tried at first", async () => {
    const context = new Context(SMALL);
    const abort = new AbortController();
    const codec: Codec<number> = {
      encode(value) {
        if (value === 3) abort.abort(new Error("mine"));
        return `${value}`;
      },
      decode: ([part]) => Number(part),
    };
    const push = new Push<number>({ context, sendHighWaterMark: 5, codec, linger: 0 });
    push.connect(A);
    const sending = push.sendMany([1, 2, 3, 4, 5, 6, 7], { signal: abort.signal });
    await assert.rejects(sending, /mine/);
    assert.equal(push.stats().pending, 0);
    push.close();
    await context.terminate();
  });

  test("before: an XSUB then has not subscribed", async () => {
    const context = new Context(SMALL);
    const subscriber = new XSubscriber({ context });
    subscriber.connect(A);
    const signal = AbortSignal.abort(new Error("reason"));
    await assert.rejects(subscriber.send("\x01a", { timeout: -5 }), zmq("EINVAL"));
    await assert.rejects(subscriber.send("\x01b", { signal }), /reason/);
    await assert.rejects(subscriber.sendMany(["\x01c"], { signal }), /reason/);
    assert.equal(subscriber.topicsCount, 0);
    await context.terminate();
  });

  test("by the end of an iteration: it takes nothing any more, and leases nothing", async () => {
    const context = new Context(SMALL);
    const [push, pull] = [new Push({ context }), new Pull({ context })];
    pull.bindSync(A);
    push.connect(A);
    const poller = new Poller();
    poller.add(pull);
    for (const iterable of [pull, pull.leases(), poller, pull.events]) {
      const iterator = iterable[Symbol.asyncIterator]() as AsyncIterator<unknown>;
      const steps = [iterator.next(), iterator.next()];
      await iterator.return?.();
      for (const step of await Promise.all(steps)) assert.equal(step.done, true);
      assert.equal(pull.stats().pending, 0);
    }
    const stream = Readable.from(pull.leases());
    stream.resume();
    await new Promise((resolve) => setImmediate(resolve));
    stream.destroy();
    push.sendSync(Buffer.alloc(100_000));
    const [body] = (await pull.receive({ timeout: PATIENCE })) as Message;
    assert.equal(body?.length, 100_000);
    assert.equal(leased(context), 0);
    await context.terminate();
  });

  test("but a message that has just come is whose step it was", async () => {
    const context = new Context(SMALL);
    const [push, pull] = [new Push({ context }), new Pull({ context })];
    pull.bindSync(A);
    push.connect(A);
    const leases = pull.leases();
    const step = leases.next();
    push.sendSync(Buffer.alloc(9000, 7));
    pull.stats(); // Which hears it.
    await leases.return?.();
    const { value } = (await step) as IteratorYieldResult<Lease>;
    assert.equal(value.message[0]?.[8999], 7);
    value.release();
    assert.equal(leased(context), 0);
    await context.terminate();
  });

  test("steps over leases that were asked for together are all released", async () => {
    const context = new Context(SMALL);
    const [push, pull] = [new Push({ context }), new Pull({ context })];
    pull.bindSync(A);
    push.connect(A);
    const leases = pull.leases();
    const steps = [leases.next(), leases.next()];
    push.sendManySync([Buffer.alloc(9000), Buffer.alloc(9000)]);
    await Promise.all(steps);
    assert.ok(leased(context) > 0);
    await leases.return?.();
    assert.equal(leased(context), 0);
    await context.terminate();
  });
});

test("a REQ that is sent with from within its message is out of turn", async () => {
  const context = new Context(SMALL);
  const [request, reply] = [new Request({ context }), new Reply({ context })];
  reply.bindSync(A);
  request.connect(A);
  const message: string[] = [];
  Object.defineProperty(message, 0, {
    get() {
      request.sendSync("inner");
      return "outer";
    },
  });
  assert.throws(() => request.sendSync(message), zmq("EFSM"));
  assert.equal(`${reply.receiveSync({ timeout: PATIENCE })}`, "inner");
  reply.sendSync("re: inner");
  assert.equal(`${request.receiveSync({ timeout: PATIENCE })}`, "re: inner");
  await context.terminate();
});

for (const [name, type] of [
  ["a ROUTER", "router"],
  ["a SERVER", "server"],
] as const) {
  test(`a Poller at ${name}, of which a send waits, does not hold the thread`, async () => {
    const context = new Context(SMALL);
    const options = { context, sendHighWaterMark: 1 };
    const isRouter = type === "router";
    const socket: any = isRouter
      ? new Router({ ...options, mandatory: true })
      : new Server(options);
    socket.bindSync(A);
    const peer: any = isRouter
      ? new Dealer({ context, routingId: "d", receiveHighWaterMark: 1 })
      : new Client({ context, receiveHighWaterMark: 1 });
    peer.connect(A);
    peer.sendSync("hi");
    const to = socket.receiveSync({ timeout: PATIENCE })[1];
    const send = (way: "trySend" | "send"): any =>
      isRouter ? socket[way](["d", "x"]) : socket[way]("x", to);
    while (send("trySend"));
    const waits = send("send");
    const poller = new Poller();
    poller.add(socket, { writable: true });
    const ready = poller.wait();
    await new Promise((resolve) => setImmediate(resolve));
    while (peer.tryReceive() !== undefined);
    await waits;
    assert.equal((await ready).length, 1);
    await context.terminate();
  });
}

test("what rests until the event loop has had its turn goes on while a call blocks", async () => {
  const context = new Context(SMALL);
  const pull = new Pull({ context, receiveHighWaterMark: 1 });
  const push = new Push({ context, sendHighWaterMark: 1 });
  pull.bindSync(A);
  push.connect(A);
  const texts = Array.from({ length: 10 }, (_, i) => `${i}`);
  function* giving() {
    yield* texts;
  }
  const sending = push.sendMany(giving());
  for (const text of texts) assert.equal(`${pull.receiveSync({ timeout: PATIENCE })}`, text);
  await sending;
  await context.terminate();
});

test("drain is over when the send that it waits for has failed", async () => {
  const context = new Context(SMALL);
  const push = new Push({ context, immediate: true });
  push.connect(A);
  const abort = new AbortController();
  const sending = assert.rejects(push.send("1", { signal: abort.signal }), /given up/);
  const drained = push.drain({ timeout: PATIENCE });
  abort.abort(new Error("given up"));
  await sending;
  await drained;
  await context.terminate();
});

test("drain does not wait for what lies in a lane that was let go of", async () => {
  const context = new Context(SMALL);
  const [a, b] = [new Dealer({ context }), new Dealer({ context })];
  a.bindSync(A);
  b.connect(A);
  a.sendSync("unread");
  b.sendSync("for a");
  b.disconnect(A);
  await b.drain({ timeout: PATIENCE });
  assert.equal(`${b.tryReceive()}`, "unread");
  assert.equal(`${a.tryReceive()}`, "for a");
  await context.terminate();
});
