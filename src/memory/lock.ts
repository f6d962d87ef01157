// SPDX-License-Identifier: MIT

import { assert } from "../base/index.ts";
import type { Arena } from "./arena.ts";
import { type Addr, exchange, load, notify, pause, swapIf, wait } from "./atomics.ts";

/**
 * lock — mutual exclusion on the cold path, with a name on it.
 *
 * Names and pages change seldom, and in several steps; there a lock is right. No message passes
 * one.
 *
 *      word = 0                 free
 *      word = slot + 1          held by that slot's thread
 *      word = slot + 1 | QUEUE  ditto, and somebody may be waiting on this very word
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
 *
 * # Synchronisation
 *
 *   SYNC(section)   release's exchange ⇒ acquire's swap    all that was written under the lock
 *
 * # If a thread dies
 *
 * The word keeps its name (I1), so that whoever waits can tell a dead owner, swap its own name in,
 * and repair what the section may have left half done. Nobody does so yet: the others wait.
 */
const QUEUE = 1 << 30;
const SPINS = 200;
const LOOK_MS = 5;

export class Lock {
  readonly #arena: Arena;
  readonly #at: Addr;
  readonly #me: number;
  readonly #canBlock: boolean;

  /** @param at The word. @param slot Whose hand this is. */
  constructor(arena: Arena, at: Addr, slot: number, canBlock: boolean) {
    this.#arena = arena;
    this.#at = at;
    this.#me = slot + 1;
    this.#canBlock = canBlock;
  }

  /** Runs `section` while no other thread is in one. */
  hold<T>(section: () => T): T {
    this.#acquire();
    try {
      return section();
    } finally {
      this.#release();
    }
  }

  #acquire(): void {
    const words = this.#arena.words;
    // SYNC(section) observe: what the last holder wrote.
    let seen = swapIf(words, this.#at, 0, this.#me);
    if (seen === 0) return;
    assert((seen & ~QUEUE) !== this.#me, "a lock is not taken twice by one thread");
    for (let spin = 0; ; spin++) {
      if (spin < SPINS || !this.#canBlock) {
        // SYNC(section) observe: as above.
        seen = swapIf(words, this.#at, 0, this.#me);
        if (seen === 0) return;
        pause();
        continue;
      }
      // Once it has waited, a thread cannot tell whether others wait too: it keeps QUEUE set (I2).
      // SYNC(section) observe: as above.
      seen = swapIf(words, this.#at, 0, this.#me | QUEUE);
      if (seen === 0) return;
      // SYNC(section) observe: nothing yet; this only asks to be woken.
      if ((seen & QUEUE) !== 0 || swapIf(words, this.#at, seen, seen | QUEUE) === seen) {
        wait(words, this.#at, seen | QUEUE, LOOK_MS);
      }
    }
  }

  #release(): void {
    const words = this.#arena.words;
    assert((load(words, this.#at) & ~QUEUE) === this.#me, "a lock is let go by its holder (I1)");
    // SYNC(section) publish: all that was written under the lock.
    if ((exchange(words, this.#at, 0) & QUEUE) !== 0) notify(words, this.#at);
  }
}
