// SPDX-License-Identifier: MIT

import { assert, ZmqError } from "../base/index.ts";
import {
  ACTIVATE_READ,
  ACTIVATE_WRITE,
  BIND,
  BLOCK_BITS,
  BLOCK_SLOT,
  CLOSED,
  PIPE_TERM,
  type Thread,
} from "../command/index.ts";
import {
  type Addr,
  BUCKET_COUNT,
  BUCKETS,
  count,
  type Keeper,
  LEAVE_NONE,
  Lock,
  load,
  MAX_SLOTS,
  NAMES_DOOMED,
  NAMES_LOCK,
  NOBODY_DIES,
  SLOT_DROPPED,
  SLOT_HAND,
  SLOT_MAKING,
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
  PIPE_LINGER,
  PIPE_NEXT,
  PIPE_ORPHANED,
  PIPE_OUT,
  PIPE_TYPE,
  PIPE_UNTIL,
  queuedIn,
  RETRACTED,
  repairPipeReader,
  repairPipeWriter,
  type Side,
  stateOf,
} from "../pipe/index.ts";
import { isHeld, isUnread, LANE_LIMIT } from "../queue/index.ts";
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
 * In the section: lists are changed by one store each, so they can be walked at any step. Who takes
 * the lock over brings everything to where the invariants hold (`#repair`): `last` is found anew, a
 * pipe that was being destroyed (`doomed`) is, a pipe that was being assigned is assigned, and names
 * that nobody uses are dropped.
 *
 * Anywhere: `reap` takes its names away and leaves its pipes on its behalf. A pipe that it was
 * making is found in `making` of its slot.
 */
const SIDES: readonly Side[] = ["connecter", "binder"];
/** The lanes that a connecter writes and reads, and a binder. */
const LANES = [PIPE_OUT, PIPE_IN] as const;
const REVERSED = [PIPE_IN, PIPE_OUT] as const;

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

/** What there was to be done for a thread that has died. */
export interface ReapReport {
  /** Names it was bound to. */
  names: number;
  /** Ends of pipes that it had. */
  pipes: number;
}

export class Registry {
  readonly #thread: Thread;
  readonly #lock: Lock;
  readonly #isGone: Keeper["isGone"];

  constructor(thread: Thread, keeper: Keeper = NOBODY_DIES) {
    this.#thread = thread;
    const { arena, slot, host } = thread;
    const repair = () => this.#repair();
    this.#isGone = (other) => keeper.isGone(other);
    this.#lock = new Lock(arena, NAMES_LOCK, slot, host.canBlock, { isGone: this.#isGone, repair });
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

  /**
   * Takes the name away from its binder, and all pipes that the binder has not attached.
   *
   * @param ends Whether the binder's thread ends: what it leaves unread is then as a dead one's.
   */
  unbind(name: Uint8Array, ends = false): void {
    this.#lock.hold(() => {
      const entry = this.#find(name);
      this.#words[entry + SLOT] = 0;
      for (const pipe of this.#pipes(entry)) {
        if (stateOf(this.#arena, pipe, "binder") !== ASSIGNED) continue;
        this.#thread.withdraw(pipe + BINDER_BLOCK);
        this.#setLimit(pipe, NO_READER);
        if (ends) this.#words[pipe + PIPE_ORPHANED] = 1;
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

  /**
   * Adds a new pipe to a name, and assigns it to the binder if there is one.
   *
   * @param lingerMs For how long what it holds is kept, should the connecter die; -1 is for ever.
   */
  connect(name: Uint8Array, endpoint: string, pipe: Addr, lingerMs = -1): void {
    this.#lock.hold(() => {
      let entry = this.#find(name);
      if (entry === 0) entry = this.#create(name, endpoint);
      else this.#dropExpired(entry);
      const words = this.#words;
      if (words[entry + SLOT] !== 0) {
        checkTypes(words[pipe + PIPE_TYPE], words[entry + TYPE], endpoint);
      }
      words[pipe + PIPE_LINGER] = lingerMs;
      words[pipe + PIPE_ENTRY] = entry;
      words[pipe + PIPE_NEXT] = 0;
      if (words[entry + FIRST] === 0) words[entry + FIRST] = pipe;
      else words[words[entry + LAST] + PIPE_NEXT] = pipe;
      words[entry + LAST] = pipe;
      words[slotAt(this.#thread.slot) + SLOT_MAKING] = 0;
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
   * @param ends As for `unbind`.
   */
  leave(pipe: Addr, side: Side, lingerMs: number, ends = false): void {
    this.#lock.hold(() => {
      const entry = this.#words[pipe + PIPE_ENTRY];
      this.#keepUntil(pipe, side, lingerMs);
      if (ends && side === "binder") this.#words[pipe + PIPE_ORPHANED] = 1;
      move(this.#arena, pipe, side, "leave");
      this.#settle(pipe, side);
      this.#dropIfEmpty(entry);
    });
  }

  /**
   * A connecter takes the reader's role of its own pipe, if nobody is bound to the name: what its
   * binder, which has died, has left unread shall go to others. False if somebody is bound.
   */
  retract(pipe: Addr): boolean {
    return this.#lock.hold(() => {
      if (stateOf(this.#arena, pipe, "binder") !== ABSENT) return false;
      move(this.#arena, pipe, "binder", "retract");
      this.#words[pipe + PIPE_ORPHANED] = 0;
      return true;
    });
  }

  /** All blocks that are posted to a thread by way of pipes. */
  blocksOf(slot: number): Addr[] {
    return this.#lock.hold(() => {
      const blocks: Addr[] = [];
      for (const pipe of this.#allPipes()) {
        for (const block of [pipe + CONNECTER_BLOCK, pipe + BINDER_BLOCK]) {
          if (this.#words[block + BLOCK_SLOT] === slot) blocks.push(block);
        }
      }
      return blocks;
    });
  }

  /**
   * Does the leaving of a dead thread: its names are free, its pipes left, what it was about to do
   * with them finished or taken back. It may be done again, should we die in the middle.
   *
   * @param finish Does the rest, and gives the slot back.
   */
  reap(dead: number, finish: () => void): ReapReport | undefined {
    return this.#lock.hold(() => {
      if (!this.#isGone(dead)) return undefined; // Somebody was quicker.
      this.#thread.pool.settleHand(dead, (block) => this.isLinked(block));
      const report = { names: 0, pipes: 0 };
      const words = this.#words;
      for (const entry of this.#entries()) {
        if (words[entry + SLOT] === dead) {
          words[entry + SLOT] = 0;
          report.names++;
        }
        for (const pipe of this.#pipes(entry)) {
          // Asked before the first of them is left: with the last one the pipe may go.
          const ends = SIDES.filter((side) => this.#holderOf(pipe, side) === dead);
          for (const side of ends) this.#reapEnd(pipe, side, dead);
          report.pipes += ends.length;
        }
        this.#dropIfEmpty(entry);
      }
      this.#dropUnmade(dead);
      finish();
      return report;
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

  /** Leaves an end of a pipe on behalf of a dead thread, which had it. */
  #reapEnd(pipe: Addr, side: Side, dead: number): void {
    const { arena, pool } = this.#thread;
    const words = this.#words;
    const retracted = stateOf(arena, pipe, side) === RETRACTED;
    const [outward, inward] = side === "connecter" ? LANES : REVERSED;
    if (words[pipe + outward] !== 0 && !retracted) {
      repairPipeWriter(arena, pool, words[pipe + outward], dead);
    }
    if (words[pipe + inward] !== 0) {
      repairPipeReader(arena, pool, words[pipe + inward], dead);
      // SYNC(limit) publish: nobody reads.
      store(words, words[pipe + inward] + LANE_LIMIT, NO_READER);
    }
    if (!retracted) {
      const own = side === "connecter" ? CONNECTER_BLOCK : BINDER_BLOCK;
      this.#thread.withdrawFor(dead, pipe + own);
    }
    this.#keepUntil(pipe, side, words[pipe + PIPE_LINGER]);
    if (side === "binder") words[pipe + PIPE_ORPHANED] = 1;
    move(arena, pipe, side, "leave");
    // What it had shown, or made room for, it may not have said.
    this.#thread.post(pipe + peerBlock(side), ACTIVATE_READ | ACTIVATE_WRITE);
    this.#settle(pipe, side);
  }

  #keepUntil(pipe: Addr, side: Side, lingerMs: number): void {
    if (side !== "connecter") return;
    const until = (Date.now() + lingerMs) | 0;
    this.#words[pipe + PIPE_UNTIL] = lingerMs < 0 ? 0 : until || 1;
  }

  /** Frees a pipe that a dead thread had made and not connected. */
  #dropUnmade(dead: number): void {
    const { arena, pool } = this.#thread;
    const making = slotAt(dead) + SLOT_MAKING;
    const pipe = this.#words[making];
    if (pipe === 0) return;
    arena.reach(pipe);
    if (!this.#allPipes().includes(pipe)) {
      this.#thread.withdrawFor(dead, pipe + CONNECTER_BLOCK);
      destroyPipe(arena, pool, pipe, () => {
        this.#words[making] = 0;
      });
    }
    this.#words[making] = 0;
  }

  /** Brings everything to where the invariants hold, wherever a section was broken off. */
  #repair(): void {
    this.#arena.refresh();
    const { arena, pool } = this.#thread;
    const words = this.#words;
    for (let slot = 1; slot < MAX_SLOTS; slot++) {
      if (words[slotAt(slot) + SLOT_HAND] === 0 || !this.#isGone(slot)) continue;
      pool.settleHand(slot, (block) => this.isLinked(block));
    }
    const doomed = words[NAMES_DOOMED];
    if (doomed !== 0) this.#finish(doomed);
    for (const entry of this.#entries()) {
      words[entry + LAST] = this.#pipes(entry).at(-1) ?? 0;
      for (const pipe of this.#pipes(entry)) {
        const state = stateOf(arena, pipe, "binder");
        const closed = (load(words, pipe + BINDER_BLOCK + BLOCK_BITS) & CLOSED) !== 0; // A look.
        if (this.#isOrphan(pipe) && this.#isExpired(pipe)) this.#unlinkAndFree(entry, pipe);
        else if (words[entry + SLOT] !== 0 && state === ABSENT) this.#assign(entry, pipe);
        else if (words[entry + SLOT] !== 0 && state === ASSIGNED && closed) {
          this.#tellBinder(entry, pipe);
        } else this.#tellBoth(pipe);
      }
      this.#dropIfEmpty(entry);
    }
  }

  /** Lets both ends of a pipe look at it: what they should have been told, they may not have. */
  #tellBoth(pipe: Addr): void {
    const all = PIPE_TERM | ACTIVATE_READ | ACTIVATE_WRITE;
    for (const side of SIDES) this.#thread.post(pipe + peerBlock(side), all);
  }

  /** Whether a block of the pool is in any structure. Asked of a block that a dead thread held. */
  isLinked(block: Addr): boolean {
    const words = this.#words;
    const pipes = this.#allPipes();
    if (pipes.includes(block) || this.#entries().includes(block)) return true;
    const unlisted = [words[NAMES_DOOMED]];
    for (let slot = 1; slot < MAX_SLOTS; slot++) {
      const making = words[slotAt(slot) + SLOT_MAKING];
      if (making !== 0 && this.#isGone(slot)) unlisted.push(making);
    }
    if (block === 0 || unlisted.includes(block)) return true;
    for (const pipe of unlisted) {
      if (pipe === 0) continue;
      for (const where of LANES) if (this.#isInLane(pipe, where, block, true, true)) return true;
    }
    return pipes.some((pipe) =>
      SIDES.some((side) => {
        const [where] = side === "connecter" ? LANES : REVERSED;
        const peer = side === "connecter" ? "binder" : "connecter";
        const writer = this.#holderOf(pipe, side);
        // Who has no reader any more reads back itself.
        const reader = this.#holderOf(pipe, peer) || writer;
        return this.#isInLane(pipe, where, block, this.#isDead(writer), this.#isDead(reader));
      }),
    );
  }

  #isInLane(pipe: Addr, where: number, block: Addr, held: boolean, unread: boolean): boolean {
    const lane = this.#words[this.#arena.reach(pipe) + where];
    if (lane === 0) return false;
    if (held && isHeld(this.#words, lane, block)) return true;
    return unread && isUnread(this.#words, lane, block);
  }

  /** The slot of who has an end of a pipe; 0 if nobody has. */
  #holderOf(pipe: Addr, side: Side): number {
    const state = stateOf(this.#arena, pipe, side);
    if (state === ABSENT || state === GONE) return 0;
    // The binder's end of a pipe that its connecter has retracted is the connecter's.
    const own = side === "connecter" || state === RETRACTED ? CONNECTER_BLOCK : BINDER_BLOCK;
    return this.#words[pipe + own + BLOCK_SLOT];
  }

  #isDead(slot: number): boolean {
    return slot !== 0 && this.#isGone(slot);
  }

  /** What follows from an end's leaving. The name may be without use then. */
  #settle(pipe: Addr, side: Side): void {
    const entry = this.#words[pipe + PIPE_ENTRY];
    if (this.#isOrphan(pipe) && this.#isExpired(pipe)) {
      this.#unlinkAndFree(entry, pipe);
      return;
    }
    this.#thread.post(pipe + peerBlock(side), PIPE_TERM);
    if (side === "binder" && this.#words[entry + SLOT] !== 0) this.#assign(entry, pipe); // I2
  }

  /** Gives a pipe to the binder of its name. */
  #assign(entry: Addr, pipe: Addr): void {
    const words = this.#words;
    words[pipe + PIPE_ORPHANED] = 0;
    move(this.#arena, pipe, "binder", "assign");
    this.#tellBinder(entry, pipe);
  }

  #tellBinder(entry: Addr, pipe: Addr): void {
    const words = this.#words;
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

  #unlinkAndFree(entry: Addr, pipe: Addr): void {
    const words = this.#words;
    words[NAMES_DOOMED] = pipe;
    let before = 0;
    for (const other of this.#pipes(entry)) {
      if (other === pipe) break;
      before = other;
    }
    if (before === 0) words[entry + FIRST] = words[pipe + PIPE_NEXT];
    else words[before + PIPE_NEXT] = words[pipe + PIPE_NEXT];
    if (words[entry + LAST] === pipe) words[entry + LAST] = before;
    const { arena, slot } = this.#thread;
    count(arena, slotAt(slot) + SLOT_DROPPED, this.#queued(pipe));
    this.#free(pipe);
  }

  /** Goes on with the end of a pipe that a dead thread had begun. */
  #finish(pipe: Addr): void {
    const entry = this.#words[pipe + PIPE_ENTRY];
    if (this.#entries().includes(entry) && this.#pipes(entry).includes(pipe)) {
      this.#unlinkAndFree(entry, pipe);
    } else this.#free(pipe);
  }

  #free(pipe: Addr): void {
    const { arena, pool } = this.#thread;
    destroyPipe(arena, pool, pipe, () => {
      this.#words[NAMES_DOOMED] = 0;
    });
  }

  #queued(pipe: Addr): number {
    const words = this.#words;
    const out = words[pipe + PIPE_OUT];
    const inward = words[pipe + PIPE_IN];
    return (out === 0 ? 0 : queuedIn(words, out)) + (inward === 0 ? 0 : queuedIn(words, inward));
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
    pool.keep();
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
    const { pool } = this.#thread;
    pool.hold(entry);
    words[link] = words[entry + NEXT];
    pool.free(entry);
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

  #allPipes(): Addr[] {
    return this.#entries().flatMap((entry) => this.#pipes(entry));
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
