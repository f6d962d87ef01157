// SPDX-License-Identifier: MIT

/**
 * The ring of messages on disk, by itself. The nine faults are those of ZeroMQ 2.1's swap; what
 * concerns more than the ring is in writer_swap.test.ts and in test/api/swap.test.ts.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { ZmqError } from "../base/index.ts";
import { LENGTH, MORE, RECORD_HEAD, recordWords } from "../queue/index.ts";
import { checkAll, FakeFiles } from "../testing/index.ts";
import { BLOCK_BYTES, SWAP_OVERHEAD, Swap } from "./swap.ts";

const NO_LIMIT = Number.MAX_SAFE_INTEGER;

function createRig(blockBytes = 128) {
  const files = new FakeFiles();
  const lost: [count: number, code: string][] = [];
  const note = (count: number, { code }: ZmqError) => lost.push([count, code]);
  const swap = new Swap(files, note, blockBytes);
  return {
    files,
    lost,
    swap,
    store: (message: readonly (string | Uint8Array)[], limit = NO_LIMIT) =>
      swap.store(message, limit, "here"),
    /** Takes the next message; undefined if there is none. */
    take(): string[] | undefined {
      if (!swap.ready()) return undefined;
      const message = read(swap);
      swap.shift();
      return message;
    },
    takeAll(): string[] {
      const all: string[] = [];
      for (let one = this.take(); one !== undefined; one = this.take()) all.push(one.join("|"));
      return all;
    },
    get written(): number {
      return files.files.reduce((sum, { writes }) => sum + writes, 0);
    },
  };
}

/** What is ready, as the parts it was made of. */
function read({ words, at, size }: Swap): string[] {
  const parts: string[] = [];
  for (let from = at; from < at + size; ) {
    const length = words[from + LENGTH];
    const start = words.byteOffset + (from + RECORD_HEAD) * 4;
    parts.push(Buffer.from(words.buffer, start, length).toString("latin1"));
    const more = from + recordWords(length) < at + size ? MORE : 0;
    assert.equal(words[from + 1], more, "flags");
    from += recordWords(length);
  }
  return parts;
}

/** How many bytes a message takes. */
function bytesOf(...lengths: number[]): number {
  return SWAP_OVERHEAD + 4 * lengths.reduce((sum, length) => sum + recordWords(length), 0);
}

/** A body of so many bytes that is like no other. */
function body(length: number, number: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (number * 31 + i * 7 + (i >> 3)) & 0xff);
}

const latin = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe("a swap", () => {
  it("is a plain list, whatever is stored and taken, over every border (P2)", () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.array(fc.nat(300), { minLength: 1, maxLength: 4 }) },
      { weight: 3, arbitrary: fc.nat(9) }, // Take so many.
      { weight: 1, arbitrary: fc.constantFrom("full disk", "look") },
    );
    const sizes = fc.constantFrom(64, 72, 128, 256, 1024);
    const property = fc.property(sizes, fc.array(step, { maxLength: 80 }), (size, steps) => {
      const rig = createRig(size);
      const list: string[][] = [];
      let number = 0;
      for (const each of steps) {
        if (each === "look")
          rig.swap.ready(); // What is ready stays so while others are stored.
        else if (typeof each === "number") {
          for (const _ of upTo(each)) assert.deepEqual(rig.take(), list.shift());
        } else {
          const lengths = each === "full disk" ? [200, 700] : each;
          const parts = lengths.map((length) => body(length, ++number));
          if (each === "full disk") rig.files.writesLeft = number % 3;
          try {
            assert.ok(rig.store(parts));
            list.push(parts.map(latin));
          } catch (error) {
            assert.equal((error as ZmqError).code, "ENOSPC");
          }
          rig.files.writesLeft = Number.POSITIVE_INFINITY;
        }
        assert.equal(rig.swap.count, list.length);
      }
      while (list.length > 0) assert.deepEqual(rig.take(), list.shift());
      assert.equal(rig.take(), undefined);
      assert.deepEqual(rig.lost, []);
      assert.equal(rig.swap.used, 0);
    });
    checkAll("swap", 600, property);
  });

  it("P1: each record has its magic, sequence, length, flags and checksum", () => {
    const rig = createRig(1024);
    for (const number of upTo(3)) rig.store([body(20, number)]);
    rig.swap.ready();
    const { words, at, size } = rig.swap;
    for (const number of upTo(3)) {
      const from = at - 4 + (number * bytesOf(20)) / 4;
      const [magic, sequence, length, flags] = words.subarray(from, from + 4);
      assert.equal(Buffer.from(Int32Array.of(magic as number).buffer).toString(), "SWAP");
      assert.deepEqual([sequence, length, flags], [number, size, 0]);
      assert.notEqual(words[from + 4 + size], 0);
    }
  });

  it("P1: no bit that changes on the disk goes unseen, and no garbled message comes out", () => {
    const clean = createRig(256);
    const messages = upTo(12).map((number) => [body(40 + number * 9, number)]);
    for (const message of messages) clean.store(message);
    const [file] = clean.files.files;
    const length = file?.bytes.length as number;
    assert.ok(length >= 4 * 256);
    for (let at = 0; at < length; at++) {
      const rig = createRig(256);
      for (const message of messages) rig.store(message);
      const bytes = rig.files.files[0]?.bytes as Uint8Array;
      bytes[at] = (bytes[at] as number) ^ (1 << (at & 7));
      const all = rig.takeAll();
      const expected = messages.map(([part]) => latin(part as Uint8Array));
      const lost = rig.lost.reduce((sum, [count]) => sum + count, 0);
      assert.equal(all.length + lost, 12, `byte ${at}: all are accounted for`);
      assert.deepEqual(
        all,
        expected.filter((text) => all.includes(text)),
        "in order, as they were",
      );
      // Padding is nobody's; anything else is seen, and costs the messages of one block.
      assert.ok(lost <= 6 && rig.lost.every(([, code]) => code === "EIO"), `byte ${at}`);
    }
  });

  it("P1: a torn tail is detected: a block that was written half", () => {
    const rig = createRig(256);
    for (const number of upTo(12)) rig.store([body(60, number)]);
    const bytes = rig.files.files[0]?.bytes as Uint8Array;
    bytes.fill(0, 256 + 100, 512);
    const all = rig.takeAll();
    assert.ok(rig.lost.length > 0);
    assert.equal(all.length + (rig.lost[0]?.[0] ?? 0), 12);
  });

  it("P1: a block of an earlier lap is known by its sequence", () => {
    const rig = createRig(256);
    const fill = (from: number) => upTo(24).map((n) => rig.store([body(40, from + n)]));
    fill(0);
    const old = rig.files.files[0]?.bytes.slice() as Uint8Array;
    assert.equal(rig.takeAll().length, 24);
    fill(24);
    rig.files.files[0]?.bytes.set(old); // The disk has forgotten the second writing.
    const all = rig.takeAll();
    const texts = upTo(24).map((n) => latin(body(40, 24 + n)));
    assert.ok(all.every((text) => texts.includes(text)));
    assert.equal(all.length + rig.lost.reduce((sum, [count]) => sum + count, 0), 24);
    assert.ok(rig.lost.length > 0);
  });

  it("P5: what cannot be read is told once, counted, and costs no more than its block", () => {
    const rig = createRig(256);
    for (const number of upTo(20)) rig.store([body(60, number)]);
    rig.files.isBad = (position) => position === 2 * 256;
    const all = rig.takeAll();
    const [[count, code] = [0, ""]] = rig.lost;
    assert.equal(rig.lost.length, 1);
    assert.equal(code, "EIO");
    assert.ok(count >= 2 && count <= 4, `${count} lost`);
    const texts = upTo(20).map((number) => latin(body(60, number)));
    const from = texts.findIndex((text) => !all.includes(text));
    texts.splice(from, count);
    assert.deepEqual(all, texts);
    assert.equal(rig.swap.count, 0);
  });

  it("P5: what cannot be read at all is counted to the last", () => {
    const rig = createRig(256);
    for (const number of upTo(20)) rig.store([body(60, number)]);
    rig.files.isBad = () => true;
    const all = rig.takeAll();
    assert.ok(all.length > 0, "head and tail are in memory");
    assert.equal(all.length + rig.lost.reduce((sum, [count]) => sum + count, 0), 20);
  });

  it("P5: a message that meets a full disk is refused; the others stay, or go", () => {
    for (const writes of [0, 1, 2, 3]) {
      const rig = createRig(128);
      for (const number of upTo(4)) rig.store([body(30, number)]);
      rig.files.writesLeft = writes;
      assert.throws(() => rig.store([body(900, 4)]), { code: "ENOSPC" });
      rig.files.writesLeft = Number.POSITIVE_INFINITY;
      rig.store([body(900, 5)]);
      assert.deepEqual(rig.takeAll(), [
        ...upTo(4).map((number) => latin(body(30, number))),
        latin(body(900, 5)),
      ]);
      assert.deepEqual(rig.lost, []);
    }
  });

  it("P7: a send seldom touches the disk, and what never left memory is never written", () => {
    const rig = createRig(4096);
    const per = Math.floor(4096 / bytesOf(8));
    for (const _ of upTo(2 * per)) rig.store([body(8, 1)]);
    assert.equal(rig.written, 0);
    assert.equal(rig.files.files.length, 0, "not even a file is made");
    for (const _ of upTo(10 * per)) rig.store([body(8, 1)]);
    assert.ok(rig.written > 8 && rig.written <= 10, `${rig.written} writes for ${10 * per} sends`);
  });

  it("P8: the file is cut when the swap is empty, and closed with it", () => {
    const rig = createRig(128);
    for (const _ of upTo(20)) rig.store([body(60, 1)]);
    const [file] = rig.files.files;
    assert.ok((file?.bytes.length ?? 0) > 0);
    rig.takeAll();
    rig.swap.trim();
    assert.equal(file?.bytes.length, 0);
    for (const _ of upTo(20)) rig.store([body(60, 1)]);
    rig.swap.close();
    assert.equal(file?.isOpen, false);
    assert.equal(rig.swap.count, 0);
    assert.equal(rig.files.files.length, 1);
  });

  for (const lengths of [[0], [1], [8], [9], [1000], [3, 0, 77]]) {
    it(`P9: its limit is exact, for parts of ${lengths.join(", ")} bytes`, () => {
      const size = bytesOf(...lengths);
      const message = lengths.map((length) => body(length, 7));
      const roomFor = (limit: number): number => {
        const rig = createRig(64);
        let count = 0;
        while (rig.store(message, limit)) count++;
        assert.equal(rig.takeAll().length, count);
        for (const _ of upTo(count)) assert.ok(rig.store(message, limit), "the room comes back");
        assert.equal(rig.store(message, limit), false);
        return count;
      };
      for (const count of [1, 2, 5]) {
        const limit = count * size;
        assert.deepEqual([limit - 1, limit, limit + 1].map(roomFor), [count - 1, count, count]);
      }
    });
  }

  it("uses a place again when its block was read: the file is as long as the backlog", () => {
    const rig = createRig(128);
    for (const number of upTo(10)) rig.store([body(60, number)]);
    const [file] = rig.files.files;
    const length = file?.bytes.length as number;
    for (const number of upTo(500)) {
      assert.equal(rig.take()?.[0], latin(body(60, number)));
      rig.store([body(60, number + 10)]);
    }
    assert.ok((file?.bytes.length as number) <= length + 2 * 128);
  });

  it("says which messages have bodies that need a block of their own", () => {
    const rig = createRig();
    for (const length of [4096, 4097, 5]) rig.store(["head", body(length, 1)]);
    for (const expected of [false, true, false]) {
      assert.ok(rig.swap.ready());
      assert.equal(rig.swap.large, expected);
      rig.swap.shift();
    }
  });

  it("has few blocks in memory, however much it holds (I4)", () => {
    const files = new FakeFiles();
    // Nothing of what is written stays: only the swap itself can hold memory.
    const sink = { readAt() {}, writeAt() {}, truncate() {}, close() {} };
    files.open = () => sink as never;
    const swap = new Swap(files, () => {});
    const message = [new Uint8Array(64 << 10)];
    swap.store(message, NO_LIMIT, "");
    const before = process.memoryUsage().arrayBuffers;
    for (const _ of upTo(1000)) swap.store(message, NO_LIMIT, "");
    const grown = process.memoryUsage().arrayBuffers - before;
    assert.ok(grown <= 4 * BLOCK_BYTES, `${grown} bytes for 64 MiB`);
    swap.close();
  });
});

describe("what was wrong with the swap of ZeroMQ 2.1, and is not here", () => {
  it("fault 1: nearly full is no special case: the store refuses, and the rest stays", () => {
    const rig = createRig(64);
    const limit = 1000;
    let count = 0;
    for (let length = 1; length < 200; length++) {
      if (rig.store([body(length, length)], limit)) count++;
    }
    assert.ok(limit - rig.swap.used < bytesOf(199));
    assert.equal(rig.store([body(limit, 1)], limit), false);
    assert.equal(rig.takeAll().length, count);
  });

  it("fault 2: the caller's message stays as it is: it can be stored in another swap too", () => {
    const [first, second] = [createRig(), createRig()];
    const message = ["a", body(300, 1), ""];
    first.store(message);
    second.store(message);
    assert.deepEqual(first.take(), second.take());
    assert.deepEqual(message, ["a", body(300, 1), ""]);
  });

  it("fault 4: a partial message is never read back, wherever the writing breaks off", () => {
    for (const writes of upTo(6)) {
      const rig = createRig(64);
      rig.store(["before"]);
      rig.files.writesLeft = writes;
      const parts = [body(200, 1), body(200, 2)];
      assert.throws(() => rig.store(parts), { code: "ENOSPC" }, `after ${writes} writes`);
      assert.deepEqual(rig.takeAll(), ["before"]);
      assert.equal(rig.swap.count, 0);
    }
  });

  it("fault 5: undoing across the border of a block leaves the block as it was", () => {
    const rig = createRig(64);
    const list: string[] = [];
    for (const number of upTo(300)) {
      rig.files.writesLeft = number % 4;
      const part = body(1 + ((number * 37) % 150), number);
      try {
        if (rig.store([part])) list.push(latin(part));
      } catch {
        // Undone.
      }
      rig.files.writesLeft = Number.POSITIVE_INFINITY;
      if (number % 3 === 0) assert.equal(rig.take()?.[0], list.shift());
    }
    assert.deepEqual(rig.takeAll(), list);
    assert.deepEqual(rig.lost, []);
  });
});
