// SPDX-License-Identifier: MIT

import { assert, ZmqError } from "../base/index.ts";
import type { Thread } from "../command/index.ts";
import {
  type Addr,
  BUCKET_COUNT,
  BUCKETS,
  type Keeper,
  LEAVE_NONE,
  Lock,
  NAMES_LOCK,
  NOBODY_DIES,
} from "../memory/index.ts";
import { PIPE_NEXT } from "../pipe/index.ts";

/**
 * names — the table of the names, and the lists of the pipes that were connected to each.
 *
 * A name is an entry in one of 256 lists. It exists as long as somebody is bound to it or a pipe
 * was connected to it and is not destroyed. Its pipes stand in the order of their connects, so that
 * a binder, whether the first or a later one, gets them in that order. Everything is done under one
 * lock, which no message passes.
 *
 * Entry
 *           +0       +1       +2       +3       +4       +5       +6       +7       +8
 *         +--------+--------+--------+--------+--------+--------+--------+--------+--------+- -
 *         | next   | hash   | slot   | object | type   | limit  | first  | last   | length |
 *         +--------+--------+--------+--------+--------+--------+--------+--------+--------+- -
 *                             the binder; slot 0: nobody          its pipes
 *         +--------+--------+-----------------------+- -
 *         | topics | bound  | routing id …          | name …                              from +9
 *         +--------+--------+-----------------------+- -
 *                    counts   the binder's: its length, and up to 255 bytes
 *                    the binds
 *
 * A name is the whole text of the endpoint, so that names of two schemes are two.
 *
 * # Listeners
 *
 * A socket that listens to `sys://log` is bound to a hidden name, which no text is equal to: a byte
 * that is not in UTF-8, and a serial number. Each thread that has something to tell connects a pipe
 * to it (log.ts). Such names and their pipes are in no count: whoever listens sees what he would
 * see otherwise. What lies in such a pipe is worth nothing once the listener is gone.
 *
 * # If a thread dies
 *
 * Lists are changed by one store each, so they can be walked at any step. `last` may be behind; who
 * takes the lock over finds it anew (reaper.ts).
 */
const MAX_ROUTING_ID_WORDS = 64;
const NEXT = 0;
const HASH = 1;
export const SLOT = 2;
export const OBJECT = 3;
export const TYPE = 4;
export const LIMIT = 5;
export const FIRST = 6;
export const LAST = 7;
export const LENGTH = 8;
export const TOPICS = 9;
export const BOUND = 10;
export const ROUTING = 11;
export const NAME: number = ROUTING + 1 + MAX_ROUTING_ID_WORDS;

/** The first byte of a hidden name, and where its serial number is. */
const HIDDEN = 0xfe;
export const SERIAL: number = NAME + 1;

export class Names {
  protected readonly thread: Thread;
  protected readonly lock: Lock;
  protected readonly isGone: Keeper["isGone"];

  constructor(thread: Thread, isGone: Keeper["isGone"] = NOBODY_DIES.isGone) {
    this.thread = thread;
    const { arena, slot, host } = thread;
    const repair = () => this.repair();
    this.isGone = isGone;
    this.lock = new Lock(arena, NAMES_LOCK, slot, host.canBlock, { isGone, repair });
  }

  /** Brings everything to where the invariants hold, wherever a section was broken off. */
  protected repair(): void {}

  protected get arena(): Thread["arena"] {
    return this.thread.arena;
  }

  protected get words(): Thread["arena"]["words"] {
    return this.thread.arena.words;
  }

  protected isHidden(entry: Addr): boolean {
    const at = this.arena.reach(entry + NAME);
    return this.arena.bytes[at * 4] === HIDDEN;
  }

  protected create(name: Uint8Array, endpoint: string): Addr {
    const { arena, pool } = this.thread;
    const entry = pool.allocate(NAME + Math.ceil(name.length / 4), LEAVE_NONE);
    if (entry === 0) throw noMemory(endpoint);
    const words = this.words;
    words.fill(0, entry, entry + NAME);
    const hash = hashOf(name);
    const bucket = BUCKETS + (hash & (BUCKET_COUNT - 1));
    words[entry + HASH] = hash;
    words[entry + LENGTH] = name.length;
    arena.bytes.set(name, (entry + NAME) * 4);
    words[entry + NEXT] = words[bucket];
    words[bucket] = entry;
    pool.keep();
    return entry;
  }

  protected dropIfEmpty(entry: Addr): void {
    const words = this.words;
    if (words[entry + SLOT] !== 0 || words[entry + FIRST] !== 0) return;
    let link = BUCKETS + (words[entry + HASH] & (BUCKET_COUNT - 1));
    while (words[link] !== entry) {
      assert(words[link] !== 0, "an entry is on the list of its hash");
      link = words[link] + NEXT;
    }
    const { pool } = this.thread;
    pool.hold(entry);
    words[link] = words[entry + NEXT];
    pool.free(entry);
  }

  protected find(name: Uint8Array): Addr {
    this.arena.refresh();
    const { words, bytes } = this.arena;
    const hash = hashOf(name);
    let entry = words[BUCKETS + (hash & (BUCKET_COUNT - 1))];
    for (; entry !== 0; entry = words[entry + NEXT]) {
      if (words[entry + HASH] !== hash || words[entry + LENGTH] !== name.length) continue;
      const from = (entry + NAME) * 4;
      if (name.every((byte, index) => bytes[from + index] === byte)) break;
    }
    return entry;
  }

  protected pipes(entry: Addr): Addr[] {
    this.arena.refresh();
    const pipes: Addr[] = [];
    for (let at = this.words[entry + FIRST]; at !== 0; at = this.words[at + PIPE_NEXT]) {
      pipes.push(at);
    }
    return pipes;
  }

  protected allPipes(): Addr[] {
    return this.entries().flatMap((entry) => this.pipes(entry));
  }

  protected entries(): Addr[] {
    this.arena.refresh();
    const entries: Addr[] = [];
    for (let bucket = BUCKETS; bucket < BUCKETS + BUCKET_COUNT; bucket++) {
      for (let at = this.words[bucket]; at !== 0; at = this.words[at + NEXT]) entries.push(at);
    }
    return entries;
  }
}

/** What a listener is bound to. */
export function hiddenName(serial: number): Uint8Array {
  const name = new Uint8Array(8);
  name[0] = HIDDEN;
  new Int32Array(name.buffer)[1] = serial;
  return name;
}

/** The error for a call that needs memory and finds none. */
export function noMemory(endpoint?: string): ZmqError {
  return new ZmqError("ENOMEM", {
    address: endpoint,
    hint: "Receive what is queued, close sockets, or create the context with a larger maxMemory.",
  });
}

/** FNV-1a: short, and good enough to spread names over the lists. */
function hashOf(name: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of name) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash | 0;
}
