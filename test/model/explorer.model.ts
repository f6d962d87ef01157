// SPDX-License-Identifier: MIT

/**
 * The explorer itself, on programs whose outcomes and number of interleavings are known: what it
 * cannot find here, it cannot find elsewhere.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isMainThread } from "node:worker_threads";
import type { Addr } from "#src/memory/index.ts";
import { Control } from "../support/explorer/control.ts";
import {
  agree,
  type Env,
  forbidden,
  model,
  ok,
  type Program,
  type Row,
  rare,
} from "../support/explorer/explorer.ts";

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

agree(
  "the full search does not try who sleeps in the place of who must come before it",
  undefined,
  {
    setup,
    threads: {
      a: thread((seam, words, { x, y }) => {
        seam.store(words, y, 3);
        return seam.exchange(words, x, 2);
      }),
      b: thread((seam, words, { x, y }) => [seam.load(words, x), seam.load(words, y)]),
      c: thread((seam, words, { x, y }) => {
        seam.store(words, x, 3);
        return seam.load(words, y);
      }),
    },
    judge: () => undefined,
  },
);

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

/** Waits for the end of the mortal thread; then does what it is told, if that died. */
function reaper(run: Run) {
  return (env: Env, shared: Shared) => () =>
    env.untilDead() ? run(env.code.memory, env.arena.words, shared) : "alive";
}

const look: Run = (seam, words, { x, y }) => [seam.load(words, x), seam.load(words, y)];

const twoStores: Run = (seam, words, { x, y }) => {
  seam.store(words, x, 1);
  seam.load(words, x); // To die before it or after it is the same.
  seam.store(words, y, 1);
};

/** What is left by who dies while it writes two words. */
const HALVES: readonly Row[] = [
  [["dead", [0, 0]], ok, "before it began"],
  [["dead", [1, 0]], ok, "between the two"],
  [["dead", [1, 1]], ok, "at its end"],
  [[null, "alive"], ok, "not at all"],
];

agree("a thread of two stores dies at three places, or not", 4, {
  setup,
  threads: { victim: thread(twoStores), reaper: reaper(look) },
  mortal: "victim",
  outcomes: HALVES,
});

agree("a thread of two plain writes dies likewise, and its reaper knows them", 4, {
  setup,
  threads: {
    reaper: reaper((_, words, { x, y }) => [words[x], words[y]]),
    victim: thread((_, words, { x, y }) => {
      words[x] = 1;
      words[y] += 1;
    }),
  },
  mortal: "victim",
  outcomes: HALVES.map(([[victim, seen], ...rest]): Row => [[seen, victim], ...rest]),
});

agree("between plain writes nobody dies who was not to", 3, {
  setup,
  threads: {
    victim: thread((_, words, { x, y }) => {
      words[x] = 1;
      words[y] = 1;
    }),
    reaper: reaper(look),
  },
  mortal: "victim",
  deaths: "atomic",
  outcomes: HALVES.filter(([, , why]) => why !== "between the two"),
});

agree("others see a thread die, and go on", undefined, {
  setup,
  threads: {
    other: thread((seam, words, { x, y }) => [seam.add(words, y, 2), seam.load(words, x)]),
    victim: thread((seam, words, { x, y }) => {
      seam.store(words, x, 1);
      seam.add(words, y, 1);
      seam.store(words, x, 2);
    }),
    reaper: reaper((seam, words, { x }) => seam.exchange(words, x, 9)),
  },
  mortal: "victim",
  final: (env, { x, y }) => [env.arena.words[x], env.arena.words[y]],
  judge: ([before, seen]: number[], victim: string, found: number, [x, y]: number[]) => {
    if (victim !== "dead") return x === 2 && y === 3 ? undefined : "it has not done all";
    if (x !== 9 || ![0, 1, 2].includes(found)) return "the reaper was not the last";
    if (found === 0 && y !== 2) return "it counted although it had not begun";
    if (before === 1 && seen === 0) return "what it did is undone";
    return undefined;
  },
});

const AFTER_DEATH: readonly Row[] = [
  [["dead", [0, 0, 0]], ok, "before it began"],
  [["dead", [1, 0, 0]], ok, "between the two stores"],
  [["dead", [2, 0, 0]], ok, "before it tidied up"],
  [["dead", [2, 1, 0]], ok, "while it did"],
  [["dead", [2, 1, 1]], ok, "at its end"],
  [[null, [2, 1, 1]], ok, "not at all"],
];

for (const atomically of [true, false]) {
  agree(`the dead do not tidy up, ${atomically ? "by a store" : "by plain writes"}`, 6, {
    setup,
    threads: {
      victim: thread((seam, words, { x, y }) => {
        try {
          seam.store(words, x, 1);
          seam.store(words, x, 2);
        } catch {
          seam.exchange(words, x, 7); // Thrown again, and out, but for what is done at last.
        } finally {
          if (atomically) seam.store(words, y, 1);
          else words[y] = 1;
          words.fill(1, y + 1, y + 3);
        }
      }),
    },
    mortal: "victim",
    final: (env, { x, y }) => [x, y, y + 1].map((at) => env.arena.words[at]),
    outcomes: AFTER_DEATH,
  });
}

model("what the dead have left to the event loop has no effect", {
  setup,
  threads: {
    reaper: (env, { x, y }) => {
      const unwatched = new Int32Array(env.arena.buffer);
      return () => {
        if (!env.untilDead()) return "alive";
        Atomics.wait(unwatched, x + 1, 0); // In earnest: the dead one's event loop has its turn.
        return [env.code.memory.load(env.arena.words, x), env.code.memory.load(env.arena.words, y)];
      };
    },
    victim: (env, { x, y }) => {
      const unwatched = new Int32Array(env.arena.buffer);
      const { words } = env.arena;
      let done = false;
      queueMicrotask(() => {
        if (!done) {
          words[y] = 7;
          env.code.memory.store(words, y, env.code.memory.add(words, x, 7));
        }
        Atomics.store(unwatched, x + 1, 1);
        Atomics.notify(unwatched, x + 1);
      });
      return () => {
        env.code.memory.store(words, x, 1);
        env.code.memory.store(words, x, 2);
        done = true;
      };
    },
  },
  mortal: "victim",
  outcomes: [
    [[[0, 0], "dead"], ok, "before it began"],
    [[[1, 0], "dead"], ok, "between the two stores"],
    [[[2, 0], "dead"], ok, "at its end"],
    [["alive", null], ok, "not at all"],
  ],
});

/** Takes a lock that keeps its holder's name, counts in two words, and lets go. */
function count(me: number): Run {
  return (seam, words, { x, y }) => {
    for (;;) {
      const holder = seam.swapIf(words, x, 0, me);
      if (holder === 0) break;
      seam.wait(words, x, holder, 1000);
    }
    words[y] += 1;
    words[y + 1] += 1;
    seam.store(words, x, 0);
    seam.notify(words, x);
  };
}

const VICTIM = 2;

/** Takes the lock over, and repairs what it guards. */
const takeOver: Run = (seam, words, { x, y }) => {
  if (seam.load(words, x) === VICTIM) {
    words[y + 1] = words[y] as number;
    seam.store(words, x, 0);
  }
  seam.notify(words, x);
};

/** Two who count, and who comes after one of them. */
function lockOf(mourn: Run): Program<Shared> {
  return {
    setup,
    threads: { other: thread(count(1)), victim: thread(count(VICTIM)), reaper: reaper(mourn) },
    mortal: "victim",
    final: (env, { x, y }) => [x, y, y + 1].map((at) => env.arena.words[at]),
    outcomes: [
      [[null, "dead", null, [0, 1, 1]], ok, "only the other has counted"],
      [[null, "dead", null, [0, 2, 2]], ok, "both have, or the reaper for the dead one"],
      [[null, null, "alive", [0, 2, 2]], ok, "nobody died"],
    ],
  };
}

agree("a lock is taken over from the dead", undefined, lockOf(takeOver));

agree("what the dead wrote is known to whom the reaper tells", undefined, {
  setup,
  threads: {
    victim: thread((_, words, { y }) => {
      words[y] = 7;
    }),
    reaper: reaper((seam, words, { x }) => seam.store(words, x, 1)),
    other: thread((seam, words, { x, y }) => (seam.load(words, x) === 1 ? words[y] : -1)),
  },
  mortal: "victim",
  outcomes: [
    [["dead", null, 0], ok, "it died before it wrote, and that is known"],
    [["dead", null, 7], ok, "it died after that"],
    [["dead", null, -1], ok, "not told yet"],
    [[null, "alive", -1], ok, "it did not die"],
  ],
});

agree("a thread dies in its event loop, where it waits", undefined, {
  setup,
  threads: {
    victim: (env, { x }) => {
      let woken = false;
      return async () => {
        const { words } = env.arena;
        env.code.memory.waitAsync(words, x, 0)?.then(() => {
          woken = true;
        });
        words[x + 1] = 1; // So that there is something to tell its death here from others.
        if (env.code.memory.load(words, x) === 0) await env.until(() => woken);
        env.code.memory.store(words, x, 2);
      };
    },
    waker: thread((seam, words, { x }) => {
      seam.store(words, x, 1);
      seam.notify(words, x);
    }),
    reaper: reaper((seam, words, { x }) => [words[x + 1], seam.load(words, x)]),
  },
  mortal: "victim",
  outcomes: [
    [["dead", null, [0, 0]], ok, "before it had begun"],
    [["dead", null, [0, 1]], ok, "likewise"],
    [["dead", null, [1, 0]], ok, "while it waited, or was about to"],
    [["dead", null, [1, 1]], ok, "likewise, and who wakes it wakes nobody"],
    [["dead", null, [1, 2]], ok, "at its end"],
    [[null, null, "alive"], ok, "not at all"],
  ],
});

/** Mortal programs that are wrong as they stand. */
const FATAL: Record<string, [complaint: RegExp, program: Program<Shared>]> = {
  "a death in the middle of two words": [
    /forbidden: half/,
    {
      setup,
      threads: { victim: thread(twoStores), reaper: reaper(look) },
      mortal: "victim",
      outcomes: [
        [["dead", [1, 0]], forbidden, "half"],
        ...HALVES.filter(([, , why]) => why !== "between the two"),
      ],
    },
  ],
  "a lock that nobody takes over": [/\[2,2,2\]\] is not in the table/, lockOf(() => null)],
  "a sleeper whom the dead one had let in and not woken": [
    /nobody can go on/,
    lockOf((seam, words, at) => {
      if (seam.load(words, at.x) === VICTIM) takeOver(seam, words, at);
    }),
  ],
  "a lock that is taken over with what it guards half done": [
    /is not in the table/,
    lockOf((seam, words, { x }) => {
      seam.swapIf(words, x, VICTIM, 0);
      seam.notify(words, x);
    }),
  ],
  "a plain read of what a dead thread wrote, by one who was not told": [
    /a plain read races with a plain write by a/,
    {
      setup,
      threads: {
        victim: thread((seam, words, { x, y }) => {
          words[y] = 7;
          seam.store(words, x, 1);
        }),
        reaper: reaper(() => null),
        other: thread((seam, words, { x, y }) => (seam.load(words, x + 1) === 0 ? words[y] : 0)),
      },
      mortal: "victim",
      judge: () => undefined,
    },
  ],
  "a sleep that only a death would end": [
    /nobody can go on/,
    {
      setup,
      threads: {
        victim: (env, { x }) => {
          return async () => {
            env.code.memory.waitAsync(env.arena.words, x, 0);
            env.arena.words[x + 1] = 1; // A place to die: after this.
            await env.until(() => false);
          };
        },
        reaper: reaper(look),
      },
      mortal: "victim",
      judge: () => undefined,
    },
  ],
};

for (const [fault, [complaint, program]] of Object.entries(FATAL)) {
  model(`the explorer complains of ${fault}`, { ...program, complaint });
}

if (isMainThread) {
  test("who waits for a turn that never comes says so, and who has not given it", () => {
    class Hang extends Error {}
    const control = Control.create();
    control.title = "a title";
    control.lookMs = 1;
    control.onHang = (what) => {
      throw new Hang(what);
    };
    const hangs = (error: unknown) =>
      error instanceof Hang && /a title.* thread 0/.test(`${error}`);
    assert.throws(() => control.await(1), hangs);
    control.pass(1);
    control.await(1); // It came, if late.
    assert.throws(() => control.await(1), hangs);
  });
}
