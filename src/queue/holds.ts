// SPDX-License-Identifier: MIT

/**
 * holds — whether a block of the pool is in a lane: asked of each that a dead thread had in hand.
 */
import type { Addr, Arena, Words } from "../memory/index.ts";
import { isPut, isTaken } from "./cell.ts";
import {
  CHUNK_HEAD,
  END,
  FLAGS,
  HELD_NEXT,
  LANE_FREE_AT,
  LANE_FREE_CHUNK,
  LANE_FRONT,
  LANE_HELD,
  LANE_READER_CHUNK,
  LANE_W,
  LENGTH,
  RECORD_HEAD,
  REFERENCE,
  recordSize,
} from "./layout.ts";
import { shownUpTo } from "./ypipe.ts";

/** Whether a block is among those that a writer, who is dead, has not shown. */
export function isHeld(words: Words, lane: Addr, block: Addr): boolean {
  if (isPut(words, lane, block)) return true;
  if (shownUpTo(words, lane) !== words[lane + LANE_W]) return false; // All of them are shown.
  let at = words[lane + LANE_HELD];
  while (at !== 0 && at !== block) at = words[at + HELD_NEXT];
  return at === block;
}

/** Whether a block is still to be freed by who reads, or destroys, a ypipe. Nobody reads now. */
export function isUnread(arena: Arena, lane: Addr, block: Addr): boolean {
  if (isTaken(arena.words, lane, block)) return true;
  if (arena.words[lane + LANE_READER_CHUNK] === 0) return false;
  const end = shownUpTo(arena.words, lane);
  arena.refresh(); // After that: a writer who lives may just have made the arena grow.
  const { words } = arena;
  const passing = words[lane + LANE_FREE_AT] !== 0;
  let chunk = words[lane + (passing ? LANE_FREE_CHUNK : LANE_READER_CHUNK)];
  let at = words[lane + (passing ? LANE_FREE_AT : LANE_FRONT)];
  if (at <= chunk || at >= chunk + words[chunk]) at = chunk + CHUNK_HEAD;
  while (at !== end) {
    const flags = words[at + FLAGS];
    if ((flags & END) !== 0) {
      if (chunk === block) return true;
      chunk = words[at + LENGTH];
      at = chunk + CHUNK_HEAD;
    } else {
      if ((flags & REFERENCE) !== 0 && words[at + RECORD_HEAD] === block) return true;
      at += recordSize(words, at);
    }
  }
  return chunk === block;
}
