// SPDX-License-Identifier: MIT

/**
 * deaths — how the threads of a program learn that its mortal thread has died.
 *
 * One of them waits for it, as the parent of a worker does, and says so where all can look: in the
 * state of the dead thread's slot (context/slots.ts). Who sleeps on a lock would look there every
 * few milliseconds; no time passes in an explored program, so who says it wakes them once.
 */
import type { Keeper } from "#src/memory/index.ts";
import type { Env } from "../support/explorer/explorer.ts";

/** In all mortal programs it is the thread in this slot that may die. */
export const MORTAL = 1;
/** This one had died before the program began, where there is such a thread. */
export const EARLIER = 5;
const ENDED = 2;

/** Lets the roles that a thread makes from now on ask for the mortal thread. */
export function watch(env: Env, repair: () => void = () => {}): Keeper {
  const { load, SLOT_STATE, slotAt } = env.code.memory;
  env.keeper = {
    isGone: (slot) =>
      (slot === MORTAL || slot === EARLIER) &&
      (load(env.arena.words, slotAt(slot) + SLOT_STATE) & ENDED) !== 0,
    repair,
  };
  return env.keeper;
}

/** In `setup`: the thread of a slot has died. */
export function died(env: Env, slot: number): void {
  const { SLOT_STATE, slotAt } = env.code.memory;
  env.arena.words[slotAt(slot) + SLOT_STATE] |= ENDED;
}

/** Waits for the end of the mortal thread, and says so if it has died. */
export function hearOfDeath(env: Env): boolean {
  if (!env.untilDead()) return false;
  const { or, notify, SLOT_STATE, slotAt, NAMES_LOCK, PAGES_LOCK } = env.code.memory;
  or(env.arena.words, slotAt(MORTAL) + SLOT_STATE, ENDED);
  notify(env.arena.words, NAMES_LOCK);
  notify(env.arena.words, PAGES_LOCK);
  return true;
}
