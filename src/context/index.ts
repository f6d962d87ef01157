// SPDX-License-Identifier: MIT

/**
 * context — what all threads share, and each thread's part in it.
 *
 *   slots        which threads there are
 *   registry     the names, who is bound to each, and the pipes that were connected to it
 *   peers        which socket types fit together
 *   membership   one thread's part: its slot and its sockets
 *   context      what the user sees, and how every thread finds the default one
 */
export {
  Context,
  type ContextHandle,
  type ContextOptions,
  type ContextStats,
  checkRange,
  context,
  membershipOf,
  refuseCloning,
} from "./context.ts";
export { type ManagedSocket, type Membership, terminated } from "./membership.ts";
export { PULL, PUSH, type SocketType, typeName } from "./peers.ts";
export { noMemory, type Registry } from "./registry.ts";
