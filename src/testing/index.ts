// SPDX-License-Identifier: MIT

export { type Crew, inWorker, type Roles, startRole } from "./crew.ts";
export { FakeFile, FakeFiles } from "./files.ts";
export { createLane, type Lane } from "./lane.ts";
export { createPair, type Pair, type PairOptions } from "./pair.ts";
/**
 * testing — what unit tests of several layers need. No part of the package.
 *
 *   random   properties and numbers that say how to repeat them
 *   rig      an arena with threads in it that are all this one
 *   crew     real threads that run a role of the test file
 *   lane     a queue, for a test that puts its own ends to it
 *   pair     a pipe with both its ends
 *   files    files in memory, that fail when asked to
 */
export { checkAll, checkAllAsync, type Random, seeded } from "./random.ts";
export {
  type ArenaSize,
  allocateBeyond,
  assertFreed,
  createArena,
  createThread,
  FakeHost,
} from "./rig.ts";
