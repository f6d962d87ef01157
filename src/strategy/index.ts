// SPDX-License-Identifier: MIT

/**
 * strategy — which of many pipes.
 *
 *   rotation   pipes in turn, those that can be used in front
 *   lb         load balancing: where the next message goes
 *   fq         fair queueing: where the next message comes from
 *   routes     where an id leads to
 *   prefixes   which topics are subscribed to
 */
export { Fq, type Wants } from "./fq.ts";
export { Lb } from "./lb.ts";
export { Prefixes } from "./prefixes.ts";
export { Routes } from "./routes.ts";
