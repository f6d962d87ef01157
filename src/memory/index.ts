// SPDX-License-Identifier: MIT

/**
 * memory — shared memory, and nothing about what it is used for.
 *
 *   atomics   the seam: every access that two threads make at the same time
 *   layout    where everything is
 *   arena     the growable buffer and this thread's views of it
 *   lock      mutual exclusion on the cold path, with an owner
 *   pages     runs of pages, and whose they are
 *   owners    blocks that several own: who gives up the last ownership frees
 *   pool      blocks: allocated by their owner, freed by anybody
 */
export * from "./arena.ts";
export * from "./atomics.ts";
export * from "./layout.ts";
export { incarnationOf, type Keeper, Lock, NOBODY_DIES } from "./lock.ts";
export { LEAVE_A_LINK, LEAVE_A_MOVE, LEAVE_NONE, Pages } from "./pages.ts";
export { Pool } from "./pool.ts";
