// SPDX-License-Identifier: MIT

/**
 * Messages: what a part may be made of, what arrives, and that a message arrives whole or not
 * at all.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runInNewContext } from "node:vm";
import { Context, type Message, type MessageLike, Pull, Push } from "threadmq";
import { DISTANCES, far, play, SMALL, zmq } from "../support/ground.ts";
import { Random } from "../support/random.ts";

function pair(options: object = SMALL): { context: Context; push: Push; pull: Pull } {
  const context = new Context(options);
  const push = new Push({ context });
  const pull = new Pull({ context });
  pull.bindSync("inproc://a");
  push.connect("inproc://a");
  return { context, push, pull };
}

/** Every way to send one message. */
const SENDS: Record<string, (push: Push, message: any) => unknown> = {
  send: (push, message) => push.send(message),
  "send with options": (push, message) => push.send(message, { timeout: 10 }),
  sendSync: (push, message) => push.sendSync(message),
  trySend: (push, message) => push.trySend(message),
  sendMany: (push, message) => push.sendMany([message]),
  sendManySync: (push, message) => push.sendManySync([message]),
};

const bytes = Uint8Array.from({ length: 64 }, (_, i) => 255 - i);
const shared = new SharedArrayBuffer(8);
new Uint8Array(shared).set([1, 2, 3, 4, 5, 6, 7, 8]);

const PARTS: Record<string, [part: any, expected: Uint8Array]> = {
  text: ["text", Buffer.from("text")],
  "empty text": ["", Buffer.alloc(0)],
  null: [null, Buffer.alloc(0)],
  "text in many letters": ["é😀\0ß", Buffer.from("é😀\0ß")],
  "long text": ["é".repeat(5000), Buffer.from("é".repeat(5000))],
  "a Buffer": [Buffer.from("buffer"), Buffer.from("buffer")],
  "a Uint8Array": [bytes, bytes],
  "a part of a Uint8Array": [bytes.subarray(3, 10), bytes.slice(3, 10)],
  "an empty Uint8Array": [new Uint8Array(0), Buffer.alloc(0)],
  "an Int16Array": [new Int16Array([1, -1]), Buffer.from([1, 0, 255, 255])],
  "a Float64Array": [new Float64Array([1]), Buffer.from([0, 0, 0, 0, 0, 0, 0xf0, 0x3f])],
  "a BigInt64Array": [new BigInt64Array([-1n]), Buffer.alloc(8, 255)],
  "a DataView": [new DataView(bytes.buffer, 2, 3), bytes.slice(2, 5)],
  "an ArrayBuffer": [bytes.buffer, bytes],
  "a SharedArrayBuffer": [shared, Buffer.from([1, 2, 3, 4, 5, 6, 7, 8])],
  "an ArrayBuffer of another realm": [runInNewContext("new ArrayBuffer(2)"), Buffer.alloc(2)],
  "a SharedArrayBuffer of another realm": [
    runInNewContext("new SharedArrayBuffer(2)"),
    Buffer.alloc(2),
  ],
  "a view of another realm": [runInNewContext("Uint8Array.of(1, 2)"), Buffer.from([1, 2])],
  "a view of a SharedArrayBuffer": [new Uint8Array(shared, 1, 2), Buffer.from([2, 3])],
};

describe("what a part may be", () => {
  for (const [name, [part, expected]] of Object.entries(PARTS)) {
    test(name, async () => {
      const { push, pull } = pair();
      for (const [how, send] of Object.entries(SENDS)) {
        await send(push, part);
        await send(push, ["before", part, "after"]);
        const one = pull.tryReceive() as Message;
        assert.equal(one.length, 1, how);
        assert.deepEqual(new Uint8Array(one[0] as Buffer), new Uint8Array(expected), how);
        const three = pull.tryReceive() as Message;
        assert.deepEqual(`${three[0]}`, "before");
        assert.deepEqual(new Uint8Array(three[1] as Buffer), new Uint8Array(expected), how);
        assert.deepEqual(`${three[2]}`, "after");
      }
    });
  }
});

/** A view of a buffer of 16 bytes, of which then only 8 are left. */
function shrunk<View extends ArrayBufferView>(make: (buffer: ArrayBuffer) => View): View {
  const buffer = new ArrayBuffer(16, { maxByteLength: 16 });
  const view = make(buffer);
  buffer.resize(8);
  return view;
}

test("a view that tracks the length of its buffer may be empty", () => {
  const { push, pull } = pair();
  push.sendSync(shrunk((buffer) => new Uint8Array(buffer, 8)));
  push.sendSync(["a", shrunk((buffer) => new DataView(buffer, 8)), "b"]);
  assert.deepEqual(pull.tryReceive()?.map(String), [""]);
  assert.deepEqual(pull.tryReceive()?.map(String), ["a", "", "b"]);
});

for (const swap of [0, 100_000]) {
  const how = swap === 0 ? "" : ", and then goes to the swap";
  for (const size of [8, 5000]) {
    test(`a part of ${size} bytes gone when its send has waited${how}: EINVAL`, async () => {
      const context = new Context(SMALL);
      const push = new Push({ context, sendHighWaterMark: 1 });
      const pull = new Pull({ context, receiveHighWaterMark: 1 });
      pull.bindSync("inproc://a");
      push.connect("inproc://a");
      while (push.trySend("before"));
      const part = new Uint8Array(size);
      const alone = assert.rejects(push.send(part), zmq("EINVAL"));
      const among = assert.rejects(push.send(["first", part, "last"]), zmq("EINVAL"));
      const after = push.send("after");
      structuredClone(part.buffer, { transfer: [part.buffer] });
      push.swap = swap;
      const got: string[] = [];
      while (got.at(-1) !== "after") got.push(`${await pull.receive({ timeout: 5000 })}`);
      await Promise.all([alone, among, after]);
      assert.deepEqual(got, ["before", "before", "after"]);
      const { sent, received, queued } = context.stats().messages;
      assert.deepEqual([sent, received, queued], [3, 3, 0]);
    });
  }
}

describe("what no part may be: EINVAL, and nothing was sent", () => {
  const detached = new Uint8Array(8);
  const view = new DataView(detached.buffer);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  const beyond = shrunk((buffer) => new Uint8Array(buffer, 8, 8));
  const BAD: Record<string, any> = {
    undefined: undefined,
    "a number": 5,
    "a bigint": 5n,
    "a boolean": true,
    "a symbol": Symbol("part"),
    "an object": {},
    "an object that looks like bytes": { length: 1, 0: 1, byteLength: 1 },
    "a function": () => {},
    "a Date": new Date(),
    "a String object": Object("text"),
    "a Blob": new Blob(["text"]),
    "a promise": Promise.resolve("text"),
    "an empty message": [],
    "a nested array": [["text"]],
    "undefined in the middle": ["text", undefined, "text"],
    "a number at the end": ["text", "text", 5],
    // biome-ignore lint/suspicious/noSparseArray: that is the point.
    "an array with a hole": ["text", , "text"],
    "a set": new Set(["text"]),
    "a detached Uint8Array": detached,
    "a detached DataView": view,
    "a detached ArrayBuffer": detached.buffer,
    "a detached DataView behind others": ["text", "text", view],
    "a Uint8Array past the end of a buffer that has shrunk": beyond,
    "such a one behind others": ["text", beyond],
    "a Float64Array likewise": shrunk((buffer) => new Float64Array(buffer, 8, 1)),
    "a DataView likewise": shrunk((buffer) => new DataView(buffer, 8, 8)),
    "a view that tracks the length, and begins past the end": shrunk(
      (buffer) => new Uint8Array(buffer, 12),
    ),
  };
  for (const [name, bad] of Object.entries(BAD)) {
    test(`N1: ${name}`, async () => {
      const { context, push, pull } = pair();
      for (const [how, send] of Object.entries(SENDS)) {
        await assert.rejects(async () => send(push, bad), zmq("EINVAL"), how);
        assert.equal(pull.tryReceive(), undefined, `${how}: nothing was sent`);
        await send(push, Buffer.from("good"));
        assert.deepEqual(pull.tryReceive()?.map(String), ["good"], `${how}: nothing is left of it`);
      }
      assert.deepEqual(context.stats().messages, { sent: 6, received: 6, queued: 0, dropped: 0 });
    });
  }

  for (const [how, send] of Object.entries(SENDS)) {
    if (how === "send" || how === "sendMany" || how === "sendSync" || how === "sendManySync")
      continue;
    test(`${how}: a bad message is refused when nobody is there to take it`, async () => {
      const push = new Push({ context: new Context(SMALL) });
      for (const bad of [5, [], ["text", undefined]]) {
        await assert.rejects(async () => send(push, bad), zmq("EINVAL"));
      }
      push.close();
    });
  }

  test("send: a bad message is refused at once, not when somebody comes to take it", async () => {
    const push = new Push({ context: new Context(SMALL) });
    for (const bad of [5, [], ["text", undefined]]) {
      await assert.rejects(push.send(bad as never, { timeout: 0 }), zmq("EINVAL"));
      await assert.rejects(push.sendMany([bad as never], { timeout: 0 }), zmq("EINVAL"));
      assert.throws(() => push.sendSync(bad as never, { timeout: 0 }), zmq("EINVAL"));
    }
    push.close();
  });

  test("a bad message among others does not disturb those that wait", async () => {
    const { push, pull } = pair();
    push.sendHighWaterMark = 1;
    pull.receiveHighWaterMark = 1;
    push.sendSync("1");
    push.sendSync("2");
    const third = push.send("3");
    const bad = assert.rejects(push.send([{}] as never), zmq("EINVAL"));
    const fourth = push.send("4");
    const got = [];
    for (let i = 0; i < 4; i++) got.push(`${await pull.receive()}`);
    await Promise.all([third, bad, fourth]);
    assert.deepEqual(got, ["1", "2", "3", "4"]);
  });
});

describe("what arrives", () => {
  test("parts are Buffers, and belong to the receiver", async () => {
    const { push, pull } = pair();
    for (const size of [0, 1, 100, 4096, 4097, 100_000]) {
      const source = Buffer.alloc(size, 1);
      await push.send([source, source]);
      await push.send(source);
      source.fill(2); // After the send, what the sender does is its own affair.
      const [one, two] = (await pull.receive()) as [Buffer, Buffer];
      const [three] = (await pull.receive()) as [Buffer];
      for (const part of [one, two, three]) {
        assert.ok(Buffer.isBuffer(part));
        assert.ok(part.buffer instanceof ArrayBuffer, "no shared memory");
        assert.equal(part.length, size);
      }
      one.fill(3);
      assert.ok(two.equals(Buffer.alloc(size, 1)), "the parts do not overlap");
      assert.ok(three.equals(Buffer.alloc(size, 1)), "nor do messages");
    }
  });

  test("messages stay what they are while others come", async () => {
    const { push, pull } = pair();
    const kept: Message[] = [];
    for (let round = 0; round < 500; round++) {
      push.sendManySync(Array.from({ length: 20 }, (_, i) => `${round}/${i}`.padEnd(round % 90)));
      kept.push(...pull.receiveManySync(7), ...pull.receiveManySync(), ...[]);
    }
    for (const [index, message] of kept.entries()) {
      const [round, i] = [Math.floor(index / 20), index % 20];
      assert.equal(`${message}`, `${round}/${i}`.padEnd(round % 90));
    }
  });

  test("receiveMany: at least one, at most so many, 512 by default", async () => {
    const { push, pull } = pair();
    await push.sendMany(Array.from({ length: 1000 }, (_, i) => `${i}`));
    assert.equal((await pull.receiveMany(1)).length, 1);
    assert.equal((await pull.receiveMany()).length, 512);
    assert.equal(pull.receiveManySync().length, 487);
    const waiting = pull.receiveMany(10);
    await push.send("x");
    assert.deepEqual((await waiting).map(String), ["x"]);
    for (const bad of [0, -1, 1.5, Number.NaN, "5", null, 2 ** 31]) {
      await assert.rejects(pull.receiveMany(bad as never), zmq("EINVAL"), String(bad));
      assert.throws(() => pull.receiveManySync(bad as never), zmq("EINVAL"), String(bad));
    }
  });

  for (const distance of DISTANCES) {
    play(`random messages arrive as they were sent, ${distance}`, async (g, t) => {
      const random = new Random();
      t.diagnostic(`THREADMQ_SEED=${random.seed}`);
      const pull = await g.pull();
      await pull.bind("inproc://a");
      const push = await g.push({}, far(g, distance));
      await push.connect("inproc://a");
      // Sizes on and beside the edges: of words, of what lies inline, of chunks.
      const sizes = [
        0, 1, 3, 4, 5, 63, 64, 65, 1000, 4095, 4096, 4097, 8192, 65_535, 65_536, 70_000,
      ];
      const letters = "abcdefghijklmnopqrstuvwxyz";
      for (let round = 0; round < 30; round++) {
        const batch = Array.from({ length: 1 + random.next(20) }, () =>
          Array.from({ length: 1 + random.next(6) }, () =>
            random.pick([...letters]).repeat(random.pick(sizes)),
          ),
        );
        await push.send(batch, random.pick(["promise", "sync", "try"]));
        const got = await pull.receive(batch.length, random.pick(["promise", "sync", "try"]));
        assert.deepEqual(
          got,
          batch.map((parts) => parts.join("|")),
        );
      }
    });
  }

  test("a message may have thousands of parts", async () => {
    const { push, pull } = pair();
    const parts = Array.from({ length: 20_000 }, (_, i) => `${i}`);
    await push.send(parts);
    assert.deepEqual((await pull.receive()).map(String), parts);
  });
});

describe("EMSGSIZE: a message that can never be stored", () => {
  const huge = Buffer.alloc(32 << 20);
  const BAD: Record<string, MessageLike> = {
    "one part": huge,
    "the second of two parts": ["first", huge],
    "the first of two parts": [huge, "second"],
    "the last of many small and large ones": [...Array(100).fill("x"), Buffer.alloc(5000), huge],
    text: "x".repeat(32 << 20),
    "all parts together": Array(40).fill(Buffer.alloc(1 << 20)),
  };
  for (const [name, bad] of Object.entries(BAD)) {
    test(`N1: ${name} is refused by every call, and nothing is left of it`, async () => {
      const { context, push, pull } = pair({ maxMemory: 16 << 20 });
      const used = context.stats().memory.used;
      for (const [how, send] of Object.entries(SENDS)) {
        await assert.rejects(async () => send(push, bad), zmq("EMSGSIZE"), how);
        assert.equal(pull.tryReceive(), undefined, how);
        await send(push, Buffer.from("good"));
        assert.deepEqual(pull.tryReceive()?.map(String), ["good"], how);
      }
      assert.ok(context.stats().memory.used <= used + (1 << 18), "its memory was given back");
    });
  }

  test("it is refused also while others wait, and those go on", async () => {
    const { push, pull } = pair({ maxMemory: 16 << 20 });
    push.sendHighWaterMark = 1;
    pull.receiveHighWaterMark = 1;
    push.sendSync("1");
    push.sendSync("2");
    const third = push.send("3");
    const bad = assert.rejects(push.send(["x", huge]), zmq("EMSGSIZE"));
    const fourth = push.send("4");
    const got = [];
    for (let i = 0; i < 4; i++) got.push((await pull.receive()).map(String).join("|"));
    await Promise.all([third, bad, fourth]);
    assert.deepEqual(got, ["1", "2", "3", "4"]);
  });

  test("the largest message that fits alone is sent", async () => {
    const { context, push, pull } = pair({ maxMemory: 16 << 20 });
    const most = context.stats().memory;
    const large = Buffer.alloc(most.max - most.used - (1 << 20), 7);
    for (let i = 0; i < 3; i++) {
      assert.equal(push.trySend(large), true);
      assert.ok(pull.tryReceive()?.[0]?.equals(large));
    }
  });
});
