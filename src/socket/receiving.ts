// SPDX-License-Identifier: MIT

import { DEFAULT_RECEIVE_MANY, type ZmqError } from "../base/index.ts";
import { FOR_A_MESSAGE } from "../command/index.ts";
import { checkRange, type SocketType } from "../context/index.ts";
import { GONE, isRedelivered, type Message, type Pipe } from "../pipe/index.ts";
import { Fq } from "../strategy/index.ts";
import { Direction, type Way } from "./direction.ts";
import type { OptionName, ReceiveOptions } from "./options.ts";
import { type Pattern, Socket, type SocketCore } from "./socket.ts";
import type { WaitOptions } from "./waiting.ts";

const WAY: Way = { pauses: FOR_A_MESSAGE, timeout: "receiveTimeout" };

/** The receiving half of a pattern: fair queueing, and the calls that wait for a message. */
export class Receiver extends Direction implements Pattern {
  readonly directions = { sends: false, receives: true };
  protected readonly fq: Fq;
  readonly sent = 0;

  constructor(core: SocketCore) {
    super(core, WAY);
    this.fq = new Fq((pipe) => this.core.leave(pipe), core.options.acknowledge);
  }

  get received(): number {
    return this.passed;
  }

  /** The messages that were handed out are the application's. */
  acknowledge(): void {
    this.enter();
  }

  /** Begins a call that asks for messages: those that came before are the application's. */
  protected override enter(): void {
    super.enter();
    this.fq.acknowledge();
  }

  receive(options: WaitOptions | undefined): Promise<Message> {
    try {
      if (options === undefined) {
        const message = this.tryReceive();
        if (message !== undefined) {
          const { turn } = this.thread;
          return turn.due() ? turn.pass(message) : Promise.resolve(message);
        }
      }
      const wait = this.wait(options);
      this.enter();
      return this.waiting.run(this.#attempt, wait);
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
      const { turn } = this.thread;
      const result: IteratorResult<Message> = { value, done: false };
      return turn.due() ? turn.pass(result) : Promise.resolve(result);
    }
    return this.receive(undefined).then(toResult, (error: unknown) => {
      if (closed()) return END;
      throw error;
    });
  }

  receiveSync(options: WaitOptions | undefined): Message {
    if (options !== undefined) this.wait(options);
    const message = this.tryReceive();
    if (message !== undefined) return message;
    return this.waiting.runSync(this.#attempt, this.wait(options));
  }

  tryReceive(): Message | undefined {
    this.enter();
    return this.first ? this.take() : undefined;
  }

  receiveMany(max: number, options: WaitOptions | undefined): Promise<Message[]> {
    try {
      checkRange("max", max, 1, 2 ** 31 - 1);
      const wait = this.wait(options);
      this.enter();
      return this.waiting.run(() => this.#attemptMany(max), wait);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  receiveManySync(max: number, options: WaitOptions | undefined): Message[] {
    checkRange("max", max, 1, 2 ** 31 - 1);
    const wait = this.wait(options);
    this.enter();
    return this.waiting.runSync(() => this.#attemptMany(max), wait);
  }

  attached(pipe: Pipe): void {
    this.fq.attach(pipe);
    this.waits?.pump();
  }

  released(pipe: Pipe): void {
    this.fq.drain(pipe, pipe.reader?.unread ?? 0);
    this.waits?.pump();
  }

  readActivated(pipe: Pipe): void {
    this.fq.activated(pipe);
    this.waits?.pump();
  }

  writeActivated(): void {}

  messagesLost(): void {}

  peerChanged(pipe: Pipe): void {
    if (pipe.side === "binder" && pipe.peerState === GONE && !pipe.draining) {
      pipe.draining = true; // Nothing can come any more: take what there is, then leave.
      this.released(pipe);
    }
  }

  detached(pipe: Pipe): void {
    this.fq.remove(pipe);
  }

  left(): void {}

  closed(error: () => ZmqError, settle: boolean): number {
    this.end(error, settle);
    return 0;
  }

  memoryFreed(): void {}

  protected override park(): boolean {
    return this.fq.park();
  }

  readonly #attempt = (): Message | undefined => {
    this.check();
    return this.take();
  };

  #attemptMany(max: number): Message[] | undefined {
    this.check();
    const messages: Message[] = [];
    this.takeMany(messages, max);
    return messages.length === 0 ? undefined : messages;
  }

  /** Takes the next message, if there is one. */
  protected take(): Message | undefined {
    const message = this.fq.receive();
    if (message !== undefined) this.count(1);
    return message;
  }

  /** Appends up to `max` messages; as many as there are. */
  protected takeMany(messages: Message[], max: number): void {
    this.fq.receiveMany(messages, max);
    if (messages.length > 0) this.count(messages.length);
  }
}

/** A socket that receives. */
export abstract class ReceivingSocket extends Socket {
  #receiver!: Receiver;

  /** @param pattern Makes the receiving half. */
  protected constructor(
    type: SocketType,
    options: ReceiveOptions,
    known: readonly OptionName[],
    pattern: (core: SocketCore) => Receiver = (core) => new Receiver(core),
  ) {
    let receiver: Receiver | undefined;
    super(type, options, known, (core) => {
      receiver = pattern(core);
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

  /** Whether messages are to be acknowledged; see {@link ReceiveOptions.acknowledge}. */
  get acknowledges(): boolean {
    return this.option("acknowledge");
  }

  /**
   * All messages received so far are delivered: they will not go to another socket, whatever
   * happens to this one. Only of use with the option `acknowledge`; asking for the next message
   * does the same.
   *
   * @throws ZmqError EBADF, ETERM.
   */
  acknowledge(): void {
    this.#receiver.acknowledge();
  }

  /**
   * Whether a message was in the hands of an application before, which died or closed its socket
   * without having acknowledged it.
   */
  isRedelivered(message: Message): boolean {
    return isRedelivered(message);
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
