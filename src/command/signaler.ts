// SPDX-License-Identifier: MIT

import type { Host, KeepAlive } from "../base/index.ts";
import { type Arena, load, notify, pause, peek, SPIN, wait, waitAsync } from "../memory/index.ts";
import { ASLEEP, type Mailbox } from "./mailbox.ts";

/**
 * signaler — how a thread waits for its mailbox: spinning, blocked, or in its event loop.
 *
 * A sleeping thread takes 50 to 75 µs to answer, whatever wakes it; a spinning one less than one.
 * So every wait begins with a busy one, as long as that has lately paid, and never longer than the
 * context's `spin`. When it has not paid, the next 1, 2, 4 … 64 waits do without.
 *
 * # Waiting in the event loop
 *
 * There is one `waitAsync` a thread, without a timeout. Until it settles it stays the one: a second
 * would only be a second waiter on the same word. It settles when somebody replaces ASLEEP, also if
 * the thread has taken that mail in a call of its own meanwhile; then it finds nothing, and is made
 * anew. It does not keep the event loop alive: for that there is `hold`, while a call is pending.
 */
const LONGEST_SKIP = 64;
/** How often the clock is looked at: a look costs as much as several tries. */
const TRIES_A_LOOK = 8;
/**
 * How long to pause between two tries, in tens of nanoseconds: time for a batch to gather, and for
 * the other thread to have its cache lines to itself. Who waits for a message looks often; who
 * waits for room has a full queue before it, and would only slow the reader down.
 */
export const FOR_A_MESSAGE = 12;
export const FOR_ROOM = 100;

export class Signaler {
  readonly #arena: Arena;
  readonly #mailbox: Mailbox;
  readonly #host: Host;
  readonly #keepAlive: KeepAlive;
  #holds = 0;
  #armed = false;
  /** How many waits shall still go without spinning, and how many after the next failure. */
  #skip = 0;
  #nextSkip = 1;
  /** Called when mail has come; and whether the event loop has had its turn before. */
  onMail: (turned: boolean) => void = () => {};
  /** Called now and then while a call is pending: nobody may tell us that a thread died. */
  onWatch: () => void = () => {};

  constructor(arena: Arena, mailbox: Mailbox, host: Host) {
    this.#arena = arena;
    this.#mailbox = mailbox;
    this.#host = host;
    this.#keepAlive = host.keepAlive(() => this.onWatch());
  }

  /** Tries until it succeeds, or until spinning is no longer worth it. */
  spin(attempt: () => boolean, pauses: number = FOR_A_MESSAGE): boolean {
    if (this.#skip > 0) {
      this.#skip--;
      return false;
    }
    const limit = this.#host.cores > 1 ? peek(this.#arena.words, SPIN) : 0;
    if (limit === 0) return false;
    const end = performance.now() + limit / 1000;
    do {
      for (let tries = 0; tries < TRIES_A_LOOK; tries++) {
        for (let i = 0; i < pauses; i++) this.#relax();
        if (attempt()) {
          this.#nextSkip = 1;
          return true;
        }
      }
    } while (performance.now() < end);
    this.#skip = this.#nextSkip;
    this.#nextSkip = Math.min(2 * this.#nextSkip, LONGEST_SKIP);
    return false;
  }

  /**
   * Blocks until mail comes; false if the time is up before. The mailbox has announced sleep.
   */
  block(timeoutMs: number): boolean {
    return wait(this.#arena.words, this.#mailbox.head, ASLEEP, timeoutMs);
  }

  /** Lets the event loop call `onMail` when mail comes. Mail that is there now comes at once. */
  arm(): void {
    if (this.#armed) return;
    const promise = this.#mailbox.doze()
      ? waitAsync(this.#arena.words, this.#mailbox.head, ASLEEP)
      : undefined;
    this.#armed = true;
    (promise ?? Promise.resolve()).then(() => {
      this.#armed = false;
      this.onMail(promise !== undefined);
    });
  }

  /** Settles what `arm` has left: the thread leaves, and nobody else would notify. */
  disarm(): void {
    if (this.#armed) notify(this.#arena.words, this.#mailbox.head);
  }

  /** Keeps the event loop alive until as many `unhold`. */
  hold(): void {
    if (this.#holds++ === 0) this.#keepAlive.ref();
  }

  unhold(): void {
    if (--this.#holds === 0) this.#keepAlive.unref();
  }

  #relax(): void {
    pause();
    load(this.#arena.words, SPIN); // A word that is hardly ever written: this only takes time.
  }
}
