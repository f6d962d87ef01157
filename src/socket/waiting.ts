// SPDX-License-Identifier: MIT

import {
  checkObject,
  checkRange,
  MAX_INT,
  quietTimer,
  type Timer,
  ZmqError,
} from "../base/index.ts";
import type { Thread } from "../command/index.ts";
import { offAbort, onAbort } from "./aborting.ts";

/** How one call may be told to wait. */
export interface WaitOptions {
  /** How long, in milliseconds; -1 is for ever, 0 not at all. Default: the socket's own option. */
  timeout?: number;
  /** Aborts the wait: the call rejects with the signal's reason, and does nothing any more. */
  signal?: AbortSignal;
}

/** How a call waits: checked, and with the socket's own timeout where it has none. */
export interface Wait {
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
  /** The endpoint that errors name. */
  readonly address: string | undefined;
  /** The call is in it as long as it waits. */
  readonly held?: Held | undefined;
}

/** Calls that wait, for who may give them up. */
export type Held = Set<{ fail: (error: unknown) => void }>;

/** @throws ZmqError EINVAL if a call was given something else than options. */
export function checkWait(
  options: WaitOptions | undefined,
  usual: number,
  address: string | undefined,
): Wait {
  if (options === undefined) return { timeout: usual, signal: undefined, address };
  checkObject(options, "Give the options of a call as an object: { timeout }.");
  const { timeout = usual, signal } = options;
  checkRange("timeout", timeout, -1, MAX_INT);
  if (signal !== undefined && !isSignal(signal)) {
    throw new ZmqError("EINVAL", { hint: "Give signal as an AbortSignal." });
  }
  return { timeout, signal, address };
}

/** Whether it is an AbortSignal, be it of another realm. */
function isSignal(signal: Partial<AbortSignal> | null): boolean {
  return typeof signal?.aborted === "boolean" && typeof signal.addEventListener === "function";
}

/** A call, which may have to wait. */
interface Operation {
  /** True if it has succeeded; or, when it waits, is settled. */
  attempt: () => boolean;
  fail: (error: unknown) => void;
  /** The call that was being tried when this one was made. */
  readonly maker: Operation | undefined;
}

/** What the calls that wait have claimed, each for itself: others may pass them. */
export interface Claims {
  /** All calls that wait are about to be tried, in their order; nothing is claimed. */
  begin(): void;
  /** A call is about to be tried: what it wants is not known. */
  begun(): void;
  /** The call that was just tried has to wait. True if all that wait were tried, or wait for it. */
  add(): boolean;
  /** A call waits that was not tried: nobody knows for what. */
  unknown(): void;
  /** No call waits. */
  clear(): void;
}

/**
 * waiting — the calls of one socket and one direction that wait, first come first served.
 *
 * A call is an attempt that yields a value or undefined. It is tried at once if nobody is before
 * it, then spinning, then whenever a command says that something has changed.
 *
 * Where calls wait for different things, for room in a pipe which they name, one that has to wait
 * claims what it waits for, and holds up only those behind it that want the same (`Claims`): so it
 * is first come first served for each pipe. What a sendMany has not come to yet it has not claimed.
 *
 * The iterable of a sendMany is the user's code, and may send by itself. What it sends goes before
 * what it yields next, as it is written there: also if it has to wait, and so before all who have
 * come after that sendMany, too. Among themselves such calls go in the order they were made.
 *
 * Who only looks, as a Poller does, follows: it has its turn when no call is left that waits.
 */
export class Waiting {
  readonly #thread: Thread;
  readonly #park: () => boolean;
  readonly #pauses: number;
  readonly #operations = new Set<Operation>();
  #referenced: boolean;
  #holding = false;
  #pumping = false;
  /** The waiting call that is being tried; it is the first but for those that it has made. */
  #tried: Operation | undefined;
  #resting = false;
  /** Whether `pump` was called since the last attempts began. */
  #changed = false;
  /** Calls that block the thread now. */
  #blocked = 0;
  readonly followers: Set<Waiting> = new Set();
  /** Called when a call that has waited does so no longer. */
  onSettled: () => void = nobodyWaits;
  readonly #pump = (): void => this.pump();
  readonly #claims: Claims | undefined;

  /**
   * @param park Asks for a wake-up; false if it is worth trying again at once.
   * @param pauses Between two tries of a busy wait.
   * @param referenced Whether a waiting call keeps the event loop alive.
   * @param claims If calls may pass each other.
   */
  constructor(
    thread: Thread,
    park: () => boolean,
    pauses: number,
    referenced: boolean,
    claims?: Claims,
  ) {
    this.#claims = claims;
    this.#thread = thread;
    this.#pauses = pauses;
    this.#park = park;
    this.#referenced = referenced;
  }

  /** Whether no call waits. */
  get idle(): boolean {
    return this.#operations.size === 0;
  }

  /** Whether any call waits, one that blocks the thread included, or somebody follows. */
  get busy(): boolean {
    return this.#operations.size > 0 || this.#blocked > 0 || this.followers.size > 0;
  }

  get size(): number {
    return this.#operations.size;
  }

  /** How many wait beside the one that is being tried. */
  get others(): number {
    const isTried = this.#tried !== undefined && this.#operations.has(this.#tried);
    return this.size - (isTried ? 1 : 0);
  }

  /** Whether a waiting call keeps the event loop alive. */
  set referenced(referenced: boolean) {
    this.#referenced = referenced;
    this.#hold();
  }

  /** Does it now if it can be done, else when it can be done. */
  run<T>(attempt: () => T | undefined, wait: Wait): Promise<T> {
    const { timeout, signal, address } = wait;
    const { turn } = this.#thread;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const operation = this.#operation(reject, () => {
        const value = attempt();
        if (value === undefined) return false;
        // A value that came without waiting lets the event loop have its turn now and then.
        if (turn.passes()) turn.after(() => resolve(value));
        else resolve(value);
        return true;
      });
      const tryNow = () => this.#try(operation);
      const goes = this.idle || (this.#claims !== undefined && this.yields());
      if (goes) {
        if (tryNow()) return;
        if (!this.#resting) {
          if (timeout !== 0 && this.idle && this.#thread.spin(tryNow, this.#pauses)) return;
          if (timeout === 0 && !this.#resting) throw timedOut(address);
        }
        this.#claims?.add();
      } else {
        if (timeout === 0) throw timedOut(address);
        this.#claims?.unknown();
      }
      this.#enqueue(operation, wait);
    });
  }

  /** The same for a call that blocks its thread. */
  runSync<T>(attempt: () => T | undefined, { timeout, address }: Wait): T {
    if (this.#pumping) {
      const value = this.yields() ? attempt() : undefined;
      if (value !== undefined) return value;
      const hint =
        "It was called by what a waiting call of this socket runs: an iterable, a codec.";
      throw new ZmqError("EAGAIN", { address, hint });
    }
    const deadline = timeout < 0 ? Number.POSITIVE_INFINITY : performance.now() + timeout;
    let value: T | undefined;
    const operation = this.#operation(nobodyWaits, () => {
      value = attempt();
      return value !== undefined;
    });
    const tryNow = () => {
      this.#resting = false; // While the thread is blocked, the event loop has no turn.
      if (!this.idle) this.pump();
      return (this.idle || this.#claims !== undefined) && this.#try(operation);
    };
    this.#blocked++;
    try {
      if (timeout === 0) tryNow();
      else this.#thread.waitFor(tryNow, this.#park, deadline, this.#pauses);
    } finally {
      this.#blocked--;
    }
    if (value === undefined) throw timedOut(address);
    return value;
  }

  /** Something has changed: lets the waiting calls try, in their order, when that is whole. */
  pump(): void {
    this.#changed = true; // If an attempt has called the library, the loop below goes on.
    if (this.#pumping || this.#resting || this.#thread.steps.keeps(this.#pump)) return;
    this.#pumping = true;
    try {
      while (!this.idle) {
        this.#changed = false;
        this.#tryAll();
        if (this.idle || this.#resting || (this.#park() && !this.#changed)) break;
      }
    } finally {
      this.#pumping = false;
    }
    this.follow();
  }

  /** Something has changed, and no call waits: lets the followers look. */
  follow(): void {
    const mayLook = this.idle || this.#claims !== undefined;
    if (this.followers.size === 0 || !mayLook || this.#pumping) return;
    // One that is looking at us now sees it.
    for (const follower of this.followers) if (!follower.#pumping) follower.pump();
  }

  /** Tries those that wait, until one has to wait, and with it all others. */
  #tryAll(): void {
    const claims = this.#claims;
    claims?.begin();
    for (const operation of this.#operations) {
      if (this.#try(operation)) continue;
      if (this.#resting) claims?.unknown();
      if (this.#resting || claims === undefined || claims.add()) break;
    }
  }

  /**
   * The call that is being tried will go on when the event loop has had its turn. Till then it
   * keeps its place, before all others.
   */
  rest(): void {
    if (this.#resting) return;
    this.#resting = true;
    this.#thread.turn.rest(() => {
      this.#resting = false;
      this.pump();
    });
  }

  /**
   * Lets the call that is being tried go on as soon as what runs now has returned; till then it
   * keeps its place. For one that calls the user's code, which is not to run in the midst of
   * another call that happens to have brought what this one waits for.
   *
   * @returns false if it may go on: nothing else is in the midst, or a call behind it blocks.
   */
  pause(): boolean {
    if (!this.#pumping || this.#blocked > 0) return false;
    const operation = this.#tried as Operation;
    this.#resting = true;
    queueMicrotask(() => {
      this.#resting = false;
      if (this.#operations.has(operation)) this.#try(operation);
      this.pump();
    });
    return true;
  }

  /** Whether a new call may go at once: those that go before it have had their chance. */
  yields(): boolean {
    if (!this.#pumping) {
      if (!this.idle) this.pump();
      return this.idle || (this.#claims !== undefined && !this.#resting);
    }
    for (const operation of this.#operations) {
      if (operation === this.#tried) break;
      if (operation.maker === this.#tried && !this.#try(operation)) return false;
    }
    return true;
  }

  /** Whether the call that is being tried has made others that wait: they go before its rest. */
  get preceded(): boolean {
    for (const operation of this.#operations) {
      if (operation === this.#tried) break;
      if (operation.maker === this.#tried) return true;
    }
    return false;
  }

  /** Fails all waiting calls. */
  fail(error: unknown): void {
    for (const operation of this.#operations) operation.fail(error);
    this.follow();
  }

  /** A call that is made now. */
  #operation(fail: (error: unknown) => void, attempt: () => boolean): Operation {
    return { attempt, fail, maker: this.#tried };
  }

  #try(operation: Operation): boolean {
    const outer = this.#tried;
    this.#tried = operation;
    this.#claims?.begun();
    try {
      return operation.attempt();
    } finally {
      this.#tried = outer;
    }
  }

  /** Gives a call its place: the last one, or before the call that has made it. */
  #place(operation: Operation): void {
    const operations = this.#operations;
    const tried = this.#tried;
    const later: Operation[] = [];
    if (tried !== undefined && operations.has(tried)) {
      for (const other of operations) if (other === tried || later.length > 0) later.push(other);
    }
    for (const other of later) operations.delete(other);
    operations.add(operation);
    for (const other of later) operations.add(other);
  }

  /** The call has to wait: from now on it settles itself. */
  #enqueue(operation: Operation, { timeout, signal, address, held }: Wait): void {
    const { attempt, fail } = operation;
    let timer: Timer | undefined;
    operation.attempt = () => {
      try {
        if (!attempt()) {
          if (timeout !== 0 || this.#resting) return false;
          fail(timedOut(address));
        }
      } catch (error) {
        fail(error);
      }
      leave();
      return true;
    };
    operation.fail = (error) => {
      leave();
      fail(error);
    };
    const abort = () => operation.fail(signal?.reason);
    const leave = () => {
      clearTimeout(timer);
      if (signal !== undefined) offAbort(signal, abort);
      held?.delete(operation);
      this.#operations.delete(operation);
      if (this.idle) this.#claims?.clear();
      this.#hold();
      this.follow();
      this.onSettled();
    };
    this.#place(operation);
    held?.add(operation);
    if (signal?.aborted === true) {
      abort(); // While it was tried.
      return;
    }
    if (signal !== undefined) onAbort(signal, abort);
    if (timeout > 0) {
      timer = quietTimer(() => {
        this.pump(); // A wake-up may not have been worth its price yet, but there may be room.
        if (this.#operations.has(operation)) operation.fail(timedOut(address));
      }, timeout); // `hold` says what holds the event loop.
    }
    this.#hold();
    this.pump();
    this.#thread.signaler.arm();
  }

  #hold(): void {
    const wanted = this.#referenced && this.#operations.size > 0;
    if (wanted === this.#holding) return;
    this.#holding = wanted;
    if (wanted) this.#thread.signaler.hold();
    else this.#thread.signaler.unhold();
  }
}

function nobodyWaits(): void {}

export function timedOut(address: string | undefined): ZmqError {
  return new ZmqError("EAGAIN", {
    address,
    hint: "The call has done nothing more; the socket may be used as before.",
  });
}

/** The last step of an iteration. */
export const END: IteratorReturnResult<undefined> = { done: true, value: undefined };

/**
 * What a `for await` goes through, step by step; by hand, for a generator is much slower. Who ends
 * it while steps wait gives their calls up, which then fail with {@link END}, and takes nothing.
 */
export function iterate<T>(
  step: (held: Held) => Promise<IteratorResult<T>>,
): AsyncIterableIterator<T> {
  let over = false;
  const held: Held = new Set();
  return {
    next: () => (over ? Promise.resolve(END) : step(held)),
    return: () => {
      over = true;
      for (const call of held) call.fail(END);
      return Promise.resolve(END);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** The same by a call that is made again and again, until it fails because of a close. */
export function repeat<T>(
  call: (held: Held) => Promise<T>,
  closed: () => boolean,
): AsyncIterableIterator<T> {
  return iterate(async (held) => {
    try {
      return { done: false, value: await call(held) };
    } catch (error) {
      if (closed() || error === END) return END;
      throw error;
    }
  });
}
