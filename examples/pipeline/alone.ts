// SPDX-License-Identifier: MIT

/**
 * alone — the same work in one thread and without messages, to compare the totals with.
 */

import { setImmediate } from "node:timers/promises";

import { countChunk, Tally, type Totals } from "./count.ts";
import { findFiles, readChunks } from "./files.ts";

const CHUNKS_BETWEEN_BREATHS = 64;

export async function countAlone(paths: readonly string[], chunkBytes: number): Promise<Totals> {
  const tally = new Tally();
  const buffer = new Uint8Array(chunkBytes);
  // They have all been told already.
  const onProblem = () => {};
  let chunks = 0;
  for (const path of findFiles(paths, onProblem)) {
    for (const { bytes, end } of readChunks(path, buffer, onProblem)) {
      tally.add(countChunk(bytes), end);
      // Lets Ctrl-C in.
      if (++chunks % CHUNKS_BETWEEN_BREATHS === 0) await setImmediate();
    }
  }
  return tally.totals();
}
