// SPDX-License-Identifier: MIT

/**
 * Every call that waits can be given a time and can be aborted; and those that wait are served
 * in the order of their calls.
 */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe, test } from "node:test";
import { Context, type Message, Pull, Push } from "threadmq";
import { play, SMALL, Thread, zmq } from "../support/ground.ts";
import { PATIENCE } from "../support/stage.ts";

interface Pair {
  context: Context;
  push: Push;
  pull: Pull;
}

/** A PUSH and a PULL with room for two messages between them. */
function narrow(): Pair {
  const context = new Context(SMALL);
  const push = new Push({ context, sendHighWaterMark: 1 });
  const pull = new Pull({ context, receiveHighWaterMark: 1 });
  pull.bindSync("inproc://a");
  push.connect("inproc://a");
  return { context, push, pull };
}

/** The same, full: the next send waits. */
function full(): Pair {
  const pair = narrow();
  pair.push.sendSync("1");
  pair.push.sendSync("2");
  assert.equal(pair.push.trySend("3"), false);
  return pair;
}

function drain(pull: Pull): string[] {
  const texts: string[] = [];
  for (let m = pull.tryReceive(); m !== undefined; m = pull.tryReceive()) texts.push(`${m}`);
  return texts;
}

/** Every call that waits, with what it waits for. */
const WAITS: Record<string, (pair: Pair, options?: any) => Promise<unknown>> = {
  send: ({ push }, options) => push.send("x", options),
  sendMany: ({ push }, options) => push.sendMany(["x", "y"], options),
  receive: ({ pull }, options) => pull.receive(options),
  receiveMany: ({ pull }, options) => pull.receiveMany(5, options),
};
const BLOCKS: Record<string, (pair: Pair, options?: any) => unknown> = {
  sendSync: ({ push }, options) => push.sendSync("x", options),
  sendManySync: ({ push }, options) => push.sendManySync(["x", "y"], options),
  receiveSync: ({ pull }, options) => pull.receiveSync(options),
  receiveManySync: ({ pull }, options) => pull.receiveManySync(5, options),
};
const ALL = { ...WAITS, ...BLOCKS };

/** A pair on which the call named waits. */
function waiting(name: string): Pair {
  return name.startsWith("send") ? full() : narrow();
}

const NO_TIMES = [Number.NaN, "5", -2, 1.5, {}, 2 ** 31, Number.POSITIVE_INFINITY];

/** A call that blocks for ever must not block the test. */
async function refusedInAThread(name: string): Promise<void> {
  const thread = new Thread(new Context(SMALL));
  const codes = thread.run(
    ({ threadmq, context }, method, times) => {
      const push = new threadmq.Push({ context }) as any;
      const pull = new threadmq.Pull({ context }) as any;
      const refused = (timeout: any) => {
        const options = { timeout };
        try {
          if (method.startsWith("send")) push[method](["x"], options);
          else if (method === "receiveSync") pull.receiveSync(options);
          else pull.receiveManySync(5, options);
          return "nothing";
        } catch (error) {
          return (error as { code: string }).code;
        }
      };
      return times.map(refused);
    },
    name,
    NO_TIMES,
  );
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error("it blocks for ever")), PATIENCE).unref();
  });
  try {
    assert.deepEqual(
      await Promise.race([codes, late]),
      NO_TIMES.map(() => "EINVAL"),
    );
  } finally {
    await thread.worker.terminate();
  }
}

describe("timeouts", () => {
  for (const [name, call] of Object.entries(ALL)) {
    test(`${name}: 0 fails at once with EAGAIN`, async () => {
      const pair = waiting(name);
      await assert.rejects(async () => call(pair, { timeout: 0 }), zmq("EAGAIN", "inproc://a"));
      pair.push.sendTimeout = 0;
      pair.pull.receiveTimeout = 0;
      await assert.rejects(async () => call(pair), zmq("EAGAIN", "inproc://a"));
    });

    test(`${name}: a small time fails with EAGAIN, not before the time is up`, async () => {
      const pair = waiting(name);
      for (const options of [{ timeout: 25 }, undefined]) {
        const began = performance.now();
        await assert.rejects(async () => call(pair, options), zmq("EAGAIN"));
        assert.ok(performance.now() - began >= 24, `after ${performance.now() - began} ms`);
        pair.push.sendTimeout = 25;
        pair.pull.receiveTimeout = 25;
      }
    });

    test(`${name}: what the call says goes before the socket's own, -1 too`, async () => {
      const pair = waiting(name);
      pair.push.sendTimeout = 60_000;
      pair.pull.receiveTimeout = 60_000;
      await assert.rejects(async () => call(pair, { timeout: 1 }), zmq("EAGAIN"));
      if (name in BLOCKS) return;
      pair.push.sendTimeout = 0;
      pair.pull.receiveTimeout = 0;
      const long = call(pair, { timeout: -1 });
      if (name.startsWith("send")) drain(pair.pull);
      else pair.push.sendSync("comes");
      await long;
    });

    test(`${name}: a time that is none is EINVAL`, async () => {
      if (name in BLOCKS) return refusedInAThread(name);
      for (const timeout of NO_TIMES) {
        const pair = waiting(name);
        const signal = AbortSignal.timeout(50);
        const refused = async () => call(pair, { timeout, signal });
        await assert.rejects(refused, zmq("EINVAL"), `timeout ${String(timeout)}`);
      }
    });

    test(`${name}: undefined is not given`, async () => {
      const pair = waiting(name);
      pair.push.sendTimeout = 0;
      pair.pull.receiveTimeout = 0;
      await assert.rejects(async () => call(pair, { timeout: undefined }), zmq("EAGAIN"));
      await assert.rejects(async () => call(pair, {}), zmq("EAGAIN"));
    });
  }

  test("after a timeout nothing was sent or lost, and the socket can be used", async () => {
    const { push, pull } = full();
    await assert.rejects(push.send("late", { timeout: 5 }), zmq("EAGAIN"));
    assert.throws(() => push.sendSync("late", { timeout: 5 }), zmq("EAGAIN"));
    assert.deepEqual(drain(pull), ["1", "2"]);
    await assert.rejects(pull.receive({ timeout: 5 }), zmq("EAGAIN"));
    await push.send("3");
    assert.deepEqual(drain(pull), ["3"]);
    assert.equal(pull.stats().pending + push.stats().pending, 0);
  });

  test("the time of a call that is served is not waited for", async () => {
    const { push, pull } = narrow();
    const received = pull.receive({ timeout: 60_000 });
    await push.send("x", { timeout: 60_000 });
    assert.equal(`${await received}`, "x"); // And the process ends with the test.
  });
});

describe("AbortSignal", () => {
  for (const [name, call] of Object.entries(WAITS)) {
    const reason = new Error("because");

    test(`${name}: aborted before, it rejects with the reason and does nothing`, async () => {
      for (const pair of [waiting(name), name.startsWith("send") ? narrow() : full()]) {
        const before = pair.context.stats().messages;
        const signal = AbortSignal.abort(reason);
        await assert.rejects(call(pair, { signal }), (error) => error === reason);
        assert.deepEqual(pair.context.stats().messages, before);
      }
    });

    test(`${name}: aborted in its wait, it rejects with the reason and does nothing`, async () => {
      const pair = waiting(name);
      const controller = new AbortController();
      const waits = call(pair, { signal: controller.signal });
      controller.abort(reason);
      await assert.rejects(waits, (error) => error === reason);
      assert.equal(pair.push.stats().pending + pair.pull.stats().pending, 0);
      assert.deepEqual(drain(pair.pull), name.startsWith("send") ? ["1", "2"] : []);
    });

    test(`${name}: aborted after, nothing happens, and no listener stays`, async () => {
      const pair = waiting(name);
      const controller = new AbortController();
      const served = call(pair, { signal: controller.signal });
      if (name.startsWith("send")) drain(pair.pull);
      else pair.push.sendSync("x");
      await served;
      assert.deepEqual(getEventListeners(controller.signal, "abort"), []);
      controller.abort(reason);
      pair.pull.close();
      pair.push.close();
    });

    test(`${name}: without a reason it is an AbortError, and no ZmqError`, async () => {
      const pair = waiting(name);
      const controller = new AbortController();
      const waits = call(pair, { signal: controller.signal });
      controller.abort();
      await assert.rejects(waits, { name: "AbortError" });
    });

    test(`${name}: A1: a signal that is none is EINVAL`, async () => {
      const pair = waiting(name);
      for (const signal of [5, "abort", {}]) {
        await assert.rejects(call(pair, { signal, timeout: 5 }), zmq("EINVAL"));
      }
    });

    test(`${name}: A1: options that are none are EINVAL, it may have to wait or not`, async () => {
      const ready = narrow();
      ready.push.sendSync("x");
      for (const pair of [waiting(name), ready]) {
        for (const options of [5, "x", null, [], true]) {
          await assert.rejects(call(pair, options as never), zmq("EINVAL"), String(options));
        }
      }
    });
  }

  test("an abort leaves the others waiting, in their order: receives", async () => {
    const { push, pull } = narrow();
    const controller = new AbortController();
    const { signal } = controller;
    const [a, b, c] = [pull.receive(), pull.receive({ signal }), pull.receive()];
    controller.abort();
    await assert.rejects(b, { name: "AbortError" });
    push.sendManySync(["1", "2"]);
    assert.deepEqual([`${await a}`, `${await c}`], ["1", "2"]);
  });

  test("an abort leaves the others waiting, in their order: sends", async () => {
    const { push, pull } = full();
    const controller = new AbortController();
    const { signal } = controller;
    const [a, b, c] = [push.send("a"), push.send("b", { signal }), push.send("c")];
    controller.abort();
    await assert.rejects(b, { name: "AbortError" });
    const got = [];
    for (let i = 0; i < 4; i++) got.push(`${await pull.receive()}`);
    await Promise.all([a, c]);
    assert.deepEqual(got, ["1", "2", "a", "c"]);
    assert.deepEqual(drain(pull), []);
  });

  test("one signal may abort many calls", async () => {
    const { push, pull } = narrow();
    const controller = new AbortController();
    const { signal } = controller;
    const calls = Array.from({ length: 8 }, () => pull.receive({ signal }));
    controller.abort();
    for (const call of calls) await assert.rejects(call, { name: "AbortError" });
    push.sendSync("still");
    assert.deepEqual(drain(pull), ["still"]);
  });
});

test("many calls that wait with one signal: one listener, which goes with the last", async () => {
  const { context, pull } = narrow();
  const abort = new AbortController();
  const { signal } = abort;
  const waits = Array.from({ length: 20 }, () => pull.receive({ signal }));
  const last = pull.receive();
  assert.equal(getEventListeners(signal, "abort").length, 1);
  abort.abort(new Error("all"));
  for (const one of waits) await assert.rejects(one, /all/);
  assert.equal(getEventListeners(signal, "abort").length, 0);
  assert.equal(pull.stats().pending, 1);
  await Promise.all([assert.rejects(last, zmq("ETERM")), context.terminate()]);
});

describe("first come, first served", () => {
  test("several receives get the messages in the order of their calls", async () => {
    const { push, pull } = narrow();
    const calls = Array.from({ length: 20 }, () => pull.receive().then(String));
    for (let i = 0; i < 20; i++) await push.send(`${i}`);
    assert.deepEqual(
      await Promise.all(calls),
      Array.from({ length: 20 }, (_, i) => `${i}`),
    );
  });

  test("and settle in that order, though the event loop's turn is due", async () => {
    const { push, pull } = narrow();
    push.sendHighWaterMark = 0;
    const settled: string[] = [];
    const note = (message: Message) => settled.push(`${message}`);
    const calls = Array.from({ length: 5 }, () => pull.receive().then(note));
    for (const until = performance.now() + 5; performance.now() < until; );
    for (let i = 0; i < 7; i++) push.trySend(`${i}`);
    for (let i = 5; i < 7; i++) calls.push(pull.receive().then(note)); // These need not wait.
    await Promise.all(calls);
    assert.deepEqual(settled, ["0", "1", "2", "3", "4", "5", "6"]);
  });

  test("several sends go in the order of their calls", async () => {
    const { push, pull } = full();
    const calls = Array.from({ length: 20 }, (_, i) => push.send(`${i}`));
    const got = [];
    for (let i = 0; i < 22; i++) got.push(`${await pull.receive()}`);
    await Promise.all(calls);
    assert.deepEqual(got, ["1", "2", ...Array.from({ length: 20 }, (_, i) => `${i}`)]);
  });

  test("a sendMany that waits is not overtaken, in the middle either", async () => {
    const { push, pull } = narrow();
    const many = push.sendMany(Array.from({ length: 10 }, (_, i) => `${i}`));
    const one = push.send("last");
    assert.equal(push.trySend("never"), false, "an attempt does not push in");
    const got = [];
    for (let i = 0; i < 11; i++) got.push(`${await pull.receive()}`);
    await Promise.all([many, one]);
    assert.deepEqual(got, [...Array.from({ length: 10 }, (_, i) => `${i}`), "last"]);
  });

  test("two sendMany go one after the other", async () => {
    const { push, pull } = narrow();
    pull.receiveHighWaterMark = 0;
    const batch = (tag: string) => Array.from({ length: 3000 }, (_, i) => `${tag}${i}`);
    const both = [push.sendMany(batch("a")), push.sendMany(batch("b"))];
    await Promise.all(both);
    assert.deepEqual(drain(pull), [...batch("a"), ...batch("b")]);
  });

  test("receives that wait go before a receiveMany, an attempt and a blocking call", async () => {
    const { push, pull } = narrow();
    const [one, two, many] = [pull.receive(), pull.receive(), pull.receiveMany(5)];
    push.sendHighWaterMark = 0;
    push.sendManySync(["1", "2", "3", "4"]);
    assert.equal(pull.tryReceive(), undefined, "the call that waits has taken all");
    assert.deepEqual([`${await one}`, `${await two}`], ["1", "2"]);
    assert.deepEqual((await many).map(String), ["3", "4"]);
  });

  test("a blocking call waits for its turn behind calls that wait", async () => {
    const { push, pull } = narrow();
    const first = pull.receive();
    push.sendSync("1");
    push.sendSync("2");
    assert.equal(`${pull.receiveSync({ timeout: 1000 })}`, "2");
    assert.equal(`${await first}`, "1");
    const second = pull.receive();
    push.sendSync("3");
    assert.throws(() => pull.receiveSync({ timeout: 10 }), zmq("EAGAIN"));
    assert.equal(`${await second}`, "3");
  });

  test("a blocking send goes behind sends that wait", async () => {
    const { push, pull } = full();
    const third = push.send("3");
    assert.throws(() => push.sendSync("4", { timeout: 10 }), zmq("EAGAIN"));
    assert.deepEqual([`${pull.tryReceive()}`, `${pull.tryReceive()}`], ["1", "2"]);
    push.sendSync("4", { timeout: 1000 });
    await third;
    assert.deepEqual(drain(pull), ["3", "4"]);
  });

  play("calls of all kinds mixed, both ends waiting by turns: all arrives, in order", async (g) => {
    const thread = g.thread();
    const push = new Push({ context: g.context, sendHighWaterMark: 2 });
    push.bindSync("inproc://a");
    const received = thread.run(async ({ threadmq, context }) => {
      const pull = new threadmq.Pull({ context, receiveHighWaterMark: 2 });
      pull.connect("inproc://a");
      const got: number[] = [];
      const take = (message: unknown) => void got.push(Number(message));
      while (got.length < 3000) {
        if (got.length % 7 === 0) {
          const three = [pull.receive(), pull.receive(), pull.receive()];
          for (const one of three) take(await one);
        } else if (got.length % 5 === 0) take(pull.receiveSync({ timeout: 10_000 }));
        else if (got.length % 3 === 0) for (const one of await pull.receiveMany(4)) take(one);
        else {
          const one = pull.tryReceive();
          if (one !== undefined) take(one);
          else take(await pull.receive());
        }
        if (got.length > 2997) break;
      }
      while (got.length < 3000) take(await pull.receive());
      pull.close();
      return got;
    });
    const calls: Promise<void>[] = [];
    for (let i = 0; i < 3000; ) {
      if (i % 11 === 0) push.sendSync(`${i++}`, { timeout: 10_000 });
      else if (i % 6 === 0 && i + 3 <= 3000) {
        calls.push(push.sendMany([`${i}`, `${i + 1}`, `${i + 2}`]));
        i += 3;
      } else if (i % 4 === 0) {
        if (push.trySend(`${i}`)) i++;
        else calls.push(push.send(`${i++}`));
      } else await push.send(`${i++}`);
    }
    await Promise.all(calls);
    const got = await received;
    assert.deepEqual(
      got,
      Array.from({ length: 3000 }, (_, i) => i),
    );
    push.close();
  });
});
