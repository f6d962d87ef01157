// SPDX-License-Identifier: MIT

import { type Addr, type Arena, countAndNote, peek, type Words } from "../memory/index.ts";
import { LANE_SWAPPED } from "../queue/index.ts";

/**
 * swapped — how many messages the writer of a lane keeps beside it: in a swap, or set aside.
 *
 * A message there has been counted as sent, and is counted as dropped if it does not come back.
 * Whoever mourns the writer counts all as dropped that the word says: so it changes with the count.
 */

/** How many messages are in the swap of a lane's writer, as any thread may ask. */
export function swappedIn(words: Words, lane: Addr): number {
  return peek(words, lane + LANE_SWAPPED) >>> 0;
}

/**
 * So many messages more are there, or less; and for that a slot counts so many.
 *
 * @param counter Which of the slot's counts; 0: none.
 */
export function countSwapped(
  arena: Arena,
  lane: Addr,
  more: number,
  counter: Addr,
  messages: number,
): void {
  const note = lane + LANE_SWAPPED;
  countAndNote(arena, counter, messages, note, arena.words[note] + more);
}
