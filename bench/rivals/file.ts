// SPDX-License-Identifier: MIT

/**
 * file — as many bytes as COUNT messages take in a swap, written to a file and read again, by
 * fs.writeSync and fs.readSync, one after the other, in the blocks and the directory of the swap.
 *
 * Nothing is put into the blocks, and nothing looked at: it is the bound of the disk, or of what
 * the system keeps of it in memory.
 */

import { closeSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readArguments, report, settle } from "../child.ts";

const BLOCK = 1 << 18;
/** What a message of one part takes beside its body. */
const OVERHEAD = 32;

/** Seconds of the two ways. */
function round(bytes: number): [number, number] {
  const name = join(tmpdir(), `threadmq-bench-${process.pid}`);
  const file = openSync(name, "wx+", 0o600);
  unlinkSync(name);
  const block = new Uint8Array(BLOCK).fill(7);
  const began = performance.now();
  for (let at = 0; at < bytes; at += BLOCK) writeSync(file, block, 0, BLOCK, at);
  const written = performance.now();
  for (let at = 0; at < bytes; at += BLOCK) readSync(file, block, 0, BLOCK, at);
  const read = performance.now();
  closeSync(file);
  return [(written - began) / 1e3, (read - written) / 1e3];
}

const { size, count, warmup } = readArguments();
round(warmup * (size + OVERHEAD));
await settle(count);
const [spill, drain] = round(count * (size + OVERHEAD));
report({ rate: count / (spill + drain), spill, drain });
