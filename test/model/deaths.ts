// SPDX-License-Identifier: MIT

/**
 * deaths — how the threads of a program know that its mortal thread has died: they ask, as the
 * library asks the runtime (context/slots.ts). Who sleeps on a lock asks every few milliseconds.
 */
import type { Keeper } from "#src/memory/index.ts";
import type { Env } from "../support/explorer/explorer.ts";

/** In most mortal programs it is the thread in this slot that may die. */
export const MORTAL = 1;
/** The thread of this slot had died before the program began, where there was one. */
export const EARLIER = 5;
/** Who waits for a lock looks for the dead so often, in milliseconds (memory/lock.ts). */
export const LOOK_MS = 5;

/** Lets the roles that a thread makes from now on know of deaths. */
export function watch(env: Env, repair: () => void = () => {}, mortal: number = MORTAL): Keeper {
  const isGone = (slot: number): boolean => slot === EARLIER || (slot === mortal && env.hasDied());
  env.keeper = { isGone, repair };
  return env.keeper;
}
