// SPDX-License-Identifier: MIT

/**
 * The explorer itself, on programs whose outcomes and number of interleavings are known: what it
 * cannot find here, it cannot find elsewhere.
 */
import type { Addr } from "#src/memory/index.ts";
import { agree, type Env, forbidden, model, ok, rare } from "../support/explorer/explorer.ts";

interface Shared {
  readonly x: Addr;
  readonly y: Addr;
}

function setup(env: Env): Shared {
  const x = env.pool.allocate(16);
  env.arena.words.fill(0, x, x + 16);
  env.name(x, "x");
  env.name(x + 8, "y");
  return { x, y: x + 8 };
}

/** A thread that does what it is told with the seam and the words of the arena. */
function thread(
  run: (seam: Env["code"]["memory"], words: Env["arena"]["words"], at: Shared) => unknown,
) {
  return (env: Env, shared: Shared) => () => run(env.code.memory, env.arena.words, shared);
}

agree("store buffering: not both read the old value", 6, {
  setup,
  threads: {
    a: thread((seam, words, { x, y }) => {
      seam.store(words, x, 1);
      return seam.load(words, y);
    }),
    b: thread((seam, words, { x, y }) => {
      seam.store(words, y, 1);
      return seam.load(words, x);
    }),
  },
  outcomes: [
    [[0, 1], ok, "a first"],
    [[1, 0], ok, "b first"],
    [[1, 1], ok, "both stored before they read"],
    [[0, 0], forbidden, "not sequentially consistent"],
  ],
});

agree("four writes of two threads to one word: 4! / 2! / 2! orders", 6, {
  setup,
  threads: {
    a: thread((seam, words, { x }) => [seam.exchange(words, x, 1), seam.exchange(words, x, 2)]),
    b: thread((seam, words, { x }) => [seam.exchange(words, x, 3), seam.exchange(words, x, 4)]),
  },
  judge: (a: number[], b: number[]) => (new Set([...a, ...b]).size === 4 ? undefined : "one twice"),
});

agree("three threads add twice each, by a load and a store: 6! / 2!³ orders", 90, {
  setup,
  threads: Object.fromEntries(
    ["a", "b", "c"].map((name) => [
      name,
      thread((seam, words, { x }) => seam.store(words, x, seam.load(words, x) + 1)),
    ]),
  ),
  final: (env, { x }) => env.arena.words[x],
  outcomes: [
    [[null, null, null, 3], ok, "one after the other"],
    [[null, null, null, 2], ok, "two at once"],
    [[null, null, null, 1], ok, "all at once"],
    [[null, null, null, 0], forbidden, "nobody"],
  ],
});

agree("one waits for two that may have been there before", undefined, {
  setup,
  threads: {
    sleeper: thread((seam, words, { x }) => {
      let seen = seam.load(words, x);
      while (seen < 2) {
        seam.wait(words, x, seen, 1000);
        seen = seam.load(words, x);
      }
    }),
    a: thread((seam, words, { x }) => {
      seam.add(words, x, 1);
      seam.notify(words, x);
    }),
    b: thread((seam, words, { x }) => {
      seam.add(words, x, 1);
      seam.notify(words, x);
    }),
  },
  outcomes: [[[null, null, null], ok, "woken, or not asleep"]],
});

agree("a peek may see what is old, but not what is known to be old", undefined, {
  setup,
  threads: {
    a: thread((seam, words, { x, y }) => {
      seam.store(words, x, 1);
      seam.store(words, y, 1);
    }),
    b: thread((seam, words, { x, y }) => [
      seam.peek(words, x),
      seam.peek(words, x),
      seam.load(words, y),
      seam.peek(words, x),
    ]),
  },
  outcomes: [
    [[null, [0, 0, 0, 0]], ok, "too early"],
    [[null, [0, 0, 0, 1]], ok, "it came in the end"],
    [[null, [0, 0, 1, 1]], ok, "the load has seen the second store, and so the first is known"],
    [[null, [0, 1, 0, 0]], ok, "seen, and then what is old: nothing orders two peeks"],
    [[null, [0, 1, 0, 1]], ok, "seen, and seen again"],
    [[null, [0, 1, 1, 1]], ok, "likewise"],
    [[null, [1, 0, 0, 1]], ok, "old after new"],
    [[null, [1, 0, 0, 0]], rare, "and old again, with a load between"],
    [[null, [1, 0, 1, 1]], ok, "likewise"],
    [[null, [1, 1, 0, 0]], ok, "likewise"],
    [[null, [1, 1, 0, 1]], ok, "seen each time"],
    [[null, [1, 1, 1, 1]], ok, "likewise"],
    [[null, [0, 0, 1, 0]], forbidden, "it is known to be old"],
    [[null, [1, 1, 1, 0]], forbidden, "likewise"],
  ],
});

model("what is written before a store can be read plainly after the load that sees it", {
  setup,
  threads: {
    a: thread((seam, words, { x, y }) => {
      words[y] = 7;
      seam.store(words, x, 1);
    }),
    b: thread((seam, words, { x, y }) => (seam.load(words, x) === 1 ? words[y] : -1)),
  },
  outcomes: [
    [[null, 7], ok, "seen"],
    [[null, -1], ok, "too early"],
  ],
});

type Run = Parameters<typeof thread>[0];

/** Programs that are wrong as they stand, and what the explorer must say of each. */
const WRONG: Record<string, [complaint: RegExp, a: Run, b: Run]> = {
  "a plain read that nothing orders after a plain write": [
    /races/,
    (_, words, { y }) => {
      words[y] = 7;
    },
    (_, words, { y }) => void words[y],
  ],
  "a plain read after a load that may not have seen the store": [
    /races/,
    (seam, words, { x, y }) => {
      words[y] = 7;
      seam.store(words, x, 1);
    },
    (seam, words, { x, y }) => [seam.load(words, x), words[y]],
  ],
  "a plain read of a word that is stored to": [
    /races/,
    (seam, words, { x }) => seam.store(words, x, 1),
    (_, words, { x }) => void words[x],
  ],
  "a plain read after a load of one's own store, which hid the other's": [
    /races/,
    (seam, words, { x, y }) => {
      words[y] = 7;
      seam.store(words, x, 1);
    },
    (seam, words, { x, y }) => {
      seam.store(words, x, 1);
      return seam.load(words, x) === 1 ? words[y] : 0;
    },
  ],
  "a plain copy of what is being written": [
    /races/,
    (_, words, { y }) => void words.fill(1, y, y + 2),
    (_, words, { y }) => void words.subarray(y + 1, y + 3),
  ],
  "a sleep that nobody ends": [
    /nobody can go on/,
    (seam, words, { x }) => seam.wait(words, x, 0, 1),
    (seam, words, { x }) => seam.store(words, x, 1),
  ],
  "two that spin for each other": [
    /nobody can go on/,
    (seam, words, { x, y }) => {
      seam.store(words, y, 1);
      while (seam.load(words, x) === 1) seam.pause();
      seam.store(words, y, 0);
    },
    (seam, words, { x, y }) => {
      seam.store(words, x, 1);
      while (seam.load(words, y) === 1) seam.pause();
      seam.store(words, x, 0);
    },
  ],
  "a loop of operations without an end": [
    /does not come to an end/,
    (seam, words, { x }) => {
      for (;;) seam.add(words, x, 1);
    },
    () => 0,
  ],
  "a loop of plain accesses without an end": [
    /does not come to an end/,
    (seam, words, { x, y }) => {
      seam.load(words, x);
      while (words[y] === 0) words[y + 1] = 0;
    },
    () => 0,
  ],
  "an access past the views": [/past the view/, (_, words) => void words[1 << 28], () => 0],
  "what a thread throws": [
    /thrown on purpose/,
    () => {
      throw new Error("thrown on purpose");
    },
    () => 0,
  ],
};

for (const [fault, [complaint, a, b]] of Object.entries(WRONG)) {
  model(`the explorer complains of ${fault}`, {
    setup,
    threads: { a: thread(a), b: thread(b) },
    judge: () => undefined,
    complaint,
  });
}
