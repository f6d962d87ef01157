// SPDX-License-Identifier: MIT

/**
 * layout — where everything is in the arena. Shared memory is a wire format between threads.
 *
 * Numbers are words of 32 bits. A row is 32 words, a pair of cache lines: what two threads write in
 * turn has a row to itself, so that nobody disturbs a third.
 *
 *        0 ┌──────────────────────────────┐
 *          │ header                       │  who we are, counters, three locks
 *      256 ├──────────────────────────────┤
 *          │ buckets                      │  the names: heads of 256 lists (context/names.ts)
 *     1024 ├──────────────────────────────┤
 *          │ slots, 256 × 128             │  one for each thread: mailbox, pool
 *    33792 ├──────────────────────────────┤
 *          │ page table, 1 word a page    │  whose it is
 *          ├──────────────────────────────┤
 *          │ pages of 4096 words (16 KiB) │  up to the end of the arena, which grows
 *          └──────────────────────────────┘
 *
 * Header
 *           +0          +1          +2          +3          +4          +5
 *         +-----------+-----------+-----------+-----------+-----------+-----------+
 *      +0 | magic     | layout    | id        | id        | max pages | max bytes |   written once
 *         +-----------+-----------+-----------+-----------+-----------+-----------+
 *     +32 | state     | deaths    | maximum   | wanted    | spin      | topics    |  Atomics only
 *         +-----------+-----------+-----------+-----------+-----------+-----------+
 *         | listeners |                                         from +38; Atomics only; the log's
 *         +-----------+-----------+-----------+-----------+-----------+-----------+-----------+
 *     +64 | lock      | in use    | search    | first     | run       | word      | pages
 *         +-----------+-----------+-----------+-----------+-----------+-----------+
 *         | scarce    |                         first, run, word: a change of the table under way
 *         +-----------+                                      lock: Atomics; all others under it
 *         +-----------+-----------+
 *     +96 | lock      | doomed    | names                     lock: Atomics; doomed: under it
 *         +-----------+-----------+
 *         +-----------+-----------+-----------+-----------+-----------+
 *    +128 | lock      | place     | before    | block     | count     | owners (owners.ts)
 *         +-----------+-----------+-----------+-----------+-----------+
 *                                                      lock: Atomics; all others under it
 *
 * Slot
 *           +0          +1          +2          +3          +4          +5          +6
 *         +-----------+- -
 *      +0 | head      |                                                   mailbox: Atomics only
 *         +-----------+- -
 *     +32 | remote    |                                                   pool: Atomics only
 *         +-----------+-----------+-----------+-----------+-----------+- -
 *     +64 | state     | claim     | next      | bits      | slot      | object    |
 *         +-----------+-----------+-----------+-----------+-----------+-----------+
 *         | birth     | thread    | parent    | sockets   | wants     | hand      | from +70
 *         +-----------+-----------+-----------+-----------+-----------+-----------+
 *         | taken     | making    |             claim, birth, thread, parent: who has it (slots.ts)
 *         +-----------+-----------+             hand, taken: pool.ts; making: reaper.ts
 *         | sent lo,hi            | received lo,hi        | dropped lo,hi         | from +80; owner
 *         +-----------+-----------+-----------+-----------+-----------+-----------+
 *         | bodies    | left      | next left | showing   | w         |             from +86
 *         +-----------+-----------+-----------+-----------+-----------+
 *                                         what is being published (pipe/publication.ts); owner
 *         +-----------+-----------+-----------+-----------+
 *         | leases    | taking    | front     | leased    |                         from +91
 *         +-----------+-----------+-----------+-----------+
 *                                         what is leased (pipe/leases.ts); owner
 *     +96 | partial, one for each size class                              pool: the slot's owner
 *         +- -
 */

/** Tells our arena from any other shared memory. "TMQ" and a one. */
export const MAGIC_VALUE: number = 0x544d5101 | 0;
/** Changes with any change of the meaning of a shared word. */
export const LAYOUT_VERSION = 10;

export const WORD_BYTES = 4;
export const ROW = 32;

// The header.
export const MAGIC = 0;
export const LAYOUT = 1;
export const ID_LOW = 2;
export const ID_HIGH = 3;
export const MAX_PAGES = 4;
export const MAX_BYTES = 5;
/** 0 while the context is open, 1 once it is terminated. */
export const CONTEXT_STATE: number = ROW;
/** How many threads have died and been mourned. Whoever waits looks at it (command/thread.ts). */
export const DEATHS: number = ROW + 1;
export const MAX_SOCKETS: number = ROW + 2;
/** Whether any thread waits for memory (command/thread.ts). */
export const MEMORY_WANTED: number = ROW + 3;
/** The longest busy wait of a thread, in microseconds. */
export const SPIN: number = ROW + 4;
/** The topics of `sys://log` that anybody wants, a bit each; 0: nobody listens (context/log.ts). */
export const LOG_TOPICS: number = ROW + 5;
/** Changes with every change of who listens to what. */
export const LOG_LISTENERS: number = ROW + 6;
export const PAGES_LOCK: number = 2 * ROW;
export const PAGES_USED: number = 2 * ROW + 1;
export const PAGES_SEARCH: number = 2 * ROW + 2;
export const PAGES_FIRST: number = 2 * ROW + 3;
export const PAGES_RUN: number = 2 * ROW + 4;
export const PAGES_WORD: number = 2 * ROW + 5;
/** 1 from when few pages were left until there are more again. */
export const PAGES_SCARCE: number = 2 * ROW + 6;
export const NAMES_LOCK: number = 3 * ROW;
export const NAMES_DOOMED: number = 3 * ROW + 1;
export const OWNERS_LOCK: number = 4 * ROW;
export const OWNERS_PLACE: number = 4 * ROW + 1;
export const OWNERS_BEFORE: number = 4 * ROW + 2;
export const OWNERS_BLOCK: number = 4 * ROW + 3;
export const OWNERS_COUNT: number = 4 * ROW + 4;

export const BUCKETS = 256;
export const BUCKET_COUNT = 256;

// The slots. Slot 0 belongs to no thread: it is the context's own, and owns what threads leave.
export const SLOTS = 1024;
export const SLOT_WORDS: number = 4 * ROW;
export const MAX_SLOTS = 256;
export const CONTEXT_SLOT = 0;
export const SLOT_HEAD = 0;
export const SLOT_REMOTE: number = ROW;
export const SLOT_STATE: number = 2 * ROW;
export const SLOT_CLAIM: number = 2 * ROW + 1;
export const SLOT_BLOCK: number = 2 * ROW + 2;
export const SLOT_BIRTH: number = 2 * ROW + 6;
export const SLOT_THREAD: number = 2 * ROW + 7;
export const SLOT_PARENT: number = 2 * ROW + 8;
export const SLOT_SOCKETS: number = 2 * ROW + 9;
export const SLOT_WANTS: number = 2 * ROW + 10;
export const SLOT_HAND: number = 2 * ROW + 11;
export const SLOT_TAKEN: number = 2 * ROW + 12;
export const SLOT_MAKING: number = 2 * ROW + 13;
export const SLOT_SENT: number = 2 * ROW + 16;
export const SLOT_RECEIVED: number = 2 * ROW + 18;
export const SLOT_DROPPED: number = 2 * ROW + 20;
export const SLOT_BODIES: number = 2 * ROW + 22;
export const SLOT_LEFT: number = 2 * ROW + 23;
export const SLOT_NEXT_LEFT: number = 2 * ROW + 24;
export const SLOT_SHOWING: number = 2 * ROW + 25;
export const SLOT_SHOWING_W: number = 2 * ROW + 26;
export const SLOT_LEASES: number = 2 * ROW + 27;
export const SLOT_TAKING: number = 2 * ROW + 28;
export const SLOT_TAKING_FRONT: number = 2 * ROW + 29;
/** How much memory its leases keep from others, in words. */
export const SLOT_LEASED: number = 2 * ROW + 30;
export const SLOT_PARTIAL: number = 3 * ROW;

/** Where a slot begins. */
export function slotAt(slot: number): number {
  return SLOTS + slot * SLOT_WORDS;
}

// The pages.
export const PAGE_TABLE: number = SLOTS + MAX_SLOTS * SLOT_WORDS;
export const PAGE_WORDS = 4096;
export const PAGE_BYTES: number = PAGE_WORDS * WORD_BYTES;

// The head of a page, or of a run of pages; see pool.ts.
export const PAGE_OWNER = 0;
export const PAGE_CLASS = 1;
export const PAGE_RUN = 2;
export const PAGE_LIVE = 3;
export const PAGE_FREE = 4;
export const PAGE_FRESH = 5;
export const PAGE_NEXT = 6;
export const PAGE_PREVIOUS = 7;
export const PAGE_HEAD_WORDS: number = ROW;
