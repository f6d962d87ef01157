// SPDX-License-Identifier: MIT

import {
  type Addr,
  type Arena,
  load,
  type Pool,
  store,
  swapIf,
  type Words,
} from "../memory/index.ts";
import {
  FLAGS,
  LANE_HANDED,
  LANE_LATEST,
  LANE_NEXT_WRITTEN,
  LANE_PUTTING,
  LANE_REPLACED,
  LANE_TAKEN,
  LANE_WRITTEN,
  REDELIVERED,
} from "./layout.ts";

/**
 * cell — the place for one message beside a ypipe, where only the newest counts.
 *
 * The writer makes a block with all records of a message, bodies inside, and swaps it into one
 * shared word, `latest`; what it gets back was never read, and it frees that. The reader swaps the
 * block out, and has it to itself. So neither ever waits for the other, a message is there whole
 * or not at all, and there are at most three: one being written, one in the cell, one being read.
 *
 *      writer:  [ block ] ──swap──▶ latest ──swap──▶ [ block ]  :reader
 *                    freed ◀── what was there
 *
 * Sleep is the ypipe's: the reader swaps `c` to ASLEEP and then looks at the cell once more; the
 * writer swaps the cell and then looks at `c`, and wakes who sleeps (`YpipeWriter.wake`).
 *
 * # Roles
 *
 *   CellWriter   reserve, put     the thread that has the YpipeWriter
 *   CellReader   take, free       the thread that has the YpipeReader
 *
 * # Memory
 *
 *      latest     31 … 2                   1        0
 *               +------------------------+--------+--------+
 *               | block, or 0            | takes  | puts   |   the bits change with each of them
 *               +------------------------+--------+--------+
 *      block    +--------+--------+------------------+- -
 *               | number | size   | record           |         as in a chunk, but none refers to
 *               +--------+--------+------------------+- -      a body elsewhere
 *
 *      putting, replaced    block, and what `puts` is once it is in, or has replaced another
 *      taken                block, and what `takes` is once it is out
 *
 * `number` is how many messages the lane has had written with this one: by it the reader knows how
 * many that it has not read are older. One that replaces another takes over its number, unless that
 * was for somebody else (pipe/addressee.ts).
 *
 * # Invariants
 *
 *   I1  Only the writer puts in, and changes `puts`; only the reader takes out, and changes
 *       `takes`.
 *   I2  What is in the cell is newer than all that is in the ypipe: the writer flushes that before
 *       it puts, and writes nothing there while it does not put and the cell is full
 *       (pipe/writer.ts).
 *   I3  A block is in the cell, or `putting` and not in yet, or `replaced`, or `taken`.
 *
 * # Synchronisation
 *
 *   SYNC(cell)   writer's swap ⇒ reader's swap        the records of the block
 *   SYNC(sleep)  reader's ASLEEP, its load of latest ⇔ writer's swap of latest, its load of c
 *                                                     one of the two sees the other
 *
 * # Why there is no ABA problem
 *
 * A block may be freed, used anew, and be in the cell again between a look and a swap: then it is
 * the newer message that is swapped, and nothing of it had been read. The bits say for certain
 * whether a swap has happened, which the block does not.
 *
 * # If a thread dies
 *
 * Before its swap a thread notes the block, and what its bit will be; if the bit is so, the swap
 * has happened. So whoever mourns it knows whose each block is. A writer's put is finished or taken
 * back. What a dead reader had taken, and not released, goes back into the cell, unless there is a
 * newer one: then it counts as dropped when that is taken, by its number.
 */
const PUTS = 1;
const TAKES = 2;
const BITS: number = PUTS | TAKES;

const NUMBER = 0;
const SIZE = 1;
const CELL_HEAD = 2;

function blockOf(word: number): Addr {
  return word & ~BITS;
}

/** The role that puts messages in. */
export class CellWriter {
  readonly #arena: Arena;
  readonly #pool: Pool;
  readonly #lane: Addr;

  constructor(arena: Arena, pool: Pool, lane: Addr) {
    this.#arena = arena;
    this.#pool = pool;
    this.#lane = lane;
  }

  /** Whether a message is there that has not been taken. */
  get full(): boolean {
    return blockOf(load(this.#arena.words, this.#lane + LANE_LATEST)) !== 0; // Only a look.
  }

  /**
   * Room for all records of a message, of so many words together; 0 if there is no memory. They are
   * to be put in next.
   */
  reserve(size: number): Addr {
    const block = this.#pool.allocate(CELL_HEAD + size);
    if (block === 0) return 0;
    const words = this.#arena.words;
    const puts = load(words, this.#lane + LANE_LATEST) & PUTS; // Nobody else changes it (I1).
    words[this.#lane + LANE_PUTTING] = block | (puts ^ PUTS);
    this.#pool.keep();
    words[block + SIZE] = size;
    return block + CELL_HEAD;
  }

  /**
   * Puts in what was reserved and filled.
   *
   * @param written How many messages were written before, as the lane counts them; and `next` with
   *   this one.
   *   Or `next` twice, if it is not to take over the number of what it replaces.
   * @returns false if it has replaced another, which nobody has read: unless that keeps its number
   *   there are no more messages than before.
   */
  put(written: number, next: number): boolean {
    const words = this.#arena.words;
    const lane = this.#lane;
    const putting = words[lane + LANE_PUTTING];
    const block = blockOf(putting);
    const puts = putting & PUTS;
    let seen = load(words, lane + LANE_LATEST);
    for (;;) {
      const number = blockOf(seen) === 0 ? next : written;
      words[block + NUMBER] = number;
      words[lane + LANE_NEXT_WRITTEN] = number;
      words[lane + LANE_REPLACED] = blockOf(seen) | puts;
      // SYNC(cell) publish: the records. SYNC(sleep) publish: it is there.
      const found = swapIf(words, lane + LANE_LATEST, seen, putting | (seen & TAKES));
      if (found === seen) break;
      seen = found; // The reader has taken what was there.
    }
    words[lane + LANE_WRITTEN] = words[lane + LANE_NEXT_WRITTEN];
    words[lane + LANE_PUTTING] = 0;
    return !freeReplaced(this.#arena, this.#pool, lane);
  }
}

/** The role that takes messages out. */
export class CellReader {
  readonly #arena: Arena;
  readonly #pool: Pool;
  readonly #lane: Addr;

  constructor(arena: Arena, pool: Pool, lane: Addr) {
    this.#arena = arena;
    this.#pool = pool;
    this.#lane = lane;
  }

  /** Whether there is a message. */
  get full(): boolean {
    // SYNC(sleep) observe: it is there, or whoever puts it in will see that we sleep.
    return blockOf(load(this.#arena.words, this.#lane + LANE_LATEST)) !== 0;
  }

  /** Takes the message out: where its records are; 0 if there is none. What was before is freed. */
  take(): Addr {
    const { words } = this.#arena;
    const lane = this.#lane;
    let seen = load(words, lane + LANE_LATEST);
    while (blockOf(seen) !== 0) {
      const empty = (seen & BITS) ^ TAKES;
      words[lane + LANE_TAKEN] = blockOf(seen) | (empty & TAKES);
      // SYNC(cell) observe: the records.
      const found = swapIf(words, lane + LANE_LATEST, seen, empty);
      if (found === seen) return this.#cover(blockOf(seen)) + CELL_HEAD;
      seen = found; // There is a newer one.
    }
    return 0;
  }

  /** The number of what was taken. */
  get number(): number {
    return this.#arena.words[blockOf(this.#arena.words[this.#lane + LANE_TAKEN]) + NUMBER];
  }

  /** Frees what was taken. */
  free(): void {
    freeTaken(this.#arena, this.#pool, this.#lane);
  }

  /** Makes sure that our views cover a block. */
  #cover(block: Addr): Addr {
    this.#arena.reach(block);
    this.#arena.reach(block + this.#arena.words[block + SIZE] + CELL_HEAD - 1);
    return block;
  }
}

/** Frees what a put has replaced. False if it has replaced nothing. */
function freeReplaced(arena: Arena, pool: Pool, lane: Addr): boolean {
  const words = arena.words;
  const block = blockOf(words[lane + LANE_REPLACED]);
  if (block !== 0) pool.hold(arena.reach(block));
  words[lane + LANE_REPLACED] = 0;
  if (block !== 0) pool.free(block);
  return block !== 0;
}

function freeTaken(arena: Arena, pool: Pool, lane: Addr): void {
  const block = blockOf(arena.words[lane + LANE_TAKEN]);
  pool.hold(arena.reach(block));
  arena.words[lane + LANE_TAKEN] = 0;
  pool.free(block);
}

/** The block that is taken, if the swap that takes it has happened; else 0. */
function takenBlock(words: Words, lane: Addr): Addr {
  const taken = words[lane + LANE_TAKEN];
  // The reader's bit, and it is gone: nobody changes it now.
  const happened = ((load(words, lane + LANE_LATEST) ^ taken) & TAKES) === 0;
  return happened ? blockOf(taken) : 0;
}

/** Finishes or takes back what a dead writer was putting in. It may be done again. */
export function repairCellWriter(arena: Arena, pool: Pool, lane: Addr): void {
  const words = arena.words;
  const putting = words[lane + LANE_PUTTING];
  if (putting !== 0) {
    // The writer's bit, and it is gone: nobody changes it now.
    if (((load(words, lane + LANE_LATEST) ^ putting) & PUTS) === 0) {
      words[lane + LANE_WRITTEN] = words[lane + LANE_NEXT_WRITTEN];
      words[lane + LANE_PUTTING] = 0;
    } else {
      words[lane + LANE_REPLACED] = 0; // It has replaced nothing yet.
      pool.hold(blockOf(putting));
      words[lane + LANE_PUTTING] = 0;
      pool.free(blockOf(putting));
    }
  }
  freeReplaced(arena, pool, lane);
}

/**
 * Settles what a reader, which is gone, has taken: it is put back, unless it was released, or there
 * is a newer one by now. It may be done again.
 *
 * @param read How many messages have been released, as the lane counts them.
 */
export function repairCellReader(arena: Arena, pool: Pool, lane: Addr, read: number): void {
  const block = takenBlock(arena.words, lane);
  if (block === 0) {
    arena.words[lane + LANE_TAKEN] = 0;
    return;
  }
  arena.reach(block);
  const words = arena.words;
  if (((read - words[block + NUMBER]) | 0) < 0) {
    if (words[lane + LANE_HANDED] === block + CELL_HEAD) {
      words[block + CELL_HEAD + FLAGS] |= REDELIVERED;
      words[lane + LANE_HANDED] = 0;
    }
    let seen = load(words, lane + LANE_LATEST);
    while (blockOf(seen) === 0) {
      // SYNC(cell) publish: as it was. With the bit, what is noted holds no longer.
      const found = swapIf(words, lane + LANE_LATEST, seen, block | (seen ^ TAKES));
      if (found === seen) {
        words[lane + LANE_TAKEN] = 0;
        return;
      }
      seen = found;
    }
  }
  freeTaken(arena, pool, lane);
}

/** Frees what is in the cell. Nobody may have a role of it. It may be done again. */
export function emptyCell(arena: Arena, pool: Pool, lane: Addr): void {
  const words = arena.words;
  const latest = load(words, lane + LANE_LATEST);
  const block = blockOf(latest);
  if (block === 0) return;
  pool.hold(arena.reach(block));
  store(words, lane + LANE_LATEST, latest & BITS);
  pool.free(block);
}

/** Whether a block is one that a dead writer was putting in, or had replaced. */
export function isPut(words: Words, lane: Addr, block: Addr): boolean {
  const putting = words[lane + LANE_PUTTING];
  const replaced = words[lane + LANE_REPLACED];
  const puts = load(words, lane + LANE_LATEST) & PUTS; // Nobody changes it now.
  if (blockOf(putting) === block) return (putting & PUTS) !== puts;
  return blockOf(replaced) === block && (replaced & PUTS) === puts;
}

/** Whether a block is in the cell, or a dead reader has taken it from there. */
export function isTaken(words: Words, lane: Addr, block: Addr): boolean {
  // Only a look: of a block that a dead thread had in its hand it is certain.
  if (blockOf(load(words, lane + LANE_LATEST)) === block) return true;
  return takenBlock(words, lane) === block;
}
