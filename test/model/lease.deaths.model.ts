// SPDX-License-Identifier: MIT

/**
 * Model of leases when their holder dies: small programs in every interleaving, with a death at
 * each step; for the method see test/support/explorer/explorer.ts. A body of more than sixteen
 * bytes has a block of its own. Who survives does the leaving of the dead one as the library does
 * (context/membership.ts), reads what is left, and writes anew into memory that is free.
 */
import type { Addr } from "#src/memory/index.ts";
import type { Lease, Message, Pipe } from "#src/pipe/index.ts";
import { type Change, type Env, model, type Program } from "../support/explorer/explorer.ts";
import { FEW, LOOK_MS, pagesLeft, reap, registryOf, watch } from "./deaths.ts";
import { accept, BINDER, CONNECTER, connect, openEnd } from "./pipes.ts";

const changes: readonly Change[] = [
  ...FEW,
  { file: "queue/layout.js", replace: "INLINE_BYTES = 4096", by: "INLINE_BYTES = 16" },
];
const LARGE = 20;
const MARK = 10;

interface Shared {
  readonly at: Addr;
}

interface Kind {
  /** Whether another owns each body, too. */
  readonly shared?: boolean;
  /** Whether messages are to be acknowledged. */
  readonly acknowledge?: boolean;
}

/** What a message says, if all its bytes say the same. */
function said([first, second]: readonly Uint8Array[]): number {
  const value = first?.[0] as number;
  for (const byte of [...(first ?? []), ...(second ?? [])]) {
    if (byte !== value) throw new Error(`a message of ${value} has a byte of ${byte}`);
  }
  return value;
}

function body(value: number): Uint8Array {
  return new Uint8Array(LARGE).fill(value);
}

/**
 * Sends each message, of two parts, the first or both large. What is returned gives up what the
 * sender owns still.
 */
function send(env: Env, pipe: Pipe, values: readonly number[], shared = false): () => void {
  const { prepare, Publication } = env.code.pipe;
  const { writer } = pipe;
  if (writer === undefined) return () => {};
  if (!shared) {
    for (const value of values) writer.write([body(value), body(value)]);
    writer.flush();
    return () => {};
  }
  // For a lane more than there are. One message at a time is published: it is ended by the next.
  const publication = new Publication(env.thread);
  for (const value of values) {
    publication.end();
    publication.begin(prepare([body(value), new Uint8Array([value])], env.pool), 2);
    publication.writeTo(writer);
  }
  return () => publication.end();
}

/** Receives all that there is, with leases, and then releases them, the last one first. */
function leaseAll(env: Env, pipe: Pipe, acknowledge: boolean, done: () => void): void {
  const { Lease, Leases } = env.code.pipe;
  const leases = new Leases(env.thread);
  const held: Lease<Message>[] = [];
  for (;;) {
    const lease = new Lease<Message>(leases);
    if (lease.of(pipe.reader?.read(lease as unknown as Lease)) === undefined) break;
    held.push(lease);
    if (acknowledge) continue;
    pipe.reader?.release();
    done();
  }
  const giveBack = (lease: Lease<Message>) => {
    said(lease.message);
    lease.release();
  };
  held.slice(1).forEach(giveBack);
  if (acknowledge) {
    pipe.reader?.release();
    for (const _ of held) done();
  }
  held.slice(0, 1).forEach(giveBack);
  leases.trim();
}

function holderDies({ shared = false, acknowledge = false }: Kind): Program<Shared> {
  const sent = shared && acknowledge ? [2] : [1, 2];
  return {
    changes,
    patience: LOOK_MS,
    pages: 24,
    setup: (env) => {
      const { OWNERS_LOCK } = env.code.memory;
      env.name(OWNERS_LOCK, "lock of the owners");
      return { at: connect(env, MARK, MARK) };
    },
    threads: {
      writer: (env, { at }) => {
        watch(env, undefined, BINDER);
        const pipe = openEnd(env, at, "connecter", MARK);
        const registry = registryOf(env);
        const giveUp = send(env, pipe, sent, shared);
        return () => {
          giveUp();
          if (!env.untilDead()) return "alive";
          const { slotAt } = env.code.memory;
          const received = env.arena.words[slotAt(3)];
          reap(env, registry, BINDER);
          send(env, pipe, [3])();
          const back = pipe.readBack(new env.code.pipe.Slab(env.host));
          const rest: number[] = [];
          for (let m = back.read(); m !== undefined; m = back.read()) rest.push(said(m));
          back.release();
          back.leave();
          pipe.leave();
          registry.leave(at, "connecter", 0);
          return { rest, received };
        };
      },
      holder: (env) => {
        watch(env, undefined, BINDER);
        const pipe = accept(env, MARK, undefined, acknowledge);
        // How many it has received for certain; a word that nobody else has.
        const done = () => env.code.memory.add(env.arena.words, env.code.memory.slotAt(3), 1);
        return () => leaseAll(env, pipe, acknowledge, done);
      },
    },
    mortal: "holder",
    final: (env: Env) => pagesLeft(env, [CONNECTER, BINDER]),
    judge: (
      writer: "alive" | { rest: number[]; received: number },
      _holder: unknown,
      pages: number,
    ) => {
      if (writer === "alive") return undefined;
      const { rest, received } = writer;
      const all = [...sent, 3];
      if (rest.join() !== all.slice(-rest.length).join()) return "the rest is not the end";
      // It may have died between the release and the count.
      const gone = all.length - rest.length;
      const most = acknowledge ? sent.length : received + 1;
      if (gone < received || gone > most) return "received, and read again";
      return pages === 0 ? undefined : `${pages} pages are lost`;
    },
  };
}

model("who leases bodies of its own dies at each step: each message is received or left", {
  ...holderDies({}),
  planted: {
    "nobody frees what a dead thread has leased": {
      file: "context/reaper.js",
      replace: "settleLeases(arena, pool, dead);",
      by: "",
    },
    "what was being taken is freed in any case": {
      file: "pipe/leases.js",
      replace: "words[entry] = isOurs ? words[entry] & ~TAKEN : 0;",
      by: "words[entry] = words[entry] & ~TAKEN;",
    },
    "what was being taken is never freed": {
      file: "pipe/leases.js",
      replace: "words[entry] = isOurs ? words[entry] & ~TAKEN : 0;",
      by: "words[entry] = 0;",
    },
    "the lane frees what is leased": {
      file: "pipe/reader.js",
      replace: "const bodies = this.#taking === undefined && message.some(isLarge);",
      by: "const bodies = message.some(isLarge);",
    },
    "what it was giving back is not known to be leased": {
      file: "pipe/leases.js",
      replace: "pool.hold(arena.reach(body));",
      by: "arena.reach(body);",
    },
  },
} as Program<Shared>);

model("who leases bodies that others own, too, dies at each step: they are freed once", {
  ...holderDies({ shared: true }),
  planted: {
    "that others own them is not noted": {
      file: "pipe/leases.js",
      replace: "(shared ? BITS : TAKEN)",
      by: "TAKEN",
    },
  },
} as Program<Shared>);

model("who leases what it has to acknowledge dies at each step: it is received, or left whole", {
  ...holderDies({ acknowledge: true }),
  planted: {
    "the lane does not know that it shares its bodies": {
      file: "pipe/parts.js",
      replace: "arena.words[at + FLAGS] = flags | SHARED;",
      by: "",
    },
    "what it shares is not noted in one step with the count": {
      file: "memory/owners.js",
      replace: "words[OWNERS_PLACE] = place;",
      by: "",
    },
  },
} as Program<Shared>);

model("who leases what it has to acknowledge, and others own, dies at each step", {
  ...holderDies({ shared: true, acknowledge: true }),
} as Program<Shared>);
