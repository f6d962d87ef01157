// SPDX-License-Identifier: MIT

/**
 * context — what all threads share, and each thread's part in it.
 *
 *   slots        which threads there are
 *   names        the table of the names
 *   registry     who is bound to each, and the pipes that were connected to it
 *   reaper       the registry, and what becomes of threads that have died
 *   peers        which socket types fit together
 *   log          what a thread tells on `sys://log`
 *   membership   one thread's part: its slot and its sockets
 *   context      what the user sees, and how every thread finds the default one
 */
export {
  Context,
  type ContextHandle,
  type ContextOptions,
  type ContextStats,
  cloningRefusal,
  context,
  membershipOf,
  showAsJson,
} from "./context.ts";
export {
  LOG_ENDPOINT,
  type LogFields,
  type LogReason,
  type LogRecord,
  type LogTopic,
  topicsThat,
} from "./log.ts";
export { type ManagedSocket, type Membership, terminated, threadEnded } from "./membership.ts";
export { noMemory } from "./names.ts";
export * from "./peers.ts";
export type { Binder, Presence, Registry } from "./registry.ts";
