// SPDX-License-Identifier: MIT

/**
 * Model of a lane that gives up its chunk where memory is wanted (queue/ypipe.ts `shrink`,
 * pipe/writer.ts): every interleaving, and a death at each step; for the method see
 * test/support/explorer/explorer.ts. Five short messages were written before, so that the lane is
 * in its second chunk, which is larger than the first.
 */
import type { Addr } from "#src/memory/index.ts";
import type { Pipe } from "#src/pipe/index.ts";
import { type Change, type Env, model, ok } from "../support/explorer/explorer.ts";
import { FEW, LOOK_MS, pagesLeft, reap, registryOf, watch } from "./deaths.ts";
import { accept, BINDER, CONNECTER, connect, NAME, openEnd, receive, send } from "./pipes.ts";

const changes: readonly Change[] = [
  ...FEW,
  { file: "queue/layout.js", replace: "LAST_CHUNK_WORDS = 16", by: "LAST_CHUNK_WORDS = 32" },
];
const WRITTEN = 5;

interface Shared {
  readonly at: Addr;
}

/** A lane of which all but so many messages were read. */
function setup(env: Env, unread: number): Shared {
  const at = connect(env, 10, 10);
  const pipe = openEnd(env.as(CONNECTER), at, "connecter", 10);
  for (let value = 1; value <= WRITTEN; value++) send(pipe, value);
  const reader = pipe.readBack(new env.code.pipe.Slab(env.host));
  for (let value = unread; value < WRITTEN; value++) reader.read();
  reader.release();
  return { at };
}

function take(pipe: Pipe): number[] {
  const got: number[] = [];
  for (let value = receive(pipe); value !== undefined; value = receive(pipe)) got.push(value);
  pipe.reader?.release();
  return got;
}

/** Waits until the chunk that a word of the lane leads to is the least. */
function untilLeast(env: Env, { at }: Shared, word: number): void {
  const { words } = env.arena;
  const chunk = at + env.code.pipe.PIPE_LANES + word;
  const isLeast = () => words[words[chunk]] === env.code.queue.FIRST_CHUNK_WORDS;
  env.thread.waitFor(isLeast, () => true, Number.POSITIVE_INFINITY);
}

model("a lane gives up its chunk when it is empty, whoever comes first (pipe/writer.ts)", {
  changes,
  setup: (env) => setup(env, 1),
  threads: {
    writer: (env, shared) => {
      const { writer } = openEnd(env, shared.at, "connecter", 10);
      return () => {
        writer?.trim();
        untilLeast(env, shared, env.code.queue.LANE_WRITER_CHUNK);
      };
    },
    reader: (env, shared) => {
      const pipe = accept(env, 10);
      return () => {
        const got = take(pipe);
        untilLeast(env, shared, env.code.queue.LANE_READER_CHUNK);
        return got;
      };
    },
  },
  outcomes: [[[null, [5]], ok, "both go on in the least chunk, and nobody waits in vain"]],
  planted: {
    "the lane is not looked at again after it was asked for": {
      file: "pipe/writer.js",
      replace: "this.#trims = !this.#isIdle; // It may have become so before we had asked.",
      by: "",
    },
    "the reader is not told": {
      file: "pipe/writer.js",
      replace:
        "this.#thread.post(this.#readerBlock, ACTIVATE_READ); // It may be awake, and not look.",
      by: "",
    },
    "the reader who is told does not look": {
      file: "pipe/pipe.js",
      replace: "this.reader?.trim();",
      by: "",
    },
    "who was woken does not try again": {
      file: "pipe/pipe.js",
      replace: "this.writer?.trimAgain();",
      by: "",
    },
  },
});

model("who gives up a chunk dies at each step: what was shown is read, no memory is lost", {
  changes,
  patience: LOOK_MS,
  pages: 20,
  setup: (env) => setup(env, 0),
  threads: {
    writer: (env, { at }) => {
      watch(env, undefined, CONNECTER);
      const pipe = openEnd(env, at, "connecter", 10);
      return () => {
        pipe.writer?.trim();
        send(pipe, 6);
      };
    },
    reader: (env, { at }) => {
      watch(env, undefined, CONNECTER);
      const pipe = accept(env, 10);
      const registry = registryOf(env);
      return () => {
        env.thread.dispatch();
        const got = take(pipe);
        if (!env.untilDead()) return "alive";
        reap(env, registry, CONNECTER);
        got.push(...take(pipe));
        pipe.leave();
        registry.leave(at, "binder", 0);
        registry.unbind(NAME);
        return got;
      };
    },
  },
  mortal: "writer",
  final: (env: Env) => pagesLeft(env, [CONNECTER, BINDER]),
  judge: (writer: unknown, got: number[], pages: number) => {
    if (writer !== "dead") return undefined;
    if (!["", "6"].includes(got.join())) return "not what was shown";
    return pages === 0 ? undefined : `${pages} pages are lost`;
  },
  planted: {
    "a chunk that is not shown is nobody's": {
      file: "queue/ypipe.js",
      replace: "for (let at = words[lane + LANE_HELD]; at !== 0; at = words[lane + LANE_HELD]) {",
      by: "for (let at = 0; at !== 0;) {",
    },
  },
});

model("who is given the least chunk dies at each step: the next one gets just the rest", {
  changes,
  patience: LOOK_MS,
  pages: 20,
  setup: (env) => setup(env, 0),
  threads: {
    writer: (env, { at }) => {
      watch(env, undefined, BINDER);
      const pipe = openEnd(env, at, "connecter", 10);
      const registry = registryOf(env);
      return () => {
        pipe.writer?.trim();
        send(pipe, 6);
        if (!env.untilDead()) return "alive";
        reap(env, registry, BINDER);
        const back = pipe.readBack(new env.code.pipe.Slab(env.host));
        let rest = 0;
        while (back.read() !== undefined) rest++;
        back.release();
        back.leave();
        pipe.leave();
        registry.leave(at, "connecter", 0);
        return { rest };
      };
    },
    reader: (env) => {
      watch(env, undefined, BINDER);
      const pipe = accept(env, 10);
      return () => {
        env.thread.dispatch();
        take(pipe);
      };
    },
  },
  mortal: "reader",
  final: (env: Env) => pagesLeft(env, [CONNECTER, BINDER]),
  judge: (writer: "alive" | { rest: number }, _: unknown, pages: number) => {
    if (writer === "alive") return undefined;
    if (writer.rest > 1) return "what it had read is there again";
    return pages === 0 ? undefined : `${pages} pages are lost`;
  },
  planted: {
    "what a dead reader was giving back is not freed": {
      file: "queue/ypipe.js",
      replace: "if (arena.words[lane + LANE_FREE_AT] === 0)",
      by: "if (arena.words[lane + LANE_FREE_AT] >= 0)",
    },
  },
});
