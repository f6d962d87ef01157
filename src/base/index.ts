// SPDX-License-Identifier: MIT

/**
 * base — what every layer stands on: errors, numbers with their reasons, buffers, and the host.
 */
export { assert } from "./assert.ts";
export { isBuffer, isShared } from "./buffers.ts";
export * from "./config.ts";
export {
  checkObject,
  checkRange,
  shown,
  ZmqError,
  type ZmqErrorCode,
  type ZmqErrorDetail,
} from "./errors.ts";
export {
  claimOf,
  type Host,
  type HostFile,
  type HostFiles,
  type KeepAlive,
  type LeasedPart,
  type PartConstructor,
  type ReceivedPart,
  type ThreadIdentity,
} from "./host.ts";
export { quietTimer, type Timer } from "./timers.ts";
