// SPDX-License-Identifier: MIT

/**
 * options — the command line.
 */

import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const MAX_WORKERS = 64;
const MAX_CHUNK_KIB = 4096;

export const USAGE = `\
usage: pipeline [--workers N] [--chunk KIB] [--no-verify] [file or folder ...]

Counts lines, words and bytes and computes SHA-256 of files, with a thread that reads, N threads
that compute, and a thread that joins the results. Without arguments it takes the files at hand:
node_modules, src, docs, examples.

  --workers N     threads that compute, 1 to ${MAX_WORKERS} (default: one a processor, at least 2)
  --chunk KIB     size of a chunk, 1 to ${MAX_CHUNK_KIB} KiB (default: 128)
  --no-verify     do not compare the totals with those of a single-threaded run
  --help          show this text

Exit status: 0 all went well, 1 a file could not be read or the totals differ, 2 wrong usage.
`;

export interface Options {
  paths: string[];
  workers: number;
  chunkBytes: number;
  verify: boolean;
  help: boolean;
}

/** Throws an Error that says what is wrong. */
export function readOptions(args: string[]): Options {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      workers: { type: "string", default: String(Math.max(2, availableParallelism())) },
      chunk: { type: "string", default: "128" },
      "no-verify": { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  return {
    paths: positionals.length > 0 ? positionals : filesAtHand(),
    workers: readNumber("--workers", values.workers, MAX_WORKERS),
    chunkBytes: 1024 * readNumber("--chunk", values.chunk, MAX_CHUNK_KIB),
    verify: !values["no-verify"],
    help: values.help,
  };
}

function readNumber(name: string, text: string, max: number): number {
  const number = /^[0-9]+$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > max) throw new Error(`${name} takes a number from 1 to ${max}`);
  return number;
}

function filesAtHand(): string[] {
  // This file runs as build/examples/pipeline/options.js.
  const root = fileURLToPath(new URL("../../../", import.meta.url));
  const folders = ["node_modules", "src", "docs", "examples"].map((name) => root + name);
  return folders.filter((path) => existsSync(path)).map((path) => relative("", path) || ".");
}
