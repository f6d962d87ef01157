// SPDX-License-Identifier: MIT

/**
 * repair — what a dead writer or reader was about, finished or taken back, and counted. See the
 * heads of writer.ts and reader.ts.
 */
import { type Addr, type Arena, add, countAndNote, load, type Pool } from "../memory/index.ts";
import {
  LANE_FRONT,
  LANE_NEXT_FRONT,
  LANE_NEXT_READ,
  LANE_READ,
  LANE_RECEIVED,
  LANE_SENT,
  LANE_WRITTEN,
  markRedelivered,
  ONE,
  repairCellReader,
  repairReader,
  repairWriter,
  WAITS,
} from "../queue/index.ts";

/**
 * Finishes or takes back what a dead writer was about; what was shown counts as sent.
 *
 * @param counter Where its slot counts that; 0: nowhere.
 */
export function repairPipeWriter(arena: Arena, pool: Pool, lane: Addr, counter: Addr): void {
  repairWriter(arena, pool, lane);
  const words = arena.words;
  const written = words[lane + LANE_WRITTEN];
  const uncounted = ((written - words[lane + LANE_SENT]) | 0) / ONE;
  countAndNote(arena, counter, uncounted, lane + LANE_SENT, written);
}

/** Finishes what a dead reader was about, and counts as received what it has released. */
export function repairPipeReader(arena: Arena, pool: Pool, lane: Addr, counter: Addr): void {
  repairReader(arena, pool, lane);
  const words = arena.words;
  const read = load(words, lane + LANE_READ) & ~WAITS; // Nobody else changes it now.
  let now = read;
  if (words[lane + LANE_FRONT] === words[lane + LANE_NEXT_FRONT]) {
    now = words[lane + LANE_NEXT_READ];
    add(words, lane + LANE_READ, (now - read) | 0); // The writer is told in any case.
  }
  const uncounted = Math.max(0, ((now - words[lane + LANE_RECEIVED]) | 0) / ONE);
  countAndNote(arena, counter, uncounted, lane + LANE_RECEIVED, now);
  repairCellReader(arena, pool, lane, now);
  markRedelivered(words, lane);
}
