// SPDX-License-Identifier: MIT

/**
 * Model of the registry when a thread dies: small programs in every interleaving, with a death at
 * each step; for the method see test/support/explorer/explorer.ts. Who survives does the leaving of
 * the dead one as the library does (context/membership.ts), and then what a survivor may do.
 */
import type { Reaper } from "#src/context/reaper.ts";
import type { Addr } from "#src/memory/index.ts";
import type { Pipe } from "#src/pipe/index.ts";
import { type Change, type Env, model, type Program } from "../support/explorer/explorer.ts";
import { LOOK_MS, registryOf, watch } from "./deaths.ts";
import { ADDRESS, NAME, openEnd, PULL, PUSH, receive, send } from "./pipes.ts";

const FEW: readonly Change[] = [
  { file: "memory/layout.js", replace: "MAX_SLOTS = 8", by: "MAX_SLOTS = 3" },
  { file: "memory/layout.js", replace: "BUCKET_COUNT = 256", by: "BUCKET_COUNT = 1" },
  { file: "memory/pool.js", replace: "SPANS = [1, 2, 3, 4, 5, 6, 7, 8]", by: "SPANS = [1]" },
];

/** The mortal thread is the first of each program. */
const DEAD = 1;
const OTHER = 2;

function watched(env: Env): Reaper {
  watch(env, undefined, DEAD);
  return registryOf(env);
}

/** What a socket does that connects and sends. */
function connect(env: Env, registry: Reaper, value: number): { at: Addr; pipe: Pipe } {
  const at = env.code.pipe.createPipe(env.thread, PUSH, { sends: true, receives: false });
  const pipe = openEnd(env, at, "connecter", 1);
  registry.connect(NAME, ADDRESS, at);
  send(pipe, value);
  return { at, pipe };
}

function bind(env: Env, registry: Reaper, object: number): boolean {
  try {
    registry.bind(NAME, ADDRESS, { slot: env.slot, object, type: PULL, limit: 1 });
    return true;
  } catch {
    return false;
  }
}

/** Takes all that is there for a new binder, then leaves. */
class Binding {
  readonly got: number[] = [];
  readonly pipes: Pipe[] = [];
  readonly #env: Env;
  readonly #registry: Reaper;
  readonly object: number;

  constructor(env: Env, registry: Reaper) {
    this.#env = env;
    this.#registry = registry;
    this.object = env.thread.register({
      command: (block, bits) => {
        if ((bits & env.code.command.BIND) !== 0) this.#accept(block);
      },
    });
  }

  #accept(block: Addr): void {
    const env = this.#env;
    const at = block - env.code.pipe.BINDER_BLOCK;
    this.#registry.attach(at);
    const pipe = openEnd(env, at, "binder", 1);
    this.#drain(pipe);
    this.pipes.push(pipe);
  }

  #drain(pipe: Pipe): void {
    for (let v = receive(pipe); v !== undefined; v = receive(pipe)) this.got.push(v);
  }

  leave(): void {
    this.#registry.unbind(NAME); // First, so that no pipe is assigned to it again.
    for (const pipe of this.pipes) {
      this.#drain(pipe);
      pipe.leave();
      this.#registry.leave(pipe.at, "binder", 0);
    }
  }
}

function mourn(env: Env, registry: Reaper): void {
  registry.reap(DEAD, () => {
    env.thread.clearFor(DEAD);
    env.pool.adopt(DEAD, (block) => registry.isLinked(block));
    env.thread.mourn();
  });
}

/** What is left: names and pages. */
function final(env: Env): { names: number; pages: number; lock: number } {
  const { BUCKETS, NAMES_LOCK, PAGES_USED } = env.code.memory;
  for (const slot of [DEAD, OTHER, DEAD, OTHER]) env.as(slot).pool.trim();
  const { words } = env.arena;
  return { names: words[BUCKETS] === 0 ? 0 : 1, pages: words[PAGES_USED], lock: words[NAMES_LOCK] };
}

interface Left {
  names: number;
  pages: number;
  lock: number;
}

function tidy({ names, pages, lock }: Left): string | undefined {
  if (lock !== 0) return "the lock of the names is held";
  if (names !== 0) return "a name is left";
  return pages === 0 ? undefined : `${pages} pages are lost`;
}

function setup(env: Env): null {
  const { NAMES_LOCK, NAMES_DOOMED, PAGES_LOCK, BUCKETS, SLOT_MAKING, slotAt } = env.code.memory;
  env.name(NAMES_LOCK, "lock of the names");
  env.name(NAMES_DOOMED, "doomed");
  env.name(PAGES_LOCK, "lock of the pages");
  env.name(BUCKETS, "bucket");
  env.name(slotAt(DEAD) + SLOT_MAKING, "making of 1");
  return null;
}

const base = {
  changes: FEW,
  patience: LOOK_MS,
  pages: 20,
  setup,
  final,
};
const FILE = "context/reaper.js";

interface Mourned {
  bound: boolean;
  got: number[];
}

/** Mourns, binds the name if it was not bound before, and takes what there is. */
function binder(before: boolean) {
  return (env: Env) => {
    const registry = watched(env);
    const binding = new Binding(env, registry);
    return (): Mourned | "alive" => {
      let bound = before && bind(env, registry, binding.object);
      env.thread.dispatch();
      if (!env.untilDead()) return "alive";
      mourn(env, registry);
      bound ||= bind(env, registry, binding.object);
      env.thread.dispatch();
      binding.leave();
      return { bound, got: binding.got };
    };
  };
}

const CONNECTING = {
  ...base,
  mortal: "connecter",
  judge: (_: unknown, binder: Mourned | "alive", left: Left) => {
    if (binder === "alive") return undefined;
    if (!binder.bound) return "the name is not free";
    if (binder.got.length > 1 || binder.got.some((value) => value !== 7))
      return "not what was sent";
    return tidy(left);
  },
};

/** Connects, sends, and leaves at once. */
function connecter(leaves: boolean) {
  return (env: Env) => {
    const registry = watched(env);
    return () => {
      const { at, pipe } = connect(env, registry, 7);
      if (!leaves) return;
      pipe.leave();
      registry.leave(at, "connecter", -1);
    };
  };
}

model("who connects and sends dies at each step: its pipe is whole, or gone (registry.ts I1, I3)", {
  ...CONNECTING,
  threads: { connecter: connecter(false), binder: binder(false) },
  planted: {
    "what it was making is not freed": {
      file: FILE,
      replace: "        this.#dropUnmade(dead);\n",
      by: "",
    },
    "what it was making is freed when its pipes have been left": {
      file: FILE,
      replace:
        "            this.#dropUnmade(dead);\n            const report = { names: 0, pipes: 0 };",
      by:
        "const report = { names: 0, pipes: 0 };" +
        "const done = finish; finish = () => { this.#dropUnmade(dead); done(); };",
    },
  },
} as unknown as Program<null>);

model("who connects and leaves dies at each step, while another binds (registry.ts I1, I2, I3)", {
  ...CONNECTING,
  deaths: "atomic",
  threads: { connecter: connecter(true), binder: binder(true) },
  planted: {
    "nobody puts the names in order": {
      file: FILE,
      replace: "    repair() {\n",
      by: "    repair() { return;\n",
    },
    "the ends of the dead are not left": {
      file: FILE,
      replace: "for (const side of ends)",
      by: "for (const side of [])",
    },
  },
} as unknown as Program<null>);

interface Survived {
  got: number[];
  rest: number[];
}

/** Has connected and sent; mourns its binder, takes back what that has not received, and leaves. */
const survivor = (env: Env) => {
  const registry = watched(env);
  return (): Survived | "alive" => {
    const { at, pipe } = connect(env, registry, 7);
    if (!env.untilDead()) return "alive";
    mourn(env, registry);
    env.thread.dispatch();
    const rest: number[] = [];
    if (registry.retract(at)) {
      const back = pipe.readBack(new env.code.pipe.Slab(env.host));
      for (let m = back.read(); m !== undefined; m = back.read()) rest.push(m[0]?.[0] as number);
      back.release();
      back.leave();
      // What it has taken back it gives to others, and then nobody reads any more.
      registry.leave(at, "binder", 0);
    }
    pipe.leave();
    registry.leave(at, "connecter", 0);
    const { SLOT_RECEIVED, slotAt } = env.code.memory;
    return { got: [env.arena.words[slotAt(DEAD) + SLOT_RECEIVED]], rest };
  };
};

model(
  "who binds, receives and unbinds dies at each step: the survivor loses nothing (I1, I2, I3)",
  {
    ...base,
    threads: {
      binder: (env: Env) => {
        const registry = watched(env);
        const binding = new Binding(env, registry);
        return () => {
          bind(env, registry, binding.object);
          env.thread.dispatch();
          binding.leave();
        };
      },
      survivor,
    },
    mortal: "binder",
    judge: (_: unknown, survivor: Survived | "alive", left: Left) => {
      if (survivor === "alive") return undefined;
      const { got, rest } = survivor;
      const received = got[0] as number;
      if (received > 1) return "it was counted twice";
      if (rest.length !== (received === 0 ? 1 : 0)) return "a message is lost, or there twice";
      return tidy(left);
    },
    planted: {
      "its names stay its own": {
        file: FILE,
        replace: "if (words[entry + SLOT] === dead) {",
        by: "if (false) {",
      },
    },
  } as unknown as Program<null>,
);
