// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Addr, load, MEMORY_WANTED, PAGES_LOCK, PAGES_USED } from "../memory/index.ts";
import { BODY_HEAD, INLINE_BYTES } from "../queue/index.ts";
import { assertFreed, checkAll, createArena, createPair, createThread } from "../testing/index.ts";
import type { Message, MessageLike, Part } from "./message.ts";
import { Slab } from "./slab.ts";

function createRig(maxBytes = 1 << 26) {
  const arena = createArena({ maxBytes });
  const sender = createThread(arena, 1);
  const receiver = createThread(arena, 2);
  const base = sender.pool.pages.usedBytes;
  const slab = new Slab(receiver.host);
  const pair = createPair(sender, receiver, { slab, sendHighWaterMark: 0 });
  return {
    ...pair,
    arena,
    sender,
    /** Sends a message through the pipe. */
    pass(message: MessageLike): Message | undefined {
      assert.equal(pair.writer.write(message), true);
      pair.writer.flush();
      const received = pair.reader.read();
      pair.reader.release();
      return received;
    },
    end() {
      assert.equal(pair.reader.read(), undefined);
      pair.close();
      assertFreed(base, sender.pool, receiver.pool);
    },
  };
}

/** Bytes that tell one place from another. */
function bytesOf(length: number, salt = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = Math.imul(i + salt + 1, 0x9e3779b1) >>> 24;
  return bytes;
}

function assertMessage(received: Message | undefined, expected: Uint8Array[]): void {
  assert.equal(received?.length, expected.length);
  for (const [index, part] of expected.entries()) {
    const got = received?.[index] as Buffer;
    assert.ok(Buffer.isBuffer(got));
    assert.equal(got.length, part.length);
    assert.equal(Buffer.compare(got, part), 0, `part ${index} of ${part.length} bytes`);
    assert.equal(got.byteOffset % 8, 0, "a body lies on 8 bytes");
  }
}

const around = (size: number): number[] => [-9, -8, -1, 0, 1, 7, 8, 9].map((more) => size + more);

describe("a message of one part", () => {
  it("comes as it went, of every size to 200 bytes, alone and in a row", () => {
    const rig = createRig();
    for (let size = 0; size <= 200; size++) assertMessage(rig.pass(bytesOf(size)), [bytesOf(size)]);
    for (let size = 0; size <= 200; size++) rig.writer.write(bytesOf(size, 3));
    rig.writer.flush();
    for (let size = 0; size <= 200; size++) assertMessage(rig.reader.read(), [bytesOf(size, 3)]);
    rig.end();
  });

  // A run is copied at a time, 2048 words; bodies beyond INLINE_BYTES have a block of their own.
  const sizes = [...around(INLINE_BYTES), ...around(8192), 65_535, 65_536, 65_537, 1 << 20];
  for (const size of sizes) {
    it(`comes as it went, of ${size} bytes`, () => {
      const rig = createRig();
      rig.pass("warm");
      assertMessage(rig.pass(bytesOf(size)), [bytesOf(size)]);
      rig.writer.write("before");
      rig.writer.write([bytesOf(size)]);
      rig.writer.write("after");
      rig.writer.flush();
      assertMessage(rig.reader.read(), [Buffer.from("before")]);
      assertMessage(rig.reader.read(), [bytesOf(size)]);
      assertMessage(rig.reader.read(), [Buffer.from("after")]);
      rig.end();
    });
  }

  const source = bytesOf(64);
  const shared = new SharedArrayBuffer(24);
  new Uint8Array(shared).set(bytesOf(24));
  const kinds: Record<string, [Part, Uint8Array]> = {
    "null, which is empty": [null, new Uint8Array(0)],
    "an empty text": ["", new Uint8Array(0)],
    "a Buffer": [Buffer.from(source), source],
    "an ArrayBuffer": [source.buffer, source],
    "an empty ArrayBuffer": [new ArrayBuffer(0), new Uint8Array(0)],
    "a SharedArrayBuffer": [shared, bytesOf(24)],
    "a view at an odd offset": [source.subarray(3, 20), source.slice(3, 20)],
    "a DataView at an odd offset": [new DataView(source.buffer, 5, 31), source.slice(5, 36)],
    "an Int16Array": [new Int16Array(source.buffer, 2, 9), source.slice(2, 20)],
    "a Float64Array": [new Float64Array(source.buffer, 8, 3), source.slice(8, 32)],
    "a clamped array": [new Uint8ClampedArray(source.buffer, 1, 7), source.slice(1, 8)],
    "a BigInt64Array": [new BigInt64Array(source.buffer, 16, 2), source.slice(16, 32)],
    "a view of shared memory": [new Uint8Array(shared, 3, 9), bytesOf(24).slice(3, 12)],
    "a large DataView": [new DataView(new ArrayBuffer(9001), 1), new Uint8Array(9000)],
    "a large ArrayBuffer": [bytesOf(70_001).buffer, bytesOf(70_001)],
  };
  for (const [kind, [part, bytes]] of Object.entries(kinds)) {
    it(`may be ${kind}, alone or among others`, () => {
      const rig = createRig();
      assertMessage(rig.pass(part), [bytes]);
      assertMessage(rig.pass([part]), [bytes]);
      assertMessage(rig.pass(["x", part, "y"]), [Buffer.from("x"), bytes, Buffer.from("y")]);
      rig.end();
    });
  }

  it("holds numbers that can be read in place", () => {
    const rig = createRig();
    const numbers = Float64Array.of(Math.PI, -0, 1e300);
    for (const size of [0, 1, 2, 3, 5000]) {
      const [, part] = rig.pass([bytesOf(size), numbers]) as [Buffer, Buffer];
      assert.deepEqual(new Float64Array(part.buffer, part.byteOffset, 3), numbers);
    }
    rig.end();
  });

  it("is copied: what happens to it afterwards is nobody's affair", () => {
    const rig = createRig();
    for (const size of [5, 50, 5000]) {
      const bytes = bytesOf(size);
      rig.writer.write(bytes);
      bytes.fill(0);
      rig.writer.flush();
      const received = rig.reader.read() as Message;
      assertMessage(received, [bytesOf(size)]);
      const kept = received.slice();
      rig.pass(bytesOf(size, 9));
      assertMessage(kept, [bytesOf(size)]);
    }
    rig.end();
  });
});

describe("a text", () => {
  const texts = {
    ascii: "hello",
    "ascii of 64": "a".repeat(64),
    "ascii of 65": "a".repeat(65),
    latin: "grüße",
    "latin of 64": "é".repeat(64),
    cjk: "漢字".repeat(20),
    "an emoji": "👩‍👩‍👧",
    "half a pair": "a\ud800b",
    "a control character": "\u0000\u007f\u0080",
    "long ascii": "x".repeat(5000),
    "long emoji": "🎈".repeat(3000),
  };
  for (const [name, text] of Object.entries(texts)) {
    it(`goes as UTF-8: ${name}`, () => {
      const rig = createRig();
      assertMessage(rig.pass(text), [Buffer.from(text)]);
      assertMessage(
        rig.pass(["1", text, "2"]),
        ["1", text, "2"].map((part) => Buffer.from(part)),
      );
      rig.end();
    });
  }

  it("of any characters goes as UTF-8", () => {
    const rig = createRig();
    const text = fc.string({ unit: "binary", maxLength: 100 });
    checkAll(
      "message",
      300,
      fc.property(text, (text) => assertMessage(rig.pass(text), [Buffer.from(text)])),
    );
    rig.end();
  });
});

describe("a message of several parts", () => {
  it("comes whole, of 1 to 50 parts of any size, with others around it", () => {
    const size = fc.oneof(
      { weight: 5, arbitrary: fc.integer({ min: 0, max: 100 }) },
      { weight: 2, arbitrary: fc.integer({ min: 100, max: INLINE_BYTES }) },
      { weight: 1, arbitrary: fc.integer({ min: INLINE_BYTES, max: 20_000 }) },
    );
    const message = fc.array(size, { minLength: 1, maxLength: 50 });
    const property = fc.property(fc.array(message, { maxLength: 8 }), fc.nat(8), (messages, at) => {
      const rig = createRig();
      const sent = messages.map((sizes, salt) => sizes.map((size) => bytesOf(size, salt)));
      let read = 0;
      for (const [index, parts] of sent.entries()) {
        assert.ok(rig.writer.write(parts));
        if (index === at) rig.writer.flush();
        if (index === at) assertMessage(rig.reader.read(), sent[read++] as Uint8Array[]);
      }
      rig.writer.flush();
      while (read < sent.length) assertMessage(rig.reader.read(), sent[read++] as Uint8Array[]);
      rig.end();
    });
    checkAll("message", 100, property);
  });

  it("comes whole where it lies across the end of a run", () => {
    const rig = createRig();
    // 2048 words are a run: single messages fill it nearly, and the parts lie across its end.
    for (let fill = 1000; fill <= 1024; fill++) {
      for (let i = 0; i < fill / 8; i++) rig.writer.write(bytesOf(56));
      const parts = [bytesOf(30), bytesOf(0), bytesOf(9), bytesOf(60)];
      rig.writer.write(parts);
      rig.writer.write(parts);
      rig.writer.flush();
      for (let i = 0; i < fill / 8; i++) assertMessage(rig.reader.read(), [bytesOf(56)]);
      assertMessage(rig.reader.read(), parts);
      assertMessage(rig.reader.read(), parts);
      rig.pass(bytesOf(fill % 32));
    }
    rig.end();
  });
});

describe("what is no message", () => {
  const detached = new ArrayBuffer(8);
  structuredClone(detached, { transfer: [detached] });
  const wrong: Record<string, unknown> = {
    "no parts": [],
    undefined: undefined,
    "a number": 5,
    "an object": {},
    "a number as a part": ["a", 5],
    "a list as a part": ["a", ["b"]],
    "a part that is missing": ["a", undefined],
    "a hole": new Array(2),
  };
  for (const [name, message] of Object.entries(wrong)) {
    it(`is refused with EINVAL, and leaves nothing behind: ${name}`, () => {
      const rig = createRig();
      rig.writer.write("before");
      assert.throws(() => rig.writer.write(message as MessageLike), { code: "EINVAL" });
      rig.writer.write("after");
      rig.writer.flush();
      assert.equal(rig.connecter.queuedOut, 2);
      assertMessage(rig.reader.read(), [Buffer.from("before")]);
      assertMessage(rig.reader.read(), [Buffer.from("after")]);
      rig.end();
    });
  }

  it("leaves nothing behind if one of its parts was transferred away", () => {
    const rig = createRig();
    assert.throws(() => rig.writer.write(["first", bytesOf(9000), detached]));
    assertMessage(rig.pass("after"), [Buffer.from("after")]);
    rig.end();
  });
});

describe("a message that is too large for its context", () => {
  it("is refused with EMSGSIZE, and leaves nothing behind", () => {
    const rig = createRig(1 << 20);
    const used = rig.arena.words[PAGES_USED];
    const large = new Uint8Array(1 << 20);
    assert.throws(() => rig.writer.write(large), { code: "EMSGSIZE" });
    assert.throws(() => rig.writer.write(["a", large]), { code: "EMSGSIZE" });
    assert.throws(() => rig.writer.write([bytesOf(9000), large, "b"]), { code: "EMSGSIZE" });
    rig.sender.pool.trim();
    assert.equal(rig.arena.words[PAGES_USED], used);
    assertMessage(rig.pass("after"), [Buffer.from("after")]);
    rig.end();
  });

  it("is refused also if only all its parts together are", () => {
    const rig = createRig(1 << 20);
    const parts = Array.from({ length: 40 }, () => bytesOf(40_000));
    assert.throws(() => rig.writer.write(parts), { code: "EMSGSIZE" });
    assertMessage(rig.pass("after"), [Buffer.from("after")]);
    rig.end();
  });

  it("is taken or refused, whatever its size, by a context that holds nothing else", () => {
    const largest = createRig(1 << 20).sender.pool.pages.mostWords * 4;
    const undecided: number[] = [];
    for (let size = largest - 10 * 16_384; size <= largest + 5 * 16_384; size += 4096) {
      const rig = createRig(1 << 20);
      try {
        if (!rig.writer.write(new Uint8Array(size))) undecided.push(size);
      } catch {
        // Refused: that is an answer.
      }
    }
    assert.deepEqual(undecided, [], "these would be waited for for ever");
  });

  it("is taken or refused, however its bodies are cut", () => {
    const undecided: string[] = [];
    for (const bytes of [4097, 4100, 9000, 20_000, 100_000]) {
      for (let count = 1; count * bytes < 1 << 20; count++) {
        const rig = createRig(1 << 20);
        try {
          if (!rig.writer.write(new Array(count).fill(bytesOf(bytes)))) {
            undecided.push(`${count} × ${bytes}`);
          }
        } catch {
          // Refused: that is an answer.
        }
      }
    }
    assert.deepEqual(undecided, [], "these would be waited for for ever");
  });

  it("is refused also if it is so for the number of its parts", () => {
    const rig = createRig(1 << 20);
    const parts = new Array(100_000).fill("x");
    assert.throws(() => rig.writer.write(parts), { code: "EMSGSIZE" });
    rig.end();
  });

  it("is put off if there is only no memory now, and then nothing is written", () => {
    const rig = createRig(1 << 20);
    let written = 0;
    while (rig.writer.write([bytesOf(3000), bytesOf(9000)])) written++;
    assert.ok(written > 10);
    assert.equal(rig.connecter.queuedOut, written);
    rig.writer.flush();
    for (let i = 0; i < written; i++) {
      assertMessage(rig.reader.read(), [bytesOf(3000), bytesOf(9000)]);
    }
    rig.reader.release();
    assertMessage(rig.pass([bytesOf(3000), bytesOf(9000)]), [bytesOf(3000), bytesOf(9000)]);
    rig.end();
  });

  // The message needs four pages for its bodies, then one for a chunk with all its records.
  for (const [free, last] of [
    [0, "the first body"],
    [3, "the last body"],
    [4, "the records"],
  ] as const) {
    it(`is put off if the memory ends before ${last}, and all it had is free again`, () => {
      const rig = createRig(1 << 20);
      const { pool } = rig.sender;
      const parts = Array.from({ length: 44 }, (_, i) => bytesOf(i % 11 === 10 ? 16_000 : 60 + i));
      assert.ok(rig.writer.write("before"));
      const page = 16_000 / 4 + BODY_HEAD;
      const blocks: Addr[] = [];
      for (let at = pool.allocate(page); at !== 0; at = pool.allocate(page)) blocks.push(at);
      for (const block of blocks.splice(0, free)) pool.free(block);
      pool.trim();
      const used = pool.pages.usedBytes;
      for (let i = 0; i < 3; i++) {
        assert.equal(rig.writer.write(parts), false);
        pool.trim();
        assert.equal(pool.pages.usedBytes, used);
      }
      assert.equal(rig.connecter.queuedOut, 1);
      for (const block of blocks.splice(0, 5 - free)) pool.free(block);
      assert.ok(rig.writer.write(parts), "five pages are enough");
      rig.writer.flush();
      assertMessage(rig.reader.read(), [Buffer.from("before")]);
      assertMessage(rig.reader.read(), parts);
      for (const block of blocks) pool.free(block);
      rig.end();
    });
  }

  for (const isWanted of [false, true]) {
    const claim = isWanted ? "nobody could miss it" : "somebody may have begun to wait meanwhile";
    it(`what was put back is ${isWanted ? "not " : ""}told, for ${claim}`, () => {
      const rig = createRig(1 << 20);
      const { pool, arena } = rig.sender;
      const page = 16_000 / 4 + BODY_HEAD;
      const blocks: Addr[] = [];
      for (let at = pool.allocate(page); at !== 0; at = pool.allocate(page)) blocks.push(at);
      for (const block of blocks.splice(0, 2)) pool.free(block);
      pool.trim();
      let told = 0;
      pool.onRelease = () => told++;
      if (isWanted) arena.words[MEMORY_WANTED] = 1;
      const { putBack } = pool;
      pool.putBack = (at) => {
        if (isWanted) assert.notEqual(load(arena.words, PAGES_LOCK), 0, "it is tried alone");
        arena.words[MEMORY_WANTED] = 1; // Another begins to wait.
        putBack.call(pool, at);
      };
      assert.equal(rig.writer.write(new Array(3).fill(bytesOf(16_000))), false);
      assert.equal(told > 0, !isWanted);
      for (const block of blocks) pool.free(block);
      rig.end();
    });
  }
});
