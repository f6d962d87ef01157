// SPDX-License-Identifier: MIT

import { type Addr, WORD_BYTES } from "../memory/index.ts";
import {
  FLAGS,
  LENGTH,
  MORE,
  RECORD_HEAD,
  REFERENCE,
  REFERENCE_WORDS,
  recordWords,
  SHARED,
} from "../queue/index.ts";
import { lengthOf, Prepared, setBytes } from "./message.ts";

/** A message that is kept for later, with all its bodies inside; for `writeCopy`. */
export interface Kept {
  readonly words: Int32Array;
  readonly size: number;
  /** Whether some body needs a block of its own in a lane. */
  readonly large: boolean;
}

/**
 * records — a message as records, in memory of this thread: made once, and copied into many lanes.
 */
export class Records {
  words: Int32Array = new Int32Array(0);
  #bytes: Uint8Array = new Uint8Array(this.words.buffer);
  /** How many words they take. */
  size = 0;

  /** The message is of one part, which lies in the records. */
  setOne(part: Uint8Array): void {
    const length = lengthOf(part); // It may be a view of memory that another thread lets grow.
    this.#ensure(recordWords(length));
    this.size = this.#put(0, part, length, 0);
  }

  /**
   * The message is this one.
   *
   * @param bodies Where the longer parts are, in their order.
   * @param longest How long a part may be that lies in the records.
   */
  set(message: Prepared, bodies: readonly Addr[], longest: number): void {
    const { envelope, parts, lengths } = message;
    const head = envelope?.size ?? 0;
    let size = head;
    for (const length of lengths) size += length > longest ? REFERENCE_WORDS : recordWords(length);
    this.#ensure(size);
    if (envelope !== undefined) this.words.set(envelope.words.subarray(0, head));
    let at = head;
    let body = 0;
    for (let index = 0; index < parts.length; index++) {
      const part = parts[index] as string | Uint8Array;
      const more = index < parts.length - 1 ? MORE : 0;
      const length = lengths[index] as number;
      if (length <= longest) at = this.#put(at, part, length, more);
      else at = this.#refer(at, length, more, bodies[body++] as Addr);
    }
    this.size = size;
  }

  #put(at: number, part: string | Uint8Array, length: number, more: number): number {
    const { words } = this;
    const bytes = this.#bytes;
    words[at + LENGTH] = length;
    words[at + FLAGS] = more;
    const to = (at + RECORD_HEAD) * WORD_BYTES;
    if (typeof part === "string") {
      for (let i = 0; i < length; i++) bytes[to + i] = part.charCodeAt(i);
    } else setBytes(bytes, to, part, length);
    return at + recordWords(length);
  }

  #refer(at: number, length: number, more: number, body: Addr): number {
    const { words } = this;
    words[at + LENGTH] = length;
    words[at + FLAGS] = more | REFERENCE | SHARED;
    words[at + RECORD_HEAD] = body;
    return at + REFERENCE_WORDS;
  }

  #ensure(size: number): void {
    if (size <= this.words.length) return;
    this.words = new Int32Array(Math.max(size, 2 * this.words.length));
    this.#bytes = new Uint8Array(this.words.buffer);
  }
}

/** A copy of a message, for later. */
export function keep(message: Uint8Array | Prepared): Kept {
  const records = new Records();
  const isPrepared = message instanceof Prepared;
  if (isPrepared) records.set(message, [], Number.POSITIVE_INFINITY);
  else records.setOne(message);
  const { words, size } = records;
  return { words, size, large: isPrepared && message.isLarge };
}
