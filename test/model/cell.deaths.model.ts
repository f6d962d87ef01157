// SPDX-License-Identifier: MIT

/**
 * Model of a pipe of which only the newest message counts: small programs in every interleaving,
 * with a death at each step; for the method see test/support/explorer/explorer.ts. A message has
 * its number, and at its end the same number: what was torn would be seen. Who survives does the
 * leaving of the dead one as the library does (context/membership.ts).
 */
import type { Addr } from "#src/memory/index.ts";
import type { Pipe, PipeReader } from "#src/pipe/index.ts";
import { type Env, model, type Program } from "../support/explorer/explorer.ts";
import { FEW, LOOK_MS, pagesLeft, reap, registryOf, watch } from "./deaths.ts";
import { accept, BINDER, CONNECTER, connect, NAME, NEWEST, openEnd } from "./pipes.ts";

const base = { changes: FEW, patience: LOOK_MS, pages: 20 };
/** The newest is the last; those before are small, so that many share a page. */
const SENT = [1, 2, 3];
const LAST = 3;
const TORN = -1;

interface Shared {
  readonly at: Addr;
}

function put(pipe: Pipe, value: number): void {
  if (pipe.writer?.hasRoom) pipe.writer.write(new Uint8Array(8).fill(value));
  pipe.writer?.flush();
}

function take(reader: PipeReader | undefined): number[] {
  const got: number[] = [];
  for (let m = reader?.read(); m !== undefined; m = reader?.read()) {
    const [part] = m;
    got.push(part?.every((byte) => byte === part[0]) ? (part[0] as number) : TORN);
    reader?.release();
  }
  return got;
}

/** Frees all that is left, in the names of both, and says what is in use, and what was counted. */
function finish(env: Env): { pages: number; sent: number; received: number; dropped: number } {
  const pages = pagesLeft(env, [CONNECTER, BINDER]);
  const { SLOT_SENT, SLOT_RECEIVED, SLOT_DROPPED, slotAt } = env.code.memory;
  const { words } = env.arena;
  const sum = (at: number) => words[slotAt(CONNECTER) + at] + words[slotAt(BINDER) + at];
  return {
    pages,
    sent: sum(SLOT_SENT),
    received: sum(SLOT_RECEIVED),
    dropped: sum(SLOT_DROPPED),
  };
}
type Finish = ReturnType<typeof finish>;

function isAscending(got: readonly number[]): boolean {
  return got.every((value, index) => value > (got[index - 1] ?? 0));
}

/** What holds of every run. */
function judge(got: readonly number[], end: Finish): string | undefined {
  if (got.includes(TORN)) return "torn";
  if (!isAscending(got)) return "an older one after a newer";
  const { pages, sent, received, dropped } = end;
  if (sent !== received + dropped) {
    return `${sent} sent, ${received} received, ${dropped} dropped`;
  }
  return pages === 0 ? undefined : `${pages} pages are lost`;
}

/** The connecter puts, and the binder reads until it sleeps, again and again; nobody dies. */
function bothLive(): Program<Shared> {
  return {
    ...base,
    setup: (env) => ({ at: connect(env, 10, NEWEST) }),
    threads: {
      writer: (env, { at }) => {
        const pipe = openEnd(env, at, "connecter", 10);
        const registry = registryOf(env);
        return () => {
          for (const value of SENT) put(pipe, value);
          pipe.leave();
          registry.leave(at, "connecter", 0);
        };
      },
      reader: (env, { at }) => {
        const got: number[] = [];
        let woken = true;
        const pipe = accept(env, NEWEST, {
          readActivated: () => {
            woken = true;
          },
          writeActivated() {},
          peerChanged() {},
          messagesLost() {},
        });
        const registry = registryOf(env);
        return () => {
          // As a socket does: it reads until it may sleep, and then waits for a command.
          while (!got.includes(LAST)) {
            if (woken) got.push(...take(pipe.reader));
            if (got.includes(LAST)) break;
            woken = pipe.reader?.sleep() === false;
            if (!woken)
              env.thread.waitFor(
                () => woken,
                () => true,
                Number.POSITIVE_INFINITY,
                0,
              );
          }
          pipe.leave();
          registry.leave(at, "binder", 0);
          registry.unbind(NAME);
          return got;
        };
      },
    },
    final: finish,
    judge: (_writer: unknown, got: number[], end: Finish) => judge(got, end),
    planted: {
      "the reader does not look at the cell after it has gone to sleep": {
        file: "pipe/reader.js",
        replace: "return super.sleep() && !this.#cell.full;",
        by: "return super.sleep();",
      },
      "the writer does not look who sleeps": {
        file: "pipe/writer.js",
        replace: "awake = this.wake() && awake;",
        by: "",
      },
      "what the reader has just taken is freed as replaced": {
        file: "queue/cell.js",
        replace: "words[lane + LANE_REPLACED] = blockOf(seen) | puts;",
        by: "words[lane + LANE_REPLACED] ||= blockOf(seen) | puts;",
      },
    },
  };
}

model("both live: the newest is read, nothing torn, no wake-up lost, all counted", bothLive());

/** What was got of a writer that has died, and had told that it had put in so much at least. */
function judgeGot(
  _writer: unknown,
  result: "alive" | { got: number[]; least: number },
  end: Finish,
): string | undefined {
  if (result === "alive") return undefined;
  const { got, least } = result;
  if ((got.at(-1) ?? 0) < least) return "the newest was not read";
  return judge(got, end);
}

/** The connecter puts, and dies; the binder reads, and mourns, and reads what is left. */
function writerDies(): Program<Shared> {
  return {
    ...base,
    setup: (env) => ({ at: connect(env, 10, NEWEST) }),
    threads: {
      writer: (env, { at }) => {
        watch(env, undefined, CONNECTER);
        const pipe = openEnd(env, at, "connecter", 10);
        const { add, slotAt } = env.code.memory;
        return () => {
          for (const value of SENT) {
            put(pipe, value);
            add(env.arena.words, slotAt(3), 1); // So many were put for certain.
          }
        };
      },
      reader: (env, { at }) => {
        watch(env, undefined, CONNECTER);
        const pipe = accept(env, NEWEST);
        const registry = registryOf(env);
        const { add, slotAt } = env.code.memory;
        return () => {
          const got = take(pipe.reader);
          if (!env.untilDead()) return "alive";
          const least = add(env.arena.words, slotAt(3), 0);
          reap(env, registry, CONNECTER);
          got.push(...take(pipe.reader));
          pipe.leave();
          registry.leave(at, "binder", 0);
          registry.unbind(NAME);
          return { got, least };
        };
      },
    },
    mortal: "writer",
    final: finish,
    judge: judgeGot,
    planted: {
      "what was put in is taken back": {
        file: "queue/cell.js",
        replace: "if (((load(words, lane + LANE_LATEST) ^ putting) & PUTS) === 0) {",
        by: "if (false) {",
      },
      "what was not put in is not freed": {
        file: "queue/cell.js",
        replace: "pool.free(blockOf(putting));",
        by: "",
      },
      "what was replaced is not freed": {
        file: "queue/cell.js",
        replace: "    freeReplaced(arena, pool, lane);\n}",
        by: "}",
      },
      "what would have been replaced is freed": {
        file: "queue/cell.js",
        replace: "words[lane + LANE_REPLACED] = 0; // It has replaced nothing yet.",
        by: "",
      },
    },
  };
}

model("who puts dies at each step: the newest that was put is read, no memory lost", writerDies());

/** What is left by a reader that has died, and had told that it had released so much. */
function judgeRest(
  result: "alive" | { rest: number[]; queued: number; taken: number },
  _reader: unknown,
  end: Finish,
): string | undefined {
  if (result === "alive") return undefined;
  const { rest, queued, taken } = result;
  if (queued > 0) return "the newest was not read";
  if (queued < 0) return "released, and read again";
  if (rest.some((value) => value <= taken)) return "released, and read again";
  return judge(rest, end);
}

/** The binder reads, and dies; the connecter puts on, mourns, and another reads what is left. */
function readerDies(): Program<Shared> {
  return {
    ...base,
    setup: (env) => {
      const at = connect(env, 10, NEWEST);
      const pipe = openEnd(env.as(CONNECTER), at, "connecter", 10);
      for (const value of SENT.slice(0, 2)) put(pipe, value);
      return { at };
    },
    threads: {
      writer: (env, { at }) => {
        watch(env, undefined, BINDER);
        const pipe = openEnd(env, at, "connecter", 10);
        const registry = registryOf(env);
        const { slotAt, add } = env.code.memory;
        return () => {
          put(pipe, LAST);
          if (!env.untilDead()) return "alive";
          const taken = add(env.arena.words, slotAt(3), 0);
          reap(env, registry, BINDER);
          const back = pipe.readBack(new env.code.pipe.Slab(env.host));
          const rest = take(back);
          const { queued } = back;
          back.leave();
          pipe.leave();
          registry.leave(at, "connecter", 0);
          return { rest, queued, taken };
        };
      },
      reader: (env) => {
        watch(env, undefined, BINDER);
        const pipe = accept(env, NEWEST);
        return () => {
          for (let i = 0; i < 2; i++) {
            const [part] = pipe.reader?.read() ?? [];
            pipe.reader?.release();
            const value = part?.[0] ?? 0;
            if (value > 0) env.code.memory.store(env.arena.words, env.code.memory.slotAt(3), value);
          }
        };
      },
    },
    mortal: "reader",
    final: finish,
    judge: judgeRest,
    planted: {
      "what it had taken is not put back": {
        file: "queue/cell.js",
        replace: "if (((read - words[block + NUMBER]) | 0) < 0) {",
        by: "if (false) {",
      },
      "what it had released is put back": {
        file: "queue/cell.js",
        replace: "if (((read - words[block + NUMBER]) | 0) < 0) {",
        by: "if (true) {",
      },
      "what it was about to take is thought taken": {
        file: "queue/cell.js",
        replace: "return happened ? blockOf(taken) : 0;",
        by: "return blockOf(taken);",
      },
    },
  };
}

model("who takes dies at each step: the next one gets the newest, no memory lost", readerDies());
