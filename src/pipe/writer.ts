// SPDX-License-Identifier: MIT

import { ACTIVATE_READ, type Thread } from "../command/index.ts";
import {
  type Addr,
  type Arena,
  count,
  LEAVE_A_LINK,
  load,
  or,
  type Pool,
  peek,
  SLOT_SENT,
  slotAt,
  store,
  WORD_BYTES,
  type Words,
} from "../memory/index.ts";
import {
  FLAGS,
  LANE_LIMIT,
  LANE_READ,
  LANE_SENT,
  LANE_WAKE_AT,
  LANE_WRITTEN,
  LENGTH,
  RECORD_HEAD,
  REFERENCE,
  REFERENCE_WORDS,
  recordSize,
  repairWriter,
} from "../queue/index.ts";
import { type MessageLike, MessageWriter, type Prepared } from "./message.ts";

/** In LANE_LIMIT: nobody reads, so only the writer's own watermark counts. */
export const NO_READER = -1;
/** Counts go in steps of two: bit 0 of `read` is the writer's, and says that it waits. */
export const ONE = 2;
export const WAITS = 1;
/** Without a watermark the counts are compared anew every so many messages. */
const UNLIMITED = 1 << 29;

/**
 * writer — the end of a lane that messages go into, with its watermark.
 *
 * The writer counts messages written, the reader messages read, each in a shared word of its own.
 * Whether one more message fits is computed at every try:
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
  readonly #counter: Addr;
  /** What `limit` of the reader was when it was computed. */
  #peerMark = NO_READER;

  constructor(thread: Thread, lane: Addr, readerBlock: Addr, highWaterMark: number) {
    super(thread.arena, thread.pool, lane);
    this.#thread = thread;
    this.#readerBlock = readerBlock;
    this.#highWaterMark = highWaterMark;
    this.#limit = this.written;
    this.#counted = this.written;
    this.#counter = slotAt(thread.slot) + SLOT_SENT;
    thread.arena.words[lane + LANE_SENT] = this.written;
  }

  /** Changes the writer's own watermark. */
  set highWaterMark(highWaterMark: number) {
    this.#highWaterMark = highWaterMark;
    this.#recount();
  }

  /** Whether the watermarks let one more message in, by the counts of this moment. */
  get hasRoom(): boolean {
    // A hint: the reader may have changed its watermark.
    const peerMark = peek(this.arena.words, this.lane + LANE_LIMIT);
    if (peerMark === this.#peerMark && ((this.#limit - this.written) | 0) > 0) return true;
    return this.#recount();
  }

  /** How many messages lie in the lane, those that are not shown yet included. */
  get queued(): number {
    // SYNC(room) observe: only a count.
    const read = load(this.arena.words, this.lane + LANE_READ) & ~WAITS;
    return ((this.written - read) | 0) / ONE;
  }

  /** Writes a message without showing it. False if there is no memory; throws if it is none. */
  override write(message: MessageLike | Prepared): boolean {
    if (!super.write(message)) return false;
    this.written = (this.written + ONE) | 0;
    return true;
  }

  /**
   * Writes a message that is there as records of another lane, without showing it. Large bodies
   * change hands: there, their records are then nothing but eight bytes. False if there is no
   * memory.
   */
  writeRecords(from: Addr, size: number): boolean {
    const at = this.reserve(size, LEAVE_A_LINK);
    if (at === 0) return false;
    const { words } = this.arena;
    words.copyWithin(at, from, from + size);
    for (let record = from; record < from + size; record += recordSize(words, record)) {
      if ((words[record + FLAGS] & REFERENCE) === 0) continue;
      const body = words[record + RECORD_HEAD];
      this.pool.hold(body);
      words[record + LENGTH] = WORD_BYTES * (REFERENCE_WORDS - RECORD_HEAD);
      words[record + FLAGS] &= ~REFERENCE;
      this.take(body);
    }
    this.written = (this.written + ONE) | 0;
    this.#counted = (this.#counted + ONE) | 0; // It was counted when it was sent.
    words[this.lane + LANE_SENT] = this.#counted;
    return true;
  }

  /** Shows all that was written to the reader, and wakes it if it sleeps. */
  override flush(): boolean {
    const awake = super.flush();
    if (this.written !== this.#counted) this.#count();
    if (!awake) this.#thread.post(this.#readerBlock, ACTIVATE_READ);
    return awake;
  }

  /** Asks to be woken when there is room. False if there is some now. */
  wait(): boolean {
    const words = this.arena.words;
    // Never more than all that there is: after a watermark was lowered, the limit may be behind.
    const half = Math.max(0, ((this.#limit - load(words, this.lane + LANE_READ)) | 0) >> 1);
    store(words, this.lane + LANE_WAKE_AT, (this.written - half) | 0);
    // SYNC(waits) publish: wakeAt. The count is looked at once more, after this.
    or(words, this.lane + LANE_READ, WAITS);
    return !this.#recount();
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

  /** Counts what was shown: it is sent. */
  #count(): void {
    const { arena } = this;
    count(arena, this.#counter, ((this.written - this.#counted) | 0) / ONE);
    arena.words[this.lane + LANE_SENT] = this.written;
    this.#counted = this.written;
  }

  #recount(): boolean {
    const words = this.arena.words;
    // SYNC(limit) observe: the reader's watermark.
    const peerMark = load(words, this.lane + LANE_LIMIT);
    // SYNC(room) observe: so many messages have been taken.
    const read = load(words, this.lane + LANE_READ) & ~WAITS;
    const own = this.#highWaterMark;
    const mark = own === 0 || peerMark === 0 ? UNLIMITED : own + Math.max(peerMark, 0);
    const from = mark < UNLIMITED ? read : this.written;
    this.#peerMark = peerMark;
    this.#limit = (from + ONE * Math.min(mark, UNLIMITED)) | 0;
    return ((this.#limit - this.written) | 0) > 0;
  }
}

/** How many messages lie in a lane, as any thread may ask. */
export function queuedIn(words: Words, lane: Addr): number {
  // SYNC(room) observe: only a count.
  const read = load(words, lane + LANE_READ) & ~WAITS;
  return ((peek(words, lane + LANE_WRITTEN) - read) | 0) / ONE;
}

/** Finishes or takes back what a dead writer was about; what was shown counts as sent. */
export function repairPipeWriter(arena: Arena, pool: Pool, lane: Addr, slot: number): void {
  repairWriter(arena, pool, lane);
  const words = arena.words;
  const uncounted = ((words[lane + LANE_WRITTEN] - words[lane + LANE_SENT]) | 0) / ONE;
  words[lane + LANE_SENT] = words[lane + LANE_WRITTEN];
  count(arena, slotAt(slot) + SLOT_SENT, uncounted);
}
