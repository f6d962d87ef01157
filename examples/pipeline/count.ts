// SPDX-License-Identifier: MIT

/**
 * count — what is computed: lines, words, bytes and SHA-256, as a pure function of the bytes.
 *
 * A file's chunks are counted by different threads, so a chunk's count must be enough to join it to
 * its neighbours:
 *
 *      chunk 0   "…the quick bro"      words 3, ends inside a word
 *      chunk 1   "wn fox…"             words 2, starts inside a word
 *      joined                          words 3 + 2 - 1
 *
 * SHA-256 cannot be joined, for each step needs the one before. So the digest of a file is a hash
 * tree of one level: of a file that fits one chunk, its plain SHA-256, as `sha256sum` prints it; of
 * a longer one, the SHA-256 of its chunks' digests in order. It depends on the size of a chunk.
 *
 * As in `wc`: lines are newline bytes, words are runs of bytes that are not ASCII white space.
 */

import { createHash, type Hash } from "node:crypto";

export interface ChunkCount {
  bytes: number;
  lines: number;
  words: number;
  startsInWord: boolean;
  endsInWord: boolean;
  digest: Uint8Array;
}

/** What follows a chunk: more of its file, the file's end, or nothing: reading has failed. */
export const MORE = 0;
export const LAST = 1;
export const BROKEN = 2;
export type End = typeof MORE | typeof LAST | typeof BROKEN;

export interface Totals {
  files: number;
  bytes: number;
  lines: number;
  words: number;
  /** SHA-256 of the files' digests in order. */
  digest: string;
}

const NEWLINE = 10;
const isSpace = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte === 32 || (byte >= 9 && byte <= 13) ? 1 : 0,
);

export function countChunk(bytes: Uint8Array): ChunkCount {
  let lines = 0;
  let words = 0;
  let before = 1;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    const space = isSpace[byte];
    if (byte === NEWLINE) lines++;
    words += before & (space ^ 1);
    before = space;
  }
  return {
    bytes: bytes.length,
    lines,
    words,
    startsInWord: bytes.length > 0 && isSpace[bytes[0]] === 0,
    endsInWord: before === 0,
    digest: createHash("sha256").update(bytes).digest(),
  };
}

/** Joins chunks to files and files to totals. Chunks must come in order, one file after another. */
export class Tally {
  #files = 0;
  #bytes = 0;
  #lines = 0;
  #words = 0;
  readonly #digests = createHash("sha256");
  #file = new FileTally();

  add(chunk: ChunkCount, end: End): void {
    if (end === MORE || end === LAST) this.#file.add(chunk);
    if (end === MORE) return;
    if (end === LAST) {
      this.#files++;
      this.#bytes += this.#file.bytes;
      this.#lines += this.#file.lines;
      this.#words += this.#file.words;
      this.#digests.update(this.#file.digest());
    }
    this.#file = new FileTally();
  }

  /** Call once, at the end. */
  totals(): Totals {
    return {
      files: this.#files,
      bytes: this.#bytes,
      lines: this.#lines,
      words: this.#words,
      digest: this.#digests.digest("hex"),
    };
  }
}

class FileTally {
  bytes = 0;
  lines = 0;
  words = 0;
  #endsInWord = false;
  #first: Uint8Array | undefined;
  #digests: Hash | undefined;

  add(chunk: ChunkCount): void {
    // An empty chunk only marks the end of a file whose chunks were all full.
    if (chunk.bytes === 0 && this.#first !== undefined) return;
    this.bytes += chunk.bytes;
    this.lines += chunk.lines;
    this.words += chunk.words - (this.#endsInWord && chunk.startsInWord ? 1 : 0);
    this.#endsInWord = chunk.endsInWord;
    if (this.#first === undefined) {
      this.#first = chunk.digest;
    } else {
      this.#digests ??= createHash("sha256").update(this.#first);
      this.#digests.update(chunk.digest);
    }
  }

  digest(): Uint8Array {
    return this.#digests?.digest() ?? this.#first ?? new Uint8Array();
  }
}
