// SPDX-License-Identifier: MIT

/**
 * deaths — how the threads of a program know that its mortal thread has died: they ask, as the
 * library asks the runtime (context/slots.ts). Who sleeps on a lock asks every few milliseconds.
 * And what who survives does then, and how little there is, so that programs are small.
 */
import type { Reaper } from "#src/context/reaper.ts";
import type { Keeper } from "#src/memory/index.ts";
import type { Change, Env } from "../support/explorer/explorer.ts";

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

/** Few slots, names and spans. */
export const FEW: readonly Change[] = [
  { file: "memory/layout.js", replace: "MAX_SLOTS = 8", by: "MAX_SLOTS = 4" },
  { file: "memory/layout.js", replace: "BUCKET_COUNT = 256", by: "BUCKET_COUNT = 1" },
  { file: "memory/pool.js", replace: "SPANS = [1, 2, 3, 4, 5, 6, 7, 8]", by: "SPANS = [1]" },
];

/** The names and pipes, as a thread that knows of deaths sees them. */
export function registryOf(env: Env): Reaper {
  return new env.code.reaper.Reaper(env.thread, env.keeper?.isGone);
}

/** Does the leaving of a dead thread, as its membership would. */
export function reap(env: Env, registry: Reaper, dead: number): void {
  registry.reap(dead, () => {
    env.thread.clearFor(dead);
    env.pool.adopt(dead, (block) => registry.isLinked(block));
    env.thread.mourn();
  });
}

/** Frees all that is left, in the names of these slots, and counts the pages. */
export function pagesLeft(env: Env, slots: readonly number[]): number {
  // Twice: what one gives back may be another's to free.
  for (const slot of [...slots, ...slots]) env.as(slot).pool.trim();
  return env.arena.words[env.code.memory.PAGES_USED];
}
