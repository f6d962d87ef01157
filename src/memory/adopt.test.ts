// SPDX-License-Identifier: MIT

/** What a pool leaves that dies at any step, and that another gets all of it back. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assertFreed, createArena } from "../testing/index.ts";
import type { Arena } from "./arena.ts";
import { type Addr, store } from "./atomics.ts";
import {
  PAGE_FREE,
  PAGE_FRESH,
  PAGE_LIVE,
  PAGE_WORDS,
  SLOT_HAND,
  SLOT_REMOTE,
  SLOT_TAKEN,
  slotAt,
} from "./layout.ts";
import { Pool } from "./pool.ts";

const HAND = slotAt(1) + SLOT_HAND;
const TAKEN = slotAt(1) + SLOT_TAKEN;
const REMOTE = slotAt(1) + SLOT_REMOTE;
const SIZE = 100;

const pageOf = (block: Addr): Addr => block - (block % PAGE_WORDS);

interface Rig {
  readonly arena: Arena;
  readonly dead: Pool;
  readonly mourner: Pool;
  readonly base: number;
  /** Blocks of the dead thread that are linked: in use, in some structure. */
  readonly linked: Addr[];
}

function createRig(): Rig {
  const arena = createArena();
  const [dead, mourner] = [new Pool(arena, 1, true), new Pool(arena, 2, true)];
  const base = mourner.pages.usedBytes;
  const linked = [dead.allocate(SIZE), dead.allocate(SIZE)];
  dead.keep();
  return { arena, dead, mourner, base, linked };
}

/** Each leaves the words as a thread that dies there; the linked blocks are those still in use. */
const STEPS: Record<string, (rig: Rig) => void> = {
  "with nothing in its hand": () => {},
  "having taken a block, not linked": ({ dead }) => {
    dead.allocate(SIZE);
  },
  "having taken a run of its own, not linked": ({ dead }) => {
    dead.allocate(9 * PAGE_WORDS);
  },
  "about to take a block from the fresh ones": ({ arena, linked }) => {
    arena.words[HAND] = arena.words[pageOf(linked[0] as Addr) + PAGE_FRESH];
  },
  "about to take a block from the free list": ({ arena, dead, linked }) => {
    const block = linked.pop() as Addr;
    dead.free(block);
    arena.words[HAND] = block;
  },
  "having taken a block and not counted it": ({ arena, dead }) => {
    arena.words[pageOf(dead.allocate(SIZE)) + PAGE_LIVE] -= 1;
  },
  "having linked a block that is still in its hand": ({ dead, linked }) => {
    linked.push(dead.allocate(SIZE));
  },
  "about to unlink a block": ({ dead, linked }) => dead.hold(linked[0] as Addr),
  "having unlinked a block, not freed": ({ dead, linked }) => dead.hold(linked.pop() as Addr),
  "having freed a block that is still in its hand": ({ arena, dead, linked }) => {
    const block = linked.pop() as Addr;
    dead.free(block);
    arena.words[HAND] = block;
  },
  "having half freed a block: it leads on, and nothing leads to it": ({ arena, dead, linked }) => {
    const block = linked.pop() as Addr;
    dead.hold(block);
    arena.words[block] = arena.words[pageOf(block) + PAGE_FREE];
  },
  "with blocks on its stack": ({ mourner, linked }) => mourner.free(linked.pop() as Addr),
  "having taken its stack": ({ arena, mourner, linked }) => {
    for (const block of linked.splice(0)) mourner.free(block);
    arena.words[TAKEN] = arena.words[REMOTE];
    store(arena.words, REMOTE, 0);
  },
  "having taken its stack, and more has come": ({ arena, dead, mourner, linked }) => {
    for (const block of linked.splice(0)) mourner.free(block);
    arena.words[TAKEN] = arena.words[REMOTE];
    store(arena.words, REMOTE, 0);
    const late = dead.allocate(SIZE);
    dead.keep();
    mourner.free(late);
  },
  "with a block of its stack in its hand, still noted": ({ arena, mourner, linked }) => {
    for (const block of linked.splice(0)) mourner.free(block);
    arena.words[TAKEN] = arena.words[REMOTE];
    arena.words[HAND] = arena.words[REMOTE];
    store(arena.words, REMOTE, 0);
  },
  "with a block of its stack in its hand, no longer noted": ({ arena, mourner, linked }) => {
    for (const block of linked.splice(0)) mourner.free(block);
    const first = arena.words[REMOTE];
    arena.words[HAND] = first;
    arena.words[TAKEN] = arena.words[first];
    store(arena.words, REMOTE, 0);
  },
  "freeing a block of another, before the swap": ({ dead, mourner }) => {
    dead.hold(mourner.allocate(SIZE));
    mourner.keep();
  },
};

describe("a pool whose thread dies", () => {
  for (const [step, leave] of Object.entries(STEPS)) {
    for (const times of [1, 2]) {
      const again = times === 1 ? "" : ", though it be done twice";
      it(`${step}: all its memory is back in the end${again} (pool.ts I1, I4)`, () => {
        const rig = createRig();
        leave(rig);
        const { arena, mourner, linked, base } = rig;
        for (let i = 0; i < times; i++) mourner.adopt(1, (block) => linked.includes(block));
        assert.equal(arena.words[HAND], 0);
        assert.equal(new Set(linked).size, linked.length);
        for (const block of linked) mourner.free(block);
        assertFreed(base, mourner);
        assert.deepEqual([arena.words[TAKEN], arena.words[REMOTE]], [0, 0]);
        new Pool(arena, 1, true).free(new Pool(arena, 1, true).allocate(SIZE));
      });
    }
  }
});
