// SPDX-License-Identifier: MIT

import type { Addr } from "../memory/index.ts";
import type { Pipe, PipeWriter } from "../pipe/index.ts";
import { Shortage, Unshown } from "../strategy/index.ts";
import { type Outgoing, Sender } from "./sending.ts";
import type { Claims } from "./waiting.ts";

/** A message, and whom it is for. */
export interface Routed<To> {
  readonly to: To;
  readonly message: Outgoing;
}

/**
 * Which pipes are claimed by calls that wait, of all that were tried since `begin`.
 *
 * All pipes that are waited for are remembered: when each of them is claimed, no other call that
 * waits can go, and none need be tried.
 */
class PipeClaims implements Claims {
  #claimed = new Set<PipeWriter>();
  #waited = new Set<PipeWriter>();
  #unknown = false;
  #mayCut = false;
  #cut = true;
  /** What the call that failed last wants. */
  last: PipeWriter | undefined;

  has(writer: PipeWriter): boolean {
    return this.#claimed.size > 0 && this.#claimed.has(writer); // As a rule nobody waits.
  }

  begin(): void {
    if (!this.#cut) this.#waited = new Set(this.#claimed); // All calls had been tried.
    this.#claimed.clear();
    this.#mayCut = !this.#unknown;
    this.#unknown = false;
    this.#cut = false;
  }

  begun(): void {
    this.last = undefined;
  }

  add(): boolean {
    if (this.last === undefined) {
      this.unknown();
      return false;
    }
    this.#claimed.add(this.last);
    this.#waited.add(this.last);
    this.#cut = this.#mayCut && this.#claimed.size === this.#waited.size;
    return this.#cut;
  }

  unknown(): void {
    this.#unknown = true;
    this.#cut = true;
  }

  remove(writer: PipeWriter): void {
    this.#claimed.delete(writer);
    this.#waited.delete(writer);
    if (this.last === writer) this.last = undefined;
    this.unknown();
  }

  clear(): void {
    this.#claimed.clear();
    this.#waited.clear();
  }
}

/**
 * routing — the sending half of those that say to whom a message goes.
 *
 * If the pipe is full, and there is no swap that takes it, the message waits or is dropped, by
 * pattern (`drops`). One that waits holds up what is for the same peer, and nothing else. What a
 * peer that is gone left unread is dropped: it was for nobody else, not for the next binder of a
 * name either (pipe/addressee.ts). Everything dropped is counted.
 */
export abstract class Routing<To> extends Sender<Routed<To>> {
  /** Pipes that were full when a message for them was tried. */
  readonly #full = new Set<PipeWriter>();
  readonly #unshown = new Unshown();
  readonly #claims = new PipeClaims();
  readonly #memory = new Shortage(this.thread);

  override readonly personal = true;

  /** The pipe to whom a message is for, when it goes; undefined if that one is not there. */
  protected abstract find(to: To): Pipe | undefined;

  /** Which binder of a pipe a message is for, if it is not for whoever is there. */
  protected addressee(_pipe: Pipe): number | undefined {
    return undefined;
  }

  /** Whether what cannot be sent now is dropped. */
  protected abstract readonly drops: boolean;
  /** Whether that is so also if memory is what is missing, and not room. */
  protected get dropsForMemory(): boolean {
    return this.drops;
  }

  /** Nobody is there for a message. @throws ZmqError if that is an error; else it is dropped. */
  protected abstract unreachable(): void;

  protected override get claims(): Claims {
    return this.#claims;
  }

  protected write({ to, message }: Routed<To>): boolean {
    const pipe = this.find(to);
    const writer = this.#writerTo(pipe);
    if (writer === undefined) {
      this.unreachable();
      this.core.dropped(1, "unreachable");
      return true;
    }
    this.#claims.last = writer;
    if (this.#claims.has(writer)) return false; // Others wait for it.
    const hasRoom = writer.hasRoom;
    if (hasRoom && writer.write(message)) {
      this.#wrote(writer);
      return true;
    }
    if (writer.store(message)) {
      this.#unshown.add(writer);
      return true;
    }
    this.#lacks(writer, hasRoom);
    const drops = hasRoom ? this.dropsForMemory : this.drops;
    if (drops) this.core.dropped(1, hasRoom ? "memory" : "full");
    return drops;
  }

  #wrote(writer: PipeWriter): void {
    if (this.waits?.idle !== false) this.#memory.over();
    this.#unshown.add(writer);
  }

  /** A message for this pipe has found no memory, or no room. */
  #lacks(writer: PipeWriter, hasRoom: boolean): void {
    const memory = this.#memory;
    if (!hasRoom) {
      if (!this.drops) this.#full.add(writer);
      return;
    }
    // Also for those who do not wait. Who waits has said so.
    if (!memory.isMissing && !memory.isAsking) this.thread.askForMemory();
    memory.found();
  }

  /** As `passRecords`, of one message, to this pipe. */
  protected passInto(pipe: Pipe | undefined, at: Addr, size: number): boolean | undefined {
    const writer = this.#writerTo(pipe);
    if (writer === undefined || writer.conflates) return undefined;
    if (this.#claims.has(writer)) return false; // Others wait for it.
    const { hasRoom } = writer;
    if (hasRoom && writer.writeRecords(this.thread.arena.words, at, size, 1)) {
      this.#wrote(writer);
      this.count(1);
      return true;
    }
    if (this.drops || writer.swaps) return undefined;
    this.#lacks(writer, hasRoom);
    return false;
  }

  flush(): void {
    this.#unshown.flush();
  }

  protected override park(): boolean {
    this.flush();
    for (const writer of this.#full) {
      this.#full.delete(writer); // Whoever finds it full, now or again, says so.
      if (!writer.wait()) return false;
    }
    const memory = this.#memory;
    const { isMissing } = memory;
    if (!isMissing && !memory.isStarved) memory.over();
    memory.isMissing = false; // Whoever still finds none says so again.
    return !isMissing || !memory.begin(); // What others gave back may be enough.
  }

  /** Whom a message is for is not known before: whether some peer has room for one. */
  get ready(): boolean {
    if (this.drops) return true;
    let hasRoom = false;
    for (const pipe of this.core.pipes) {
      const { writer } = pipe;
      if (writer === undefined) continue;
      if (pipe.draining || !this.isUsable(pipe)) {
        this.#full.delete(writer); // Its room is of no use.
        continue;
      }
      if (this.#claims.has(writer)) continue;
      if (writer.hasSwapFor("")) return true;
      if (writer.hasRoom) hasRoom = true;
      else this.#full.add(writer);
    }
    return !this.starves && hasRoom;
  }

  /** Whether memory is what is missing, as far as is known. */
  protected get starves(): boolean {
    return this.#memory.starves;
  }

  attached(pipe: Pipe): void {
    this.changed(pipe);
  }

  changed(pipe: Pipe): void {
    this.#claims.unknown(); // Perhaps messages go elsewhere now.
    pipe.writer?.drainSwap();
    this.again();
  }

  removed({ writer }: Pipe): void {
    if (writer === undefined) return;
    this.flush(); // What was written to it is accepted.
    this.#full.delete(writer);
    this.#claims.remove(writer);
  }

  ended(pipe: Pipe, done: () => void): void {
    this.removed(pipe);
    this.core.dropped(pipe.queuedInLane, "peer left");
    done();
    this.again();
  }

  activated(pipe: Pipe): void {
    pipe.writer?.drainSwap();
    this.again();
  }

  override memoryFreed(): void {
    this.#memory.freed();
    for (const pipe of [...this.core.pipes]) pipe.writer?.drainSwap();
    super.memoryFreed();
    if (this.waits?.busy !== true) this.#memory.over();
  }

  override closed(): number {
    this.#memory.over();
    return super.closed();
  }

  /** By which a message goes to whom it is for; undefined if that one is not there. */
  #writerTo(pipe: Pipe | undefined): PipeWriter | undefined {
    if (pipe === undefined || !this.isUsable(pipe)) return undefined;
    return pipe.address(this.addressee(pipe)) ? pipe.writer : undefined;
  }
}
