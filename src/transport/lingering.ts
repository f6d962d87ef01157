// SPDX-License-Identifier: MIT

import { quietTimer, type Timer, type ZmqError } from "../base/index.ts";
import { BLOCK_SLOT } from "../command/index.ts";
import type { ManagedSocket, Membership } from "../context/index.ts";
import {
  DRAINING,
  type EndState,
  GONE,
  isAttended,
  type Pipe,
  type PipeEvents,
  type PipeWriter,
} from "../pipe/index.ts";

/** What becomes of an end that lingers; how long it may, in milliseconds, and -1 is for ever. */
export interface Linger {
  readonly ms: number;
  /** Whether it may hold the event loop. */
  readonly holds: boolean;
  /** So many messages are dropped. */
  dropped(count: number): void;
  /** The end is to be left now; what lies in its lane has so many milliseconds more. */
  done(lingerMs: number): void;
}

/**
 * lingering — an end that its socket has let go of, while its swap is not empty.
 *
 * What is in the swap was accepted, and only this thread can bring it to the reader. So the end
 * stays, unknown to the user, and goes on moving messages into the lane as the reader takes them;
 * then it leaves. `linger` says how long that may take: 0 drops what is in the swap, -1 is for
 * ever. What is for one binder and for no other (pipe/addressee.ts) is dropped when that one is
 * gone.
 *
 * # What it holds
 *
 * It holds the event loop as a send that waits would, which it stands for; so only while a peer in
 * another thread reads. A peer in this thread needs something else that holds the loop anyway, or
 * it will never read; and of a peer that does not exist nothing is known. (libzmq waits in each of
 * these cases, and so may never end.)
 *
 * When the thread ends all the same, what shared memory has room for is put there, whatever the
 * watermarks say, and the rest is dropped. When the context is terminated, everything is.
 */
export class Lingering implements PipeEvents, ManagedSocket {
  readonly pipe: Pipe;
  readonly #member: Membership;
  readonly #linger: Linger;
  readonly #until: number;
  #timer: Timer | undefined;
  #holding = false;
  #over = false;

  constructor(member: Membership, pipe: Pipe, linger: Linger) {
    this.pipe = pipe;
    this.#member = member;
    this.#linger = linger;
    this.#until = performance.now() + linger.ms;
    pipe.events = this;
    member.lingering.add(this);
  }

  /** To be called once. It may be over then. */
  begin(): void {
    const { ms } = this.#linger;
    if (ms > 0) {
      this.#timer = quietTimer(() => this.#end(0), ms); // `hold` says what holds the event loop.
    }
    this.#goOn();
  }

  writeActivated(): void {
    this.#goOn();
  }

  peerChanged(): void {
    this.#goOn();
  }

  memoryFreed(): void {
    this.#goOn();
  }

  readActivated(): void {}

  messagesLost(_pipe: Pipe, count: number, _error: ZmqError): void {
    this.#linger.dropped(count);
  }

  /** The thread ends. */
  close(): void {
    this.#writer.pourSwap();
    this.#end(this.#left);
  }

  /** The context is terminated. */
  stop(): void {
    this.#end(0);
  }

  get #writer(): PipeWriter {
    return this.pipe.writer as PipeWriter;
  }

  /** How many milliseconds are left to what was sent. */
  get #left(): number {
    const { ms } = this.#linger;
    return ms < 0 ? ms : Math.max(0, Math.ceil(this.#until - performance.now()));
  }

  #goOn(): void {
    if (this.#over) return;
    const { peerState } = this.pipe;
    if (peerState === GONE || this.pipe.isOver) this.#end(0);
    else {
      if (peerState !== DRAINING) this.#writer.drainSwap();
      if (this.#writer.swapped === 0) this.#end(this.#left);
      else this.#hold(this.#isElsewhere(peerState));
    }
  }

  /** Whether there is a reader, in another thread. Without one, its block says nothing. */
  #isElsewhere(peerState: EndState): boolean {
    const { thread } = this.#member;
    if (!isAttended(peerState)) return false;
    return thread.arena.words[this.pipe.peerBlock + BLOCK_SLOT] !== thread.slot;
  }

  #end(lingerMs: number): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#hold(false);
    this.#member.lingering.delete(this);
    const { swapped } = this.#writer;
    if (swapped > 0) this.#linger.dropped(swapped);
    this.#linger.done(lingerMs);
  }

  #hold(wanted: boolean): void {
    const holding = wanted && this.#linger.holds;
    if (holding === this.#holding) return;
    this.#holding = holding;
    const { signaler } = this.#member.thread;
    if (holding) signaler.hold();
    else signaler.unhold();
  }
}
