// SPDX-License-Identifier: MIT

/**
 * Model of the lock: small programs in every interleaving; for the method see
 * test/support/explorer/explorer.ts. A thread spins once before it waits, and no wait ends by time:
 * in the field a thread that was not woken looks again after some milliseconds, here it is lost.
 */
import type { Addr, Lock } from "#src/memory/index.ts";
import { type Env, model, ok } from "../support/explorer/explorer.ts";

interface Shared {
  readonly count: Addr;
}

function setup(env: Env): Shared {
  const count = env.pool.allocate(16);
  env.arena.words[count] = 0;
  env.name(env.code.memory.NAMES_LOCK, "lock");
  env.name(count, "count");
  return { count };
}

function openLock(env: Env, canBlock: boolean): Lock {
  const { Lock, NAMES_LOCK } = env.code.memory;
  return new Lock(env.arena, NAMES_LOCK, env.slot, canBlock);
}

/** Counts so often under the lock, by plain accesses. Returns what it has seen. */
function counter(times: number, canBlock = true) {
  return (env: Env, { count }: Shared) => {
    const lock = openLock(env, canBlock);
    const { words } = env.arena;
    return () => {
      for (let i = 0; i < times; i++) {
        lock.hold(() => {
          words[count] += 1;
        });
      }
    };
  };
}

const final = (env: Env, { count }: Shared): number[] => [
  env.arena.words[count],
  env.arena.words[env.code.memory.NAMES_LOCK],
];

const FILE = "memory/lock.js";

model("two threads take the lock twice each: one at a time, and nobody is left waiting (lock.ts)", {
  setup,
  threads: { first: counter(2), second: counter(2) },
  final,
  outcomes: [[[null, null, [4, 0]], ok, "every count counted, and the lock is free"]],
  planted: {
    "the lock is looked at and then taken": {
      file: FILE,
      replace: "let seen = swapIf(words, this.#at, 0, this.#me);",
      by: "let seen = load(words, this.#at); if (seen === 0) exchange(words, this.#at, this.#me);",
    },
    "who waits does not say so": [
      {
        file: FILE,
        replace: "swapIf(words, this.#at, seen, seen | QUEUE) === seen",
        by: "true",
      },
      { file: FILE, replace: "seen | QUEUE, LOOK_MS", by: "seen, LOOK_MS" },
    ],
    "who waits does not look whether it has said so": {
      file: FILE,
      replace: "wait(words, this.#at, seen | QUEUE, LOOK_MS);",
      by: "wait(words, this.#at, load(words, this.#at), LOOK_MS);",
    },
    "release does not wake": {
      file: FILE,
      replace: "if ((exchange(words, this.#at, 0) & QUEUE) !== 0)",
      by: "if ((exchange(words, this.#at, 0) & QUEUE) === 0)",
    },
    "release looks and then stores": {
      file: FILE,
      replace: "if ((exchange(words, this.#at, 0) & QUEUE) !== 0)",
      by:
        "const was = load(words, this.#at); exchange(words, this.#at, 0);" +
        "if ((was & QUEUE) !== 0)",
    },
    "release stores plainly": {
      file: FILE,
      replace: "if ((exchange(words, this.#at, 0) & QUEUE) !== 0)",
      by: "const was = words[this.#at]; words[this.#at] = 0; if ((was & QUEUE) !== 0)",
    },
  },
});

model("three threads take the lock: who was woken hands on the mark (lock.ts I1, I2)", {
  setup,
  threads: { first: counter(1), second: counter(1), third: counter(1) },
  final,
  outcomes: [[[null, null, null, [3, 0]], ok, "every count counted, and the lock is free"]],
  planted: {
    "release lets go only of a lock without the mark": {
      file: FILE,
      replace: "if ((exchange(words, this.#at, 0) & QUEUE) !== 0)",
      by: "if ((swapIf(words, this.#at, this.#me, 0) & QUEUE) !== 0)",
    },
  },
});

model("a thread that may not block meets one that may (lock.ts I1)", {
  setup,
  threads: { page: counter(2, false), worker: counter(2) },
  final,
  outcomes: [[[null, null, [4, 0]], ok, "every count counted, and the lock is free"]],
});
