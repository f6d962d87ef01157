// SPDX-License-Identifier: MIT

import { PrefixTable } from "./prefix_table.ts";

/** What a subscriber wants: topics, or groups, each counted. It is also the list of them. */
export interface Interests extends Iterable<Uint8Array> {
  /** True if it was not wanted before. */
  add(topic: Uint8Array): boolean;
  /** Takes back one `add`. True if it is wanted no longer; false also if it was not. */
  remove(topic: Uint8Array): boolean;
  /** Whether a message of this topic is wanted. */
  matches(topic: Uint8Array): boolean;
  /** Whether every message is. */
  readonly all: boolean;
  /** How many different ones there are. */
  readonly size: number;
}

/**
 * prefixes — which topics are subscribed to: prefixes, each counted. A topic matches if it begins
 * with one of them.
 */
export class Prefixes implements Interests {
  readonly #counts = new PrefixTable<number>();
  /** Whether the empty prefix is among them: it is asked for each message. */
  #hasEmpty = false;

  /** Adds a prefix. True if it was not there before. */
  add(prefix: Uint8Array): boolean {
    const count = this.#counts.get(prefix) ?? 0;
    this.#counts.set(prefix, count + 1);
    if (prefix.length === 0) this.#hasEmpty = true;
    return count === 0;
  }

  /** Takes back one `add` of a prefix. True if it is no longer there; false also if it was not. */
  remove(prefix: Uint8Array): boolean {
    const count = this.#counts.get(prefix);
    if (count === undefined) return false;
    if (count > 1) {
      this.#counts.set(prefix, count - 1);
      return false;
    }
    this.#counts.delete(prefix);
    if (prefix.length === 0) this.#hasEmpty = false;
    return true;
  }

  /** Whether this is one of the prefixes. */
  has(prefix: Uint8Array): boolean {
    return this.#counts.get(prefix) !== undefined;
  }

  /** Whether a topic begins with one of the prefixes. */
  matches(topic: Uint8Array): boolean {
    return this.#hasEmpty || this.#counts.match(topic, yes);
  }

  /** Whether every topic begins with one of them. */
  get all(): boolean {
    return this.#hasEmpty;
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
