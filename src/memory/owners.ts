// SPDX-License-Identifier: MIT

import type { Arena } from "./arena.ts";
import type { Addr } from "./atomics.ts";
import {
  OWNERS_BEFORE,
  OWNERS_BLOCK,
  OWNERS_COUNT,
  OWNERS_LOCK,
  OWNERS_PLACE,
  SLOT_HAND,
  slotAt,
} from "./layout.ts";
import { type Keeper, Lock, NOBODY_DIES } from "./lock.ts";

/**
 * owners — blocks that several own at once, each on its own: who gives up the last ownership frees.
 *
 * A message that goes to many is in memory once, and each of their lanes refers to it. The block's
 * first word counts its owners. An ownership belongs to a *place*, a word that leads to the block
 * and is moved on when it is given up; so it is known of each at any time whether it counts.
 *
 *      block                      places
 *      +--------+- -
 *      | owners |     ◀────────   `free at` of a lane: what is freed next (queue/ypipe.ts)
 *      +--------+- -  ◀────────   `bodies` of a slot: what is being published
 *                                 (pipe/publication.ts)
 *                     ◀────────   an entry of a slot's leases (pipe/leases.ts)
 *
 * # Roles
 *
 * Any thread that has an ownership may give it up, or add one. Who makes the block sets the count
 * before anybody else knows of it.
 *
 * # Invariants, under the lock
 *
 *   I1  The count is the number of ownerships whose place has not been moved on.
 *   I2  `place` is 0 outside of a section.
 *   I3  Who gives up the last ownership has the block in its hand from before the place is moved.
 *
 * # Why a lock
 *
 * The count and the place change together, or else a death between the two gives up an ownership
 * twice or never. One word would be enough for both if each owner had a bit in it; but of a bit
 * that is set already nobody can tell whether the one who died had set the last. Bodies of one
 * owner, which are nearly all, never come here.
 *
 * # If a thread dies
 *
 * Before anything is changed, the count, the place and what is in it are noted; `place` last. Who
 * takes the lock over puts both back: the ownership has not been given up, or not been added, and
 * whoever mourns the dead does the former in its place. It is good at any step of an earlier
 * repair. The last ownership changes no count: then the block is in the hand (I3), and pool.ts says
 * what becomes of it.
 *
 * Until that is done nobody may believe a count, or a place of the dead. So who mourns comes here
 * first (`settle`).
 */
export class Owners {
  readonly #arena: Arena;
  readonly #hand: Addr;
  readonly #lock: Lock;

  constructor(arena: Arena, slot: number, canBlock: boolean, keeper: Keeper = NOBODY_DIES) {
    this.#arena = arena;
    this.#hand = slotAt(slot) + SLOT_HAND;
    this.#lock = new Lock(arena, OWNERS_LOCK, slot, canBlock, {
      isGone: (other) => keeper.isGone(other),
      repair: () => this.#repair(),
    });
  }

  /**
   * Gives up ownerships of a block, and moves their place on.
   *
   * @returns true if they were the last: the block is in our hand, and to be freed.
   */
  release(block: Addr, ownerships: number, place: Addr, next: number): boolean {
    this.#arena.reach(block);
    return this.#lock.hold(() => {
      const words = this.#arena.words;
      const count = words[block];
      if (count === ownerships) {
        words[this.#hand] = block;
        words[place] = next;
        return true;
      }
      this.#change(block, count - ownerships, place, next);
      return false;
    });
  }

  /** Adds an ownership to that of ours, and sets its place. */
  add(block: Addr, place: Addr, value: number): void {
    this.#lock.hold(() => this.#change(block, this.#arena.words[block] + 1, place, value));
  }

  /** Changes the count and a place, both or none. */
  #change(block: Addr, count: number, place: Addr, value: number): void {
    const words = this.#arena.words;
    words[OWNERS_BLOCK] = block;
    words[OWNERS_COUNT] = words[block];
    words[OWNERS_BEFORE] = words[place];
    words[OWNERS_PLACE] = place;
    words[block] = count;
    words[place] = value;
    words[OWNERS_PLACE] = 0;
  }

  /** Has what a dead thread was giving up put back, if there is such a thing. */
  settle(): void {
    this.#lock.hold(() => {});
  }

  #repair(): void {
    this.#arena.refresh();
    const words = this.#arena.words;
    const place = words[OWNERS_PLACE];
    if (place === 0) return;
    words[words[OWNERS_BLOCK]] = words[OWNERS_COUNT];
    words[place] = words[OWNERS_BEFORE];
    words[OWNERS_PLACE] = 0;
  }
}
