// SPDX-License-Identifier: MIT

import { type Addr, load, store, type Words } from "../memory/index.ts";
import { LANE_READ, LANE_WRITTEN, ONE, WAITS } from "../queue/index.ts";
import { PIPE_ADDRESSED, PIPE_ADDRESSEE, PIPE_BINDING, PIPE_OUT, PIPE_PERSONAL } from "./layout.ts";
import { queuedIn } from "./writer.ts";

/**
 * addressee — for which binder of a pipe a message is, where it is for that one and for no other.
 *
 * What a PUSH has written, and its binder has not read, is for the next: any PULL will do. What a
 * ROUTER, SERVER, PEER, REP, PAIR or CHANNEL has written is for the one that it spoke to: such a
 * pipe is *personal* (layout.ts). The binders of a pipe have numbers (link.ts), and so have its
 * messages: how many were written before. Two words say from which message on everything is for
 * which binder:
 *
 *      messages   0  1  2 │ 3  4  5  6 │ 7  8 . . .          addressed  7
 *      are for    0       │ 1          │ 2                   addressee  2
 *
 * The connecter says so before its first message to a binder (`address`). The binder compares until
 * it meets a message that is for it, as then are all that follow. What stands before is passed
 * over: that is to read it, and to count it as dropped. So nothing more is written for a message,
 * nor looked at for one, than for those of a PUSH; and nothing of this can lack memory.
 *
 * What is written while nobody is bound is for the next binder, whose number is known.
 *
 * When the connecter hears that its binder is gone and nobody has come, it passes over by itself
 * what that one has left unread, for which it takes the reader's role (`retract`, link.ts): then
 * what is dead does not take the room of what is not. Who binds before that does it when it comes.
 *
 * # Roles
 *
 *   address           the connecter
 *   isFor             whoever reads what the connecter writes, by the number of who is bound or,
 *                     where the connecter reads it back, of the next
 *   isStale, isDead   the connecter; whoever has the lock of the names, if both ends are gone
 *
 * # Invariants
 *
 *   I1  The addressee is never after the binding, and only grows.
 *   I2  Where the addressee is our number, it and what is addressed change no more while we read:
 *       the connecter addresses the next only when the binding is its number, and then we do not
 *       read any more (link.ts).
 *   I3  What is said of a message is said before that is shown. So if the addressee is not our
 *       number, nothing that is shown is for us.
 *   I4  A message in the swap is for the addressee: who addresses another drops what is there.
 *
 * # Synchronisation
 *
 *   SYNC(addressee)   connecter's store of addressee ⇒ reader's load   from which message on
 *   SYNC(flush)       (queue/ypipe.ts) a message is shown ⇒ read       for whom it is
 *
 * # If a thread dies
 *
 * A connecter between the two words has shown nothing to the new addressee, who finds that it is
 * not the addressee, and passes over everything: that was for those before. A reader passes over
 * as it reads: what it has not released the next one meets, and passes over too. One that dies
 * while it leaves may leave its number twice (link.ts); then what was written between the two
 * times is for a binder that does not exist, and is dropped.
 */

/** What is written after so many messages is for this binder. It is the connecter who says so. */
export function address(words: Words, pipe: Addr, binding: number, written: number): void {
  words[pipe + PIPE_ADDRESSED] = written;
  // SYNC(addressee) publish: from which message on.
  store(words, pipe + PIPE_ADDRESSEE, binding);
}

/** Whether the message that comes after so many others is for this binder. */
export function isFor(words: Words, pipe: Addr, binding: number, before: number): boolean {
  // SYNC(addressee) observe: from which message on, if it is we (I2).
  if (load(words, pipe + PIPE_ADDRESSEE) !== binding) return false; // I3
  return !isBefore(words, pipe, before);
}

/** Whether something lies in the lane that is for a binder who is gone. */
export function isStale(words: Words, pipe: Addr): boolean {
  if (words[pipe + PIPE_PERSONAL] === 0) return false;
  const lane = words[pipe + PIPE_OUT];
  if (queuedIn(words, lane) === 0) return false;
  const read = load(words, lane + LANE_READ) & ~WAITS; // A count; who is bound may be reading.
  return isDead(words, pipe) || isBefore(words, pipe, read);
}

/** Whether all that lies in the lane is for binders who are gone. */
export function isDead(words: Words, pipe: Addr): boolean {
  if (words[pipe + PIPE_PERSONAL] === 0) return false;
  // Numbers, of which the connecter's is its own or, if it is gone, changes no more.
  if (load(words, pipe + PIPE_BINDING) !== load(words, pipe + PIPE_ADDRESSEE)) return true;
  const lane = words[pipe + PIPE_OUT];
  return isBefore(words, pipe, (words[lane + LANE_WRITTEN] - ONE) | 0);
}

/** Whether the message that comes after so many others is not for the addressee. */
function isBefore(words: Words, pipe: Addr, before: number): boolean {
  return ((before - words[pipe + PIPE_ADDRESSED]) | 0) < 0;
}
