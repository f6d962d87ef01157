// SPDX-License-Identifier: MIT

import { FLUSH_EVERY, ZmqError } from "../base/index.ts";
import { countBoth, SLOT_DROPPED, SLOT_SENT, slotAt } from "../memory/index.ts";
import {
  countSwapped,
  type Kept,
  type MessageLike,
  type Pipe,
  type PipeWriter,
  type Prepared,
  type Publication,
} from "../pipe/index.ts";
import { LANE_SWAPPED } from "../queue/index.ts";
import { aboutGap, type WhenFull } from "./announcing.ts";

/** Why messages are dropped: there was no room, or no memory, or the pipe was left. */
export type DropCause = "full" | "memory" | "closed";

/** What an outlet tells, and asks. */
export interface OutletOwner {
  /** How many messages may be set aside for a pipe. */
  readonly asideLimit: number;
  dropped(outlet: Outlet, count: number, why: DropCause): void;
  /** So many were dropped since this was last said; the pipe has room again, or is left. */
  lost(outlet: Outlet, count: number, why: DropCause): void;
  /** It has begun, or ended, to wait for memory. */
  starves(starved: boolean): void;
  /** It is to be left. */
  tooSlow(outlet: Outlet): void;
}

/** A control record, and the number of the message that it goes behind. */
interface Told {
  readonly record: Uint8Array;
  readonly behind: number;
}

/** A message that is set aside, and its number. */
interface Aside {
  readonly kept: Kept;
  readonly number: number;
}

/**
 * outlet — a pipe that messages for many go to, and what becomes of those it has no room for.
 *
 *   drop-newest        the message is dropped
 *   drop-oldest        it is set aside; if too much is, the oldest there is dropped
 *   latest-per-topic   it is set aside, in the place of an older one with the same first part
 *   block              the message goes to nobody, and its sender waits (dist.ts)
 *   disconnect         the message is dropped, and the pipe is to be left
 *
 * Before any of that, if the socket has a swap, messages go there (pipe/swap.ts). Once it has no
 * room, or cannot be written, it is as if there were none, until all that is in it has come back.
 *
 * What is set aside is ordinary memory of this thread, at most as many messages as the send high
 * watermark says. It goes into the lane, in order, as the reader makes room: at each look for room,
 * and when we are woken for it, which we ask for. As long as anything is there, new messages go
 * there too.
 *
 * Where memory is what is missing, a message is dropped or set aside likewise; also by those that
 * block, for then others may have it already: nobody waits in vain, and it is one message.
 *
 * # What the reader is told
 *
 * Control records (announcing.ts) go into the lane, and never into a swap, which has messages only.
 * One that is told while messages wait, in the swap or aside, waits for those: each message that
 * goes there has a number, and a record goes before the first with a higher one than was the last
 * then.
 *
 *      lane ◀── swap: [ 1  2  3 ] ◀── aside: [ 5  7 ]
 *                         ▲                      ▲
 *              told when 2 was the last       told when 6 was
 *
 * In the swap the numbers follow each other: it takes a message only if nothing is aside, and what
 * was aside comes back when the swap is empty.
 *
 * # What is promised, and what is not
 *
 * What goes into the lane is whole, and in the order in which it was sent. Everything dropped is
 * counted: here, in the slot, and to the reader, by a control record when it has made room: before
 * the next message that it gets, if there is one. What is set aside counts as sent and queued, as
 * what is in a swap (`LANE_SWAPPED`). It is not delivered if the pipe is left or this thread dies:
 * then it counts as dropped.
 */
export class Outlet {
  readonly pipe: Pipe;
  readonly writer: PipeWriter;
  whenFull: WhenFull = "drop-newest";
  /** Where it is in the list of its owner; -1 if it was removed. */
  index = 0;
  /** How many messages it has lost. */
  dropped = 0;
  /** Those of which the reader was not told. */
  #untold = 0;
  /** Those of which the owner was not told, by what they were lacking. */
  readonly #lost = new Map<DropCause, number>();
  /** What the reader is to be told, behind which message. */
  readonly #records: Told[] = [];
  /** In order; by topic, or by number. */
  readonly #aside = new Map<string | number, Aside>();
  /** The number of the last message that was swapped, or set aside; and of the last swapped. */
  #last = 0;
  #lastSwapped = 0;
  /** Whether we have asked to be woken when there is room. */
  #asked = false;
  #starved = false;
  readonly #owner: OutletOwner;

  constructor(pipe: Pipe, owner: OutletOwner) {
    this.pipe = pipe;
    this.writer = pipe.writer as PipeWriter;
    this.#owner = owner;
    this.writer.onRefill = (left) => this.#tellRecords(this.#lastSwapped - left + 1);
  }

  /** How many messages are set aside. */
  get aside(): number {
    return this.#aside.size;
  }

  /** Whether the next message would go into the lane. */
  get hasRoom(): boolean {
    if (this.#aside.size === 0) return this.writer.hasRoom;
    if (!this.#starved) this.drain(); // Else we hear of memory.
    return this.#aside.size === 0 && this.writer.hasRoom;
  }

  /**
   * Takes a message: into the lane, or else as it is to be when that is full.
   *
   * @param keeps Whether it must not be dropped.
   * @returns whether the writer is to be flushed.
   */
  put(publication: Publication, keeps: boolean): boolean {
    let why: DropCause = "full";
    if (this.hasRoom) {
      if (this.#tell() && publication.writeTo(this.writer)) return true;
      why = "memory";
    }
    if (this.#isInOrder() && this.#store(publication)) return true;
    const { whenFull } = this;
    if (keeps || whenFull === "block" || whenFull === "drop-oldest") {
      this.#setAside(this.#last + 1, publication, why);
    } else if (whenFull === "latest-per-topic") {
      this.#setAside(publication.topic, publication, why);
    } else {
      const { arena, slot } = this.pipe.thread;
      countBoth(arena, slotAt(slot) + SLOT_SENT, slotAt(slot) + SLOT_DROPPED);
      this.#lose(1, why);
      if (whenFull === "disconnect" && why === "full") this.#owner.tooSlow(this);
      if (why === "full") this.#ask();
    }
    return false;
  }

  /** Whether the next message would be taken: into the lane, or into the swap. */
  takes(message: MessageLike | Prepared): boolean {
    return this.hasRoom || (this.#isInOrder() && this.writer.hasSwapFor(message));
  }

  /** Tells the reader something, by a control record, between the last message and the next. */
  tell(record: Uint8Array): void {
    this.#records.push({ record, behind: this.#last });
    if (this.#aside.size === 0 && this.writer.swapped === 0 && this.#tell()) this.writer.flush();
  }

  /** The reader has made room. */
  activated(): void {
    this.#asked = false;
    this.drain();
  }

  /**
   * Moves what is set aside, or swapped, into the lane, tells the reader what it has lost, and asks
   * to be woken for the rest.
   */
  drain(): void {
    const { writer } = this;
    const aside = this.#aside;
    writer.drainSwap();
    do {
      let moved = 0;
      let isShort = false;
      for (const [key, { kept, number }] of aside) {
        if (!writer.hasRoom) break;
        isShort = !this.#tell(number) || !writer.writeCopy(kept.words, 0, kept.size, kept.large);
        if (isShort) break;
        writer.rebook(writer.lane + LANE_SWAPPED, -1); // It was sent when it was set aside.
        aside.delete(key);
        if (++moved % FLUSH_EVERY === 0) writer.flush();
      }
      if (aside.size === 0 && writer.hasRoom && !this.#tell()) isShort = true;
      writer.flush();
      this.#starve(isShort);
      if (isShort || this.#asked || this.#isSettled()) return;
      this.#asked = writer.wait();
    } while (!this.#asked);
  }

  /** Asks to be woken when there is room; false if there is some now. */
  park(): boolean {
    if (this.#isSettled()) return this.writer.wait();
    this.drain();
    return !this.#isSettled() || this.writer.wait();
  }

  /** The pipe is left: what is set aside is lost. */
  leave(): void {
    this.#starve(false);
    const left = this.#aside.size;
    this.#aside.clear();
    this.#loseAside(left, "closed");
    this.#tellOwner();
  }

  /** Whether the next message has nothing before it but what is in the lane, or in the swap. */
  #isInOrder(): boolean {
    if (!this.#isSettled()) return false;
    return this.writer.swapped > 0 || this.#tellRecords();
  }

  /** Whether nothing waits for room, but what is in the swap. */
  #isSettled(): boolean {
    return this.#aside.size === 0 && this.#untold === 0;
  }

  /** Puts a message into the swap. False if there is none, or no room in it. */
  #store(publication: Publication): boolean {
    try {
      if (!publication.storeIn(this.writer)) return false;
      this.#lastSwapped = ++this.#last;
      return true;
    } catch (error) {
      if (!(error instanceof ZmqError)) throw error;
      return false; // It cannot be written. Other pipes may have the message already.
    }
  }

  /** Makes sure that we hear of room. */
  #ask(): void {
    if (!this.#asked && !this.#starved) this.drain();
  }

  #setAside(key: string | number, publication: Publication, why: DropCause): void {
    const aside = this.#aside;
    if (aside.delete(key)) this.#loseAside(1, why);
    else if (aside.size >= this.#owner.asideLimit) {
      for (const oldest of aside.keys()) {
        aside.delete(oldest);
        break;
      }
      this.#loseAside(1, why);
    }
    aside.set(key, { kept: publication.keep(), number: ++this.#last });
    const { arena, slot } = this.pipe.thread;
    countSwapped(arena, this.writer.lane, 1, slotAt(slot) + SLOT_SENT, 1);
    this.#ask();
  }

  #loseAside(messages: number, why: DropCause): void {
    if (messages === 0) return;
    const { arena, slot } = this.pipe.thread;
    countSwapped(arena, this.writer.lane, -messages, slotAt(slot) + SLOT_DROPPED, messages);
    this.#lose(messages, why);
  }

  /** So many messages are lost, and counted as dropped. */
  #lose(messages: number, why: DropCause): void {
    this.dropped += messages;
    this.#untold += messages;
    this.#lost.set(why, (this.#lost.get(why) ?? 0) + messages);
    this.#owner.dropped(this, messages, why);
  }

  /**
   * Tells the reader what it is to be told before a message, that of a number or the next, and what
   * it has lost. False if there is no memory.
   */
  #tell(number?: number): boolean {
    if (!this.#tellRecords(number)) return false;
    if (this.#untold === 0) return true;
    if (!this.writer.writeControl(aboutGap(this.#untold))) return false;
    this.#untold = 0;
    this.#tellOwner();
    return true;
  }

  #tellRecords(number = Number.POSITIVE_INFINITY): boolean {
    const records = this.#records;
    for (let told = records[0]; told !== undefined && told.behind < number; told = records[0]) {
      if (!this.writer.writeControl(told.record)) return false;
      records.shift();
    }
    return true;
  }

  #tellOwner(): void {
    for (const [why, messages] of this.#lost) this.#owner.lost(this, messages, why);
    this.#lost.clear();
  }

  #starve(starved: boolean): void {
    if (starved === this.#starved) return;
    this.#starved = starved;
    this.#owner.starves(starved);
  }
}
