// SPDX-License-Identifier: MIT

/**
 * A1: no input, order of calls, or behaviour of a peer ends the thread or hurts a socket. Every
 * failure is a ZmqError with code, number, a hint that is a sentence, and the endpoint where there
 * is one; and the socket can be used as before.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { Context, Pull, Push, ZmqError } from "threadmq";
import { type Actor, DISTANCES, far, type Ground, play, SMALL, zmq } from "../support/ground.ts";

const TAKES_ENDPOINT = ["bindSync", "bind", "connect", "unbindSync", "unbind", "disconnect"];
const long = (count: number, text = "x") => `inproc://${text.repeat(count)}`;

/** A PUSH with a linked PULL, and a check that both still work. */
async function linked(g: Ground): Promise<[Actor, Actor, () => Promise<void>]> {
  const push = await g.push();
  const pull = await g.pull();
  await pull.bind("inproc://linked");
  await push.connect("inproc://linked");
  const works = async () => {
    await push.send(["works", ["in", "parts"]]);
    assert.deepEqual(await pull.drain(), ["works", "in|parts"]);
  };
  return [push, pull, works];
}

describe("B4: the rules for names are checked", () => {
  for (const method of TAKES_ENDPOINT) {
    play(`${method}: what is no endpoint is EINVAL`, async (g) => {
      const [push, , works] = await linked(g);
      for (const bad of [5, undefined, null, {}, ["inproc://a"], Symbol("a"), true]) {
        await assert.rejects(push.call(method, bad), zmq("EINVAL"), String(bad));
      }
      for (const bad of [
        "",
        "a",
        "inproc",
        "inproc:",
        "inproc:/",
        "inproc:/a",
        "inproc://",
        "://a",
      ]) {
        await assert.rejects(push.call(method, bad), zmq("EINVAL", bad), bad);
      }
      await works();
    });

    play(`${method}: another scheme is EPROTONOSUPPORT`, async (g) => {
      const [push, , works] = await linked(g);
      const others = ["tcp://127.0.0.1:5555", "ipc://a", "SYS://log", "INPROC://a", " inproc://a"];
      for (const bad of others) {
        await assert.rejects(push.call(method, bad), zmq("EPROTONOSUPPORT", bad), bad);
      }
      await works();
    });

    play(`${method}: a name of 257 bytes is EINVAL, also in letters of two and four`, async (g) => {
      const [push, , works] = await linked(g);
      for (const bad of [long(257), `${long(128, "é")}x`, `${long(64, "😀")}x`, long(100_000)]) {
        await assert.rejects(push.call(method, bad), zmq("EINVAL"), bad.slice(0, 20));
      }
      await works();
    });
  }

  play("a name of 1 to 256 bytes is good, whatever the bytes are", async (g) => {
    const names = ["a", "/", "://", "\0", " ", "é", "*", "127.0.0.1:*", "../x", "%00"];
    for (const name of [
      ...names.map((n) => `inproc://${n}`),
      long(256),
      long(128, "é"),
      long(64, "😀"),
    ]) {
      const pull = await g.pull();
      const push = await g.push();
      await pull.bind(name);
      await push.connect(name);
      await push.send([name]);
      assert.deepEqual(await pull.drain(), [name]);
    }
  });

  play("names are compared byte by byte", async (g) => {
    for (const name of [
      "inproc://a",
      "inproc://A",
      "inproc://a ",
      "inproc://a/",
      "inproc://é",
      "inproc://e\u0301",
    ]) {
      await (await g.pull()).bind(name);
    }
    assert.equal(g.context.stats().endpoints, 6);
  });
});

describe("EADDRINUSE, ENOENT", () => {
  for (const distance of DISTANCES) {
    play(
      `a name that is taken is EADDRINUSE, ${distance}; connected sockets do not take it`,
      async (g) => {
        const [push, pull, works] = await linked(g);
        await assert.rejects(pull.bind("inproc://linked"), zmq("EADDRINUSE", "inproc://linked"));
        await assert.rejects(
          pull.call("bind", "inproc://linked"),
          zmq("EADDRINUSE", "inproc://linked"),
        );
        const other = await g.pull({}, far(g, distance));
        await assert.rejects(other.bind("inproc://linked"), zmq("EADDRINUSE", "inproc://linked"));
        assert.equal(await other.get("lastEndpoint"), null, "a bind that failed leaves no trace");
        await works();
        await push.connect("inproc://free");
        await other.bind("inproc://free");
      },
    );
  }

  play("unbind and disconnect of what one is not bound or connected to is ENOENT", async (g) => {
    const [push, pull, works] = await linked(g);
    const address = "inproc://linked";
    await assert.rejects(push.call("unbindSync", address), zmq("ENOENT", address));
    await assert.rejects(push.call("unbind", address), zmq("ENOENT", address));
    await assert.rejects(pull.call("disconnect", address), zmq("ENOENT", address));
    await assert.rejects(
      pull.call("unbindSync", "inproc://other"),
      zmq("ENOENT", "inproc://other"),
    );
    await works();
    await pull.call("unbindSync", address);
    await assert.rejects(pull.call("unbindSync", address), zmq("ENOENT", address));
    await push.call("disconnect", address);
    await assert.rejects(push.call("disconnect", address), zmq("ENOENT", address));
  });
});

describe("EBADF: a closed socket", () => {
  const CALLS = {
    Push: {
      bind: ["inproc://b"],
      bindSync: ["inproc://b"],
      unbind: ["inproc://a"],
      unbindSync: ["inproc://a"],
      connect: ["inproc://b"],
      disconnect: ["inproc://a"],
      send: ["x"],
      sendSync: ["x"],
      trySend: ["x"],
      sendMany: [["x"]],
      sendManySync: [["x"]],
    },
    Pull: {
      bind: ["inproc://b"],
      bindSync: ["inproc://b"],
      unbind: ["inproc://a"],
      unbindSync: ["inproc://a"],
      connect: ["inproc://b"],
      disconnect: ["inproc://a"],
      receive: [],
      receiveSync: [],
      tryReceive: [],
      receiveMany: [],
      receiveManySync: [],
    },
  } as const;

  for (const kind of ["Push", "Pull"] as const) {
    for (const [method, args] of Object.entries(CALLS[kind])) {
      const promises = /^(?:bind|unbind|send|sendMany|receive|receiveMany)$/.test(method);
      test(`${kind}.${method} ${promises ? "rejects" : "throws"}`, async () => {
        const context = new Context(SMALL);
        const socket = new { Push, Pull }[kind]({ context }) as any;
        socket.connect("inproc://a");
        socket.close();
        const call = () => socket[method](...args);
        if (promises) await assert.rejects(call(), zmq("EBADF", "inproc://a"));
        else assert.throws(call, zmq("EBADF", "inproc://a"));
      });
    }

    test(`${kind}: close, stats, ref and unref do nothing`, () => {
      const socket = new { Push, Pull }[kind]({ context: new Context(SMALL) });
      socket.close();
      socket.close();
      socket.ref().unref();
      assert.equal(socket.stats().pipes, 0);
    });
  }

  test("the loops over a closed PULL end at once", async () => {
    const pull = new Pull({ context: new Context(SMALL) });
    pull.close();
    for await (const _ of pull) assert.fail("nothing comes");
    for (const _ of pull) assert.fail("nothing comes");
  });

  play("calls that wait fail when the socket is closed, and tell it from a timeout", async (g) => {
    const push = await g.push({ sendTimeout: 5000 });
    await push.bind("inproc://p");
    const pull = await g.pull();
    await pull.bind("inproc://q");
    const calls = [
      assert.rejects(push.call("send", "x"), zmq("EBADF", "inproc://p")),
      assert.rejects(push.call("sendMany", ["x"]), zmq("EBADF", "inproc://p")),
      assert.rejects(pull.call("receive"), zmq("EBADF", "inproc://q")),
      assert.rejects(pull.call("receiveMany"), zmq("EBADF", "inproc://q")),
    ];
    await push.close();
    await pull.close();
    await Promise.all(calls);
  });

  test("a `for await` that waits ends when the socket is closed", async () => {
    const pull = new Pull({ context: new Context(SMALL) });
    const ended = (async () => {
      for await (const _ of pull) assert.fail("nothing comes");
    })();
    pull.close();
    await ended;
  });
});

describe("L2: a socket belongs to its thread", () => {
  const context = new Context(SMALL);
  const worker = () => new Worker("", { eval: true });
  for (const [what, thing, todo] of [
    ["a PUSH", () => new Push({ context }), /Open a socket/],
    ["a PULL", () => new Pull({ context }), /Open a socket/],
    ["a context", () => context, /context\.handle/],
  ] as const) {
    test(`${what} is refused by postMessage, workerData and structuredClone`, async () => {
      const object = thing();
      const refused = (error: any) => {
        zmq("ENOTSUP")(error);
        assert.match(error.hint, /main thread/);
        assert.match(error.hint, todo);
        return true;
      };
      assert.throws(() => structuredClone(object), refused);
      assert.throws(() => structuredClone({ deep: [object] }), refused);
      assert.throws(() => new Worker("", { eval: true, workerData: object }), refused);
      const thread = worker();
      assert.throws(() => thread.postMessage(object), refused);
      await thread.terminate();
      if ("close" in object) object.close();
    });
  }

  test("a socket can be printed", () => {
    const push = new Push({ context });
    assert.match(`${(process.getBuiltinModule("node:util")).inspect(push)}`, /Push/);
    push.close();
  });
});

describe("B3: sockets that do not fit", () => {
  for (const kind of ["Push", "Pull"] as const) {
    for (const distance of DISTANCES) {
      play(
        `${kind} to ${kind}, ${distance}: ENOCOMPATPROTO to who completes the link`,
        async (g) => {
          const address = "inproc://a";
          const first = await g.open(kind, {}, far(g, distance));
          const second = await g.open(kind);
          await first.bind(address);
          await assert.rejects(second.connect(address), zmq("ENOCOMPATPROTO", address));
          assert.equal((await second.call("stats")).pipes, 0);
          await first.call("unbindSync", address);
          await first.connect(address);
          await assert.rejects(second.bind(address), zmq("ENOCOMPATPROTO", address));
          await assert.rejects(second.call("bind", address), zmq("ENOCOMPATPROTO", address));
          // Nothing is left of it: those that fit are linked.
          const fit = await g.open(kind === "Push" ? "Pull" : "Push");
          await fit.bind(address);
          const [push, pull] = kind === "Push" ? [first, fit] : [fit, first];
          await push.send(["fits"]);
          assert.deepEqual(await pull.receive(1), ["fits"]);
        },
      );
    }
  }
});

describe("EMFILE, and the numbers of errors", () => {
  play("one socket too many is EMFILE; the limit may be raised", async (g) => {
    g.context.maxSockets = 2;
    const one = await g.push();
    const thread = g.thread();
    await g.push({}, thread);
    await assert.rejects(g.push(), zmq("EMFILE"));
    await assert.rejects(g.push({}, thread), zmq("EMFILE"));
    await one.close();
    await g.push({}, thread);
    g.context.maxSockets = 3;
    await g.push();
    await assert.rejects(g.push(), zmq("EMFILE"));
  });

  test("errno is that of Linux and of zmq.h", () => {
    const numbers = {
      EAGAIN: 11,
      EBADF: 9,
      EINVAL: 22,
      ETERM: 156384765,
      ENOCOMPATPROTO: 156384764,
    } as const;
    for (const [code, errno] of Object.entries(numbers)) {
      const error = new ZmqError(code as ZmqError["code"], { address: "inproc://a" });
      assert.equal(error.errno, errno);
      assert.ok(error instanceof Error);
      assert.equal(error.name, "ZmqError");
      assert.match(error.message, /inproc:\/\/a/);
    }
  });
});
