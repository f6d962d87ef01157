// SPDX-License-Identifier: MIT

import { type Addr, type Arena, WORD_BYTES, type Words } from "../memory/index.ts";
import {
  FLAGS,
  LANE_FRONT,
  LANE_MOVED_AT,
  LANE_MOVED_FROM,
  LANE_MOVED_TO,
  LANE_NEXT_FRONT,
  LANE_NEXT_READ,
  LANE_RECEIVED,
  LANE_SENT,
  LENGTH,
  MORE,
  passTo,
  RECORD_HEAD,
  REFERENCE,
  REFERENCE_WORDS,
  recordSize,
  SHARED,
  shownBy,
} from "../queue/index.ts";
import { costOf } from "./message.ts";

/**
 * move — a message that goes from one lane to another, and is in one of them at any time.
 *
 * What a PULL has left unread goes to other PULLs, and what has large bodies goes through a proxy.
 * One thread, the mover, reads it from the one lane, or reads back what it has written there, and
 * writes it to the other; a large body is not copied, but referred to from there.
 *
 *      the lane it leaves                        the lane it comes to
 *
 *   1                                            its records are written, and not shown
 *   2  noted: from where, to which lane, and
 *      how many messages that will have shown
 *   3                                            shown, by the swap of c; counted
 *   4  refers to no bodies any more
 *   5  front moves past it, and it counts as
 *      read, as with any release
 *   6  the note is taken back
 *
 * Step 3 decides. Before it the message, bodies and all, belongs to the lane that it leaves; after
 * it, to the other, whose reader may have freed the bodies already. So until step 4 is done nobody
 * may follow the references that are left behind. Nobody does: only the mover reads there.
 *
 * # If a thread dies
 *
 * Who mourns the mover asks the other lane, before anything else is done for the dead: has it shown
 * as many messages as are noted? If so, it does steps 4 and 5; if not, there is nothing to do, for
 * the records that were not shown are taken back with all that a dead writer has not shown. Nothing
 * is lost, or there twice, whatever the step; and the counts are exact, because what was written
 * before is shown and counted before the note is made: the note speaks of one message alone.
 *
 * The other lane is there as long as the note: its writer, who is dead, has not left it.
 */
const EIGHT_BYTES = WORD_BYTES * (REFERENCE_WORDS - RECORD_HEAD);

/** How many bytes a message has if some are in bodies of their own, and nobody looks; else 0. */
export function largeBytes(words: Words, from: Addr): number {
  let bytes = 0;
  let all = 0;
  for (let at = from, more = true; more; at += recordSize(words, at)) {
    const flags = words[at + FLAGS];
    all |= flags;
    more = (flags & MORE) !== 0;
    bytes += words[at + LENGTH];
  }
  return (all & ~(MORE | SHARED)) === REFERENCE ? bytes : 0;
}

/** How many words of pages the large bodies take that these records refer to. */
export function bodiesCost(words: Words, from: Addr, to: Addr): number {
  const lengths: number[] = [];
  for (let at = from; at !== to; at += recordSize(words, at)) {
    if ((words[at + FLAGS] & REFERENCE) !== 0) lengths.push(words[at + LENGTH]);
  }
  return costOf(lengths);
}

/** Notes that a message is about to be shown in another lane, which has then shown `count`. */
export function noteMove(words: Words, lane: Addr, from: Addr, to: Addr, count: number): void {
  words[lane + LANE_MOVED_FROM] = from;
  words[lane + LANE_MOVED_AT] = count;
  words[lane + LANE_MOVED_TO] = to; // Last: with it the note holds.
}

/** The bodies of these records are another's: here are only eight bytes. */
export function disown(words: Words, from: Addr, to: Addr): void {
  for (let at = from; at !== to; at += recordSize(words, at)) {
    if ((words[at + FLAGS] & REFERENCE) === 0) continue;
    words[at + LENGTH] = EIGHT_BYTES;
    words[at + FLAGS] &= ~REFERENCE;
  }
}

/**
 * Brings a lane to before or after a move that a dead thread was about. Others do not follow what
 * it refers to before that. It may be done again.
 */
export function settleMove(arena: Arena, lane: Addr): void {
  arena.refresh();
  const words = arena.words;
  const to = words[lane + LANE_MOVED_TO];
  if (to === 0) return;
  if (shownBy(words, to) === words[lane + LANE_MOVED_AT]) {
    // It is neither sent once more nor received.
    words[to + LANE_SENT] = words[lane + LANE_MOVED_AT];
    words[lane + LANE_RECEIVED] = words[lane + LANE_NEXT_READ];
    const next = words[lane + LANE_NEXT_FRONT];
    if (words[lane + LANE_FRONT] !== next) {
      disown(words, words[lane + LANE_MOVED_FROM], next);
      passTo(words, lane, next);
    }
  }
  words[lane + LANE_MOVED_TO] = 0;
}
