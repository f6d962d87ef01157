// SPDX-License-Identifier: MIT

import { assert } from "../base/index.ts";
import { type Addr, type Arena, load, store, swapIf, type Words } from "../memory/index.ts";
import { LANE_WRITTEN } from "../queue/index.ts";
import {
  BINDER_BLOCK,
  CONNECTER_BLOCK,
  PIPE_BINDING,
  PIPE_IN,
  PIPE_OUT,
  PIPE_SINCE,
  PIPE_STATE,
} from "./layout.ts";

/**
 * link — how a pipe begins and ends, as a table.
 *
 * A pipe is made by the socket that connects and belongs to the name it connects to. The connecter
 * is there from the beginning and leaves once. Binders come and go: without one, the pipe is
 * pending, and what was written into it waits for the next; unless it was for one of them and for
 * no other (addressee.ts).
 *
 * One word holds where both ends are. Each event moves one of them; ✗ is asserted.
 *
 *   binder        assign      attach      drain       leave       retract     refuse
 *   ────────────  ──────────  ──────────  ──────────  ──────────  ──────────  ──────────
 *   absent        assigned    ✗           ✗           ✗           retracted   ✗
 *   assigned      ✗           attached    ✗           absent      ✗           ✗
 *   attached      ✗           ✗           draining    absent      ✗           refused
 *   draining      ✗           ✗           ✗           absent      ✗           refused
 *   retracted     ✗           ✗           ✗           absent      ✗           ✗
 *   refused       ✗           ✗           ✗           ✗           ✗           ✗
 *
 *   connecter     drain       leave
 *   ────────────  ──────────  ──────────
 *   attached      draining    gone
 *   draining      ✗           gone
 *   gone          ✗           ✗
 *
 *   assign   who completes a link, under the lock of the names, on the binder's behalf
 *   attach   the binder's thread, when it hears of it
 *   drain    an end that reads has unbound or disconnected: it takes what had arrived, then leaves
 *   leave    an end closes, or has drained, or (the binder) has taken the last message of a
 *            connecter that is gone
 *   retract  the connecter reads itself what a binder that has died has left unread
 *   refuse   the binder has no use for this connecter (layout.ts says why): it has left for good,
 *            and nobody comes after it
 *
 * An end that has left has put its positions where the next holder of its roles finds them, and has
 * withdrawn its block. So the pipe's memory may be freed when the connecter is gone and the binder
 * absent (or it has refused), by whoever made the last of these two true. There is no delimiter in
 * the queue and no acknowledgement: nothing about an end can fail for lack of memory, and any order
 * of events is good.
 *
 * Binders are numbered: whoever comes next has the next number from the moment on that the one
 * before leaves. With the number stands how many messages all before had sent, so that it is known
 * of a message who has sent it, whoever has come meanwhile.
 *
 * Transitions are made under the lock of the names, because assign and leave also change its lists.
 * The word is read without it: by a writer, to know whether its peer still reads; by a reader that
 * has found nothing, to know whether anything can still come.
 *
 * # Synchronisation
 *
 *   SYNC(link)   an end's swap ⇒ a load by the other end, or by the next holder of a role
 *                everything the end did to the pipe before
 *
 * # If a thread dies
 *
 * The word says which of its ends had not left; the leaving is done on its behalf, under the lock
 * (context/registry.ts).
 */
export const ABSENT = 0;
export const ASSIGNED = 1;
export const ATTACHED = 2;
export const DRAINING = 3;
export const GONE = 4;
export const RETRACTED = 5;
export const REFUSED = 6;

export type EndState = 0 | 1 | 2 | 3 | 4 | 5 | 6;
export type LinkEvent = "assign" | "attach" | "drain" | "leave" | "retract" | "refuse";

/** Whether somebody is at an end, or is about to be, who takes messages. */
export function isAttended(state: EndState): boolean {
  return state === ASSIGNED || state === ATTACHED;
}

/** Which of the two ends of a pipe. */
export type Side = "connecter" | "binder";

export function peerOf(side: Side): Side {
  return side === "connecter" ? "binder" : "connecter";
}

/** Where in a pipe the block is that commands to an end are posted to. */
export function blockOf(side: Side): number {
  return side === "connecter" ? CONNECTER_BLOCK : BINDER_BLOCK;
}

/** The lane that an end writes, or 0. The one that it reads is its peer's. */
export function laneOf(words: Words, pipe: Addr, side: Side): Addr {
  return words[pipe + (side === "connecter" ? PIPE_OUT : PIPE_IN)];
}

const TABLE: Record<Side, Record<EndState, Partial<Record<LinkEvent, EndState>>>> = {
  binder: {
    [ABSENT]: { assign: ASSIGNED, retract: RETRACTED },
    [ASSIGNED]: { attach: ATTACHED, leave: ABSENT },
    [ATTACHED]: { drain: DRAINING, leave: ABSENT, refuse: REFUSED },
    [DRAINING]: { leave: ABSENT, refuse: REFUSED },
    [GONE]: {},
    [RETRACTED]: { leave: ABSENT },
    [REFUSED]: {},
  },
  connecter: {
    [ABSENT]: {},
    [ASSIGNED]: {},
    [ATTACHED]: { drain: DRAINING, leave: GONE },
    [DRAINING]: { leave: GONE },
    [GONE]: {},
    [RETRACTED]: {},
    [REFUSED]: {},
  },
};

const BITS = 8;
const MASK: number = (1 << BITS) - 1;

/** The word of a new pipe: its connecter is there, a binder is not. */
export const PENDING: number = (ATTACHED << BITS) | ABSENT;

/** Where an event leads; undefined where it cannot happen. */
export function transition(side: Side, state: EndState, event: LinkEvent): EndState | undefined {
  return TABLE[side][state][event];
}

/** Where an end of a pipe is. */
export function stateOf(arena: Arena, pipe: Addr, side: Side): EndState {
  // SYNC(link) observe: everything that end did before.
  const word = load(arena.words, pipe + PIPE_STATE);
  return stateIn(word, side);
}

function stateIn(word: number, side: Side): EndState {
  return ((side === "binder" ? word : word >> BITS) & MASK) as EndState;
}

/** Moves one end by the table. The caller holds the lock of the names. */
export function move(arena: Arena, pipe: Addr, side: Side, event: LinkEvent): void {
  if (side === "binder" && event === "leave") countBinder(arena, pipe);
  for (;;) {
    // SYNC(link) observe: the other end's word stays as it is.
    const word = load(arena.words, pipe + PIPE_STATE);
    const state = stateIn(word, side);
    const next = transition(side, state, event);
    assert(next !== undefined, `a ${side} in state ${state} can ${event}`);
    const moved = side === "binder" ? (word & ~MASK) | next : (word & MASK) | (next << BITS);
    // SYNC(link) publish: everything this end did before.
    if (swapIf(arena.words, pipe + PIPE_STATE, word, moved) === word) return;
  }
}

/** A binder leaves. Should we die here it is done again, and a number is left out. */
function countBinder(arena: Arena, pipe: Addr): void {
  if (stateOf(arena, pipe, "binder") === RETRACTED) return; // It was no binder.
  const { words } = arena;
  const lane = laneOf(words, pipe, "binder");
  // First: who sees the old number may believe that a message is of somebody before, who has gone,
  // and not that it is of somebody who comes after.
  if (lane !== 0) store(words, pipe + PIPE_SINCE, words[lane + LANE_WRITTEN]);
  store(words, pipe + PIPE_BINDING, (words[pipe + PIPE_BINDING] + 1) | 0);
}
