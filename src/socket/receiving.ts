// SPDX-License-Identifier: MIT

import { DEFAULT_RECEIVE_MANY, type ZmqError } from "../base/index.ts";
import { FOR_A_MESSAGE, type Thread } from "../command/index.ts";
import { checkRange, type SocketType } from "../context/index.ts";
import { type Arena, count, SLOT_RECEIVED, slotAt } from "../memory/index.ts";
import { GONE, type Message, type Pipe } from "../pipe/index.ts";
import { Fq } from "../strategy/index.ts";
import type { OptionName, ReceiveOptions } from "./options.ts";
import { type Pattern, Socket, type SocketCore } from "./socket.ts";
import { checkSignal, checkTimeout, Waiting, type WaitOptions } from "./waiting.ts";

/** The receiving half of a pattern: fair queueing, and the calls that wait for a message. */
export class Receiver implements Pattern {
  readonly directions = { sends: false, receives: true };
  readonly #core: SocketCore;
  readonly #thread: Thread;
  readonly #arena: Arena;
  readonly #counter: number;
  readonly #fq: Fq;
  /** Made when the first call has to wait, as in the sender. */
  #waits: Waiting | undefined;
  #closedBy: (() => ZmqError) | undefined;
  #referenced = true;
  readonly sent = 0;
  received = 0;

  constructor(core: SocketCore) {
    this.#core = core;
    this.#thread = core.member.thread;
    this.#arena = core.member.arena;
    this.#counter = slotAt(this.#thread.slot) + SLOT_RECEIVED;
    this.#fq = new Fq((pipe) => this.#core.leave(pipe));
  }

  receive(options: WaitOptions | undefined): Promise<Message> {
    try {
      if (options === undefined) {
        const message = this.tryReceive();
        if (message !== undefined) {
          const { turn } = this.#thread;
          return turn.due ? turn.pass(message) : Promise.resolve(message);
        }
      }
      const { timeout, signal } = this.#wait(options);
      this.#enter();
      return this.#waiting.run(this.#attempt, timeout, signal, this.#core.address);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The next step of an iteration, which ends when the socket is closed. */
  next(closed: () => boolean): Promise<IteratorResult<Message>> {
    let value: Message | undefined;
    try {
      value = this.tryReceive();
    } catch (error) {
      return closed() ? Promise.resolve(END) : Promise.reject(error);
    }
    if (value !== undefined) {
      const { turn } = this.#thread;
      const result: IteratorResult<Message> = { value, done: false };
      return turn.due ? turn.pass(result) : Promise.resolve(result);
    }
    return this.receive(undefined).then(toResult, (error: unknown) => {
      if (closed()) return END;
      throw error;
    });
  }

  receiveSync(options: WaitOptions | undefined): Message {
    const message = this.tryReceive();
    if (message !== undefined) return message;
    const { timeout } = this.#wait(options);
    return this.#waiting.runSync(this.#attempt, timeout, this.#core.address);
  }

  tryReceive(): Message | undefined {
    this.#enter();
    if (this.#waits !== undefined && !this.#waits.yields()) return undefined;
    return this.#take();
  }

  receiveMany(max: number, options: WaitOptions | undefined): Promise<Message[]> {
    try {
      checkRange("max", max, 1, 2 ** 31 - 1);
      this.#enter();
      const { timeout, signal } = this.#wait(options);
      const attempt = () => this.#takeMany(max);
      return this.#waiting.run(attempt, timeout, signal, this.#core.address);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  receiveManySync(max: number, options: WaitOptions | undefined): Message[] {
    checkRange("max", max, 1, 2 ** 31 - 1);
    this.#enter();
    const { timeout } = this.#wait(options);
    return this.#waiting.runSync(() => this.#takeMany(max), timeout, this.#core.address);
  }

  attached(pipe: Pipe): void {
    this.#fq.attach(pipe);
    this.#waits?.pump();
  }

  released(pipe: Pipe): void {
    this.#fq.drain(pipe, pipe.queuedIn);
    this.#waits?.pump();
  }

  readActivated(pipe: Pipe): void {
    this.#fq.activated(pipe);
    this.#waits?.pump();
  }

  writeActivated(): void {}

  peerChanged(pipe: Pipe): void {
    if (pipe.side === "binder" && pipe.peerState === GONE && !pipe.draining) {
      pipe.draining = true; // Nothing can come any more: take what there is, then leave.
      this.released(pipe);
    }
  }

  detached(pipe: Pipe): void {
    this.#fq.remove(pipe);
  }

  closed(error: () => ZmqError, settle: boolean): number {
    this.#closedBy = error;
    if (settle) this.#waits?.fail(error());
    return 0;
  }

  memoryFreed(): void {}

  get pending(): number {
    return this.#waits?.size ?? 0;
  }

  set referenced(referenced: boolean) {
    this.#referenced = referenced;
    if (this.#waits !== undefined) this.#waits.referenced = referenced;
  }

  get #waiting(): Waiting {
    this.#waits ??= new Waiting(
      this.#thread,
      () => this.#fq.park(),
      FOR_A_MESSAGE,
      this.#referenced,
    );
    return this.#waits;
  }

  /** Begins a call: hears what has come. */
  #enter(): void {
    if (this.#thread.hasMail) this.#thread.dispatch();
    this.#check();
  }

  /** Attempts only check: commands are heard between them. */
  #check(): void {
    if (this.#closedBy !== undefined) throw this.#closedBy();
  }

  readonly #attempt = (): Message | undefined => {
    this.#check();
    return this.#take();
  };

  #take(): Message | undefined {
    const message = this.#fq.receive();
    if (message !== undefined) this.#count(1);
    return message;
  }

  #takeMany(max: number): Message[] | undefined {
    this.#check();
    const messages: Message[] = [];
    this.#fq.receiveMany(messages, max);
    if (messages.length === 0) return undefined;
    this.#count(messages.length);
    return messages;
  }

  #count(messages: number): void {
    this.received += messages;
    count(this.#arena, this.#counter, messages);
  }

  #wait(options: WaitOptions | undefined): { timeout: number; signal: AbortSignal | undefined } {
    return {
      timeout: checkTimeout(options) ?? this.#core.options.receiveTimeout,
      signal: checkSignal(options),
    };
  }
}

/** A socket that receives. */
export abstract class ReceivingSocket extends Socket {
  #receiver!: Receiver;

  protected constructor(type: SocketType, options: ReceiveOptions, known: readonly OptionName[]) {
    let receiver: Receiver | undefined;
    super(type, options, known, (core) => {
      receiver = new Receiver(core);
      return receiver;
    });
    this.#receiver = receiver as Receiver;
  }

  /** `ZMQ_RCVHWM`; see {@link ReceiveOptions.receiveHighWaterMark}. Takes effect at once. */
  get receiveHighWaterMark(): number {
    return this.option("receiveHighWaterMark");
  }

  set receiveHighWaterMark(value: number) {
    this.setOption("receiveHighWaterMark", value);
  }

  /** `ZMQ_RCVTIMEO`, in milliseconds; see {@link ReceiveOptions.receiveTimeout}. */
  get receiveTimeout(): number {
    return this.option("receiveTimeout");
  }

  set receiveTimeout(value: number) {
    this.setOption("receiveTimeout", value);
  }

  /**
   * Receives a message: an array with one entry for each part. The bytes are the receiver's own.
   *
   * Several receives may wait: they are served in the order of their calls.
   *
   * @throws ZmqError by rejection: EAGAIN if the time is up, EBADF, ETERM. Or the signal's reason.
   */
  receive(options?: WaitOptions): Promise<Message> {
    return this.#receiver.receive(options);
  }

  /** As {@link receive}, but blocks this thread until there is a message. */
  receiveSync(options?: { timeout?: number }): Message {
    return this.#receiver.receiveSync(options);
  }

  /** Receives a message if there is one. Never waits. */
  tryReceive(): Message | undefined {
    return this.#receiver.tryReceive();
  }

  /**
   * Receives as many messages as there are: at least one, at most `max` (default 512). Much faster
   * than as many receives.
   */
  receiveMany(max: number = DEFAULT_RECEIVE_MANY, options?: WaitOptions): Promise<Message[]> {
    return this.#receiver.receiveMany(max, options);
  }

  /** As {@link receiveMany}, but blocks this thread until there is a message. */
  receiveManySync(max: number = DEFAULT_RECEIVE_MANY, options?: { timeout?: number }): Message[] {
    return this.#receiver.receiveManySync(max, options);
  }

  /** Receives until the socket is closed: `for await (const [part] of socket)`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message> {
    const receiver = this.#receiver;
    const closed = () => this.closed;
    let over = false;
    return {
      next: () => (over ? Promise.resolve(END) : receiver.next(closed)),
      return: () => {
        over = true;
        return Promise.resolve(END);
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** Receives until the socket is closed, blocking this thread: `for (const [part] of socket)`. */
  [Symbol.iterator](): IterableIterator<Message> {
    const receiver = this.#receiver;
    const closed = () => this.closed;
    let over = false;
    return {
      next: () => {
        if (over) return END;
        try {
          return { done: false, value: receiver.receiveSync(undefined) };
        } catch (error) {
          if (closed()) return END;
          throw error;
        }
      },
      return: () => {
        over = true;
        return END;
      },
      [Symbol.iterator]() {
        return this;
      },
    };
  }
}

const END: IteratorReturnResult<undefined> = { done: true, value: undefined };

function toResult(value: Message): IteratorYieldResult<Message> {
  return { done: false, value };
}
