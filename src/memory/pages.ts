// SPDX-License-Identifier: MIT

import { type Arena, firstPage } from "./arena.ts";
import { type Addr, store } from "./atomics.ts";
import {
  MAX_PAGES,
  PAGE_BYTES,
  PAGE_OWNER,
  PAGE_RUN,
  PAGE_TABLE,
  PAGE_WORDS,
  PAGES_LOCK,
  PAGES_SCARCE,
  PAGES_SEARCH,
  PAGES_USED,
} from "./layout.ts";
import { Lock } from "./lock.ts";

/** What a link takes by itself: a page each for its name, pipe and first chunk; one to spare. */
const LINK_PAGES = 4;
/**
 * How many pages an allocation leaves free. Messages leave most: in a full arena there must be a
 * way for someone to come who receives. That takes a link, and then room to move messages that were
 * another's before: the contents of one chunk, before it is freed.
 */
export const LEAVE_NONE = 0;
export const LEAVE_A_LINK: number = LINK_PAGES;
export const LEAVE_A_MOVE: number = LINK_PAGES + 4;

/**
 * Pages are scarce when messages have no more than this part of them left, and it is over when
 * they have twice as much: so that it is told once, not with each page that comes and goes.
 */
const SCARCE_PART = 8;

/**
 * pages — the arena's memory in runs of pages, each run with an owner.
 *
 * The page table has a word for each page: 0, or 1 + the slot that owns the run it belongs to. A
 * run is found by first fit, from the lowest page that may be free; the arena grows when there is
 * none.
 *
 * # Invariants, under the lock
 *
 *   I1  All pages of a run have the same word; its first page's head says how long it is.
 *   I2  No page below `search` is free.
 *   I3  `in use` is the number of pages whose word is not 0.
 *
 * # If a thread dies
 *
 * In the section: `in use` and `search` are recounted from the table, which is right at each step
 * but for a run half marked; such a run has no head yet, and its words name the dead owner.
 */
export class Pages {
  readonly #arena: Arena;
  readonly #slot: number;
  readonly lock: Lock;
  /** Called after the arena has grown; somewhere within an allocation, without the lock. */
  onGrown: () => void = () => {};
  /** Called likewise, once, when few pages are left. */
  onScarce: () => void = () => {};
  /** What the section has to tell after it. */
  #grown = false;
  #scarce = false;

  constructor(arena: Arena, slot: number, canBlock: boolean) {
    this.#arena = arena;
    this.#slot = slot;
    this.lock = new Lock(arena, PAGES_LOCK, slot, canBlock);
  }

  /**
   * A run of `run` pages owned by this slot, its head not yet written. 0 if there is no room.
   *
   * @param leave How many pages are to stay free.
   */
  allocate(run: number, leave: number): Addr {
    const page = this.#take(run, leave);
    if (this.#grown) {
      this.#grown = false;
      this.onGrown();
    }
    if (this.#scarce) {
      this.#scarce = false;
      this.onScarce();
    }
    return page;
  }

  /** Gives a run back to all. */
  free(page: Addr): void {
    this.lock.hold(() => this.freeLocked(page));
  }

  /** The same, for a caller that holds the lock. */
  freeLocked(page: Addr): void {
    const words = this.#arena.words;
    const first = page / PAGE_WORDS;
    const run = words[page + PAGE_RUN];
    words.fill(0, PAGE_TABLE + first, PAGE_TABLE + first + run);
    words[PAGES_USED] -= run;
    words[PAGES_SEARCH] = Math.min(words[PAGES_SEARCH], first);
    if (this.#left * SCARCE_PART > 2 * this.#total) words[PAGES_SCARCE] = 0;
  }

  /** Hands a run to another slot. The caller holds the lock. */
  assignLocked(page: Addr, slot: number): void {
    const words = this.#arena.words;
    const first = page / PAGE_WORDS;
    const run = words[page + PAGE_RUN];
    // SYNC(owner) publish: whose list a freed block goes to; see pool.ts.
    store(words, page + PAGE_OWNER, slot);
    words.fill(slot + 1, PAGE_TABLE + first, PAGE_TABLE + first + run);
  }

  /** The first pages of all runs that `slot` owns. The caller holds the lock. */
  ownedLocked(slot: number): Addr[] {
    this.#arena.refresh();
    const words = this.#arena.words;
    const owned: Addr[] = [];
    for (let page = this.#firstPage(); page < this.#pageCount(); ) {
      if (words[PAGE_TABLE + page] === 0) {
        page++;
        continue;
      }
      if (words[PAGE_TABLE + page] === slot + 1) owned.push(page * PAGE_WORDS);
      page += words[page * PAGE_WORDS + PAGE_RUN];
    }
    return owned;
  }

  /** How many bytes of the arena are taken up, pages and what comes before them. */
  get usedBytes(): number {
    return (this.#firstPage() + this.#arena.words[PAGES_USED]) * PAGE_BYTES;
  }

  /** How many words of pages a message may take if nothing else than its link is in the arena. */
  get mostWords(): number {
    return (this.#total - LINK_PAGES - LEAVE_A_MOVE) * PAGE_WORDS;
  }

  /** How many pages there may be, and how many more may be taken. */
  get #total(): number {
    return this.#arena.words[MAX_PAGES] - this.#firstPage();
  }

  get #free(): number {
    return this.#total - this.#arena.words[PAGES_USED];
  }

  /** How many pages messages may still take. */
  get #left(): number {
    return this.#free - LEAVE_A_MOVE;
  }

  #take(run: number, leave: number): Addr {
    return this.lock.hold(() => {
      if (this.#free - run < leave) return 0;
      const first = this.#find(run);
      if (first === 0) return 0;
      const words = this.#arena.words;
      const page = first * PAGE_WORDS;
      words[page + PAGE_OWNER] = this.#slot;
      words[page + PAGE_RUN] = run;
      words.fill(this.#slot + 1, PAGE_TABLE + first, PAGE_TABLE + first + run);
      words[PAGES_USED] += run;
      if (words[PAGES_SEARCH] === first) words[PAGES_SEARCH] = first + run;
      if (words[PAGES_SCARCE] === 0 && this.#left * SCARCE_PART <= this.#total) {
        words[PAGES_SCARCE] = 1;
        this.#scarce = true;
      }
      return page;
    });
  }

  #find(run: number): number {
    const arena = this.#arena;
    arena.refresh();
    const words = arena.words;
    const count = this.#pageCount();
    const search = Math.max(words[PAGES_SEARCH], this.#firstPage());
    let free = 0;
    for (let page = search; page < count; page++) {
      if (words[PAGE_TABLE + page] !== 0) {
        free = 0;
        continue;
      }
      if (free === 0 && run === 1) words[PAGES_SEARCH] = page;
      if (++free === run) return page + 1 - run;
    }
    // What is free at the very end counts: the run continues into what is new.
    const least = count - free + run;
    const most = words[MAX_PAGES];
    if (least > most) return 0;
    const grown =
      arena.grow(Math.min(Math.max(least, 2 * count), most) * PAGE_BYTES) ||
      arena.grow(least * PAGE_BYTES);
    if (grown) this.#grown = true;
    return grown ? count - free : 0;
  }

  #firstPage(): number {
    return firstPage(this.#arena.words[MAX_PAGES]);
  }

  #pageCount(): number {
    return Math.floor(this.#arena.bytes.length / PAGE_BYTES);
  }
}
