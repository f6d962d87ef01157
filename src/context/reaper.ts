// SPDX-License-Identifier: MIT

import {
  ACTIVATE_READ,
  ACTIVATE_WRITE,
  BLOCK_BITS,
  BLOCK_SLOT,
  CLOSED,
  PIPE_TERM,
} from "../command/index.ts";
import {
  type Addr,
  load,
  MAX_SLOTS,
  NAMES_DOOMED,
  SLOT_BODIES,
  SLOT_HAND,
  SLOT_LEASES,
  SLOT_MAKING,
  SLOT_RECEIVED,
  SLOT_SENT,
  slotAt,
  store,
} from "../memory/index.ts";
import {
  ABSENT,
  ASSIGNED,
  BINDER_BLOCK,
  blockOf,
  CONNECTER_BLOCK,
  destroyPipe,
  GONE,
  isLeased,
  isPublished,
  laneOf,
  move,
  NO_READER,
  PIPE_ENTRY,
  PIPE_LINGER,
  PIPE_ORPHANED,
  PIPE_SILENT,
  peerOf,
  REFUSED,
  RETRACTED,
  repairPipeReader,
  repairPipeWriter,
  type Side,
  settleLeases,
  settleMove,
  settlePublication,
  stateOf,
} from "../pipe/index.ts";
import { isHeld, isUnread, LANE_LIMIT } from "../queue/index.ts";
import { LAST, SLOT } from "./names.ts";
import { Registry } from "./registry.ts";

/**
 * reaper — the registry, and what becomes of threads that have died.
 *
 * `reap` does the leaving of a dead thread: its names are free, its pipes are left, what it was
 * about to do with them is finished or taken back. `repair` puts in order what a section has left
 * half done whose thread died in it; it comes before anything else that is done under the lock.
 *
 * Both may be done again at any step, should the one who does them die: each step leaves things as
 * it found them, or done.
 *
 *   broken off in           what is found                       what is done
 *   ──────────────────────  ──────────────────────────────────  ───────────────────────────────────
 *   making a pipe           `making` of the slot                it is freed, unless it is connected
 *   connecting              `last` is behind                    found anew
 *   assigning               absent beside a binder, or          assigned; the binder is told
 *                           assigned and its block closed
 *   leaving                 nobody at either end                destroyed, if it holds nothing
 *                           the peer was not told               both ends are told to look
 *   destroying              `doomed`                            unlinked and freed
 *   moving a message        `moved to` of a lane it read        it is in one lane, before all else:
 *                                                               what it refers to may be another's
 *   publishing              `bodies` of the slot                what was not given to a lane is
 *                                                               taken back (pipe/publication.ts)
 *   taking a lease          `taking` of the slot                it has what its lane has passed,
 *                                                               and that is freed (pipe/leases.ts)
 *   anywhere                a block in the hand of the slot     freed, if nothing leads to it
 */
const SIDES: readonly Side[] = ["connecter", "binder"];

/** What there was to be done for a thread that has died. */
export interface ReapReport {
  /** Names it was bound to. */
  names: number;
  /** Ends of pipes that it had. */
  pipes: number;
}

export class Reaper extends Registry {
  /**
   * Does the leaving of a dead thread: its names are free, its pipes left, what it was about to do
   * with them finished or taken back. It may be done again, should we die in the middle.
   *
   * @param finish Does the rest, and gives the slot back.
   */
  reap(dead: number, finish: () => void): ReapReport | undefined {
    return this.lock.hold(() => {
      if (!this.isGone(dead)) return undefined; // Somebody was quicker.
      const { arena, pool } = this.thread;
      pool.settleOwners(); // Before anything is asked of what the dead has left.
      this.#settleMoves();
      pool.settleHand(dead, (block) => this.isLinked(block));
      // While the lanes are as the dead has left them.
      settlePublication(arena, pool, dead);
      settleLeases(arena, pool, dead);
      // First, while a pipe that is connected already is still on its list.
      this.#dropUnmade(dead);
      const report = { names: 0, pipes: 0 };
      const words = this.words;
      for (const entry of this.entries()) {
        if (words[entry + SLOT] === dead) {
          words[entry + SLOT] = 0;
          if (this.isHidden(entry)) this.tellListeners();
          else report.names++;
        }
        for (const pipe of this.pipes(entry)) {
          // Asked before the first of them is left: with the last one the pipe may go.
          const ends = SIDES.filter((side) => this.#holderOf(pipe, side) === dead);
          for (const side of ends) this.#reapEnd(pipe, side, dead);
          report.pipes += ends.length;
        }
        this.dropIfEmpty(entry);
      }
      finish();
      return report;
    });
  }

  /** Leaves an end of a pipe on behalf of a dead thread, which had it. */
  #reapEnd(pipe: Addr, side: Side, dead: number): void {
    const { arena, pool } = this.thread;
    const words = this.words;
    const retracted = stateOf(arena, pipe, side) === RETRACTED;
    const counter = (where: number) => (words[pipe + PIPE_SILENT] === 0 ? slotAt(dead) + where : 0);
    const outward = laneOf(words, pipe, side);
    const inward = laneOf(words, pipe, peerOf(side));
    if (outward !== 0 && !retracted) {
      repairPipeWriter(arena, pool, outward, counter(SLOT_SENT));
      // Where nobody reads any more, it may have been reading back.
      if (this.#holderOf(pipe, peerOf(side)) === 0) {
        repairPipeReader(arena, pool, outward, counter(SLOT_RECEIVED));
      }
    }
    if (inward !== 0) {
      repairPipeReader(arena, pool, inward, counter(SLOT_RECEIVED));
      // SYNC(limit) publish: nobody reads.
      store(words, inward + LANE_LIMIT, NO_READER);
    }
    if (!retracted) this.thread.withdrawFor(dead, pipe + blockOf(side));
    this.dropSwapped(pipe, side);
    this.keepUntil(pipe, side, words[pipe + PIPE_LINGER]);
    if (side === "binder") words[pipe + PIPE_ORPHANED] = 1;
    move(arena, pipe, side, "leave");
    // What it had shown, or made room for, it may not have said.
    this.settle(pipe, side, ACTIVATE_READ | ACTIVATE_WRITE);
  }

  /** Puts each message that a dead thread was moving into one of its two lanes (pipe/move.ts). */
  #settleMoves(): void {
    this.arena.refresh();
    for (const pipe of this.allPipes()) {
      for (const side of SIDES) {
        const lane = laneOf(this.words, pipe, side);
        // Who reads is the mover: who passes on, or, where nobody reads any more, the writer.
        const mover = this.#holderOf(pipe, peerOf(side)) || this.#holderOf(pipe, side);
        if (lane !== 0 && this.#isDead(mover)) settleMove(this.arena, lane);
      }
    }
  }

  /** Frees a pipe that a dead thread had made and not connected. */
  #dropUnmade(dead: number): void {
    const { arena, pool } = this.thread;
    const making = slotAt(dead) + SLOT_MAKING;
    const pipe = this.words[making];
    if (pipe === 0) return;
    arena.reach(pipe);
    if (!this.allPipes().includes(pipe)) {
      this.thread.withdrawFor(dead, pipe + CONNECTER_BLOCK);
      destroyPipe(arena, pool, pipe, () => {
        this.words[making] = 0;
      });
    }
    this.words[making] = 0;
  }

  /** Brings everything to where the invariants hold, wherever a section was broken off. */
  protected override repair(): void {
    this.arena.refresh();
    const { arena, pool } = this.thread;
    const words = this.words;
    pool.settleOwners();
    this.#settleMoves();
    for (let slot = 1; slot < MAX_SLOTS; slot++) {
      if (words[slotAt(slot) + SLOT_HAND] === 0 || !this.isGone(slot)) continue;
      pool.settleHand(slot, (block) => this.isLinked(block));
    }
    const doomed = words[NAMES_DOOMED];
    if (doomed !== 0) this.#finish(doomed);
    for (const entry of this.entries()) {
      words[entry + LAST] = this.pipes(entry).at(-1) ?? 0;
      for (const pipe of this.pipes(entry)) {
        const state = stateOf(arena, pipe, "binder");
        const closed = (load(words, pipe + BINDER_BLOCK + BLOCK_BITS) & CLOSED) !== 0; // A look.
        if (this.dropIfOver(entry, pipe)) continue;
        if (words[entry + SLOT] !== 0 && state === ABSENT) this.assign(entry, pipe);
        else if (words[entry + SLOT] !== 0 && state === ASSIGNED && closed) {
          this.tellBinder(entry, pipe);
        }
        // Also where a binder was told: the one before it may have died with something unsaid.
        this.#tellBoth(pipe);
      }
      this.dropIfEmpty(entry);
    }
  }

  /** Lets both ends of a pipe look at it: what they should have been told, they may not have. */
  #tellBoth(pipe: Addr): void {
    const all = PIPE_TERM | ACTIVATE_READ | ACTIVATE_WRITE;
    for (const side of SIDES) this.thread.post(pipe + blockOf(side), all);
  }

  /** Whether a block of the pool is in any structure. Asked of a block that a dead thread held. */
  isLinked(block: Addr): boolean {
    const words = this.words;
    const pipes = this.allPipes();
    if (pipes.includes(block) || this.entries().includes(block)) return true;
    const unlisted = [words[NAMES_DOOMED]];
    for (let slot = 1; slot < MAX_SLOTS; slot++) {
      const making = words[slotAt(slot) + SLOT_MAKING];
      if (making !== 0 && this.isGone(slot)) unlisted.push(making);
      const held = words[slotAt(slot) + SLOT_BODIES] | words[slotAt(slot) + SLOT_LEASES];
      if (held === 0 || !this.isGone(slot)) continue;
      this.arena.refresh(); // After that: it may have died just now.
      if (isPublished(this.words, slot, block) || isLeased(this.words, slot, block)) return true;
    }
    if (block === 0 || unlisted.includes(block)) return true;
    for (const pipe of unlisted) {
      if (pipe === 0) continue;
      for (const side of SIDES) if (this.#isInLane(pipe, side, block, true, true)) return true;
    }
    return pipes.some((pipe) =>
      SIDES.some((side) => {
        const writer = this.#holderOf(pipe, side);
        // Who has no reader any more reads back itself.
        const reader = this.#holderOf(pipe, peerOf(side)) || writer;
        return this.#isInLane(pipe, side, block, this.#isDead(writer), this.#isDead(reader));
      }),
    );
  }

  #isInLane(pipe: Addr, side: Side, block: Addr, held: boolean, unread: boolean): boolean {
    this.arena.refresh(); // After it was asked who is dead: they may have died just now.
    const lane = laneOf(this.words, pipe, side);
    if (lane === 0) return false;
    if (held && isHeld(this.words, lane, block)) return true;
    return unread && isUnread(this.arena, lane, block);
  }

  /** The slot of who has an end of a pipe; 0 if nobody has. */
  #holderOf(pipe: Addr, side: Side): number {
    const state = stateOf(this.arena, pipe, side);
    if (state === ABSENT || state === GONE || state === REFUSED) return 0;
    // The binder's end of a pipe that its connecter has retracted is the connecter's.
    const own = blockOf(state === RETRACTED ? "connecter" : side);
    return this.words[pipe + own + BLOCK_SLOT];
  }

  #isDead(slot: number): boolean {
    return slot !== 0 && this.isGone(slot);
  }

  /** Goes on with the end of a pipe that a dead thread had begun. */
  #finish(pipe: Addr): void {
    const entry = this.words[pipe + PIPE_ENTRY];
    if (this.entries().includes(entry) && this.pipes(entry).includes(pipe)) {
      this.unlinkDoomed(entry, pipe);
    } else this.free(pipe);
  }
}
