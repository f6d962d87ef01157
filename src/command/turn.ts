// SPDX-License-Identifier: MIT

import { FAIRNESS_CHECK_OPERATIONS, FAIRNESS_MILLISECONDS, type Host } from "../base/index.ts";

/**
 * turn — lets the event loop have its turn.
 *
 * A call that needs not wait is settled in a microtask, and a loop of such calls would keep timers
 * and I/O waiting for ever. So from time to time the settling goes through a macrotask: when more
 * than a millisecond has passed since the loop last had its turn, as far as we know.
 *
 * Calls settle in the order in which they were served: while one of them waits for that turn, so do
 * all that come after it.
 *
 * Looking at the clock costs a third of a message. It is looked at after each operation while
 * operations take long, and after more and more of them while they are short.
 */
export class Turn {
  readonly #host: Host;
  #left = 1;
  #step = 1;
  #began = 0;
  #looked = 0;
  /** What settles when the event loop has had its turn, in this order. */
  #passing: (() => void)[] = [];
  /** What goes on then. */
  #resting: (() => void)[] = [];

  constructor(host: Host) {
    this.#host = host;
  }

  /** The event loop has just had its turn. */
  begin(): void {
    this.#began = performance.now();
  }

  /** Counts an operation. True if the event loop should have its turn. */
  due(): boolean {
    return --this.#left <= 0 && this.#look();
  }

  /** The same for one that is to settle: true also if one before it waits for that turn. */
  passes(): boolean {
    return this.#passing.length > 0 || this.due();
  }

  /** A promise for `value` that settles after the event loop had its turn. */
  pass<T>(value: T): Promise<T> {
    return new Promise((resolve) => this.after(() => resolve(value)));
  }

  /** Calls back after the event loop had its turn. */
  after(settle: () => void): void {
    this.#passing.push(settle);
    if (this.#passing.length > 1) return;
    this.#host.defer(() => {
      this.begin();
      const passing = this.#passing;
      this.#passing = [];
      for (const each of passing) each();
    });
  }

  /** Calls back after the event loop had its turn, or when a call blocks the thread till then. */
  rest(goOn: () => void): void {
    this.#resting.push(goOn);
    if (this.#resting.length > 1) return;
    this.#host.defer(() => this.goOn());
  }

  /** All that rests goes on. False if nothing does. */
  goOn(): boolean {
    if (this.#resting.length === 0) return false;
    this.begin();
    const resting = this.#resting;
    this.#resting = [];
    for (const each of resting) each();
    return true;
  }

  #look(): boolean {
    const now = performance.now();
    const quick = now - this.#looked < FAIRNESS_MILLISECONDS / 4;
    this.#step = quick ? Math.min(2 * this.#step, FAIRNESS_CHECK_OPERATIONS) : 1;
    this.#left = this.#step;
    this.#looked = now;
    return now - this.#began > FAIRNESS_MILLISECONDS;
  }
}
