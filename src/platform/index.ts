// SPDX-License-Identifier: MIT

/**
 * platform — what differs between runtimes, behind the interface `Host` (base/host.ts).
 *
 * One implementation today. Another is chosen here, by a condition of package.json, not at run
 * time.
 */
export { host } from "./node.ts";
export { type Emitter, type Program, program } from "./program.ts";
