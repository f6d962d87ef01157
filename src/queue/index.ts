// SPDX-License-Identifier: MIT

/**
 * queue — moving records from one thread to another without a lock.
 *
 *   layout   chunks, records, and the rows of a lane
 *   ypipe    when records may be seen: flush, sleep; and the chunks they are in
 *   handed   what was handed out, and is to be handed out again
 *   holds    whether a block is in a lane
 *   cell     one message, and only the newest, beside a ypipe
 *
 * Below is `memory`, which gives addresses and atomic words. Above is `command`, whose mailbox
 * takes from many threads and so is not built of these, and `pipe`, which puts messages through
 * them.
 *
 * Everything here has exactly one writer and one reader. The two roles are separate classes, so a
 * thread that was given the reader has no method that writes. If you want many writers, use one
 * pipe for each and fair queueing (strategy/fq.ts).
 *
 * Nothing here waits for another end, or knows what a record means.
 */
export { CellReader, CellWriter, repairCellReader } from "./cell.ts";
export { markRedelivered } from "./handed.ts";
export { isHeld, isUnread } from "./holds.ts";
export * from "./layout.ts";
export {
  createYpipe,
  destroyYpipe,
  passTo,
  repairReader,
  repairWriter,
  shownBy,
  shownUpTo,
  YpipeReader,
  YpipeWriter,
} from "./ypipe.ts";
