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
export { Lease, type Message, type MessageLike, type Part } from "./pipe/index.ts";
export * from "./socket/index.ts";
