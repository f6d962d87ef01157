// SPDX-License-Identifier: MIT

/**
 * Model of the watermarks, and of waiting for room: small programs in every interleaving; for the
 * method see test/support/explorer/explorer.ts.
 */
import type { Addr } from "#src/memory/index.ts";
import type { PipeReader, PipeWriter } from "#src/pipe/index.ts";
import { type Env, forbidden, model, ok } from "../support/explorer/explorer.ts";
import { accept, connect, openEnd, receive, send } from "./pipes.ts";

const FOREVER = Number.POSITIVE_INFINITY;
const WRITE = 4;

interface Shared {
  readonly at: Addr;
}

/** A writer whose pipe holds so many messages, and what it then does. */
function writer(mark: number, held: number, run: (writer: PipeWriter) => unknown) {
  return (env: Env, { at }: Shared) => {
    const pipe = openEnd(env, at, "connecter", mark);
    const values = Array.from({ length: held }, (_, index) => index);
    send(pipe, ...values);
    return () => run(pipe.writer as PipeWriter);
  };
}

/** What a sender does that finds a pipe full. True if it sleeps. */
const waitIfFull = (out: PipeWriter): boolean => !out.hasRoom && out.wait();

/** A reader that takes so many messages before each release. */
function reader(
  mark: number,
  takes: readonly number[],
  before: (reader: PipeReader) => void = () => {},
) {
  return (env: Env) => {
    const pipe = accept(env, mark);
    return () => {
      before(pipe.reader as PipeReader);
      for (const count of takes) {
        for (let i = 0; i < count; i++) receive(pipe);
        pipe.reader?.release();
      }
    };
  };
}

/** Whether the writer was woken. */
function woken(env: Env, { at }: Shared): boolean {
  const { CONNECTER_BLOCK } = env.code.pipe;
  const { BLOCK_BITS } = env.code.command;
  return (env.arena.words[at + CONNECTER_BLOCK + BLOCK_BITS] & WRITE) !== 0;
}

/** The fault that everything here is about: each side must write first and look after. */
const PLANTED = {
  "wait does not look again": {
    file: "pipe/writer.js",
    replace: "return !this.#recount() && this.swapped === before;",
    by: "return true;",
  },
  "wait looks before it says that it waits": {
    file: "pipe/writer.js",
    replace:
      "        or(words, this.lane + LANE_READ, WAITS);\n" +
      "        return !this.#recount() && this.swapped === before;",
    by: "const room = this.#recount(); or(words, this.lane + LANE_READ, WAITS); return !room;",
  },
};

model("all messages pass a pipe that is too small: each side wakes the other (writer.ts)", {
  setup: (env) => ({ at: connect(env, 1, 1) }),
  threads: {
    writer: (env, { at }) => {
      const pipe = openEnd(env, at, "connecter", 1);
      const out = pipe.writer as PipeWriter;
      return () => {
        for (let value = 1; value <= 4; value++) {
          const attempt = (): boolean => {
            if (!out.hasRoom) return false;
            send(pipe, value);
            return true;
          };
          env.thread.waitFor(attempt, () => out.wait(), FOREVER);
        }
      };
    },
    reader: (env) => {
      const pipe = accept(env, 1);
      const from = pipe.reader as PipeReader;
      return () => {
        const got: number[] = [];
        const attempt = (): boolean => {
          const value = receive(pipe);
          if (value === undefined) return false;
          from.release();
          got.push(value);
          return true;
        };
        while (got.length < 4) env.thread.waitFor(attempt, () => from.sleep(), FOREVER);
        return got;
      };
    },
  },
  outcomes: [[[null, [1, 2, 3, 4]], ok, "all of them, in order"]],
  planted: {
    ...PLANTED,
    "flush does not wake": {
      file: "pipe/writer.js",
      replace: "if (!awake)",
      by: "if (false)",
    },
  },
});

model("half is read while the writer asks to be woken: it is (writer.ts)", {
  setup: (env) => ({ at: connect(env, 2, 2) }),
  threads: {
    writer: writer(2, 4, waitIfFull),
    reader: reader(2, [2]),
  },
  final: woken,
  outcomes: [
    [[true, null, true], ok, "it sleeps, and is woken"],
    [[false, null, false], ok, "there was room before it asked"],
    [[false, null, true], ok, "it had asked, saw the room itself, and is woken for nothing"],
    [[true, null, false], forbidden, "it sleeps for ever"],
  ],
  planted: {
    ...PLANTED,
    "release looks before it says what was read": {
      file: "pipe/reader.js",
      replace: "const before = add(words, this.lane + LANE_READ, by);",
      by:
        "const before = load(words, this.lane + LANE_READ);" +
        "add(words, this.lane + LANE_READ, by);",
    },
    "release loads and stores": {
      file: "pipe/reader.js",
      replace: "const before = add(words, this.lane + LANE_READ, by);",
      by:
        "const before = load(words, this.lane + LANE_READ);" +
        "store(words, this.lane + LANE_READ, before + by);",
    },
    "who is woken for is forgotten before it is asked": {
      file: "pipe/reader.js",
      replace: "if ((before & WAITS) === 0)",
      by: "if ((and(words, this.lane + LANE_READ, ~WAITS) & WAITS) === 0)",
    },
  },
});

model("less than half is read: a writer that sleeps is left in peace (writer.ts)", {
  setup: (env) => ({ at: connect(env, 2, 2) }),
  threads: {
    writer: writer(2, 4, waitIfFull),
    reader: reader(2, [1]),
  },
  final: woken,
  outcomes: [
    [[true, null, false], ok, "it sleeps on"],
    [[false, null, false], ok, "there was room before it asked, or when it looked again"],
    [[true, null, true], forbidden, "woken for one message"],
    [[false, null, true], forbidden, "likewise"],
  ],
});

model("the reader raises its watermark while the writer asks to be woken (writer.ts)", {
  setup: (env) => ({ at: connect(env, 1, 1) }),
  threads: {
    writer: writer(1, 2, waitIfFull),
    reader: reader(1, [], (from) => {
      from.highWaterMark = 5;
    }),
  },
  final: woken,
  outcomes: [
    [[true, null, true], ok, "it sleeps, and is woken"],
    [[false, null, false], ok, "there was room before it asked"],
    [[false, null, true], ok, "it had asked, saw the room itself, and is woken for nothing"],
    [[true, null, false], forbidden, "it sleeps for ever"],
  ],
  planted: {
    ...PLANTED,
    "nobody is told of the new watermark": {
      file: "pipe/reader.js",
      replace: "if ((load(words, this.lane + LANE_READ) & WAITS) !== 0)",
      by: "if (highWaterMark < 0)",
    },
    "who sets it looks first": {
      file: "pipe/reader.js",
      replace: "store(words, this.lane + LANE_LIMIT, highWaterMark);",
      by:
        "if ((load(words, this.lane + LANE_READ) & WAITS) !== 0) this.#wakeWriter();" +
        "store(words, this.lane + LANE_LIMIT, highWaterMark); return;",
    },
  },
});

model("the writer lowers its watermark and sleeps: it is woken when all is read (writer.ts)", {
  setup: (env) => ({ at: connect(env, 5, 1) }),
  threads: {
    writer: writer(5, 6, (out) => {
      out.highWaterMark = 1;
      return waitIfFull(out);
    }),
    reader: reader(1, [3, 3]),
  },
  final: woken,
  outcomes: [
    [[true, null, true], ok, "it sleeps, and is woken"],
    [[false, null, false], ok, "there was room before it asked"],
    [[false, null, true], ok, "it had asked, saw the room itself, and is woken for nothing"],
    [[true, null, false], forbidden, "it sleeps for ever"],
  ],
});

model("the reader lowers its watermark: the writer is woken when all is read (writer.ts)", {
  setup: (env) => ({ at: connect(env, 1, 5) }),
  threads: {
    writer: writer(1, 6, waitIfFull),
    reader: reader(5, [3, 3], (from) => {
      from.highWaterMark = 1;
    }),
  },
  final: woken,
  outcomes: [
    [[true, null, true], ok, "it sleeps, and is woken"],
    [[false, null, false], ok, "there was room before it asked"],
    [[false, null, true], ok, "it had asked, saw the room itself, and is woken for nothing"],
    [[true, null, false], forbidden, "it sleeps for ever"],
  ],
});
