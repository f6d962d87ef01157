// SPDX-License-Identifier: MIT

/**
 * The options of sockets: defaults, read back, changed at run time, bad values. And what else a
 * socket tells of itself.
 */
import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import {
  Channel,
  Client,
  Context,
  Dealer,
  Dish,
  Gather,
  Pair,
  Peer,
  Publisher,
  Pull,
  Push,
  Radio,
  ReceivingSocket,
  Reply,
  Request,
  Router,
  Scatter,
  SendingSocket,
  Server,
  Socket,
  Subscriber,
  XPublisher,
  XSubscriber,
  type ZmqError,
} from "threadmq";
import { DISTANCES, far, play, SMALL, zmq } from "../support/ground.ts";

const MAX = 2 ** 31 - 1;
const KINDS = { Push, Pull } as const;
const TYPES: Readonly<Record<string, new (options: object) => Socket>> = {
  ...{ Channel, Client, Dealer, Dish, Gather, Pair, Peer, Publisher, Pull, Push, Radio },
  ...{ Reply, Request, Router, Scatter, Server, Subscriber, XPublisher, XSubscriber },
};
const SHOWN = ["type", "lastEndpoint", "closed"];
/** What an option can be, if it is not true or false. */
const OTHERS: Readonly<Record<string, unknown>> = {
  ...{ linger: 5, sendHighWaterMark: 5, sendTimeout: 5, swap: 5 },
  ...{ swapDirectory: tmpdir(), receiveHighWaterMark: 5, receiveTimeout: 5 },
  ...{ routingId: new Uint8Array([5]), welcomeMessage: new Uint8Array([5]) },
  ...{ balance: "least-loaded", whenFull: "block", verbosity: "allSubs" },
};

/** Which options a class has, by what it says of one that it does not have. */
function optionsIn(open: () => unknown): string[] {
  try {
    open();
  } catch (error) {
    const [, options] = /has context, (.*)\.$/.exec((error as ZmqError).hint ?? "") ?? [];
    return (options ?? "").split(", ");
  }
  return [];
}

/** What throws when it is asked for its text. */
const HOSTILE: readonly unknown[] = [
  Object.create(null),
  {
    toString() {
      throw new Error("it has no text");
    },
  },
  Object.assign(() => {}, { toString: null }),
  [Symbol("in a list")],
];

/** Name, default, good values, bad values. */
const NUMBERS = {
  linger: [-1, [0, 1, 1000, MAX], [-2, MAX + 1]],
  sendHighWaterMark: [1000, [0, 1, 5, MAX], [-1, MAX + 1]],
  sendTimeout: [-1, [0, 1, MAX], [-2, MAX + 1]],
  swap: [0, [0, 1, 5000, 2 ** 36], [-1, 2 ** 36 + 1]],
  receiveHighWaterMark: [1000, [0, 1, 5, MAX], [-1, MAX + 1]],
  receiveTimeout: [-1, [0, 1, MAX], [-2, MAX + 1]],
} as const;
const NO_NUMBERS = [
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  "1",
  null,
  true,
  {},
  [],
  1n,
  Symbol("1"),
];
const HAS = {
  Push: ["linger", "sendHighWaterMark", "sendTimeout", "swap"],
  Pull: ["linger", "receiveHighWaterMark", "receiveTimeout"],
} as const;

for (const kind of ["Push", "Pull"] as const) {
  const Class = KINDS[kind];
  describe(kind, () => {
    for (const name of HAS[kind]) {
      const [initial, good, bad] = NUMBERS[name];

      play(`${name}: its default, and every good value, can be read back`, async (g) => {
        const socket = await g.open(kind);
        assert.equal(await socket.get(name), initial);
        for (const value of good) {
          const given = await g.open(kind, { [name]: value });
          assert.equal(await given.get(name), value);
          await socket.set(name, value);
          assert.equal(await socket.get(name), value);
        }
        const undefinedGiven = await g.open(kind, { [name]: undefined });
        assert.equal(await undefinedGiven.get(name), initial, "undefined is not given");
      });

      play(`${name}: a bad value is EINVAL, and changes nothing`, async (g) => {
        const socket = await g.open(kind);
        for (const value of [...bad, ...NO_NUMBERS]) {
          await assert.rejects(g.open(kind, { [name]: value }), zmq("EINVAL"), String(value));
          await assert.rejects(socket.set(name, value), zmq("EINVAL"), String(value));
        }
        await assert.rejects(socket.set(name, undefined), zmq("EINVAL"));
        assert.equal(await socket.get(name), initial);
        assert.equal(g.context.stats().sockets, 1, "a socket that was refused is not counted");
      });
    }

    play(
      "immediate: its default is false, it can be read back, bad values are EINVAL",
      async (g) => {
        const socket = await g.open(kind);
        assert.equal(await socket.get("immediate"), false);
        await socket.set("immediate", true);
        assert.equal(await socket.get("immediate"), true);
        assert.equal(await (await g.open(kind, { immediate: true })).get("immediate"), true);
        for (const value of [0, 1, "true", null, {}, Symbol("true")]) {
          await assert.rejects(socket.set("immediate", value), zmq("EINVAL"), String(value));
          await assert.rejects(g.open(kind, { immediate: value }), zmq("EINVAL"), String(value));
        }
        assert.equal(await socket.get("immediate"), true);
      },
    );

    const other = kind === "Push" ? "Pull" : "Push";
    play("an option it does not have is EINVAL, and the hint names those it has", async (g) => {
      const unknown = ["nonsense", "type", "receiveHighwaterMark", ...HAS[other].slice(1)];
      for (const name of unknown) {
        const has = (error: any) => {
          zmq("EINVAL")(error);
          for (const known of [name, "context", "immediate", ...HAS[kind]]) {
            assert.ok(error.hint.includes(known), known);
          }
          return true;
        };
        await assert.rejects(g.open(kind, { [name]: 1 }), has);
      }
    });

    test("A1: options that are none are refused by a ZmqError", () => {
      const context = new Context(SMALL);
      for (const options of [null, 5, "options", [], () => {}]) {
        assert.throws(() => new Class(options as never).close(), zmq("EINVAL"), String(options));
      }
      for (const given of [null, {}, 5, context.handle]) {
        const open = () => new Class({ context: given as never }).close();
        assert.throws(open, zmq("EINVAL"), String(given));
      }
    });

    test("A1: a value that cannot even be shown is EINVAL", async () => {
      const context = new Context(SMALL);
      const socket = new Class({ context });
      const names = [...HAS[kind], "immediate", kind === "Push" ? "swapDirectory" : "acknowledge"];
      for (const value of HOSTILE) {
        for (const name of [...names, "nonsense"]) {
          assert.throws(() => new Class({ context, [name]: value }).close(), zmq("EINVAL"), name);
        }
        const settable = names.filter((name) => name !== "acknowledge");
        for (const name of settable) {
          assert.throws(() => Object.assign(socket, { [name]: value }), zmq("EINVAL"), name);
        }
        for (const options of [{ timeout: value }, { signal: value }]) {
          const call =
            socket instanceof Push
              ? socket.send("x", options as never)
              : (socket as Pull).receive(options as never);
          await assert.rejects(call, zmq("EINVAL"));
        }
        assert.throws(() => socket.bindSync(value as never), zmq("EINVAL"));
        for (const name of ["maxSockets", "maxMemory", "spin", "nonsense"]) {
          assert.throws(() => new Context({ [name]: value }), zmq("EINVAL"), name);
        }
        await assert.rejects(context.terminate({ timeout: value as never }), zmq("EINVAL"));
      }
      assert.equal(context.closed, false);
      socket.close();
    });

    test("what it is: type, context, closed, lastEndpoint", () => {
      const context = new Context(SMALL);
      const socket = new Class({ context });
      assert.equal(socket.type, kind === "Push" ? 8 : 7);
      assert.equal(socket.context, context);
      assert.equal(socket.closed, false);
      assert.equal(socket.lastEndpoint, null);
      assert.ok(socket instanceof Socket);
      assert.ok(socket instanceof (kind === "Push" ? SendingSocket : ReceivingSocket));
      assert.equal(socket.ref(), socket);
      assert.equal(socket.unref(), socket);
      socket[Symbol.dispose]();
      assert.equal(socket.closed, true);
      socket.close();
    });

    test("what a console shows of it, and of its context", async () => {
      const context = new Context(SMALL);
      const socket = new Class({ context });
      socket.connect("inproc://a");
      const type = kind.toUpperCase();
      const shown = `${kind} { type: '${type}', lastEndpoint: 'inproc://a', closed: false }`;
      assert.equal(inspect(socket), shown);
      assert.equal(inspect([socket], { showHidden: true, getters: true }).includes(shown), true);
      assert.equal(inspect(context), "Context { maxSockets: 1023, closed: false }");
      await context.terminate();
      assert.match(inspect(socket), /closed: true/);
      assert.equal(inspect(context), "Context { maxSockets: 1023, closed: true }");
    });

    test("what is read only throws if it is written to", () => {
      const socket = new Class({ context: new Context(SMALL) });
      for (const name of ["closed", "lastEndpoint"]) {
        assert.throws(() => Object.assign(socket, { [name]: 1 }), TypeError);
      }
      socket.close();
    });

    test("its options can be read after the close", () => {
      const socket = new Class({ context: new Context(SMALL), linger: 5 });
      socket.close();
      assert.equal(socket.linger, 5);
      assert.equal(socket.immediate, false);
    });
  });
}

test("the options of every type are properties of its class, and a socket has none itself", () => {
  const context = new Context(SMALL);
  for (const [name, Class] of Object.entries(TYPES)) {
    const socket = new Class({ context });
    const known = optionsIn(() => new Class({ context, nonsense: 1 }));
    assert.ok(known.length > 2, name);
    for (const option of known) {
      assert.ok(option in socket, `${name}.${option}`);
      assert.ok(!Object.hasOwn(socket, option), `${name}.${option} is its own`);
      if (option === "acknowledge" || option === "codec") continue; // Not to be changed.
      const settings = socket as unknown as Record<string, unknown>;
      const value = OTHERS[option] ?? !settings[option];
      settings[option] = value;
      assert.deepEqual(settings[option], value, `${name}.${option}`);
    }
    assert.deepEqual(Object.keys(JSON.parse(JSON.stringify(socket))), SHOWN, name);
    socket.close();
  }
});

play("stats tell what a socket has done and holds", async (g) => {
  const push = await g.push();
  const pull = await g.pull();
  const nothing = {
    pipes: 0,
    sent: 0,
    received: 0,
    queuedOut: 0,
    queuedIn: 0,
    dropped: 0,
    pending: 0,
  };
  assert.deepEqual(await push.call("stats"), nothing);
  await pull.bind("inproc://a");
  await push.connect("inproc://a");
  await push.send(["1", "2", "3"]);
  assert.deepEqual(await pull.receive(1), ["1"]);
  assert.deepEqual(await push.call("stats"), { ...nothing, pipes: 1, sent: 3, queuedOut: 2 });
  assert.deepEqual(await pull.call("stats"), { ...nothing, pipes: 1, received: 1, queuedIn: 2 });
  await pull.drain();
  const received = Promise.all([pull.call("receive"), pull.call("receive")]);
  assert.equal((await pull.call("stats")).pending, 2);
  await push.send(["4", "5"]);
  await received;
  assert.deepEqual(await pull.call("stats"), { ...nothing, pipes: 1, received: 5 });
});

play("linger: what waits for a bind is dropped, and counted, when the time is up", async (g) => {
  const push = await g.push({ linger: 0 });
  await push.connect("inproc://never");
  await push.send(["1", "2"]);
  await push.close();
  const { endpoints, pipes, messages } = g.context.stats();
  assert.deepEqual({ endpoints, pipes }, { endpoints: 0, pipes: 0 });
  assert.deepEqual(messages, { sent: 2, received: 0, queued: 0, dropped: 2 });
});

play("linger -1: what waits for a bind is kept after the close", async (g) => {
  const push = await g.push();
  await push.connect("inproc://later");
  await push.send(["1", "2"]);
  await push.close();
  assert.deepEqual(g.conserved(), { sent: 2, received: 0, queued: 2, dropped: 0 });
  const pull = await g.pull();
  await pull.bind("inproc://later");
  assert.deepEqual(await pull.drain(), ["1", "2"]);
  const { pipes } = g.context.stats();
  assert.equal(pipes, 0, "the pipe went with its last message");
});

play("linger: what has reached a bound peer is that peer's, whatever it says", async (g) => {
  const pull = await g.pull();
  await pull.bind("inproc://a");
  const push = await g.push({ linger: 0 });
  await push.connect("inproc://a");
  await push.send(["1", "2"]);
  await push.close();
  assert.deepEqual(await pull.drain(), ["1", "2"]);
});

for (const distance of DISTANCES) {
  play(`F5: stats know at once of links and messages that came, ${distance}`, async (g) => {
    const pull = await g.pull();
    await pull.bind("inproc://a");
    const push = await g.push({}, far(g, distance));
    await push.connect("inproc://a");
    await push.send(["1", "2"]);
    const { pipes, queuedIn } = await pull.call("stats");
    assert.deepEqual({ pipes, queuedIn }, { pipes: 1, queuedIn: 2 });
    await pull.drain();
    await push.close();
    assert.equal((await pull.call("stats")).pipes, 0);
    assert.equal(g.context.stats().pipes, 0);
  });

  play(`stats of the context know at once what ended, ${distance}`, async (g) => {
    const pull = await g.pull();
    await pull.bind("inproc://a");
    const push = await g.push({}, far(g, distance));
    await push.connect("inproc://a");
    await push.send(["1"]);
    await pull.drain();
    await push.close();
    assert.equal(g.context.stats().pipes, 0);
  });
}

describe("options that are bytes", () => {
  test("are the socket's own: a Buffer that is changed later changes nothing", () => {
    const id = Buffer.from("id");
    const text = Buffer.from("hi");
    using dealer = new Dealer({ routingId: id });
    using publisher = new XPublisher({ welcomeMessage: text });
    id[0] = 0;
    text[0] = 1;
    dealer.routingId[1] = 0;
    (publisher.welcomeMessage as Uint8Array)[1] = 0;
    assert.equal(Buffer.from(dealer.routingId).toString(), "id");
    assert.equal(Buffer.from(publisher.welcomeMessage as Uint8Array).toString(), "hi");
  });

  test("cannot be what is gone, or larger than a message of the context", () => {
    const context = new Context({ maxMemory: 409_600 });
    const gone = new Uint8Array(4);
    structuredClone(gone, { transfer: [gone.buffer] });
    assert.throws(() => new XPublisher({ context, welcomeMessage: gone }), zmq("EINVAL"));
    const welcomeMessage = new Uint8Array(409_600);
    assert.throws(() => new XPublisher({ context, welcomeMessage }), zmq("EMSGSIZE"));
    assert.equal(context.stats().sockets, 0);
    using publisher = new XPublisher({ context });
    assert.throws(() => (publisher.welcomeMessage = welcomeMessage), zmq("EMSGSIZE"));
    assert.equal(publisher.welcomeMessage, null);
    publisher.bindSync("inproc://a");
    using subscriber = new Subscriber({ context });
    subscriber.connect("inproc://a");
  });
});
