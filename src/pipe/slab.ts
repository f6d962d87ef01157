// SPDX-License-Identifier: MIT

import type { Host, ReceivedPart } from "../base/index.ts";
import { WORD_BYTES } from "../memory/index.ts";
import { INLINE_BYTES, RECORD_HEAD, recordWords } from "../queue/index.ts";

/**
 * Two runs of a reader, some 220 messages of 64 bytes. Larger ones are not faster: what the garbage
 * collector gives back of them goes to the system, which has to map it anew page by page.
 */
const SLAB_BYTES = 16_384;

/**
 * slab — where received bytes are copied to: one for all pipes of a thread.
 *
 * Making a view of shared memory costs as much as copying a small message. So records are copied a
 * run at a time, heads and all, and each part is a view of the copy. A part therefore keeps the
 * slab it lies in alive, as a small Buffer does with Node's pool.
 */
export class Slab {
  readonly #host: Host;
  buffer: ArrayBuffer;
  words: Int32Array<ArrayBuffer>;
  bytes: Uint8Array<ArrayBuffer>;
  /** The first word that is not taken. */
  position = 0;
  /** Every empty part among several: to make a view costs as much as all else of a part. */
  readonly empty: ReceivedPart;

  constructor(host: Host) {
    this.#host = host;
    this.buffer = new ArrayBuffer(0);
    this.words = new Int32Array(this.buffer);
    this.bytes = new Uint8Array(this.buffer);
    this.empty = new host.Part(host.allocateShared(WORD_BYTES), 0, 0);
  }

  /** Makes sure that so many words, at most a run's (run.ts), are free from `position` on. */
  ensure(words: number): void {
    if (this.position + words <= this.words.length) return;
    this.buffer = this.#host.allocateShared(SLAB_BYTES);
    this.words = new Int32Array(this.buffer);
    this.bytes = new Uint8Array(this.buffer);
    this.position = 0;
  }

  /** A part with a copy of some bytes. */
  part(bytes: Uint8Array): ReceivedPart {
    if (bytes.length > INLINE_BYTES) {
      const buffer = this.#host.allocate(bytes.length);
      new Uint8Array(buffer).set(bytes);
      return new this.#host.Part(buffer, 0, bytes.length);
    }
    this.ensure(recordWords(bytes.length));
    const at = this.position * 4;
    this.bytes.set(bytes, at);
    this.position += recordWords(bytes.length) - RECORD_HEAD;
    return new this.#host.Part(this.buffer, at, bytes.length);
  }
}
