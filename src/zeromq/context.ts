// SPDX-License-Identifier: MIT

import * as zmq from "../index.ts";
import {
  BOOLEAN,
  checkArguments,
  errnoError,
  IDENTIFIER,
  isObject,
  NUMBER,
  OPTIONS,
  withLibrary,
} from "./errors.ts";
import { defineProperty } from "./options.ts";
import type { Options } from "./shapes.ts";

interface Entry {
  readonly initial: number;
  readonly least: number;
  readonly most: number;
  readonly gets: boolean;
  readonly sets: boolean;
}

const MAX = 2 ** 31 - 1;
const MAX_SOCKETS = 2;
const SOCKET_LIMIT = 65535;
const IPV6 = 42;
const BLOCKY = 70;

/** By their numbers in `zmq.h`. Number 3 has one meaning when read and another when written. */
const ENTRIES: Readonly<Record<number, Entry>> = {
  1: { initial: 1, least: 0, most: MAX, gets: true, sets: true },
  [MAX_SOCKETS]: { initial: 1023, least: 1, most: MAX, gets: true, sets: true },
  3: { initial: SOCKET_LIMIT, least: 0, most: MAX, gets: true, sets: true },
  4: { initial: -1, least: 0, most: MAX, gets: true, sets: true },
  5: { initial: MAX, least: 0, most: MAX, gets: true, sets: true },
  6: { initial: 64, least: 0, most: 0, gets: true, sets: false },
  9: { initial: 0, least: 0, most: MAX, gets: true, sets: true },
  10: { initial: 1, least: 0, most: 1, gets: true, sets: true },
  [IPV6]: { initial: 0, least: 0, most: 1, gets: true, sets: true },
  [BLOCKY]: { initial: 1, least: 0, most: 1, gets: true, sets: true },
};

/** What is written there is not what is read there. */
const WRITTEN_ONLY = 3;

/** What sockets take from their context. */
export interface Ground {
  /** The library's context, made when it is first asked for. */
  readonly library: zmq.Context;
  readonly blocky: boolean;
  readonly ipv6: boolean;
}

let groundOf: (context: Context) => Ground;
let shared: Context;

/** A context: the sockets that can be linked to each other by name. */
export interface Context {
  /** `ZMQ_BLOCKY`: if false, new sockets have a `linger` of 0. Default true. */
  blocky: boolean;
  /** `ZMQ_IO_THREADS`: of the network only; it is kept. */
  ioThreads: number;
  /** `ZMQ_MAX_MSGSZ`: of the network only; it is kept. */
  maxMessageSize: number;
  /** `ZMQ_MAX_SOCKETS`: how many sockets may be open at a time. Default 1023. */
  maxSockets: number;
  /** `ZMQ_IPV6`: of the network only; new sockets take it over. */
  ipv6: boolean;
  /** `ZMQ_THREAD_PRIORITY`: of the network only. It cannot be read. */
  threadPriority: number;
  /** `ZMQ_THREAD_SCHED_POLICY`: of the network only. It cannot be read. */
  threadSchedulingPolicy: number;
  /** `ZMQ_SOCKET_LIMIT`: the largest value of `maxSockets`. */
  readonly maxSocketsLimit: number;
}

/**
 * A context over one of the library's. That one is made with the first socket, so that a context
 * which is not used takes no shared memory.
 */
export class Context {
  #library: zmq.Context | undefined;
  readonly #values = new Map<number, number>();

  static {
    groundOf = (context) => {
      // Contexts of another making are refused as by N-API: without a code.
      if (!isObject(context) || !(#values in context)) throw new Error("Invalid argument");
      return {
        get library() {
          context.#library ??= new zmq.Context({
            maxSockets: Math.min(context.#get(MAX_SOCKETS), SOCKET_LIMIT),
          });
          return context.#library;
        },
        blocky: context.#get(BLOCKY) !== 0,
        ipv6: context.#get(IPV6) !== 0,
      };
    };
    shared = new Context();
    shared.#library = zmq.context;
  }

  constructor(...args: [options?: Options<Context>]) {
    checkArguments(args, OPTIONS);
    Object.seal(this);
    Object.assign(this, args[0]);
  }

  protected getBoolOption(...args: [option: number]): boolean {
    checkArguments(args, IDENTIFIER);
    return this.#get(args[0]) !== 0;
  }

  protected setBoolOption(...args: [option: number, value: boolean]): void {
    checkArguments(args, IDENTIFIER, BOOLEAN);
    this.#set(args[0], Number(args[1]));
  }

  protected getInt32Option(...args: [option: number]): number {
    checkArguments(args, IDENTIFIER);
    return this.#get(args[0]);
  }

  protected setInt32Option(...args: [option: number, value: number]): void {
    checkArguments(args, IDENTIFIER, NUMBER);
    this.#set(args[0], args[1] | 0);
  }

  #get(id: number): number {
    const entry = ENTRIES[id];
    const kept = this.#values.get(id) ?? entry?.initial ?? -1;
    // To libzmq a value below 0 is an error.
    if (entry?.gets !== true || kept < 0) throw errnoError("EINVAL");
    if (id !== MAX_SOCKETS || this.#library === undefined) return kept;
    // Another thread may have changed it.
    const { maxSockets } = this.#library;
    return maxSockets === SOCKET_LIMIT ? Math.max(kept, SOCKET_LIMIT) : maxSockets;
  }

  #set(id: number, value: number): void {
    const entry = ENTRIES[id];
    if (entry?.sets !== true || value < entry.least || value > entry.most) {
      throw errnoError("EINVAL");
    }
    const library = this.#library;
    if (id === MAX_SOCKETS && library !== undefined) {
      withLibrary(() => {
        library.maxSockets = Math.min(value, SOCKET_LIMIT);
      });
    }
    if (id !== WRITTEN_ONLY) this.#values.set(id, value);
  }
}

const number = { accessor: "Int32" } as const;
const flag = { accessor: "Bool" } as const;

defineProperty(Context.prototype, 1, { name: "ioThreads", ...number });
defineProperty(Context.prototype, MAX_SOCKETS, { name: "maxSockets", ...number });
defineProperty(Context.prototype, 3, { name: "maxSocketsLimit", ...number, property: "get" });
defineProperty(Context.prototype, 3, { name: "threadPriority", ...number, property: "set" });
defineProperty(Context.prototype, 4, {
  name: "threadSchedulingPolicy",
  ...number,
  property: "set",
});
defineProperty(Context.prototype, 5, { name: "maxMessageSize", ...number });
defineProperty(Context.prototype, IPV6, { name: "ipv6", ...flag });
defineProperty(Context.prototype, BLOCKY, { name: "blocky", ...flag });

/** @throws Error if it is no context. */
export function ground(context: Context): Ground {
  return groundOf(context);
}

/** The context that all threads of the process share. */
export const context: Context = shared;
