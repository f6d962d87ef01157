// SPDX-License-Identifier: MIT

import { ACTIVATE_WRITE, PIPE_TERM, type Thread } from "../command/index.ts";
import {
  type Addr,
  add,
  and,
  countAndNote,
  load,
  SLOT_DROPPED,
  SLOT_RECEIVED,
  slotAt,
  store,
} from "../memory/index.ts";
import {
  BODY_HEAD,
  CellReader,
  CONTROL,
  FLAGS,
  INLINE_BYTES,
  LANE_HANDED,
  LANE_LIMIT,
  LANE_MOVED_TO,
  LANE_NEXT_FRONT,
  LANE_NEXT_READ,
  LANE_READ,
  LANE_RECEIVED,
  LANE_WAKE_AT,
  LENGTH,
  MORE,
  markRedelivered,
  ONE,
  RECORD_HEAD,
  REFERENCE,
  recordSize,
  recordWords,
  repairCellReader,
  WAITS,
} from "../queue/index.ts";
import { isFor } from "./addressee.ts";
import type { Envelope } from "./envelope.ts";
import { PIPE_PASSED } from "./layout.ts";
import type { Lease } from "./leases.ts";
import type { Message } from "./message.ts";
import { disown, largeBytes } from "./move.ts";
import { MessageReader } from "./parts.ts";
import { Run } from "./run.ts";
import type { Slab } from "./slab.ts";
import { Stretch } from "./stretch.ts";
import { NEWEST, NO_READER, type PipeWriter, queuedIn } from "./writer.ts";

export interface ReaderOptions {
  /** Whether a message that is handed out is the reader's only once it is acknowledged. */
  readonly acknowledge?: boolean;
  /** Whether only the newest message counts. */
  readonly conflate?: boolean;
}

/** How far a lane was read: to which record, and how many messages. */
export interface Mark {
  readonly front: Addr;
  readonly read: number;
}

/**
 * reader — the end of a lane that messages come out of.
 *
 * Of the records that were flushed, a run is copied (run.ts), and messages are handed out from
 * there one by one. The shared `front` moves with their *release*, and not before: should the
 * reader go, what it has copied and not released is still in the pipe for the next. Messages are
 * released as they are handed out; or, if they are to be acknowledged, when they are.
 *
 * Between the messages may be control records: what the writer's end tells ours. They are handed to
 * `onControl` when they are come to, in their order among the messages, and are in no count, so
 * that no watermark holds them up.
 *
 * When nothing is left in the lane, or if only the newest message counts, a message is taken from
 * the cell beside it (queue/cell.ts). All in the lane that is older is then dropped, and counted.
 * Where it lies it may be replaced at any time, so who looks at it takes it, as if to hand it out;
 * should a newer one come before that, it is one of the older.
 *
 * Who reads with a lease gets large bodies where they lie, and owns them from the release on
 * (leases.ts); or, if the message is to be acknowledged, beside the lane from the reading on.
 *
 * For watermarks and synchronisation see writer.ts: what there is the writer's is here the
 * reader's.
 *
 * # If a thread dies
 *
 * A release notes where it leads (`next front`, `next read`), then moves `front`, then counts. Who
 * mourns the reader sees by `front` whether the counting is to be done, and does it. What was
 * handed out and not released (`handed` says how far) is marked as redelivered. For a message that
 * goes to another lane see move.ts.
 */
export class PipeReader extends MessageReader {
  readonly #writerBlock: Addr;
  /** A copy of the records from `front` on. */
  readonly #run: Run;
  /** Messages handed out since the last release. */
  #unreleased = 0;
  /** How many were read before, as the lane counts them. */
  #read: number;
  /** Where the slot counts them; 0: nowhere. */
  #counter: Addr;
  /** Whether only the newest message counts. */
  readonly #conflates: boolean;
  readonly #cell: CellReader;
  /** Whether a message was taken from the cell since the last release. */
  #celled = false;
  /** One that was taken to be looked at: the next, unless there is a newer one by then. */
  #seen: Message | undefined;
  /** So many of those not released were not handed out: they were older. */
  #dropped = 0;
  /** Whether control records were passed since the last release. */
  #controlled = false;
  /** The pipe, as long as what comes next may be for a binder before us; else 0. */
  #pipe: Addr = 0;
  /** Which binder of the pipe we are. */
  #binding = 0;
  readonly #stretch = new Stretch();
  /** What takes the bodies of the message that is released next. */
  #taking: Lease | undefined;
  /** Hears what the writer's end tells, while a message is being looked for. */
  onControl: (bytes: Uint8Array) => void = nobodyCares;

  constructor(
    thread: Thread,
    lane: Addr,
    writerBlock: Addr,
    slab: Slab,
    { acknowledge = false, conflate = false }: ReaderOptions = {},
  ) {
    super(thread, lane, slab, acknowledge);
    const { words } = thread.arena;
    this.#conflates = conflate;
    this.#cell = new CellReader(thread.arena, thread.pool, lane);
    this.#read = load(words, lane + LANE_READ) & ~WAITS; // Only ours to change.
    this.#counter = slotAt(thread.slot) + SLOT_RECEIVED;
    words[lane + LANE_RECEIVED] = this.#read;
    words[lane + LANE_HANDED] = 0;
    this.#writerBlock = writerBlock;
    this.#run = new Run(slab, thread.host.Part);
  }

  /** What is received is in no count. */
  silence(): void {
    this.#counter = 0;
  }

  /** The reader's watermark, or NO_READER when it leaves. The writer is told if it waits. */
  set highWaterMark(highWaterMark: number) {
    const words = this.arena.words;
    const isNewest = this.#conflates && highWaterMark !== NO_READER;
    // SYNC(limit) publish: the writer computes its room with it.
    store(words, this.lane + LANE_LIMIT, isNewest ? NEWEST : highWaterMark);
    // SYNC(waits) observe: a writer that waits shall compute its room anew.
    if ((load(words, this.lane + LANE_READ) & WAITS) !== 0) this.#wakeWriter();
  }

  /** How many messages lie in the lane. */
  get queued(): number {
    return queuedIn(this.arena.words, this.lane);
  }

  /** How many of them have not been handed out; those that are for others are not among them. */
  get unread(): number {
    this.passOver();
    return this.queued - this.#unreleased + (this.#seen === undefined ? 0 : 1);
  }

  /** Whether there is a message to read. What the writer's end tells before it is heard. */
  get hasMessage(): boolean {
    if (!this.passOver()) return false;
    return this.#seen !== undefined || this.#hasInLane() || this.#cell.full;
  }

  #hasInLane(): boolean {
    if (!this.passOver() || this.run() === 0) return false;
    return (this.arena.words[this.front + FLAGS] & CONTROL) === 0 || this.#hear();
  }

  /**
   * The parts of the next message, to be looked at; undefined if there is none. They are where they
   * lie; or, where a newer one may replace it, copies: it is taken, and still the next.
   */
  peek(): readonly Uint8Array[] | undefined {
    if (this.#seen !== undefined || this.#conflates || !this.#hasInLane()) {
      this.#seen = this.read();
      return this.#seen;
    }
    const parts: Uint8Array[] = [];
    const { arena } = this;
    for (let at = this.front, more = true; more; at += recordSize(arena.words, at)) {
      const length = arena.words[at + LENGTH];
      const flags = arena.words[at + FLAGS];
      more = (flags & MORE) !== 0;
      let from = at + RECORD_HEAD;
      if ((flags & REFERENCE) !== 0) {
        from = arena.words[from] + BODY_HEAD;
        arena.reach(from + ((length - 1) >> 2));
      }
      parts.push(arena.bytes.subarray(from * 4, from * 4 + length));
    }
    return parts;
  }

  /** The message that `peek` has shown is not to be handed out. It is to be released. */
  discard(): void {
    if (this.#seen === undefined) this.read();
    this.#seen = undefined;
  }

  /** The next messages, at most so many, if they can be passed on as they lie there. */
  stretch(most: number): Stretch | undefined {
    if (this.#seen !== undefined || this.#conflates || !this.#hasInLane()) return undefined;
    const { front } = this;
    const isPlain = this.#stretch.measure(this.arena.words, front, front + this.run(), most);
    return isPlain ? this.#stretch : undefined;
  }

  /** How many bytes the next message has, if it has large bodies and can be moved; else 0. */
  get largeBytes(): number {
    if (this.#seen !== undefined || this.#conflates || !this.#hasInLane()) return 0;
    return largeBytes(this.arena.words, this.front);
  }

  /**
   * These messages, the next ones, were taken as they lie.
   *
   * @returns whether they are the first since the last release.
   */
  skip({ size, messages }: Stretch): boolean {
    this.#run.forget();
    this.#handOut(this.front + size, false, messages);
    return this.#unreleased === messages;
  }

  /** Whether there is something to read. Looking does not put the pipe to sleep. */
  override get ready(): boolean {
    return super.ready || this.#cell.full;
  }

  /** Puts the pipe to sleep; false if there is something to read. */
  override sleep(): boolean {
    if (this.#seen !== undefined) return false;
    return super.sleep() && !this.#cell.full;
  }

  /** What is for binders of the pipe before this one is not read (addressee.ts). */
  restrict(pipe: Addr, binding: number): void {
    this.#pipe = pipe;
    this.#binding = binding;
  }

  /** Passes over what is for binders before us. False if nothing is there that is for us. */
  passOver(): boolean {
    return this.#pipe === 0 || this.#passOthers(); // In two, for this is asked for each message.
  }

  #passOthers(): boolean {
    this.#run.forget();
    let isOurs = this.#passLane();
    while (!isOurs && this.#cell.full && this.#cell.take() !== 0) {
      isOurs = this.#isForUs(this.#cell.number - ONE);
      this.#passLane(); // All there is older.
      // As if we had died with it in hand.
      if (isOurs) repairCellReader(this.arena, this.pool, this.lane, this.#read);
      else {
        this.#celled = true;
        this.#pass((this.#cell.number - this.#read) / ONE);
      }
    }
    if (isOurs) this.#pipe = 0;
    return isOurs;
  }

  /** How many messages have gone through the lane, up to the last release; it wraps. */
  get received(): number {
    return this.#read;
  }

  /**
   * The next message, or undefined. The writer learns of the room it leaves by `release`.
   *
   * @param lease Gets large bodies, if that can be. What it had is dropped, with the message that
   *   it was of. The message is then to be released before another is read.
   */
  read(lease?: Lease): Message | undefined {
    if (!this.passOver()) return undefined;
    lease?.drop();
    if (this.#conflates || this.#seen !== undefined) return this.#readNewest();
    return this.#readLane(lease) ?? this.#readCell();
  }

  /**
   * Appends up to `most` messages that lie in the lane one behind the other, before anything that
   * the writer's end tells ours.
   *
   * @returns how many; 0 if the next is to be `read`, if there is one.
   */
  readRun(messages: Message[], most: number): number {
    if (!this.passOver() || this.#conflates || !this.#fill()) return 0;
    const count = this.#run.readMany(messages, most);
    if (count > 0) this.#handOut(this.#run.position, false, count);
    return count;
  }

  /**
   * As `read`; the message's envelope, if it has one, is put there. Where that is still empty then,
   * the message is whole.
   */
  readBehind(envelope: Envelope): Message | undefined {
    if (!this.passOver()) return undefined;
    const message = this.#fill() ? this.#run.readBehind(envelope) : undefined;
    if (message === undefined) return this.read();
    this.#handOut(this.#run.position, false);
    return message;
  }

  /** The next message of the lane, or undefined. */
  #readLane(lease?: Lease): Message | undefined {
    if (this.#fill()) {
      const message = this.#run.read();
      if (message !== undefined) {
        this.#handOut(this.#run.position, false);
        return message;
      }
    }
    return this.#readInPlace(lease);
  }

  /**
   * Moves the next message to another lane, and shows it there (move.ts). False if there is no
   * memory for it. All messages before it have been moved or released.
   */
  moveTo(writer: PipeWriter): boolean {
    this.#run.forget();
    const size = this.nextSize;
    if (size === 0) return false;
    const from = this.front;
    this.#noteNext(from + size, ONE);
    if (!writer.moveIn(this.lane, from, size)) return false;
    disown(this.arena.words, from, from + size);
    this.advance(from + size);
    this.#unreleased++;
    this.#release();
    this.arena.words[this.lane + LANE_MOVED_TO] = 0;
    this.pool.tell(true);
    return true;
  }

  /** Gives back the room of all messages read, and wakes a writer that waits for it. */
  release(): void {
    const messages = this.#unreleased;
    if (messages === 0 && !this.#controlled) return;
    this.#release();
    if (messages === 0) return;
    this.#count(messages);
    if (!this.#celled) return;
    this.#celled = false;
    this.#cell.free();
  }

  /** How far it was read. */
  get mark(): Mark {
    return { front: this.front, read: (this.#read + this.#unreleased * ONE) | 0 };
  }

  /** Whether the room of all that was read by then was given back. */
  isReleased({ read }: Mark): boolean {
    return ((read - this.#read) | 0) <= 0;
  }

  /** Gives back the room of the messages read by then, if not of later ones. */
  releaseUpTo(mark: Mark): void {
    const messages = ((mark.read - this.#read) | 0) / ONE;
    if (messages === this.#unreleased) this.release();
    else if (messages > 0) {
      this.#release(mark.front, messages);
      this.#count(messages);
    }
  }

  /** Leaves a chunk that has nothing more in it, if the writer has gone on in another. */
  trim(): void {
    this.run();
    if (this.passed && this.#unreleased === 0) this.#release();
  }

  /** What was read, and not released, is left to the next reader. The role ends now. */
  forgo(): void {
    this.#unreleased = 0;
    this.#controlled = false;
  }

  /**
   * Ends the role. What was not acknowledged is left to the next reader, who will know; so is what
   * was only looked at, as if we had died with it.
   */
  leave(): void {
    if (this.acknowledges || this.#seen !== undefined) {
      repairCellReader(this.arena, this.pool, this.lane, this.#read);
      if (this.acknowledges) markRedelivered(this.arena.words, this.lane);
    } else this.release();
    this.highWaterMark = NO_READER;
  }

  /** Counts what was released: as received, or as dropped, which is older. */
  #count(messages: number): void {
    const note = this.lane + LANE_RECEIVED;
    if (this.#counter === 0) {
      this.arena.words[note] = this.#read;
      return;
    }
    const received = messages - this.#dropped;
    if (this.#dropped > 0) {
      const counter = slotAt(this.thread.slot) + SLOT_DROPPED;
      const noted = (this.#read - received * ONE) | 0;
      countAndNote(this.arena, counter, this.#dropped, note, noted);
      this.#dropped = 0;
    }
    countAndNote(this.arena, this.#counter, received, note, this.#read);
  }

  #isForUs(before: number): boolean {
    return isFor(this.arena.words, this.#pipe, this.#binding, before | 0);
  }

  /** Passes over what is not for us in the lane. False if nothing else is there. */
  #passLane(): boolean {
    let passed = 0;
    let isOurs = false;
    while (this.run() > 0) {
      isOurs = this.#isForUs(this.#read + passed * ONE);
      if (isOurs) break;
      this.advance(this.front + this.nextSize, true);
      passed++;
    }
    if (passed > 0) this.#pass(passed);
    return isOurs;
  }

  /** So many messages are for nobody. */
  #pass(messages: number): void {
    this.#unreleased += messages;
    this.#dropped += messages;
    const { words } = this.arena;
    const at = this.#pipe + PIPE_PASSED;
    store(words, at, (load(words, at) + messages) | 0); // A count, and only ours to change.
    this.release();
    this.thread.post(this.#writerBlock, PIPE_TERM); // Who has sent them counts them, too.
  }

  /** Everything before a record: so many messages. */
  #release(front: Addr = this.front, messages: number = this.#unreleased): void {
    const words = this.arena.words;
    const by = messages * ONE;
    this.#unreleased -= messages;
    if (front === this.front) this.#controlled = false;
    this.#noteNext(front, by);
    this.#read = (this.#read + by) | 0;
    const isLess = this.passed || this.#taking !== undefined;
    this.giveBack(front);
    this.#taking?.table.end(this.#taking);
    this.#taking = undefined;
    // Nothing is in the application's hands; and we may go on to where we would not meet `handed`.
    if (this.acknowledges) words[this.lane + LANE_HANDED] = 0;
    // SYNC(room) publish: these messages have been taken.
    // SYNC(waits) observe: wakeAt, if the bit is set.
    const before = add(words, this.lane + LANE_READ, by);
    if (isLess) this.pool.tell(true); // Now it is not the lane's.
    if ((before & WAITS) === 0) return;
    if (((this.#read - load(words, this.lane + LANE_WAKE_AT)) | 0) >= 0) this.#wakeWriter();
  }

  /** Notes where a release will lead, and how many messages will then have been read. */
  #noteNext(front: Addr, by: number): void {
    const words = this.arena.words;
    words[this.lane + LANE_NEXT_FRONT] = front; // First: from here on it is not `front`.
    words[this.lane + LANE_NEXT_READ] = (this.#read + by) | 0;
  }

  #wakeWriter(): void {
    // SYNC(waits) observe: exactly one of those who see the bit wakes the writer.
    if ((and(this.arena.words, this.lane + LANE_READ, ~WAITS) & WAITS) !== 0) {
      this.thread.post(this.#writerBlock, ACTIVATE_WRITE);
    }
  }

  /** Copies the next run, if it is due. False if there is none, or something else comes first. */
  #fill(): boolean {
    if (this.#seen !== undefined) return false;
    if (!this.#run.isOver) return true;
    const size = this.run();
    if (size === 0 || (this.arena.words[this.front + FLAGS] & REFERENCE) !== 0) return false;
    this.#run.copy(this.arena, this.front, size);
    return true;
  }

  #handOut(to: Addr, bodies: boolean, messages = 1): void {
    this.advance(to, bodies);
    this.#unreleased += messages;
    if (this.acknowledges) this.arena.words[this.lane + LANE_HANDED] = to;
  }

  /** The newest message there is; those before it are dropped. */
  #readNewest(): Message | undefined {
    const message = this.#readCell();
    if (message !== undefined) return message;
    let newest: Message | undefined;
    for (let next = this.#readLane(); next !== undefined; next = this.#readLane()) {
      if (newest !== undefined) this.#dropped++;
      newest = next;
    }
    return newest;
  }

  /** The message in the cell, if there is one, or that was there; what is older is dropped. */
  #readCell(): Message | undefined {
    const seen = this.#seen;
    this.#seen = undefined;
    if (!this.#cell.full) return seen;
    if (seen !== undefined) this.#dropped++;
    if (this.#celled) this.release();
    const at = this.#cell.take();
    if (at === 0) return undefined;
    const older = ((this.#cell.number - this.#read) | 0) / ONE - this.#unreleased - 1;
    let left = older;
    while (left > 0 && this.#readLane() !== undefined) left--;
    if (older > 0) this.#dropped += older;
    this.#celled = true;
    this.#unreleased += Math.max(left, 0) + 1;
    if (this.acknowledges) this.arena.words[this.lane + LANE_HANDED] = at;
    return this.copyParts(at);
  }

  /** Hands out the control records from `front` on. False if no message comes after them. */
  #hear(): boolean {
    this.#run.forget();
    while (this.run() > 0) {
      const at = this.front;
      const { words, bytes } = this.arena;
      if ((words[at + FLAGS] & CONTROL) === 0) return true;
      const length = words[at + LENGTH];
      const from = (at + RECORD_HEAD) * 4;
      this.advance(at + recordWords(length));
      this.#controlled = true;
      this.onControl(bytes.slice(from, from + length));
    }
    // Who finds no message releases none.
    if (this.#controlled && this.#unreleased === 0) this.#release();
    return false;
  }

  /** Reads a message from where it lies: it has large bodies, or the run has not all of it. */
  #readInPlace(lease: Lease | undefined): Message | undefined {
    this.#run.forget();
    if (this.run() === 0) {
      this.trim();
      return undefined;
    }
    const { words } = this.arena;
    if ((words[this.front + FLAGS] & CONTROL) !== 0) {
      return this.#hear() ? this.#readLane(lease) : undefined;
    }
    const lessee = lease !== undefined && this.#mayLease(lease) ? lease : undefined;
    const end = this.front + this.nextSize;
    const message = this.copyParts(this.front, lessee);
    // What is taken from the lane is not the lane's to free (leases.ts I3).
    const bodies = this.#taking === undefined && message.some(isLarge);
    this.#handOut(end, bodies);
    return message;
  }

  /** Whether there is something to lease in the next message, and it can be. */
  #mayLease(lease: Lease): boolean {
    if (!this.acknowledges && this.#unreleased > 0) return false;
    const { words } = this.arena;
    let bodies = 0;
    for (let at = this.front, more = true; more; at += recordSize(words, at)) {
      if ((words[at + FLAGS] & REFERENCE) !== 0) bodies++;
      more = (words[at + FLAGS] & MORE) !== 0;
    }
    if (bodies === 0 || !lease.table.reserve(bodies)) return false;
    if (this.acknowledges) return true;
    if (this.passed) this.#release();
    lease.table.begin(this.lane);
    this.#taking = lease;
    return true;
  }
}

function nobodyCares(): void {}

function isLarge({ length }: Uint8Array): boolean {
  return length > INLINE_BYTES;
}
