// SPDX-License-Identifier: MIT

/**
 * Model of messages that are for one binder and for no other (pipe/addressee.ts): small programs in
 * every interleaving, with a death at each step; for the method see
 * test/support/explorer/explorer.ts. A message says which binder it was for, by the number that the
 * connecter has addressed. What a thread does here is what its socket does, in order.
 */
import type { Reaper } from "#src/context/reaper.ts";
import type { Addr } from "#src/memory/index.ts";
import type { Pipe } from "#src/pipe/index.ts";
import { type Env, model, type Program } from "../support/explorer/explorer.ts";
import { FEW, LOOK_MS, pagesLeft, reap, registryOf, watch } from "./deaths.ts";
import { ADDRESS, accept, BINDER, CONNECTER, connect, NAME, openEnd, PULL } from "./pipes.ts";

const base = { changes: FEW, patience: LOOK_MS, pages: 40 };
/** So many messages may be passed over, and then counted, at once. */
const MOST = 3;
const FOREVER = Number.POSITIVE_INFINITY;

interface Shared {
  readonly at: Addr;
}

/** Writes to whoever is bound, or is the next, and shows it. Returns which binder that is. */
function say(env: Env, pipe: Pipe, bytes: number): number {
  pipe.address();
  const whom = env.arena.words[pipe.at + env.code.pipe.PIPE_ADDRESSEE];
  pipe.writer?.write(new Uint8Array(bytes).fill(whom));
  pipe.writer?.flush();
  return whom;
}

/** For whom the messages were that come out of a pipe now. */
function hear(pipe: Pipe | undefined): number[] {
  const got: number[] = [];
  for (let m = pipe?.reader?.read(); m !== undefined; m = pipe?.reader?.read()) {
    got.push(m[0]?.[0] as number);
    pipe?.reader?.release();
  }
  return got;
}

/** What a connecter does when it hears that its binder has changed (socket/ways.ts). */
function look(env: Env, registry: Reaper, pipe: Pipe): void {
  pipe.address();
  if (!pipe.isStale || !registry.retract(pipe.at)) return;
  pipe.passOver(new env.code.pipe.Slab(env.host));
  registry.leave(pipe.at, "binder", 0);
}

/** Gives a name back, and leaves the pipe that has come by it. */
function leave(registry: Reaper, pipe: Pipe | undefined): void {
  registry.unbind(NAME);
  if (pipe === undefined) return;
  pipe.leave();
  registry.leave(pipe.at, "binder", 0);
}

/** Takes the name, and with it, once that is free, the pipe. */
class Next {
  pipe: Pipe | undefined;
  readonly #env: Env;
  readonly #registry: Reaper;
  readonly #object: number;

  constructor(env: Env, registry: Reaper) {
    this.#env = env;
    this.#registry = registry;
    this.#object = env.thread.register({
      command: (block, bits) => {
        if ((bits & env.code.command.BIND) === 0) return;
        const at = block - env.code.pipe.BINDER_BLOCK;
        registry.attach(at);
        this.pipe = openEnd(env, at, "binder", 10);
        this.pipe.reader?.passOver();
      },
    });
  }

  /** False if another has the name. */
  bind(): boolean {
    const binder = { slot: this.#env.slot, object: this.#object, type: PULL, limit: 10 };
    try {
      this.#registry.bind(NAME, ADDRESS, binder);
    } catch {
      return false;
    }
    return true;
  }
}

/**
 * What is wrong in the counts of all threads together, if something is.
 *
 * @param off By so much they may be off: a death in the middle of counting is none that an engine
 *   would choose (memory/arena.ts).
 */
function books(env: Env, slots: readonly number[], off = 0): string {
  const { SLOT_SENT, SLOT_RECEIVED, SLOT_DROPPED, slotAt } = env.code.memory;
  const { words } = env.arena;
  const sum = (at: number) => slots.reduce((all, slot) => all + words[slotAt(slot) + at], 0);
  const [sent, received, dropped] = [sum(SLOT_SENT), sum(SLOT_RECEIVED), sum(SLOT_DROPPED)];
  if (Math.abs(sent - received - dropped) <= off) return "";
  return `${sent} sent, ${received} received, ${dropped} dropped`;
}

const isAll = (got: readonly number[], whom: number) => got.every((each) => each === whom);

/** One binder leaves and another comes while the connecter speaks. */
const takingTurns: Program<Shared> = {
  changes: FEW,
  setup: (env) => ({ at: connect(env, 10, 10, NAME, true) }),
  threads: {
    connecter: (env, { at }) => {
      const pipe = openEnd(env, at, "connecter", 10);
      const registry = registryOf(env);
      say(env, pipe, 1);
      return () => {
        const said = [say(env, pipe, 1)];
        look(env, registry, pipe);
        said.push(say(env, pipe, 1));
        return said;
      };
    },
    first: (env) => {
      const registry = registryOf(env);
      const pipe = accept(env, 10);
      return () => {
        leave(registry, pipe);
      };
    },
    second: (env) => {
      const next = new Next(env, registryOf(env));
      return () => {
        if (!next.bind()) return "too early";
        env.thread.waitFor(
          () => next.pipe !== undefined,
          () => true,
          FOREVER,
        );
        return hear(next.pipe);
      };
    },
  },
  final: (env, { at }) => {
    // The second, or who comes if that was too early, hears the rest.
    const rest = hear(openEnd(env.as(3), at, "binder", 10));
    const whom = env.arena.words[at + env.code.pipe.PIPE_BINDING];
    return { rest, whom, books: books(env, [1, 2, 3]) };
  },
  judge: (
    said: number[],
    _first: unknown,
    heard: number[] | "too early",
    { rest, whom, books }: { rest: number[]; whom: number; books: string },
  ) => {
    const got = [...(heard === "too early" ? [] : heard), ...rest];
    if (!isAll(got, whom)) return `the binder ${whom} has received what was for ${got}`;
    const wanted = said.filter((each) => each === whom);
    if (got.length !== wanted.length) return `${got.length} of ${wanted.length} were received`;
    return books === "" ? undefined : books;
  },
};

model("one binder leaves and another comes: it receives what is for it, and all of that", {
  ...takingTurns,
  planted: {
    "what is for another is not passed over": {
      file: "pipe/reader.js",
      replace: "if (isOurs)\n                break;",
      by: "isOurs = true; break;",
    },
    "from which message on is said after for whom": {
      file: "pipe/addressee.js",
      replace: "words[pipe + PIPE_ADDRESSED] = written;",
      by: "store(words, pipe + PIPE_ADDRESSEE, binding); words[pipe + PIPE_ADDRESSED] = written;",
    },
    "a message is shown before it is said for whom it is": {
      file: "pipe/pipe.js",
      replace: "address(this.thread.arena.words, this.at, binding, writer.restart());",
      by:
        "{ const at = writer.restart(); writer.write(new Uint8Array([binding])); writer.flush();" +
        "address(this.thread.arena.words, this.at, binding, at); }",
    },
  },
});

/** The connecter speaks, and dies; the binder leaves meanwhile, and comes as the next one. */
function connecterDies(bytes: number): Program<Shared> {
  return {
    ...base,
    setup: (env) => ({ at: connect(env, 10, 10, NAME, true) }),
    threads: {
      connecter: (env, { at }) => {
        watch(env, undefined, CONNECTER);
        const pipe = openEnd(env, at, "connecter", 10);
        const registry = registryOf(env);
        say(env, pipe, bytes);
        return () => {
          say(env, pipe, bytes);
          look(env, registry, pipe);
          say(env, pipe, bytes);
          return "alive";
        };
      },
      binder: (env) => {
        watch(env, undefined, CONNECTER);
        const registry = registryOf(env);
        const pipe = accept(env, 10);
        const next = new Next(env, registry);
        return () => {
          leave(registry, pipe);
          next.bind();
          env.thread.dispatch();
          const got = hear(next.pipe);
          if (!env.untilDead()) return "alive";
          reap(env, registry, CONNECTER);
          env.thread.dispatch();
          got.push(...hear(next.pipe));
          leave(registry, next.pipe);
          return got;
        };
      },
    },
    mortal: "connecter",
    final: (env) => ({
      pages: pagesLeft(env, [CONNECTER, BINDER]),
      books: books(env, [CONNECTER, BINDER], MOST),
    }),
    judge: (
      connecter: unknown,
      got: number[] | "alive",
      { pages, books }: { pages: number; books: string },
    ) => {
      if (connecter === "alive" || got === "alive") return undefined;
      if (!isAll(got, 1)) return `the second binder has received what was for ${got}`;
      if (books !== "") return books;
      return pages === 0 ? undefined : `${pages} pages are lost`;
    },
  };
}

/** A binder passes over what was for the one before, and dies; another comes. */
function binderDies(bytes: number): Program<Shared> {
  return {
    ...base,
    setup: (env) => ({ at: connect(env, 10, 10, NAME, true) }),
    threads: {
      connecter: (env, { at }) => {
        watch(env, undefined, BINDER);
        const pipe = openEnd(env, at, "connecter", 10);
        const registry = registryOf(env);
        for (let i = 0; i < 2; i++) say(env, pipe, bytes);
        return () => {
          const said = [say(env, pipe, bytes)];
          if (!env.untilDead()) return "alive";
          reap(env, registry, BINDER);
          look(env, registry, pipe);
          said.push(say(env, pipe, bytes));
          const next = new Next(env, registry);
          next.bind();
          env.thread.dispatch();
          const whom = next.pipe?.binding;
          const got = hear(next.pipe);
          leave(registry, next.pipe);
          pipe.leave();
          registry.leave(at, "connecter", 0);
          return { said, got, whom };
        };
      },
      binder: (env) => {
        watch(env, undefined, BINDER);
        const registry = registryOf(env);
        const pipe = accept(env, 10);
        const next = new Next(env, registry);
        return () => {
          leave(registry, pipe);
          next.bind();
          env.thread.dispatch();
          return hear(next.pipe);
        };
      },
    },
    mortal: "binder",
    final: (env) => ({
      pages: pagesLeft(env, [CONNECTER, BINDER]),
      books: books(env, [CONNECTER, BINDER], MOST),
    }),
    judge: (
      connecter: "alive" | { said: number[]; got: number[]; whom: number },
      heard: number[] | "dead",
      { pages, books }: { pages: number; books: string },
    ) => {
      if (heard !== "dead" && !isAll(heard, 1)) return `binder 1 has received ${heard}`;
      if (connecter === "alive") return undefined;
      const { said, got, whom } = connecter;
      const wanted = said.filter((each) => each === whom);
      if (`${got}` !== `${wanted}`) return `binder ${whom} has received ${got}, of ${said}`;
      if (books !== "") return books;
      return pages === 0 ? undefined : `${pages} pages are lost`;
    },
  };
}

model("the connecter dies while it turns to the next binder: that one gets nothing else", {
  ...connecterDies(1),
});
model("a binder dies while it passes over: nobody receives it, and it is counted once", {
  ...binderDies(1),
});
model("a binder dies while it passes over large bodies: they are freed", {
  ...binderDies(5000),
  deaths: "atomic",
});
