// SPDX-License-Identifier: MIT

import { claimOf, type Host } from "../base/index.ts";
import {
  type Arena,
  incarnationOf,
  load,
  MAX_SLOTS,
  SLOT_BIRTH,
  SLOT_CLAIM,
  SLOT_PARENT,
  SLOT_STATE,
  SLOT_THREAD,
  slotAt,
  store,
  swapIf,
} from "../memory/index.ts";

/**
 * slots — which threads are in the context, and which of them have died.
 *
 *      claim = 0, or the number by which the runtime knows the thread that has the slot, or MOURNED
 *      state = incarnation, 24 bits | LIVE | ENDED
 *
 * A thread takes a slot by its claim, signs (birth, number, parent), and is LIVE from then on. The
 * incarnation grows with each thread that takes the slot, and once more when one of them has died:
 * so two threads that had the same slot one after the other can be told apart.
 *
 * The last slots are for visitors: threads that have found no other slot, and come to do the
 * leaving of those that have died (membership.ts). There are two of them, so that a visitor who
 * dies is no hindrance to the next one.
 *
 * # Synchronisation
 *
 *   SYNC(slot)   a leaving thread's store of claim ⇒ the next one's swap     the slot is as new
 *   SYNC(end)    setting ENDED ⇒ a look at the state                         the thread has ended
 *
 * # If a thread dies
 *
 * Its slot keeps the claim. Whoever asks the runtime whether that thread exists, or has been told
 * that it ended and set ENDED, may do its leaving (membership.ts); then the slot is free.
 *
 *   broken off in           what is found              what is done
 *   ──────────────────────  ─────────────────────────  ────────────────────────────────────────────
 *   joining, own leaving    a claim, not LIVE          who is told of the end of that very thread
 *                                                      knows it by its claim
 *   leaving for a dead one  MOURNED                    the leaving is done again
 *
 * Where the runtime cannot be asked, and a thread that is not LIVE ends with the one that had
 * started it, nobody is told of it, and it has not signed whose it is: its slot stays taken.
 */
const LIVE = 1;
const ENDED = 2;
const INCARNATION = 1 << 8;
/** The claim of nobody: who had the slot is dead, and its leaving is nearly done. */
const MOURNED: number = -(2 ** 31);

/** The slots from this one on are for visitors. */
export const VISITORS: number = MAX_SLOTS - 2;

/** Takes a free slot for this thread, from `first` up to `end`. 0 if there is none. */
export function joinSlot(
  arena: Arena,
  { thread }: Host,
  first = 1,
  end: number = VISITORS,
): number {
  const { words } = arena;
  for (let slot = first; slot < end; slot++) {
    const at = slotAt(slot);
    // SYNC(slot) observe: the last owner has put it back in order.
    if (swapIf(words, at + SLOT_CLAIM, 0, thread.claim) !== 0) continue;
    words[at + SLOT_BIRTH] = thread.birth;
    words[at + SLOT_THREAD] = thread.number;
    words[at + SLOT_PARENT] = thread.parent;
    // SYNC(slot) publish: who we are.
    store(words, at + SLOT_STATE, nextIncarnation(arena, slot) | LIVE);
    return slot;
  }
  return 0;
}

/** Gives our own slot back. */
export function leaveSlot(arena: Arena, slot: number): void {
  free(arena, slot, load(arena.words, slotAt(slot) + SLOT_STATE) & -INCARNATION);
}

/** The same for a thread that has died. It may be done again, should we die in the middle. */
export function leaveSlotOf(arena: Arena, dead: number): void {
  // SYNC(end) publish: it is as dead as before, whatever becomes of its state.
  store(arena.words, slotAt(dead) + SLOT_CLAIM, MOURNED);
  free(arena, dead, nextIncarnation(arena, dead));
}

function free({ words }: Arena, slot: number, state: number): void {
  const at = slotAt(slot);
  words[at + SLOT_BIRTH] = 0;
  store(words, at + SLOT_STATE, state);
  // SYNC(slot) publish: its mailbox is empty, its block closed, its pages given away.
  store(words, at + SLOT_CLAIM, 0);
}

/** Whether a thread has the slot, alive or dead. */
export function isTaken(arena: Arena, slot: number): boolean {
  return load(arena.words, slotAt(slot) + SLOT_CLAIM) !== 0; // Only a look.
}

/** Whether a thread has the slot that has died. */
export function isGone(arena: Arena, slot: number, host: Host): boolean {
  const { words } = arena;
  const at = slotAt(slot);
  const claim = load(words, at + SLOT_CLAIM); // Only a look.
  if (claim === 0) return false;
  if (claim === MOURNED) return true;
  const incarnation = incarnationOf(arena, slot);
  // SYNC(end) observe: it has ended, and all that it did is done.
  const isMarked = (load(words, at + SLOT_STATE) & ENDED) !== 0;
  if (!isMarked && host.hasEnded(claim, words[at + SLOT_BIRTH]) !== true) return false;
  // What we have looked at is to be one thread's, and not partly the next one's.
  return incarnationOf(arena, slot) === incarnation && load(words, at + SLOT_CLAIM) === claim;
}

/** A thread of the process has ended, and with it all that it had started. */
export function markEnded(arena: Arena, number: number): void {
  const { words } = arena;
  const ended = new Set([number]);
  for (let size = 0; size < ended.size; ) {
    size = ended.size;
    for (let slot = 1; slot < MAX_SLOTS; slot++) {
      const at = slotAt(slot);
      const state = load(words, at + SLOT_STATE); // Only a look.
      let thread = number;
      if ((state & LIVE) !== 0) {
        thread = words[at + SLOT_THREAD];
        if (!ended.has(thread) && !ended.has(words[at + SLOT_PARENT])) continue;
      } else if (load(words, at + SLOT_CLAIM) !== claimOf(number)) continue; // It has not signed.
      // SYNC(end) publish: all that it did is done. If the slot is another's by now, nothing.
      const found = swapIf(words, at + SLOT_STATE, state, state | ENDED);
      if (found === state) ended.add(thread);
    }
  }
}

function nextIncarnation(arena: Arena, slot: number): number {
  return (incarnationOf(arena, slot) + 1) * INCARNATION;
}
