// SPDX-License-Identifier: MIT

/**
 * random — numbers that can be had again.
 *
 * The seed is `THREADMQ_SEED`, or new each time; a test prints it, so that it can be repeated.
 */
export class Random {
  readonly seed: number;
  #state: number;

  constructor(seed: number = Number(process.env.THREADMQ_SEED ?? Date.now() % 2 ** 31)) {
    this.seed = seed;
    this.#state = seed | 0;
  }

  /** A whole number from 0 to `below` - 1. (mulberry32) */
  next(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t ^= t + Math.imul(t ^ (t >>> 7), 61 | t);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.next(from.length)] as T;
  }
}
