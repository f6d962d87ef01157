// SPDX-License-Identifier: MIT

import {
  DEFAULT_HIGH_WATER_MARK,
  type HostFiles,
  MAX_SWAP,
  shown,
  ZmqError,
} from "../base/index.ts";
import { type Context, checkRange } from "../context/index.ts";

/** Options that every socket has. */
export interface SocketOptions {
  /** The context to open the socket in. Default: the one that all threads of the process share. */
  context?: Context;
  /**
   * `ZMQ_LINGER`: how long what was sent is kept, after the socket has closed, for a peer that has
   * yet to bind, in milliseconds. Default -1, for ever (until the context is terminated). What has
   * reached a bound peer is that peer's, whatever this says; what is still in a swap has not.
   */
  linger?: number;
  /**
   * `ZMQ_IMMEDIATE`: if true, messages are queued only for names that somebody is bound to. Default
   * false: a connection is usable at once, and what is sent waits for the bind.
   */
  immediate?: boolean;
}

/** Options of sockets that send. */
export interface SendOptions extends SocketOptions {
  /**
   * `ZMQ_SNDHWM`: how many messages may wait for any one peer. Default 1000; 0 is no limit.
   *
   * Between two sockets the limit is this plus the peer's `receiveHighWaterMark`; if either is 0,
   * there is none. It may be changed at any time.
   */
  sendHighWaterMark?: number;
  /** `ZMQ_SNDTIMEO`: how long a send waits, in milliseconds. Default -1, for ever; 0 is not. */
  sendTimeout?: number;
  /**
   * `ZMQ_SWAP`: how many bytes of messages may wait on disk for any one peer, when as many as the
   * high watermark says wait in memory. Default 0: none. They come back by themselves, in order,
   * whenever this thread is in its event loop or in a call. A message takes 24 bytes more than its
   * parts, and each of these 8, and is rounded up to 8.
   */
  swap?: number;
  /** Where swap files are made. Default: the system's directory for what is temporary. */
  swapDirectory?: string;
}

/** Options of sockets that receive. */
export interface ReceiveOptions extends SocketOptions {
  /** `ZMQ_RCVHWM`: this side's share of the limit. Default 1000; 0 is no limit. */
  receiveHighWaterMark?: number;
  /** `ZMQ_RCVTIMEO`: how long a receive waits, in milliseconds. Default -1, for ever. */
  receiveTimeout?: number;
  /**
   * If true, a message is delivered only when the application asks for the next one, or calls
   * `acknowledge()`. If the thread dies before, or the socket closes, the message goes to another
   * socket, marked (`isRedelivered`). Till then it counts against the watermark. Default false: a
   * message is delivered when it is received.
   */
  acknowledge?: boolean;
}

/** All options that a socket keeps, by name. */
export interface OptionValues {
  linger: number;
  immediate: boolean;
  sendHighWaterMark: number;
  sendTimeout: number;
  swap: number;
  /** Empty: the system's. */
  swapDirectory: string;
  receiveHighWaterMark: number;
  receiveTimeout: number;
  acknowledge: boolean;
}

export type OptionName = keyof OptionValues;

const MAX = 2 ** 31 - 1;

interface Entry<Value> {
  initial: Value;
  /** Numbers have a range. */
  least?: number;
  most?: number;
}

const TABLE: { [Name in OptionName]: Entry<OptionValues[Name]> } = {
  linger: { initial: -1, least: -1 },
  immediate: { initial: false },
  sendHighWaterMark: { initial: DEFAULT_HIGH_WATER_MARK, least: 0 },
  sendTimeout: { initial: -1, least: -1 },
  swap: { initial: 0, least: 0, most: MAX_SWAP },
  swapDirectory: { initial: "" },
  receiveHighWaterMark: { initial: DEFAULT_HIGH_WATER_MARK, least: 0 },
  receiveTimeout: { initial: -1, least: -1 },
  acknowledge: { initial: false },
};

/** The options of a new socket: what was given, checked, and the defaults. */
export function readOptions(
  given: object,
  known: readonly OptionName[],
  socketName: string,
): OptionValues {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new ZmqError("EINVAL", { hint: `Give the options of a ${socketName} as an object.` });
  }
  const values = {} as Record<OptionName, unknown>;
  for (const [name, { initial }] of Object.entries(TABLE)) values[name as OptionName] = initial;
  for (const [name, value] of Object.entries(given)) {
    if (name === "context" || value === undefined) continue;
    if (!known.includes(name as OptionName)) {
      throw new ZmqError("EINVAL", {
        hint: `A ${socketName} has no option ${name}; it has context, ${known.join(", ")}.`,
      });
    }
    checkOption(name as OptionName, value);
    values[name as OptionName] = value;
  }
  return values as unknown as OptionValues;
}

/** @throws ZmqError EINVAL if the value is not one of that option. */
export function checkOption(name: OptionName, value: unknown): void {
  const { initial, least, most = MAX }: Entry<unknown> = TABLE[name];
  if (least !== undefined) checkRange(name, value, least, most);
  else if (typeof value !== typeof initial) {
    const what = typeof initial === "boolean" ? "true or false" : "a string";
    throw new ZmqError("EINVAL", { hint: `Give ${name} as ${what}; it was ${shown(value)}.` });
  }
}

/**
 * Looks whether a swap could be made, if that is asked for.
 *
 * @param given What is set now. @param values All options, as they are.
 * @throws ZmqError EINVAL if there is no such directory, EACCES if nothing can be made there.
 */
export function checkSwap(
  given: Partial<OptionValues>,
  values: OptionValues,
  files: HostFiles,
): void {
  const { swap = 0, swapDirectory = "" } = given;
  if (swap === 0 && swapDirectory === "") return;
  files.check(swapDirectory || values.swapDirectory || files.temporaryDirectory);
}
