// SPDX-License-Identifier: MIT

import { DEFAULT_HIGH_WATER_MARK } from "../base/index.ts";
import { MemoryWish, type Thread } from "../command/index.ts";
import { type MessageLike, type Pipe, Prepared, Publication, prepare } from "../pipe/index.ts";
import type { WhenFull } from "./announcing.ts";
import { type DropCause, Outlet, type OutletOwner } from "./outlet.ts";
import type { Wanted } from "./subscriptions.ts";
import { Unshown } from "./unshown.ts";

/** What the socket is asked, and told. */
export interface DistOwner {
  readonly sendHighWaterMark: number;
  /** A pipe has lost messages. */
  dropped(pipe: Pipe, count: number, why: DropCause): void;
  /** So many, since this was last said: the pipe has room again, or is left. */
  lost(pipe: Pipe, count: number, why: DropCause): void;
  /** A pipe that is to be left when it is full was found full. */
  tooSlow(pipe: Pipe): void;
}

/**
 * dist — distribution: gives each message to all pipes that match, or to all.
 *
 *      outlets   [ a  b  c | d  e  f  g ]
 *                          │
 *                       matching
 *
 * The first `matching` outlets get the next message; to let one match is to swap it across the
 * border. Who matches stays so until it is changed.
 *
 * Each pipe gets whole messages or nothing. The message becomes records once, and these are copied
 * into each lane; large bodies are in the arena once (pipe/publication.ts). What becomes of it
 * where there is no room is the outlet's affair: a pipe that is full keeps no other from its
 * messages. Only if a pipe is to block, or all are (`noDrop`), a message goes to nobody as long as
 * one of these matches and is full; then `write` fails, and its caller waits. It does not wait for
 * memory: a message that finds none is dropped, or set aside.
 */
export class Dist implements OutletOwner {
  readonly #thread: Thread;
  readonly #owner: DistOwner;
  readonly #publication: Publication;
  readonly #outlets: Outlet[] = [];
  readonly #byPipe = new Map<Pipe, Outlet>();
  #matching = 0;
  /** Who was to match, if these and no others do. */
  #wanted: Wanted<Outlet> | undefined;
  #changes = 0;
  /** `ZMQ_XPUB_NODROP`: no message is dropped, its sender waits. */
  noDrop = false;
  /** Whether there are pipes that block. */
  #blocks = false;
  readonly #unshown = new Unshown();
  /** One that the last message had to wait for; of several the last: it is read last, perhaps. */
  #full: Outlet | undefined;
  /** Those that are to be left. */
  readonly #slow: Outlet[] = [];
  /** How many lack memory for what is set aside; and that they ask for it. */
  #starving = 0;
  readonly #wish: MemoryWish;
  /** Whether this message, and the one before, found no memory in some pipe. */
  #isShort = false;
  #wasShort = false;

  constructor(thread: Thread, owner: DistOwner) {
    this.#thread = thread;
    this.#owner = owner;
    this.#wish = new MemoryWish(thread);
    this.#publication = new Publication(thread);
  }

  /** The pipe takes part. It matches when it is told to. */
  attach(pipe: Pipe): Outlet {
    const outlet = new Outlet(pipe, this);
    outlet.index = this.#outlets.length;
    this.#outlets.push(outlet);
    this.#byPipe.set(pipe, outlet);
    outlet.drain(); // What was swapped for another binder of the pipe goes first.
    return outlet;
  }

  has(pipe: Pipe): boolean {
    return this.#byPipe.has(pipe);
  }

  /** What stands for a pipe here. */
  outlet(pipe: Pipe): Outlet | undefined {
    return this.#byPipe.get(pipe);
  }

  setWhenFull(outlet: Outlet, whenFull: WhenFull): void {
    outlet.whenFull = whenFull;
    this.#blocks = this.#outlets.some((one) => one.whenFull === "block");
  }

  /** The pipe, which was full, may have room. */
  activated(pipe: Pipe): void {
    this.#byPipe.get(pipe)?.activated();
  }

  /** There may be memory for what is set aside. */
  memoryFreed(): void {
    for (const outlet of this.#outlets) outlet.drain();
  }

  /** The pipe takes no more. What is set aside for it is lost. */
  remove(pipe: Pipe): void {
    const outlet = this.#byPipe.get(pipe);
    if (outlet === undefined) return;
    this.flush(); // What was written to it is still accepted.
    this.#wanted = undefined;
    if (outlet.index < this.#matching) {
      this.#matching--;
      this.#swap(outlet.index, this.#matching);
    }
    this.#swap(outlet.index, this.#outlets.length - 1);
    this.#outlets.pop();
    this.#byPipe.delete(pipe);
    outlet.index = -1;
    outlet.leave();
    this.#blocks = this.#outlets.some((one) => one.whenFull === "block");
  }

  /**
   * Those match that want the message, and no others. Nothing is to be done if they are those of
   * the last message: the same object, which has not changed.
   */
  matchThose(wanted: Wanted<Outlet>, changes: number): void {
    if (wanted === this.#wanted && changes === this.#changes) return;
    this.unmatch();
    if (wanted instanceof Outlet) this.match(wanted);
    else wanted.forEach(this.match);
    this.#wanted = wanted;
    this.#changes = changes;
  }

  /** Lets an outlet match. It may match already. */
  readonly match = (outlet: Outlet): void => {
    if (outlet.index < this.#matching) return;
    this.#wanted = undefined;
    this.#swap(outlet.index, this.#matching);
    this.#matching++;
  };

  /** Whether an outlet matches; one that was removed does not. */
  matches({ index }: Outlet): boolean {
    return index >= 0 && index < this.#matching;
  }

  /** Nobody matches. */
  unmatch(): void {
    this.#wanted = undefined;
    this.#matching = 0;
  }

  /** All match. */
  matchAll(): void {
    this.#wanted = undefined;
    this.#matching = this.#outlets.length;
  }

  /** Those match that did not, and no others. */
  invert(): void {
    this.#wanted = undefined;
    const last = this.#outlets.length - 1;
    const others = this.#outlets.length - this.#matching;
    for (let i = Math.min(this.#matching, others) - 1; i >= 0; i--) this.#swap(i, last - i);
    this.#matching = others;
  }

  /** How many messages are set aside. */
  get aside(): number {
    return this.#outlets.reduce((sum, { aside }) => sum + aside, 0);
  }

  /** Whether a message would not have to wait, whoever matches. */
  get ready(): boolean {
    return (!this.noDrop && !this.#blocks) || this.#haveRoom(this.#outlets.length, "");
  }

  /** Gives a message to all that match; `flush` shows it. False if it must wait: nobody has it. */
  write(message: MessageLike | Prepared): boolean {
    const lanes = this.#matching;
    const { noDrop } = this;
    const prepared = message instanceof Prepared ? message : prepare(message, this.#thread.pool);
    if (lanes === 0) return true;
    if ((noDrop || this.#blocks) && !this.#haveRoom(lanes, prepared)) return false;
    this.#wasShort = this.#isShort;
    this.#isShort = false;
    const publication = this.#publication;
    publication.begin(prepared, lanes);
    for (let i = 0; i < lanes; i++) {
      const outlet = this.#outlets[i] as Outlet;
      if (outlet.put(publication, noDrop)) this.#unshown.add(outlet.writer);
    }
    publication.end();
    for (let one = this.#slow.pop(); one !== undefined; one = this.#slow.pop()) {
      this.#owner.tooSlow(one.pipe);
    }
    return true;
  }

  /** Shows all that was written. */
  flush(): void {
    this.#unshown.flush();
  }

  /**
   * Asks one of those that the last message waits for to wake us; false if it is worth trying
   * again. The message waits for all of them, and to be woken by each would be in vain but once.
   */
  park(): boolean {
    this.flush();
    const outlet = this.#full;
    return outlet === undefined || (outlet.index >= 0 && outlet.park());
  }

  get asideLimit(): number {
    return this.#owner.sendHighWaterMark || DEFAULT_HIGH_WATER_MARK;
  }

  dropped(outlet: Outlet, count: number, why: DropCause): void {
    if (why === "memory") {
      if (!this.#isShort && !this.#wasShort) this.#thread.askForMemory(); // For those to come.
      this.#isShort = true;
    }
    this.#owner.dropped(outlet.pipe, count, why);
  }

  lost(outlet: Outlet, count: number, why: DropCause): void {
    this.#owner.lost(outlet.pipe, count, why);
  }

  starves(starved: boolean): void {
    this.#starving += starved ? 1 : -1;
    this.#wish.set(this.#starving > 0);
  }

  tooSlow(outlet: Outlet): void {
    this.#slow.push(outlet);
  }

  /** Whether the first so many, if they must not lose anything, have room. `#full`: one other. */
  #haveRoom(count: number, message: MessageLike | Prepared): boolean {
    this.#full = undefined;
    for (let i = count - 1; i >= 0; i--) {
      const outlet = this.#outlets[i] as Outlet;
      if (!this.#mayBlock(outlet) || outlet.takes(message)) continue;
      this.#full = outlet;
      return false;
    }
    return true;
  }

  #mayBlock(outlet: Outlet): boolean {
    return this.noDrop || outlet.whenFull === "block";
  }

  #swap(a: number, b: number): void {
    if (a === b) return;
    const first = this.#outlets[a] as Outlet;
    const second = this.#outlets[b] as Outlet;
    this.#outlets[a] = second;
    this.#outlets[b] = first;
    second.index = a;
    first.index = b;
  }
}
