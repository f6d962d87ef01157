// SPDX-License-Identifier: MIT

/**
 * files — finds files and reads them in chunks, always in the same order.
 *
 * Symbolic links are followed when named on the command line and skipped inside folders, so there
 * is no way round in a circle. What cannot be read is told to `onProblem`, and the walk goes on.
 *
 * All calls block. That is no harm in a thread that does nothing else, and keeps memory to one
 * buffer, whatever the size of a file.
 */

import {
  closeSync,
  type Dirent,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
} from "node:fs";
import { join } from "node:path";

import { BROKEN, type End, LAST, MORE } from "./count.ts";

export type OnProblem = (path: string, reason: string) => void;

export function* findFiles(paths: readonly string[], onProblem: OnProblem): Generator<string> {
  for (const path of paths) {
    try {
      const stat = statSync(path);
      if (stat.isFile()) yield path;
      else if (stat.isDirectory()) yield* walk(path, onProblem);
      else onProblem(path, "neither a file nor a folder");
    } catch (error) {
      onProblem(path, reasonOf(error));
    }
  }
}

function* walk(folder: string, onProblem: OnProblem): Generator<string> {
  let entries: Dirent[] = [];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    onProblem(folder, reasonOf(error));
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isFile()) yield path;
    else if (entry.isDirectory()) yield* walk(path, onProblem);
  }
}

export interface Chunk {
  /** A view of the reader's buffer: valid until the next chunk is asked for. */
  bytes: Uint8Array;
  end: End;
}

/**
 * Reads a file to its end. A file ends with the first chunk that does not fill the buffer, which
 * may be empty; so its size, which may change meanwhile, need not be known.
 */
export function* readChunks(
  path: string,
  buffer: Uint8Array,
  onProblem: OnProblem,
): Generator<Chunk> {
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    const before = fstatSync(file);
    for (let end: End = MORE; end === MORE; ) {
      const length = fill(file, buffer);
      end = length < buffer.length ? LAST : MORE;
      yield { bytes: buffer.subarray(0, length), end };
    }
    const after = fstatSync(file);
    if (after.size !== before.size || after.mtimeMs !== before.mtimeMs) {
      onProblem(path, "changed while it was read");
    }
  } catch (error) {
    onProblem(path, reasonOf(error));
    if (file !== undefined) yield { bytes: buffer.subarray(0, 0), end: BROKEN };
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** The size of all files in bytes, to show progress by. */
export function sizeOfFiles(paths: readonly string[]): number {
  let bytes = 0;
  for (const path of findFiles(paths, () => {})) {
    bytes += statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}

/** Fills the buffer, less only at the end of the file. */
function fill(file: number, buffer: Uint8Array): number {
  let length = 0;
  while (length < buffer.length) {
    const more = readSync(file, buffer, length, buffer.length - length, null);
    if (more === 0) break;
    length += more;
  }
  return length;
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case "ENOENT":
      return "no such file or folder";
    case "EACCES":
    case "EPERM":
      return "permission denied";
    default:
      return message;
  }
}
