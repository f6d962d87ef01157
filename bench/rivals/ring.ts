// SPDX-License-Identifier: MIT

/**
 * ring — what ring_thr and ring_broker have in common: slots of a ring in shared memory, and a
 * receiver's copies of their bodies.
 *
 *      | length | whatever | body, filled up to 16 bytes |
 */

/** Words of a slot before its body, which so begins at a multiple of eight bytes. */
export const HEAD = 2;
/** Bodies up to so many bytes are copied by words. */
export const BY_WORDS = 128;
const SLAB = 65536;

/** Words from one slot to the next. */
export function strideOf(size: number): number {
  return Math.ceil((size + HEAD * 4) / 16) * 4;
}

/** A Buffer by `new` alone: Buffer.from would look at its arguments first. */
class PooledBuffer extends Uint8Array<ArrayBuffer> {}
Object.setPrototypeOf(PooledBuffer.prototype, Buffer.prototype);

/** Copies messages out of the ring into Buffers that share slabs. */
export class Copier {
  readonly #ring: Int32Array;
  readonly #bytes: Uint8Array;
  #slab = new ArrayBuffer(0);
  #words = new Int32Array(this.#slab);
  #used = 0;

  constructor(ring: Int32Array<SharedArrayBuffer>) {
    this.#ring = ring;
    this.#bytes = new Uint8Array(ring.buffer);
  }

  copy(at: number): Buffer[] {
    const length = this.#ring[at];
    if (length > SLAB / 8) {
      const own = Buffer.allocUnsafeSlow(length);
      own.set(this.#bytes.subarray((at + HEAD) * 4, (at + HEAD) * 4 + length));
      return [own];
    }
    if (this.#used + length > this.#slab.byteLength) this.#newSlab();
    const from = this.#used;
    this.#used = (from + length + 7) & ~7;
    if (length <= BY_WORDS) {
      const to = from >> 2;
      for (let i = 0; i < (length + 3) >> 2; i++) this.#words[to + i] = this.#ring[at + HEAD + i];
    } else {
      this.#words.set(this.#ring.subarray(at + HEAD, at + HEAD + ((length + 3) >> 2)), from >> 2);
    }
    return [new PooledBuffer(this.#slab, from, length) as Buffer];
  }

  #newSlab(): void {
    this.#slab = new ArrayBuffer(SLAB);
    this.#words = new Int32Array(this.#slab);
    this.#used = 0;
  }
}
