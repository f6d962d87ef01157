// SPDX-License-Identifier: MIT

import { copyWords, WORD_BYTES } from "../memory/index.ts";
import { FLAGS, INLINE_BYTES, LENGTH, MORE, RECORD_HEAD, recordWords } from "../queue/index.ts";

const LEAST_WORDS = 32;
/** More than that is not kept from one request to the next. */
const KEPT_WORDS = 4096;

/**
 * envelope — the parts that stand before a message's own, up to the first empty one, as the records
 * that they are: from a request to its reply nobody looks into them.
 */
export class Envelope {
  words: Int32Array = new Int32Array(LEAST_WORDS);
  #bytes: Uint8Array = new Uint8Array(this.words.buffer);
  /** How many words the records take; 0: there is no envelope. */
  size = 0;
  /** Whether some part is so long that in a lane it has a block of its own. */
  isLarge = false;

  /** An envelope of these parts. */
  static of(...parts: Uint8Array[]): Envelope {
    const envelope = new Envelope();
    envelope.set(parts);
    return envelope;
  }

  /** It is of these parts. */
  set(parts: readonly Uint8Array[]): void {
    const size = parts.reduce((sum, { length }) => sum + recordWords(length), 0);
    this.#ensure(size);
    let at = 0;
    for (const part of parts) {
      this.words[at + LENGTH] = part.length;
      this.words[at + FLAGS] = MORE;
      this.#bytes.set(part, (at + RECORD_HEAD) * WORD_BYTES);
      at += recordWords(part.length);
    }
    this.size = size;
    this.isLarge = parts.some(({ length }) => length > INLINE_BYTES);
  }

  /** It is of these records, with all bodies inside. */
  copy(source: Int32Array, from: number, size: number): void {
    this.#ensure(size);
    const { words } = this;
    copyWords(words, 0, source, from, size);
    words[FLAGS] = MORE; // What else is said of a message is said of its first part.
    this.size = size;
    this.isLarge = false;
  }

  clear(): void {
    this.size = 0;
    if (this.words.length > KEPT_WORDS) this.#renew(LEAST_WORDS);
  }

  /** The parts. They are here until the envelope is another. */
  get parts(): Uint8Array[] {
    const parts: Uint8Array[] = [];
    for (let at = 0; at < this.size; ) {
      const length = this.words[at + LENGTH] as number;
      const from = (at + RECORD_HEAD) * WORD_BYTES;
      parts.push(this.#bytes.subarray(from, from + length));
      at += recordWords(length);
    }
    return parts;
  }

  #ensure(size: number): void {
    if (size > this.words.length) this.#renew(Math.max(size, 2 * this.words.length));
  }

  #renew(length: number): void {
    this.words = new Int32Array(length);
    this.#bytes = new Uint8Array(this.words.buffer);
  }
}
