// SPDX-License-Identifier: MIT

import { assert, ZmqError } from "../base/index.ts";
import { ACTIVATE_WRITE, BIND, PIPE_TERM, type Thread } from "../command/index.ts";
import {
  type Addr,
  BUCKET_COUNT,
  BUCKETS,
  count,
  LEAVE_NONE,
  Lock,
  NAMES_LOCK,
  SLOT_DROPPED,
  slotAt,
  store,
} from "../memory/index.ts";
import {
  ABSENT,
  ASSIGNED,
  BINDER_BLOCK,
  CONNECTER_BLOCK,
  destroyPipe,
  GONE,
  move,
  NO_READER,
  PIPE_ENTRY,
  PIPE_IN,
  PIPE_NEXT,
  PIPE_OUT,
  PIPE_TYPE,
  PIPE_UNTIL,
  queuedIn,
  type Side,
  stateOf,
  swappedIn,
} from "../pipe/index.ts";
import { LANE_LIMIT, LANE_SWAPPED } from "../queue/index.ts";
import { compatible, typeName } from "./peers.ts";

/**
 * registry — the names, who is bound to each, and all pipes that were connected to it.
 *
 * A name is an entry in one of 256 lists. It exists as long as somebody is bound to it or a pipe
 * was connected to it and is not destroyed. Its pipes stand in the order of their connects, so that
 * a binder, whether the first or a later one, gets them in that order. Everything is done under one
 * lock, which no message passes.
 *
 * Entry
 *           +0       +1       +2       +3       +4       +5       +6       +7       +8
 *         +--------+--------+--------+--------+--------+--------+--------+--------+--------+- -
 *         | next   | hash   | slot   | object | type   | limit  | first  | last   | length | name …
 *         +--------+--------+--------+--------+--------+--------+--------+--------+--------+- -
 *                             the binder; slot 0: nobody          its pipes
 *
 * # Invariants, under the lock
 *
 *   I1  A pipe is on exactly one list until it is destroyed.
 *   I2  A name with a binder has no pipe whose binder end is absent: it was assigned on the spot.
 *   I3  An entry has a binder or a pipe.
 *
 * # If a thread dies
 *
 * In the section: lists are changed by one store each, so they can be walked at any step; the
 * entries and pipes that name the dead slot are then left on its behalf.
 */
const NEXT = 0;
const HASH = 1;
const SLOT = 2;
const OBJECT = 3;
const TYPE = 4;
const LIMIT = 5;
const FIRST = 6;
const LAST = 7;
const LENGTH = 8;
const NAME = 10;

/** Who binds: a socket, as other threads know it. */
export interface Binder {
  readonly slot: number;
  /** The socket's number in its thread. */
  readonly object: number;
  readonly type: number;
  /** Its receive high watermark. */
  readonly limit: number;
}

export class Registry {
  readonly #thread: Thread;
  readonly #lock: Lock;

  constructor(thread: Thread) {
    this.#thread = thread;
    this.#lock = new Lock(thread.arena, NAMES_LOCK, thread.slot, thread.host.canBlock);
  }

  /** Gives a name to a binder, and assigns to it all pipes that wait there. Returns the entry. */
  bind(name: Uint8Array, endpoint: string, binder: Binder): Addr {
    return this.#lock.hold(() => {
      let entry = this.#find(name);
      if (entry !== 0) {
        if (this.#words[entry + SLOT] !== 0) {
          throw new ZmqError("EADDRINUSE", {
            address: endpoint,
            hint: "A socket is bound to this name already: choose another, or connect to it.",
          });
        }
        this.#dropExpired(entry);
        this.#checkPending(entry, endpoint, binder.type);
      } else {
        entry = this.#create(name, endpoint);
      }
      const words = this.#words;
      words[entry + OBJECT] = binder.object;
      words[entry + TYPE] = binder.type;
      words[entry + LIMIT] = binder.limit;
      words[entry + SLOT] = binder.slot;
      for (const pipe of this.#pipes(entry)) {
        if (stateOf(this.#arena, pipe, "binder") === ABSENT) this.#assign(entry, pipe);
      }
      return entry;
    });
  }

  /** Takes the name away from its binder, and all pipes that the binder has not attached. */
  unbind(name: Uint8Array): void {
    this.#lock.hold(() => {
      const entry = this.#find(name);
      this.#words[entry + SLOT] = 0;
      for (const pipe of this.#pipes(entry)) {
        if (stateOf(this.#arena, pipe, "binder") !== ASSIGNED) continue;
        this.#thread.withdraw(pipe + BINDER_BLOCK);
        this.#setLimit(pipe, NO_READER);
        move(this.#arena, pipe, "binder", "leave");
        if (this.#isOrphan(pipe) && this.#isExpired(pipe)) this.#unlinkAndFree(entry, pipe);
        else this.#thread.post(pipe + CONNECTER_BLOCK, PIPE_TERM);
      }
      this.#dropIfEmpty(entry);
    });
  }

  /** Tells the name of its binder's new watermark. */
  changeLimit(name: Uint8Array, limit: number): void {
    this.#lock.hold(() => {
      const entry = this.#find(name);
      this.#words[entry + LIMIT] = limit;
      for (const pipe of this.#pipes(entry)) {
        if (stateOf(this.#arena, pipe, "binder") === ASSIGNED) this.#setLimit(pipe, limit);
      }
    });
  }

  /** Adds a new pipe to a name, and assigns it to the binder if there is one. */
  connect(name: Uint8Array, endpoint: string, pipe: Addr): void {
    this.#lock.hold(() => {
      let entry = this.#find(name);
      if (entry === 0) entry = this.#create(name, endpoint);
      else this.#dropExpired(entry);
      const words = this.#words;
      if (words[entry + SLOT] !== 0) {
        checkTypes(words[pipe + PIPE_TYPE], words[entry + TYPE], endpoint);
      }
      words[pipe + PIPE_ENTRY] = entry;
      words[pipe + PIPE_NEXT] = 0;
      if (words[entry + FIRST] === 0) words[entry + FIRST] = pipe;
      else words[words[entry + LAST] + PIPE_NEXT] = pipe;
      words[entry + LAST] = pipe;
      if (words[entry + SLOT] !== 0) this.#assign(entry, pipe);
    });
  }

  /** Attaches a binder's end, which was assigned. */
  attach(pipe: Addr): void {
    this.#lock.hold(() => move(this.#arena, pipe, "binder", "attach"));
  }

  /** An end goes on reading what has arrived, and its peer shall write no more. */
  drain(pipe: Addr, side: Side): void {
    this.#lock.hold(() => {
      move(this.#arena, pipe, side, "drain");
      this.#thread.post(pipe + peerBlock(side), PIPE_TERM);
    });
  }

  /**
   * An end has left its roles and its block, and now leaves the pipe.
   *
   * @param lingerMs Of a connecter: how long what it has sent is kept for a binder to come; -1 is
   *   for ever.
   */
  leave(pipe: Addr, side: Side, lingerMs: number): void {
    this.#lock.hold(() => {
      move(this.#arena, pipe, side, "leave");
      this.#dropSwapped(pipe, side);
      if (side === "connecter") {
        const until = (Date.now() + lingerMs) | 0;
        this.#words[pipe + PIPE_UNTIL] = lingerMs < 0 ? 0 : until || 1;
      }
      this.#settle(pipe, side);
    });
  }

  /** Drops what was kept of connecters that are gone, and is no longer. */
  dropAllExpired(): void {
    this.#lock.hold(() => {
      for (const entry of this.#entries()) {
        this.#dropExpired(entry);
        this.#dropIfEmpty(entry);
      }
    });
  }

  /** Drops what is kept of connecters that are gone: nobody will bind any more. */
  dropOrphans(): void {
    this.#lock.hold(() => {
      for (const entry of this.#entries()) {
        for (const pipe of this.#pipes(entry)) {
          if (this.#isOrphan(pipe)) this.#unlinkAndFree(entry, pipe);
        }
        this.#dropIfEmpty(entry);
      }
    });
  }

  /** Counts names, pipes, and messages that lie in pipes. */
  count(): { endpoints: number; pipes: number; queued: number } {
    return this.#lock.hold(() => {
      let endpoints = 0;
      let pipes = 0;
      let queued = 0;
      for (const entry of this.#entries()) {
        endpoints++;
        for (const pipe of this.#pipes(entry)) {
          pipes++;
          queued += this.#queued(pipe);
        }
      }
      return { endpoints, pipes, queued };
    });
  }

  get #arena(): Thread["arena"] {
    return this.#thread.arena;
  }

  get #words(): Thread["arena"]["words"] {
    return this.#thread.arena.words;
  }

  /** What follows from an end's leaving. */
  #settle(pipe: Addr, side: Side): void {
    if (this.#isOrphan(pipe) && this.#isExpired(pipe)) {
      this.#destroy(pipe);
      return;
    }
    this.#thread.post(pipe + peerBlock(side), PIPE_TERM);
    const entry = this.#words[pipe + PIPE_ENTRY];
    if (side === "binder" && this.#words[entry + SLOT] !== 0) this.#assign(entry, pipe); // I2
  }

  /** Gives a pipe to the binder of its name. */
  #assign(entry: Addr, pipe: Addr): void {
    const words = this.#words;
    move(this.#arena, pipe, "binder", "assign");
    this.#setLimit(pipe, words[entry + LIMIT]);
    this.#thread.assign(pipe + BINDER_BLOCK, words[entry + SLOT], words[entry + OBJECT], BIND);
    this.#thread.post(pipe + CONNECTER_BLOCK, ACTIVATE_WRITE | PIPE_TERM);
  }

  /** The binder's watermark counts from now on, not only when the binder hears of the pipe. */
  #setLimit(pipe: Addr, limit: number): void {
    const lane = this.#words[pipe + PIPE_OUT];
    // SYNC(limit) publish: the connecter computes its room with it.
    if (lane !== 0) store(this.#words, lane + LANE_LIMIT, limit);
  }

  /** Whether both ends have left. */
  #isOrphan(pipe: Addr): boolean {
    return (
      stateOf(this.#arena, pipe, "connecter") === GONE &&
      stateOf(this.#arena, pipe, "binder") === ABSENT
    );
  }

  /** Whether an orphan holds nothing that is worth keeping. */
  #isExpired(pipe: Addr): boolean {
    const words = this.#words;
    const lane = words[pipe + PIPE_OUT];
    if (lane === 0 || queuedIn(words, lane) === 0) return true;
    const until = words[pipe + PIPE_UNTIL];
    return until !== 0 && ((until - Date.now()) | 0) <= 0;
  }

  #dropExpired(entry: Addr): void {
    for (const pipe of this.#pipes(entry)) {
      if (this.#isOrphan(pipe) && this.#isExpired(pipe)) this.#unlinkAndFree(entry, pipe);
    }
  }

  #checkPending(entry: Addr, endpoint: string, type: number): void {
    for (const pipe of this.#pipes(entry)) {
      checkTypes(type, this.#words[pipe + PIPE_TYPE], endpoint);
    }
  }

  #destroy(pipe: Addr): void {
    const entry = this.#words[pipe + PIPE_ENTRY];
    this.#unlinkAndFree(entry, pipe);
    this.#dropIfEmpty(entry);
  }

  #unlinkAndFree(entry: Addr, pipe: Addr): void {
    const words = this.#words;
    let before = 0;
    for (const other of this.#pipes(entry)) {
      if (other === pipe) break;
      before = other;
    }
    if (before === 0) words[entry + FIRST] = words[pipe + PIPE_NEXT];
    else words[before + PIPE_NEXT] = words[pipe + PIPE_NEXT];
    if (words[entry + LAST] === pipe) words[entry + LAST] = before;
    const { arena, pool, slot } = this.#thread;
    count(arena, slotAt(slot) + SLOT_DROPPED, this.#queued(pipe));
    destroyPipe(arena, pool, pipe);
  }

  #queued(pipe: Addr): number {
    const words = this.#words;
    const out = words[pipe + PIPE_OUT];
    const inward = words[pipe + PIPE_IN];
    let queued = 0;
    for (const lane of [out, inward]) {
      if (lane !== 0) queued += queuedIn(words, lane) + swappedIn(words, lane);
    }
    return queued;
  }

  /** What the swap of an end still held is gone with it. */
  #dropSwapped(pipe: Addr, side: Side): void {
    const { arena, slot } = this.#thread;
    const lane = this.#words[pipe + (side === "connecter" ? PIPE_OUT : PIPE_IN)];
    if (lane === 0) return;
    count(arena, slotAt(slot) + SLOT_DROPPED, swappedIn(this.#words, lane));
    this.#words[lane + LANE_SWAPPED] = 0;
  }

  #create(name: Uint8Array, endpoint: string): Addr {
    const { arena, pool } = this.#thread;
    const entry = pool.allocate(NAME + Math.ceil(name.length / 4), LEAVE_NONE);
    if (entry === 0) throw noMemory(endpoint);
    const words = this.#words;
    words.fill(0, entry, entry + NAME);
    const hash = hashOf(name);
    const bucket = BUCKETS + (hash & (BUCKET_COUNT - 1));
    words[entry + HASH] = hash;
    words[entry + LENGTH] = name.length;
    arena.bytes.set(name, (entry + NAME) * 4);
    words[entry + NEXT] = words[bucket];
    words[bucket] = entry;
    return entry;
  }

  #dropIfEmpty(entry: Addr): void {
    const words = this.#words;
    if (words[entry + SLOT] !== 0 || words[entry + FIRST] !== 0) return;
    let link = BUCKETS + (words[entry + HASH] & (BUCKET_COUNT - 1));
    while (words[link] !== entry) {
      assert(words[link] !== 0, "an entry is on the list of its hash");
      link = words[link] + NEXT;
    }
    words[link] = words[entry + NEXT];
    this.#thread.pool.free(entry);
  }

  #find(name: Uint8Array): Addr {
    this.#arena.refresh();
    const { words, bytes } = this.#arena;
    const hash = hashOf(name);
    let entry = words[BUCKETS + (hash & (BUCKET_COUNT - 1))];
    for (; entry !== 0; entry = words[entry + NEXT]) {
      if (words[entry + HASH] !== hash || words[entry + LENGTH] !== name.length) continue;
      const from = (entry + NAME) * 4;
      if (name.every((byte, index) => bytes[from + index] === byte)) break;
    }
    return entry;
  }

  #pipes(entry: Addr): Addr[] {
    this.#arena.refresh();
    const pipes: Addr[] = [];
    for (let at = this.#words[entry + FIRST]; at !== 0; at = this.#words[at + PIPE_NEXT]) {
      pipes.push(at);
    }
    return pipes;
  }

  #entries(): Addr[] {
    this.#arena.refresh();
    const entries: Addr[] = [];
    for (let bucket = BUCKETS; bucket < BUCKETS + BUCKET_COUNT; bucket++) {
      for (let at = this.#words[bucket]; at !== 0; at = this.#words[at + NEXT]) entries.push(at);
    }
    return entries;
  }
}

/** The error for a call that needs memory and finds none. */
export function noMemory(endpoint?: string): ZmqError {
  return new ZmqError("ENOMEM", {
    address: endpoint,
    hint: "Receive what is queued, close sockets, or create the context with a larger maxMemory.",
  });
}

function checkTypes(mine: number, peer: number, endpoint: string): void {
  if (compatible(mine, peer)) return;
  throw new ZmqError("ENOCOMPATPROTO", {
    address: endpoint,
    hint: `A ${typeName(mine)} cannot be linked with the ${typeName(peer)} at the other end.`,
  });
}

function peerBlock(side: Side): number {
  return side === "connecter" ? BINDER_BLOCK : CONNECTER_BLOCK;
}

/** FNV-1a: short, and good enough to spread names over the lists. */
function hashOf(name: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of name) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash | 0;
}
