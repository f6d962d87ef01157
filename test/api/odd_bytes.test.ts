// SPDX-License-Identifier: MIT

/**
 * What looks like bytes and is none, and bytes that are not what they look like: all is refused by
 * an error that says so, or arrives as it is; and the socket is of use.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  Channel,
  Client,
  Context,
  Dealer,
  framed,
  json,
  type MessageLike,
  Pair,
  Peer,
  Publisher,
  Pull,
  Push,
  Radio,
  Reply,
  Request,
  Router,
  Scatter,
  Server,
  Subscriber,
  XPublisher,
  XSubscriber,
  ZmqError,
} from "threadmq";
import { play, SMALL, zmq } from "../support/ground.ts";

const thrower = () => {
  throw new Error("mine");
};

/** A Proxy whose methods work, as programs make them that want to know of each access. */
function bound<T extends object>(target: T): T {
  return new Proxy(target, {
    get(of, key) {
      const value = Reflect.get(of, key);
      return typeof value === "function" ? value.bind(of) : value;
    },
  });
}

function revoked(target: object): unknown {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

class Throws extends Uint8Array {
  override get length(): number {
    return thrower();
  }
}

/** Made anew for each call: what is refused once may be changed by that. */
const NONE: Record<string, () => any> = {
  "a Proxy of a Buffer": () => new Proxy(Buffer.from("text"), {}),
  "a Proxy of a large Uint8Array": () => new Proxy(new Uint8Array(5000), {}),
  "a Proxy that answers for its target": () => bound(Buffer.from("text")),
  "a large one": () => bound(new Uint8Array(9000)),
  "a Proxy of a DataView": () => new Proxy(new DataView(new ArrayBuffer(8)), {}),
  "a Proxy of an ArrayBuffer": () => bound(new ArrayBuffer(8)),
  "a Proxy that throws": () => new Proxy(new Uint8Array(8), { get: thrower }),
  "a Proxy without a prototype": () => new Proxy(new Uint8Array(8), { getPrototypeOf: thrower }),
  "a Proxy of a message that throws": () => new Proxy(["text"], { get: thrower }),
  "a Proxy of a message, of no length": () =>
    new Proxy(["text"], {
      get: (of, key) => (key === "length" ? Number.NaN : Reflect.get(of, key)),
    }),
  "one of a length below nothing": () =>
    new Proxy(["text"], { get: (of, key) => (key === "length" ? -1 : Reflect.get(of, key)) }),
  "a Proxy that is revoked, of bytes": () => revoked(new Uint8Array(8)),
  "a Proxy that is revoked, of a message": () => revoked(["text"]),
  "what inherits from Uint8Array": () => Object.create(Uint8Array.prototype),
  "what inherits from Buffer": () => Object.create(Buffer.prototype),
  "what inherits from bytes": () => Object.create(new Uint8Array(8)),
  "what inherits from DataView": () => Object.create(DataView.prototype),
  "what inherits from ArrayBuffer": () => Object.create(ArrayBuffer.prototype),
  "what inherits from SharedArrayBuffer": () => Object.create(SharedArrayBuffer.prototype),
  "what throws when it is read": () => ({
    get length() {
      return thrower();
    },
    get byteLength() {
      return thrower();
    },
    toString: thrower,
    toJSON: thrower,
    valueOf: thrower,
    [Symbol.toPrimitive]: thrower,
  }),
  "a message whose part throws": () => Object.defineProperty(["text"], 0, { get: thrower }),
  "bytes whose length throws": () => new Throws(8).fill(66),
  "a detached Buffer": () => {
    const buffer = Buffer.from(new ArrayBuffer(8));
    structuredClone(buffer.buffer, { transfer: [buffer.buffer as ArrayBuffer] });
    return buffer;
  },
};

const EINVAL = zmq("EINVAL");

/** Each way to send with a socket that has `send`. */
function waysOf(socket: any): Record<string, (message: unknown, options?: object) => unknown> {
  return {
    send: (message, options) => socket.send(message, options),
    sendSync: (message, options) => socket.sendSync(message, options),
    trySend: (message, options) => socket.trySend(message, options),
    sendMany: (message, options) => socket.sendMany([message], options),
    sendManySync: (message, options) => socket.sendManySync([message], options),
  };
}

describe("what is no bytes is refused, whatever it looks like", () => {
  for (const [name, make] of Object.entries(NONE)) {
    test(name, async () => {
      const context = new Context(SMALL);
      const push = new Push({ context });
      const pull = new Pull({ context });
      pull.bindSync("inproc://x");
      push.connect("inproc://x");
      for (const [how, send] of Object.entries(waysOf(push))) {
        for (const message of [make(), ["before", make()], [make(), "after"]]) {
          await assert.rejects(async () => send(message), EINVAL, how);
          assert.equal(pull.tryReceive(), undefined, how);
        }
        await send(Buffer.alloc(40, "a"));
        assert.deepEqual(pull.tryReceive()?.map(String), ["a".repeat(40)], how);
      }
      const { sent, received, queued } = context.stats().messages;
      assert.deepEqual([sent, received, queued], [5, 5, 0]);
    });
  }

  test("by all that send, and where it should be an id, a topic or an option", async () => {
    const context = new Context(SMALL);
    const options = { context, sendTimeout: 0 };
    const sockets: Record<string, any> = {};
    const types = { Pair, Dealer, Publisher, XPublisher, XSubscriber, Client, Scatter, Channel };
    for (const [name, Type] of Object.entries(types)) sockets[name] = new (Type as any)(options);
    const router = new Router({ ...options, mandatory: true });
    const others: [string, any, (bad: unknown) => [unknown, object?]][] = [
      ["Router", router, (bad) => [["id", bad]]],
      ["Router, id", router, (bad) => [[bad, "text"]]],
      ["Request", new Request(options), (bad) => [bad]],
      ["Radio", new Radio(options), (bad) => [bad, { group: "news" }]],
      ["Radio, group", new Radio(options), (bad) => ["text", { group: bad }]],
      ["Server", new Server(options), (bad) => [bad, { routingId: 1 }]],
      ["Peer", new Peer(options), (bad) => [bad, { routingId: 1 }]],
    ];
    for (const [name, socket] of Object.entries(sockets)) {
      socket.bindSync(`inproc://${name}`);
      others.push([name, socket, (bad) => [bad]]);
    }
    const subscriber = new Subscriber({ context });
    for (const [what, make] of Object.entries(NONE)) {
      for (const [name, socket, call] of others) {
        for (const [how, send] of Object.entries(waysOf(socket))) {
          await assert.rejects(
            async () => send(...call(make())),
            isTyped,
            `${name} ${how}: ${what}`,
          );
        }
      }
      if (what === "bytes whose length throws") continue; // Here its bytes are all that counts.
      assert.throws(() => subscriber.subscribe(make()), isTyped, what);
      assert.throws(() => new Dealer({ context, routingId: make() }), isTyped, what);
      assert.throws(() => new XPublisher({ context, welcomeMessage: make() }), isTyped, what);
    }
    const codec = framed(json());
    const coded = new Publisher<any>({ context, codec });
    for (const [what, make] of Object.entries(NONE)) {
      assert.throws(() => coded.sendSync([make(), 1]), EINVAL, what);
    }
    const plain = new Push<any>({ context, codec: { encode: (make) => make(), decode: () => 1 } });
    const pull = new Pull({ context });
    pull.bindSync("inproc://coded");
    plain.connect("inproc://coded");
    for (const [what, make] of Object.entries(NONE)) {
      assert.throws(() => plain.sendSync(make), EINVAL, what);
    }
    plain.sendSync(() => "good");
    assert.deepEqual(pull.tryReceive()?.map(String), ["good"]);
  });

  test("by a REP, which still owes its answer", async () => {
    const context = new Context(SMALL);
    const reply = new Reply({ context });
    const request = new Request({ context });
    reply.bindSync("inproc://x");
    request.connect("inproc://x");
    for (const [what, make] of Object.entries(NONE)) {
      await request.send("question");
      await reply.receive();
      await assert.rejects(reply.send(make()), EINVAL, what);
      await reply.send("answer");
      assert.deepEqual((await request.receive()).map(String), ["answer"], what);
    }
  });
});

function isTyped(error: unknown): true {
  assert.ok(error instanceof ZmqError, String(error));
  return true;
}

/** Says that it has another length, as a class may that has room for more. */
function saying(bytes: number, said: unknown): Uint8Array {
  class Saying extends Uint8Array {}
  const array = new Saying(bytes).fill(66);
  Object.defineProperty(Saying.prototype, "length", { get: () => said });
  return array;
}

describe("bytes that say another length than they have spoil no memory", () => {
  for (const [bytes, said, expected] of [
    [2000, 30, 30],
    [2000, 10, 10],
    [9000, 30, 30],
    [9000, 5000, 5000],
    [30, 0, 0],
    [10, Number.NaN, 10],
    [10, () => 5, 10],
    [10, undefined, 10],
  ] as const) {
    test(`${bytes} bytes say ${said}: ${expected} arrive`, () => {
      for (const swap of [0, 100_000]) {
        const context = new Context(SMALL);
        const push = new Push({ context, sendHighWaterMark: swap === 0 ? 100 : 1, swap });
        const pull = new Pull({ context, receiveHighWaterMark: 1 });
        pull.bindSync("inproc://x");
        push.connect("inproc://x");
        const around = Array.from({ length: 20 }, (_, index) => `${index}`.repeat(20));
        push.sendManySync(around);
        push.sendSync(saying(bytes, said));
        push.sendSync(["a", saying(bytes, said), "b"]);
        push.sendManySync(around);
        const got = pull.receiveManySync(20);
        while (got.length < 20) got.push(pull.receiveSync());
        assert.deepEqual(got.flat().map(String), around);
        const body = "B".repeat(expected);
        assert.deepEqual(pull.receiveSync().map(String), [body]);
        assert.deepEqual(pull.receiveSync().map(String), ["a", body, "b"]);
        for (const text of around) assert.equal(String(pull.receiveSync()), text);
      }
    });
  }

  test("less than they have: other links do not notice", () => {
    const context = new Context(SMALL);
    const links = Array.from({ length: 4 }, (_, index) => {
      const push = new Push({ context, sendHighWaterMark: 0 });
      const pull = new Pull({ context, receiveHighWaterMark: 0 });
      pull.bindSync(`inproc://${index}`);
      push.connect(`inproc://${index}`);
      return { push, pull };
    });
    const odd = links.pop();
    const texts = Array.from({ length: 200 }, (_, index) => `${index} `.repeat(20));
    for (const text of texts) {
      for (const { push } of links) push.sendSync(text);
      odd?.push.sendSync(saying(4000, 100));
    }
    for (const { pull } of links) assert.deepEqual(pull.receiveManySync().map(String), texts);
    for (const message of odd?.pull.receiveManySync() ?? []) {
      assert.equal(String(message), "B".repeat(100));
    }
  });

  test("more than they have: nobody sees what else is in that memory", () => {
    const context = new Context(SMALL);
    const push = new Push({ context });
    const pull = new Pull({ context });
    pull.bindSync("inproc://x");
    push.connect("inproc://x");
    for (const said of [20, 300, 4000]) {
      for (let times = 0; times < 50; times++) {
        push.sendSync(Buffer.alloc(4000, "secret"));
        pull.receiveSync();
      }
      push.sendSync(saying(10, said));
      push.sendSync(["a", saying(10, said)]);
      for (const message of pull.receiveManySync()) {
        assert.match(String(message.at(-1)), /^B{10}\0*$/);
      }
    }
  });

  for (const call of [1, 2, 3, 4, 5, 6, 7, 8]) {
    test(`now 8 and then, from call ${call} on, 3000: nobody else notices`, () => {
      const context = new Context(SMALL);
      const push = new Push({ context });
      const pull = new Pull({ context });
      pull.bindSync("inproc://x");
      push.connect("inproc://x");
      let calls = 0;
      const bytes = new Uint8Array(8);
      Object.defineProperty(bytes, "length", { get: () => (++calls < call ? 8 : 3000) });
      push.sendSync(["a", bytes, "b"]);
      push.sendSync("next");
      assert.deepEqual(
        pull.receiveSync().map(({ length }) => length),
        [1, 8, 1],
      );
      assert.equal(String(pull.receiveSync()), "next");
    });
  }

  test("and that sends, when it is asked: each message is whole", () => {
    const context = new Context(SMALL);
    const push = new Push({ context });
    const pull = new Pull({ context });
    pull.bindSync("inproc://x");
    push.connect("inproc://x");
    const bytes = Buffer.from("outer");
    let calls = 0;
    const get = (): number => {
      calls++;
      if (calls < 9) push.sendSync(["in", `${calls}`]);
      return 5;
    };
    Object.defineProperty(bytes, "length", { get });
    push.sendSync(["1", bytes, "2"]);
    assert.ok(calls > 0);
    for (let call = 1; call <= Math.min(calls, 8); call++) {
      assert.deepEqual(pull.receiveSync().map(String), ["in", `${call}`]);
    }
    assert.deepEqual(pull.receiveSync().map(String), ["1", "outer", "2"]);
    assert.equal(pull.tryReceive(), undefined);
  });
});

/** What is made of a view of memory that grows, to be sent; and which of the parts it is then. */
const GROWING: Record<string, [size: number, toMessage: (view: Uint8Array) => MessageLike]> = {
  "a message": [64, (view) => view],
  "a part": [64, (view) => ["a", view, "b"]],
  "a short part": [9, (view) => ["a", view, "b"]],
  "a large part": [5000, (view) => ["a", view, "b"]],
};

describe("a view of memory that another thread lets grow while it is sent", () => {
  for (const [name, [size, toMessage]] of Object.entries(GROWING)) {
    for (const count of [1, 2]) {
      play(
        `${name}, to ${count}: it is as before or after, and nothing else is spoilt`,
        async (g) => {
          const { context } = g;
          const after = 1 << 17;
          const buffers = Array.from(
            { length: 200 },
            () => new SharedArrayBuffer(size, { maxByteLength: after }),
          );
          const turn = new Int32Array(new SharedArrayBuffer(8));
          const growing = g.thread().run(
            (_scene, buffers: SharedArrayBuffer[], after: number, turn: Int32Array) => {
              for (const [i, buffer] of buffers.entries()) {
                while (Atomics.load(turn, 0) <= i);
                for (let wait = (i * 37) % 1000; wait > 0; wait--) Atomics.load(turn, 1);
                buffer.grow(after);
              }
            },
            buffers,
            after,
            turn,
          );
          const publisher = new Publisher({ context });
          publisher.bindSync("inproc://x");
          const subscribers = Array.from({ length: count }, () => new Subscriber({ context }));
          for (const subscriber of subscribers) {
            subscriber.connect("inproc://x");
            subscriber.subscribe("");
          }
          for (const [i, buffer] of buffers.entries()) {
            const view = new Uint8Array(buffer);
            Atomics.store(turn, 0, i + 1);
            while (view.length === size) {
              publisher.sendManySync([toMessage(view), "behind it"]);
              for (const subscriber of subscribers) {
                const message = subscriber.receiveSync();
                const [part] = message.splice(message.length >> 1, 1);
                assert.ok(part?.length === size || part?.length === after, `${part?.length} bytes`);
                assert.equal(message.join(), message.length === 0 ? "" : "a,b");
                assert.equal(`${subscriber.receiveSync()}`, "behind it");
              }
            }
          }
          await growing;
          for (const socket of [publisher, ...subscribers]) socket.close();
        },
      );
    }
  }
});
