// SPDX-License-Identifier: MIT

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
  /** How many words each has, in their order. */
  #chunks: number[] = [];
  /** How many chunks the reader had left before the first of them. */
  #passed: number;
  #words = 0;

  /** @param passed How many chunks the reader has left so far; it wraps. */
  constructor(passed = 0) {
    this.#passed = passed;
  }

  /** Bodies of so many words, until so many messages were read; `read` were by now. */
  add(number: number, words: number, read: number): void {
    this.#settle(read);
    this.#bodies.push(number, words);
    this.#words += words;
  }

  /** A chunk of so many words, until the reader has left it. */
  addChunk(words: number): void {
    this.#chunks.push(words);
    this.#words += words;
  }

  /** How many words it is when so many messages were read, and so many chunks left. */
  at(read: number, passed: number): number {
    this.#settle(read);
    const gone = this.#chunks.splice(0, (passed - this.#passed) | 0);
    for (const words of gone) this.#words -= words;
    this.#passed = passed;
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
