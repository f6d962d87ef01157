// SPDX-License-Identifier: MIT

/**
 * zeromq — the API of zeromq.js 6, over the public one of the library.
 *
 *   shapes      what TypeScript sees: messages, the two directions, options of a class
 *   errors      plain Errors with zeromq.js's codes and texts; arguments of a wrong kind
 *   values      what programs give, as messages and options
 *   options     all options of sockets, in one table
 *   context     a context, and its options
 *   library     the library's socket that is under each of zeromq.js
 *   way         one send or receive at a time; who is out of turn waits
 *   observer    events
 *   socket      the base of all classes
 *   proxy       passes messages between two sockets
 *   patterns    the classes
 *   draft       and those of `zeromq/draft`
 *
 * Nothing here knows of shared memory or threads. What differs from zeromq.js, and why, is in
 * docs/ZEROMQJS.md.
 */
export { Context, context } from "./context.ts";
export { Client, Datagram, Dish, Gather, Radio, Scatter, Server } from "./draft.ts";
export { errnoError } from "./errors.ts";
export {
  type Event,
  type EventOfType,
  type EventSubscriber,
  type EventType,
  Observer,
} from "./observer.ts";
export {
  Dealer,
  Pair,
  Publisher,
  Pull,
  Push,
  Reply,
  Request,
  Router,
  type RouterConnectOptions,
  type SocketOptions,
  Stream,
  type StreamConnectOptions,
  Subscriber,
  XPublisher,
  XSubscriber,
} from "./patterns.ts";
export { Proxy } from "./proxy.ts";
export type { Message, MessageLike, Readable, Writable } from "./shapes.ts";
export { Socket } from "./socket.ts";
