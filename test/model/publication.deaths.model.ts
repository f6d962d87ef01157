// SPDX-License-Identifier: MIT

/**
 * Model of a message in several lanes when one of its threads dies: small programs in every
 * interleaving, with a death at each step; for the method see test/support/explorer/explorer.ts. A
 * body of more than sixteen bytes has a block of its own. Who survives does the leaving of the dead
 * one as the library does (context/membership.ts).
 */
import type { Addr } from "#src/memory/index.ts";
import type { Pipe } from "#src/pipe/index.ts";
import { type Change, type Env, model, type Program } from "../support/explorer/explorer.ts";
import { FEW, LOOK_MS, MORTAL, pagesLeft, reap, registryOf, watch } from "./deaths.ts";
import { openEnd, PULL, PUSH, receive } from "./pipes.ts";

const changes: readonly Change[] = [
  ...FEW,
  { file: "queue/layout.js", replace: "INLINE_BYTES = 4096", by: "INLINE_BYTES = 16" },
];
const LARGE = 20;
const MARK = 10;

/** Who publishes, and who has which lane. */
type Slots = readonly [publisher: number, first: number, second: number];

interface Shared {
  readonly pipes: readonly [Addr, Addr];
}

/** Two pipes of the publisher, each with a binder. */
function connectBoth(env: Env, [slot, ...readers]: Slots): Shared {
  const { NAMES_LOCK, OWNERS_LOCK, PAGES_LOCK } = env.code.memory;
  const { LANE_C } = env.code.queue;
  const { PIPE_LANES, createPipe } = env.code.pipe;
  const { Registry } = env.code.registry;
  env.name(NAMES_LOCK, "lock of the names");
  env.name(PAGES_LOCK, "lock of the pages");
  env.name(OWNERS_LOCK, "lock of the owners");
  const publisher = env.as(slot);
  const pipes = readers.map((slot, index) => {
    const binder = { slot, object: 0, type: PULL, limit: MARK };
    const name = nameOf(index);
    new Registry(env.as(slot).thread).bind(name, "inproc://x", binder);
    const at = createPipe(publisher.thread, PUSH, { sends: true, receives: false });
    openEnd(publisher, at, "connecter", MARK);
    new Registry(publisher.thread).connect(name, "inproc://x", at);
    publisher.thread.dispatch();
    env.name(at + PIPE_LANES + LANE_C, `c of ${index}`);
    return at;
  });
  return { pipes: pipes as unknown as [Addr, Addr] };
}

function nameOf(pipe: number): Uint8Array {
  return new TextEncoder().encode("xy"[pipe]);
}

/** Publishes a message of two parts, the second of which is large, to all lanes. */
function publisher(env: Env, { pipes }: Shared): () => void {
  const { prepare, Publication } = env.code.pipe;
  const ends = pipes.map((at) => openEnd(env, at, "connecter", MARK));
  const publication = new Publication(env.thread);
  const message = prepare([new Uint8Array([7]), new Uint8Array(LARGE).fill(8)], env.pool);
  return () => {
    // For a lane more than there are: so there is something to be given up.
    publication.begin(message, ends.length + 1);
    for (const { writer } of ends) if (writer !== undefined) publication.writeTo(writer);
    publication.end();
  };
}

/** Takes the ends of a binder, for which BIND has come. */
function accept(env: Env, { pipes }: Shared): Pipe[] {
  const ends = new Map<Addr, Pipe>();
  const { BIND } = env.code.command;
  env.thread.register({
    command: (block, bits) => {
      if ((bits & BIND) === 0) return;
      const at = block - env.code.pipe.BINDER_BLOCK;
      new env.code.registry.Registry(env.thread).attach(at);
      ends.set(at, openEnd(env, at, "binder", MARK));
    },
  });
  env.thread.dispatch();
  return pipes.flatMap((at) => ends.get(at) ?? []);
}

function drain(pipe: Pipe): number {
  let count = 0;
  for (let value = receive(pipe); value !== undefined; value = receive(pipe)) {
    if (value !== 7) throw new Error(`what was received begins with ${value}`);
    pipe.reader?.release();
    count++;
  }
  return count;
}

const base = { changes, patience: LOOK_MS, pages: 24 };

model("who publishes to two lanes dies at each step: nothing is lost, no body is freed too soon", {
  ...base,
  setup: (env) => connectBoth(env, [MORTAL, 2, 2]),
  threads: {
    publisher: (env, shared) => {
      watch(env);
      return publisher(env, shared);
    },
    reader: (env, shared) => {
      watch(env);
      const ends = accept(env, shared);
      const registry = registryOf(env);
      return () => {
        const early = ends.map(drain);
        if (!env.untilDead()) return "alive";
        reap(env, registry, MORTAL);
        const got = ends.map((pipe, index) => (early[index] as number) + drain(pipe));
        env.thread.dispatch(); // What came for one end shall not be left to the event loop.
        for (const [index, pipe] of ends.entries()) {
          pipe.leave();
          registry.leave(pipe.at, "binder", 0);
          registry.unbind(nameOf(index));
        }
        return got;
      };
    },
  },
  mortal: "publisher",
  final: (env: Env) => pagesLeft(env, [1, 2, 3]),
  judge: (publisher: unknown, got: "alive" | readonly [number, number], pages: number) => {
    if (publisher !== "dead" || got === "alive") return undefined;
    const [first, second] = got;
    if (first > 1 || second > first) return "a lane has what was not shown";
    return pages === 0 ? undefined : `${pages} pages are lost`;
  },
  planted: {
    "what was published is nobody's": {
      file: "context/reaper.js",
      replace: "settlePublication(arena, pool, dead);",
      by: "",
    },
    "whether the last lane has it is not asked": {
      file: "pipe/publication.js",
      replace: "return words[at + (shown ? SLOT_NEXT_LEFT : SLOT_LEFT)];",
      by: "return words[at + SLOT_LEFT];",
    },
  },
} as Program<Shared>);

/** The publisher's slot, where it takes no part. */
const PUBLISHER = 3;

/** What was published lies in two lanes, and the publisher has nothing more to do. */
function published(env: Env): Shared {
  const shared = connectBoth(env, [PUBLISHER, MORTAL, 2]);
  publisher(env.as(PUBLISHER), shared)();
  return shared;
}

model("who reads what is published dies at each step: the other has it, and it is freed once", {
  ...base,
  setup: published,
  threads: {
    mortal: (env, shared) => {
      watch(env);
      const [pipe] = accept(env, shared) as [Pipe];
      return () => drain(pipe);
    },
    reader: (env, shared) => {
      watch(env);
      const [pipe] = accept(env, shared) as [Pipe];
      const registry = registryOf(env);
      return () => {
        const early = drain(pipe);
        if (!env.untilDead()) return "alive";
        reap(env, registry, MORTAL);
        const got = early + drain(pipe);
        pipe.leave();
        registry.leave(pipe.at, "binder", 0);
        registry.unbind(nameOf(1));
        return { got };
      };
    },
  },
  mortal: "mortal",
  final: (env: Env, { pipes }: Shared) => {
    const publisher = env.as(PUBLISHER);
    const registry = new env.code.registry.Registry(publisher.thread);
    for (const at of pipes) {
      openEnd(publisher, at, "connecter", MARK).leave();
      registry.leave(at, "connecter", 0);
    }
    return pagesLeft(env, [1, 2, 3]);
  },
  judge: (
    mortal: unknown,
    reader: "alive" | { got: number },
    pages: number,
  ): string | undefined => {
    if (mortal !== "dead" || reader === "alive") return undefined;
    if (reader.got !== 1) return `the other got it ${reader.got} times`;
    return pages === 0 ? undefined : `${pages} pages are lost`;
  },
  planted: {
    "what was half given up is believed": {
      file: "memory/owners.js",
      replace: "repair: () => this.#repair(),",
      by: "repair: () => { },",
    },
    "the place is moved before it is noted": {
      file: "memory/owners.js",
      replace: "words[OWNERS_PLACE] = place;",
      by: "",
    },
    "the last owner does not take the body into its hand": {
      file: "memory/owners.js",
      replace: "words[this.#hand] = block;",
      by: "",
    },
  },
} as Program<Shared>);
