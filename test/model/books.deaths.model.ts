// SPDX-License-Identifier: MIT

/**
 * Model of the counts of messages when a thread dies: small programs in every interleaving, with a
 * death at each step; for the method see test/support/explorer/explorer.ts. Whatever the step, in
 * the end all that was sent is received or dropped, and counted once as such.
 */
import type { Reaper } from "#src/context/reaper.ts";
import type { Addr } from "#src/memory/index.ts";
import type { Pipe, PipeWriter } from "#src/pipe/index.ts";
import { type Env, model, type Program } from "../support/explorer/explorer.ts";
import { EARLIER, FEW, LOOK_MS, reap, registryOf, watch } from "./deaths.ts";
import { accept, CONNECTER, connect, NAME, openEnd, PUSH, receive } from "./pipes.ts";

const [MANY] = FEW;
const base = { changes: FEW, patience: LOOK_MS, pages: 20 };
const ADDRESS = "inproc://x";
const SWAP = 1000;

interface Shared {
  readonly at: Addr;
}

/** The counts of all slots. */
function final(env: Env): { sent: number; received: number; dropped: number } {
  const { CONTEXT_SLOT, MAX_SLOTS, SLOT_SENT, SLOT_RECEIVED, SLOT_DROPPED, slotAt } =
    env.code.memory;
  const books = { sent: 0, received: 0, dropped: 0 };
  for (let slot = CONTEXT_SLOT; slot < MAX_SLOTS; slot++) {
    books.sent += env.arena.words[slotAt(slot) + SLOT_SENT];
    books.received += env.arena.words[slotAt(slot) + SLOT_RECEIVED];
    books.dropped += env.arena.words[slotAt(slot) + SLOT_DROPPED];
  }
  return books;
}

type Books = ReturnType<typeof final>;

function balance({ sent, received, dropped }: Books): string | undefined {
  if (sent === received + dropped) return undefined;
  return `${sent} sent, ${received} received, ${dropped} dropped`;
}

/** The connecter's end of a pipe, with a swap. */
function openSwapping(env: Env, at: Addr, mark: number): Pipe {
  const { Pipe, Slab } = env.code.pipe;
  const marks = { sendHighWaterMark: mark, receiveHighWaterMark: mark };
  return new Pipe(
    env.thread,
    at,
    "connecter",
    ADDRESS,
    { ...marks, swap: SWAP },
    new Slab(env.host),
    {
      readActivated() {},
      writeActivated() {},
      peerChanged() {},
      messagesLost() {},
    },
  );
}

/** Sends as lb does, and does not show it. */
function send(writer: PipeWriter | undefined, value: number): void {
  const message = new Uint8Array([value]);
  if (writer?.hasRoom !== true || !writer.write(message)) writer?.store(message);
}

function drain(pipe: Pipe): void {
  while (receive(pipe) !== undefined) pipe.reader?.release();
}

/** The binder leaves, when it has received all that there is. */
function leave(pipe: Pipe, registry: Reaper, at: Addr): void {
  drain(pipe);
  pipe.leave();
  registry.leave(at, "binder", 0);
  registry.unbind(NAME);
}

model("who sends, has a swap, and dies at each step: all is counted once", {
  ...base,
  setup: (env) => ({ at: connect(env, 1, 1) }),
  threads: {
    sender: (env, { at }) => {
      watch(env, undefined, CONNECTER);
      const { writer } = openSwapping(env, at, 1);
      return () => {
        send(writer, 1);
        writer?.flush();
        send(writer, 2); // It is shown together with what comes back from the swap.
        for (const value of [3, 4]) send(writer, value);
        writer?.flush();
        writer?.drainSwap();
      };
    },
    binder: (env, { at }) => {
      watch(env, undefined, CONNECTER);
      const pipe = accept(env, 1);
      const registry = registryOf(env);
      return () => {
        drain(pipe);
        if (!env.untilDead()) return "alive";
        reap(env, registry, CONNECTER);
        leave(pipe, registry, at);
        return "dead";
      };
    },
  },
  mortal: "sender",
  final,
  judge: (_sender: unknown, binder: "alive" | "dead", books: Books) =>
    binder === "alive" ? undefined : balance(books),
  planted: {
    "that a message is in the swap is said before it is counted": {
      file: "pipe/swapped.js",
      replace: "countAndNote(arena, counter, messages, note, arena.words[note] + more);",
      by: `arena.words[note] += more;
        countAndNote(arena, counter, messages, note, arena.words[note]);`,
    },
    "what came from the swap is counted with the rest": {
      file: "pipe/writer.js",
      replace: "noteBoth(arena, at, words[at] + moved * by, note, words[note] + moved * ONE);",
      by: "words[at] += moved * by;",
    },
  },
} as Program<Shared>);

/** Who has died before has shown two messages and not counted one, and has others in its swap. */
function leaveUncounted(env: Env): Shared {
  const at = connect(env, 1, 1);
  const { SLOT_SENT, slotAt } = env.code.memory;
  const { LANE_SENT } = env.code.queue;
  const { PIPE_LANES } = env.code.pipe;
  const { words } = env.arena;
  const { writer } = openSwapping(env.as(EARLIER), at, 1);
  for (const value of [1, 2, 3, 4]) {
    send(writer, value);
    writer?.flush();
  }
  words[slotAt(EARLIER) + SLOT_SENT] -= 1;
  words[at + PIPE_LANES + LANE_SENT] -= 2;
  return { at };
}

model("who mourns a sender dies at each step: all is counted once", {
  ...base,
  changes: FEW.filter((change) => change !== MANY), // EARLIER is one of the others.
  setup: leaveUncounted,
  threads: {
    mourner: (env) => {
      watch(env, undefined, CONNECTER);
      const registry = registryOf(env);
      return () => reap(env, registry, EARLIER);
    },
    binder: (env, { at }) => {
      watch(env, undefined, CONNECTER);
      const pipe = accept(env, 1);
      const registry = registryOf(env);
      return () => {
        if (env.untilDead()) {
          reap(env, registry, CONNECTER);
          reap(env, registry, EARLIER);
        }
        leave(pipe, registry, at);
      };
    },
  },
  mortal: "mourner",
  final,
  judge: (_mourner: unknown, _binder: unknown, books: Books) => balance(books),
  planted: {
    "that what was shown is counted is said before it is": {
      file: "pipe/repair.js",
      replace: "countAndNote(arena, counter, uncounted, lane + LANE_SENT, written);",
      by: `words[lane + LANE_SENT] = written;
        countAndNote(arena, counter, uncounted, lane + LANE_SENT, written);`,
    },
  },
} as Program<Shared>);

model("who leaves what nobody will receive dies at each step: all is counted once", {
  ...base,
  setup: () => undefined,
  threads: {
    sender: (env) => {
      watch(env, undefined, CONNECTER);
      const registry = registryOf(env);
      return () => {
        const at = env.code.pipe.createPipe(env.thread, PUSH, { sends: true, receives: false });
        const pipe = openEnd(env, at, "connecter", 2);
        registry.connect(NAME, ADDRESS, at, 0);
        for (const value of [1, 2]) send(pipe.writer, value);
        pipe.writer?.flush();
        pipe.leave();
        registry.leave(at, "connecter", 0);
      };
    },
    other: (env) => {
      watch(env, undefined, CONNECTER);
      const registry = registryOf(env);
      return () => {
        if (!env.untilDead()) return;
        reap(env, registry, CONNECTER);
        registry.dropOrphans();
      };
    },
  },
  mortal: "sender",
  final,
  judge: (_sender: unknown, _other: unknown, books: Books) => balance(books),
  planted: {
    "that a pipe goes is said before what it holds is counted": {
      file: "context/registry.js",
      replace: "countAndNote(arena, slotAt(slot) + SLOT_DROPPED, dropped, NAMES_DOOMED, pipe);",
      by: `this.words[NAMES_DOOMED] = pipe;
        countAndNote(arena, slotAt(slot) + SLOT_DROPPED, dropped, NAMES_DOOMED, pipe);`,
    },
  },
} as Program<undefined>);
