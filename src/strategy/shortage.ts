// SPDX-License-Identifier: MIT

import { MemoryWish } from "../command/index.ts";

/**
 * shortage — memory is what a message lacks, and not room; of a sender that may wait for it.
 *
 * What is known is the last attempt's. When it holds no longer, and who asks for memory, is its
 * owner's affair: where any pipe will do the next attempt says; where each waits for one of its
 * own, those that wait say so again.
 */
export class Shortage extends MemoryWish {
  /** An attempt found room, but no memory. */
  isMissing = false;
  /** Likewise; and none has come free since. */
  isStarved = false;

  /** Whether none has come free since an attempt found none: who asks is told when some has. */
  get starves(): boolean {
    if (this.isStarved) this.begin();
    return this.isStarved;
  }

  /** An attempt has found none. */
  found(): void {
    this.isMissing = this.isStarved = true;
  }

  /** Some has come free: perhaps enough. */
  freed(): void {
    this.isStarved = false;
  }

  /** It is not what is missing, or nobody waits for it. */
  over(): void {
    this.isMissing = this.isStarved = false;
    this.end();
  }
}
