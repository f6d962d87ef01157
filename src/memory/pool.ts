// SPDX-License-Identifier: MIT

import { assert } from "../base/index.ts";
import type { Arena } from "./arena.ts";
import { type Addr, exchange, load, swapIf } from "./atomics.ts";
import {
  CONTEXT_SLOT,
  MAX_SLOTS,
  MEMORY_WANTED,
  PAGE_CLASS,
  PAGE_FREE,
  PAGE_FRESH,
  PAGE_HEAD_WORDS,
  PAGE_LIVE,
  PAGE_NEXT,
  PAGE_OWNER,
  PAGE_PREVIOUS,
  PAGE_RUN,
  PAGE_WORDS,
  SLOT_PARTIAL,
  SLOT_REMOTE,
  slotAt,
} from "./layout.ts";
import { LEAVE_A_MOVE, Pages } from "./pages.ts";

/**
 * pool — blocks of the arena, allocated by their owner and freed by anybody.
 *
 * What a message needs is allocated by the thread that sends and freed by the thread that receives,
 * so nearly every free is remote. One common free list would be one word which all threads fight
 * for. Instead each page belongs to a slot, and has a free list that only its owner touches:
 *
 *      owner's thread                                   any other thread
 *
 *      allocate ◀── page's free list: [ ]─▶[ ]─▶[ ]
 *                     ▲
 *                     │ take all (1 exchange, when a class has run out)
 *                     │
 *                   slot's remote stack: [ ]─▶[ ] ◀── push (1 swap) ──── free
 *
 * Allocation is a plain pop. A block's page is found by masking its address, and names the owner.
 *
 * # Memory
 *
 * A run of pages serves one size class; its first page begins with a head:
 *
 *           +0       +1       +2       +3       +4       +5       +6       +7
 *         +--------+--------+--------+--------+--------+--------+--------+--------+
 *         | owner  | class  | run    | live   | free   | fresh  | next   | previous
 *         +--------+--------+--------+--------+--------+--------+--------+--------+
 *          slot              pages    blocks   list of  first     the owner's list of pages
 *                                     in use   freed    never     with room, by class
 *                                              blocks   used
 *
 * Small classes cut a page into blocks; a span class is one block over one or more pages; beyond
 * the largest class a block has a run to itself and goes straight back to all.
 *
 * # Invariants
 *
 *   I1  A block is in one place: in use, on its page's free list, never used, or on a remote stack.
 *   I2  Only the owner of a page touches its free list; only the owner of a slot takes from its
 *       remote stack, always the whole. Pages of slot 0, the context's own, are touched under the
 *       lock of the pages.
 *   I3  A page is on its owner's list if and only if it has room.
 *
 * # Synchronisation
 *
 *   SYNC(free)    push on remote ⇒ owner's exchange     the freeing thread's last use of the block
 *   SYNC(owner)   the owner's leaving ⇒ a freeing thread   whose list it has to go to
 *
 * # Why there is no ABA problem
 *
 * A stack breaks when one thread pops a node by swapping the head for the *next* it read earlier,
 * while others popped that node and pushed it back. Here nobody pops one: push uses the head only
 * as the value its own block shall point to, and the owner takes all by an exchange.
 *
 * # A race that is handled
 *
 * A thread reads a page's owner, and before it pushes, that owner leaves and hands the page on. The
 * block then lands on the stack of a free slot. Whoever takes a stack frees each block anew, by its
 * page's owner of that moment; and stacks of free slots are looked through when memory is short.
 *
 * # If a thread dies
 *
 * A pusher has changed nothing but its own block: that one block leaks until its page is adopted. A
 * dead owner's pages are found in the page table and go to slot 0, under the lock.
 */

/** The sizes of blocks, in words. All are even, so that blocks lie on 8 bytes. */
const SMALL = [16, 32, 64, 128, 256, 508, 1016, 2032];
/** In pages. Above 128 KiB, a lock for each block is nothing beside the copying. */
const SPANS = [1, 2, 3, 4, 5, 6, 7, 8];
const CLASS_WORDS = [...SMALL, ...SPANS.map((pages) => pages * PAGE_WORDS - PAGE_HEAD_WORDS)];
const OWN_RUN = CLASS_WORDS.length;

export class Pool {
  readonly #arena: Arena;
  readonly #slot: number;
  readonly #pages: Pages;
  readonly #partial: Addr;
  readonly #remote: Addr;
  /** Called after memory was given back while some thread waits for it. */
  onRelease: () => void = () => {};

  constructor(arena: Arena, slot: number, canBlock: boolean) {
    this.#arena = arena;
    this.#slot = slot;
    this.#pages = new Pages(arena, slot, canBlock);
    this.#partial = slotAt(slot) + SLOT_PARTIAL;
    this.#remote = slotAt(slot) + SLOT_REMOTE;
  }

  get pages(): Pages {
    return this.#pages;
  }

  /**
   * A block of at least `size` words, not cleared; 0 if the arena is at its maximum.
   *
   * @param leave How many pages are to stay free (pages.ts).
   */
  allocate(size: number, leave: number = LEAVE_A_MOVE): Addr {
    const sizeClass = classOf(size);
    if (sizeClass === OWN_RUN) return this.#allocateRun(size, leave);
    const words = this.#arena.words;
    let page = words[this.#partial + sizeClass];
    if (page === 0) page = this.#pageWithRoom(sizeClass, leave);
    return page === 0 ? 0 : this.#pop(page, sizeClass);
  }

  /** How many words the block at `at` can hold. */
  sizeOf(at: Addr): number {
    const page = at & -PAGE_WORDS;
    const sizeClass = this.#arena.words[page + PAGE_CLASS];
    if (sizeClass < OWN_RUN) return CLASS_WORDS[sizeClass];
    return this.#arena.words[page + PAGE_RUN] * PAGE_WORDS - PAGE_HEAD_WORDS;
  }

  /** How many words of pages a block of so many words takes, at the least. */
  static cost(size: number): number {
    const sizeClass = classOf(size);
    if (sizeClass >= SMALL.length)
      return Math.ceil((size + PAGE_HEAD_WORDS) / PAGE_WORDS) * PAGE_WORDS;
    const perPage = Math.floor((PAGE_WORDS - PAGE_HEAD_WORDS) / (CLASS_WORDS[sizeClass] as number));
    return Math.ceil(PAGE_WORDS / perPage);
  }

  /** Frees a block, whoever allocated it. */
  free(at: Addr): void {
    this.#freeOne(at);
    // A counter: a thread that waits for memory looks again after it has announced itself.
    if (load(this.#arena.words, MEMORY_WANTED) !== 0) this.onRelease();
  }

  /** Takes back what others freed, and gives away all pages with nothing in use. */
  trim(): void {
    let gave = false;
    this.#takeRemote(this.#remote);
    const words = this.#arena.words;
    for (let sizeClass = 0; sizeClass < OWN_RUN; sizeClass++) {
      let page = words[this.#partial + sizeClass];
      while (page !== 0) {
        const next = words[page + PAGE_NEXT];
        if (words[page + PAGE_LIVE] === 0) {
          this.#giveAway(page, sizeClass);
          gave = true;
        }
        page = next;
      }
    }
    if (gave && load(words, MEMORY_WANTED) !== 0) this.onRelease(); // A counter, as in free.
  }

  /** Gives away everything: empty pages to all, those with blocks in use to the context. */
  leave(): void {
    this.trim();
    this.#pages.lock.hold(() => {
      const words = this.#arena.words;
      words.fill(0, this.#partial, this.#partial + OWN_RUN);
      for (const page of this.#pages.ownedLocked(this.#slot)) {
        // From now on, who frees one of its blocks takes the lock (I2).
        this.#pages.assignLocked(page, CONTEXT_SLOT);
      }
    });
    this.#takeRemote(this.#remote);
    this.#takeStrays();
    if (load(this.#arena.words, MEMORY_WANTED) !== 0) this.onRelease(); // A counter, as above.
  }

  #allocateRun(size: number, leave: number): Addr {
    const run = Math.ceil((size + PAGE_HEAD_WORDS) / PAGE_WORDS);
    let page = this.#pages.allocate(run, leave);
    if (page === 0) {
      this.trim();
      this.#takeStrays();
      page = this.#pages.allocate(run, leave);
      if (page === 0) return 0;
    }
    const words = this.#arena.words;
    words[page + PAGE_CLASS] = OWN_RUN;
    words[page + PAGE_LIVE] = 1;
    return page + PAGE_HEAD_WORDS;
  }

  /** The slow path: take what others freed, then a new page, then what can be scraped together. */
  #pageWithRoom(sizeClass: number, leave: number): Addr {
    this.#takeRemote(this.#remote);
    const found = this.#arena.words[this.#partial + sizeClass];
    if (found !== 0) return found;
    const run = sizeClass < SMALL.length ? 1 : SPANS[sizeClass - SMALL.length];
    let page = this.#pages.allocate(run, leave);
    if (page === 0) {
      this.trim();
      this.#takeStrays();
      const room = this.#arena.words[this.#partial + sizeClass];
      if (room !== 0) return room;
      page = this.#pages.allocate(run, leave);
      if (page === 0) return 0;
    }
    const words = this.#arena.words;
    words[page + PAGE_CLASS] = sizeClass;
    words[page + PAGE_LIVE] = 0;
    words[page + PAGE_FREE] = 0;
    words[page + PAGE_FRESH] = page + PAGE_HEAD_WORDS;
    this.#link(page, sizeClass);
    return page;
  }

  #pop(page: Addr, sizeClass: number): Addr {
    const words = this.#arena.words;
    const size = CLASS_WORDS[sizeClass];
    let block = words[page + PAGE_FREE];
    if (block !== 0) {
      words[page + PAGE_FREE] = words[block];
    } else {
      block = words[page + PAGE_FRESH];
      words[page + PAGE_FRESH] = block + size;
    }
    words[page + PAGE_LIVE] += 1;
    if (words[page + PAGE_FREE] === 0 && !hasFresh(words, page, size)) {
      this.#unlink(page, sizeClass);
    }
    return block;
  }

  #freeOne(at: Addr): void {
    const words = this.#arena.words;
    const page = at & -PAGE_WORDS;
    // SYNC(owner) observe: see "A race that is handled".
    const owner = load(words, page + PAGE_OWNER);
    if (words[page + PAGE_CLASS] === OWN_RUN) {
      this.#pages.free(page);
    } else if (owner === this.#slot) {
      this.#push(page, at);
    } else if (owner === CONTEXT_SLOT) {
      this.#pages.lock.hold(() => {
        words[page + PAGE_LIVE] -= 1;
        if (words[page + PAGE_LIVE] === 0) this.#pages.freeLocked(page);
      });
    } else {
      const remote = slotAt(owner) + SLOT_REMOTE;
      for (let head = load(words, remote); ; ) {
        words[at] = head;
        // SYNC(free) publish: our last use of the block is over.
        const seen = swapIf(words, remote, head, at);
        if (seen === head) break;
        head = seen;
      }
    }
  }

  /** Puts a block of a page of ours on its list (I2). */
  #push(page: Addr, block: Addr): void {
    const words = this.#arena.words;
    const sizeClass = words[page + PAGE_CLASS];
    const size = CLASS_WORDS[sizeClass];
    const hadRoom = words[page + PAGE_FREE] !== 0 || hasFresh(words, page, size);
    words[block] = words[page + PAGE_FREE];
    words[page + PAGE_FREE] = block;
    const live = words[page + PAGE_LIVE] - 1;
    words[page + PAGE_LIVE] = live;
    assert(live >= 0, "a block is freed once (I1)");
    if (!hadRoom) this.#link(page, sizeClass);
    // One empty page of a class is kept, so that a block that comes and goes costs no lock.
    const alone = words[this.#partial + sizeClass] === page && words[page + PAGE_NEXT] === 0;
    if (live === 0 && !alone) this.#giveAway(page, sizeClass);
  }

  #takeRemote(remote: Addr): void {
    // SYNC(free) observe: those who freed these blocks have done with them.
    let block = load(this.#arena.words, remote);
    if (block !== 0) block = exchange(this.#arena.words, remote, 0);
    while (block !== 0) {
      this.#arena.reach(block);
      const next = this.#arena.words[block];
      this.#freeOne(block);
      block = next;
    }
  }

  /** Frees what lies on the stacks of slots that nobody has; see "A race that is handled". */
  #takeStrays(): void {
    for (let slot = 0; slot < MAX_SLOTS; slot++) {
      if (this.isFree(slot)) this.#takeRemote(slotAt(slot) + SLOT_REMOTE);
    }
  }

  /** Whether no thread has a slot. Replaced by who hands out the slots. */
  isFree: (slot: number) => boolean = () => false;

  #giveAway(page: Addr, sizeClass: number): void {
    this.#unlink(page, sizeClass);
    this.#pages.free(page);
  }

  #link(page: Addr, sizeClass: number): void {
    const words = this.#arena.words;
    const first = words[this.#partial + sizeClass];
    words[page + PAGE_PREVIOUS] = 0;
    words[page + PAGE_NEXT] = first;
    if (first !== 0) words[first + PAGE_PREVIOUS] = page;
    words[this.#partial + sizeClass] = page;
  }

  #unlink(page: Addr, sizeClass: number): void {
    const words = this.#arena.words;
    const next = words[page + PAGE_NEXT];
    const previous = words[page + PAGE_PREVIOUS];
    if (previous === 0) words[this.#partial + sizeClass] = next;
    else words[previous + PAGE_NEXT] = next;
    if (next !== 0) words[next + PAGE_PREVIOUS] = previous;
  }
}

function classOf(size: number): number {
  let sizeClass = 0;
  while (sizeClass < OWN_RUN && CLASS_WORDS[sizeClass] < size) sizeClass++;
  return sizeClass;
}

/** Whether blocks of a page have never been used. */
function hasFresh(words: Int32Array, page: Addr, size: number): boolean {
  const run = words[page + PAGE_RUN];
  return words[page + PAGE_FRESH] + size <= page + run * PAGE_WORDS;
}
