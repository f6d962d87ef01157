// SPDX-License-Identifier: MIT

/**
 * Model of the pool: small programs in every interleaving; for the method see
 * test/support/explorer/explorer.ts. Two blocks fill a page.
 */
import type { Addr } from "#src/memory/index.ts";
import { type Env, forbidden, model, ok } from "../support/explorer/explorer.ts";

/** The largest of the small classes. */
const WORDS = 2032;

interface Shared {
  readonly blocks: readonly Addr[];
}

/** Slot 1 has so many blocks, all in use. */
function allocate(count: number) {
  return (env: Env): Shared => {
    const { SLOT_REMOTE, slotAt, PAGES_LOCK } = env.code.memory;
    env.name(slotAt(1) + SLOT_REMOTE, "remote of 1");
    env.name(PAGES_LOCK, "lock of the pages");
    const blocks = Array.from({ length: count }, () => env.pool.allocate(WORDS));
    for (const [index, block] of blocks.entries()) {
      env.name(block, `block ${index}`);
      env.name(Math.floor(block / 4096) * 4096, `head of ${index}'s page`);
    }
    return { blocks };
  };
}

/** Uses a block for the last time, and frees it. */
function free(index: number) {
  return (env: Env, { blocks }: Shared) => {
    const { pool, arena } = env;
    const block = blocks[index] as Addr;
    return () => {
      arena.words.fill(index, block, block + 4);
      pool.free(block);
    };
  };
}

/** How many pages are in use when all have given back what they can. */
function pagesLeft(env: Env, ...slots: number[]): number {
  for (const slot of [...slots, ...slots]) env.as(slot).pool.trim();
  return env.arena.words[env.code.memory.PAGES_USED];
}

model("two threads free what a third allocates: no block is lost or doubled (pool.ts I1, I2, I3)", {
  setup: allocate(2),
  threads: {
    owner: (env, { blocks }) => {
      const { pool, arena } = env;
      return () => {
        const got = [pool.allocate(WORDS), pool.allocate(WORDS)];
        for (const block of got) arena.words.fill(7, block, block + 4);
        const names = got.map((block) => blocks.indexOf(block));
        for (const block of got) pool.free(block);
        return [got[0] === got[1], names.filter((name) => name >= 0).sort()];
      };
    },
    first: free(0),
    second: free(1),
  },
  final: (env) => pagesLeft(env, 1, 2, 3),
  outcomes: [
    [[[false, [0, 1]], null, null, 0], ok, "both were free already"],
    [[[false, [0]], null, null, 0], ok, "one was; then a new page"],
    [[[false, [1]], null, null, 0], ok, "likewise"],
    [[[false, []], null, null, 0], ok, "none was"],
    [[[true, [0, 0]], null, null, 0], forbidden, "the same block twice"],
    [[[false, []], null, null, 1], forbidden, "a block was lost, and its page with it"],
  ],
  planted: {
    "push loads and stores": {
      file: "memory/pool.js",
      replace: "const seen = swapNoting(words, remote, head, at, this.#hand, 0);",
      by: "const seen = head; exchange(words, remote, at);",
    },
    "push links the block when it is there": {
      file: "memory/pool.js",
      replace: "if (seen === head)\n                return;\n            head = seen;\n        }",
      by: "if (seen === head) { words[at] = head; return; } head = seen; }",
    },
    "push tries again with the link of the first try": [
      { file: "memory/pool.js", replace: "            words[at] = head;\n", by: "" },
      {
        file: "memory/pool.js",
        replace: "for (let head = load(words, remote);;) {",
        by: "words[at] = load(words, remote); for (let head = words[at];;) {",
      },
    ],
    "the stack is taken by a load and a store": {
      file: "memory/pool.js",
      replace: "exchangeNoting(words, remote, 0, this.#taken);",
      by: "words[this.#taken] = load(words, remote); store(words, remote, 0);",
    },
    "a free goes to the list of the page, whoever frees": {
      file: "memory/pool.js",
      replace: "else if (owner === this.#slot)",
      by: "else if (owner > 0)",
    },
    "the owner is not looked for, it is the thread's own slot": {
      file: "memory/pool.js",
      replace: "const owner = load(words, page + PAGE_OWNER);",
      by: "const owner = this.#slot;",
    },
  },
});

/** What the last thread finds when the first has left: it takes the stack of the free slot. */
function afterLeaving(env: Env): number {
  const { pool } = env.as(4);
  pool.isFree = (slot) => slot === 1;
  pool.leave();
  return env.arena.words[env.code.memory.PAGES_USED];
}

model("an owner leaves while others free: every block comes back (pool.ts I1, I2)", {
  setup: allocate(2),
  threads: {
    owner: (env) => {
      const { pool } = env;
      return () => pool.leave();
    },
    first: free(0),
    second: free(1),
  },
  final: afterLeaving,
  outcomes: [[[null, null, null, 0], ok, "its page is free in the end"]],
  planted: {
    "what the context owns is freed without the lock": {
      file: "memory/pool.js",
      replace: "this.#pages.hold(() => {\n            words[at] =",
      by: "[0].forEach(() => { words[at] =",
    },
    "the pages are handed over plainly": {
      file: "memory/pages.js",
      replace: "store(words, page + PAGE_OWNER, slot);",
      by: "words[page + PAGE_OWNER] = slot;",
    },
    "nobody looks through the stacks of free slots": {
      file: "memory/pool.js",
      replace: "if (this.isFree(slot))",
      by: "if (slot < 0)",
    },
    "what was taken is not freed": {
      file: "memory/pool.js",
      replace: "this.#freeTaken(this.#taken);",
      by: "words[this.#taken] = 0;",
    },
  },
});

model("two threads allocate their first block: each has a page of its own (pages.ts I1, I3)", {
  setup: allocate(0),
  threads: {
    first: (env) => {
      const { pool } = env;
      return () => pool.allocate(WORDS);
    },
    second: (env) => {
      const { pool } = env;
      return () => pool.allocate(WORDS);
    },
  },
  final: (env) => env.arena.words[env.code.memory.PAGES_USED],
  judge: (first: number, second: number, used: number) => {
    if (first === second) return "the same block twice";
    return used === 2 ? undefined : `${used} pages are counted`;
  },
  planted: {
    "pages are found without the lock": {
      file: "memory/pages.js",
      replace: "this.#isAlone ? section() : this.lock.hold(section)",
      by: "section()",
    },
  },
});

model("the last page is fought for: who finds none finds what was freed (pool.ts, MEMORY)", {
  pages: 10,
  setup: (env) => {
    const { pool } = env;
    env.name(env.code.memory.PAGES_LOCK, "lock of the pages");
    const rest: Addr[] = [];
    for (let block = pool.allocate(WORDS); block !== 0; block = pool.allocate(WORDS)) {
      rest.push(block);
    }
    return { blocks: rest };
  },
  threads: {
    owner: (env) => {
      const { pool } = env;
      return () => pool.allocate(WORDS) !== 0;
    },
    other: free(0),
  },
  outcomes: [
    [[true, null], ok, "it was freed before"],
    [[false, null], ok, "it was freed after"],
  ],
});
