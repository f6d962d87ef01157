// SPDX-License-Identifier: MIT

/**
 * Stops at a broken invariant of the library itself; never used for what a caller may get wrong.
 *
 * It throws out of the call at hand: a broken pipe fails its own call, not the thread.
 */
export function assert(condition: boolean, claim: string): asserts condition {
  if (!condition) throw new Error(`ThreadMQ: broken invariant: ${claim}`);
}
