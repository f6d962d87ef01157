// SPDX-License-Identifier: MIT

import { ZmqError } from "../base/index.ts";
import { type Arena, load, MAX_SLOTS, SLOT_STATE, slotAt, store, swapIf } from "../memory/index.ts";

/**
 * slots — which threads are in the context.
 *
 *      state = incarnation, 24 bits | LIVE or 0
 *
 * The incarnation grows with each thread that takes the slot, so that two threads that had the same
 * slot one after the other can be told apart.
 *
 * # Synchronisation
 *
 *   SYNC(slot)   a leaving thread's store ⇒ the next one's swap     the slot is as new
 *
 * # If a thread dies
 *
 * Its slot stays LIVE until someone does its leaving. Nobody does so yet.
 */
const LIVE = 1;
const INCARNATION = 1 << 8;

/** Takes a free slot for this thread. */
export function joinSlot(arena: Arena): number {
  const { words } = arena;
  for (let slot = 1; slot < MAX_SLOTS; slot++) {
    const at = slotAt(slot) + SLOT_STATE;
    const state = load(words, at);
    // SYNC(slot) observe: the last owner has put it back in order.
    if ((state & LIVE) === 0 && swapIf(words, at, state, (state + INCARNATION) | LIVE) === state) {
      return slot;
    }
  }
  throw new ZmqError("EMFILE", {
    hint:
      `A context has room for ${MAX_SLOTS - 1} threads at a time: ` +
      "let some end, or give the others a context of their own.",
  });
}

/** Gives the slot back. */
export function leaveSlot(arena: Arena, slot: number): void {
  const at = slotAt(slot) + SLOT_STATE;
  // SYNC(slot) publish: its mailbox is empty, its block closed, its pages given away.
  store(arena.words, at, load(arena.words, at) & ~LIVE);
}

/** Whether a thread has the slot. */
export function isLive(arena: Arena, slot: number): boolean {
  return (load(arena.words, slotAt(slot) + SLOT_STATE) & LIVE) !== 0; // Only a look.
}
