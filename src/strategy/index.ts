// SPDX-License-Identifier: MIT

/**
 * strategy — which of many pipes.
 *
 *   rotation       pipes in turn, those that can be used in front
 *   unshown        those that are to be flushed
 *   lb             load balancing: where the next message goes
 *   fq             fair queueing: where the next message comes from
 *   routes         where an id leads to
 *   shortage       memory is what is missing
 *   dist           to all that want it
 *   outlet         one of those, and what happens to what it has no room for
 *   announcing     what subscribers and publishers tell each other
 *   prefix_table   values by prefixes
 *   prefixes       which topics are subscribed to
 *   subscriptions  and by whom
 */
export {
  aboutNumber,
  aboutTopic,
  BEGIN,
  COMPLETE,
  FORGET_ALL,
  KNOWN,
  lostBy,
  NOBODY,
  numberIn,
  POLICIES,
  RETURNED,
  SUBSCRIBE,
  UNSUBSCRIBE,
  WHEN_FULL,
  type WhenFull,
} from "./announcing.ts";
export { Dist, type DistOwner } from "./dist.ts";
export { Fq, type Moved, type Wants } from "./fq.ts";
export { Lb } from "./lb.ts";
export type { DropCause, Outlet } from "./outlet.ts";
export { type Interests, Prefixes } from "./prefixes.ts";
export { Routes } from "./routes.ts";
export { Shortage } from "./shortage.ts";
export { Groups, Subscriptions, type Wishes } from "./subscriptions.ts";
export { Unshown } from "./unshown.ts";
