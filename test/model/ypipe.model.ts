// SPDX-License-Identifier: MIT

/**
 * Model of ypipe: small programs in every interleaving; for the method see
 * test/support/explorer/explorer.ts. Chunks hold three records, so each run crosses several.
 */
import type { Addr } from "#src/memory/index.ts";
import type { YpipeReader, YpipeWriter } from "#src/queue/index.ts";
import { type Env, forbidden, model, ok } from "../support/explorer/explorer.ts";

const BYTES = 8;

interface Shared {
  readonly at: Addr;
}

function setup(env: Env): Shared {
  const { LANE_WORDS, createYpipe, LANE_C } = env.code.queue;
  const at = env.pool.allocate(LANE_WORDS);
  createYpipe(env.arena, env.pool, at);
  env.name(at + LANE_C, "c");
  return { at };
}

function openWriter(env: Env, { at }: Shared): YpipeWriter {
  return new env.code.queue.YpipeWriter(env.arena, env.pool, at);
}

function openReader(env: Env, { at }: Shared): YpipeReader {
  return new env.code.queue.YpipeReader(env.arena, env.pool, at);
}

/** Writes a message of so many parts. */
function put(env: Env, writer: YpipeWriter, ...values: number[]): void {
  const { FLAGS, LENGTH, MORE, RECORD_HEAD, recordWords } = env.code.queue;
  let at = writer.reserve(values.length * recordWords(BYTES));
  const { words } = env.arena;
  for (const [index, value] of values.entries()) {
    words[at + LENGTH] = BYTES;
    words[at + FLAGS] = index + 1 < values.length ? MORE : 0;
    words[at + RECORD_HEAD] = value;
    at += recordWords(BYTES);
  }
}

/** Takes all records there are. */
function drain(env: Env, reader: YpipeReader): number[] {
  const { END, FLAGS, LENGTH, RECORD_HEAD, recordWords } = env.code.queue;
  const got: number[] = [];
  for (let run = reader.run(); run > 0; run = reader.run()) {
    const { words } = env.arena;
    const end = reader.front + run;
    let at = reader.front;
    while (at < end && (words[at + FLAGS] & END) === 0) {
      got.push(words[at + RECORD_HEAD]);
      at += recordWords(words[at + LENGTH]);
    }
    reader.advance(at);
    reader.giveBack();
  }
  return got;
}

/** Takes the rest in another reader's name, frees all, and says how many pages are left in use. */
function finish(env: Env, shared: Shared): { rest: number[]; pages: number } {
  const rest = drain(env, openReader(env, shared));
  env.code.queue.destroyYpipe(env.arena, env.pool, shared.at);
  env.pool.free(shared.at);
  env.pool.trim();
  env.as(2).pool.trim();
  env.pool.trim();
  return { rest, pages: env.arena.words[env.code.memory.PAGES_USED] };
}

function judgeStream(count: number) {
  return (_: never, got: number[][], end: { rest: number[]; pages: number }) => {
    const all = [...got.flat(), ...end.rest];
    if (all.join() !== Array.from({ length: count }, (_, i) => i + 1).join()) return "not in order";
    return end.pages === 0 ? undefined : "a chunk was lost";
  };
}

model("flush meets sleep: a wake-up is neither lost nor doubled (ypipe.ts I2, I3)", {
  setup,
  threads: {
    writer: (env, shared) => {
      const writer = openWriter(env, shared);
      return () => {
        put(env, writer, 1);
        return writer.flush();
      };
    },
    reader: (env, shared) => {
      const reader = openReader(env, shared);
      return () => [reader.sleep(), reader.ready];
    },
  },
  outcomes: [
    //  flush  sleep  ready
    [[true, [false, true]], ok, "written before the reader looked"],
    [[false, [true, true]], ok, "the reader slept, was found asleep, looked again and saw it"],
    [[false, [true, false]], ok, "it slept and looked again before the flush was over"],
    [[true, [true, true]], forbidden, "the reader slept and nobody was told to wake it: lost"],
    [[true, [true, false]], forbidden, "likewise"],
    [[false, [false, true]], forbidden, "a wake-up for a reader that never slept"],
    [[true, [false, false]], forbidden, "it would not sleep, and there was nothing"],
  ],
  planted: {
    "flush loads and stores": {
      file: "queue/ypipe.js",
      replace: "const seen = swapIf(words, at + LANE_C, w, position);",
      by: "const seen = load(words, at + LANE_C); store(words, at + LANE_C, position);",
    },
    "flush stores first": {
      file: "queue/ypipe.js",
      replace: "const seen = swapIf(words, at + LANE_C, w, position);",
      by: "store(words, at + LANE_C, position); const seen = w;",
    },
    "sleep looks and then stores": {
      file: "queue/ypipe.js",
      replace: "const seen = swapIf(this.arena.words, this.lane + LANE_C, this.#front, ASLEEP);",
      by:
        "const seen = load(this.arena.words, this.lane + LANE_C);" +
        "if (seen === this.#front) store(this.arena.words, this.lane + LANE_C, ASLEEP);",
    },
  },
});

model("two flushes meet two sleeps: each sleep is answered once (ypipe.ts I1, I2, I3)", {
  setup,
  threads: {
    writer: (env, shared) => {
      const writer = openWriter(env, shared);
      return () => {
        put(env, writer, 1);
        const first = writer.flush();
        put(env, writer, 2);
        return [first, writer.flush()];
      };
    },
    reader: (env, shared) => {
      const reader = openReader(env, shared);
      return () => [reader.sleep(), drain(env, reader), reader.sleep(), drain(env, reader)];
    },
  },
  final: (env, { at }) => env.arena.words[at + env.code.queue.LANE_C] === 1,
  judge: (
    flushed: boolean[],
    [slept, first, sleptAgain, second]: [boolean, number[], boolean, number[]],
    asleep: boolean,
  ) => {
    const got = [...first, ...second].join();
    if (!"1,2".startsWith(got)) return "not what was written";
    if (asleep && got !== "1,2") return "asleep, and something lies in it";
    const oneSleep = slept && first.length === 0;
    const sleeps = Number(slept) + Number(sleptAgain && !oneSleep) - Number(asleep);
    const wakeUps = flushed.filter((awake) => !awake).length;
    return wakeUps === sleeps ? undefined : `${wakeUps} wake-ups for ${sleeps} sleeps`;
  },
  planted: {
    "flush says it woke when it did not have to": {
      file: "queue/ypipe.js",
      replace: "return awake;",
      by: "return awake && load(words, at + LANE_C) === position;",
    },
    "sleep does not look whether there is something": {
      file: "queue/ypipe.js",
      replace: "const seen = swapIf(this.arena.words, this.lane + LANE_C, this.#front, ASLEEP);",
      by: "const seen = exchange(this.arena.words, this.lane + LANE_C, ASLEEP);",
    },
  },
});

model("records come out in order, over the edges of chunks (ypipe.ts I4, I5)", {
  setup,
  threads: {
    writer: (env, shared) => {
      const writer = openWriter(env, shared);
      return () => {
        for (let value = 1; value <= 10; value++) {
          put(env, writer, value);
          if (value % 2 === 0) writer.flush();
        }
      };
    },
    reader: (env, shared) => {
      const reader = openReader(env, shared);
      return () => [drain(env, reader), drain(env, reader), drain(env, reader)];
    },
  },
  final: finish,
  judge: judgeStream(10),
  planted: {
    "c is written plainly": {
      file: "queue/ypipe.js",
      replace: "const seen = swapIf(words, at + LANE_C, w, position);",
      by: "const seen = w; words[at + LANE_C] = position;",
    },
    "c is read plainly": {
      file: "queue/ypipe.js",
      replace: "const c = load(this.arena.words, this.lane + LANE_C);",
      by: "const c = this.arena.words[this.lane + LANE_C];",
    },
    "c is moved before the last record is written": {
      file: "queue/ypipe.js",
      replace: "this.#position = from + size;",
      by: "this.#position = from + size; this.flush();",
    },
    "a chunk is freed when it is entered": {
      file: "queue/ypipe.js",
      replace: "this.#chunk = next;",
      by: "this.#chunk = next; this.pool.free(next);",
    },
  },
});

model("a message is seen whole, also if it began a new chunk (ypipe.ts I4, I6)", {
  setup,
  threads: {
    writer: (env, shared) => {
      const writer = openWriter(env, shared);
      return () => {
        put(env, writer, 1);
        writer.flush();
        put(env, writer, 2);
        put(env, writer, 3, 4);
        writer.flush();
      };
    },
    reader: (env, shared) => {
      const reader = openReader(env, shared);
      return () => [drain(env, reader), drain(env, reader)];
    },
  },
  outcomes: [
    [[null, [[1, 2, 3, 4], []]], ok, "the reader came late"],
    [[null, [[1], [2, 3, 4]]], ok, "after the first flush"],
    [[null, [[1], []]], ok, "after the first flush, and again"],
    [[null, [[], [1]]], ok, "before it, and after it"],
    [[null, [[], [1, 2, 3, 4]]], ok, "before the first flush, and after the second"],
    [[null, [[], []]], ok, "too early"],
    [[null, [[1, 2, 3], [4]]], forbidden, "half a message"],
    [[null, [[1], [2, 3]]], forbidden, "half a message"],
  ],
});

model("a reader whose views are too short makes new ones (arena.ts)", {
  setup: (env) => {
    const shared = setup(env);
    // The rest of the page on which the first chunk lies; so the next chunk lies on another.
    const page = (at: Addr): number => Math.floor(at / env.code.memory.PAGE_WORDS);
    const chunk = env.pool.allocate(16);
    while (page(env.pool.allocate(16)) === page(chunk)) {}
    return { ...shared, narrow: (page(chunk) + 1) * env.code.memory.PAGE_WORDS };
  },
  threads: {
    writer: (env, shared) => {
      const writer = openWriter(env, shared);
      return () => {
        for (let value = 1; value <= 4; value++) put(env, writer, value);
        writer.flush();
      };
    },
    reader: (env, shared) => {
      const reader = openReader(env, shared);
      const { arena } = env;
      arena.words = new Int32Array(arena.buffer, 0, shared.narrow);
      arena.bytes = new Uint8Array(arena.buffer, 0, 4 * shared.narrow);
      return () => [drain(env, reader), drain(env, reader)];
    },
  },
  outcomes: [
    [[null, [[1, 2, 3, 4], []]], ok, "the reader came late"],
    [[null, [[], [1, 2, 3, 4]]], ok, "it looked twice"],
    [[null, [[], []]], ok, "too early"],
  ],
  planted: {
    "an address is used without reach": [
      {
        file: "queue/ypipe.js",
        replace: "const next = this.arena.reach(this.arena.words[this.#front + LENGTH]);",
        by: "const next = this.arena.words[this.#front + LENGTH];",
      },
      {
        file: "queue/ypipe.js",
        replace: "this.#known = this.arena.reach(c);",
        by: "this.#known = c;",
      },
    ],
  },
});
