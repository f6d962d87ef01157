// SPDX-License-Identifier: MIT

import {
  type Addr,
  type Arena,
  DEATHS,
  load,
  notify,
  or,
  peek,
  store,
  swapIf,
} from "../memory/index.ts";
import { BLOCK_BITS, BLOCK_NEXT, TAKEN } from "./command.ts";

/**
 * mailbox — where a thread's commands arrive, from every thread, in order.
 *
 * One word, the head of the slot, holds the whole state:
 *
 *      head = EMPTY     nothing has come          the thread is running
 *      head = ASLEEP    nothing has come          the thread waits, or will, on this very word
 *      head = address   newest block, linked      others follow through `next`
 *                       to older ones
 *
 *        head ─▶ [ 3rd ] ─▶ [ 2nd ] ─▶ [ 1st ] ─▶ EMPTY          pushed one by one,
 *        take ─▶ [ 1st ] ─▶ [ 2nd ] ─▶ [ 3rd ]                   taken whole and reversed
 *
 * libzmq guards a ypipe with a mutex here. We cannot: a page's main thread must not wait for a
 * lock, and a terminated worker would keep one for ever. A stack needs one swap to push, and its
 * states before and after are both good.
 *
 * # Roles
 *
 *   post           any thread
 *   take, doze     the owner of the slot
 *
 * # Invariants
 *
 *   I1  Blocks are received in the order of their successful swaps.
 *   I2  ASLEEP is written by the owner alone, and only over EMPTY: it never sleeps on a command.
 *   I3  Of the threads that find ASLEEP exactly one succeeds in replacing it, and that one wakes.
 *
 * # Synchronisation
 *
 *   SYNC(push)   sender's swap         ⇒ owner's load, or swap     the block's link
 *   SYNC(doze)   owner's swap EMPTY    ⇒ sender's swap from ASLEEP the owner saw nothing; it is or
 *                → ASLEEP                                          will be waiting
 *   SYNC(death)  mourner's count of DEATHS ⇒ owner's load          the dead thread pushes no more;
 *                                                                  counted before the nudge
 *
 * # The race that is not there
 *
 * A block comes just after take() found nothing and just before the thread sleeps: then doze()
 * fails. If it comes after doze() but before the thread is suspended, the wait finds that the word
 * is no longer ASLEEP and returns at once.
 *
 * # If a thread dies
 *
 * Between reading the head and swapping it, a sender has changed nothing but its own block's link.
 * One that died between replacing ASLEEP and waking leaves an owner asleep whom nobody wakes: who
 * pushes later does not find ASLEEP (I3). So who mourns a thread notifies all mailboxes (`nudge`).
 *
 * An owner marks each block as TAKEN while it is still on the stack; so a block that was pushed is
 * on the stack or marked, and who withdraws a dead owner's blocks need not wait for it. Whoever
 * does that is then the owner: it takes what is on the stack before any of it can be freed.
 */
const EMPTY = 0;
export const ASLEEP = 1;

/** Pushes a block on the mailbox whose word is `head`. It belongs to the receiver from here on. */
export function push(arena: Arena, head: Addr, block: Addr): void {
  const words = arena.words;
  let seen = load(words, head);
  for (;;) {
    words[block + BLOCK_NEXT] = seen === ASLEEP ? EMPTY : seen;
    // SYNC(push) publish: the block's link.
    // SYNC(doze) observe: exactly one sender finds ASLEEP, and that one wakes the owner (I3).
    const found = swapIf(words, head, seen, block);
    if (found === seen) break;
    seen = found;
  }
  if (seen === ASLEEP) notify(words, head);
}

/** The owner's side of a mailbox. */
export class Mailbox {
  readonly #arena: Arena;
  /** The word that a sleeping owner waits on; it is then {@link ASLEEP}. */
  readonly head: Addr;
  /** How many deaths the owner has heard of. */
  deaths: number;

  constructor(arena: Arena, head: Addr) {
    this.#arena = arena;
    this.head = head;
    this.deaths = load(arena.words, DEATHS); // Of those before, nothing can be on its way to us.
  }

  /** Whether a block has come, or a thread has died. */
  get hasMail(): boolean {
    const { words } = this.#arena;
    // Hints; who waits asks doze().
    return peek(words, this.head) > ASLEEP || peek(words, DEATHS) !== this.deaths;
  }

  /** Takes all blocks there are and appends them to `blocks`, oldest first. */
  take(blocks: Addr[]): void {
    const { words } = this.#arena;
    // SYNC(push) observe: the block's link.
    for (let head = load(words, this.head), marked = EMPTY; head > ASLEEP; ) {
      const newest = blocks.length;
      for (let block = head; block > ASLEEP && block !== marked; ) {
        this.#arena.reach(block);
        or(this.#arena.words, block + BLOCK_BITS, TAKEN); // SYNC(post) is of who takes the bits.
        blocks.push(block);
        block = this.#arena.words[block + BLOCK_NEXT];
      }
      reverse(blocks, newest);
      marked = head;
      // SYNC(push) observe: as above, of those that have come meanwhile.
      const found = swapIf(words, this.head, head, EMPTY);
      if (found === head) break;
      head = found;
    }
  }

  /** Leaves the mailbox as new. Of one whose owner is dead, when all its blocks are withdrawn. */
  clear(): void {
    store(this.#arena.words, this.head, EMPTY); // Nobody pushes any more.
  }

  /** Wakes the owner, if it sleeps, to look for what a dead thread had not pushed. */
  nudge(): void {
    // SYNC(doze) observe: it is, or will be, waiting.
    swapIf(this.#arena.words, this.head, ASLEEP, EMPTY);
    // In any case: the dead thread may have replaced ASLEEP, and not have come to the notify.
    notify(this.#arena.words, this.head);
  }

  /**
   * Announces sleep: from now on, who pushes will notify. False if a block has come before, or a
   * thread has died.
   */
  doze(): boolean {
    const { words } = this.#arena;
    // SYNC(doze) publish: nothing has come; we are about to wait.
    if (swapIf(words, this.head, EMPTY, ASLEEP) > ASLEEP) return false;
    // SYNC(death) observe: who counts one from now on finds ASLEEP.
    return load(words, DEATHS) === this.deaths;
  }
}

function reverse(blocks: Addr[], from: number): void {
  for (let low = from, high = blocks.length - 1; low < high; low++, high--) {
    const swapped = blocks[low] as Addr;
    blocks[low] = blocks[high] as Addr;
    blocks[high] = swapped;
  }
}
