// SPDX-License-Identifier: MIT

import { type Emitter, program } from "../platform/index.ts";
import { type Check, checkArguments, type ErrnoError, errnoError, isObject } from "./errors.ts";

type Expand<T> = T extends infer O ? { [K in keyof O]: O[K] } : never;

type EventFor<T extends string, D = object> = Expand<{ type: T } & D>;

interface EventAddress {
  address: string;
}

interface EventInterval {
  interval: number;
}

interface EventError<E = ErrnoError> {
  error: E;
}

interface AuthError extends Error {
  status: 300 | 400 | 500;
}

interface ProtoError extends Error {
  code: `ERR_ZMTP_${string}` | `ERR_ZAP_${string}`;
}

/** What a socket can tell of itself. Between threads only `end` ever happens. */
export type Event =
  | EventFor<"accept", EventAddress>
  | EventFor<"accept:error", EventAddress & EventError>
  | EventFor<"bind", EventAddress>
  | EventFor<"bind:error", EventAddress & EventError>
  | EventFor<"connect", EventAddress>
  | EventFor<"connect:delay", EventAddress>
  | EventFor<"connect:retry", EventAddress & EventInterval>
  | EventFor<"close", EventAddress>
  | EventFor<"close:error", EventAddress & EventError>
  | EventFor<"disconnect", EventAddress>
  | EventFor<"end">
  | EventFor<"handshake", EventAddress>
  | EventFor<"handshake:error:protocol", EventAddress & EventError<ProtoError>>
  | EventFor<"handshake:error:auth", EventAddress & EventError<AuthError>>
  | EventFor<"handshake:error:other", EventAddress & EventError>
  | EventFor<"unknown">;

export type EventType = Event["type"];

export type EventOfType<E extends EventType = EventType> = Expand<
  Extract<Event, Event & EventFor<E>>
>;

/** Where listeners are added and removed. */
export interface EventSubscriber {
  on<E extends EventType>(type: E, listener: (data: EventOfType<E>) => void): EventSubscriber;
  off<E extends EventType>(type: E, listener: (data: EventOfType<E>) => void): EventSubscriber;
}

const SOCKET: Check = { accepts: isObject, message: "Socket must be a socket object" };

const EMITS = [
  "Observer is in event emitter mode.",
  "After a call to events.on() it is not possible to read events with events.receive().",
].join(" ");

/** Who observes each socket that is open; null is a socket that is closed. */
const observers = new WeakMap<object, Observer | undefined | null>();

let end: (observer: Observer) => void;

/** A new socket may be observed. */
export function opened(socket: object): void {
  observers.set(socket, undefined);
}

/** The socket closes: who observes it is told. */
export function closed(socket: object): void {
  const observer = observers.get(socket);
  if (observer) end(observer);
  observers.set(socket, null);
}

/**
 * observer — tells what happens to a socket: to who asks, by `receive`, or to listeners.
 *
 * The first listener changes from the one to the other, for good. Of what zeromq.js reports, all
 * but `end` is of the network; what happens between threads is told by the library's `sys://log`.
 */
export class Observer implements EventSubscriber {
  /** The event that has come, and that nobody has taken. */
  #event: Event | undefined;
  #waiting: { resolve(event: Event): void; reject(error: unknown): void } | undefined;
  #emitter: Emitter | undefined;
  #closed = false;

  static {
    end = (observer) => program.defer(() => observer.#end());
  }

  /** @param args The socket. Who observed it before is told the end. */
  constructor(...args: [socket: { readonly closed: boolean }]) {
    checkArguments(args, SOCKET);
    const [socket] = args;
    const known = observers.get(socket);
    if (known === null) throw errnoError("ENOTSOCK");
    if (!observers.has(socket)) throw new Error("Invalid argument");
    if (known) end(known);
    observers.set(socket, this);
  }

  /** Whether the end was told, or the observer was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Observes no longer. */
  close(...args: []): void {
    checkArguments(args);
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting?.reject(errnoError("ENOTSOCK"));
  }

  /** Waits for the next event. One call may be in progress at a time. */
  receive(...args: []): Promise<Event> {
    if (this.#emitter !== undefined) throw new Error(EMITS);
    checkArguments(args);
    if (this.#closed) throw errnoError("EBADF");
    if (this.#waiting !== undefined) {
      const only = "only one receive operation may be in progress at any time";
      throw errnoError("EBUSY", `Observer is busy reading; ${only}`);
    }
    const event = this.#event;
    if (event !== undefined) {
      this.#closed = true;
      return Promise.resolve(event);
    }
    const release = program.hold();
    const next = new Promise<Event>((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
    return next.finally(() => {
      this.#waiting = undefined;
      release();
    });
  }

  /** Adds a listener. */
  on<E extends EventType>(type: E, listener: (data: EventOfType<E>) => void): EventSubscriber {
    return this.#listeners.on(type, listener) as EventSubscriber;
  }

  /** Removes a listener. */
  off<E extends EventType>(type: E, listener: (data: EventOfType<E>) => void): EventSubscriber {
    return this.#listeners.off(type, listener) as EventSubscriber;
  }

  /** Receives until the end. */
  [Symbol.asyncIterator](): AsyncIterator<Event, undefined> {
    return {
      next: async () => {
        if (this.#closed) return { done: true, value: undefined };
        try {
          return { done: false, value: await this.receive() };
        } catch (error) {
          if (this.#closed) return { done: true, value: undefined };
          throw error;
        }
      },
    };
  }

  get #listeners(): Emitter {
    this.#emitter ??= program.newEmitter();
    return this.#emitter;
  }

  #end(): void {
    if (this.#closed) return;
    const event: Event = { type: "end" };
    if (this.#emitter === undefined && this.#waiting === undefined) {
      this.#event = event; // Until somebody asks.
      return;
    }
    this.#closed = true;
    this.#waiting?.resolve(event);
    for (const listener of this.#emitter?.rawListeners(event.type) ?? []) {
      try {
        (listener as (event: Event) => void).call(this.#emitter, event);
      } catch (error) {
        // It is the program's affair, but the other listeners shall hear.
        program.defer(() => {
          throw error;
        });
      }
    }
  }
}
