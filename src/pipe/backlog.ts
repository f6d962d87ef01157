// SPDX-License-Identifier: MIT

/** Those that are gone are kept in the list until there are so many. */
const MOST_GONE = 64;

/**
 * backlog — how much memory is taken by what lies in a lane and was not read: its large bodies, and
 * the chunks that its writer has left.
 *
 * It is for the rule by which links share the arena (writer.ts), and need not be exact: a writer
 * that comes after another knows nothing of what that one has left.
 */
export class Backlog {
  /** By two: the message with which it is given back, as the lane counts, and how many words. */
  readonly #held: number[] = [];
  /** Where the first is that was not given back. */
  #first = 0;
  #words = 0;

  /** So many words more, until so many messages were read. */
  add(number: number, words: number): void {
    this.#held.push(number, words);
    this.#words += words;
  }

  /** How many words it is when so many messages were read. */
  at(read: number): number {
    const held = this.#held;
    while (this.#first < held.length && ((read - (held[this.#first] as number)) | 0) >= 0) {
      this.#words -= held[this.#first + 1] as number;
      this.#first += 2;
    }
    if (this.#first > 2 * MOST_GONE || this.#first === held.length) {
      held.splice(0, this.#first);
      this.#first = 0;
    }
    return this.#words;
  }
}
