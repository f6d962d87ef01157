// SPDX-License-Identifier: MIT

/** Threads that are terminated while they give back memory of another's: none of it is lost. */
import { describe, it } from "node:test";
import { assertFreed, createArena, inWorker, startRole } from "../testing/index.ts";
import type { Arena } from "./arena.ts";
import { load, store } from "./atomics.ts";
import { BUCKETS } from "./layout.ts";
import { Pool } from "./pool.ts";

const KILLS = 30;
const BLOCKS = 100_000;
const SIZE = 16;
/** The first of the blocks that are in use; each leads to the next. There are no names here. */
const FIRST = BUCKETS;
/** How many have been freed. */
const FREED: number = BUCKETS + 1;

function free(arena: Arena): void {
  const { words } = arena;
  const pool = new Pool(arena, 1, true);
  for (let block = words[FIRST]; block !== 0; block = words[FIRST]) {
    pool.hold(block);
    words[FIRST] = words[block];
    pool.free(block);
    store(words, FREED, words[FREED] + 1);
  }
}

/** Has so many blocks freed by a thread that is terminated when it has freed some. */
async function kill(after: number): Promise<void> {
  const arena = createArena();
  const pool = new Pool(arena, 2, true);
  const base = pool.pages.usedBytes;
  for (let i = 0; i < BLOCKS; i++) {
    const block = pool.allocate(SIZE);
    arena.words[block] = arena.words[FIRST];
    arena.words[FIRST] = block;
    pool.keep();
  }
  const dying = startRole(import.meta.url, "free", arena);
  await dying.running;
  while (load(arena.words, FREED) < after) pool.trim(); // It takes what is pushed meanwhile.
  await dying.kill();
  const { words } = arena;
  const isLinked = (asked: number): boolean => {
    let block = words[FIRST];
    while (block !== 0 && block !== asked) block = words[block];
    return block !== 0;
  };
  pool.adopt(1, isLinked);
  for (let block = words[FIRST]; block !== 0; block = words[FIRST]) {
    words[FIRST] = words[block];
    pool.free(block);
  }
  assertFreed(base, pool);
}

if (!inWorker({ free })) {
  describe("a thread that frees another's blocks is terminated", () => {
    it("and each of them is free once, wherever it was (pool.ts I1)", async () => {
      for (let i = 1; i <= KILLS; i++) await kill(Math.floor((i * BLOCKS) / (2 * KILLS)));
    });
  });
}
