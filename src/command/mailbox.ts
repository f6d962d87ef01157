// SPDX-License-Identifier: MIT

import { type Addr, type Arena, exchange, load, notify, peek, swapIf } from "../memory/index.ts";
import { BLOCK_NEXT } from "./command.ts";

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
 *   SYNC(push)   sender's swap         ⇒ owner's exchange          the block's link
 *   SYNC(doze)   owner's swap EMPTY    ⇒ sender's swap from ASLEEP the owner saw nothing; it is or
 *                → ASLEEP                                          will be waiting
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
 * A sender that died between setting a bit and pushing leaves a block that nobody pushes, so who
 * does the dead thread's leaving posts to each of its peers anew. One that died between replacing
 * ASLEEP and waking leaves an owner asleep whom nobody wakes: who pushes later does not find ASLEEP
 * (I3). So who does the leaving also notifies each peer's mailbox, whatever it finds there.
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

  constructor(arena: Arena, head: Addr) {
    this.#arena = arena;
    this.head = head;
  }

  /** Whether a block has come. */
  get hasMail(): boolean {
    return peek(this.#arena.words, this.head) > ASLEEP; // A hint; who waits asks doze().
  }

  /** Takes all blocks there are and appends them to `blocks`, oldest first. */
  take(blocks: Addr[]): void {
    // SYNC(push) observe: only whether there is a block.
    if (load(this.#arena.words, this.head) <= ASLEEP) return;
    // SYNC(push) observe: the blocks' links.
    let block = exchange(this.#arena.words, this.head, EMPTY);
    const from = blocks.length;
    while (block > ASLEEP) {
      this.#arena.reach(block);
      blocks.push(block);
      block = this.#arena.words[block + BLOCK_NEXT];
    }
    for (let low = from, high = blocks.length - 1; low < high; low++, high--) {
      const swapped = blocks[low] as Addr;
      blocks[low] = blocks[high] as Addr;
      blocks[high] = swapped;
    }
  }

  /** Announces sleep: from now on, who pushes will notify. False if a block has come before. */
  doze(): boolean {
    // SYNC(doze) publish: nothing has come; we are about to wait.
    return swapIf(this.#arena.words, this.head, EMPTY, ASLEEP) <= ASLEEP;
  }
}
