// SPDX-License-Identifier: MIT

/**
 * ThreadMQ by the names and rules of zeromq.js 6: a program that used it between threads changes
 * the module's name and nothing else.
 *
 * @packageDocumentation
 */
import { errnoError } from "./zeromq/index.ts";

export {
  Context,
  context,
  Dealer,
  type Event,
  type EventOfType,
  type EventSubscriber,
  type EventType,
  type Message,
  type MessageLike,
  Observer,
  Pair,
  Proxy,
  Publisher,
  Pull,
  Push,
  type Readable,
  Reply,
  Request,
  Router,
  type RouterConnectOptions,
  Socket,
  type SocketOptions,
  Stream,
  type StreamConnectOptions,
  Subscriber,
  type Writable,
  XPublisher,
  XSubscriber,
} from "./zeromq/index.ts";

/** The version of libzmq whose behaviour this is. */
export const version: string = "4.3.5";

/** What of libzmq's optional parts is there: the draft sockets, as far as they are for threads. */
export const capability: Partial<{
  ipc: boolean;
  pgm: boolean;
  tipc: boolean;
  norm: boolean;
  curve: boolean;
  gssapi: boolean;
  draft: boolean;
}> = {
  ipc: false,
  pgm: false,
  tipc: false,
  norm: false,
  curve: false,
  gssapi: false,
  draft: true,
};

/** Keys are of the network only. @throws Error ENOTSUP. */
export function curveKeyPair(): { publicKey: string; secretKey: string } {
  throw errnoError("ENOTSUP");
}
