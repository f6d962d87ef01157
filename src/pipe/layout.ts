// SPDX-License-Identifier: MIT

import { ROW, WORD_BYTES } from "../memory/index.ts";
import { LANE_WORDS } from "../queue/index.ts";

/**
 * layout — the words of a pipe: a link between two sockets, made by the one that connects.
 *
 *           +0       +1       +2       +3       +4       +5       +6       +7       +8
 *         +--------+--------+--------+--------+--------+--------+--------+--------+--------+
 *      +0 | state  | entry  | next   | out    | in     | type   | until  | linger |orphaned| silent
 *         +--------+--------+--------+--------+--------+--------+--------+--------+--------+- -
 *          link.ts  the name  in its   lanes, or 0;     of the   when a pipe that its connecter has
 *                   (context) list     as the connecter connecter left is no longer worth keeping
 *                                      sees them                  (ms; 0: for ever)
 *
 *          linger: what `until` is made of, should the connecter die. orphaned: its last binder has
 *          died. silent: what it carries is the library's own, and in no count of messages.
 *         +--------+--------+--------+--------+--------+
 *     +10 | binding| routing| refused| since  | bound  |  binding: counts the binders that have
 *         +--------+--------+--------+--------+--------+  left. since: how many messages they had
 *          sent (link.ts). routing: where the connecter's routing id is, or 0. refused: why it
 *          was. bound: by which of the binds of its name (context) the binder is there
 *         +--------+--------+--------+--------+
 *     +15 |personal|address-|address-| passed |  personal: what is written to a binder is for no
 *         |        |ee      |ed      | over   |  other (addressee.ts); passed over: how many
 *         +--------+--------+--------+--------+  messages were, as they were for another
 *         +--------+--------+--------+--------+
 *     +32 | next   | bits   | slot   | object |           the connecter's block (command.ts)
 *         +--------+--------+--------+--------+
 *     +64 | next   | bits   | slot   | object |           the binder's block
 *         +--------+--------+--------+--------+
 *     +96 | lane                                          one or two (queue/layout.ts)
 *         +- -
 *         +--------+- -
 *         | length | bytes …                              the routing id, if there is one
 *         +--------+- -
 */
export const PIPE_STATE = 0;
export const PIPE_ENTRY = 1;
export const PIPE_NEXT = 2;
export const PIPE_OUT = 3;
export const PIPE_IN = 4;
export const PIPE_TYPE = 5;
export const PIPE_UNTIL = 6;
export const PIPE_LINGER = 7;
export const PIPE_ORPHANED = 8;
export const PIPE_SILENT = 9;
export const PIPE_BINDING = 10;
export const PIPE_ROUTING = 11;
export const PIPE_REFUSED = 12;
export const PIPE_SINCE = 13;
export const PIPE_BOUND = 14;
export const PIPE_PERSONAL = 15;
export const PIPE_ADDRESSEE = 16;
export const PIPE_ADDRESSED = 17;
export const PIPE_PASSED = 18;
export const CONNECTER_BLOCK: number = ROW;
export const BINDER_BLOCK: number = 2 * ROW;
export const PIPE_LANES: number = 3 * ROW;

/** Why a binder refuses a connecter: it has a peer already, and takes no more than one. */
export const HAS_PEER = 1;
/** Its peer of another pipe has the same routing id. */
export const SAME_ID = 2;
/** It has ended the link to this peer. */
export const LET_GO = 3;

/** @param idBytes The length of the routing id. */
export function pipeWords(lanes: number, idBytes: number): number {
  return PIPE_LANES + lanes * LANE_WORDS + (idBytes > 0 ? 1 + Math.ceil(idBytes / WORD_BYTES) : 0);
}
