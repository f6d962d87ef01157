// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createArena } from "../testing/index.ts";
import {
  OWNERS_BEFORE,
  OWNERS_BLOCK,
  OWNERS_COUNT,
  OWNERS_LOCK,
  OWNERS_PLACE,
  SLOT_HAND,
  SLOT_REMOTE,
  slotAt,
} from "./layout.ts";
import { Owners } from "./owners.ts";
import { Pool } from "./pool.ts";

const DEAD = 3;

/** A block with so many owners, and a place for each that leads to it. */
function createRig(count: number) {
  const arena = createArena();
  const pool = new Pool(arena, 1, true);
  const base = pool.pages.usedBytes;
  const { words } = arena;
  const block = pool.allocate(5000);
  pool.keep();
  words[block] = count;
  const places = Array.from({ length: count }, (_, i) => slotAt(10 + i) + SLOT_REMOTE);
  for (const place of places) words[place] = block;
  const keeper = { isGone: (slot: number) => slot === DEAD, repair: () => {} };
  return { words, pool, block, places, base, owners: new Owners(arena, 2, true, keeper) };
}

describe("owners", () => {
  it("who gives up the last ownership frees the block; each has moved its place on", () => {
    const { words, pool, block, places, base } = createRig(3);
    for (const [i, place] of places.entries()) {
      assert.ok(pool.pages.usedBytes > base);
      pool.release(block, 1, place, 100 + i);
      assert.equal(words[place], 100 + i);
    }
    pool.trim();
    assert.equal(pool.pages.usedBytes, base);
  });

  it("may give up several at once", () => {
    const { words, owners, block, places } = createRig(5);
    const [first, second] = places as [number, number];
    assert.equal(owners.release(block, 3, first, 0), false);
    assert.equal(words[block], 2);
    assert.equal(owners.release(block, 2, second, 0), true);
    assert.equal(words[slotAt(2) + SLOT_HAND], block, "it is in the hand (I3)");
  });

  for (const step of ["nothing", "the count", "the place"]) {
    it(`what a dead thread was giving up is put back, when ${step} was changed`, () => {
      const { words, owners, block, places } = createRig(2);
      const [place, other] = places as [number, number];
      words[OWNERS_LOCK] = DEAD + 1;
      words[OWNERS_BLOCK] = block;
      words[OWNERS_COUNT] = 2;
      words[OWNERS_BEFORE] = block;
      words[OWNERS_PLACE] = place;
      if (step !== "nothing") words[block] = 1;
      if (step === "the place") words[place] = 0;
      assert.equal(owners.release(block, 1, other, 0), false, "it is not the last");
      assert.deepEqual([words[block], words[place], words[OWNERS_PLACE]], [1, block, 0]);
      assert.equal(words[OWNERS_LOCK], 0);
      assert.equal(owners.release(block, 1, place, 0), true);
    });
  }

  it("who has an ownership may add one, with a place of its own", () => {
    const { words, owners, block, places } = createRig(1);
    const added = slotAt(20) + SLOT_REMOTE;
    owners.add(block, added, block | 1);
    assert.deepEqual([words[block], words[added]], [2, block | 1]);
    assert.equal(owners.release(block, 1, places[0] as number, 0), false);
    assert.equal(owners.release(block, 1, added, 0), true);
  });

  it("what was given up whole by a thread that died after it stays so", () => {
    const { words, owners, block, places } = createRig(2);
    owners.release(block, 1, places[0] as number, 7);
    words[OWNERS_LOCK] = DEAD + 1;
    owners.settle();
    assert.deepEqual([words[block], words[places[0] as number], words[OWNERS_LOCK]], [1, 7, 0]);
  });
});
