// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { checkAll, createArena } from "../testing/index.ts";
import { Arena, firstPage } from "./arena.ts";
import { store } from "./atomics.ts";
import {
  MAX_PAGES,
  PAGE_BYTES,
  PAGE_HEAD_WORDS,
  PAGE_OWNER,
  PAGE_RUN,
  PAGE_TABLE,
  PAGE_WORDS,
  PAGES_FIRST,
  PAGES_LOCK,
  PAGES_RUN,
  PAGES_SEARCH,
  PAGES_USED,
  PAGES_WORD,
  SLOT_HAND,
  slotAt,
} from "./layout.ts";
import { LEAVE_A_LINK, LEAVE_A_MOVE, LEAVE_NONE, Pages } from "./pages.ts";

/** An arena of so many pages beyond the header, of which `initial` are there at first. */
function arenaOf(pages: number, initial = 16): { arena: Arena; first: number } {
  const first = firstPage(pages + 9);
  const maxBytes = (first + pages) * PAGE_BYTES;
  assert.equal(firstPage(first + pages), first);
  return { arena: Arena.create((first + initial) * PAGE_BYTES, maxBytes), first };
}

describe("runs of pages", () => {
  it("are found by first fit", () => {
    const { arena, first } = arenaOf(64);
    const pages = new Pages(arena, 1, true);
    const [a, b, c] = [pages.allocate(2, 0), pages.allocate(3, 0), pages.allocate(1, 0)] as const;
    assert.deepEqual(
      [a, b, c].map((page) => page / PAGE_WORDS - first),
      [0, 2, 5],
    );
    pages.free(a);
    pages.free(b);
    assert.equal(pages.allocate(4, 0), a, "what is free lies in one piece");
    assert.equal(pages.allocate(2, 0) / PAGE_WORDS - first, 6);
    assert.equal(pages.allocate(1, 0) / PAGE_WORDS - first, 4);
  });

  it("have their owner and their length in their first page", () => {
    const { arena, first } = arenaOf(64);
    const page = new Pages(arena, 7, true).allocate(3, 0);
    assert.equal(arena.words[page + PAGE_OWNER], 7);
    assert.equal(arena.words[page + PAGE_RUN], 3);
    const row = arena.words.slice(PAGE_TABLE + first, PAGE_TABLE + first + 4);
    assert.deepEqual([...row], [8, 8, 8, 0]);
  });

  it("begin at the free end of the arena and go on in what is new", () => {
    const { arena, first } = arenaOf(64, 16);
    const pages = new Pages(arena, 1, true);
    assert.equal(pages.allocate(14, 0) / PAGE_WORDS, first);
    assert.equal(arena.bytes.length, (first + 16) * PAGE_BYTES);
    assert.equal(pages.allocate(10, 0) / PAGE_WORDS, first + 14);
    assert.ok(arena.bytes.length >= (first + 24) * PAGE_BYTES);
  });

  it("tell of growth once for each, when the lock is free again", () => {
    const { arena, first } = arenaOf(64, 16);
    const pages = new Pages(arena, 1, true);
    const sizes: number[] = [];
    pages.onGrown = () => {
      assert.equal(arena.words[PAGES_LOCK], 0);
      sizes.push(arena.buffer.byteLength / PAGE_BYTES);
    };
    while (pages.allocate(1, 0) !== 0);
    assert.ok(sizes.length > 0 && sizes.length < 5);
    assert.deepEqual(sizes, [...new Set(sizes)]);
    assert.equal(sizes.at(-1), first + 64);
  });

  it("tell once that few are left, and again when there were more in between", () => {
    const { arena } = arenaOf(64);
    const one = new Pages(arena, 1, true);
    const other = new Pages(arena, 2, true);
    const left: number[] = [];
    for (const pages of [one, other]) {
      pages.onScarce = () => left.push(64 - arena.words[PAGES_USED] - LEAVE_A_MOVE);
    }
    const all: number[] = [];
    const take = (count: number): void => {
      for (let i = 0; i < count; i++) all.push((i % 2 === 0 ? one : other).allocate(1, 0));
    };
    const give = (count: number): void => {
      for (const page of all.splice(-count)) one.free(page);
    };
    take(47);
    assert.deepEqual(left, []);
    take(17);
    assert.deepEqual(left, [8], "an eighth of 64");
    give(20);
    take(20);
    assert.deepEqual(left, [8], "there was not a quarter in between");
    give(25);
    take(25);
    assert.deepEqual(left, [8, 8]);
  });

  it("are not there when the arena is at its maximum, and are when some come back", () => {
    const { arena, first } = arenaOf(16, 8);
    const pages = new Pages(arena, 1, true);
    const all = Array.from({ length: 16 }, () => pages.allocate(1, 0));
    assert.deepEqual(
      all.map((page) => page / PAGE_WORDS - first),
      all.map((_, index) => index),
    );
    const used = pages.usedBytes;
    assert.equal(used, arena.maxBytes);
    assert.equal(pages.allocate(1, 0), 0);
    assert.equal(pages.allocate(17, 0), 0);
    assert.equal(pages.usedBytes, used);
    pages.free(all[3] as number);
    pages.free(all[5] as number);
    assert.equal(pages.allocate(2, 0), 0);
    assert.equal(pages.allocate(1, 0), all[3]);
    assert.equal(pages.allocate(1, 0), all[5]);
  });

  it("may take all there is, and no page more", () => {
    const { arena, first } = arenaOf(16, 8);
    const pages = new Pages(arena, 1, true);
    assert.equal(pages.allocate(17, 0), 0);
    assert.equal(pages.allocate(16, 0) / PAGE_WORDS, first);
  });

  it("are taken by a thread that has not seen the arena grow", () => {
    const { arena, first } = arenaOf(64, 8);
    const late = new Pages(Arena.open(arena.buffer), 2, true);
    const pages = new Pages(arena, 1, true);
    pages.allocate(30, 0);
    assert.equal(late.allocate(1, 0) / PAGE_WORDS, first + 30);
    assert.equal(late.usedBytes, pages.usedBytes);
  });

  it("count as given back, each time", () => {
    const { arena } = arenaOf(64);
    const pages = new Pages(arena, 1, true);
    const page = pages.allocate(1, 0);
    pages.free(page);
  });

  it("can be handed to another slot, whole (I1)", () => {
    const { arena, first } = arenaOf(64);
    const pages = new Pages(arena, 1, true);
    const [a, b] = [pages.allocate(2, 0), pages.allocate(3, 0)] as const;
    const other = new Pages(arena, 2, true);
    const c = other.allocate(1, 0);
    pages.lock.hold(() => {
      assert.deepEqual(pages.ownedLocked(1), [a, b]);
      assert.deepEqual(pages.ownedLocked(2), [c]);
      pages.assignLocked(b, 2);
      assert.deepEqual(pages.ownedLocked(1), [a]);
      assert.deepEqual(pages.ownedLocked(2), [b, c]);
      assert.deepEqual(pages.ownedLocked(0), []);
    });
    const row = arena.words.slice(PAGE_TABLE + first, PAGE_TABLE + first + 7);
    assert.deepEqual([...row], [2, 2, 3, 3, 3, 3, 0]);
  });

  it("that a dead thread had given back, or not taken yet, are not in its hand", () => {
    const { arena } = arenaOf(64);
    const dead = 3;
    const pages = new Pages(arena, 1, true, (slot) => slot === dead);
    const page = pages.allocate(1, 0, 0, 1);
    const block = page + PAGE_HEAD_WORDS;
    const hand = slotAt(dead) + SLOT_HAND;
    // It died in the section, before it came to its hand, or to the table.
    pages.free(page);
    arena.words[hand] = block;
    store(arena.words, PAGES_LOCK, dead + 1);
    assert.equal(pages.allocate(1, 0, 0, 1), page);
    assert.equal(arena.words[hand], 0, "else it would be freed under its new owner");
    // What is in use stays in the hand.
    arena.words[hand] = block;
    store(arena.words, PAGES_LOCK, dead + 1);
    pages.allocate(1, 0);
    assert.equal(arena.words[hand], block);
  });

  it("are what a list of pages says, whatever is taken and given back (I1, I2, I3)", () => {
    const step = fc.oneof(
      fc.record({ slot: fc.integer({ min: 1, max: 3 }), run: fc.integer({ min: 1, max: 9 }) }),
      fc.record({ free: fc.nat(100) }),
    );
    const steps = fc.array(step, { maxLength: 80 });
    checkAll("pages", 150, fc.property(steps, fc.integer({ min: 0, max: 40 }), checkAgainstModel));
  });
});

type Step = { slot: number; run: number } | { free: number };

function checkAgainstModel(steps: Step[], initial: number): void {
  const { arena, first } = arenaOf(40, initial);
  const threads = [1, 2, 3].map((slot) => new Pages(Arena.open(arena.buffer), slot, true));
  const model: number[] = new Array(40).fill(0);
  const runs: { page: number; run: number }[] = [];
  for (const step of steps) {
    if ("run" in step) {
      const { slot, run } = step;
      const at = model.findIndex((_, from) =>
        Array.from({ length: run }).every((_, index) => model[from + index] === 0),
      );
      const page = (threads[slot - 1] as Pages).allocate(run, 0);
      assert.equal(page, at < 0 ? 0 : (first + at) * PAGE_WORDS);
      if (page !== 0) {
        model.fill(slot + 1, at, at + run);
        runs.push({ page, run });
      }
    } else if (runs.length > 0) {
      const [gone] = runs.splice(step.free % runs.length, 1) as [{ page: number; run: number }];
      const freeing = threads[step.free % 3] as Pages;
      freeing.ownedLocked(1); // Any thread may free what it has seen.
      freeing.free(gone.page);
      const at = gone.page / PAGE_WORDS - first;
      model.fill(0, at, at + gone.run);
    }
    const { words } = arena;
    const table = [...words.slice(PAGE_TABLE + first, PAGE_TABLE + first + 40)];
    assert.deepEqual(table, model, "I1");
    const search = Math.max(words[PAGES_SEARCH], first) - first;
    assert.ok(
      model.slice(0, search).every((word) => word !== 0),
      "I2",
    );
    assert.equal(words[PAGES_USED], model.filter((word) => word !== 0).length, "I3");
    assert.equal(words[MAX_PAGES], first + 40);
  }
  for (const { page } of runs) {
    arena.refresh();
    new Pages(arena, 9, true).free(page);
  }
  assert.equal(new Pages(arena, 9, true).usedBytes, first * PAGE_BYTES);
}

describe("what is in use", () => {
  it("begins with what comes before the pages", () => {
    const arena = createArena();
    const pages = new Pages(arena, 1, true);
    assert.equal(pages.usedBytes, firstPage(arena.words[MAX_PAGES]) * PAGE_BYTES);
    const page = pages.allocate(5, 0);
    assert.equal(pages.usedBytes, (firstPage(arena.words[MAX_PAGES]) + 5) * PAGE_BYTES);
    pages.free(page);
    assert.equal(pages.usedBytes, firstPage(arena.words[MAX_PAGES]) * PAGE_BYTES);
  });

  it("leaves room for the most that a message may take, beside its link and what is kept", () => {
    const { arena } = arenaOf(16);
    const pages = new Pages(arena, 1, true);
    assert.notEqual(pages.allocate(LEAVE_A_LINK, LEAVE_NONE), 0);
    assert.notEqual(pages.allocate(pages.mostWords / PAGE_WORDS, LEAVE_A_MOVE), 0);
    assert.equal(pages.allocate(1, LEAVE_A_MOVE), 0);
    assert.notEqual(pages.allocate(LEAVE_A_MOVE - LEAVE_A_LINK, LEAVE_A_LINK), 0);
    assert.equal(pages.allocate(1, LEAVE_A_LINK), 0);
    assert.notEqual(pages.allocate(LEAVE_A_LINK, LEAVE_NONE), 0);
    assert.equal(pages.allocate(1, LEAVE_NONE), 0);
  });
});

describe("a thread that dies in the section", () => {
  /** Leaves the words as slot 1 does that dies in marking, with so many of its words done. */
  function breakOff(arena: Arena, page: number, run: number, word: number, done: number): void {
    const { words } = arena;
    words[PAGES_RUN] = run;
    words[PAGES_WORD] = word;
    words[PAGES_FIRST] = page / PAGE_WORDS;
    const at = PAGE_TABLE + page / PAGE_WORDS;
    words.fill(word, at, at + done);
    store(words, PAGES_LOCK, 1 + 1);
  }

  for (const done of [0, 1, 2, 3]) {
    it(`leaves a run that is given back with ${done} of 3 words done: it is free (I1, I3)`, () => {
      const { arena, first } = arenaOf(64);
      const dead = new Pages(arena, 1, true);
      const [kept, page] = [dead.allocate(2, 0), dead.allocate(3, 0)] as const;
      arena.words[slotAt(1) + SLOT_HAND] = page + PAGE_HEAD_WORDS;
      breakOff(arena, page, 3, 0, done);
      const pages = new Pages(arena, 2, true, (slot) => slot === 1);
      assert.equal(pages.allocate(3, 0), page);
      assert.equal(arena.words[PAGES_USED], 5);
      assert.equal(arena.words[slotAt(1) + SLOT_HAND], 0, "it is in nobody's hand");
      const row = arena.words.slice(PAGE_TABLE + first, PAGE_TABLE + first + 6);
      assert.deepEqual([...row], [2, 2, 3, 3, 3, 0]);
      assert.equal(kept, first * PAGE_WORDS);
    });

    it(`leaves a run that is taken with ${done} of 3 words done: it is taken (I1, I3)`, () => {
      const { arena, first } = arenaOf(64);
      const dead = new Pages(arena, 1, true);
      const page = dead.allocate(3, 0);
      dead.free(page);
      breakOff(arena, page, 3, 2, done); // Its head is whole already (I4).
      const pages = new Pages(arena, 2, true, (slot) => slot === 1);
      pages.lock.hold(() => assert.deepEqual(pages.ownedLocked(1), [page]));
      assert.equal(arena.words[PAGES_USED], 3);
      assert.equal(pages.allocate(1, 0) / PAGE_WORDS, first + 3, "I2");
    });
  }
});
