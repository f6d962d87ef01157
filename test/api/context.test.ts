// SPDX-License-Identifier: MIT

/** The context: its options and bounds, its figures, its handle in other threads, and its end. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { Context, context, Pull, Push, type ZmqError } from "threadmq";
import { play, SMALL, Thread, zmq } from "../support/ground.ts";
import { PATIENCE } from "../support/stage.ts";

describe("options", () => {
  test("defaults, and what can be read back and changed", () => {
    const c = new Context();
    assert.equal(c.maxSockets, 1023);
    assert.equal(c.spin, 50);
    assert.equal(c.closed, false);
    assert.equal(c.stats().memory.max, 1 << 30);
    c.maxSockets = 5;
    c.spin = 0;
    assert.deepEqual([c.maxSockets, c.spin], [5, 0]);
    const given = new Context({ maxSockets: 65_535, spin: 1_000_000, maxMemory: 4 << 20 });
    assert.deepEqual([given.maxSockets, given.spin], [65_535, 1_000_000]);
    assert.ok(given.stats().memory.max <= 4 << 20);
  });

  test("A1: bad values and unknown options are EINVAL, and change nothing", () => {
    const c = new Context(SMALL);
    const bad = {
      maxSockets: [0, -1, 1.5, 65_536, "5", null, Number.NaN],
      spin: [-1, 1.5, 1_000_001, "5", null],
      maxMemory: [
        0,
        -1,
        1000,
        1.5e6 + 0.5,
        2 ** 31,
        2 ** 53,
        Number.POSITIVE_INFINITY,
        "4194304",
        null,
        4_194_304n,
        Symbol("4194304"),
      ],
    };
    for (const [name, values] of Object.entries(bad)) {
      for (const value of values) {
        const options = { [name]: value };
        assert.throws(() => new Context(options as never), zmq("EINVAL"), name);
        if (name === "maxMemory") continue;
        assert.throws(() => Object.assign(c, options), zmq("EINVAL"), name);
      }
    }
    assert.deepEqual([c.maxSockets, c.spin], [1023, 50]);
    for (const options of [{ nonsense: 1 }, { maxsockets: 1 }, null, 5, "x", []]) {
      assert.throws(() => new Context(options as never), zmq("EINVAL"), JSON.stringify(options));
    }
  });

  /** What a hint says may be given, for a value that is not among it. */
  function bounds(maxMemory: number): [least: number, most: number] {
    try {
      new Context({ maxMemory });
    } catch (error) {
      const [, least, most] = /from (\d+) to (\d+)/.exec((error as ZmqError).hint ?? "") ?? [];
      return [Number(least), Number(most)];
    }
    throw new Error("it was taken");
  }

  test("the least maxMemory is told by the hint, and works", () => {
    const [least, most] = bounds(1);
    const [, high] = bounds(2 ** 53);
    assert.equal(most, high);
    assert.ok(bounds(2 ** 53)[0] < high);
    assert.throws(() => new Context({ maxMemory: least - 1 }), zmq("EINVAL"));
    const c = new Context({ maxMemory: least });
    const [push, pull] = [new Push({ context: c }), new Pull({ context: c })];
    pull.bindSync("inproc://a");
    push.connect("inproc://a");
    push.sendSync("small");
    assert.equal(`${pull.tryReceive()}`, "small");
  });

  test("with the least maxMemory a message of four pages fits, and the hint says so", () => {
    const c = new Context({ maxMemory: 409_600 });
    const [push, pull] = [new Push({ context: c }), new Pull({ context: c })];
    pull.bindSync("inproc://a");
    push.connect("inproc://a");
    // A body of 16,249 bytes and its head are just more than a page.
    const fits = [
      [Buffer.alloc(65_000)],
      [Buffer.alloc(16_249), Buffer.alloc(16_249)],
      Array.from({ length: 8 }, () => Buffer.alloc(8000)),
      Array.from({ length: 15 }, () => Buffer.alloc(4000)),
    ];
    for (const message of fits) {
      for (let i = 0; i < 300; i++) {
        push.sendSync(["small", "x".repeat(i % 50)], { timeout: 0 });
        pull.tryReceive();
      }
      assert.equal(push.trySend(message), true);
      assert.equal(pull.tryReceive()?.length, message.length);
    }
    const tooMuch = [...(fits[1] as Buffer[]), "x".repeat(5000)];
    assert.throws(
      () => push.trySend(tooMuch),
      (error) => {
        zmq("EMSGSIZE")(error);
        assert.match((error as ZmqError).hint ?? "", /take 5 pages .* may take 4\b/);
        return true;
      },
    );
  });

  for (const spin of [0, 50, 2000]) {
    play(
      `spin ${spin}: messages go to and fro between threads`,
      async (g) => {
        const thread = g.thread();
        const echoed = thread.run(({ threadmq, context: c }) => {
          const [pull, push] = [
            new threadmq.Pull({ context: c }),
            new threadmq.Push({ context: c }),
          ];
          pull.bindSync("inproc://there");
          push.connect("inproc://back");
          for (let i = 0; i < 100; i++) push.sendSync(pull.receiveSync());
          pull.close();
          push.close();
        });
        const [push, pull] = [await g.push(), await g.pull()];
        await push.connect("inproc://there");
        await pull.bind("inproc://back");
        for (let i = 0; i < 100; i++) {
          await push.send([`${i}`], i % 2 ? "sync" : "promise");
          assert.deepEqual(await pull.receive(1, i % 2 ? "sync" : "promise"), [`${i}`]);
        }
        await echoed;
      },
      { context: { ...SMALL, spin } },
    );
  }
});

play("stats count threads, sockets, names, links, messages and memory", async (g) => {
  const stats = () => g.context.stats();
  const { memory, ...none } = stats();
  const messages = { sent: 0, received: 0, queued: 0, dropped: 0 };
  assert.deepEqual(none, { threads: 1, sockets: 0, endpoints: 0, pipes: 0, messages });
  assert.ok(memory.used > 0 && memory.used <= memory.size && memory.size <= memory.max);
  const thread = g.thread();
  const pull = await g.pull({}, thread);
  const push = await g.push();
  await pull.bind("inproc://a");
  await push.connect("inproc://a");
  await push.connect("inproc://b");
  await push.send(["1", "2"]);
  await pull.receive(1);
  const { threads, sockets, endpoints, pipes } = stats();
  assert.deepEqual(
    { threads, sockets, endpoints, pipes },
    { threads: 2, sockets: 2, endpoints: 2, pipes: 2 },
  );
  assert.deepEqual(stats().messages, { sent: 2, received: 1, queued: 1, dropped: 0 });
  await thread.end();
  await push.close();
  assert.equal(stats().threads, 1);
  assert.equal(stats().sockets, 0);
});

describe("Context.from", () => {
  test("what is no handle is EINVAL", () => {
    const none = [
      undefined,
      null,
      5,
      "x",
      {},
      [],
      { threadmq: 5 },
      { threadmq: new ArrayBuffer(1 << 20) },
    ];
    for (const bad of [
      ...none,
      { threadmq: new SharedArrayBuffer(0) },
      { threadmq: new SharedArrayBuffer(64) },
    ]) {
      assert.throws(() => Context.from(bad as never), zmq("EINVAL"));
    }
  });

  test("another layout is ENOCOMPATPROTO, and says which", () => {
    const zeros = { threadmq: new SharedArrayBuffer(1 << 20) };
    assert.throws(() => Context.from(zeros), zmq("ENOCOMPATPROTO"));
    const copy = new SharedArrayBuffer(1 << 20);
    const words = new Int32Array(copy);
    words.set(new Int32Array(new Context(SMALL).handle.threadmq).subarray(0, words.length));
    words[1] = 999; // The version of the layout follows the magic number.
    assert.throws(
      () => Context.from({ threadmq: copy }),
      (error: any) => {
        zmq("ENOCOMPATPROTO")(error);
        return error.hint.includes("999");
      },
    );
  });

  test("in one thread the same memory is the same context", () => {
    const c = new Context(SMALL);
    assert.equal(Context.from(c.handle), c, "the context that made it");
    assert.equal(Context.from(context.handle), context, "the default context");
    const handle = structuredClone({ threadmq: c.handle.threadmq });
    assert.equal(Context.from(handle), Context.from(handle));
    assert.notEqual(Context.from(new Context(SMALL).handle), c);
  });
});

describe("O1: a context reaches every thread", () => {
  const source = (how: string, then: string) => `
    (async () => {
      const { Worker, workerData, parentPort } = require("node:worker_threads");
      const { Context, context, Push } = await import("threadmq");
      const c = ${how};
      ${then}
    })();`;
  const PUSH = `
      const push = new Push({ context: c });
      push.connect("inproc://a");
      await push.send("here");`;
  const BY = {
    "as workerData": "Context.from(workerData)",
    "inside workerData": "Context.from(workerData.deep[0])",
    "by postMessage": `Context.from(await new Promise((done) => parentPort.once("message", done)))`,
    "as the default": "context",
  };
  const options = { eval: true } as const;
  for (const [name, how] of Object.entries(BY)) {
    for (const depth of [1, 2]) {
      test(`${name}, ${depth === 1 ? "in a worker" : "in a worker of a worker"}`, async () => {
        const mine = name === "as the default" ? context : new Context(SMALL);
        const pull = new Pull({ context: mine });
        pull.bindSync("inproc://a");
        const { handle } = mine;
        const workerData = name.startsWith("inside")
          ? { deep: [handle] }
          : name.startsWith("as w")
            ? handle
            : 0;
        let text = source(how, PUSH);
        if (depth === 2) {
          const data = name.startsWith("inside") ? "{ deep: [c.handle] }" : "c.handle";
          text = source(
            how,
            `
            const w = new Worker(${JSON.stringify(text)}, { eval: true, workerData: ${data} });
            w.postMessage(c.handle);
            await new Promise((done) => w.once("exit", done));`,
          );
        }
        const worker = new Worker(text, { ...options, workerData });
        worker.postMessage(handle);
        const exit = once(worker, "exit");
        assert.equal(`${await pull.receive({ timeout: PATIENCE })}`, "here");
        pull.close();
        assert.deepEqual(await exit, [0]);
      });
    }
  }
});

describe("terminate", () => {
  play("calls that wait, in several threads, fail with ETERM; so do all later ones", async (g) => {
    const threads = [g.thread(), g.thread(), g.thread()];
    const places = [g.here, ...threads];
    const failed: Promise<void>[] = [];
    for (const [i, place] of places.entries()) {
      const [push, pull] = [await g.push({}, place), await g.pull({}, place)];
      await pull.bind(`inproc://${i}`);
      failed.push(assert.rejects(push.call("send", "x"), zmq("ETERM")));
      failed.push(assert.rejects(push.call("sendMany", ["x"]), zmq("ETERM")));
      failed.push(assert.rejects(pull.call("receive", { timeout: PATIENCE }), zmq("ETERM")));
      failed.push(assert.rejects(pull.call("receiveMany"), zmq("ETERM")));
      if (place === g.here) continue;
      const call = i % 2 ? pull.call("receiveSync") : push.call("sendSync", "x");
      failed.push(assert.rejects(call, zmq("ETERM")));
    }
    await g.context.terminate({ timeout: PATIENCE });
    await Promise.all(failed);
    assert.equal(g.context.closed, true);
    assert.equal(g.context.stats().sockets, 0);
  });

  play("every later call of every socket is ETERM, new sockets too, in every thread", async (g) => {
    for (const place of [g.here, g.thread()]) await g.push({}, place);
    const sockets = [await g.push(), await g.push({}, g.thread())];
    await g.context.terminate({ timeout: PATIENCE });
    for (const socket of sockets) {
      assert.equal(await socket.get("closed"), true);
      for (const method of ["bind", "bindSync", "connect", "unbind", "disconnect"]) {
        await assert.rejects(socket.call(method, "inproc://a"), zmq("ETERM"), method);
      }
      for (const method of ["send", "sendSync", "trySend"]) {
        await assert.rejects(socket.call(method, "x"), zmq("ETERM"), method);
      }
      for (const method of ["sendMany", "sendManySync"]) {
        await assert.rejects(socket.call(method, ["x"]), zmq("ETERM"), method);
      }
      await socket.close();
      await assert.rejects(g.push({}, socket.place), zmq("ETERM"));
    }
  });

  test("twice, and at once, and without any socket", async () => {
    const c = new Context(SMALL);
    await Promise.all([c.terminate(), c.terminate({ timeout: 0 })]);
    await c.terminate();
    assert.equal(c.closed, true);
    assert.throws(() => new Pull({ context: c }), zmq("ETERM"));
  });

  test("a bad timeout is EINVAL, and the context lives", async () => {
    const c = new Context(SMALL);
    for (const timeout of [-2, 1.5, "5", Number.NaN, 2 ** 31]) {
      await assert.rejects(c.terminate({ timeout } as never), zmq("EINVAL"), String(timeout));
    }
    for (const options of [null, 5, []]) {
      await assert.rejects(c.terminate(options as never), zmq("EINVAL"), String(options));
    }
    assert.equal(c.closed, false);
  });

  test("a thread is busy: EAGAIN when the time is up; over when it hears of it", async () => {
    const c = new Context(SMALL);
    const thread = new Thread(c);
    const gate = new Int32Array(new SharedArrayBuffer(8));
    await thread.run(({ threadmq, context: theirs, props }) => {
      props.push = new threadmq.Push({ context: theirs });
    });
    const busy = thread.run((_, words) => {
      Atomics.store(words, 1, 1); // From here on it is busy.
      Atomics.notify(words, 1);
      Atomics.wait(words, 0, 0);
    }, gate);
    Atomics.wait(gate, 1, 0, PATIENCE);
    for (const timeout of [0, 20]) {
      await assert.rejects(c.terminate({ timeout }), (error: any) => {
        zmq("EAGAIN")(error);
        assert.match(error.hint, /1 socket/);
        return true;
      });
    }
    assert.equal(c.closed, true);
    const over = c.terminate();
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    await busy;
    await over;
    assert.equal(c.stats().sockets, 0);
    await thread.end();
  });

  test("messages that wait for a bind are counted as dropped", async () => {
    const c = new Context(SMALL);
    const push = new Push({ context: c });
    push.connect("inproc://never");
    push.sendManySync(["1", "2", "3"]);
    await c.terminate();
    const { messages, pipes, endpoints } = c.stats();
    assert.deepEqual(messages, { sent: 3, received: 0, queued: 0, dropped: 3 });
    assert.deepEqual({ pipes, endpoints }, { pipes: 0, endpoints: 0 });
  });

  test("`await using` and `using` close what they name", async () => {
    let c: Context;
    let pull: Pull;
    {
      await using mine = new Context(SMALL);
      using socket = new Pull({ context: mine });
      [c, pull] = [mine, socket];
      socket.bindSync("inproc://a");
      assert.equal(socket.closed, false);
    }
    assert.equal(pull.closed, true);
    assert.equal(c.closed, true);
    await c[Symbol.asyncDispose]();
    pull[Symbol.dispose]();
  });

  test("a `for await` ends when the context is terminated", async () => {
    const c = new Context(SMALL);
    const pull = new Pull({ context: c });
    const ended = (async () => {
      for await (const _ of pull) assert.fail("nothing comes");
    })();
    await c.terminate();
    await ended;
  });
});
