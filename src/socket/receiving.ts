// SPDX-License-Identifier: MIT

import { checkRange, MAX_INT, ZmqError } from "../base/index.ts";
import { FOR_A_MESSAGE } from "../command/index.ts";
import { countBoth, SLOT_RECEIVED, SLOT_SENT, slotAt } from "../memory/index.ts";
import { Lease, type Message, type Pipe, standsFor } from "../pipe/index.ts";
import { Fq, type Moved, type Wants } from "../strategy/index.ts";
import { Direction, type Way } from "./direction.ts";
import type { Codec } from "./options.ts";
import type { Sender } from "./sending.ts";
import type { SocketCore } from "./socket.ts";
import { END, type Held, type WaitOptions } from "./waiting.ts";

const WAY: Way = { pauses: FOR_A_MESSAGE, timeout: "receiveTimeout" };

/** Hears what becomes of messages that are passed on. */
export interface Passage {
  passed(messages: number, bytes: number): void;
  /** The next one has to wait for memory, or for its peer. */
  waits(): void;
}

/** Who is given a message in the step in which it is taken. What he does may call anything. */
export interface Taker<M> {
  wanted(): boolean;
  /** @param putBack Puts the message back, of which he has made no use. Once. */
  take(value: M, putBack: () => void): void;
}

/**
 * The receiving half of a pattern: fair queueing, and the calls that wait for a message. What is
 * handed out of a message that has come, if it is, is the pattern's own: `take`.
 */
export abstract class Receiver<M = Message> extends Direction {
  protected readonly fq: Fq;
  /** Which messages are handed out, if not all are. */
  protected readonly wants: Wants | undefined;
  readonly #codec: Codec<unknown> | undefined;
  /** What is to be done when a pipe has been read to its end. */
  readonly #ends = new Map<Pipe, () => void>();
  /** A message that could not be decoded, behind others that are handed out first. */
  #undecoded: ZmqError | undefined;
  /** A lease of nothing: there was no message. */
  #unused: Lease | undefined;
  /** Messages that were taken and put back: the next ones. */
  #returned: (readonly unknown[])[] | undefined;
  /** Those that are in no pipe any more, of all that were ever put back. */
  readonly #homeless = new WeakSet<readonly unknown[]>();
  #isClosed = false;

  constructor(core: SocketCore) {
    super(core, WAY);
    this.fq = new Fq((pipe) => this.#drained(pipe), core.options.acknowledge);
    this.#codec = core.options.codec;
  }

  /** The messages that were handed out are the application's. */
  acknowledge(): void {
    this.enter();
  }

  /**
   * Begins a call that asks for messages: those that came before are the application's. While one
   * of them has been put back, none is acknowledged: which of them it is, is not known any more.
   */
  protected override enter(): void {
    super.enter();
    if (this.#returned === undefined) this.fq.acknowledge();
  }

  receive(options: WaitOptions | undefined): Promise<M> {
    try {
      if (options === undefined) {
        const message = this.tryReceive();
        if (message !== undefined) {
          const { turn } = this.thread;
          return turn.passes() ? turn.pass(message) : Promise.resolve(message);
        }
      }
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#call(this.#attempt, options);
  }

  /** The next step of an iteration, which ends when the socket is closed, or it is given up. */
  next(closed: () => boolean, held: Held): Promise<IteratorResult<M>> {
    let value: M | undefined;
    try {
      value = this.tryReceive();
    } catch (error) {
      return closed() ? Promise.resolve(END) : Promise.reject(error);
    }
    if (value !== undefined) {
      const { turn } = this.thread;
      const result: IteratorResult<M> = { value, done: false };
      return turn.passes() ? turn.pass(result) : Promise.resolve(result);
    }
    return this.#call(this.#attempt, undefined, held).then(toResult, (error: unknown) => {
      if (closed() || error === END) return END;
      throw error;
    });
  }

  receiveSync(options: WaitOptions | undefined): M {
    if (options !== undefined) this.wait(options);
    const message = this.tryReceive();
    if (message !== undefined) return message;
    return this.waiting.runSync(this.#attempt, this.wait(options));
  }

  tryReceive(): M | undefined {
    this.enter();
    return this.first ? this.#takeOne() : undefined;
  }

  receiveLease(options: WaitOptions | undefined, held?: Held): Promise<Lease> {
    return this.#call(this.#attemptLease, options, held);
  }

  receiveLeaseSync(options: WaitOptions | undefined): Lease {
    if (options !== undefined) this.wait(options);
    const lease = this.tryReceiveLease();
    if (lease !== undefined) return lease;
    return this.waiting.runSync(this.#attemptLease, this.wait(options));
  }

  tryReceiveLease(): Lease | undefined {
    this.enter();
    return this.first ? this.#takeLease() : undefined;
  }

  receiveMany(max: number, options: WaitOptions | undefined): Promise<M[]> {
    try {
      checkRange("max", max, 1, MAX_INT);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#call(() => this.#attemptMany(max), options);
  }

  receiveManySync(max: number, options: WaitOptions | undefined): M[] {
    checkRange("max", max, 1, MAX_INT);
    const wait = this.wait(options);
    this.enter();
    return this.waiting.runSync(() => this.#attemptMany(max), wait);
  }

  /**
   * Gives the next message to `taker`, in the step in which it is taken; or, when one comes, none,
   * if it is not wanted any more.
   */
  deliver(taker: Taker<M>, options: WaitOptions): Promise<true> {
    let isOver = false;
    return this.#call(() => {
      // What the taker does may have this tried again, while it is done.
      if (isOver || !taker.wanted()) return true;
      this.check();
      const isDue = this.#undecoded !== undefined || this.ready;
      if (!isDue || this.waiting.pause()) return undefined;
      this.#tellUndecoded();
      const message = this.takePassing();
      if (message === undefined) return undefined;
      const value = this.#codec === undefined ? message : this.#valueOf(message, this.#codec);
      isOver = true;
      const { round } = this;
      const { acknowledged } = this.fq;
      taker.take(value as M, () => {
        if (round === this.round) this.putBack(message, acknowledged);
        else this.count(-1); // The socket has gone on without it.
      });
      return true;
    }, options);
  }

  attached(pipe: Pipe): void {
    this.fq.attach(pipe);
    this.waits?.pump();
  }

  /** Takes what has arrived in a pipe, and then no more; then `done`. */
  drain(pipe: Pipe, done: () => void): void {
    this.#ends.set(pipe, done);
    this.fq.drain(pipe, pipe.reader?.unread ?? 0);
    this.waits?.pump();
  }

  /** There are messages in a pipe that was asleep. */
  activated(pipe: Pipe): void {
    this.fq.activated(pipe);
    this.waits?.pump();
  }

  /** Nothing more is to be read from a pipe. */
  removed(pipe: Pipe): void {
    this.#ends.delete(pipe);
    this.fq.remove(pipe);
  }

  /** The next message as it came, to be passed on. */
  takePassing(lease?: Lease): readonly unknown[] | undefined {
    const returned = this.#returned;
    if (returned === undefined) return this.take(lease) as readonly unknown[] | undefined;
    const message = returned.pop();
    if (returned.length === 0) this.#returned = undefined;
    this.count(1);
    this.resumed();
    return message;
  }

  /**
   * Passes messages on as the records that they are, without making messages of them.
   *
   * @returns how many; 0 if the next one is to be taken, unless it has to wait.
   */
  passRecords(to: Sender<unknown>, most: number, passage: Passage): number {
    if (this.#returned !== undefined || this.passes === 0) return 0;
    const together = () => Math.min(this.passes, to.together);
    const moved = this.fq.pass(most, together, (stretch, pipe) => {
      const front = this.frontOf(pipe);
      const isPassed = front === null ? undefined : to.passRecords(stretch, front);
      if (isPassed === false) passage.waits();
      if (isPassed !== true) return false;
      const { messages, bytes } = stretch;
      passage.passed(messages, bytes + messages * (front?.length ?? 0));
      return true;
    });
    this.count(moved);
    return moved;
  }

  /**
   * Moves the next message on, if it has large bodies, which are not copied. It takes no memory for
   * them: who has sent them may have taken all that there was. What was passed on before is safe.
   */
  move(_to: Sender<unknown>, _passage: Passage): Moved {
    return "other";
  }

  /** How many messages may be passed on together as they lie there; 0: none is received so. */
  protected readonly passes: number = 0;

  /**
   * What is received before the parts of a message of this pipe, if something is; null if that is
   * not known.
   */
  protected frontOf(_pipe: Pipe): Uint8Array | undefined | null {
    return undefined;
  }

  /** What was passed on is safe: its room is given back, and it is acknowledged. */
  passedOn(): void {
    this.fq.releasePassed();
    if (this.#returned === undefined) this.fq.acknowledge();
  }

  /**
   * Puts back a message that could not be passed on, or was not read: it is the next again, and not
   * received. Who follows is not told: it may be the one who has put it back, who would try for
   * ever.
   *
   * If the socket closes before it is received, another gets it where its room was not given back,
   * which is so while it is not acknowledged; else it is dropped.
   *
   * @param acknowledged How often messages had been acknowledged when it was taken.
   */
  putBack(message: readonly unknown[], acknowledged: number = this.fq.acknowledged): void {
    this.count(-1);
    if (!this.core.options.acknowledge || this.fq.acknowledged !== acknowledged) {
      this.#homeless.add(message);
    }
    if (this.#isClosed) {
      if (this.#homeless.has(message)) this.core.dropped(1, "closed");
      return;
    }
    this.#returned ??= [];
    this.#returned.push(message);
    if (this.pending > 0) this.pump();
  }

  /** What was put back is given up. */
  protected discardReturned(): void {
    this.#returned = undefined;
  }

  /** What was put back has been taken. */
  protected resumed(): void {}

  /** Where calls take turns: which turn it is. A message goes back in its own, and not later. */
  protected get round(): number {
    return 0;
  }

  /** How many messages are in no pipe any more, and still to be received. */
  get aside(): number {
    return this.#returned?.filter((message) => this.#homeless.has(message)).length ?? 0;
  }

  /** The socket has closed. Returns how many messages are lost that are in no pipe. */
  closed(): number {
    const lost = this.aside;
    this.#isClosed = true;
    this.#returned = undefined;
    return lost;
  }

  /** What could not be decoded is an error to tell, and nothing that can be taken. */
  override get answers(): boolean {
    return this.#undecoded !== undefined || super.answers;
  }

  get ready(): boolean {
    return this.hasReturned || this.arrived;
  }

  /** Whether a message was put back, and is the next one. */
  get hasReturned(): boolean {
    return this.#returned !== undefined;
  }

  /** Whether a message has come that is to be handed out now. What was put back had come before. */
  protected get arrived(): boolean {
    return this.fq.has(this.wants);
  }

  protected override park(): boolean {
    return this.fq.park();
  }

  readonly #attempt = (): M | undefined => {
    this.check();
    return this.#takeOne();
  };

  readonly #attemptLease = (): Lease | undefined => {
    this.check();
    return this.#takeLease();
  };

  #attemptMany(max: number): M[] | undefined {
    this.check();
    const messages: M[] = [];
    if (this.#codec === undefined) {
      while (this.#returned !== undefined && messages.length < max) {
        messages.push(this.takePassing() as M);
      }
      this.takeMany(messages, max);
    } else this.#decodeMany(messages, max);
    return messages.length === 0 ? undefined : messages;
  }

  /** Takes the next message, if there is one. @param lease Gets its large bodies. */
  protected take(lease?: Lease): M | undefined {
    const message = this.fq.receive(lease);
    if (message !== undefined) this.count(1);
    return message as M | undefined;
  }

  /** Appends up to `max` messages; as many as there are. */
  protected takeMany(messages: M[], max: number): void {
    while (messages.length < max) {
      const message = this.take();
      if (message === undefined) return;
      messages.push(message);
    }
  }

  /** Makes a call that may wait. It rejects with whatever it fails with. */
  #call<T>(
    attempt: () => T | undefined,
    options: WaitOptions | undefined,
    held?: Held,
  ): Promise<T> {
    try {
      const wait = this.wait(options);
      this.enter();
      return this.waiting.run(attempt, held === undefined ? wait : { ...wait, held });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #takeOne(): M | undefined {
    const codec = this.#codec;
    if (codec === undefined) {
      return this.#returned === undefined ? this.take() : (this.takePassing() as M);
    }
    this.#tellUndecoded();
    const message = this.takePassing();
    return message === undefined ? undefined : this.#valueOf(message, codec);
  }

  /** The next message as it came, its large bodies where they lie. */
  #takeLease(): Lease | undefined {
    this.#tellUndecoded();
    const lease = this.#unused ?? new Lease(this.core.member.leases);
    this.#unused = undefined;
    let message: unknown;
    try {
      message = this.takePassing(lease);
    } finally {
      if (message === undefined) {
        lease.drop();
        this.#unused = lease;
      }
    }
    return lease.of(message);
  }

  /** @throws ZmqError EBADMSG. */
  #tellUndecoded(): void {
    const undecoded = this.#undecoded;
    this.#undecoded = undefined;
    if (undecoded !== undefined) throw undecoded;
  }

  /** What a message says, by the codec; undefined is no value. */
  protected decode(codec: Codec<unknown>, message: Message): unknown {
    return codec.decode(message);
  }

  /** @throws ZmqError EBADMSG, which has the message. */
  #valueOf(taken: readonly unknown[], codec: Codec<unknown>): M {
    const message = taken as Message;
    try {
      const value = this.decode(codec, message);
      if (value === undefined) throw new TypeError("decode has returned undefined: no value");
      this.decoded(value, message);
      return value as M;
    } catch (cause) {
      const hint = "The codec's decode has thrown: see cause. The message is in `received`.";
      const address = this.core.address();
      throw new ZmqError("EBADMSG", { address, hint, received: message, cause });
    }
  }

  /** A value was made of a message: what is known of the one is true of the other. */
  protected decoded(value: unknown, message: Message): void {
    standsFor(value, message);
  }

  #decodeMany(messages: M[], max: number): void {
    while (messages.length < max) {
      try {
        const message = this.#takeOne();
        if (message === undefined) return;
        messages.push(message);
      } catch (error) {
        if (messages.length === 0) throw error;
        this.#undecoded = error as ZmqError;
        return;
      }
    }
  }

  #drained(pipe: Pipe): void {
    const done = this.#ends.get(pipe);
    this.#ends.delete(pipe);
    done?.();
  }
}

/** The receiving half of those who receive all messages as they come. */
export class FairReceiver extends Receiver {
  protected override readonly passes: number = Number.POSITIVE_INFINITY;

  override move(to: Sender<unknown>, passage: Passage): Moved {
    if (this.hasReturned || this.core.options.acknowledge) return "other";
    const { arena, slot } = this.thread;
    return this.fq.move((reader, bytes) => {
      const isMoved = to.moveFrom(reader);
      if (isMoved !== true) return isMoved;
      // For who looks at it from without, it was received and sent.
      countBoth(arena, slotAt(slot) + SLOT_RECEIVED, slotAt(slot) + SLOT_SENT);
      this.count(1);
      passage.passed(1, bytes);
      return true;
    });
  }

  /** From one pipe all at once. */
  protected override takeMany(messages: Message[], max: number): void {
    const before = messages.length;
    this.fq.receiveMany(messages, max);
    if (messages.length > before) this.count(messages.length - before);
  }
}

function toResult<M>(value: M): IteratorYieldResult<M> {
  return { done: false, value };
}
