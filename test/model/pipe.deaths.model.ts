// SPDX-License-Identifier: MIT

/**
 * Model of a pipe when one of its threads dies: small programs in every interleaving, with a death
 * at each step; for the method see test/support/explorer/explorer.ts. Chunks hold three short
 * messages, and a body of more than sixteen bytes has a block of its own. Who survives does the
 * leaving of the dead one as the library does (context/membership.ts).
 */
import type { Reaper } from "#src/context/reaper.ts";
import type { Addr } from "#src/memory/index.ts";
import type { Pipe } from "#src/pipe/index.ts";
import { type Change, type Env, model, ok, type Program } from "../support/explorer/explorer.ts";
import { FEW, LOOK_MS, pagesLeft, reap, registryOf, watch } from "./deaths.ts";
import {
  ADDRESS,
  accept,
  BINDER,
  CONNECTER,
  connect,
  NAME,
  openEnd,
  PULL,
  receive,
} from "./pipes.ts";

const changes: readonly Change[] = [
  ...FEW,
  { file: "queue/layout.js", replace: "INLINE_BYTES = 4096", by: "INLINE_BYTES = 16" },
];
const LARGE = 20;

interface Shared {
  readonly at: Addr;
}

/** Writes messages, each of so many bytes as it says, without showing them. */
function write(pipe: Pipe, values: readonly number[], bytes: number): void {
  for (const value of values) pipe.writer?.write(new Uint8Array(bytes).fill(value));
}

function drain(pipe: Pipe): number[] {
  const got: number[] = [];
  for (let v = receive(pipe); v !== undefined; v = receive(pipe)) {
    got.push(v);
    pipe.reader?.release();
  }
  return got;
}

/** Whether the parts come to the whole, in order, or (of one who died) to its beginning. */
function isBeginning(got: readonly number[], whole: readonly number[]): boolean {
  return got.length <= whole.length && got.every((value, index) => value === whole[index]);
}

const base = { changes, patience: LOOK_MS, pages: 20 };
const SENT = [1, 2, 3, 4];

/** The connecter writes, and dies; the binder reads, and what is left when it has mourned. */
function writerDies(bytes: number): Program<Shared> {
  return {
    ...base,
    setup: (env) => ({ at: connect(env, 10, 10) }),
    threads: {
      writer: (env, { at }) => {
        watch(env, undefined, CONNECTER);
        const pipe = openEnd(env, at, "connecter", 10);
        return () => {
          write(pipe, SENT.slice(0, 2), bytes);
          pipe.writer?.flush();
          write(pipe, SENT.slice(2), bytes);
          pipe.writer?.flush();
        };
      },
      reader: (env, { at }) => {
        watch(env, undefined, CONNECTER);
        const pipe = accept(env, 10);
        const registry = registryOf(env);
        return () => {
          const got = drain(pipe);
          if (!env.untilDead()) return "alive";
          reap(env, registry, CONNECTER);
          got.push(...drain(pipe));
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
      if (!isBeginning(got, SENT) || got.length % 2 !== 0) return "not what was shown";
      return pages === 0 ? undefined : `${pages} pages are lost`;
    },
    planted: {
      "what was shown is not counted": {
        file: "queue/ypipe.js",
        replace: "words[lane + LANE_WRITTEN] = words[lane + LANE_NEXT_WRITTEN];",
        by: "",
      },
      "what was taken and not shown is not freed": {
        file: "queue/ypipe.js",
        replace: "for (let at = words[lane + LANE_HELD]; at !== 0; at = words[lane + LANE_HELD]) {",
        by: "for (let at = 0; at !== 0;) {",
      },
    },
  };
}

model("who writes into new chunks dies at each step: what was shown is read, no memory lost", {
  ...writerDies(1),
});
model("who writes large bodies dies at each step: what was shown is read, no memory is lost", {
  ...writerDies(LARGE),
});

/** The binder reads, and dies; the connecter mourns, and another binder reads the rest. */
function readerDies(bytes: number): Program<Shared> {
  return {
    ...base,
    setup: (env) => {
      const at = connect(env, 10, 10);
      const pipe = openEnd(env.as(CONNECTER), at, "connecter", 10);
      write(pipe, SENT, bytes);
      pipe.writer?.flush();
      return { at };
    },
    threads: {
      writer: (env, { at }) => {
        watch(env, undefined, BINDER);
        const pipe = openEnd(env, at, "connecter", 10);
        const registry = registryOf(env);
        return () => {
          write(pipe, [5], bytes);
          pipe.writer?.flush();
          if (!env.untilDead()) return "alive";
          const released = env.arena.words[env.code.memory.slotAt(3)];
          reap(env, registry, BINDER);
          const back = pipe.readBack(new env.code.pipe.Slab(env.host));
          const rest: number[] = [];
          for (let m = back.read(); m !== undefined; m = back.read())
            rest.push(m[0]?.[0] as number);
          back.release();
          back.leave();
          pipe.leave();
          registry.leave(at, "connecter", 0);
          return { rest, released };
        };
      },
      reader: (env) => {
        watch(env, undefined, BINDER);
        const pipe = accept(env, 10);
        return () => {
          for (let i = 0; i < 4; i++) {
            receive(pipe);
            pipe.reader?.release();
            // How many it has released for certain; a word that nobody else has.
            env.code.memory.add(env.arena.words, env.code.memory.slotAt(3), 1);
          }
        };
      },
    },
    mortal: "reader",
    final: (env: Env) => pagesLeft(env, [CONNECTER, BINDER]),
    judge: (
      writer: "alive" | { rest: number[]; released: number },
      _reader: unknown,
      pages: number,
    ) => {
      if (writer === "alive") return undefined;
      const { rest, released } = writer;
      const first = rest[0] as number;
      const all = [...SENT, 5].slice(first - 1);
      if (rest.join() !== all.join()) return "the rest is not the end of what was written";
      // It may have died between the release and the count.
      if (first !== released + 1 && first !== released + 2) return "released, and read again";
      return pages === 0 ? undefined : `${pages} pages are lost`;
    },
  };
}

model("who reads over the edge of a chunk dies at each step: the next one gets just the rest", {
  ...readerDies(1),
});
model("who reads large bodies dies at each step: the next one gets just the rest", {
  ...readerDies(LARGE),
  planted: {
    "what a dead reader was giving back is not freed": {
      file: "queue/ypipe.js",
      replace: "if (arena.words[lane + LANE_FREE_AT] === 0)",
      by: "if (arena.words[lane + LANE_FREE_AT] >= 0)",
    },
  },
});

/** The name of the pipe that messages are moved to. */
const OTHER = new TextEncoder().encode("y");
/** The last two are moved: of short ones, the first is in one chunk and the second in the next. */
const UNREAD: readonly number[] = [1, 2, 3, 4];
const MOVED = 2;

interface Lanes {
  /** The pipe that nobody is bound to any more, and the one of somebody who reads. */
  readonly from: Addr;
  readonly to: Addr;
}

/** A pipe whose binder is gone has unread messages, and its connecter has retracted it. */
function leaveUnread(env: Env, bytes: number): Lanes {
  const from = connect(env, 10, 10);
  const connecter = env.as(CONNECTER);
  const pipe = openEnd(connecter, from, "connecter", 10);
  write(pipe, UNREAD, bytes);
  pipe.writer?.flush();
  const back = pipe.readBack(new env.code.pipe.Slab(env.host));
  for (let skipped = UNREAD.length - MOVED; skipped > 0; skipped--) back.read();
  back.release();
  registryOf(env.as(BINDER)).unbind(NAME);
  registryOf(connecter).retract(from);
  return { from, to: connect(env, 10, 10, OTHER) };
}

/** Binds the name of the pipe that the mover had, and receives what it left there. */
function readLeft(env: Env, registry: Reaper, slot: number): number[] {
  const got: number[] = [];
  const { BIND } = env.code.command;
  const object = env.thread.register({
    command: (block, bits) => {
      if ((bits & BIND) === 0) return;
      const at = block - env.code.pipe.BINDER_BLOCK;
      registry.attach(at);
      const pipe = openEnd(env, at, "binder", 10);
      got.push(...drain(pipe));
      pipe.leave();
      registry.leave(at, "binder", 0);
    },
  });
  registry.bind(NAME, ADDRESS, { slot, object, type: PULL, limit: 10 });
  env.thread.dispatch();
  registry.unbind(NAME);
  return got;
}

/** Receives by its own pipe what a mover moves there; when that has died, looks what is where. */
function looksWhere(mover: number, own: number) {
  return (env: Env, { to }: Lanes) => {
    watch(env, undefined, mover);
    const pipe = accept(env, 10);
    const registry = registryOf(env);
    const { add, SLOT_SENT, SLOT_RECEIVED, slotAt } = env.code.memory;
    return () => {
      const got = drain(pipe);
      if (!env.untilDead()) return "alive";
      reap(env, registry, mover);
      const { words } = env.arena;
      const at = slotAt(mover);
      const counts = `${words[at + SLOT_SENT]} sent, ${words[at + SLOT_RECEIVED]} received`;
      got.push(...drain(pipe));
      pipe.leave();
      registry.leave(to, "binder", 0);
      registry.unbind(OTHER);
      const left = readLeft(env, registry, own);
      add(words, slotAt(5), 1); // Nothing is in use any more; a word that nobody else has.
      return `${got.join()} moved; ${left.join()} left; ${counts}`;
    };
  };
}

/** The connecter moves messages to the binder, and dies; the binder looks what is where. */
function moverDies(bytes: number): Program<Lanes> {
  return {
    ...base,
    setup: (env) => leaveUnread(env, bytes),
    threads: {
      mover: (env, { from, to }) => {
        watch(env, undefined, CONNECTER);
        const { writer } = openEnd(env, to, "connecter", 10);
        const back = openEnd(env, from, "connecter", 10).readBack(new env.code.pipe.Slab(env.host));
        return () => {
          while (back.ready) if (writer === undefined || !back.moveTo(writer)) return "no memory";
          return "moved";
        };
      },
      reader: looksWhere(CONNECTER, BINDER),
    },
    mortal: "mover",
    final: (env) =>
      env.arena.words[env.code.memory.slotAt(5)] === 0 ? 0 : pagesLeft(env, [CONNECTER, BINDER]),
    outcomes: [
      [["moved", "alive", 0], ok, "it does not die"],
      [["dead", " moved; 3,4 left; 4 sent, 2 received", 0], ok, "before the first is shown"],
      [["dead", "3 moved; 4 left; 4 sent, 2 received", 0], ok, "between"],
      [["dead", "3,4 moved;  left; 4 sent, 2 received", 0], ok, "after the last is shown"],
    ],
  };
}

const READER = 3;

/** Who has received from the connecter moves that on to a third, and dies; the third looks. */
function passerDies(bytes: number): Program<Lanes> {
  return {
    ...base,
    setup: (env) => {
      // First: what the passer is told of the other, it hears when it begins.
      const to = connect(env, 10, 10, OTHER, false, [BINDER, READER]);
      const from = connect(env, 10, 10);
      const { writer } = openEnd(env.as(CONNECTER), from, "connecter", 10);
      for (const value of [3, 4]) writer?.write(new Uint8Array(bytes).fill(value));
      writer?.flush();
      return { from, to };
    },
    threads: {
      connecter: () => () => "there",
      passer: (env, { to }) => {
        watch(env, undefined, BINDER);
        const { reader } = accept(env, 10);
        const { writer } = openEnd(env, to, "connecter", 10);
        return () => {
          while (reader?.hasMessage) {
            if (writer === undefined || !reader.moveTo(writer)) return "no memory";
          }
          return "moved";
        };
      },
      reader: looksWhere(BINDER, READER),
    },
    mortal: "passer",
    final: (env, { from }) => {
      if (env.arena.words[env.code.memory.slotAt(5)] === 0) return 0;
      const connecter = env.as(CONNECTER);
      openEnd(connecter, from, "connecter", 10).leave();
      registryOf(connecter).leave(from, "connecter", 0);
      return pagesLeft(env, [CONNECTER, BINDER, READER]);
    },
    outcomes: [
      [["there", "moved", "alive", 0], ok, "it does not die"],
      [["there", "dead", " moved; 3,4 left; 0 sent, 0 received", 0], ok, "before the first"],
      [["there", "dead", "3 moved; 4 left; 0 sent, 0 received", 0], ok, "between"],
      [["there", "dead", "3,4 moved;  left; 0 sent, 0 received", 0], ok, "after the last"],
    ],
  };
}

model("who moves on what it receives dies at each step: each message is in one of the two lanes", {
  ...passerDies(LARGE),
  planted: {
    "only who reads back is asked whether it has moved": {
      file: "context/reaper.js",
      replace: "const mover = this.#holderOf(pipe, peerOf(side)) || this.#holderOf(pipe, side);",
      by: "const mover = this.#holderOf(pipe, side);",
    },
  },
});
model("who moves small messages dies at each step: each is in one of the two lanes", {
  ...moverDies(1),
  planted: {
    "the lane that it leaves is not asked": {
      file: "context/reaper.js",
      replace: "settleMove(this.arena, lane);",
      by: "{}",
    },
  },
});
model("who moves large bodies dies at each step: each message is in one of the two lanes", {
  ...moverDies(LARGE),
  planted: {
    "what has been shown is not given up by the lane that it leaves": {
      file: "pipe/move.js",
      replace: "disown(words, words[lane + LANE_MOVED_FROM], next);",
      by: "",
    },
    "the note is taken back before the message has left": {
      file: "pipe/reader.js",
      replace: "disown(this.arena.words, from, from + size);",
      by: `this.arena.words[this.lane + LANE_MOVED_TO] = 0;
           disown(this.arena.words, from, from + size);`,
    },
  },
});
