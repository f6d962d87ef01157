// SPDX-License-Identifier: MIT

import type { Addr } from "../memory/index.ts";

/** Those that are gone are kept in the list until there are so many. */
const MOST_GONE = 64;

/**
 * backlog — how much memory is taken by what lies in a lane and was not read: its large bodies, and
 * the chunks that its writer has left and its reader has not.
 *
 * It is for the rule by which links share the arena (writer.ts), and need not be exact: a writer
 * that comes after another knows nothing of what that one has left.
 */
export class Backlog {
  /** By two: the message with which it is given back, as the lane counts, and how many words. */
  readonly #bodies: number[] = [];
  /** Where the first is that was not given back. */
  #first = 0;
  /** By two: where it is, and how many words; in their order. */
  #chunks: number[] = [];
  #words = 0;

  /** Bodies of so many words, until so many messages were read; `read` were by now. */
  add(number: number, words: number, read: number): void {
    this.#settle(read);
    this.#bodies.push(number, words);
    this.#words += words;
  }

  /** A chunk of so many words, until the reader is in a later one. */
  addChunk(chunk: Addr, words: number): void {
    this.#chunks.push(chunk, words);
    this.#words += words;
  }

  /** How many words it is when so many messages were read, and the reader is in this chunk. */
  at(read: number, readerChunk: Addr): number {
    this.#settle(read);
    const chunks = this.#chunks;
    // An earlier one may have had the same place. If it is none of them, it is the writer's.
    let first = chunks.length;
    for (let i = chunks.length - 2; i >= 0 && first === chunks.length; i -= 2) {
      if (chunks[i] === readerChunk) first = i;
    }
    for (let i = 0; i < first; i += 2) this.#words -= chunks[i + 1] as number;
    if (first > 0) this.#chunks = chunks.slice(first);
    return this.#words;
  }

  #settle(read: number): void {
    const bodies = this.#bodies;
    while (this.#first < bodies.length && ((read - (bodies[this.#first] as number)) | 0) >= 0) {
      this.#words -= bodies[this.#first + 1] as number;
      this.#first += 2;
    }
    if (this.#first <= 2 * MOST_GONE && this.#first < bodies.length) return;
    bodies.splice(0, this.#first);
    this.#first = 0;
  }
}
