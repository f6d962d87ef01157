// SPDX-License-Identifier: MIT

/**
 * buffers — what is a buffer, be it of another realm: some test runners give each file one of its
 * own, in which `instanceof` says no.
 */
const isArrayBuffer = ownerOf(ArrayBuffer.prototype);

/** Whether it is shared memory. */
export const isShared: (value: unknown) => value is SharedArrayBuffer = ownerOf(
  SharedArrayBuffer.prototype,
);

/** Whether it is a buffer, shared or not. */
export function isBuffer(value: unknown): value is ArrayBufferLike {
  return isArrayBuffer(value) || isShared(value);
}

/** By the getter of its length, which throws of anything else: that cannot be feigned. */
function ownerOf<B extends ArrayBufferLike>(prototype: B): (value: unknown) => value is B {
  const descriptor = Object.getOwnPropertyDescriptor(prototype, "byteLength");
  const length = descriptor?.get as (this: unknown) => number;
  return (value): value is B => {
    try {
      return length.call(value) >= 0;
    } catch {
      return false;
    }
  };
}
