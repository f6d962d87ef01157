// SPDX-License-Identifier: MIT

/**
 * Model of the lock when a thread dies: small programs in every interleaving, with a death at each
 * step; for the method see test/support/explorer/explorer.ts.
 *
 * What is guarded are two counts that are the same between any two sections.
 */
import type { Addr, Keeper, Lock } from "#src/memory/index.ts";
import { type Env, model, ok, type Program } from "../support/explorer/explorer.ts";
import { EARLIER, watch } from "./deaths.ts";

const FIRST = 0;
const SECOND = 1;
/** How often the section was entered, and how often what it guards was repaired. */
const REPAIRS = 2;

interface Shared {
  readonly at: Addr;
}

function setup(env: Env): Shared {
  const at = env.pool.allocate(16);
  env.arena.words.fill(0, at, at + 16);
  env.name(env.code.memory.NAMES_LOCK, "lock");
  env.name(at, "counts");
  return { at };
}

/** Takes the lock, and counts. A section that begins on unequal counts says so. */
function counter(before: (env: Env) => unknown = () => undefined) {
  return (env: Env, { at }: Shared) => {
    const { Lock, NAMES_LOCK } = env.code.memory;
    const { words } = env.arena;
    const keeper = watch(env, () => {
      words[at + FIRST] = words[at + SECOND] as number;
      words[at + REPAIRS] += 1;
    });
    const lock = new Lock(env.arena, NAMES_LOCK, env.slot, true, keeper);
    return () => {
      const heard = before(env);
      const broken = lock.hold(() => {
        const unequal = words[at + FIRST] !== words[at + SECOND];
        words[at + FIRST] += 1;
        words[at + SECOND] += 1;
        return unequal;
      });
      return broken ? "found it broken" : heard;
    };
  };
}

const final = (env: Env, { at }: Shared): number[] => [
  ...env.arena.words.subarray(at, at + 3),
  env.arena.words[env.code.memory.NAMES_LOCK],
];

type Left = readonly [first: number, second: number, repairs: number, lock: number];

const FILE = "memory/lock.js";
const PLANTED = {
  "who takes the lock over does not repair": {
    file: FILE,
    replace: "if (fromTheDead)",
    by: "if (false)",
  },
  "the repair comes after the section": {
    file: FILE,
    replace:
      "if (fromTheDead)\n                this.#keeper.repair();\n            return section();",
    by: "const result = section(); if (fromTheDead) this.#keeper.repair(); return result;",
  },
  "two take it over at once": {
    file: FILE,
    replace: "return swapIf(this.#arena.words, this.#at, seen, this.#me | QUEUE) === seen;",
    by: "store(this.#arena.words, this.#at, this.#me | QUEUE); return true;",
  },
};

model("a holder dies at each step: one of two takes the lock over, and repairs (lock.ts I1, I3)", {
  setup,
  threads: { holder: counter(), first: counter(), second: counter(wake) },
  mortal: "holder",
  final,
  judge: (holder: unknown, first: unknown, second: unknown, [a, b, repairs, lock]: Left) => {
    if (lock !== 0) return "the lock is held by nobody who is there";
    if (first !== null || second === "found it broken") return "a section began on half a count";
    if (a !== b) return "the counts are not the same";
    if (holder !== "dead") return a === 3 && repairs === 0 ? undefined : "it was repaired, or lost";
    if (repairs > 1) return "two have taken it over";
    return a === 2 || a === 3 ? undefined : "a count was lost";
  },
  planted: PLANTED,
});

/** Hears of the death, and wakes who sleeps on the lock: no time passes here. */
function wake(env: Env): boolean {
  const heard = env.untilDead();
  if (heard) env.code.memory.notify(env.arena.words, env.code.memory.NAMES_LOCK);
  return heard;
}

/** The lock is another's, who had died in the middle of its section before. */
function inherited(env: Env): Shared {
  const shared = setup(env);
  env.arena.words[shared.at + FIRST] = 1;
  env.arena.words[env.code.memory.NAMES_LOCK] = EARLIER + 1;
  return shared;
}

const REPAIRER: Program<Shared> = {
  setup: inherited,
  threads: { repairer: counter(), other: counter((env) => env.untilDead()) },
  mortal: "repairer",
  final,
  judge: (repairer: unknown, other: unknown, [a, b, repairs, lock]: Left) => {
    if (lock !== 0) return "the lock is held by nobody who is there";
    if (other === "found it broken" || a !== b) return "a section began on half a count";
    if (repairs < 1) return "nobody has repaired";
    const least = repairer === "dead" ? 1 : 2;
    return a >= least && a <= 2 && repairs <= 2 ? undefined : "a count was lost";
  },
};

model("who takes the lock over dies at each step: the next one repairs (lock.ts I3)", {
  ...REPAIRER,
  planted: {
    "who has taken it over is not known for a holder": {
      file: FILE,
      replace: "this.#me | QUEUE) === seen;",
      by: "seen) === seen;",
    },
  },
});

/** Who had the slot of the dead thread, and the lock, is mourned; the next one takes both. */
function successor(env: Env, { at }: Shared) {
  const { Lock, NAMES_LOCK, SLOT_STATE, slotAt, store } = env.code.memory;
  const { words } = env.arena;
  const state = slotAt(EARLIER) + SLOT_STATE;
  const lock = new Lock(env.arena, NAMES_LOCK, env.slot, true, keeperOf(env, at));
  return () => {
    lock.hold(() => store(words, state, 1 << 8));
    count(new Lock(env.arena, NAMES_LOCK, EARLIER, true), env, at);
  };
}

/** Waits while that goes on. */
function waiter(env: Env, { at }: Shared) {
  const { Lock, NAMES_LOCK } = env.code.memory;
  const lock = new Lock(env.arena, NAMES_LOCK, env.slot, true, keeperOf(env, at));
  return () => count(lock, env, at);
}

/** The first who had the slot is dead, the next lives. */
function keeperOf(env: Env, at: Addr): Keeper {
  const { load, SLOT_STATE, slotAt } = env.code.memory;
  const { words } = env.arena;
  const isGone = (slot: number) =>
    slot === EARLIER && load(words, slotAt(slot) + SLOT_STATE) >>> 8 === 0;
  const repair = () => {
    words[at + FIRST] = words[at + SECOND] as number;
    words[at + REPAIRS] += 1;
  };
  return { isGone, repair };
}

function count(lock: Lock, env: Env, at: Addr): void {
  const { words } = env.arena;
  lock.hold(() => {
    words[at + FIRST] += 1;
    words[at + SECOND] += 1;
  });
}

model("the next thread of a dead one's slot takes the lock, and keeps it (lock.ts I1)", {
  setup: inherited,
  threads: { successor, waiter },
  final,
  outcomes: [[[null, null, [2, 2, 1, 0]], ok, "every count counted, and it was repaired once"]],
  planted: {
    "the word names a slot only": {
      file: FILE,
      replace: "return (slot + 1) | ((incarnationOf(arena, slot) & INCARNATION) << SLOT_BITS);",
      by: "return slot + 1;",
    },
  },
});
