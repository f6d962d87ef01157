// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MAX_MEMORY_LIMIT } from "../base/index.ts";
import { Arena, copyWords, countAndNote, counted, firstPage } from "./arena.ts";
import type { Addr } from "./atomics.ts";
import {
  LAYOUT,
  LAYOUT_VERSION,
  MAGIC,
  PAGE_BYTES,
  SLOT_DROPPED,
  SLOT_RECEIVED,
  SLOT_SENT,
  slotAt,
} from "./layout.ts";

const MAX = 1 << 24;

describe("a new arena", () => {
  it("is as large as asked for, and grows up to its maximum", () => {
    const arena = Arena.create(1 << 20, MAX);
    assert.equal(arena.buffer.byteLength, 1 << 20);
    assert.equal(arena.maxBytes, MAX);
    assert.equal(arena.buffer.maxByteLength, MAX);
    arena.grow(MAX);
    assert.equal(arena.bytes.length, MAX);
    assert.equal(arena.grow(MAX + 1), false);
    assert.equal(arena.bytes.length, MAX);
  });

  it("has whole pages at most", () => {
    assert.equal(Arena.create(0, MAX + PAGE_BYTES - 1).maxBytes, MAX);
  });

  it("has room for some pages, however little is asked for at first", () => {
    const arena = Arena.create(0, MAX);
    assert.ok(arena.bytes.length >= (firstPage(MAX / PAGE_BYTES) + 1) * PAGE_BYTES);
  });

  it("never begins larger than its maximum", () => {
    assert.equal(Arena.create(MAX * 2, MAX).buffer.byteLength, MAX);
  });

  it("can be as small as the error says", () => {
    let least = 0;
    try {
      Arena.create(0, 1);
    } catch (error) {
      least = Number(/from (\d+) to/.exec(String(error))?.[1]);
    }
    assert.ok(least > 0);
    assert.equal(Arena.create(0, least).maxBytes, least);
    assert.throws(() => Arena.create(0, least - 1), { code: "EINVAL" });
  });

  for (const bad of [
    0,
    -1,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 31,
    MAX_MEMORY_LIMIT + 1,
  ]) {
    it(`is not made with a maximum of ${bad}`, () => {
      assert.throws(() => Arena.create(0, bad), { code: "EINVAL" });
    });
  }

  it("has an id of its own", () => {
    const ids = new Set(Array.from({ length: 20 }, () => Arena.create(0, MAX).id));
    assert.equal(ids.size, 20);
    for (const id of ids) assert.match(id, /^[0-9a-f]{16}$/);
  });
});

describe("an arena that is opened", () => {
  it("is the one that was made", () => {
    const made = Arena.create(0, MAX);
    const opened = Arena.open(made.buffer);
    assert.equal(opened.id, made.id);
    assert.equal(opened.maxBytes, made.maxBytes);
    made.words[100_000 % made.words.length] = 17;
    assert.equal(opened.words[100_000 % made.words.length], 17);
  });

  const no = [undefined, null, {}, 5, "x", new ArrayBuffer(MAX), new SharedArrayBuffer(64)];
  for (const [index, handle] of no.entries()) {
    it(`is not a bad handle (${index}: ${Object.prototype.toString.call(handle)})`, () => {
      assert.throws(() => Arena.open(handle), { code: "EINVAL" });
    });
  }

  it("is not one of another layout, and the error names both", () => {
    const { buffer, words } = Arena.create(0, MAX);
    words[LAYOUT] = LAYOUT_VERSION + 5;
    const hint = new RegExp(`layout is ${LAYOUT_VERSION + 5}, ours ${LAYOUT_VERSION}`);
    assert.throws(() => Arena.open(buffer), { code: "ENOCOMPATPROTO", hint });
  });

  it("is not any other shared memory", () => {
    const { buffer, words } = Arena.create(0, MAX);
    words[MAGIC] = 0;
    assert.throws(() => Arena.open(buffer), { code: "ENOCOMPATPROTO" });
    assert.throws(() => Arena.open(new SharedArrayBuffer(MAX)), { code: "ENOCOMPATPROTO" });
  });
});

describe("reach", () => {
  it("takes new views if another thread has grown the arena, and only then", () => {
    const mine = Arena.create(0, MAX);
    const theirs = Arena.open(mine.buffer);
    const { words } = mine;
    const before = words.length;
    theirs.grow(MAX);
    assert.equal(mine.reach(before - 1), before - 1);
    assert.equal(mine.words, words);
    assert.equal(mine.reach(before), before);
    assert.equal(mine.words.length, MAX / 4);
    assert.equal(mine.bytes.length, MAX);
    words[5000] = 1;
    assert.equal(mine.words[5000], 1, "a view once taken stays good");
  });

  it("refuses what lies in no arena", () => {
    const arena = Arena.create(0, MAX);
    assert.throws(() => arena.reach(arena.words.length), /an address lies in the arena/);
    assert.throws(() => arena.reach(-4), /an address lies in the arena/);
  });

  it("has nothing to do with growing by less than there is", () => {
    const arena = Arena.create(1 << 20, MAX);
    arena.grow(1 << 19);
    assert.equal(arena.buffer.byteLength, 1 << 20);
  });
});

describe("the counters of a slot", () => {
  it("are separate, and of 64 bits", () => {
    const arena = Arena.create(0, MAX);
    const add = (at: Addr, by: number) => {
      countAndNote(arena, at, by, slotAt(5), by);
      assert.equal(arena.words[slotAt(5)], by);
    };
    add(slotAt(3) + SLOT_SENT, 2 ** 31 - 1);
    add(slotAt(3) + SLOT_SENT, 2 ** 31 - 1);
    add(slotAt(3) + SLOT_SENT, 1);
    assert.equal(counted(arena, slotAt(3) + SLOT_SENT), 2 ** 32 - 1);
    add(slotAt(3) + SLOT_SENT, 1);
    assert.equal(counted(arena, slotAt(3) + SLOT_SENT), 2 ** 32);
    add(slotAt(3) + SLOT_SENT, 0);
    add(slotAt(3) + SLOT_RECEIVED, 7);
    add(slotAt(3) + SLOT_DROPPED, 9);
    assert.equal(counted(arena, slotAt(3) + SLOT_SENT), 2 ** 32);
    assert.equal(counted(arena, slotAt(3) + SLOT_RECEIVED), 7);
    assert.equal(counted(arena, slotAt(3) + SLOT_DROPPED), 9);
    assert.equal(counted(arena, slotAt(4) + SLOT_SENT), 0);
  });
});

describe("words that are copied", () => {
  it("are these, however many, and no others", () => {
    const from = Int32Array.from({ length: 128 }, (_, index) => index + 1);
    for (let size = 0; size <= 64; size += 2) {
      const to = new Int32Array(128);
      copyWords(to, 10, from, 4, size);
      const expected = new Int32Array(128);
      expected.set(from.subarray(4, 4 + size), 10);
      assert.deepEqual(to, expected, `${size} words`);
    }
  });
});
