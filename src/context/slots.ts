// SPDX-License-Identifier: MIT

import { type Host, ZmqError } from "../base/index.ts";
import {
  type Arena,
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
 *      claim = 0, or the number by which the runtime knows the thread that has the slot
 *      state = incarnation, 24 bits | LIVE | ENDED
 *
 * A thread takes a slot by its claim, signs (birth, number, parent), and is LIVE from then on. The
 * incarnation grows with each thread that takes the slot, and once more when one of them has died:
 * so two threads that had the same slot one after the other can be told apart.
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
 */
const LIVE = 1;
const ENDED = 2;
const INCARNATION = 1 << 8;

/** Takes a free slot for this thread. */
export function joinSlot(arena: Arena, { thread }: Host): number {
  const { words } = arena;
  for (let slot = 1; slot < MAX_SLOTS; slot++) {
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
  throw new ZmqError("EMFILE", {
    hint:
      `A context has room for ${MAX_SLOTS - 1} threads at a time: ` +
      "let some end, or give the others a context of their own.",
  });
}

/** Gives a slot back: our own, or that of a thread that has died. */
export function leaveSlot(arena: Arena, slot: number, died = false): void {
  const at = slotAt(slot);
  const { words } = arena;
  words[at + SLOT_BIRTH] = 0;
  const state = load(words, at + SLOT_STATE) & -INCARNATION;
  store(words, at + SLOT_STATE, died ? nextIncarnation(arena, slot) : state);
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
  // SYNC(end) observe: it has ended, and all that it did is done.
  if ((load(words, at + SLOT_STATE) & ENDED) !== 0) return true;
  return host.hasEnded(claim, words[at + SLOT_BIRTH]) === true;
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
      if ((state & LIVE) === 0) continue;
      const thread = words[at + SLOT_THREAD];
      if (!ended.has(thread) && !ended.has(words[at + SLOT_PARENT])) continue;
      // SYNC(end) publish: all that it did is done. If the slot is another's by now, nothing.
      const found = swapIf(words, at + SLOT_STATE, state, state | ENDED);
      if (found === state) ended.add(thread);
    }
  }
}

function nextIncarnation(arena: Arena, slot: number): number {
  return (load(arena.words, slotAt(slot) + SLOT_STATE) & -INCARNATION) + INCARNATION;
}
