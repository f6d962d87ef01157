// SPDX-License-Identifier: MIT

import type { Thread } from "../command/index.ts";
import {
  type Addr,
  type Arena,
  type Pool,
  SLOT_BODIES,
  SLOT_LEFT,
  SLOT_NEXT_LEFT,
  SLOT_SHOWING,
  SLOT_SHOWING_W,
  slotAt,
  WORD_BYTES,
  type Words,
} from "../memory/index.ts";
import { BODY_HEAD, HELD_NEXT, INLINE_BYTES, LANE_W, shownUpTo } from "../queue/index.ts";
import { bodyWords, costOf, Prepared } from "./message.ts";
import { type Kept, keep, Records } from "./records.ts";
import type { PipeWriter } from "./writer.ts";

/**
 * publication — one message on its way into many lanes. Its large bodies are in the arena once.
 *
 *      begin      the message becomes records; a block for each large body, owned by all lanes
 *      writeTo    a lane gets the records, which refer to the bodies, and shows them
 *      end        the part of the lanes that did not get it is given up (memory/owners.ts)
 *
 * A message without large bodies is copied into each lane, and shown when its writer is flushed;
 * that takes no note and no lock. One for a single lane goes there as any other; so does one for a
 * lane of which only the newest message counts, which has all bodies inside (queue/cell.ts).
 *
 * Bodies are shared from where they have blocks of their own in any case. To share smaller ones
 * spares the publisher a copy for each lane (with 64 lanes a copy of 2 KiB takes 200 ns, a
 * reference 70), but costs each reader 500 ns more, for a buffer and the count; and they count
 * one after the other.
 *
 * # Memory
 *
 * The slot of the publishing thread says what is under way: one message at a time.
 *
 *         +--------+--------+--------+--------+--------+
 *         | bodies | left   | next l.| showing| w      |
 *         +--------+--------+--------+--------+--------+
 *          list of  lanes    what it  the lane where its writer
 *          blocks,  that may will be  that is  had come to
 *          by their still    when it  about to before
 *          second   get it   is shown show it
 *          word
 *
 * # Invariants
 *
 *   I1  Each body in `bodies` counts an owner for each lane that has shown it and not freed it, and
 *       `left` more, which are the publisher's.
 *   I2  If `showing` is a lane, then that lane has shown the message if and only if it has shown
 *       anything since `w`.
 *   I3  If nothing is left, the bodies are the lanes' alone: they are not looked at any more.
 *
 * # If a thread dies
 *
 * By `showing`, `w` and the lane itself it is known whether the last lane has got the message; so
 * how many have not is known exactly, and these ownerships are given up one body after the other
 * (`settlePublication`), as `end` does it. The records that a lane has not shown are taken back
 * with all that its writer had not shown; they own nothing. All this comes before the lanes are
 * left, because another may then write into them (I2).
 */
export class Publication {
  readonly #arena: Arena;
  readonly #pool: Pool;
  readonly #slot: number;
  readonly #at: Addr;
  readonly #records = new Records();
  readonly #bodies: Addr[] = [];
  /** How many words of pages they take. */
  #cost = 0;
  #message: Uint8Array | Prepared = new Uint8Array(0);
  #isSingle = false;
  /** There is no memory for it: no lane gets it. */
  #failed = false;
  #kept: Kept | undefined;

  constructor(thread: Thread) {
    this.#arena = thread.arena;
    this.#pool = thread.pool;
    this.#slot = thread.slot;
    this.#at = slotAt(thread.slot);
  }

  /** Begins to publish a message for at most so many lanes. @throws ZmqError as Prepared.check. */
  begin(message: Uint8Array | Prepared, lanes: number): void {
    this.#message = message;
    this.#kept = undefined;
    this.#failed = false;
    this.#isSingle = lanes === 1;
    const isPrepared = message instanceof Prepared;
    if (isPrepared) message.check();
    if (this.#isSingle) return;
    if (!isPrepared) {
      this.#records.setOne(message);
      return;
    }
    this.#cost = costOf(message.lengths);
    this.#failed = !this.#allocate(message, lanes);
    if (this.#failed) this.end();
    else this.#records.set(message, this.#bodies, INLINE_BYTES);
  }

  /**
   * Writes the message into a lane; the writer's next flush shows it, if it was not shown at once.
   * False if there is no memory for it, at all or there.
   */
  writeTo(writer: PipeWriter): boolean {
    if (this.#isSingle || writer.conflates) return writer.write(this.#message);
    const hasBodies = this.#bodies.length > 0;
    if (this.#failed || (hasBodies && writer.mustLeave === undefined)) return false;
    const { words, size } = this.#records;
    if (!writer.writeCopy(words, 0, size, false)) return false;
    if (hasBodies) {
      writer.refersTo(this.#cost);
      this.#show(writer);
    }
    return true;
  }

  /** Writes the message into the swap of a lane. @returns and @throws as `store` there. */
  storeIn(writer: PipeWriter): boolean {
    return writer.store(this.#message);
  }

  /** The first part, a byte a character. */
  get topic(): string {
    const message = this.#message;
    const first = message instanceof Uint8Array ? message : message.parts[0];
    if (typeof first === "string") return first;
    let topic = "";
    for (const byte of first ?? []) topic += String.fromCharCode(byte);
    return topic;
  }

  /** The message, to be written later. Whoever keeps it may share it. */
  keep(): Kept {
    this.#kept ??= keep(this.#message);
    return this.#kept;
  }

  /** No other lane gets the message. */
  end(): void {
    if (this.#bodies.length === 0) return; // To shorten an array costs as much as the rest.
    settlePublication(this.#arena, this.#pool, this.#slot);
    this.#bodies.length = 0;
  }

  /** Blocks for all large parts, owned by all lanes. False if there is no memory for one. */
  #allocate({ parts, lengths }: Prepared, lanes: number): boolean {
    const at = this.#at;
    for (let index = 0; index < parts.length; index++) {
      const length = lengths[index] as number;
      if (length <= INLINE_BYTES) continue;
      const body = this.#pool.allocate(bodyWords(length));
      if (body === 0) return false;
      const { words, bytes } = this.#arena;
      bytes.set(parts[index] as Uint8Array, (body + BODY_HEAD) * WORD_BYTES);
      words[body] = lanes;
      words[body + HELD_NEXT] = words[at + SLOT_BODIES];
      words[at + SLOT_LEFT] = lanes; // I1
      words[at + SLOT_BODIES] = body;
      this.#pool.keep();
      this.#bodies.push(body);
    }
    return true;
  }

  #show(writer: PipeWriter): void {
    const { words } = this.#arena;
    const at = this.#at;
    const left = words[at + SLOT_LEFT] - 1;
    words[at + SLOT_SHOWING_W] = words[writer.lane + LANE_W];
    words[at + SLOT_NEXT_LEFT] = left;
    words[at + SLOT_SHOWING] = writer.lane; // Last: with it the note holds (I2).
    writer.flush();
    words[at + SLOT_LEFT] = left;
    words[at + SLOT_SHOWING] = 0;
  }
}

/** How many lanes have not got what the thread of a slot was publishing. */
function lanesLeft(words: Words, at: Addr): number {
  const lane = words[at + SLOT_SHOWING];
  const shown = lane !== 0 && shownUpTo(words, lane) !== words[at + SLOT_SHOWING_W];
  return words[at + (shown ? SLOT_NEXT_LEFT : SLOT_LEFT)];
}

/**
 * Gives up what is left of a publication: the thread's own, or a dead one's, before its lanes are
 * left. It may be done again.
 */
export function settlePublication(arena: Arena, pool: Pool, slot: number): void {
  arena.refresh();
  const words = arena.words;
  const at = slotAt(slot);
  words[at + SLOT_LEFT] = lanesLeft(words, at);
  words[at + SLOT_SHOWING] = 0;
  const left = words[at + SLOT_LEFT];
  if (left === 0) words[at + SLOT_BODIES] = 0; // I3
  for (let body = words[at + SLOT_BODIES]; body !== 0; body = words[at + SLOT_BODIES]) {
    pool.release(body, left, at + SLOT_BODIES, words[body + HELD_NEXT]);
  }
}

/** Whether a block is a body that a dead thread was publishing, and still owns. */
export function isPublished(words: Words, slot: number, block: Addr): boolean {
  const at = slotAt(slot);
  if (lanesLeft(words, at) === 0) return false; // I3
  let body = words[at + SLOT_BODIES];
  while (body !== 0 && body !== block) body = words[body + HELD_NEXT];
  return body === block;
}
