// SPDX-License-Identifier: MIT

import { assert } from "../base/index.ts";
import type { Arena } from "./arena.ts";
import { type Addr, exchangeNoting, load, peek, swapNoting } from "./atomics.ts";
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
  SLOT_HAND,
  SLOT_PARTIAL,
  SLOT_REMOTE,
  SLOT_TAKEN,
  slotAt,
} from "./layout.ts";
import { type Keeper, NOBODY_DIES } from "./lock.ts";
import { Owners } from "./owners.ts";
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
 *                     │ take all (1 swap, when a class has run out)
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
 *   I2  Only the owner of a page touches its free list. Who takes from a remote stack, its owner or
 *       whoever looks after one that has none, takes the whole. Pages of slot 0, the context's own,
 *       are touched under the lock of the pages.
 *   I3  A page is on its owner's list if and only if it has room.
 *   I4  At most one block is in a hand.
 *
 * # Synchronisation
 *
 *   SYNC(free)    push on remote ⇒ owner's swap         the freeing thread's last use of the block
 *   SYNC(owner)   the owner's leaving ⇒ a freeing thread   whose list it has to go to
 *
 * # Why there is no ABA problem
 *
 * A stack breaks when one thread pops a node by swapping the head for the *next* it read earlier,
 * while others popped that node and pushed it back. Here nobody pops one: push uses the head only
 * as the value its own block shall point to, and the owner takes all that there is.
 *
 * # A race that is handled
 *
 * A thread reads a page's owner, and before it pushes, that owner leaves and hands the page on. The
 * block then lands on the stack of a free slot. Whoever takes a stack frees each block anew, by its
 * page's owner of that moment; and stacks of free slots are looked through when memory is short.
 *
 * # If a thread dies
 *
 * A block that is in no structure is in somebody's *hand*, a word of the slot: from the moment
 * before it is allocated until it is linked (`keep`), and from before it is unlinked (`hold`) until
 * it is free. Who mourns a dead thread asks the structures whether the block in its hand is linked;
 * if it is not, it is freed.
 *
 *   hand = 0            nothing
 *   hand = block        linked, or about to be, or unlinked and not yet free
 *
 * The step that frees it empties the hand. Where that is a swap, of the stack of another slot, no
 * thread ends between the two (`swapNoting`).
 *
 * A dead owner's pages are found in the page table, and go to slot 0 under the lock (`adopt`). How
 * many of their blocks are in use is counted anew: those that are neither on the free list nor
 * beyond `fresh`. Both are changed by one store each. A chain that is taken from a remote stack
 * stands in `taken` of a slot from that very step on, until each block of it was in a hand.
 */

/** The sizes of blocks, in words. All are multiples of 4, so that blocks lie on 16 bytes. */
const SMALL = [16, 32, 64, 128, 256, 508, 1016, 2032];
/** In pages. Above 128 KiB, a lock for each block is nothing beside the copying. */
const SPANS = [1, 2, 3, 4, 5, 6, 7, 8];
const CLASS_WORDS = [...SMALL, ...SPANS.map((pages) => pages * PAGE_WORDS - PAGE_HEAD_WORDS)];
const OWN_RUN = CLASS_WORDS.length;

export class Pool {
  readonly #arena: Arena;
  readonly #slot: number;
  readonly #pages: Pages;
  readonly #owners: Owners;
  readonly #partial: Addr;
  readonly #hand: Addr;
  readonly #taken: Addr;
  /**
   * Called after memory was given back while some thread waits for it.
   *
   * @param ours Whether it is new to our thread, too. What we have had ourselves, or tried to use,
   *   is not: if we waited and were told of that, we would try again for ever.
   */
  onRelease: (ours: boolean) => void = () => {};

  constructor(arena: Arena, slot: number, canBlock: boolean, keeper: Keeper = NOBODY_DIES) {
    this.#arena = arena;
    this.#slot = slot;
    this.#pages = new Pages(arena, slot, canBlock, keeper.isGone);
    this.#owners = new Owners(arena, slot, canBlock, keeper);
    this.#partial = slotAt(slot) + SLOT_PARTIAL;
    this.#hand = slotAt(slot) + SLOT_HAND;
    this.#taken = slotAt(slot) + SLOT_TAKEN;
  }

  get pages(): Pages {
    return this.#pages;
  }

  /**
   * A block of at least `size` words, not cleared; 0 if the arena is at its maximum. It is in our
   * hand until the caller has linked it, and says so by `keep`.
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

  /**
   * The same, for less than a page, on a page below that of another block; 0 if there is none. So
   * what stays goes out of the way of runs of pages, which want memory in one piece.
   */
  allocateBelow(above: Addr, size: number, leave: number): Addr {
    const sizeClass = classOf(size);
    const words = this.#arena.words;
    const limit = above & -PAGE_WORDS;
    let page = words[this.#partial + sizeClass];
    while (page >= limit) page = words[page + PAGE_NEXT];
    if (page === 0 && this.#pages.mayHaveBelow(limit)) {
      page = this.#pages.allocate(1, leave, sizeClass);
      if (page !== 0) this.#link(page, sizeClass);
      if (page > limit) {
        this.#giveAway(page, sizeClass);
        page = 0;
      }
    }
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

  /** What was allocated last is linked. */
  keep(): void {
    this.#arena.words[this.#hand] = 0;
  }

  /** Takes a block into our hand that is about to be unlinked, to be freed. */
  hold(at: Addr): void {
    this.#arena.words[this.#hand] = at;
  }

  /** Frees a block, whoever allocated it. If it was linked before, it is in our hand (`hold`). */
  free(at: Addr): void {
    this.#freeOne(at);
    this.tell(true);
  }

  /**
   * Frees a block of ours that we could not use, because there was no memory for the rest. Of it
   * others are not told: two threads that told each other of that would do so for ever. So while
   * memory is wanted it is to be taken `alone`.
   */
  putBack(at: Addr): void {
    this.#freeOne(at);
  }

  /**
   * Gives up ownerships of a block that several own, and frees it with the last; see owners.ts.
   *
   * @param place A word that leads to the block on behalf of these ownerships. @param next What it
   *   is to be then.
   */
  release(block: Addr, ownerships: number, place: Addr, next: number): void {
    if (this.#owners.release(block, ownerships, place, next)) this.free(block);
  }

  /** Adds an ownership of such a block, of which the caller has one. @param place As above. */
  own(block: Addr, place: Addr, value: number): void {
    this.#owners.add(block, place, value);
  }

  /** What a dead thread was giving up is as if it had not begun. */
  settleOwners(): void {
    this.#owners.settle();
  }

  /**
   * Takes several blocks, or puts back what it has had, while no other thread takes any: so nobody
   * misses what could not be used.
   *
   * @param take Returns 0 if there is no memory for all.
   */
  alone(take: () => Addr): Addr {
    return this.#pages.alone(() => {
      this.trim();
      const at = take();
      if (at === 0) this.#trim();
      return at;
    });
  }

  /** Takes back what others freed, and gives away all pages with nothing in use. */
  trim(): void {
    if (this.#trim()) this.tell(false);
  }

  #trim(): boolean {
    let gave = false;
    this.#takeRemote();
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
    return gave;
  }

  /** Gives away everything: empty pages to all, those with blocks in use to the context. */
  leave(): void {
    this.trim();
    this.#pages.hold(() => {
      const words = this.#arena.words;
      words.fill(0, this.#partial, this.#partial + OWN_RUN);
      for (const page of this.#pages.ownedLocked(this.#slot)) {
        // From now on, who frees one of its blocks takes the lock (I2).
        this.#pages.assignLocked(page, CONTEXT_SLOT);
      }
    });
    this.#takeRemote();
    this.#takeStrays();
    this.tell(false);
  }

  /**
   * Takes over all that the pool of a dead thread has left: its pages go to the context, what
   * others have freed of them is free, and so is what was in its hand unless that is linked.
   *
   * It may be done again, should we die in the middle.
   */
  adopt(dead: number, isLinked: (block: Addr) => boolean): void {
    const words = this.#arena.words;
    this.settleHand(dead, isLinked);
    this.#pages.hold(() => {
      for (const page of this.#pages.ownedLocked(dead)) {
        this.#pages.assignLocked(page, CONTEXT_SLOT);
      }
      for (const page of this.#pages.ownedLocked(CONTEXT_SLOT)) {
        if (this.#count(page) === 0) this.#pages.freeLocked(page);
      }
      words.fill(0, slotAt(dead) + SLOT_PARTIAL, slotAt(dead) + SLOT_PARTIAL + OWN_RUN);
    });
    this.#freeTaken(slotAt(dead) + SLOT_TAKEN);
    this.#takeRemote(dead);
    this.tell(true);
  }

  /**
   * Memory was given back, or is taken by less than before for what lies in some lane.
   *
   * @param ours As of `onRelease`.
   */
  tell(ours: boolean): void {
    // A flag: a thread that waits for memory looks again after it has announced itself.
    if (load(this.#arena.words, MEMORY_WANTED) !== 0) this.onRelease(ours);
  }

  /** Frees what a dead thread had in its hand, unless it is linked, or free already. */
  settleHand(dead: number, isLinked: (block: Addr) => boolean): void {
    const words = this.#arena.words;
    const hand = slotAt(dead) + SLOT_HAND;
    const block = words[hand];
    if (block !== 0 && !this.#isElsewhere(block, dead)) {
      if (!isLinked(this.#arena.reach(block)) && !this.#isFree(block, dead)) {
        words[this.#hand] = block; // For a moment it is in both hands.
        words[hand] = 0;
        this.#freeOne(block);
      }
    }
    words[hand] = 0;
  }

  /** Whether a block in a dead thread's hand is still noted as taken, or in another's hand too. */
  #isElsewhere(block: Addr, dead: number): boolean {
    const words = this.#arena.words;
    for (let slot = 0; slot < MAX_SLOTS; slot++) {
      // Of a dead thread it is certain; and what a living one changes now is another block.
      if (peek(words, slotAt(slot) + SLOT_TAKEN) === block) return true;
      if (slot !== dead && peek(words, slotAt(slot) + SLOT_HAND) === block) return true;
    }
    return false;
  }

  #isFree(block: Addr, dead: number): boolean {
    return this.#pages.hold(() => this.#pages.isFreeLocked(block, dead));
  }

  #allocateRun(size: number, leave: number): Addr {
    const run = Math.ceil((size + PAGE_HEAD_WORDS) / PAGE_WORDS);
    let page = this.#pages.allocate(run, leave, OWN_RUN, 1);
    if (page === 0) {
      this.trim();
      this.#takeStrays();
      page = this.#pages.allocate(run, leave, OWN_RUN, 1);
    }
    return page === 0 ? 0 : page + PAGE_HEAD_WORDS;
  }

  /** The slow path: take what others freed, then a new page, then what can be scraped together. */
  #pageWithRoom(sizeClass: number, leave: number): Addr {
    this.#takeRemote();
    const found = this.#arena.words[this.#partial + sizeClass];
    if (found !== 0) return found;
    const run = sizeClass < SMALL.length ? 1 : SPANS[sizeClass - SMALL.length];
    let page = this.#pages.allocate(run, leave, sizeClass);
    if (page === 0) {
      this.trim();
      this.#takeStrays();
      const room = this.#arena.words[this.#partial + sizeClass];
      if (room !== 0) return room;
      page = this.#pages.allocate(run, leave, sizeClass);
      if (page === 0) return 0;
    }
    this.#link(page, sizeClass);
    return page;
  }

  #pop(page: Addr, sizeClass: number): Addr {
    const words = this.#arena.words;
    const size = CLASS_WORDS[sizeClass];
    const freed = words[page + PAGE_FREE];
    const block = freed !== 0 ? freed : words[page + PAGE_FRESH];
    words[this.#hand] = block;
    if (freed !== 0) words[page + PAGE_FREE] = words[block];
    else words[page + PAGE_FRESH] = block + size;
    words[page + PAGE_LIVE] += 1;
    if (words[page + PAGE_FREE] === 0 && !hasFresh(words, page, size)) {
      this.#unlink(page, sizeClass);
    }
    return block;
  }

  #freeOne(at: Addr): void {
    const words = this.#arena.words;
    const page = at & -PAGE_WORDS;
    words[this.#hand] = at;
    // SYNC(owner) observe: see "A race that is handled".
    const owner = load(words, page + PAGE_OWNER);
    if (words[page + PAGE_CLASS] === OWN_RUN) this.#pages.free(page);
    else if (owner === this.#slot) this.#push(page, at);
    else if (owner === CONTEXT_SLOT) this.#freeOfContext(page, at);
    else this.#pushRemote(slotAt(owner) + SLOT_REMOTE, at);
  }

  #freeOfContext(page: Addr, at: Addr): void {
    const words = this.#arena.words;
    this.#pages.hold(() => {
      words[at] = words[page + PAGE_FREE];
      words[page + PAGE_FREE] = at;
      words[this.#hand] = 0;
      if (this.#count(page) === 0) this.#pages.freeLocked(page);
    });
  }

  #pushRemote(remote: Addr, at: Addr): void {
    const words = this.#arena.words;
    for (let head = load(words, remote); ; ) {
      words[at] = head;
      // SYNC(free) publish: our last use of the block is over.
      const seen = swapNoting(words, remote, head, at, this.#hand, 0);
      if (seen === head) return;
      head = seen;
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
    words[this.#hand] = 0;
    if (!hadRoom) this.#link(page, sizeClass);
    // One empty page of a class is kept, so that a block that comes and goes costs no lock.
    const alone = words[this.#partial + sizeClass] === page && words[page + PAGE_NEXT] === 0;
    if (live === 0 && !alone) this.#giveAway(page, sizeClass);
  }

  /** Takes all that lies on the stack of a slot, ours or that of nobody who lives, and frees it. */
  #takeRemote(slot: number = this.#slot): void {
    const words = this.#arena.words;
    const remote = slotAt(slot) + SLOT_REMOTE;
    if (load(words, remote) === 0) return; // Only a look.
    // SYNC(free) observe: those who freed these blocks have done with them.
    exchangeNoting(words, remote, 0, this.#taken);
    this.#freeTaken(this.#taken);
  }

  /** Frees a chain that was taken from a stack; it begins in `taken`. */
  #freeTaken(taken: Addr): void {
    const arena = this.#arena;
    for (let block = arena.words[taken]; block !== 0; block = arena.words[taken]) {
      arena.reach(block);
      const words = arena.words;
      words[this.#hand] = block;
      words[taken] = words[block];
      this.#freeOne(block);
    }
  }

  /** How many blocks of a page are in use, by its free list. */
  #count(page: Addr): number {
    const words = this.#arena.words;
    const sizeClass = words[page + PAGE_CLASS];
    if (sizeClass === OWN_RUN) return words[page + PAGE_LIVE];
    const used = words[page + PAGE_FRESH] - page - PAGE_HEAD_WORDS;
    let live = used / (CLASS_WORDS[sizeClass] as number);
    for (let free = words[page + PAGE_FREE]; free !== 0; free = words[free]) live--;
    return live;
  }

  /** Frees what lies on the stacks of slots that nobody has; see "A race that is handled". */
  #takeStrays(): void {
    // Others may be at it too.
    for (let slot = 0; slot < MAX_SLOTS; slot++) if (this.isFree(slot)) this.#takeRemote(slot);
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
