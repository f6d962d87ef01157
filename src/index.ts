// SPDX-License-Identifier: MIT

/**
 * ThreadMQ: ZeroMQ's sockets for JavaScript threads.
 *
 * @packageDocumentation
 */
export { type LeasedPart, ZmqError, type ZmqErrorCode } from "./base/index.ts";
export {
  Context,
  type ContextHandle,
  type ContextOptions,
  type ContextStats,
  context,
  type LogReason,
  type LogRecord,
  type LogTopic,
} from "./context/index.ts";
export * from "./patterns/index.ts";
export { Lease, type Message, type MessageLike, type Part } from "./pipe/index.ts";
export {
  type AcknowledgeOption,
  type Balance,
  type BalanceOption,
  type Chunk,
  type Codec,
  type CodecOption,
  type CodecUnlessMessage,
  type ConflateOption,
  type DuplexOptions,
  DuplexSocket,
  framed,
  json,
  type OnePart,
  onlyPart,
  type PollEvent,
  Poller,
  type PollOptions,
  type ProbeOption,
  ProbingSocket,
  Proxy,
  type ProxyOptions,
  type ProxyStats,
  type ProxyTraffic,
  type PublishOptions,
  type Received,
  type ReceivedBody,
  type ReceiveOptions,
  type Receives,
  ReceivingSocket,
  RoutedSocket,
  type RoutingOptions,
  SendingSocket,
  type SendOptions,
  type Sends,
  Socket,
  type SocketEvent,
  type SocketEventListener,
  type SocketEventReason,
  SocketEvents,
  type SocketEventType,
  type SocketOptions,
  type SocketStats,
  type SubscribeOptions,
  toReadableStream,
  toWritableStream,
  type Verbosity,
  type WaitOptions,
} from "./socket/index.ts";
export type { WhenFull } from "./strategy/index.ts";
