// SPDX-License-Identifier: MIT

import { assert } from "../base/index.ts";
import type { Arena } from "./arena.ts";
import { type Addr, exchange, load, notify, pause, swapIf, wait } from "./atomics.ts";
import { SLOT_STATE, slotAt } from "./layout.ts";

/**
 * lock — mutual exclusion on the cold path, with a name on it.
 *
 * Names and pages change seldom, and in several steps; there a lock is right. No message passes
 * one.
 *
 *      word = 0             free
 *      word = name          held by that thread
 *      word = name | QUEUE  ditto, and somebody may be waiting on this very word
 *
 *           30      29 … 9         8 … 0
 *         +-------+-------------+----------+
 *         | QUEUE | incarnation | slot + 1 |    name: the slot, and which thread of that slot
 *         +-------+-------------+----------+
 *
 * # Roles
 *
 * Any thread. A thread that may not block (a page's main thread) spins: sections are a few
 * microseconds long.
 *
 * # Invariants
 *
 *   I1  The word names a thread if and only if that thread is in the section.
 *   I2  Who waits has seen QUEUE in the word; who lets go with QUEUE set wakes them.
 *   I3  A section begins on data that are in order: who takes the lock from a dead thread repairs
 *       what that one may have left half done, before anything else.
 *
 * # Synchronisation
 *
 *   SYNC(section)   release's exchange ⇒ acquire's swap    all that was written under the lock
 *
 * # If a thread dies
 *
 * The word keeps its name (I1). Whoever waits asks now and then whether that thread is gone; if so
 * it swaps its own name in, and repairs (I3). Exactly one of those who wait succeeds in the swap.
 * Before it swaps, the dead thread may have been mourned, and its slot be another's, who holds the
 * lock: that one's name is another, so the swap fails. A slot is another's only after every lock
 * was taken from the dead thread, so no word has a name that its slot no longer has.
 * Should the repairer die, its own name is in the word, and the next repairs: so a repair must be
 * good at any step of an earlier one.
 */
const QUEUE = 1 << 30;
const SLOT_BITS = 9;
const SLOT = (1 << SLOT_BITS) - 1;
/** What fits between the slot and QUEUE: the incarnation's lowest bits. */
const INCARNATION = 0x1f_ffff;
const SPINS = 200;
const LOOK_MS = 5;

/** What a lock asks about the threads that hold it, and whom it tells that one has died in it. */
export interface Keeper {
  /** Whether the thread that has a slot is known to have died. It may be asked often. */
  isGone(slot: number): boolean;
  /** Puts in order what a dead holder has left half done. The caller has the lock. */
  repair(): void;
}

/** Where all threads live on. */
export const NOBODY_DIES: Keeper = { isGone: () => false, repair: () => {} };

export class Lock {
  readonly #arena: Arena;
  readonly #at: Addr;
  readonly #me: number;
  readonly #canBlock: boolean;
  readonly #keeper: Keeper;

  /** @param at The word. @param slot Whose hand this is: of the thread that has it now. */
  constructor(
    arena: Arena,
    at: Addr,
    slot: number,
    canBlock: boolean,
    keeper: Keeper = NOBODY_DIES,
  ) {
    this.#arena = arena;
    this.#at = at;
    this.#me = nameOf(arena, slot);
    this.#canBlock = canBlock;
    this.#keeper = keeper;
  }

  /** Runs `section` while no other thread is in one. */
  hold<T>(section: () => T): T {
    const fromTheDead = this.#acquire();
    try {
      if (fromTheDead) this.#keeper.repair();
      return section();
    } finally {
      this.#release();
    }
  }

  /** True if it was taken from a thread that has died in its section. */
  #acquire(): boolean {
    const words = this.#arena.words;
    // SYNC(section) observe: what the last holder wrote.
    let seen = swapIf(words, this.#at, 0, this.#me);
    if (seen === 0) return false;
    assert((seen & ~QUEUE) !== this.#me, "a lock is not taken twice by one thread");
    for (let spin = 1; ; spin++) {
      if (spin % SPINS !== 0 && (spin < SPINS || !this.#canBlock)) {
        // SYNC(section) observe: as above.
        seen = swapIf(words, this.#at, 0, this.#me);
        if (seen === 0) return false;
        pause();
        continue;
      }
      // Once it has waited, a thread cannot tell whether others wait too: it keeps QUEUE set (I2).
      // SYNC(section) observe: as above.
      seen = swapIf(words, this.#at, 0, this.#me | QUEUE);
      if (seen === 0) return false;
      if (this.#takesOver(seen)) return true;
      if (!this.#canBlock) continue;
      // SYNC(section) observe: nothing yet; this only asks to be woken.
      if ((seen & QUEUE) !== 0 || swapIf(words, this.#at, seen, seen | QUEUE) === seen) {
        wait(words, this.#at, seen | QUEUE, LOOK_MS);
      }
    }
  }

  /** Takes the lock from a holder that has died. */
  #takesOver(seen: number): boolean {
    if (!this.#keeper.isGone((seen & SLOT) - 1)) return false;
    // SYNC(section) observe: what the dead thread wrote; its end has been observed before.
    return swapIf(this.#arena.words, this.#at, seen, this.#me | QUEUE) === seen;
  }

  #release(): void {
    const words = this.#arena.words;
    assert((load(words, this.#at) & ~QUEUE) === this.#me, "a lock is let go by its holder (I1)");
    // SYNC(section) publish: all that was written under the lock.
    if ((exchange(words, this.#at, 0) & QUEUE) !== 0) notify(words, this.#at);
  }
}

/** What is in the word while the thread that has a slot is in the section. */
function nameOf(arena: Arena, slot: number): number {
  return (slot + 1) | ((incarnationOf(arena, slot) & INCARNATION) << SLOT_BITS);
}

/** Which of the threads that have had a slot has it now, or had it last. */
export function incarnationOf(arena: Arena, slot: number): number {
  return load(arena.words, slotAt(slot) + SLOT_STATE) >>> 8; // Changed by who joins.
}
