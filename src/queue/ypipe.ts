// SPDX-License-Identifier: MIT

import { assert } from "../base/index.ts";
import {
  type Addr,
  type Arena,
  add,
  exchange,
  LEAVE_A_MOVE,
  LEAVE_NONE,
  load,
  type Pool,
  store,
  swapIf,
} from "../memory/index.ts";
import {
  CHUNK_HEAD,
  END,
  FIRST_CHUNK_WORDS,
  FLAGS,
  LANE_C,
  LANE_CHUNK_SIZE,
  LANE_FRONT,
  LANE_READER_CHUNK,
  LANE_SPARE,
  LANE_W,
  LANE_WORDS,
  LANE_WRITER_CHUNK,
  LANE_WRITER_END,
  LAST_CHUNK_WORDS,
  LENGTH,
  MODEST_CHUNK_WORDS,
  MORE,
  RECORD_HEAD,
  REFERENCE,
  recordWords,
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
 *   YpipeWriter   reserve, flush          one thread
 *   YpipeReader   run, advance, sleep     one thread, commonly another
 *
 * A role can pass to another thread: it starts from the words the last holder left. The end that
 * had it has then left the pipe, in a state word that the next one has read (pipe/link.ts).
 *
 * # Memory
 *
 * Three rows, drawn in layout.ts. `w` and `front` are private to their threads while those live;
 * they are in shared memory for the next holder of the role.
 *
 *      . . . .|============|============|============|- - - - - - - -
 *             front        known        w = c        position
 *              taken        in flight    complete     unfinished
 *
 * A position is the address of a record. Addresses are even and past the header, so 1 can be
 * ASLEEP.
 *
 * # Invariants
 *
 *   I1  In queue order front ≤ known ≤ c ≤ position, and w = c, unless c is ASLEEP.
 *   I2  Only the reader writes ASLEEP, and only where front = c: a sleeping pipe has been drained.
 *   I3  Only the writer replaces ASLEEP, and the flush that does so returns false: each sleep is
 *       answered by exactly one wake-up.
 *   I4  Records from c on are invisible to the reader: half a message cannot be read.
 *   I5  A chunk is freed by the reader, after it has left it for the next.
 *   I6  A message lies in one chunk, in one piece, so that a reader can leave all of it in the pipe
 *       until it has handed it out.
 *
 * # Synchronisation
 *
 *   SYNC(flush)   writer's swap w → position  ⇒ reader's load or swap of c   records, chunk links
 *   SYNC(sleep)   reader's swap → ASLEEP      ⇒ writer's failed swap         it will be waiting
 *   SYNC(spare)   reader's swap into spare    ⇒ writer's exchange           the chunk is out of use
 *
 * # Why there is no ABA problem
 *
 * `c` can come back to a number it had, when a chunk is used again. The reader compares it with
 * `front`, which lies in a chunk that the reader has not left, so the writer cannot be filling it
 * anew (I5).
 *
 * # If a thread dies
 *
 * Each change of `c` and `spare` is one atomic step. A dead writer leaves records from c on
 * unreachable, and the chunks they are in; a dead reader leaves `front` at the first record it had
 * not handed out, for it is moved before a message is. Who repairs: the end that frees the pipe.
 *
 * From libzmq's ypipe and yqueue. What differs: records have variable length, roles are types,
 * positions are addresses, and looking does not put the pipe to sleep: a reader that polls costs
 * the writer no wake-ups.
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
  const chunk = pool.allocate(FIRST_CHUNK_WORDS, leave);
  if (chunk === 0) return false;
  const words = arena.words;
  const size = pool.sizeOf(chunk);
  words.fill(0, at, at + LANE_WORDS);
  words[chunk] = size;
  words[at + LANE_C] = chunk + CHUNK_HEAD;
  words[at + LANE_W] = chunk + CHUNK_HEAD;
  words[at + LANE_WRITER_CHUNK] = chunk;
  words[at + LANE_WRITER_END] = chunk + size;
  words[at + LANE_CHUNK_SIZE] = size;
  words[at + LANE_FRONT] = chunk + CHUNK_HEAD;
  words[at + LANE_READER_CHUNK] = chunk;
  return true;
}

/** Frees all that a ypipe holds but its own words. Nobody may have a role of it. */
export function destroyYpipe(arena: Arena, pool: Pool, at: Addr): void {
  arena.refresh();
  const words = arena.words;
  const last = words[at + LANE_W];
  freeRecords(arena, pool, words[at + LANE_FRONT], last, words[at + LANE_READER_CHUNK]);
  freeSpare(arena, pool, at);
}

function freeSpare(arena: Arena, pool: Pool, at: Addr): void {
  // SYNC(spare) observe: the reader has done with it.
  const spare = exchange(arena.words, at + LANE_SPARE, 0);
  if (spare !== 0) pool.free(spare);
}

/** Frees what the records from `from` to `to` refer to, and all chunks from `chunk` on. */
function freeRecords(arena: Arena, pool: Pool, from: Addr, to: Addr, chunk: Addr): void {
  const words = arena.words;
  let current = chunk;
  for (let at = from; at !== to; ) {
    const flags = words[at + FLAGS];
    if ((flags & END) !== 0) {
      const next = words[at + LENGTH];
      pool.free(current);
      current = next;
      at = next + CHUNK_HEAD;
    } else if ((flags & REFERENCE) !== 0) {
      freeBody(arena, pool, words[at + RECORD_HEAD]);
      at += recordWords(8);
    } else {
      at += recordWords(words[at + LENGTH]);
    }
  }
  pool.free(current);
}

/** Gives up one ownership of a body that has a block of its own. */
export function freeBody(arena: Arena, pool: Pool, body: Addr): void {
  arena.reach(body);
  // A counter; the pool's SYNC(free) publishes that our last use is over.
  if (add(arena.words, body, -1) === 1) pool.free(body);
}

/** The role that puts records in. */
export class YpipeWriter {
  protected readonly arena: Arena;
  protected readonly pool: Pool;
  protected readonly lane: Addr;
  #position: Addr;
  /** Where records of this chunk must end: the record that leads to the next chunk fits behind. */
  #limit: Addr;
  /** Up to here the cache lines have been asked for; at most #limit. */
  #claimed: Addr;
  #chunk: Addr;
  #w: Addr;

  constructor(arena: Arena, pool: Pool, at: Addr) {
    arena.refresh();
    const words = arena.words;
    this.arena = arena;
    this.pool = pool;
    this.lane = at;
    this.#w = words[at + LANE_W];
    this.#position = this.#w;
    this.#chunk = words[at + LANE_WRITER_CHUNK];
    this.#limit = words[at + LANE_WRITER_END] - RECORD_HEAD;
    this.#claimed = this.#position;
  }

  /**
   * Room for all records of a message, of so many words together; 0 if the arena is at its maximum.
   *
   * The caller fills all of it before it flushes, or reserves again.
   *
   * @param leave How many pages of memory are to stay free (pages.ts).
   */
  reserve(size: number, leave: number = LEAVE_A_MOVE): Addr {
    const at = this.#position;
    if (at + size > this.#claimed && !this.#claim(size, leave)) return 0;
    const from = this.#position;
    this.#position = from + size;
    return from;
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
    if (words[at + LANE_WRITER_CHUNK] !== this.#chunk) {
      words[at + LANE_WRITER_CHUNK] = this.#chunk;
      words[at + LANE_WRITER_END] = this.#limit + RECORD_HEAD;
    }
    words[at + LANE_W] = position;
    this.#w = position;

    // SYNC(flush) publish: the records before position, and the chunk links that lead to them.
    const seen = swapIf(words, at + LANE_C, w, position);
    if (seen === w) return true;

    // SYNC(sleep) observe: by I1 it could be nothing else, and nobody else writes c now (I2, I3).
    assert(seen === ASLEEP, "c is w or ASLEEP (I1)");
    // SYNC(flush) publish: as above; a store will do.
    store(words, at + LANE_C, position);
    return false;
  }

  /**
   * Asks for the cache lines of the next records, of so many words at least.
   *
   * Their last reader has them. Each atomic operation waits for all stores before it; so asking for
   * one line a message costs a journey between the cores a message, and for many at a time, one.
   */
  #claim(size: number, leave: number): boolean {
    if (this.#position + size > this.#limit && !this.#goOn(size, leave)) return false;
    const { words } = this.arena;
    const from = this.#position;
    this.#claimed = Math.min(from + Math.max(size, CLAIM_WORDS), this.#limit);
    for (let at = from; at < this.#claimed; at += LINE_WORDS) words[at] = 0;
    return true;
  }

  /** Goes on in a new chunk with room for so many words. False if there is no memory for it. */
  #goOn(size: number, leave: number): boolean {
    const chunk = this.#newChunk(CHUNK_HEAD + size + RECORD_HEAD, leave);
    if (chunk === 0) return false;
    const words = this.arena.words;
    words[this.#position + LENGTH] = chunk;
    words[this.#position + FLAGS] = END;
    words[this.lane + LANE_CHUNK_SIZE] = words[chunk];
    this.#chunk = chunk;
    this.#limit = chunk + words[chunk] - RECORD_HEAD;
    this.#position = chunk + CHUNK_HEAD;
    return true;
  }

  /** A chunk of at least so many words, twice as large as the last if that can be; 0 if none. */
  #newChunk(least: number, leave: number): Addr {
    const before = this.arena.words[this.lane + LANE_CHUNK_SIZE];
    const wanted = Math.max(least, Math.min(2 * before, LAST_CHUNK_WORDS));
    // SYNC(spare) observe: the reader has done with it.
    const spare = exchange(this.arena.words, this.lane + LANE_SPARE, 0);
    if (spare !== 0) {
      if (this.arena.words[spare] >= wanted) return spare;
      this.pool.free(spare);
    }
    let chunk = this.pool.allocate(wanted);
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

  constructor(arena: Arena, pool: Pool, at: Addr) {
    arena.refresh();
    const words = arena.words;
    this.arena = arena;
    this.pool = pool;
    this.lane = at;
    this.#front = words[at + LANE_FRONT];
    this.#known = this.#front;
    this.#chunk = words[at + LANE_READER_CHUNK];
    this.#chunkEnd = this.#chunk + words[this.#chunk];
  }

  /** The address of the first record that has not been taken. */
  get front(): Addr {
    return this.#front;
  }

  /** Whether a record can be taken. Looking does not put the pipe to sleep. */
  get ready(): boolean {
    if (this.#front !== this.#known) return true;
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
    if (!this.ready) return 0;
    while ((this.arena.words[this.#front + FLAGS] & END) !== 0) this.#nextChunk();
    const known = this.#known;
    const here = known > this.#chunk && known <= this.#chunkEnd;
    return (here ? known : this.#chunkEnd) - this.#front;
  }

  /** How many words the records of the next message take together; 0 if there is none. */
  get nextSize(): number {
    if (this.run() === 0) return 0;
    const words = this.arena.words;
    let at = this.#front;
    for (let more = true; more; ) {
      const flags = words[at + FLAGS];
      more = (flags & MORE) !== 0;
      at += recordWords((flags & REFERENCE) !== 0 ? 8 : words[at + LENGTH]);
    }
    return at - this.#front;
  }

  /** Frees a chunk that was put by for a writer who does not come any more. */
  freeSpare(): void {
    freeSpare(this.arena, this.pool, this.lane);
  }

  /** Everything before `to` has been taken. */
  advance(to: Addr): void {
    this.#front = to;
    this.arena.words[this.lane + LANE_FRONT] = to;
  }

  /**
   * Puts the pipe to sleep: the writer's next flush will ask its caller to wake us.
   *
   * @returns false if there is something to take, and then the pipe stays awake.
   */
  sleep(): boolean {
    if (this.#front !== this.#known) return false;
    // SYNC(sleep) publish, if c = front: our thread will be waiting, or look again.
    // SYNC(flush) observe, if not: there are records.
    const seen = swapIf(this.arena.words, this.lane + LANE_C, this.#front, ASLEEP);
    if (seen === this.#front || seen === ASLEEP) return true;
    this.#known = this.arena.reach(seen);
    return false;
  }

  /** Leaves a chunk for the one that the record END at `front` leads to. */
  #nextChunk(): void {
    const left = this.#chunk;
    const next = this.arena.reach(this.arena.words[this.#front + LENGTH]);
    const words = this.arena.words;
    this.#chunk = next;
    this.#chunkEnd = next + words[next];
    words[this.lane + LANE_READER_CHUNK] = next;
    this.advance(next + CHUNK_HEAD);
    if (this.#chunkEnd >= words.length) this.arena.refresh();
    // SYNC(spare) publish: the chunk is out of use (I5).
    if (swapIf(words, this.lane + LANE_SPARE, 0, left) !== 0) this.pool.free(left);
  }
}
