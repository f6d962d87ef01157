// SPDX-License-Identifier: MIT

import { assert, FLUSH_EVERY, type ZmqError } from "../base/index.ts";
import { ACTIVATE_READ, MemoryWish, type Thread } from "../command/index.ts";
import {
  type Addr,
  countAndNote,
  countBoth,
  LEAVE_A_LINK,
  LEAVE_NONE,
  load,
  MEMORY_WANTED,
  noteBoth,
  or,
  peek,
  SLOT_DROPPED,
  SLOT_SENT,
  slotAt,
  store,
  type Words,
} from "../memory/index.ts";
import {
  CellWriter,
  LANE_LIMIT,
  LANE_READ,
  LANE_RECEIVED,
  LANE_SENT,
  LANE_SWAPPED,
  LANE_WAKE_AT,
  LANE_WRITTEN,
  ONE,
  WAITS,
} from "../queue/index.ts";
import { type MessageLike, MessageWriter, Prepared, prepare } from "./message.ts";
import { bodiesCost, noteMove } from "./move.ts";
import { keep } from "./records.ts";
import { Swap } from "./swap.ts";
import { countSwapped } from "./swapped.ts";

/** In LANE_LIMIT: nobody reads, so only the writer's own watermark counts. */
export const NO_READER = -1;
/** In LANE_LIMIT: whoever reads wants the newest message only. */
export const NEWEST = -2;
/** How much comes out of the swap at a time, 4 MiB: some milliseconds. */
const MOST_WORDS = 1 << 20;
/** No count of messages read, for those are even. */
const NEVER = -1;
/** Without a watermark the counts are compared anew every so many messages. */
const UNLIMITED = 1 << 29;

/** What a writer asks of the end that it belongs to. */
export interface WriterOwner {
  /** Whether only the newest message counts. */
  readonly conflate: boolean;
  /** How many bytes may wait on disk; 0 is none. It may change at any time. */
  readonly swap: number;
  readonly swapDirectory: string;
  /** Messages in the swap could not be read back. They are counted as dropped. */
  messagesLost(count: number, error: ZmqError): void;
}

/**
 * writer — the end of a lane that messages go into, with its watermark.
 *
 * The writer counts messages written, the reader messages read, each in a shared word of its own.
 * Whether one more message fits is computed when what was known to fit is used up:
 *
 *      written - read < sendHighWaterMark + receiveHighWaterMark     (either is 0: always)
 *
 * The reader's watermark is a shared word too, so that either side may change its own at any time.
 * Counts wrap; only their difference is used.
 *
 * # Waiting for room
 *
 * A writer that will wait says so in a bit of `read`, and in `wakeAt` the count that is worth
 * waking for: when half of the messages have been read. Nearer to full, the two threads would step
 * in lock-step, a wake-up for each message; nearer to empty, the writer would stand still while the
 * reader drains. A writer that tries again by itself needs no wake-up and is not held to that half.
 *
 * # Memory
 *
 * All links share the arena. A lane gets no memory while what lies unread in it takes more pages
 * than are free, or would then be (`mustLeave`). So one link alone fills half of the
 * arena, two a third each; and who receives from the one, and sends into the other, finds some left
 * for that. An empty lane gets what there is. A writer that waits is told of all that comes free,
 * and when less of it is its lane's (`Pool.tell`).
 *
 * Where memory is wanted, a lane that is empty gives up what it keeps for later (queue/ypipe.ts):
 * its writer goes on in the least chunk, and the reader is told, who frees the other one. One that
 * is not empty, or that nobody reads, does so when it is: by the same bit and `wakeAt`, or by the
 * watermark of the reader who comes.
 *
 * # Full
 *
 * That a pipe is full is told once, and that it is relieved when half of it is free again: else one
 * that is kept near its limit would be both by turns. Both are seen where room is computed anew.
 *
 * # The swap
 *
 * Messages for which there is no room may be stored in the swap (swap.ts), if the socket has one.
 * As long as it holds anything, the lane takes no other messages than those that come back from it:
 * `hasRoom` is false, by a limit that is where the count of written messages is. They come back
 * whenever the thread has the control and there is room: at each look for room, and when the reader
 * wakes us, which we always ask for while the swap holds anything. Where memory is what is missing,
 * we hear of that too.
 *
 * # Conflation
 *
 * If either end wants only the newest message, messages go to the cell beside the lane
 * (queue/cell.ts), and watermarks do not count. The reader says so by its watermark, NEWEST; when
 * it has left, what waits for the next one waits as it did for the last. One that is replaced there
 * was sent, and is dropped. What was in the lane before, or comes out of the swap, is older than
 * what is in the cell: a reader that wants the newest drops it. Should the next reader want all
 * messages again, the lane has no room until that one has taken the one in the cell.
 *
 * # Synchronisation
 *
 *   SYNC(room)    reader's addition to read ⇒ writer's load     the messages have been taken
 *   SYNC(waits)   writer's setting the bit ⇒ reader's addition  wakeAt. Both change one word: the
 *                                                               reader sees the bit, or the writer,
 *                                                               which looks again, the count
 *   SYNC(limit)   reader's store of limit ⇒ writer's load       the reader's watermark
 */
export class PipeWriter extends MessageWriter {
  readonly #thread: Thread;
  readonly #readerBlock: Addr;
  #highWaterMark: number;
  /** The count of written messages that may not be passed. */
  #limit: number;
  /** How many messages are in the slot's count of those sent. */
  #counted: number;
  /** Where the slot counts them; 0: nowhere. */
  #counter: Addr;
  /** How many messages that are not counted yet were sent before; see `rebook`. */
  #moved = 0;
  #bookAt: Addr = 0;
  #bookBy = 0;
  #full = false;
  /** Called when a try finds the pipe full, or relieved; never within a write. */
  onFull: (full: boolean) => void = nobodyCares;
  /** Called when the first message goes to the swap, and when the last has come back. */
  onSwap: (used: boolean) => void = nobodyCares;
  /** Called before a message comes back, with how many are in the swap. False: no memory for it. */
  onRefill: (left: number) => boolean = () => true;
  /** What `limit` and `read` of the reader were when it was computed. */
  #peerMark = NO_READER;
  #read = 0;
  readonly #owner: WriterOwner | undefined;
  #swap: Swap | undefined;
  /** We are to give memory back when the lane is empty, and have asked to be woken then. */
  #trims = false;
  /** There is room for what is in the swap, but no memory. Made when that first is so. */
  #wish: MemoryWish | undefined;
  readonly #cell: CellWriter;
  /** Whether our own end wants only the newest message. */
  readonly #wanted: boolean;
  /** Whether messages go to the cell: as our own end wants it, or the reader does, or did. */
  #conflates: boolean;
  /** Whether a message may be in the cell. */
  #celled: boolean;
  /** Whether since the last flush something was put there, or first into the swap. */
  #put = false;
  /** Whether its owner has it on the list of those to be flushed (strategy/unshown.ts). */
  unshown = false;
  /** How many messages were written to others (`restart`); and whether some lie there still. */
  #others = 0;
  #isBehind = false;
  /** Whether the next message in the cell is for somebody else than the last. */
  #restarted = false;
  /** Called when messages that were accepted are dropped: newer ones count, or none of them. */
  onDrop: (count: number) => void = nobodyCares;

  constructor(
    thread: Thread,
    lane: Addr,
    readerBlock: Addr,
    highWaterMark: number,
    owner?: WriterOwner,
  ) {
    super(thread.arena, thread.pool, lane);
    this.#cell = new CellWriter(thread.arena, thread.pool, lane);
    this.#celled = this.#cell.full;
    this.#wanted = owner?.conflate === true;
    this.#conflates = this.#celled || this.#wanted;
    this.#owner = owner;
    this.#thread = thread;
    this.#readerBlock = readerBlock;
    this.#highWaterMark = highWaterMark;
    this.#limit = this.written;
    this.#counted = this.written;
    this.#counter = slotAt(thread.slot) + SLOT_SENT;
    thread.arena.words[lane + LANE_SENT] = this.written;
  }

  /** What is sent is in no count. */
  silence(): void {
    this.#counter = 0;
  }

  /** Changes the writer's own watermark. */
  set highWaterMark(highWaterMark: number) {
    this.#highWaterMark = highWaterMark;
    // What is in the swap comes back by `drainSwap` alone: the peer may take no more.
    if (this.swapped > 0) this.#read = NEVER;
    else this.#recount();
  }

  /** Whether the watermarks let one more message in, by the counts of this moment. */
  get hasRoom(): boolean {
    // A hint: the reader may have changed its watermark.
    const peerMark = peek(this.arena.words, this.lane + LANE_LIMIT);
    if (peerMark === this.#peerMark && ((this.#limit - this.written) | 0) > 0) return true;
    return this.#look(peerMark);
  }

  /** How many messages more have room by the watermarks, as far as is known; not all that have. */
  get room(): number {
    return this.hasRoom ? ((this.#limit - this.written) | 0) / ONE : 0;
  }

  /** How many messages lie in the lane, those not shown yet included, and in the swap. */
  get queued(): number {
    // SYNC(room) observe: only a count.
    const read = load(this.arena.words, this.lane + LANE_READ) & ~WAITS;
    return ((this.written - read) | 0) / ONE + this.swapped;
  }

  /** How many messages are in the swap. */
  get swapped(): number {
    return this.#swap === undefined ? 0 : this.#swap.count;
  }

  /** Whether messages may go to the swap. */
  get swaps(): boolean {
    return this.#owner !== undefined && this.#owner.swap > 0;
  }

  /** Whether what the lane holds is for its reader alone, and of that only the newest. */
  get conflates(): boolean {
    return this.#conflates || (this.#celled && this.#cell.full);
  }

  /** Writes a message without showing it. False if there is no memory; throws if it is none. */
  override write(message: MessageLike | Prepared): boolean {
    if (this.#conflates) return this.#conflate(message);
    return super.write(message);
  }

  /**
   * Shows a message that is there as records of another lane, whose large bodies are then ours: see
   * move.ts, steps 1 to 3. False if there is no memory.
   */
  moveIn(lane: Addr, from: Addr, size: number): boolean {
    this.flush(); // The note is of one message alone.
    const at = this.reserve(size, this.queued === 0 ? LEAVE_NONE : LEAVE_A_LINK);
    if (at === 0) return false;
    const { words } = this.arena;
    words.copyWithin(at, from, from + size);
    this.written = (this.written + ONE) | 0;
    this.refersTo(bodiesCost(words, from, from + size));
    noteMove(words, lane, from, this.lane, this.written);
    this.rebook(lane + LANE_RECEIVED, ONE); // It is not received.
    this.flush();
    return true;
  }

  /** Shows all that was written to the reader, and wakes it if it sleeps. */
  override flush(): boolean {
    let awake = super.flush();
    if (this.#put) {
      this.#put = false;
      this.drainSwap();
      awake = this.wake() && awake;
    }
    if (this.written !== this.#counted) this.#count();
    if (!awake) this.#thread.post(this.#readerBlock, ACTIVATE_READ);
    return awake;
  }

  /**
   * Stores a message in the swap; `flush` sees to it that it comes back. False if there is no room.
   *
   * @throws ZmqError if it cannot be written; or, as `write`, if it is no message.
   */
  store(message: MessageLike | Prepared): boolean {
    const owner = this.#owner;
    if (owner === undefined || owner.swap === 0 || this.#conflates) return false;
    const prepared = message instanceof Prepared ? message : prepare(message, this.pool);
    const parts = prepared instanceof Prepared ? prepared.check().all : [prepared];
    const { files } = this.#thread.host;
    this.#swap ??= new Swap(files, (lost, error) => this.#lost(lost, error));
    const swap = this.#swap;
    if (!swap.store(parts, owner.swap, owner.swapDirectory || files.temporaryDirectory)) {
      return false;
    }
    countSwapped(this.arena, this.lane, 1, this.#counter, 1);
    if (swap.count === 1) {
      this.#limit = this.written; // The next one goes behind it.
      this.#put = true;
      this.onSwap(true);
    }
    return true;
  }

  /** Whether `store` would find room for a message. */
  hasSwapFor(message: MessageLike | Prepared): boolean {
    const limit = this.#owner?.swap ?? 0;
    if (limit === 0 || this.#conflates) return false;
    const prepared = message instanceof Prepared ? message : prepare(message, this.pool);
    const parts = prepared instanceof Prepared ? prepared.all : [prepared];
    return (this.#swap?.used ?? 0) + Swap.sizeOf(parts) <= limit;
  }

  /**
   * Takes out of the swap what there is room for, and asks to be woken for the rest.
   *
   * A reader that reads on makes room all the time. We go when what there was is used, and return
   * for half a lane: to follow it step by step costs both, and this thread's event loop its turn.
   */
  drainSwap(): void {
    while (this.swapped > 0) {
      this.#recount();
      if (this.swapped > 0 && this.#ask()) return;
    }
  }

  /** Takes out of the swap all that there is memory for, whatever the watermarks say. */
  pourSwap(): void {
    do {
      this.#limit = (this.written + ONE * UNLIMITED) | 0;
      if (this.swapped > 0) this.#refill();
    } while (this.swapped > 0 && !this.#isStarved);
  }

  /** Shows the next message of the swap in another lane. False if there is no memory for it. */
  moveSwapped(writer: PipeWriter): boolean {
    const swap = this.#swap as Swap;
    if (swap.ready()) {
      if (!writer.writeCopy(swap.words, swap.at, swap.size, swap.large)) return false;
      swap.shift();
      writer.rebook(this.lane + LANE_SWAPPED, -1);
      writer.flush();
    } // Else what was left could not be read back.
    if (swap.count === 0) this.onSwap(false);
    return true;
  }

  /**
   * What is written next is for somebody else (addressee.ts), who will pass over what lies there
   * and has its own room. What is in the swap was for the one before, and is dropped. Returns how
   * many messages were written before.
   */
  restart(): number {
    const { swapped } = this;
    if (swapped > 0) {
      this.#swap?.close();
      this.#dropped(swapped);
      this.#wish?.end();
      this.onSwap(false);
    }
    this.#restarted = true;
    this.#isBehind = true;
    this.#others = this.written;
    this.#recount();
    return this.written;
  }

  /** Gives up the swap, and what is in it: how many messages these are, the lane still says. */
  leave(): void {
    this.#wish?.end();
    this.#swap?.close();
  }

  /** Asks to be woken when there is room. False if there is, or was, some now. */
  wait(): boolean {
    const words = this.arena.words;
    // Never more than all that there is: after a watermark was lowered, the limit may be behind.
    const read = load(words, this.lane + LANE_READ) & ~WAITS; // It may have been asked before.
    const half = Math.max(0, ((this.#limit - read) | 0) >> 1);
    store(words, this.lane + LANE_WAKE_AT, (this.written - half) | 0);
    const before = this.swapped;
    // SYNC(waits) publish: wakeAt. The count is looked at once more, after this.
    or(words, this.lane + LANE_READ, WAITS);
    return !this.#recount() && this.swapped === before;
  }

  /** Asks to be woken when half of what lies in the lane is read. False if that is so already. */
  #ask(): boolean {
    const words = this.arena.words;
    const wakeAt = (this.written - ONE * (queuedIn(words, this.lane) >> 1)) | 0;
    store(words, this.lane + LANE_WAKE_AT, wakeAt);
    // SYNC(waits) publish: wakeAt. The count is looked at after this.
    or(words, this.lane + LANE_READ, WAITS);
    // SYNC(room) observe: so many messages have been taken.
    const read = load(words, this.lane + LANE_READ) & ~WAITS;
    return this.#isStarved || ((read - wakeAt) | 0) < 0; // Of memory we hear otherwise.
  }

  /** Asks to be woken when all has been read. False if it has. */
  waitUntilEmpty(): boolean {
    const words = this.arena.words;
    // Somebody who waits for room is woken before; then this is asked again.
    if ((load(words, this.lane + LANE_READ) & WAITS) === 0) {
      store(words, this.lane + LANE_WAKE_AT, this.written);
      // SYNC(waits) publish: wakeAt. The count is looked at once more, after this.
      or(words, this.lane + LANE_READ, WAITS);
    }
    return this.queued > 0;
  }

  /** Memory is wanted: gives up what the lane keeps for later, as soon as it is empty. */
  trim(): void {
    this.#trims = !this.#isIdle;
    if (this.#trims) {
      this.waitUntilEmpty();
      this.#trims = !this.#isIdle; // It may have become so before we had asked.
    }
    if (this.#trims || !this.shrink()) return;
    this.flush();
    this.#thread.post(this.#readerBlock, ACTIVATE_READ); // It may be awake, and not look.
  }

  /** The lane may be empty now. One that is in use again keeps what it has, unless a call waits. */
  trimAgain(): void {
    if (!this.#trims) return;
    // A flag: who sets it posts MEMORY, too.
    if (this.#isIdle || load(this.arena.words, MEMORY_WANTED) !== 0) this.trim();
    else this.#trims = false;
  }

  /** Whether nothing is in the lane, and somebody is there who would leave a chunk. */
  get #isIdle(): boolean {
    // SYNC(limit) observe: whether there is a reader.
    return this.queued === 0 && load(this.arena.words, this.lane + LANE_LIMIT) !== NO_READER;
  }

  /**
   * The last message was counted as sent before: it comes from a swap, or another lane. When it is
   * shown, what `at` counts there changes by so much.
   */
  rebook(at: Addr, by: number): void {
    assert(this.#moved === 0 || this.#bookAt === at, "messages come from one place at a time");
    this.#moved++;
    this.#bookAt = at;
    this.#bookBy = by;
  }

  /**
   * Counts what was shown: it is sent. The words that say so are changed together: should we die
   * before, what comes from a swap counts twice, as sent and as lost with the swap; what comes from
   * another lane does not (move.ts). What was sent before is noted first, and by itself.
   */
  #count(): void {
    const { arena } = this;
    const { words } = arena;
    const moved = this.#moved;
    const messages = ((this.written - this.#counted) | 0) / ONE - moved;
    this.#counted = this.written;
    this.#moved = 0;
    const note = this.lane + LANE_SENT;
    if (moved > 0) {
      const [at, by] = [this.#bookAt, this.#bookBy];
      noteBoth(arena, at, words[at] + moved * by, note, words[note] + moved * ONE);
    }
    countAndNote(arena, this.#counter, messages, note, this.written);
  }

  /** Puts a message into the cell: the reader can take it at once. False if there is no memory. */
  #conflate(message: MessageLike | Prepared): boolean {
    const looked = message instanceof Prepared ? message : prepare(message, this.pool);
    const prepared = looked instanceof Prepared ? looked.check() : looked;
    const { words, size } = keep(prepared);
    const at = this.#cell.reserve(size);
    if (at === 0) return false;
    this.putRecords(at, words, 0, size);
    this.flush(); // What is in the lane is older.
    this.#celled = true;
    this.#put = true;
    const before = this.written;
    const next = (before + ONE) | 0;
    // What was for another keeps its number, and counts as dropped when this one is taken.
    const isFirst = this.#cell.put(this.#restarted ? next : before, next);
    this.#restarted = false;
    this.written = this.arena.words[this.lane + LANE_WRITTEN];
    if (isFirst) return true;
    if (this.written === before && this.#counter !== 0) {
      countBoth(this.arena, this.#counter, slotAt(this.#thread.slot) + SLOT_DROPPED);
    }
    this.onDrop(1);
    return true;
  }

  /** Counts anew, unless the swap has the lane and nothing was read since the last time. */
  #look(peerMark: number): boolean {
    if (this.swapped > 0 && peerMark === this.#peerMark) {
      // A hint: should it be old, the reader will wake us.
      const read = peek(this.arena.words, this.lane + LANE_READ) & ~WAITS;
      if (read === this.#read) return false;
    }
    return this.#recount();
  }

  #recount(): boolean {
    const words = this.arena.words;
    // SYNC(limit) observe: the reader's watermark.
    const peerMark = load(words, this.lane + LANE_LIMIT);
    // SYNC(room) observe: so many messages have been taken.
    const read = load(words, this.lane + LANE_READ) & ~WAITS;
    const own = this.#highWaterMark;
    if (peerMark !== NO_READER) {
      this.#conflates = this.#wanted || peerMark === NEWEST;
    }
    const isFree = this.#conflates || own === 0 || peerMark === 0;
    const mark = isFree ? UNLIMITED : own + Math.max(peerMark, 0);
    if (this.#isBehind) this.#isBehind = ((read - this.#others) | 0) < 0;
    // What lies there for others takes no room of what is for this one.
    const taken = this.#isBehind ? this.#others : read;
    const from = mark < UNLIMITED ? taken : this.written;
    this.#peerMark = peerMark;
    this.#read = read;
    this.#limit = (from + ONE * Math.min(mark, UNLIMITED)) | 0;
    if (this.#celled && !this.#conflates) {
      this.#celled = this.#cell.full;
      if (this.#celled) this.#limit = this.written; // What is there goes first.
    }
    const room = (this.#limit - this.written) | 0;
    // In steps of two, a room of `mark` is half of the messages.
    if (this.#full ? room >= mark : room <= 0) {
      this.#full = !this.#full;
      this.onFull(this.#full);
    }
    if (this.swapped > 0) return this.#refill();
    return room > 0;
  }

  /** Moves messages from the swap to the lane, up to the limit. True: there is room for others. */
  #refill(): boolean {
    const swap = this.#swap as Swap;
    let isShort = false;
    let moved = 0;
    if (this.#conflates) this.#dropSwapped();
    for (let size = 0; ((this.#limit - this.written) | 0) > 0 && size < MOST_WORDS; ) {
      if (!swap.ready()) break;
      isShort = !this.onRefill(swap.count);
      isShort ||= !this.writeCopy(swap.words, swap.at, swap.size, swap.large);
      if (isShort) break;
      size += swap.size;
      swap.shift();
      this.rebook(this.lane + LANE_SWAPPED, -1);
      if (++moved % FLUSH_EVERY === 0) this.flush();
    }
    this.flush();
    swap.trim(); // After the last message was shown.
    if (isShort) this.#wish ??= new MemoryWish(this.#thread);
    this.#wish?.set(isShort);
    if (swap.count > 0) this.#limit = this.written;
    else this.onSwap(false);
    return ((this.#limit - this.written) | 0) > 0;
  }

  /** Drops what is in the swap, but for the newest. */
  #dropSwapped(): void {
    const swap = this.#swap as Swap;
    while (swap.count > 1 && swap.ready() && swap.count > 1) {
      swap.shift();
      this.#dropped(1);
    }
  }

  /** So many messages that were in the swap are there no longer, and nobody gets them. */
  #dropped(messages: number): void {
    this.#forget(messages);
    this.onDrop(messages);
  }

  #forget(messages: number): void {
    const counter = slotAt(this.#thread.slot) + SLOT_DROPPED;
    countSwapped(this.arena, this.lane, -messages, counter, messages);
  }

  get #isStarved(): boolean {
    return this.#wish?.isAsking === true;
  }

  #lost(lost: number, error: ZmqError): void {
    this.#forget(lost);
    this.#owner?.messagesLost(lost, error);
  }
}

function nobodyCares(): void {}

/** How many messages lie in a lane, a swap not counted, as any thread may ask. */
export function queuedIn(words: Words, lane: Addr): number {
  // SYNC(room) observe: only a count.
  const read = load(words, lane + LANE_READ) & ~WAITS;
  return ((peek(words, lane + LANE_WRITTEN) - read) | 0) / ONE;
}
