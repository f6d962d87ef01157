// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Addr, type Arena, load, SLOT_HEAD, slotAt, store, wait } from "../memory/index.ts";
import { createArena, createThread, inWorker, type Roles, startRole } from "../testing/index.ts";
import { ASLEEP, Mailbox, push } from "./mailbox.ts";

const HEAD = slotAt(1) + SLOT_HEAD;
/** Of the blocks in these tests: who sent it, and which of that one's it is. */
const SENDER = 2;
const NUMBER = 3;
const BLOCK_WORDS = 4;
const PATIENCE_MS = 10_000;

/** Blocks in a row, at an address that nothing else uses. */
function blocksFrom(arena: Arena, sender: number, count: number): Addr {
  const thread = createThread(arena, 9);
  const at = thread.pool.allocate(count * BLOCK_WORDS);
  for (let number = 0; number < count; number++) {
    arena.words[at + number * BLOCK_WORDS + SENDER] = sender;
    arena.words[at + number * BLOCK_WORDS + NUMBER] = number;
  }
  return at;
}

const roles: Roles = {
  /** Pushes all its blocks in their order. */
  push(arena, [blocks, count]) {
    for (let number = 0; number < count; number++) push(arena, HEAD, blocks + number * BLOCK_WORDS);
  },

  /** Takes so many blocks, and sleeps when there is none. Returns what was wrong. */
  take(arena, [senders, count]) {
    const mailbox = new Mailbox(arena, HEAD);
    const next: number[] = new Array(senders).fill(0);
    const blocks: Addr[] = [];
    for (let left = senders * count; left > 0; ) {
      mailbox.take(blocks);
      for (const block of blocks) {
        const sender = arena.words[block + SENDER];
        const number = arena.words[block + NUMBER];
        if (number !== next[sender]) return `sender ${sender}: ${number}, not ${next[sender]}`;
        next[sender] = number + 1;
      }
      left -= blocks.length;
      if (blocks.length === 0 && mailbox.doze()) {
        if (!wait(arena.words, HEAD, ASLEEP, PATIENCE_MS)) return `nothing comes; ${left} left`;
      }
      blocks.length = 0;
    }
    return next.join();
  },
};

if (!inWorker(roles)) {
  describe("a mailbox", () => {
    const numbers = (arena: Arena, blocks: Addr[]): number[] =>
      blocks.map((block) => arena.words[block + NUMBER]);

    it("gives blocks in the order they were pushed (I1)", () => {
      const arena = createArena();
      const mailbox = new Mailbox(arena, HEAD);
      const blocks = blocksFrom(arena, 0, 20);
      const taken: Addr[] = [];
      for (let i = 0; i < 10; i++) push(arena, HEAD, blocks + i * BLOCK_WORDS);
      assert.equal(mailbox.hasMail, true);
      mailbox.take(taken);
      for (let i = 10; i < 13; i++) push(arena, HEAD, blocks + i * BLOCK_WORDS);
      mailbox.take(taken);
      assert.deepEqual(
        numbers(arena, taken),
        Array.from({ length: 13 }, (_, i) => i),
      );
      assert.equal(mailbox.hasMail, false);
      mailbox.take(taken);
      assert.equal(taken.length, 13);
    });

    it("falls asleep when it is empty, and only then (I2)", () => {
      const arena = createArena();
      const mailbox = new Mailbox(arena, HEAD);
      const block = blocksFrom(arena, 0, 1);
      push(arena, HEAD, block);
      assert.equal(mailbox.doze(), false);
      assert.equal(load(arena.words, HEAD), block);
      mailbox.take([]);
      assert.equal(mailbox.doze(), true);
      assert.equal(mailbox.doze(), true, "a second time is the same sleep");
      assert.equal(mailbox.hasMail, false);
      assert.equal(load(arena.words, HEAD), ASLEEP);
    });

    it("is woken by the first who pushes, whose block then is the last of the list (I3)", () => {
      const arena = createArena();
      const mailbox = new Mailbox(arena, HEAD);
      const blocks = blocksFrom(arena, 0, 2);
      mailbox.doze();
      push(arena, HEAD, blocks);
      push(arena, HEAD, blocks + BLOCK_WORDS);
      const taken: Addr[] = [];
      mailbox.take(taken);
      assert.deepEqual(numbers(arena, taken), [0, 1]);
      assert.equal(load(arena.words, HEAD), 0, "it is awake");
    });

    it("stays asleep when nothing is taken from it", () => {
      const arena = createArena();
      const mailbox = new Mailbox(arena, HEAD);
      mailbox.doze();
      mailbox.take([]);
      assert.equal(load(arena.words, HEAD), ASLEEP);
      store(arena.words, HEAD, 0);
    });

    it("keeps each sender's order, and loses nobody's wake-up (I1, I2, I3)", async () => {
      const arena = createArena({ initialBytes: 1 << 24 });
      const count = 30_000;
      const taker = startRole(import.meta.url, "take", arena, 3, count);
      await taker.running;
      for (let sender = 0; sender < 3; sender++) {
        startRole(import.meta.url, "push", arena, blocksFrom(arena, sender, count), count);
      }
      assert.equal(await taker.result, [count, count, count].join());
    });
  });
}
