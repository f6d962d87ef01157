// SPDX-License-Identifier: MIT

/**
 * sendMany that fails in the middle: `error.accepted` is the exact number of messages that were
 * accepted, those arrive, and the rest was never sent. Whatever the iterable does meanwhile.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Context, type MessageLike, Pull, Push } from "threadmq";
import { play, SMALL, zmq } from "../support/ground.ts";

interface Pair {
  context: Context;
  push: Push;
  pull: Pull;
}

function pair(mark = 1000): Pair {
  const context = new Context({ ...SMALL, spin: 0 });
  const push = new Push({ context, sendHighWaterMark: mark });
  const pull = new Pull({ context, receiveHighWaterMark: mark });
  pull.bindSync("inproc://a");
  push.connect("inproc://a");
  return { context, push, pull };
}

function drain(pull: Pull): string[] {
  const texts: string[] = [];
  for (let m = pull.tryReceive(); m !== undefined; m = pull.tryReceive()) texts.push(`${m}`);
  return texts;
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);

/** Fails with so many accepted, which are what arrives. */
async function fails(
  { context, pull }: Pair,
  call: () => Promise<void>,
  code: string,
  accepted: number,
): Promise<void> {
  const began = performance.now();
  await assert.rejects(call, (error: any) => {
    zmq(code)(error);
    assert.equal(error.accepted, accepted, "error.accepted");
    assert.ok(performance.now() - began < 1500, "it fails when the reason is there");
    return true;
  });
  if (!pull.closed) assert.deepEqual(drain(pull), numbers(accepted));
  const { sent, received, queued, dropped } = context.stats().messages;
  assert.equal(sent, received + queued + dropped, "H1");
}

const CALLS = {
  sendMany: async ({ push }: Pair, messages: Iterable<MessageLike>, options?: object) =>
    push.sendMany(messages, options),
  sendManySync: async ({ push }: Pair, messages: Iterable<MessageLike>, options?: object) =>
    push.sendManySync(messages, options),
} as const;

for (const [name, call] of Object.entries(CALLS)) {
  describe(name, () => {
    test("any iterable will do, none and empty ones too", async () => {
      const p = pair();
      await call(p, []);
      await call(p, new Set());
      await call(p, numbers(3));
      await call(p, new Set(["3", "4"]));
      await call(
        p,
        (function* () {
          yield "5";
          yield ["6"];
        })(),
      );
      await call(p, new Map([["7", "8"]]) as never);
      assert.deepEqual(drain(p.pull), ["0", "1", "2", "3", "4", "5", "6", "7,8"]);
      assert.deepEqual(p.push.stats().sent, 8);
    });

    test("what is no iterable of messages is EINVAL", async () => {
      const p = pair();
      for (const bad of [undefined, null, 5, "text", {}, () => {}, Symbol("a")]) {
        await assert.rejects(call(p, bad as never), zmq("EINVAL"), String(bad));
      }
      await call(p, ["0"]);
      assert.deepEqual(drain(p.pull), ["0"]);
    });

    for (const at of [0, 1, 7]) {
      test(`a bad message at ${at} is EINVAL with ${at} accepted`, async () => {
        for (const bad of [5, [], ["x", undefined], [["x"]]]) {
          const p = pair();
          const messages: unknown[] = [...numbers(at), bad, "never"];
          await fails(p, () => call(p, messages as never), "EINVAL", at);
          await fails(p, () => call(p, new Set(messages) as never), "EINVAL", at);
          await call(p, ["0"]);
          assert.deepEqual(drain(p.pull), ["0"]);
        }
      });
    }

    test("a message that is too large is EMSGSIZE with those before it accepted", async () => {
      const p = pair();
      await fails(p, () => call(p, [...numbers(5), Buffer.alloc(100 << 20), "x"]), "EMSGSIZE", 5);
    });

    test("a timeout when full is EAGAIN with as many accepted as fit", async () => {
      for (const timeout of [0, 5]) {
        const p = pair(2);
        await fails(p, () => call(p, numbers(9), { timeout }), "EAGAIN", 4);
        p.push.sendTimeout = timeout;
        await fails(p, () => call(p, new Set(numbers(9))), "EAGAIN", 4);
      }
    });

    test("an iterator that throws: its own error comes out, those before are sent", async () => {
      const p = pair();
      const mine = new Error("mine");
      const messages = (function* () {
        yield* numbers(3);
        throw mine;
      })();
      await assert.rejects(call(p, messages), (error) => error === mine);
      assert.deepEqual(drain(p.pull), numbers(3));
      const first = {
        [Symbol.iterator]: () => ({
          next: () => {
            throw mine;
          },
        }),
      };
      await assert.rejects(call(p, first as never), (error) => error === mine);
      await call(p, ["0"]);
      assert.deepEqual(drain(p.pull), ["0"]);
      assert.equal(p.push.stats().sent, 4);
    });

    test("an iterator is closed if the call fails, and then only", async () => {
      for (const [timeout, max, outcome] of [
        [0, 9, "EAGAIN"],
        [20, 9, "EAGAIN"],
        [0, 3, undefined],
      ] as const) {
        const p = pair(2);
        const closed: string[] = [];
        const messages = (function* () {
          try {
            yield* numbers(max);
            closed.push("end");
          } finally {
            closed.push("finally");
          }
        })();
        if (outcome === undefined) await call(p, messages, { timeout });
        else await fails(p, () => call(p, messages, { timeout }), outcome, 4);
        assert.deepEqual(closed, outcome === undefined ? ["end", "finally"] : ["finally"]);
      }
    });

    test("an iterator that throws when it is closed: the error of the call comes out", async () => {
      const p = pair(2);
      let last = 0;
      const messages = {
        [Symbol.iterator]: () => ({
          next: () => ({ done: false, value: String(last++) }),
          return: () => {
            throw new Error("mine");
          },
        }),
      };
      await fails(p, () => call(p, messages as never, { timeout: 0 }), "EAGAIN", 4);
    });

    test("an iterator that closes the socket: EBADF with those before accepted", async () => {
      const p = pair();
      const messages = (function* () {
        yield* numbers(3);
        p.push.close();
        yield "never";
      })();
      await fails(p, () => call(p, messages, { timeout: 2000 }), "EBADF", 3);
    });

    test("an iterator that terminates the context: ETERM", async () => {
      const p = pair();
      const messages = (function* () {
        yield* numbers(3);
        p.context.terminate();
        yield "never";
      })();
      await fails(p, () => call(p, messages, { timeout: 2000 }), "ETERM", 3);
    });

    test("an iterator that disconnects: what is left waits for a new peer", async () => {
      const p = pair();
      const messages = (function* () {
        yield "0";
        p.push.disconnect("inproc://a");
        yield "never";
      })();
      await fails(p, () => call(p, messages, { timeout: 0 }), "EAGAIN", 1);
    });

    test("an iterator that calls the library: the calls work, and nothing is lost", async () => {
      const p = pair();
      const inner: string[] = [];
      const messages = (function* () {
        for (let i = 0; i < 200; i++) {
          yield `outer ${i}`;
          if (i % 3 === 0 && p.push.trySend(`inner ${i}`)) inner.push(`inner ${i}`);
          if (i % 5 === 0) p.push.sendSync(`sync ${i}`);
          if (i % 7 === 0) p.push.sendManySync([`many ${i}`, `many ${i}+`]);
          if (i % 11 === 0) void p.push.send(`later ${i}`);
          if (i % 50 === 0) p.context.stats();
        }
      })();
      await call(p, messages);
      const got = drain(p.pull);
      assert.equal(got.length, 200 + inner.length + 40 + 2 * 29 + 19);
      assert.deepEqual(
        got.filter((m) => m.startsWith("outer")),
        numbers(200).map((i) => `outer ${i}`),
      );
      assert.deepEqual(
        got.filter((m) => m.startsWith("inner")),
        inner,
      );
    });

    test("an iterator that receives what was sent before", async () => {
      const p = pair(50);
      const got: string[] = [];
      const messages = (function* () {
        for (let i = 0; i < 100; i++) {
          yield `${i}`;
          got.push(...drain(p.pull));
        }
      })();
      await call(p, messages);
      assert.deepEqual([...got, ...drain(p.pull)], numbers(100));
    });
  });
}

test("sendMany: an iterator that closes the socket after a wait: EBADF", async () => {
  const p = pair(1);
  const messages = (function* () {
    yield* numbers(3);
    p.push.close();
    yield "never";
  })();
  const failed = assert.rejects(p.push.sendMany(messages), (error: any) => {
    zmq("EBADF")(error);
    assert.equal(error.accepted, 3);
    return true;
  });
  const got: string[] = [];
  for (let i = 0; i < 3; i++) got.push(`${await p.pull.receive()}`);
  await failed;
  assert.deepEqual(got, numbers(3));
});

test("sendMany: an iterator that calls sendSync while its call waits: EAGAIN", async () => {
  // By the rule "first come, first served" the inner call could only wait for the outer one.
  const p = pair(1);
  let code = "";
  const messages = (function* () {
    yield* numbers(3);
    try {
      p.push.sendSync("inner", { timeout: 5 });
      code = "sent";
    } catch (error) {
      code = (error as { code: string }).code;
    }
    yield "3";
  })();
  const sent = p.push.sendMany(messages);
  const got: string[] = [];
  for (let i = 0; i < 4; i++) got.push(`${await p.pull.receive({ timeout: 5000 })}`);
  await sent;
  assert.equal(code, "EAGAIN");
  assert.deepEqual(got, numbers(4));
});

describe("sendMany: what its iterable sends goes before what that yields next", () => {
  const TAIL = ["first", "second", "third"];
  /** How the iterable sends: something that has to wait. */
  const INNER: Record<string, (push: Push, text: string) => Promise<void>> = {
    send: (push, text) => push.send(text),
    sendMany: (push, text) => push.sendMany([text]),
    "sendMany of an iterable": (push, text) => push.sendMany(new Set([text])),
  };
  for (const [how, inner] of Object.entries(INNER)) {
    test(`${how}, from a call that waits; and others that came meanwhile go later`, async () => {
      const p = pair(1);
      const sent: Promise<void>[] = [];
      const messages = (function* () {
        yield* numbers(3);
        for (const text of TAIL.slice(0, 2)) sent.push(inner(p.push, text));
        yield "3";
        sent.push(inner(p.push, "third"));
        yield "4";
      })();
      sent.push(p.push.sendMany(messages), p.push.send("later"));
      const got: string[] = [];
      for (let i = 0; i < 9; i++) got.push(`${await p.pull.receive({ timeout: 5000 })}`);
      assert.deepEqual(got, [...numbers(3), "first", "second", "3", "third", "4", "later"]);
      await Promise.all(sent);
    });

    for (const waits of [false, true]) {
      test(`${how}, also if there is room again: the call waits ${waits}`, async () => {
        const p = pair(1);
        const sent: Promise<void>[] = [];
        const got: string[] = [];
        const messages = (function* () {
          yield* numbers(waits ? 3 : 2);
          sent.push(inner(p.push, "first"));
          got.push(...drain(p.pull));
          if (p.push.trySend("second")) got.push(...drain(p.pull));
          else assert.fail("there is room for both");
          yield "end";
        })();
        sent.push(p.push.sendMany(messages));
        while (got.at(-1) !== "end") got.push(`${await p.pull.receive({ timeout: 5000 })}`);
        // A receive lets the call go on, whose iterable receives, before it returns.
        const texts = got.filter((text) => !/^\d$/.test(text));
        assert.deepEqual(texts, ["first", "second", "end"]);
        await Promise.all(sent);
      });
    }
  }

  for (const [name, call] of Object.entries(CALLS)) {
    test(`${name}, whose iterable's send waits until that has received itself`, async () => {
      const p = pair(1);
      const got: string[] = [];
      let inner: Promise<void> | undefined;
      const messages = (function* () {
        yield* numbers(2);
        inner = p.push.send("inner");
        got.push(...drain(p.pull));
        yield "2";
      })();
      await call(p, messages);
      await inner;
      assert.deepEqual([...got, ...drain(p.pull)], [...numbers(2), "inner", "2"]);
    });
  }
});

test("sendMany: an abort in the middle: the reason; those before are sent", async () => {
  const p = pair(2);
  const controller = new AbortController();
  const sent = p.push.sendMany(numbers(10), { signal: controller.signal });
  controller.abort(new Error("enough"));
  await assert.rejects(sent, /enough/);
  assert.deepEqual(drain(p.pull), numbers(4));
  await p.push.send("after");
  assert.deepEqual(drain(p.pull), ["after"]);
});

play("sendMany: a close while it waits is EBADF with as many accepted as arrived", async (g) => {
  const thread = g.thread();
  const pull = await g.pull({ receiveHighWaterMark: 5 }, thread);
  await pull.bind("inproc://a");
  const push = new Push({ context: g.context, sendHighWaterMark: 5 });
  push.connect("inproc://a");
  let accepted = -1;
  const failed = push.sendMany(numbers(1000)).catch((error) => {
    zmq("EBADF")(error);
    accepted = error.accepted;
  });
  const got = await pull.receive(100);
  push.close();
  await failed;
  got.push(...(await pull.drain()));
  assert.ok(accepted >= 100 && accepted < 1000);
  assert.deepEqual(got, numbers(accepted));
});
