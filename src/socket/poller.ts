// SPDX-License-Identifier: MIT

import { checkObject, ZmqError } from "../base/index.ts";
import { FOR_A_MESSAGE, type Thread } from "../command/index.ts";
import { membershipOf } from "../context/index.ts";
import type { Direction } from "./direction.ts";
import { Socket } from "./socket.ts";
import { checkWait, type Held, repeat, timedOut, Waiting, type WaitOptions } from "./waiting.ts";
import { halvesOf } from "./ways.ts";

/** What a poller looks for at a socket: `ZMQ_POLLIN`, `ZMQ_POLLOUT`. */
export interface PollOptions {
  /** Whether a message could be received. Default false. */
  readable?: boolean;
  /** Whether a message could be sent. Default false. */
  writable?: boolean;
}

/** A socket that is ready, and for what: `zmq_poller_event_t`. */
export interface PollEvent<S extends Socket = Socket> {
  readonly socket: S;
  readonly readable: boolean;
  readonly writable: boolean;
}

/** A socket, and the directions of it that are looked at. */
interface Item<S> {
  readonly socket: S;
  readonly readable: Direction | undefined;
  readonly writable: Direction | undefined;
}

/**
 * poller — waits until some of many sockets of this thread can be read or written.
 *
 * It is one more that waits in the thread (waiting.ts), and follows each direction that it looks
 * at: it looks after the calls that wait there, and asks the same pipes for a wake-up. What it says
 * is found in shared memory at that moment: whether a call that never waits would do what it is
 * for, or tell an error.
 */
class Lookout<S extends Socket> {
  readonly thread: Thread;
  readonly waiting: Waiting;
  readonly #items: ReadonlyMap<S, Item<S>>;

  constructor(thread: Thread, items: ReadonlyMap<S, Item<S>>, referenced: boolean) {
    this.thread = thread;
    this.#items = items;
    this.waiting = new Waiting(thread, () => this.#park(), FOR_A_MESSAGE, referenced);
  }

  /** All that is ready. @throws ZmqError EBADF, ETERM. */
  look(): PollEvent<S>[] {
    const events: PollEvent<S>[] = [];
    for (const { socket, readable, writable } of this.#items.values()) {
      if (socket.closed) socket.enter(); // Which throws.
      const event = {
        socket,
        readable: readable?.answers === true,
        writable: writable?.answers === true,
      };
      if (event.readable || event.writable) events.push(event);
    }
    return events;
  }

  /** What can be tried by who waits. @throws ZmqError EINVAL if nothing could end the wait. */
  attempt(waits: boolean): () => PollEvent<S>[] | undefined {
    return () => {
      const events = this.look();
      if (events.length > 0) return events;
      if (waits && !this.#seeks) throw nothingToWaitFor();
      return undefined;
    };
  }

  get #seeks(): boolean {
    for (const { readable, writable } of this.#items.values()) {
      if (readable !== undefined || writable !== undefined) return true;
    }
    return false;
  }

  #park(): boolean {
    let isParked = true;
    for (const { readable, writable } of this.#items.values()) {
      if (readable?.parkFollower() === false) isParked = false;
      if (writable?.parkFollower() === false) isParked = false;
    }
    return isParked;
  }
}

/**
 * Waits for any of many sockets of this thread to become readable or writable (`zmq_poller`).
 *
 * What it says is the state of this moment: a socket is told again and again as long as it is
 * ready, and never when a call would have to wait. A socket has also something to tell if the next
 * call would fail: a REQ whose replier is gone is readable.
 *
 * @example
 * ```ts
 * const poller = new Poller();
 * poller.add(jobs);
 * poller.add(control);
 * for await (const events of poller) {
 *   for (const { socket } of events) handle(socket, socket.tryReceive());
 * }
 * ```
 */
export class Poller<S extends Socket = Socket> {
  readonly #items = new Map<S, Item<S>>();
  #lookout: Lookout<S> | undefined;
  #referenced = true;
  #closed = false;

  /** `zmq_poller_size`: how many sockets it looks at. */
  get size(): number {
    return this.#items.size;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * `zmq_poller_add`: looks at a socket from now on.
   *
   * @param options What for. Default: whether it can be read or, if its type does not receive,
   *   written.
   * @throws ZmqError EINVAL if it was added before, if its type cannot do what is looked for, or if
   *   it belongs to another context than the others; EBADF, ETERM.
   */
  add(socket: S, options?: PollOptions): void {
    this.#check();
    if (!(socket instanceof Socket)) throw invalid("Give a socket of this library.");
    if (this.#items.has(socket)) throw invalid("It was added before: use modify.");
    socket.enter();
    const receives = halvesOf(socket).receiver !== undefined;
    const wanted = directionsOf(socket, options ?? { readable: receives, writable: !receives });
    const lookout = this.#lookoutFor(socket);
    this.#items.set(socket, wanted);
    for (const each of [wanted.readable, wanted.writable]) each?.follow(lookout.waiting);
    lookout.waiting.pump();
  }

  /**
   * `zmq_poller_modify`: looks for something else. Nothing is possible too.
   *
   * @throws ZmqError EINVAL if it was not added, or if its type cannot do that; EBADF, ETERM.
   */
  modify(socket: S, options: PollOptions): void {
    this.#check();
    const { waiting } = this.#lookoutOf(socket);
    socket.enter();
    const wanted = directionsOf(socket, options);
    this.#unfollow(socket, waiting);
    this.#items.set(socket, wanted);
    for (const each of [wanted.readable, wanted.writable]) each?.follow(waiting);
    waiting.pump();
  }

  /**
   * `zmq_poller_remove`: looks at a socket no longer. One that is closed is to be removed too.
   *
   * @throws ZmqError EINVAL if it was not added; EBADF if the poller is closed.
   */
  remove(socket: S): void {
    this.#check();
    const { waiting } = this.#lookoutOf(socket);
    this.#unfollow(socket, waiting);
    this.#items.delete(socket);
    waiting.pump();
  }

  /**
   * `zmq_poller_wait_all`: waits until something is ready, and says all that is: at least one.
   *
   * @throws ZmqError by rejection: EAGAIN if the time is up (default: never), EINVAL if there is
   *   nothing to wait for, EBADF if one of the sockets is closed, or the poller, ETERM. Or the
   *   signal's reason.
   */
  wait(options?: WaitOptions): Promise<PollEvent<S>[]> {
    return this.#wait(options);
  }

  async #wait(options?: WaitOptions, held?: Held): Promise<PollEvent<S>[]> {
    const wait = checkWait(options, -1, undefined);
    const lookout = this.#enter(wait.timeout);
    return lookout.waiting.run(lookout.attempt(wait.timeout !== 0), { ...wait, held });
  }

  /** As {@link wait}, but blocks this thread. */
  waitSync(options?: { timeout?: number }): PollEvent<S>[] {
    const wait = checkWait(options, -1, undefined);
    const lookout = this.#enter(wait.timeout);
    return lookout.waiting.runSync(lookout.attempt(wait.timeout !== 0), wait);
  }

  /** All that is ready now, perhaps nothing. Never waits. @throws ZmqError EBADF, ETERM. */
  poll(): PollEvent<S>[] {
    this.#check();
    const lookout = this.#lookout;
    if (lookout === undefined || this.size === 0) return [];
    lookout.thread.dispatch();
    return lookout.look();
  }

  /** Waits again and again, until the poller is closed. */
  [Symbol.asyncIterator](): AsyncIterableIterator<PollEvent<S>[]> {
    return repeat(
      (held) => this.#wait(undefined, held),
      () => this.#closed,
    );
  }

  /** Lets a call that waits keep the event loop alive (the default). */
  ref(): this {
    return this.#refer(true);
  }

  /** Lets the thread end although a call waits. */
  unref(): this {
    return this.#refer(false);
  }

  /** `zmq_poller_destroy`: calls that wait fail with EBADF. The sockets stay open. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const waiting = this.#lookout?.waiting;
    if (waiting === undefined) return;
    for (const socket of this.#items.keys()) this.#unfollow(socket, waiting);
    this.#items.clear();
    waiting.fail(isClosed());
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #refer(referenced: boolean): this {
    this.#referenced = referenced;
    if (this.#lookout !== undefined) this.#lookout.waiting.referenced = referenced;
    return this;
  }

  #check(): void {
    if (this.#closed) throw isClosed();
  }

  /** Begins a call that may wait. */
  #enter(timeout: number): Lookout<S> {
    this.#check();
    const lookout = this.#lookout;
    if (lookout !== undefined) {
      lookout.thread.dispatch();
      return lookout;
    }
    throw timeout === 0 ? timedOut(undefined) : nothingToWaitFor();
  }

  #lookoutFor(socket: S): Lookout<S> {
    const { thread } = membershipOf(socket.context);
    if (this.#lookout?.thread === thread) return this.#lookout;
    if (this.size > 0) {
      throw invalid("All sockets of a poller belong to one context: use a poller for each.");
    }
    this.#lookout = new Lookout(thread, this.#items, this.#referenced);
    return this.#lookout;
  }

  #lookoutOf(socket: S): Lookout<S> {
    if (this.#lookout !== undefined && this.#items.has(socket)) return this.#lookout;
    throw invalid("This poller does not look at it: use add first.");
  }

  #unfollow(socket: S, waiting: Waiting): void {
    const { readable, writable } = this.#items.get(socket) as Item<S>;
    for (const each of [readable, writable]) each?.unfollow(waiting);
  }
}

/** @throws ZmqError EINVAL. */
function directionsOf<S extends Socket>(socket: S, options: PollOptions): Item<S> {
  checkObject(options, "Say what to look for as an object: { readable: true, writable: true }.");
  const { readable = false, writable = false, ...rest } = options;
  for (const name of Object.keys(rest)) {
    throw invalid(`A poller does not look for ${name}, but for readable and writable.`);
  }
  if (typeof readable !== "boolean" || typeof writable !== "boolean") {
    throw invalid("Give readable and writable as true or false.");
  }
  const { receiver, sender } = halvesOf(socket);
  if (readable && receiver === undefined) throw invalid("Sockets of this type do not receive.");
  if (writable && sender === undefined) throw invalid("Sockets of this type do not send.");
  return {
    socket,
    readable: readable ? receiver : undefined,
    writable: writable ? sender : undefined,
  };
}

function invalid(hint: string): ZmqError {
  return new ZmqError("EINVAL", { hint });
}

function nothingToWaitFor(): ZmqError {
  return invalid("The poller looks for nothing, so nothing could end the wait: add a socket.");
}

function isClosed(): ZmqError {
  return new ZmqError("EBADF", { hint: "The poller is closed: create a new one to go on." });
}
