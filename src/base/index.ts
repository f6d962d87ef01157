// SPDX-License-Identifier: MIT

/**
 * base — what every layer stands on: errors, numbers with their reasons, and the host.
 */
export { assert } from "./assert.ts";
export * from "./config.ts";
export { shown, ZmqError, type ZmqErrorCode, type ZmqErrorDetail } from "./errors.ts";
export type {
  Host,
  HostFile,
  HostFiles,
  KeepAlive,
  PartConstructor,
  ReceivedPart,
  ThreadIdentity,
} from "./host.ts";
