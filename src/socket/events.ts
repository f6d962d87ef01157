// SPDX-License-Identifier: MIT

import { ZmqError } from "../base/index.ts";
import { FOR_A_MESSAGE, type Thread } from "../command/index.ts";
import type { LogFields, LogReason, LogTopic } from "../context/index.ts";
import { ABSENT, GONE, isAttended, type Pipe } from "../pipe/index.ts";
import { checkWait, type Held, repeat, Waiting, type WaitOptions } from "./waiting.ts";

const NAMES = [
  "bind",
  "unbind",
  "connect",
  "disconnect",
  "attach",
  "detach",
  "peer-lost",
  "refused",
  "full",
  "relieved",
  "swap",
  "drain",
  "drop",
  "close",
] as const;

/** What a socket tells of itself; see docs/EVENTS.md. */
export type SocketEventType = (typeof NAMES)[number];

/** Why messages were dropped, or a link has ended. */
export type SocketEventReason = LogReason | "full" | "memory" | "unreachable" | "unreadable";

/** Something that has happened to a socket. What is optional depends on the type. */
export interface SocketEvent {
  readonly type: SocketEventType;
  /** When, in milliseconds since 1970. */
  readonly time: number;
  /** How many events were lost immediately before this one, because nobody has received them. */
  readonly lost: number;
  readonly endpoint?: string;
  /** The link, by a number that both its ends tell. */
  readonly pipe?: number;
  /** Which end of the link we are. */
  readonly side?: "binder" | "connecter";
  /** The type of the socket at the other end. */
  readonly peer?: string;
  /** Whether nobody is bound to the endpoint yet. */
  readonly pending?: boolean;
  readonly why?: SocketEventReason;
  /** Messages in the pipe, or the swap. */
  readonly queued?: number;
  /** Messages that are dropped. */
  readonly count?: number;
  /** What to do about it. */
  readonly hint?: string;
}

export type SocketEventListener = (event: SocketEvent) => void;

/** What the library says of it on `sys://log`. */
const TYPES: Partial<Record<LogTopic, SocketEventType>> = {
  "socket.bound": "bind",
  "socket.unbound": "unbind",
  "socket.connected": "connect",
  "socket.disconnected": "disconnect",
  "socket.closed": "close",
  "pipe.attached": "attach",
  "pipe.detached": "detach",
  "pipe.full": "full",
  "pipe.relieved": "relieved",
  "swap.used": "swap",
  "swap.drained": "drain",
  "peer.incompatible": "refused",
};

/** So many events wait to be received; those that come later are lost. */
const MOST = 1000;

/**
 * What happens to a socket (`zmq_socket_monitor`): for listeners, or to be received, or both.
 *
 * Nothing is told to a listener while the library is at work: it is called a moment later, and what
 * it throws is an uncaught exception like that of any listener. Events that nobody receives are
 * kept, a thousand of them, unless there are listeners; the next one says how many were lost.
 *
 * @example
 * ```ts
 * socket.events.on("peer-lost", ({ endpoint, why }) => console.log(endpoint, why));
 * for await (const { type, endpoint } of socket.events) console.log(type, endpoint);
 * ```
 */
export class SocketEvents {
  readonly #waiting: Waiting;
  readonly #queue: SocketEvent[] = [];
  readonly #listeners = new Map<SocketEventType, Set<SocketEventListener>>();
  /** Links of which we know that somebody is at the other end. */
  readonly #linked = new WeakSet<Pipe>();
  /** Whether somebody has received: then events are kept although there are listeners. */
  #isReceived = false;
  #lost = 0;
  #closed = false;

  /** @internal @param pipes The links that there are. */
  constructor(thread: Thread, pipes: Iterable<Pipe>) {
    this.#waiting = new Waiting(thread, () => true, FOR_A_MESSAGE, true);
    for (const pipe of pipes) if (pipe.peerState !== ABSENT) this.#linked.add(pipe);
  }

  /** Whether no more events will come: the socket is closed, or this was. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Calls a listener with each event of a type from now on.
   *
   * @throws ZmqError EINVAL if there is no such type, or the listener is no function.
   */
  on(type: SocketEventType, listener: SocketEventListener): this {
    if (!NAMES.includes(type)) {
      throw new ZmqError("EINVAL", { hint: `Give the type as one of: ${NAMES.join(", ")}.` });
    }
    if (typeof listener !== "function") {
      throw new ZmqError("EINVAL", { hint: "Give a listener as a function." });
    }
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    return this;
  }

  /** Takes a listener back. */
  off(type: SocketEventType, listener: SocketEventListener): this {
    const listeners = this.#listeners.get(type);
    listeners?.delete(listener);
    if (listeners?.size === 0) this.#listeners.delete(type);
    return this;
  }

  /**
   * The next event.
   *
   * @throws ZmqError by rejection: EAGAIN if the time is up, EBADF if there will be none. Or the
   *   signal's reason.
   */
  receive(options?: WaitOptions): Promise<SocketEvent> {
    return this.#receive(options);
  }

  async #receive(options?: WaitOptions, held?: Held): Promise<SocketEvent> {
    this.#isReceived = true;
    const wait = { ...checkWait(options, -1, undefined), held };
    return this.#waiting.run(() => {
      const event = this.#queue.shift();
      if (event === undefined && this.#closed) throw isClosed();
      return event;
    }, wait);
  }

  /** Receives until the socket is closed. */
  [Symbol.asyncIterator](): AsyncIterableIterator<SocketEvent> {
    this.#isReceived = true;
    return repeat(
      (held) => this.#receive(undefined, held),
      () => this.#closed,
    );
  }

  /** Lets a receive that waits keep the event loop alive (the default). Listeners never do. */
  ref(): this {
    this.#waiting.referenced = true;
    return this;
  }

  /** Lets the thread end although a receive waits. */
  unref(): this {
    this.#waiting.referenced = false;
    return this;
  }

  /** Hears no more: receives that wait fail with EBADF. */
  close(): void {
    for (const listeners of this.#listeners.values()) listeners.clear();
    this.#end();
  }

  /** Events that have happened before are still told. */
  #end(): void {
    this.#closed = true;
    this.#listeners.clear();
    this.#waiting.pump(); // Who waits gets what has happened before, or the error.
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal The library says something of the socket. */
  tell(topic: LogTopic, fields: LogFields): void {
    const known = TYPES[topic];
    if (known === undefined) return;
    this.emit(topic === "pipe.detached" && fields.why === "refused" ? "refused" : known, fields);
    if (known === "close") this.#end();
  }

  /** @internal The other end of a link has come, or has gone. */
  peerChanged(pipe: Pipe): void {
    const { peerState, endpoint, side, at } = pipe;
    if (isAttended(peerState) && side === "connecter" && !this.#linked.has(pipe)) {
      this.#linked.add(pipe);
      this.emit("attach", { endpoint, pipe: at, side, queued: pipe.queuedOut });
    } else if (side === "binder" ? peerState === GONE : peerState === ABSENT) {
      if (side === "connecter" && !this.#linked.delete(pipe)) return;
      const why = pipe.orphaned ? "thread died" : "peer left";
      this.emit("peer-lost", { endpoint, pipe: at, side, why, queued: pipe.queuedOut });
    }
  }

  /** @internal */
  emit(type: SocketEventType, fields: Omit<SocketEvent, "type" | "time" | "lost">): void {
    if (this.#closed) return;
    const event = { type, time: Date.now(), lost: this.#lost, ...fields };
    const listeners = this.#listeners.get(type);
    for (const listener of listeners ?? []) {
      // One for each: what one throws is not another's. It may have been taken back by then.
      queueMicrotask(() => listeners?.has(listener) && listener(event));
    }
    if (this.#listeners.size > 0 && !this.#isReceived) return;
    if (this.#queue.length >= MOST) {
      this.#lost++;
      return;
    }
    this.#queue.push(event);
    this.#lost = 0;
    this.#waiting.pump();
  }
}

function isClosed(): ZmqError {
  return new ZmqError("EBADF", { hint: "The socket is closed, or its events: none will come." });
}
