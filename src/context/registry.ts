// SPDX-License-Identifier: MIT

import { ZmqError } from "../base/index.ts";
import { ACTIVATE_WRITE, BIND, BLOCK_SLOT, PIPE_TERM } from "../command/index.ts";
import {
  type Addr,
  add,
  countAndNote,
  LOG_LISTENERS,
  LOG_TOPICS,
  NAMES_DOOMED,
  SLOT_DROPPED,
  SLOT_MAKING,
  slotAt,
  store,
} from "../memory/index.ts";
import {
  ABSENT,
  ASSIGNED,
  BINDER_BLOCK,
  blockOf,
  CONNECTER_BLOCK,
  countSwapped,
  destroyPipe,
  type EndState,
  GONE,
  isDead,
  laneOf,
  move,
  NO_READER,
  PIPE_BINDING,
  PIPE_BOUND,
  PIPE_ENTRY,
  PIPE_IN,
  PIPE_LINGER,
  PIPE_NEXT,
  PIPE_ORPHANED,
  PIPE_OUT,
  PIPE_REFUSED,
  PIPE_SINCE,
  PIPE_TYPE,
  PIPE_UNTIL,
  peerOf,
  putBytes,
  queuedIn,
  REFUSED,
  readBytes,
  type Side,
  stateOf,
  swappedIn,
} from "../pipe/index.ts";
import { LANE_LIMIT } from "../queue/index.ts";
import {
  BOUND,
  FIRST,
  hiddenName,
  LAST,
  LENGTH,
  LIMIT,
  NAME,
  Names,
  OBJECT,
  ROUTING,
  SERIAL,
  SLOT,
  TOPICS,
  TYPE,
} from "./names.ts";
import { compatible, typeName } from "./peers.ts";

/**
 * registry — the names, who is bound to each, and all pipes that were connected to it.
 *
 * A name (names.ts) exists as long as somebody is bound to it or a pipe was connected to it and is
 * not destroyed. Everything is done under one lock, which no message passes.
 *
 * # Invariants, under the lock
 *
 *   I1  A pipe is on exactly one list until it is destroyed.
 *   I2  A name with a binder has no pipe whose binder end is absent: it was assigned on the spot.
 *   I3  An entry has a binder or a pipe.
 *
 * # Synchronisation
 *
 *   SYNC(listen)   a listener's store of the topics ⇒ a load by who has something to tell
 *                  listeners have changed before: their list is to be read anew, under the lock
 *
 * # If a thread dies
 *
 * Its leaving is done by another, and so is what its section has left half done: see reaper.ts.
 */
/** Who binds: a socket, as other threads know it. */
export interface Binder {
  readonly slot: number;
  /** The socket's number in its thread. */
  readonly object: number;
  readonly type: number;
  /** Its receive high watermark. */
  readonly limit: number;
  readonly routingId?: Uint8Array | undefined;
}

/**
 * Who is at the other end of a pipe: all of it is of one socket. (Whoever reads these one by one,
 * as binders come and go, may take the number of one and the id of another.)
 */
export interface Presence {
  readonly state: EndState;
  /** Which of the binders of the pipe; if nobody is there, which is to come. */
  readonly binding: number;
  /** How many messages all before it had sent, as the lane counts them. */
  readonly since: number;
  /** Its routing id; empty if it has none, or if that is not known any more. */
  readonly id: Uint8Array;
}

const NO_ID = new Uint8Array(0);

export class Registry extends Names {
  /** Called, under the lock, when messages are dropped that had been sent to a name. */
  onDropped: (endpoint: string, count: number, why: DropReason) => void = () => {};
  /** Likewise, when a pipe has no ends any more, and what it holds is kept for so long, or ever. */
  onKept: (ms: number) => void = () => {};

  /** Gives a name to a binder, and assigns to it all pipes that wait there. Returns the entry. */
  bind(name: Uint8Array, endpoint: string, binder: Binder): Addr {
    return this.lock.hold(() => {
      let entry = this.find(name);
      if (entry !== 0) {
        if (this.words[entry + SLOT] !== 0) {
          throw new ZmqError("EADDRINUSE", {
            address: endpoint,
            hint: "A socket is bound to this name already: choose another, or connect to it.",
          });
        }
        this.#dropExpired(entry);
        this.#checkPending(entry, endpoint, binder.type);
      } else {
        entry = this.create(name, endpoint);
      }
      const words = this.words;
      words[entry + OBJECT] = binder.object;
      words[entry + TYPE] = binder.type;
      words[entry + LIMIT] = binder.limit;
      words[entry + BOUND] += 1; // First: from now on the id is none of a binder before.
      putBytes(this.arena, entry + ROUTING, binder.routingId ?? NO_ID);
      words[entry + SLOT] = binder.slot;
      for (const pipe of this.pipes(entry)) {
        if (stateOf(this.arena, pipe, "binder") === ABSENT) this.assign(entry, pipe);
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
    this.lock.hold(() => {
      const entry = this.find(name);
      this.words[entry + SLOT] = 0;
      for (const pipe of this.pipes(entry)) {
        if (stateOf(this.arena, pipe, "binder") !== ASSIGNED) continue;
        this.thread.withdraw(pipe + BINDER_BLOCK);
        this.#setLimit(pipe, NO_READER);
        if (ends) this.words[pipe + PIPE_ORPHANED] = 1;
        move(this.arena, pipe, "binder", "leave");
        if (this.dropIfOver(entry, pipe)) continue;
        this.thread.post(pipe + CONNECTER_BLOCK, PIPE_TERM);
      }
      if (this.isHidden(entry)) this.tellListeners();
      this.dropIfEmpty(entry);
    });
  }

  /** Tells the name of its binder's new watermark. */
  changeLimit(name: Uint8Array, limit: number): void {
    this.lock.hold(() => {
      const entry = this.find(name);
      this.words[entry + LIMIT] = limit;
      for (const pipe of this.pipes(entry)) {
        if (stateOf(this.arena, pipe, "binder") === ASSIGNED) this.#setLimit(pipe, limit);
      }
    });
  }

  /**
   * Adds a new pipe to a name, and assigns it to the binder if there is one.
   *
   * @param lingerMs For how long what it holds is kept, should the connecter die; -1 is for ever.
   */
  connect(name: Uint8Array, endpoint: string, pipe: Addr, lingerMs = -1): void {
    this.lock.hold(() => {
      let entry = this.find(name);
      if (entry === 0) entry = this.create(name, endpoint);
      // With many links that takes its time; and where somebody is bound, nothing is kept.
      else if (this.words[entry + SLOT] === 0) this.#dropExpired(entry);
      const words = this.words;
      if (words[entry + SLOT] !== 0) {
        checkTypes(words[pipe + PIPE_TYPE], words[entry + TYPE], endpoint);
      }
      words[pipe + PIPE_LINGER] = lingerMs;
      this.#add(entry, pipe);
    });
  }

  /** Makes a socket a listener, who wants nothing yet. Returns its hidden name and the entry. */
  listen(endpoint: string, binder: Binder): { name: Uint8Array; entry: Addr } {
    const serial = add(this.words, LOG_LISTENERS, 1); // A counter: no two get the same.
    const name = hiddenName(serial);
    return { name, entry: this.bind(name, endpoint, binder) };
  }

  /** Says which topics a listener wants, a bit each. What happens from now on, it gets. */
  tune(name: Uint8Array, topics: number): void {
    this.lock.hold(() => {
      this.words[this.find(name) + TOPICS] = topics;
      this.tellListeners();
    });
  }

  /** All listeners by their serial numbers, and the topics they want. */
  listeners(): Map<number, number> {
    return this.lock.hold(() => {
      const entries = this.entries().filter((entry) => this.#listens(entry));
      const words = this.words;
      return new Map(entries.map((entry) => [words[entry + SERIAL], words[entry + TOPICS]]));
    });
  }

  /** Adds a new pipe to a listener. False if it is gone. */
  connectListener(serial: number, pipe: Addr): boolean {
    return this.lock.hold(() => {
      const entry = this.find(hiddenName(serial));
      if (entry === 0 || !this.#listens(entry)) return false;
      this.#add(entry, pipe);
      return true;
    });
  }

  /** Attaches a binder's end, which was assigned. */
  attach(pipe: Addr): void {
    this.lock.hold(() => move(this.arena, pipe, "binder", "attach"));
  }

  /**
   * A binder has no use for a pipe that it has attached, and left: its connecter will leave it.
   *
   * @param why See pipe/layout.ts.
   */
  refuse(pipe: Addr, why: number): void {
    this.lock.hold(() => {
      const entry = this.words[pipe + PIPE_ENTRY];
      this.words[pipe + PIPE_REFUSED] = why;
      move(this.arena, pipe, "binder", "refuse");
      this.settle(pipe, "binder");
      this.dropIfEmpty(entry);
    });
  }

  /** Who is at the binder's end of a pipe. */
  binderOf(pipe: Addr): Presence {
    return this.lock.hold(() => {
      const words = this.words;
      const entry = words[pipe + PIPE_ENTRY];
      // Who has unbound, and still reads what has arrived, may have a successor at the name.
      const isBound = words[pipe + PIPE_BOUND] === words[entry + BOUND];
      return {
        state: stateOf(this.arena, pipe, "binder"),
        binding: words[pipe + PIPE_BINDING],
        since: words[pipe + PIPE_SINCE],
        id: isBound ? readBytes(this.arena, entry + ROUTING) : NO_ID,
      };
    });
  }

  /** An end goes on reading what has arrived, and its peer shall write no more. */
  drain(pipe: Addr, side: Side): void {
    this.lock.hold(() => {
      move(this.arena, pipe, side, "drain");
      this.thread.post(pipe + blockOf(peerOf(side)), PIPE_TERM);
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
    this.lock.hold(() => {
      const entry = this.words[pipe + PIPE_ENTRY];
      this.keepUntil(pipe, side, lingerMs);
      if (ends && side === "binder") this.words[pipe + PIPE_ORPHANED] = 1;
      move(this.arena, pipe, side, "leave");
      this.dropSwapped(pipe, side);
      this.settle(pipe, side);
      this.dropIfEmpty(entry);
    });
  }

  /**
   * A connecter takes the reader's role of its own pipe, if nobody is bound to the name: what its
   * binder, which has died, has left unread shall go to others. False if somebody is bound.
   */
  retract(pipe: Addr): boolean {
    return this.lock.hold(() => {
      if (stateOf(this.arena, pipe, "binder") !== ABSENT) return false;
      move(this.arena, pipe, "binder", "retract");
      this.words[pipe + PIPE_ORPHANED] = 0;
      return true;
    });
  }

  /** All blocks that are posted to a thread by way of pipes. */
  blocksOf(slot: number): Addr[] {
    return this.lock.hold(() => {
      const blocks: Addr[] = [];
      for (const pipe of this.allPipes()) {
        for (const block of [pipe + CONNECTER_BLOCK, pipe + BINDER_BLOCK]) {
          if (this.words[block + BLOCK_SLOT] === slot) blocks.push(block);
        }
      }
      return blocks;
    });
  }

  /** Drops what was kept of connecters that are gone, and is no longer. */
  dropAllExpired(): void {
    this.lock.hold(() => {
      for (const entry of this.entries()) {
        this.#dropExpired(entry);
        this.dropIfEmpty(entry);
      }
    });
  }

  /** Drops what is kept of connecters that are gone: nobody will bind any more. */
  dropOrphans(): void {
    this.lock.hold(() => {
      for (const entry of this.entries()) {
        for (const pipe of this.pipes(entry)) {
          if (this.#isOrphan(pipe)) this.#unlinkAndFree(entry, pipe);
        }
        this.dropIfEmpty(entry);
      }
    });
  }

  /** Counts names, pipes, and messages that lie in pipes. */
  count(): { endpoints: number; pipes: number; queued: number } {
    return this.lock.hold(() => {
      let endpoints = 0;
      let pipes = 0;
      let queued = 0;
      for (const entry of this.entries()) {
        if (this.isHidden(entry)) continue;
        endpoints++;
        for (const pipe of this.pipes(entry)) {
          pipes++;
          queued += this.#queued(pipe);
        }
      }
      return { endpoints, pipes, queued };
    });
  }

  protected keepUntil(pipe: Addr, side: Side, lingerMs: number): void {
    if (side !== "connecter") return;
    const until = (Date.now() + lingerMs) | 0;
    this.words[pipe + PIPE_UNTIL] = lingerMs < 0 ? 0 : until || 1;
  }

  /**
   * What follows from an end's leaving. The name may be without use then.
   *
   * @param also What the peer is to look at besides. It is told both by one post: a peer that woke
   *   for the one before it could hear of the other would send past what is to be returned.
   */
  protected settle(pipe: Addr, side: Side, also = 0): void {
    const entry = this.words[pipe + PIPE_ENTRY];
    if (this.dropIfOver(entry, pipe)) return;
    this.thread.post(pipe + blockOf(peerOf(side)), PIPE_TERM | also);
    const isFree = side === "binder" && stateOf(this.arena, pipe, side) === ABSENT;
    if (isFree && this.words[entry + SLOT] !== 0) this.assign(entry, pipe); // I2
  }

  /** Puts a pipe at the end of a name's list, and assigns it to the binder if there is one. */
  #add(entry: Addr, pipe: Addr): void {
    const words = this.words;
    words[pipe + PIPE_ENTRY] = entry;
    words[pipe + PIPE_NEXT] = 0;
    if (words[entry + FIRST] === 0) words[entry + FIRST] = pipe;
    else words[words[entry + LAST] + PIPE_NEXT] = pipe;
    words[entry + LAST] = pipe;
    words[slotAt(this.thread.slot) + SLOT_MAKING] = 0;
    if (words[entry + SLOT] !== 0) this.assign(entry, pipe);
  }

  #listens(entry: Addr): boolean {
    return this.isHidden(entry) && this.words[entry + SLOT] !== 0;
  }

  /** Who listens to what has changed: everybody who has something to tell shall look. */
  protected tellListeners(): void {
    const words = this.words;
    let topics = 0;
    for (const entry of this.entries()) {
      if (this.#listens(entry)) topics |= words[entry + TOPICS];
    }
    add(words, LOG_LISTENERS, 1); // A counter: who sees the topics sees that it has changed.
    // SYNC(listen) publish: the listeners as they are now.
    store(words, LOG_TOPICS, topics);
  }

  /** Gives a pipe to the binder of its name. */
  protected assign(entry: Addr, pipe: Addr): void {
    const words = this.words;
    words[pipe + PIPE_ORPHANED] = 0;
    words[pipe + PIPE_BOUND] = words[entry + BOUND];
    move(this.arena, pipe, "binder", "assign");
    this.tellBinder(entry, pipe);
  }

  protected tellBinder(entry: Addr, pipe: Addr): void {
    const words = this.words;
    this.#setLimit(pipe, words[entry + LIMIT]);
    this.thread.assign(pipe + BINDER_BLOCK, words[entry + SLOT], words[entry + OBJECT], BIND);
    this.thread.post(pipe + CONNECTER_BLOCK, ACTIVATE_WRITE | PIPE_TERM);
  }

  /** The binder's watermark counts from now on, not only when the binder hears of the pipe. */
  #setLimit(pipe: Addr, limit: number): void {
    const lane = this.words[pipe + PIPE_OUT];
    // SYNC(limit) publish: the connecter computes its room with it.
    if (lane !== 0) store(this.words, lane + LANE_LIMIT, limit);
  }

  /** Frees a pipe that both ends have left and that holds nothing. False if it is there still. */
  protected dropIfOver(entry: Addr, pipe: Addr): boolean {
    if (!this.#isOrphan(pipe)) return false;
    if (!this.#isExpired(pipe)) {
      this.onKept(this.#leftTo(pipe));
      return false;
    }
    this.#unlinkAndFree(entry, pipe);
    return true;
  }

  /** Whether both ends have left. */
  #isOrphan(pipe: Addr): boolean {
    const binder = stateOf(this.arena, pipe, "binder");
    const isOver = binder === ABSENT || binder === REFUSED;
    return isOver && stateOf(this.arena, pipe, "connecter") === GONE;
  }

  /** Whether an orphan holds nothing that is worth keeping. */
  #isExpired(pipe: Addr): boolean {
    const words = this.words;
    const lane = words[pipe + PIPE_OUT];
    if (lane === 0 || queuedIn(words, lane) === 0) return true;
    if (stateOf(this.arena, pipe, "binder") === REFUSED) return true;
    if (this.isHidden(words[pipe + PIPE_ENTRY]) || isDead(words, pipe)) return true;
    return this.#leftTo(pipe) <= 0;
  }

  #dropExpired(entry: Addr): void {
    for (const pipe of this.pipes(entry)) this.dropIfOver(entry, pipe);
  }

  /** For how many milliseconds more an orphan is kept. */
  #leftTo(pipe: Addr): number {
    const until = this.words[pipe + PIPE_UNTIL];
    return until === 0 ? Number.POSITIVE_INFINITY : (until - Date.now()) | 0;
  }

  #checkPending(entry: Addr, endpoint: string, type: number): void {
    for (const pipe of this.pipes(entry)) {
      checkTypes(type, this.words[pipe + PIPE_TYPE], endpoint);
    }
  }

  #unlinkAndFree(entry: Addr, pipe: Addr): void {
    this.#doom(entry, pipe);
    this.unlinkDoomed(entry, pipe);
  }

  /** The rest of that. It may be done again, should we die in the middle. */
  protected unlinkDoomed(entry: Addr, pipe: Addr): void {
    let before = 0;
    for (const other of this.pipes(entry)) {
      if (other === pipe) break;
      before = other;
    }
    const words = this.words;
    if (before === 0) words[entry + FIRST] = words[pipe + PIPE_NEXT];
    else words[before + PIPE_NEXT] = words[pipe + PIPE_NEXT];
    if (words[entry + LAST] === pipe) words[entry + LAST] = before;
    this.free(pipe);
  }

  protected free(pipe: Addr): void {
    const { arena, pool } = this.thread;
    destroyPipe(arena, pool, pipe, () => {
      this.words[NAMES_DOOMED] = 0;
    });
  }

  /**
   * From here on a pipe comes to its end, whoever brings it there. What it still holds is lost with
   * it: it is counted, once, by who says so; and told.
   */
  #doom(entry: Addr, pipe: Addr): void {
    const dropped = this.isHidden(entry) ? 0 : this.#queued(pipe);
    const { arena, slot } = this.thread;
    countAndNote(arena, slotAt(slot) + SLOT_DROPPED, dropped, NAMES_DOOMED, pipe);
    if (dropped === 0) return;
    const words = this.words;
    const from = (entry + NAME) * 4;
    const name = new Uint8Array(arena.bytes.subarray(from, from + words[entry + LENGTH]));
    const lane = words[pipe + PIPE_OUT];
    const isLeft = lane !== 0 && queuedIn(words, lane) > 0;
    const why = isDead(words, pipe) ? "peer left" : isLeft ? "linger" : "closed";
    this.onDropped(new TextDecoder().decode(name), dropped, why);
  }

  #queued(pipe: Addr): number {
    const words = this.words;
    const out = words[pipe + PIPE_OUT];
    const inward = words[pipe + PIPE_IN];
    let queued = 0;
    for (const lane of [out, inward]) {
      if (lane !== 0) queued += queuedIn(words, lane) + swappedIn(words, lane);
    }
    return queued;
  }

  /** What the swap of an end still held is gone with it. */
  protected dropSwapped(pipe: Addr, side: Side): void {
    const { arena, slot } = this.thread;
    const lane = laneOf(this.words, pipe, side);
    if (lane === 0) return;
    const swapped = swappedIn(this.words, lane);
    countSwapped(arena, lane, -swapped, slotAt(slot) + SLOT_DROPPED, swapped);
  }
}

/** Why messages are dropped; see `LogRecord.why`. */
export type DropReason = "linger" | "closed" | "peer left";

function checkTypes(mine: number, peer: number, endpoint: string): void {
  if (compatible(mine, peer)) return;
  throw new ZmqError("ENOCOMPATPROTO", {
    address: endpoint,
    hint: `A ${typeName(mine)} cannot be linked with the ${typeName(peer)} at the other end.`,
  });
}
