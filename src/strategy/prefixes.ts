// SPDX-License-Identifier: MIT

import { Radix } from "./radix.ts";

/**
 * prefixes — which topics are subscribed to: prefixes, each counted. A topic matches if it begins
 * with one of them.
 */
export class Prefixes {
  readonly #counts = new Radix<number>();

  /** Adds a prefix. True if it was not there before. */
  add(prefix: Uint8Array): boolean {
    const count = this.#counts.get(prefix) ?? 0;
    this.#counts.set(prefix, count + 1);
    return count === 0;
  }

  /** Takes back one `add` of a prefix. True if it is no longer there; false also if it was not. */
  remove(prefix: Uint8Array): boolean {
    const count = this.#counts.get(prefix);
    if (count === undefined) return false;
    if (count === 1) this.#counts.delete(prefix);
    else this.#counts.set(prefix, count - 1);
    return count === 1;
  }

  /** Whether a topic begins with one of the prefixes. */
  matches(topic: Uint8Array): boolean {
    return this.#counts.match(topic, yes);
  }

  /** How many different prefixes there are. */
  get size(): number {
    return this.#counts.size;
  }

  /** All different prefixes. */
  *[Symbol.iterator](): IterableIterator<Uint8Array> {
    for (const [prefix] of this.#counts.entries()) yield prefix;
  }
}

function yes(): boolean {
  return true;
}
