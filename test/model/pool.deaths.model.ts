// SPDX-License-Identifier: MIT

/**
 * Model of pages and pool when a thread dies: small programs in every interleaving, with a death at
 * each step; for the method see test/support/explorer/explorer.ts. Two small blocks fill a page, a
 * span is a page, and what is longer has a run to itself.
 *
 * Blocks are linked in two words, as chunks are in a pipe: who mourns finds there what is in use.
 */
import type { Addr, Pool } from "#src/memory/index.ts";
import { type Change, type Env, model, type Program } from "../support/explorer/explorer.ts";
import { EARLIER, LOOK_MS, MORTAL, watch } from "./deaths.ts";

const SMALL = 2032;
const SPAN = 2033;
const RUN = 5000;
const SIZES = { small: SMALL, span: SPAN, run: RUN };

const PEER = 2;
const MOURNER = 3;

const FEW_CLASSES: readonly Change[] = [
  { file: "memory/pool.js", replace: "SPANS = [1, 2, 3, 4, 5, 6, 7, 8]", by: "SPANS = [1]" },
  {
    file: "memory/pool.js",
    replace: "SMALL = [16, 32, 64, 128, 256, 508, 1016, 2032]",
    by: "SMALL = [16, 2032]",
  },
];

interface Shared {
  /** Three words, each with a block that is in use, or 0. */
  readonly links: Addr;
  readonly blocks: readonly Addr[];
}

/** Whose the page of the blocks is, from which the program begins. */
type Whose = "own" | "another's" | "the context's";

/** So many blocks of a size, the first of which is linked if the program wants it. */
function setup(count: number, size: number, whose: Whose = "own", linked = true) {
  return (env: Env): Shared => {
    const { PAGES_LOCK, SLOT_HAND, SLOT_REMOTE, SLOT_TAKEN, slotAt } = env.code.memory;
    env.name(PAGES_LOCK, "lock of the pages");
    for (const slot of [MORTAL, PEER, MOURNER]) {
      env.name(slotAt(slot) + SLOT_REMOTE, `remote of ${slot}`);
      env.name(slotAt(slot) + SLOT_HAND, `hand of ${slot}`);
      env.name(slotAt(slot) + SLOT_TAKEN, `taken of ${slot}`);
    }
    // Words that no pool knows of.
    const links = slotAt(7) + SLOT_REMOTE;
    env.name(links, "links");
    const owner = whose === "another's" ? PEER : whose === "own" ? MORTAL : EARLIER;
    const { pool } = env.as(owner);
    const blocks = Array.from({ length: count }, () => pool.allocate(size));
    pool.keep();
    if (whose === "the context's") pool.leave();
    for (const [index, block] of blocks.entries()) env.name(block, `block ${index}`);
    if (count > 0 && linked) env.arena.words[links] = blocks[0] as Addr;
    return { links, blocks };
  };
}

/** Takes a new block in use. */
function link(env: Env, at: Addr, size: number, leave?: number): boolean {
  const block = env.pool.allocate(size, leave);
  if (block === 0) return false;
  env.arena.words[block + 1] = env.slot; // It is ours to write.
  env.arena.words[at] = block;
  env.pool.keep();
  return true;
}

/** Takes a block out of use, and frees it. */
function unlink(env: Env, at: Addr): void {
  const block = env.arena.words[at];
  env.pool.hold(block);
  env.arena.words[at] = 0;
  env.pool.free(block);
}

/** Does what is done for a dead thread. What it had linked is left as it is. */
function mourn(env: Env, { links }: Shared): string {
  if (!env.untilDead()) return "nobody died";
  const { words } = env.arena;
  env.pool.adopt(MORTAL, (block) => words.subarray(links, links + 3).includes(block));
  return "mourned";
}

function thread(run: (env: Env, shared: Shared, pool: Pool) => unknown) {
  return (env: Env, shared: Shared) => {
    watch(env);
    const { pool } = env;
    return () => run(env, shared, pool);
  };
}

/**
 * What is left: takes all out of use, lets all pools give back what they can, and counts the pages,
 * by the table and by the count. What nobody may have twice is allocated once more, all of it.
 */
function final(env: Env, { links }: Shared): string {
  const { words } = env.arena;
  const { PAGES_USED, PAGE_TABLE, PAGES_LOCK } = env.code.memory;
  if (isEndless(env)) return "a block is doubled";
  const last = env.as(MOURNER);
  for (const at of [links, links + 1, links + 2]) if (words[at] !== 0) unlink(last, at);
  const pools = [MORTAL, PEER, MOURNER, 4].map((slot) => env.as(slot).pool);
  for (let round = 0; round < 3; round++) for (const pool of pools) pool.trim();
  const counted = words[PAGES_USED];
  const table = words.subarray(PAGE_TABLE, PAGE_TABLE + words.length / 4096);
  const used = table.filter((word) => word !== 0).length;
  if (words[PAGES_LOCK] !== 0) return "the lock of the pages is held";
  if (used !== counted) return `${counted} pages are counted, ${used} are used`;
  const doubled = findDoubled(env);
  if (doubled !== undefined) return doubled;
  return `${used} pages`;
}

/** Whether a block lies on some list twice: then the list has no end. */
function isEndless(env: Env): boolean {
  const { words } = env.arena;
  const { PAGE_TABLE, PAGE_FREE, SLOT_REMOTE, SLOT_TAKEN, slotAt } = env.code.memory;
  const heads = [0, 1, 2, 3, 4].flatMap((slot) =>
    [SLOT_REMOTE, SLOT_TAKEN].map((w) => slotAt(slot) + w),
  );
  for (let page = 1; page < words.length / 4096; page++) {
    if (words[PAGE_TABLE + page] !== 0) heads.push(page * 4096 + PAGE_FREE);
  }
  return heads.some((head) => {
    let length = 0;
    for (let at = words[head]; at !== 0 && length < 10; at = words[at]) length++;
    return length === 10;
  });
}

/** Whether a block is given out twice, now that all are free. */
function findDoubled(env: Env): string | undefined {
  for (const size of [SMALL, SPAN]) {
    const { pool } = env.as(4);
    const seen = new Set<Addr>();
    for (let block = pool.allocate(size); block !== 0; block = pool.allocate(size)) {
      if (seen.has(block)) return "a block is doubled";
      seen.add(block);
    }
    for (const block of seen) pool.free(block);
    pool.trim();
  }
  return undefined;
}

/** All is free again. */
const judge = (...results: unknown[]): string | undefined => {
  const left = results.at(-1) as string;
  return left === "0 pages" ? undefined : left;
};

const base = { changes: FEW_CLASSES, mortal: "mortal", final, judge, pages: 16, patience: LOOK_MS };

const FILE = "memory/pool.js";
const PLANTED = {
  "nobody asks what the dead one had in its hand": {
    file: FILE,
    replace: "        this.settleHand(dead, isLinked);\n",
    by: "",
  },
  "what is in use is not counted anew": {
    file: FILE,
    replace: "if (sizeClass === OWN_RUN)\n            return words[page + PAGE_LIVE];",
    by: "return words[page + PAGE_LIVE];",
  },
  "nobody puts the pages in order": {
    file: "memory/pages.js",
    replace: "const repair = () => this.#repair();",
    by: "const repair = () => { };",
  },
};
const PLANTED_REMOTE = {
  "the hand is emptied after the block was pushed": {
    file: FILE,
    replace:
      "swapNoting(words, remote, head, at, this.#hand, 0);\n" +
      "            if (seen === head)\n                return;",
    by:
      "swapIf(words, remote, head, at);\n" +
      "            if (seen === head) { words[this.#hand] = 0; return; }",
  },
  "the hand is emptied before the block is pushed": {
    file: FILE,
    replace: "            const seen = swapNoting(words, remote",
    by: "            words[this.#hand] = 0; const seen = swapNoting(words, remote",
  },
};

for (const [name, size] of Object.entries(SIZES)) {
  model(`who allocates and frees a ${name} block dies at each step (pool.ts I1, I4, pages.ts I3)`, {
    ...base,
    setup: setup(0, size),
    threads: {
      mortal: thread((env, { links }) => {
        link(env, links, size);
        unlink(env, links);
      }),
      other: thread((env, shared) => {
        link(env, shared.links + 1, size);
        return mourn(env, shared);
      }),
    },
    planted: size === SMALL ? PLANTED : {},
  } as Program<Shared>);

  for (const whose of ["another's", "the context's"] as const) {
    if (size === RUN && whose === "the context's") continue; // It is nobody's list.
    model(`who frees a ${name} block of ${whose} page dies at each step (pool.ts I1, I2, I4)`, {
      ...base,
      setup: setup(size === SMALL ? 2 : 1, size, whose),
      threads: {
        mortal: thread((env, { links }) => unlink(env, links)),
        peer: thread((env, shared) => {
          if (size === SMALL) env.pool.free(shared.blocks[1] as Addr);
          link(env, shared.links + 1, size);
          return mourn(env, shared);
        }),
      },
      planted: whose === "another's" && size === SMALL ? PLANTED_REMOTE : {},
    } as Program<Shared>);
  }
}

model("who takes what others have freed dies at each step (pool.ts I1, I2)", {
  ...base,
  setup: setup(2, SMALL, "own", false),
  threads: {
    mortal: thread((env, { links }) => {
      link(env, links + 1, SMALL);
      unlink(env, links + 1);
    }),
    other: thread((env, shared) => {
      for (const block of shared.blocks) env.pool.free(block);
      return mourn(env, shared);
    }),
  },
  planted: {
    "what others have freed is noted before it is taken": {
      file: FILE,
      replace: "exchangeNoting(words, remote, 0, this.#taken);",
      by: "words[this.#taken] = load(words, remote); exchange(words, remote, 0);",
    },
    "what others have freed is noted when it has been taken": {
      file: FILE,
      replace: "exchangeNoting(words, remote, 0, this.#taken);",
      by: "const chain = exchange(words, remote, 0); words[this.#taken] = chain;",
    },
  },
} as Program<Shared>);

/** As a message of two large bodies that is tried alone (pipe/message.ts): both, or none. */
function linkBoth(env: Env, { links }: Shared, leave: number): void {
  const { pool } = env;
  const { words } = env.arena;
  pool.alone(() => {
    if (!link(env, links, SPAN)) return 0;
    if (link(env, links + 1, SPAN, leave)) return words[links];
    pool.hold(words[links]);
    const block = words[links];
    words[links] = 0;
    pool.putBack(block);
    return 0;
  });
}

for (const [name, leave] of Object.entries({ "finds all": 0, "does not find all": 1000 })) {
  model(`who takes several blocks alone, and ${name}, dies at each step (pages.ts, alone)`, {
    ...base,
    setup: setup(0, SPAN),
    threads: {
      mortal: thread((env, shared) => linkBoth(env, shared, leave)),
      other: thread((env, shared) => {
        link(env, shared.links + 2, SPAN);
        return mourn(env, shared);
      }),
    },
    planted: {
      "nobody asks what the dead one had in its hand":
        PLANTED["nobody asks what the dead one had in its hand"],
      "nobody puts the pages in order": PLANTED["nobody puts the pages in order"],
    },
  } as Program<Shared>);
}
