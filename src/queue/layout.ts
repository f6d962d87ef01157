// SPDX-License-Identifier: MIT

import { type Addr, ROW, WORD_BYTES, type Words } from "../memory/index.ts";

/**
 * layout — the words of a ypipe, and of what flows through it.
 *
 * Lane: a ypipe, and the counts that the pipe above keeps for the same two threads
 *           +0       +1       +2       +3       +4       +5       +6
 *         +--------+--------+
 *      +0 | c      | latest |                              both: Atomics only; latest: cell.ts
 *         +--------+--------+--------+--------+--------+--------+--------+
 *     +32 | w      | chunk  | end    | size   | written| wakeAt | limit  |
 *         +--------+--------+--------+--------+--------+--------+--------+
 *          writer: plain                                Atomics  the reader's, seldom: Atomics
 *         +--------+--------+--------+--------+--------+
 *     +39 | held   |next wr.| sent   | swapped|next ch.|  for the case of a death (ypipe.ts);
 *         +--------+--------+--------+--------+--------+  of the writer
 *     +44 | putting|replaced|                              likewise, of a cell (cell.ts)
 *         +--------+--------+
 *         +--------+--------+--------+
 *     +64 | front  | chunk  | read   |                     reader: plain; read: Atomics only
 *         +--------+--------+--------+--------+--------+--------+--------+
 *     +67 | free at| chunk  | slept  | next fr|next rd.| handed |received|   likewise
 *         +--------+--------+--------+--------+--------+--------+--------+
 *     +74 | m. from|moved at|moved to|                     a message on its way to another lane
 *         +--------+--------+--------+                     (pipe/move.ts); moved to: or 0
 *     +77 | taken  | passed |     what was taken from the cell (cell.ts); count of chunks left
 *         +--------+--------+
 *
 * Chunk: a block of the pool; records one after the other, and the last leads to the next chunk
 *         +--------+--------+------------------+---------+- - -+----------+
 *         | size   | held   | record           | record  |     | end      |
 *         +--------+--------+------------------+---------+- - -+----------+
 *
 * Record: two words and the bytes of one part, padded so that every body lies on 8 bytes
 *         +--------+--------+------------------+
 *         | length | flags  | body …           |
 *         +--------+--------+------------------+
 *           MORE        another part of the same message follows
 *           REFERENCE   the body is a block of its own, and here is its address
 *           SHARED      and it is referred to from other lanes, too (memory/owners.ts)
 *           CONTROL     no message: what one end of a pipe tells the other (pipe/reader.ts)
 *           END         no part: `length` is the address of the next chunk
 *           REDELIVERED the message was in the hands of an application that did not acknowledge it;
 *                       in its first record
 *
 * Body in a block of its own
 *         +--------+--------+------------------+
 *         | owners | held   | bytes …          |      owners: if it is shared
 *         +--------+--------+------------------+
 */
export const LANE_C = 0;
/** The newest message, where only that counts. */
export const LANE_LATEST = 1;
export const LANE_W: number = ROW;
export const LANE_WRITER_CHUNK: number = ROW + 1;
export const LANE_WRITER_END: number = ROW + 2;
export const LANE_CHUNK_SIZE: number = ROW + 3;
export const LANE_WRITTEN: number = ROW + 4;
export const LANE_WAKE_AT: number = ROW + 5;
export const LANE_LIMIT: number = ROW + 6;
export const LANE_HELD: number = ROW + 7;
export const LANE_NEXT_WRITTEN: number = ROW + 8;
export const LANE_SENT: number = ROW + 9;
/** How many messages are in the writer's swap. */
export const LANE_SWAPPED: number = ROW + 10;
export const LANE_NEXT_CHUNK: number = ROW + 11;
export const LANE_PUTTING: number = ROW + 12;
export const LANE_REPLACED: number = ROW + 13;
export const LANE_FRONT: number = 2 * ROW;
export const LANE_READER_CHUNK: number = 2 * ROW + 1;
export const LANE_READ: number = 2 * ROW + 2;
export const LANE_FREE_AT: number = 2 * ROW + 3;
export const LANE_FREE_CHUNK: number = 2 * ROW + 4;
export const LANE_SLEPT: number = 2 * ROW + 5;
export const LANE_NEXT_FRONT: number = 2 * ROW + 6;
export const LANE_NEXT_READ: number = 2 * ROW + 7;
export const LANE_HANDED: number = 2 * ROW + 8;
export const LANE_RECEIVED: number = 2 * ROW + 9;
export const LANE_MOVED_FROM: number = 2 * ROW + 10;
export const LANE_MOVED_AT: number = 2 * ROW + 11;
export const LANE_MOVED_TO: number = 2 * ROW + 12;
export const LANE_TAKEN: number = 2 * ROW + 13;
/** A count that wraps; for the writer a hint, and perhaps one too many after a death. */
export const LANE_PASSED: number = 2 * ROW + 14;
export const LANE_WORDS: number = 3 * ROW;

/** Messages are counted in steps of two: bit 0 of `read` is the writer's, and says it waits. */
export const ONE = 2;
export const WAITS = 1;

export const CHUNK_HEAD = 2;
export const RECORD_HEAD = 2;
export const LENGTH = 0;
export const FLAGS = 1;
export const MORE = 1;
export const REFERENCE = 2;
export const END = 4;
export const REDELIVERED = 8;
export const SHARED = 16;
export const CONTROL = 32;

/** The first chunk of a pipe holds six messages of 64 bytes: most pipes are idle. */
export const FIRST_CHUNK_WORDS = 128;
/**
 * Chunks double up to this. A change of chunk costs about 100 ns, and here comes every 450 messages
 * of 64 bytes; more would only leave more in the hands of a pipe that was busy once.
 */
export const LAST_CHUNK_WORDS: number = 8192 - ROW;
/** Where memory is short, chunks are so large: four to a page of the arena. */
export const MODEST_CHUNK_WORDS = 1000;
/** Longer bodies have a block of their own: a chunk shall hold several records. */
export const INLINE_BYTES = 4096;
export const BODY_HEAD = 2;
/** A record that refers to a body in a block of its own is as long as one with eight bytes. */
export const REFERENCE_WORDS = 4;

/** Where a block that its writer has not shown yet leads to the one before. */
export const HELD_NEXT = 1;

/** How many words the record of a body of so many bytes takes. */
export function recordWords(bytes: number): number {
  return RECORD_HEAD + ((bytes + 7) >>> 3) * (8 / WORD_BYTES);
}

/** How many words the record at `at` takes; it is not one that ends a chunk. */
export function recordSize(words: Words, at: Addr): number {
  return (words[at + FLAGS] & REFERENCE) !== 0 ? REFERENCE_WORDS : recordWords(words[at + LENGTH]);
}
