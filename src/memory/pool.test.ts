// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  assertFreed,
  checkAll,
  createArena,
  inWorker,
  type Roles,
  seeded,
  startRole,
} from "../testing/index.ts";
import { Arena, firstPage } from "./arena.ts";
import { type Addr, add, exchange, load, store } from "./atomics.ts";
import {
  MEMORY_WANTED,
  PAGE_BYTES,
  PAGE_OWNER,
  PAGE_WORDS,
  PAGES_USED,
  SLOT_PARTIAL,
  SLOT_REMOTE,
  slotAt,
} from "./layout.ts";
import { LEAVE_A_MOVE } from "./pages.ts";
import { Pool } from "./pool.ts";

const SMALL = [16, 32, 64, 128, 256, 508, 1016, 2032];
const SPANS = [1, 2, 3, 4, 5, 6, 7, 8];
const CLASSES = [...SMALL, ...SPANS.map((pages) => pages * PAGE_WORDS - 32)];
const LARGEST = CLASSES.at(-1) as number;

const pageOf = (block: Addr): Addr => block - (block % PAGE_WORDS);

/** An arena of so many pages beyond the header. */
function tinyArena(pages: number): Arena {
  return Arena.create(0, (firstPage(pages + 9) + pages) * PAGE_BYTES);
}

/** Every block there is of a size. */
function takeAll(pool: Pool, size: number): Addr[] {
  const blocks: Addr[] = [];
  for (let at = pool.allocate(size); at !== 0; at = pool.allocate(size)) blocks.push(at);
  return blocks;
}

/** Fills a block with what only it has, and looks whether it is still so. */
function mark(arena: Arena, at: Addr, size: number): void {
  arena.words.fill(at ^ size, at, at + size);
}

function isMarked(arena: Arena, at: Addr, size: number): boolean {
  arena.refresh();
  return arena.words.subarray(at, at + size).every((word) => word === (at ^ size));
}

const PLACES = 256;

const roles: Roles = {
  /** Puts blocks of its own into common places, and frees those it finds there. */
  exchangeBlocks(arena, [slot, places, times, seed]) {
    const pool = new Pool(arena, slot, true);
    const random = seeded("pool", seed + slot);
    let wrong = 0;
    const freeChecked = (block: Addr): void => {
      if (block === 0) return;
      arena.reach(block);
      arena.refresh();
      const size = arena.words[block];
      for (let i = 1; i < size; i += 7) if (arena.words[block + i] !== (block ^ i)) wrong++;
      pool.free(block);
    };
    for (let i = 0; i < times; i++) {
      const size = random.below(50) === 0 ? 1 + random.below(20_000) : 16 + random.below(120);
      const block = pool.allocate(size);
      if (block === 0) return -1;
      for (let j = 0; j < size; j++) arena.words[block + j] = block ^ j;
      arena.words[block] = size;
      // The exchange is what hands the block over, as a queue would.
      freeChecked(exchange(arena.words, places + random.below(PLACES), block));
    }
    // The last of the two finds all places; what the other may still free comes by its stack.
    for (let i = 0; i < PLACES; i++) freeChecked(exchange(arena.words, places + i, 0));
    pool.leave();
    return wrong;
  },
};

if (!inWorker(roles)) {
  describe("a block", () => {
    it("holds what was asked for, and lies on 8 bytes, in every class", () => {
      const arena = createArena();
      const pool = new Pool(arena, 1, true);
      const base = pool.pages.usedBytes;
      const blocks: Addr[] = [];
      const sizes = CLASSES.flatMap((size) => [size - 1, size, size + 1]);
      for (const size of [1, 2, ...sizes, 2 * LARGEST, 300_001]) {
        const block = pool.allocate(size);
        blocks.push(block);
        assert.notEqual(block, 0);
        assert.equal(block % 2, 0, `a block of ${size} words lies on 8 bytes`);
        assert.ok(pool.sizeOf(block) >= size);
        const fits = CLASSES.find((words) => words >= size);
        if (fits !== undefined) assert.equal(pool.sizeOf(block), fits);
        else assert.ok(pool.sizeOf(block) - size < PAGE_WORDS);
      }
      for (const block of blocks) pool.free(block);
      assertFreed(base, pool);
    });

    for (const size of [...CLASSES, LARGEST + 1]) {
      it(`of ${size} words shares nothing with its neighbours (I1)`, () => {
        const arena = createArena();
        const pool = new Pool(arena, 1, true);
        const base = pool.pages.usedBytes;
        const count = Math.min(20 + Math.floor(PAGE_WORDS / size), 280);
        const blocks = Array.from({ length: count }, () => pool.allocate(size));
        for (const block of blocks) mark(arena, block, pool.sizeOf(block));
        for (const block of blocks) assert.ok(isMarked(arena, block, pool.sizeOf(block)));
        for (const block of blocks) pool.free(block);
        assertFreed(base, pool);
      });
    }

    it("is freed once (I1)", () => {
      const pool = new Pool(createArena(), 1, true);
      const block = pool.allocate(16);
      pool.free(block);
      assert.throws(() => pool.free(block), /a block is freed once \(I1\)/);
    });

    it("never overlaps another, whoever allocates and frees (I1, I2, I3)", () => {
      const step = fc.record({
        pool: fc.nat(2),
        op: fc.constantFrom("allocate", "allocate", "free", "trim", "leave"),
        size: fc.oneof(
          { weight: 6, arbitrary: fc.integer({ min: 1, max: 300 }) },
          { weight: 2, arbitrary: fc.integer({ min: 300, max: 9000 }) },
          { weight: 1, arbitrary: fc.integer({ min: 9000, max: LARGEST + 9000 }) },
        ),
      });
      checkAll("pool", 100, fc.property(fc.array(step, { maxLength: 150 }), checkBlocks));
    });
  });

  type Step = { pool: number; op: string; size: number };

  const checkBlocks = (steps: Step[]): void => {
    const arena = createArena({ maxBytes: 1 << 23 });
    const pools = [1, 2, 3].map((slot) => new Pool(Arena.open(arena.buffer), slot, true));
    const base = (pools[0] as Pool).pages.usedBytes;
    const blocks: { at: Addr; size: number }[] = [];
    const free = (pool: Pool, index: number): void => {
      const [{ at, size }] = blocks.splice(index, 1) as [{ at: Addr; size: number }];
      assert.ok(isMarked(arena, at, size), `the block of ${size} words is untouched`);
      pool.pages.ownedLocked(1); // As `reach` would: views of all there is.
      pool.free(at);
    };
    for (const { pool: which, op, size } of steps) {
      const pool = pools[which] as Pool;
      if (op === "allocate") {
        const at = pool.allocate(size);
        if (at === 0) continue; // The arena is full; there is a test for that.
        arena.refresh();
        const whole = pool.sizeOf(at);
        mark(arena, at, whole);
        blocks.push({ at, size: whole });
      } else if (op === "free" && blocks.length > 0) free(pool, size % blocks.length);
      else if (op === "trim") pool.trim();
      else if (op === "leave" && size % 4 === 0) pool.leave();
    }
    while (blocks.length > 0) free(pools[blocks.length % 3] as Pool, 0);
    assertFreed(base, ...pools);
  };

  describe("a pool", () => {
    it("uses again what it freed last, without a lock", () => {
      const pool = new Pool(createArena(), 1, true);
      const [a, b] = [pool.allocate(100), pool.allocate(100)] as const;
      pool.pages.lock.hold(() => {
        pool.free(a);
        pool.free(b);
        assert.equal(pool.allocate(100), b);
        assert.equal(pool.allocate(100), a);
      });
    });

    it("keeps one empty page of a class, and gives the others away", () => {
      const arena = createArena();
      const pool = new Pool(arena, 1, true);
      const blocks = Array.from({ length: 3 * 254 }, () => pool.allocate(16));
      assert.equal(arena.words[PAGES_USED], 3);
      for (const block of blocks) pool.free(block);
      assert.equal(arena.words[PAGES_USED], 1);
      pool.trim();
      assert.equal(arena.words[PAGES_USED], 0);
    });

    it("has a page on its list if and only if the page has room (I3)", () => {
      const arena = createArena();
      const pool = new Pool(arena, 1, true);
      const list = slotAt(1) + SLOT_PARTIAL;
      const blocks = Array.from({ length: 254 }, () => pool.allocate(16));
      assert.equal(arena.words[list], 0, "a full page is on none");
      const page = pageOf(blocks[0] as Addr);
      pool.free(blocks[77] as Addr);
      assert.equal(arena.words[list], page);
      assert.equal(pool.allocate(16), blocks[77]);
      assert.equal(arena.words[list], 0);
    });

    it("takes back what others freed when a class has run out, before it takes a page", () => {
      const arena = createArena();
      const mine = new Pool(arena, 1, true);
      const other = new Pool(arena, 2, true);
      const blocks = Array.from({ length: 254 }, () => mine.allocate(16));
      for (const block of blocks) other.free(block);
      const again = new Set(Array.from({ length: 254 }, () => mine.allocate(16)));
      assert.deepEqual(again, new Set(blocks));
      assert.equal(arena.words[PAGES_USED], 1);
    });

    it("leaves what others freed alone until then (I2)", () => {
      const arena = createArena();
      const mine = new Pool(arena, 1, true);
      const other = new Pool(arena, 2, true);
      const block = mine.allocate(16);
      other.free(block);
      assert.equal(load(arena.words, slotAt(1) + SLOT_REMOTE), block);
      assert.notEqual(mine.allocate(16), block);
      assert.equal(load(arena.words, slotAt(1) + SLOT_REMOTE), block);
      mine.trim();
      assert.equal(load(arena.words, slotAt(1) + SLOT_REMOTE), 0);
      assert.equal(mine.allocate(16), block);
    });

    it("frees a run of its own at once, whoever frees it", () => {
      const arena = createArena();
      const mine = new Pool(arena, 1, true);
      const other = new Pool(arena, 2, true);
      const base = mine.pages.usedBytes;
      const blocks = [mine.allocate(LARGEST + 1), mine.allocate(LARGEST + 1)] as const;
      other.free(blocks[0]);
      mine.free(blocks[1]);
      assert.equal(mine.pages.usedBytes, base);
    });

    it("says that it freed, only while somebody wants memory", () => {
      const arena = createArena();
      const pool = new Pool(arena, 1, true);
      let told = 0;
      pool.onRelease = () => told++;
      pool.free(pool.allocate(16));
      assert.equal(told, 0);
      add(arena.words, MEMORY_WANTED, 1);
      pool.free(pool.allocate(16));
      assert.equal(told, 1);
    });
  });

  describe("an arena that is used up", () => {
    for (const size of [16, 508, 2032, ...CLASSES.slice(8, 12), LARGEST + 1]) {
      it(`gives 0 for ${size} words, and later, when one is freed, that one`, () => {
        const arena = tinyArena(140);
        const pool = new Pool(arena, 1, true);
        const other = new Pool(arena, 2, true);
        const base = pool.pages.usedBytes;
        const blocks = takeAll(pool, size);
        assert.ok(blocks.length > 0);
        assert.equal(pool.allocate(size), 0);
        const [first, last] = [blocks.shift() as Addr, blocks.at(-1) as Addr];
        pool.free(first);
        assert.equal(pool.allocate(size), first);
        other.free(last);
        assert.equal(pool.allocate(size), last);
        for (const block of [first, ...blocks]) pool.free(block);
        assertFreed(base, pool, other);
      });
    }

    it("has room for another class once a page of the first is empty", () => {
      const pool = new Pool(tinyArena(20), 1, true);
      const blocks = takeAll(pool, 2032);
      assert.equal(blocks.length, 2 * (20 - LEAVE_A_MOVE));
      assert.equal(pool.allocate(4000), 0);
      const page = pageOf(blocks[10] as Addr);
      for (const block of blocks.filter((at) => pageOf(at) === page)) pool.free(block);
      assert.equal(pageOf(pool.allocate(4000)), page, "the empty page that was kept is given away");
    });
  });

  describe("a thread that leaves", () => {
    it("gives away everything, and blocks in use to the context", () => {
      const arena = createArena();
      const mine = new Pool(arena, 1, true);
      const other = new Pool(arena, 2, true);
      const base = mine.pages.usedBytes;
      const kept = [16, 16, 508, 4000, 20_000, LARGEST + 1].map((size) => mine.allocate(size));
      for (const at of kept) mark(arena, at, mine.sizeOf(at));
      for (const size of [16, 32, 5000]) mine.free(mine.allocate(size));
      other.free(mine.allocate(16));
      mine.leave();
      assert.equal(load(arena.words, slotAt(1) + SLOT_REMOTE), 0);
      for (const at of kept) {
        assert.equal(arena.words[pageOf(at) + PAGE_OWNER], 0);
        assert.ok(isMarked(arena, at, mine.sizeOf(at)));
      }
      for (const at of kept) other.free(at);
      assertFreed(base, other);
    });

    it("can be followed by another on its slot, which finds nothing there", () => {
      const arena = createArena();
      const first = new Pool(arena, 1, true);
      const kept = first.allocate(16);
      first.leave();
      const next = new Pool(arena, 1, true);
      const block = next.allocate(16);
      assert.notEqual(pageOf(block), pageOf(kept));
      next.free(kept);
      next.free(block);
      next.trim();
      assert.equal(arena.words[PAGES_USED], 0);
    });

    it("may get a block too late; it is found when memory is short", () => {
      const arena = tinyArena(20);
      const gone = new Pool(arena, 1, true);
      const mine = new Pool(arena, 2, true);
      mine.isFree = (slot) => slot === 1;
      const base = gone.pages.usedBytes;
      const late = gone.allocate(16);
      gone.leave();
      // As who read the page's owner before it left: on the stack that nobody takes any more.
      arena.words[late] = 0;
      store(arena.words, slotAt(1) + SLOT_REMOTE, late);
      const blocks = takeAll(mine, 4000);
      assert.equal(blocks.length, 20 - LEAVE_A_MOVE, "the page of the late block is among them");
      for (const block of blocks) mine.free(block);
      assertFreed(base, mine);
    });

    it("may get many too late, where who finds them has not looked since the arena grew", () => {
      const arena = tinyArena(60);
      const gone = new Pool(arena, 1, true);
      const mine = new Pool(Arena.open(arena.buffer), 2, true);
      mine.isFree = (slot) => slot === 1;
      const base = gone.pages.usedBytes;
      const late = takeAll(gone, 4000);
      gone.leave();
      let head = 0;
      for (const block of late) {
        arena.words[block] = head;
        head = block;
      }
      store(arena.words, slotAt(1) + SLOT_REMOTE, head);
      const blocks = takeAll(mine, 4000);
      assert.equal(blocks.length, late.length, "the pages of all of them");
      for (const block of blocks) mine.free(block);
      assertFreed(base, mine);
    });
  });

  describe("two threads", () => {
    it("free what the other allocated, for a long time, and all comes back", async (t) => {
      const random = seeded("pool");
      t.diagnostic(random.repeat);
      const arena = createArena({ maxBytes: 1 << 27 });
      const pool = new Pool(arena, 9, true);
      const base = pool.pages.usedBytes;
      const places = pool.allocate(PLACES);
      arena.words.fill(0, places, places + PLACES);
      const crew = [1, 2].map((slot) =>
        startRole(import.meta.url, "exchangeBlocks", arena, slot, places, 100_000, random.seed),
      );
      const wrong = await Promise.all(crew.map(({ result }) => result));
      assert.deepEqual(wrong, [0, 0], random.repeat);
      arena.refresh();
      for (let i = 0; i < PLACES; i++) {
        const left = arena.words[places + i];
        if (left !== 0) pool.free(left);
      }
      pool.free(places);
      // A stack may have got a block after its owner looked for the last time.
      for (const slot of [1, 2]) new Pool(arena, slot, true).leave();
      assertFreed(base, pool);
    });
  });
}
