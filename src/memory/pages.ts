// SPDX-License-Identifier: MIT

import { type Arena, firstPage } from "./arena.ts";
import { type Addr, peek, store } from "./atomics.ts";
import {
  CONTEXT_SLOT,
  MAX_PAGES,
  MAX_SLOTS,
  PAGE_BYTES,
  PAGE_CLASS,
  PAGE_FREE,
  PAGE_FRESH,
  PAGE_HEAD_WORDS,
  PAGE_LIVE,
  PAGE_OWNER,
  PAGE_RUN,
  PAGE_TABLE,
  PAGE_WORDS,
  PAGES_FIRST,
  PAGES_LOCK,
  PAGES_RUN,
  PAGES_SCARCE,
  PAGES_SEARCH,
  PAGES_USED,
  PAGES_WORD,
  SLOT_HAND,
  slotAt,
} from "./layout.ts";
import { type Keeper, Lock, NOBODY_DIES } from "./lock.ts";

/** What a link takes by itself: a page each for its name, pipe, first chunk and the next. */
const LINK_PAGES = 4;
/**
 * How many pages an allocation leaves free. Messages leave most: in a full arena there must be a
 * way for someone to come who receives. That takes a link, and then room to move messages that were
 * another's before: the contents of one chunk, before it is freed. Who has nothing to receive is
 * given a message though nothing is left free by it: none would come free by anybody else.
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
 * none. The first page of a run begins with a head (pool.ts).
 *
 * # Invariants, under the lock
 *
 *   I1  All pages of a run have the same word; its first page's head says how long it is.
 *   I2  No page below `search` is free.
 *   I3  `in use` is the number of pages whose word is not 0.
 *   I4  A run has a whole head before it is in the table.
 *
 * # If a thread dies
 *
 * A run's words are changed one by one. What is to be changed, and to what, is noted in the header
 * before (`first`, `run`, `word`); who takes the lock over does the change again, whole, and counts
 * `in use` and `search` anew. What that thread has given back, or had not taken yet, is still in
 * its hand (pool.ts); it is taken out of there before anybody else can have it.
 */
export class Pages {
  readonly #arena: Arena;
  readonly #slot: number;
  readonly #isGone: Keeper["isGone"];
  readonly lock: Lock;
  /** Called after the arena has grown; somewhere within an allocation, without the lock. */
  onGrown: () => void = () => {};
  /** Called likewise, once, when few pages are left. */
  onScarce: () => void = () => {};
  /** What the section has to tell after it. */
  #grown = false;
  #scarce = false;
  /** Whether we are in `alone`. */
  #isAlone = false;

  constructor(
    arena: Arena,
    slot: number,
    canBlock: boolean,
    isGone: Keeper["isGone"] = NOBODY_DIES.isGone,
  ) {
    this.#arena = arena;
    this.#slot = slot;
    this.#isGone = isGone;
    const repair = () => this.#repair();
    this.lock = new Lock(arena, PAGES_LOCK, slot, canBlock, { isGone, repair });
  }

  /**
   * A run of `run` pages owned by this slot. 0 if there is no room.
   *
   * @param leave How many pages are to stay free.
   * @param sizeClass What it is for.
   * @param live How many blocks of it are in use. A block that is in use from the beginning is in
   *   the owner's hand (pool.ts).
   */
  allocate(run: number, leave: number, sizeClass = 0, live: 0 | 1 = 0): Addr {
    const page = this.#take(run, leave, sizeClass, live);
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

  /** Does something while no other thread takes a page, or gives one back. */
  alone<T>(section: () => T): T {
    return this.lock.hold(() => {
      this.#isAlone = true;
      try {
        return section();
      } finally {
        this.#isAlone = false;
      }
    });
  }

  /** Does something under the lock. */
  hold<T>(section: () => T): T {
    return this.#isAlone ? section() : this.lock.hold(section);
  }

  /** Gives a run back to all. If its block is in our hand, the hand is then empty. */
  free(page: Addr): void {
    this.hold(() => {
      this.freeLocked(page);
      this.#arena.words[slotAt(this.#slot) + SLOT_HAND] = 0;
    });
  }

  /** The same, for a caller that holds the lock and sees to the hand. */
  freeLocked(page: Addr): void {
    const words = this.#arena.words;
    const first = page / PAGE_WORDS;
    const run = words[page + PAGE_RUN];
    this.#mark(first, run, 0);
    words[PAGES_USED] -= run;
    words[PAGES_SEARCH] = Math.min(words[PAGES_SEARCH], first);
    if (this.#left * SCARCE_PART > 2 * this.#total) words[PAGES_SCARCE] = 0;
  }

  /** Hands a run to another slot. The caller holds the lock. */
  assignLocked(page: Addr, slot: number): void {
    const words = this.#arena.words;
    // SYNC(owner) publish: whose list a freed block goes to; see pool.ts.
    store(words, page + PAGE_OWNER, slot);
    this.#mark(page / PAGE_WORDS, words[page + PAGE_RUN], slot + 1);
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

  /** The slot that owns the page a block lies in, or -1 if the page is free. */
  ownerOf(at: Addr): number {
    return this.#arena.words[PAGE_TABLE + Math.floor(at / PAGE_WORDS)] - 1;
  }

  /**
   * Whether a block is not in use; as far as that can be told, for only its owner's list may be
   * looked at: that of `slot`, which nobody has any more, or of the context. The caller holds the
   * lock.
   */
  isFreeLocked(block: Addr, slot: number): boolean {
    const words = this.#arena.words;
    const owner = this.ownerOf(block);
    if (owner < 0) return true;
    const page = block & -PAGE_WORDS;
    if (owner !== slot && owner !== CONTEXT_SLOT) return false;
    if (block >= words[page + PAGE_FRESH]) return true;
    let free = words[page + PAGE_FREE];
    while (free !== 0 && free !== block) free = words[free];
    return free === block;
  }

  /** Whether some page below this one may be free: a hint. */
  mayHaveBelow(page: Addr): boolean {
    return this.#arena.words[PAGES_SEARCH] < page / PAGE_WORDS;
  }

  /** How many bytes of the arena are taken up, pages and what comes before them. */
  get usedBytes(): number {
    return (this.#firstPage() + this.#arena.words[PAGES_USED]) * PAGE_BYTES;
  }

  /** How many words of pages a message may take if nothing else than its link is in the arena. */
  get mostWords(): number {
    return (this.#total - LINK_PAGES - LEAVE_A_MOVE) * PAGE_WORDS;
  }

  /** How many pages may still be taken. */
  get unused(): number {
    return this.#total - this.#arena.words[PAGES_USED];
  }

  /** How many pages there may be. */
  get #total(): number {
    return this.#arena.words[MAX_PAGES] - this.#firstPage();
  }

  /** How many pages messages may still take. */
  get #left(): number {
    return this.unused - LEAVE_A_MOVE;
  }

  #take(run: number, leave: number, sizeClass: number, live: 0 | 1): Addr {
    return this.hold(() => {
      if (this.unused - run < leave) return 0;
      const first = this.#find(run);
      if (first === 0) return 0;
      const words = this.#arena.words;
      const page = first * PAGE_WORDS;
      words[page + PAGE_OWNER] = this.#slot;
      words[page + PAGE_CLASS] = sizeClass;
      words[page + PAGE_RUN] = run;
      words[page + PAGE_LIVE] = live;
      words[page + PAGE_FREE] = 0;
      words[page + PAGE_FRESH] = page + (live === 0 ? PAGE_HEAD_WORDS : run * PAGE_WORDS);
      if (live === 1) words[slotAt(this.#slot) + SLOT_HAND] = page + PAGE_HEAD_WORDS;
      this.#mark(first, run, this.#slot + 1);
      words[PAGES_USED] += run;
      if (words[PAGES_SEARCH] === first) words[PAGES_SEARCH] = first + run;
      if (words[PAGES_SCARCE] === 0 && this.#left * SCARCE_PART <= this.#total) {
        words[PAGES_SCARCE] = 1;
        this.#scarce = true;
      }
      return page;
    });
  }

  /** Gives all pages of a run their word, so that another can do it again if we die. */
  #mark(first: number, run: number, word: number): void {
    const words = this.#arena.words;
    words[PAGES_RUN] = run;
    words[PAGES_WORD] = word;
    words[PAGES_FIRST] = first;
    words.fill(word, PAGE_TABLE + first, PAGE_TABLE + first + run);
    words[PAGES_FIRST] = 0;
  }

  #repair(): void {
    this.#arena.refresh();
    const words = this.#arena.words;
    const first = words[PAGES_FIRST];
    if (first !== 0) this.#mark(first, words[PAGES_RUN], words[PAGES_WORD]);
    this.#emptyHands();
    let used = 0;
    let search = 0;
    for (let page = this.#firstPage(); page < this.#pageCount(); page++) {
      if (words[PAGE_TABLE + page] !== 0) used++;
      else if (search === 0) search = page;
    }
    words[PAGES_USED] = used;
    words[PAGES_SEARCH] = search === 0 ? this.#pageCount() : search;
  }

  /** What is free by a change under the lock is in nobody's hand any more. */
  #emptyHands(): void {
    const words = this.#arena.words;
    for (let slot = 0; slot < MAX_SLOTS; slot++) {
      const hand = slotAt(slot) + SLOT_HAND;
      const block = peek(words, hand);
      // A living thread puts its hand in order itself.
      if (block === 0 || !this.#isGone(slot)) continue;
      if (this.isFreeLocked(block, CONTEXT_SLOT)) words[hand] = 0;
    }
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
