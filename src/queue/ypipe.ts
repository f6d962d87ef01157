// SPDX-License-Identifier: MIT

import { assert } from "../base/index.ts";
import {
  type Addr,
  type Arena,
  LEAVE_A_LINK,
  LEAVE_A_MOVE,
  LEAVE_NONE,
  load,
  type Pool,
  store,
  swapIf,
  WORD_BYTES,
  type Words,
} from "../memory/index.ts";
import { emptyCell, repairCellWriter } from "./cell.ts";
import {
  CHUNK_HEAD,
  END,
  FIRST_CHUNK_WORDS,
  FLAGS,
  HELD_NEXT,
  LANE_C,
  LANE_CHUNK_SIZE,
  LANE_FREE_AT,
  LANE_FREE_CHUNK,
  LANE_FRONT,
  LANE_HELD,
  LANE_NEXT_CHUNK,
  LANE_NEXT_WRITTEN,
  LANE_PASSED,
  LANE_READER_CHUNK,
  LANE_SLEPT,
  LANE_W,
  LANE_WORDS,
  LANE_WRITER_CHUNK,
  LANE_WRITER_END,
  LANE_WRITTEN,
  LAST_CHUNK_WORDS,
  LENGTH,
  MODEST_CHUNK_WORDS,
  MORE,
  RECORD_HEAD,
  REFERENCE,
  REFERENCE_WORDS,
  recordSize,
  recordWords,
  SHARED,
} from "./layout.ts";

/**
 * ypipe — the lock-free queue of records between one writer thread and one reader thread.
 *
 * Records of any length lie one after the other in chunks of shared memory; the last record of a
 * chunk leads to the next (layout.ts). One shared word, `c`, says how far they may be read. The
 * writer puts records behind it and, when messages are complete, moves `c` past them by one compare
 * and swap; the reader looks at `c` and takes everything before it. A burst costs the same few
 * atomic operations however long it is.
 *
 * The same word carries sleep. A reader that is about to wait swaps `c` to ASLEEP; the writer's
 * next flush sees that and tells its caller to wake the reader. So no wake-up is lost, and none is
 * sent to a reader that is awake.
 *
 * # Roles
 *
 *   YpipeWriter   reserve, flush, wake, shrink    one thread
 *   YpipeReader   run, advance, giveBack, sleep   one thread, commonly another
 *
 * A role can pass to another thread: it starts from the words the last holder left. The end that
 * had it has then left the pipe, in a state word that the next one has read (pipe/link.ts).
 *
 * # Memory
 *
 * Three rows, drawn in layout.ts. `w` and `front` are private to their threads while those live;
 * they are in shared memory for the next holder of the role. `front` there is behind the reader's
 * own by what has been taken and not given back yet (`giveBack`).
 *
 *      . . . .|============|============|============|- - - - - - - -
 *             front        known        w = c        position
 *              taken        in flight    complete     unfinished
 *
 * A position is the address of a record. Addresses are even and past the header, so 1 can be
 * ASLEEP.
 *
 * A lane that was drained still has a chunk, for the next record; it may be a large one. Where
 * memory is wanted the writer goes on in the least chunk (`shrink`) and shows that, so that the
 * reader can leave the large one and free it. So there may be records to pass and no message.
 *
 * # Invariants
 *
 *   I1  In queue order front ≤ known ≤ c ≤ position, and w = c, unless c is ASLEEP.
 *   I2  Only the reader writes ASLEEP, and only where front = c: a sleeping pipe has been drained.
 *   I3  Only the writer replaces ASLEEP, and the flush that does so returns false: each sleep is
 *       answered by exactly one wake-up. (`wake` is a flush of what is in the cell: cell.ts.)
 *   I4  Records from c on are invisible to the reader: half a message cannot be read.
 *   I5  Chunks and bodies are freed by the reader, after `front` has moved past them.
 *   I6  A message lies in one chunk, in one piece, so that a reader can leave all of it in the pipe
 *       until it has handed it out.
 *
 * # Synchronisation
 *
 *   SYNC(flush)   writer's swap w → position  ⇒ reader's load or swap of c   records, chunk links
 *   SYNC(sleep)   reader's swap → ASLEEP      ⇒ writer's failed swap         it will be waiting
 *
 * # Why there is no ABA problem
 *
 * `c` can come back to a number it had, when a chunk is used again. The reader compares it with
 * `front`, which lies in a chunk that the reader has not left, so the writer cannot be filling it
 * anew (I5).
 *
 * # If a thread dies
 *
 * The words say what it was about, and who mourns it finishes that or takes it back, so that the
 * role can pass to another thread, or the pipe be freed (`repairWriter`, `repairReader`):
 *
 *   A writer notes in which chunk it is (`next chunk`) and how many messages there will be (`next
 *   written`), moves `c`, and then notes that it has (`written`, `w`). If `c` is not `w`, the flush
 *   is finished; the reader may have freed by then what it has shown. If it is, what was written is
 *   not shown, and the blocks it took since the last flush are freed: they lead from one to the
 *   next, beginning in `held`.
 *
 *   A reader notes from where on it gives back (`free at`, `free chunk`), moves `front`, and then
 *   frees the chunks and bodies between the two, one by one, moving `free at` along. Of a body that
 *   is in other lanes, too, it gives up its part (memory/owners.ts).
 *
 * A reader that has gone to sleep has left `c` in `slept`.
 *
 * From libzmq's ypipe and yqueue, with records of variable length and roles as types; and looking
 * does not put the pipe to sleep: a reader that polls costs the writer no wake-ups.
 */
const ASLEEP = 1;
/** How much is claimed at a time, and how it is stepped through: 1 KiB, by lines of 64 bytes. */
const CLAIM_WORDS = 256;
const LINE_WORDS = 16;

/** Makes an empty ypipe of the words at `at`. False if there is no memory for its first chunk. */
export function createYpipe(
  arena: Arena,
  pool: Pool,
  at: Addr,
  leave: number = LEAVE_NONE,
): boolean {
  arena.words.fill(0, at, at + LANE_WORDS);
  const chunk = pool.allocate(FIRST_CHUNK_WORDS, leave);
  if (chunk === 0) return false;
  const words = arena.words;
  const size = pool.sizeOf(chunk);
  words[chunk] = size;
  words[at + LANE_C] = chunk + CHUNK_HEAD;
  words[at + LANE_W] = chunk + CHUNK_HEAD;
  words[at + LANE_WRITER_CHUNK] = chunk;
  words[at + LANE_WRITER_END] = chunk + size;
  words[at + LANE_CHUNK_SIZE] = size;
  words[at + LANE_FRONT] = chunk + CHUNK_HEAD;
  words[at + LANE_READER_CHUNK] = chunk;
  pool.keep();
  return true;
}

/** Frees all that a ypipe holds but its own words. Nobody may have a role of it. */
export function destroyYpipe(arena: Arena, pool: Pool, at: Addr): void {
  arena.refresh();
  const words = arena.words;
  emptyCell(arena, pool, at);
  if (words[at + LANE_READER_CHUNK] === 0) return; // Nothing is left, or was ever made.
  repairReader(arena, pool, at);
  passTo(words, at, shownUpTo(words, at));
  freePassed(arena, pool, at);
  const last = words[at + LANE_READER_CHUNK];
  pool.hold(last);
  words[at + LANE_READER_CHUNK] = 0;
  pool.free(last);
}

/** Up to where records are shown, whether the reader sleeps or not. */
export function shownUpTo(words: Words, lane: Addr): Addr {
  // SYNC(flush) observe: the records before it.
  const c = load(words, lane + LANE_C);
  return c === ASLEEP ? words[lane + LANE_SLEPT] : c;
}

/** How many messages a writer has shown that is dead, or does not write now. */
export function shownBy(words: Words, lane: Addr): number {
  const isNoted = shownUpTo(words, lane) === words[lane + LANE_W];
  return words[lane + (isNoted ? LANE_WRITTEN : LANE_NEXT_WRITTEN)];
}

/** Moves `front`, and notes from where on blocks are to be freed. */
export function passTo(words: Words, lane: Addr, front: Addr): void {
  words[lane + LANE_FREE_CHUNK] = words[lane + LANE_READER_CHUNK];
  words[lane + LANE_FREE_AT] = words[lane + LANE_FRONT];
  words[lane + LANE_FRONT] = front;
}

/** Frees the chunks and bodies that `front` has passed. It may be done again after a death. */
function freePassed(arena: Arena, pool: Pool, lane: Addr): void {
  const words = arena.words;
  const end = words[lane + LANE_FRONT];
  let chunk = words[lane + LANE_FREE_CHUNK];
  let at = words[lane + LANE_FREE_AT];
  // A death between the two stores below.
  if (at <= chunk || at >= chunk + words[chunk]) at = chunk + CHUNK_HEAD;
  while (at !== end) {
    const flags = words[at + FLAGS];
    if ((flags & END) !== 0) {
      const left = chunk;
      pool.hold(left);
      chunk = words[at + LENGTH];
      at = chunk + CHUNK_HEAD;
      words[lane + LANE_PASSED] = (words[lane + LANE_PASSED] + 1) | 0;
      words[lane + LANE_FREE_CHUNK] = chunk;
      words[lane + LANE_FREE_AT] = at;
      pool.free(left);
    } else if ((flags & REFERENCE) !== 0) {
      const body = words[at + RECORD_HEAD];
      at += REFERENCE_WORDS;
      if ((flags & SHARED) !== 0) pool.release(body, 1, lane + LANE_FREE_AT, at);
      else {
        pool.hold(body);
        words[lane + LANE_FREE_AT] = at;
        pool.free(arena.reach(body));
      }
    } else at += recordWords(words[at + LENGTH]);
  }
  words[lane + LANE_READER_CHUNK] = chunk;
  words[lane + LANE_FREE_AT] = 0;
}

/** Finishes or takes back what a dead writer was about. Nobody else may have its role. */
export function repairWriter(arena: Arena, pool: Pool, lane: Addr): void {
  arena.refresh();
  const words = arena.words;
  const shown = shownUpTo(words, lane);
  if (shown !== words[lane + LANE_W]) {
    const chunk = words[lane + LANE_NEXT_CHUNK]; // The reader is not past it.
    words[lane + LANE_WRITER_CHUNK] = chunk;
    words[lane + LANE_WRITER_END] = chunk + words[chunk];
    words[lane + LANE_HELD] = 0;
    words[lane + LANE_WRITTEN] = words[lane + LANE_NEXT_WRITTEN];
    words[lane + LANE_W] = shown;
  }
  for (let at = words[lane + LANE_HELD]; at !== 0; at = words[lane + LANE_HELD]) {
    pool.hold(at);
    words[lane + LANE_HELD] = words[at + HELD_NEXT];
    pool.free(at);
  }
  repairCellWriter(arena, pool, lane);
}

/** Finishes what a dead reader was giving back. Nobody else may have its role. */
export function repairReader(arena: Arena, pool: Pool, lane: Addr): void {
  arena.refresh();
  if (arena.words[lane + LANE_FREE_AT] === 0) return;
  pool.settleOwners(); // Before that `free at` may say too much.
  freePassed(arena, pool, lane);
}

/** The role that puts records in. */
export class YpipeWriter {
  protected readonly arena: Arena;
  protected readonly pool: Pool;
  readonly lane: Addr;
  #position: Addr;
  /** Where records of this chunk must end: the record that leads to the next chunk fits behind. */
  #limit: Addr;
  /** Up to here the cache lines have been asked for; at most #limit. */
  #claimed: Addr;
  #chunk: Addr;
  #bytes: Uint8Array | undefined;
  #w: Addr;
  /** Whether blocks were taken since the last flush. */
  #holds = false;
  /** How many messages were written, as the lane counts them (pipe/writer.ts). */
  protected written: number;

  constructor(arena: Arena, pool: Pool, at: Addr) {
    arena.refresh();
    const words = arena.words;
    this.arena = arena;
    this.pool = pool;
    this.lane = at;
    this.written = words[at + LANE_WRITTEN];
    this.#w = words[at + LANE_W];
    this.#position = this.#w;
    this.#chunk = words[at + LANE_WRITER_CHUNK];
    words[at + LANE_NEXT_CHUNK] = this.#chunk;
    this.#limit = words[at + LANE_WRITER_END] - RECORD_HEAD;
    this.#claimed = this.#position;
  }

  /**
   * Room for all records of a message, of so many words together; 0 if the arena is at its maximum.
   *
   * The caller fills all of it before it flushes, or reserves again.
   *
   * @param leave How many pages of memory are to stay free (pages.ts). Default: `mustLeave`.
   */
  reserve(size: number, leave?: number): Addr {
    const at = this.#position;
    if (at + size > this.#claimed && !this.#claim(size, leave)) return 0;
    const from = this.#position;
    this.#position = from + size;
    return from;
  }

  /**
   * The bytes of the chunk that records were reserved in last. Through it no other memory can be
   * spoilt; and what is behind those records will be written anew.
   */
  protected get bytes(): Uint8Array {
    const { buffer, words } = this.arena;
    const chunk = this.#chunk;
    this.#bytes ??= new Uint8Array(buffer, chunk * WORD_BYTES, words[chunk] * WORD_BYTES);
    return this.#bytes;
  }

  /** Where an address is there. */
  protected offsetOf(at: Addr): number {
    return (at - this.#chunk) * WORD_BYTES;
  }

  /**
   * Shows every record to the reader.
   *
   * @returns false if the reader is asleep: the caller must then wake it.
   */
  flush(): boolean {
    const position = this.#position;
    const w = this.#w;
    if (w === position) return true;
    const words = this.arena.words;
    const at = this.lane;
    words[at + LANE_NEXT_WRITTEN] = this.written;

    // SYNC(flush) publish: the records before position, and the chunk links that lead to them.
    const seen = swapIf(words, at + LANE_C, w, position);
    const awake = seen === w;
    if (!awake) {
      // SYNC(sleep) observe: by I1 it could be nothing else, and nobody else writes c now (I2, I3).
      assert(seen === ASLEEP, "c is w or ASLEEP (I1)");
      // SYNC(flush) publish: as above; a store will do.
      store(words, at + LANE_C, position);
    }
    if (this.#holds) this.#letGo();
    words[at + LANE_WRITTEN] = this.written;
    words[at + LANE_W] = position;
    this.#w = position;
    return awake;
  }

  /** Wakes a reader that sleeps although nothing was written. False if the caller must do it. */
  protected wake(): boolean {
    const words = this.arena.words;
    // SYNC(sleep) observe: whether it waits. If so, nobody else writes c now (I2, I3).
    if (load(words, this.lane + LANE_C) !== ASLEEP) return true;
    store(words, this.lane + LANE_C, this.#w);
    return false;
  }

  /**
   * Goes on in the least chunk, unless this is one, on the lowest page that can be. All is shown,
   * and so is this by the next flush.
   *
   * @returns whether there is a chunk to be left by the reader.
   */
  protected shrink(): boolean {
    const { pool } = this;
    const before = this.#chunk;
    const chunk =
      pool.sizeOf(before) > FIRST_CHUNK_WORDS
        ? pool.allocate(FIRST_CHUNK_WORDS, LEAVE_A_LINK)
        : pool.allocateBelow(before, FIRST_CHUNK_WORDS, LEAVE_A_LINK);
    if (chunk === 0) return false;
    this.arena.words[chunk] = pool.sizeOf(chunk);
    this.#enter(chunk);
    this.#claimed = this.#position;
    return true;
  }

  /** Notes that a block, which is in our hand, is the lane's, should we die before the flush. */
  protected take(block: Addr): void {
    const words = this.arena.words;
    words[block + HELD_NEXT] = words[this.lane + LANE_HELD];
    words[this.lane + LANE_HELD] = block;
    this.pool.keep();
    this.#holds = true;
  }

  /** Frees the block that was taken last. It was not used. */
  protected untake(): void {
    const words = this.arena.words;
    const block = words[this.lane + LANE_HELD];
    this.pool.hold(block);
    words[this.lane + LANE_HELD] = words[block + HELD_NEXT];
    this.pool.putBack(block);
  }

  /** All that was taken is shown. */
  #letGo(): void {
    const words = this.arena.words;
    words[this.lane + LANE_WRITER_CHUNK] = this.#chunk;
    words[this.lane + LANE_WRITER_END] = this.#limit + RECORD_HEAD;
    words[this.lane + LANE_HELD] = 0;
    this.#holds = false;
  }

  /**
   * Asks for the cache lines of the next records, of so many words at least. Their last reader has
   * them. Each atomic operation waits for all stores before it; so asking for one line a message
   * costs a journey between the cores a message, and for many at a time, one.
   */
  #claim(size: number, leave: number | undefined): boolean {
    if (this.#position + size > this.#limit && !this.#goOn(size, leave)) return false;
    const { words } = this.arena;
    const from = this.#position;
    this.#claimed = Math.min(from + Math.max(size, CLAIM_WORDS), this.#limit);
    for (let at = from; at < this.#claimed; at += LINE_WORDS) words[at] = 0;
    return true;
  }

  /** Goes on in a new chunk with room for so many words. False if there is no memory for it. */
  #goOn(size: number, leave: number | undefined): boolean {
    const left = leave ?? this.mustLeave;
    if (left === undefined) return false;
    const words = this.arena.words[this.#chunk];
    const chunk = this.#newChunk(CHUNK_HEAD + size + RECORD_HEAD, left);
    if (chunk === 0) return false;
    this.#enter(chunk);
    this.leftChunk(words);
    return true;
  }

  /** How many pages of memory a message is to leave free; undefined: it gets none at all. */
  get mustLeave(): number | undefined {
    return LEAVE_A_MOVE;
  }

  /** A chunk of so many words is the reader's alone: it frees it when it comes to the next. */
  protected leftChunk(_words: number): void {}

  /** Goes on in a chunk that is in our hand. */
  #enter(chunk: Addr): void {
    const words = this.arena.words;
    this.take(chunk);
    words[this.#position + LENGTH] = chunk;
    words[this.#position + FLAGS] = END;
    words[this.lane + LANE_CHUNK_SIZE] = words[chunk];
    words[this.lane + LANE_NEXT_CHUNK] = chunk;
    this.#chunk = chunk;
    this.#bytes = undefined;
    this.#limit = chunk + words[chunk] - RECORD_HEAD;
    this.#position = chunk + CHUNK_HEAD;
  }

  /** A chunk of at least so many words, twice as large as the last if that can be; 0 if none. */
  #newChunk(least: number, leave: number): Addr {
    const before = this.arena.words[this.lane + LANE_CHUNK_SIZE];
    const wanted = Math.max(least, Math.min(2 * before, LAST_CHUNK_WORDS));
    let chunk = this.pool.allocate(wanted, Math.max(leave, LEAVE_A_MOVE));
    // Little is left: be modest. A chunk shall still hold several messages, where it can.
    if (chunk === 0) chunk = this.pool.allocate(Math.max(least, MODEST_CHUNK_WORDS), leave);
    if (chunk === 0) chunk = this.pool.allocate(least, leave);
    if (chunk !== 0) this.arena.words[chunk] = this.pool.sizeOf(chunk);
    return chunk;
  }
}

/** The role that takes records out. */
export class YpipeReader {
  protected readonly arena: Arena;
  protected readonly pool: Pool;
  protected readonly lane: Addr;
  #front: Addr;
  #known: Addr;
  #chunk: Addr;
  #chunkEnd: Addr;
  /** Whether blocks have been passed that were not given back. */
  protected passed = false;

  constructor(arena: Arena, pool: Pool, at: Addr) {
    arena.refresh();
    const words = arena.words;
    this.arena = arena;
    this.pool = pool;
    this.lane = at;
    this.#front = words[at + LANE_FRONT];
    // The last reader may have slept on what it had taken and not given back.
    this.#known = arena.reach(shownUpTo(words, at));
    this.#chunk = words[at + LANE_READER_CHUNK];
    this.#chunkEnd = this.#chunk + words[this.#chunk];
  }

  /** The address of the first record that has not been taken. */
  get front(): Addr {
    return this.#front;
  }

  /** Whether a record can be taken. Looking does not put the pipe to sleep. */
  get ready(): boolean {
    return this.run() > 0;
  }

  /** Whether something was seen there that was not taken. */
  get isAhead(): boolean {
    return this.#front !== this.#known;
  }

  /** Whether anything was shown, be it only that the writer has gone on in another chunk. */
  #look(): boolean {
    if (this.isAhead) return true;
    // SYNC(flush) observe: take all that was flushed so far, in one step.
    const c = load(this.arena.words, this.lane + LANE_C);
    if (c === ASLEEP || c === this.#front) return false;
    this.#known = this.arena.reach(c);
    return true;
  }

  /**
   * How many words of records lie from `front` on in one piece; 0 if there is none.
   *
   * If the records go on in another chunk, the piece ends somewhere behind a record END.
   */
  run(): number {
    if (!this.#look()) return 0;
    const known = this.#known;
    while ((this.arena.words[this.#front + FLAGS] & END) !== 0) {
      this.#nextChunk();
      if (this.#front === known) return 0; // What lies there is not shown.
    }
    const here = known > this.#chunk && known <= this.#chunkEnd;
    return (here ? known : this.#chunkEnd) - this.#front;
  }

  /** How many words the records of the next message take together; 0 if there is none. */
  get nextSize(): number {
    if (this.run() === 0) return 0;
    const words = this.arena.words;
    let at = this.#front;
    for (let more = true; more; ) {
      more = (words[at + FLAGS] & MORE) !== 0;
      at += recordSize(words, at);
    }
    return at - this.#front;
  }

  /**
   * Everything before `to` has been taken.
   *
   * @param bodies Whether among it are bodies that have blocks of their own.
   */
  advance(to: Addr, bodies = false): void {
    this.#front = to;
    if (bodies) this.passed = true;
  }

  /**
   * Gives back what was taken, up to a record: the next holder of the role, if there is one, begins
   * there.
   */
  giveBack(to: Addr = this.#front): void {
    const words = this.arena.words;
    if (!this.passed) {
      words[this.lane + LANE_FRONT] = to;
      return;
    }
    passTo(words, this.lane, to);
    freePassed(this.arena, this.pool, this.lane);
    this.passed = to !== this.#front;
  }

  /**
   * Puts the pipe to sleep: the writer's next flush will ask its caller to wake us.
   *
   * @returns false if there is something to take, and then the pipe stays awake.
   */
  sleep(): boolean {
    if (this.isAhead) return false;
    this.arena.words[this.lane + LANE_SLEPT] = this.#front;
    // SYNC(sleep) publish, if c = front: our thread will be waiting, or look again.
    // SYNC(flush) observe, if not: there are records.
    const seen = swapIf(this.arena.words, this.lane + LANE_C, this.#front, ASLEEP);
    if (seen === this.#front || seen === ASLEEP) return true;
    this.#known = this.arena.reach(seen);
    return false;
  }

  /** Leaves a chunk for the one that the record END at `front` leads to. */
  #nextChunk(): void {
    const next = this.arena.reach(this.arena.words[this.#front + LENGTH]);
    const words = this.arena.words;
    this.#chunk = next;
    this.#chunkEnd = next + words[next];
    if (this.#chunkEnd >= words.length) this.arena.refresh();
    this.advance(next + CHUNK_HEAD, true);
  }
}
