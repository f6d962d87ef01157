// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { type Addr, type Arena, Pool } from "../memory/index.ts";
import { createYpipe, destroyYpipe, LANE_WORDS } from "../queue/index.ts";
import { assertFreed, createArena } from "./rig.ts";

/** lane — a queue of records between two threads, with nobody at its ends yet. */
export interface Lane {
  readonly arena: Arena;
  /** The pools of the writing and of the reading thread. */
  readonly pool: Pool;
  readonly far: Pool;
  readonly at: Addr;
  /** Frees the lane, by one of the threads, and asserts that all memory is back. */
  end(by: Pool): void;
}

/** Makes a lane in an arena of its own. */
export function createLane(maxBytes: number = 1 << 24): Lane {
  const arena = createArena({ maxBytes });
  const [pool, far] = [new Pool(arena, 1, true), new Pool(arena, 2, true)];
  const base = pool.pages.usedBytes;
  const at = pool.allocate(LANE_WORDS);
  assert.ok(createYpipe(arena, pool, at));
  return {
    arena,
    pool,
    far,
    at,
    end(by) {
      destroyYpipe(arena, by, at);
      pool.free(at);
      assertFreed(base, pool, far);
    },
  };
}
