// SPDX-License-Identifier: MIT

import { program } from "../platform/index.ts";
import { codeOf, errnoError, translated } from "./errors.ts";

/** What an attempt yields that has to wait. */
export const NOT_YET: unique symbol = Symbol("not yet");

/** A send or a receive. */
export interface Operation<T> {
  /** Does it, if that can be done at once. */
  attempt(): T | typeof NOT_YET;
  /** It will have to wait: what the program has given may change from now on. */
  keep(): void;
  /** Does it as soon as it can be done. */
  wait(timeout: number): Promise<T>;
}

/** How many operations of a socket, both ways, have been done at once, one after the other. */
export interface Streak {
  length: number;
}

/** After so many, the event loop has its turn; the number is that of zeromq.js. */
const LONGEST_STREAK = 512;

/**
 * way — one direction of a socket, in which one operation at a time may be in progress.
 *
 * An operation that is out of turn, a second request say, waits for its turn as for room or for a
 * message. The turn comes by an operation of the other direction, also by one that fails because
 * whoever was asked has gone, so that one wakes it. When the time is up it is tried once more, and
 * fails as being out of turn: EFSM.
 */
export class Way {
  readonly #streak: Streak;
  #busy = false;
  /** How often the turn may have come. */
  #turns = 0;
  #wake: (() => void) | undefined;

  constructor(streak: Streak) {
    this.#streak = streak;
  }

  /** @throws Error EBUSY if an operation is in progress. */
  checkIdle(doing: string, operation: string): void {
    if (!this.#busy) return;
    const only = `only one ${operation} operation may be in progress at any time`;
    throw errnoError("EBUSY", `Socket is busy ${doing}; ${only}`);
  }

  /** The turn may have come, or the socket is closed. */
  wake(): void {
    this.#turns++;
    this.#wake?.();
  }

  /**
   * @param timeout In milliseconds; -1 is for ever.
   * @param other The other direction of the same socket.
   */
  run<T>(operation: Operation<T>, timeout: number, other: Way): Promise<T> {
    const streak = this.#streak;
    const rests = timeout !== 0 && streak.length >= LONGEST_STREAK;
    if (!rests) {
      try {
        const value = operation.attempt();
        if (value !== NOT_YET) {
          streak.length++;
          other.wake();
          return Promise.resolve(value);
        }
        if (timeout === 0) return Promise.reject(errnoError("EAGAIN"));
      } catch (error) {
        if (codeOf(error) === "EHOSTUNREACH") other.wake();
        if (timeout === 0 || codeOf(error) !== "EFSM") return Promise.reject(translated(error));
      }
    }
    operation.keep();
    this.#busy = true;
    return this.#waitFor(operation, timeout, other, rests);
  }

  async #waitFor<T>(
    operation: Operation<T>,
    timeout: number,
    other: Way,
    rests: boolean,
  ): Promise<T> {
    const deadline = performance.now() + timeout;
    try {
      if (rests) await new Promise<void>((resolve) => program.defer(resolve));
      for (;;) {
        const turns = this.#turns;
        const left = timeout < 0 ? timeout : Math.max(0, Math.ceil(deadline - performance.now()));
        try {
          const value = await operation.wait(left);
          other.wake();
          return value;
        } catch (error) {
          if (codeOf(error) === "EHOSTUNREACH") other.wake(); // Nobody will answer any more.
          if (codeOf(error) !== "EFSM" || left === 0) throw error;
          if (turns === this.#turns) await this.#turn(left);
        }
      }
    } catch (error) {
      // A close, while an operation is in progress, is to it as if the time was up.
      throw codeOf(error) === "EBADF" ? errnoError("EAGAIN") : translated(error);
    } finally {
      this.#busy = false;
      this.#streak.length = 0;
    }
  }

  /** Waits until `wake`, or until the time is up. It holds the event loop like any other wait. */
  async #turn(timeout: number): Promise<void> {
    const release = program.hold();
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (timeout > 0) timer = setTimeout(resolve, timeout);
    });
    this.#wake = undefined;
    clearTimeout(timer);
    release();
  }
}
