// SPDX-License-Identifier: MIT

/**
 * pipe — messages between two sockets.
 *
 *   layout       the words of a pipe
 *   link         how it begins and ends, as a table
 *   message      parts into records
 *   backlog      how much memory lies unread in a lane
 *   envelope     the parts that a request has before its own, and its reply too
 *   records      a message as records, in memory of this thread
 *   swap         messages that wait on disk
 *   swapped      how many do
 *   parts        a queue that messages are read from where they lie
 *   writer       the end that messages go into, with its watermark
 *   reader       the end that they come out of
 *   run          records that were copied, and the messages in them
 *   slab         where received bytes are copied to
 *   leases       large bodies that are received without a copy
 *   redelivered  which messages come once more
 *   stretch      messages that are passed on as they lie
 *   move         from one lane to another
 *   publication  one message into many lanes
 *   repair       what a dead one of the two was about
 *   addressee    for which binder a message is
 *   pipe         an end: its roles, its state, what it hears
 */
export { isDead, isStale } from "./addressee.ts";
export { Envelope } from "./envelope.ts";
export * from "./layout.ts";
export { isLeased, Lease, Leases, settleLeases } from "./leases.ts";
export * from "./link.ts";
export {
  bytesOf,
  checkControl,
  isBytes,
  type Message,
  type MessageLike,
  type Part,
  Prepared,
  partsOf,
  prepare,
  refusal,
} from "./message.ts";
export { settleMove } from "./move.ts";
export {
  createPipe,
  type Directions,
  destroyPipe,
  dropPipe,
  limitOf,
  Pipe,
  type PipeEvents,
  type PipeOptions,
  putBytes,
  readBytes,
} from "./pipe.ts";
export { isPublished, Publication, settlePublication } from "./publication.ts";
export type { Mark, PipeReader } from "./reader.ts";
export type { Kept } from "./records.ts";
export { isRedelivered, standsFor } from "./redelivered.ts";
export { repairPipeReader, repairPipeWriter } from "./repair.ts";
export { Slab } from "./slab.ts";
export type { Stretch } from "./stretch.ts";
export { countSwapped, swappedIn } from "./swapped.ts";
export { NO_READER, type PipeWriter, queuedIn } from "./writer.ts";
