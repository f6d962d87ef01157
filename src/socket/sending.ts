// SPDX-License-Identifier: MIT

import { FLUSH_EVERY, ZmqError } from "../base/index.ts";
import { FOR_ROOM } from "../command/index.ts";
import {
  ABSENT,
  isAttended,
  type MessageLike,
  type Pipe,
  type PipeReader,
  type Prepared,
  prepare,
  refusal,
  type Stretch,
} from "../pipe/index.ts";
import { Direction, type Way } from "./direction.ts";
import type { Codec } from "./options.ts";
import type { SocketCore } from "./socket.ts";
import { Waiting, type WaitOptions } from "./waiting.ts";

const DONE: Promise<void> = Promise.resolve();

const WAY: Way = { pauses: FOR_ROOM, timeout: "sendTimeout" };

/** A message that was looked at: nothing can go wrong with it but lack of room or memory. */
export type Outgoing = Uint8Array | Prepared;

/**
 * The sending half of a pattern: the calls that wait for a peer with room. What "a peer" is, is the
 * pattern's own: see its subclasses.
 */
export abstract class Sender<P = Outgoing> extends Direction {
  readonly #codec: Codec<unknown> | undefined;
  /** Calls that wait until all has been received. */
  #drains: Waiting | undefined;

  constructor(core: SocketCore) {
    super(core, WAY);
    this.#codec = core.options.codec;
  }

  /** Whether a message is for one peer, who is there or will be, and for no other after it. */
  readonly personal: boolean = false;
  /** Whether a call says more than the message: to whom, or to which group. */
  readonly saysWhom: boolean = false;

  /** Gives a message to whom it is for; `flush` shows it. False if it has to wait. */
  protected abstract write(message: P): boolean;

  abstract flush(): void;

  /** Gives a message to whom it is for, and shows it. False if it has to wait. */
  protected put(message: P): boolean {
    if (!this.write(message)) return false;
    this.flush();
    return true;
  }

  /** A pipe is there. */
  abstract attached(pipe: Pipe): void;

  /** A pipe's other end has changed, or whether it may be used. */
  abstract changed(pipe: Pipe): void;

  /** Nothing more is to be written to a pipe. */
  abstract removed(pipe: Pipe): void;

  /** The other end of a pipe is gone for good. When what it left unread is settled: `done`. */
  abstract ended(pipe: Pipe, done: () => void): void;

  /** There may be room in a pipe that was full. */
  abstract activated(pipe: Pipe): void;

  /** Looks at a message, when the call is made. @throws ZmqError if it is none. */
  protected prepare(message: MessageLike, _options: WaitOptions | undefined): P {
    return prepare(message, this.thread.pool) as P;
  }

  /**
   * Passes on a message that has come from elsewhere, as it is; `flush` shows it. A second entry
   * that is no part says what the call would be told: to whom, or to which group.
   *
   * @returns false if it has to wait.
   * @throws ZmqError if it cannot be sent by this socket.
   */
  pass(message: readonly unknown[]): boolean {
    const [first, second] = message;
    const isTold = message.length === 2 && !(second instanceof Uint8Array);
    const parts = message.length === 1 || isTold ? first : message;
    this.passing = true;
    try {
      const prepared = this.prepare(parts as MessageLike, isTold ? (second as object) : undefined);
      if (!this.write(prepared)) return false;
    } finally {
      this.passing = false;
    }
    this.count(1);
    return true;
  }

  /**
   * Likewise, for messages that lie as records of the arena: all of them, or none.
   *
   * @param front A part that is to come before each, if one is.
   * @returns false if they have to wait; undefined if they are to be passed on one by one, or
   *   otherwise.
   */
  passRecords(_stretch: Stretch, _front: Uint8Array | undefined): boolean | undefined {
    return undefined;
  }

  /** How many messages may be passed on together, as far as is known; at least one. */
  get together(): number {
    return 1;
  }

  /**
   * The same for the next message of a reader, whose large bodies are moved. It is shown.
   *
   * @returns false if it has to wait for memory; undefined if it is to be passed on otherwise.
   */
  moveFrom(_reader: PipeReader): boolean | undefined {
    return undefined;
  }

  /** What goes before the calls that wait. */
  protected settle(): void {}

  /** Whether there is something on its way out that is in no pipe. */
  protected get busy(): boolean {
    return false;
  }

  send(message: unknown, options: WaitOptions | undefined): Promise<void> {
    try {
      const wait = options === undefined ? undefined : this.wait(options);
      wait?.signal?.throwIfAborted();
      const prepared = this.#look(message, options);
      if (wait === undefined && this.#try(prepared)) {
        const { turn } = this.thread;
        return turn.passes() ? turn.pass(undefined) : DONE;
      }
      this.enter();
      const attempt = () => this.#attempt(prepared);
      return this.waiting.run(attempt, wait ?? this.wait(undefined)).then(ignore);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  sendSync(message: unknown, options: WaitOptions | undefined): void {
    if (options !== undefined) this.wait(options);
    const prepared = this.#look(message, options);
    if (this.#try(prepared)) return;
    this.waiting.runSync(() => this.#attempt(prepared), this.wait(options));
  }

  trySend(message: unknown, options: WaitOptions | undefined): boolean {
    return this.#try(this.#look(message, options));
  }

  async sendMany(messages: Iterable<unknown>, options: WaitOptions | undefined): Promise<void> {
    const wait = this.wait(options);
    wait.signal?.throwIfAborted();
    this.enter();
    const batch = this.#batch(messages, options);
    batch.signal = wait.signal;
    try {
      batch.begin();
      await this.waiting.run(() => this.#attemptBatch(batch, true), wait);
    } catch (error) {
      throw batch.failure(error);
    }
  }

  sendManySync(messages: Iterable<unknown>, options: WaitOptions | undefined): void {
    const wait = this.wait(options);
    this.enter();
    const batch = this.#batch(messages, options);
    try {
      batch.begin();
      this.waiting.runSync(() => this.#attemptBatch(batch, false), wait);
    } catch (error) {
      throw batch.failure(error);
    }
  }

  override get referenced(): boolean {
    return super.referenced;
  }

  override set referenced(referenced: boolean) {
    super.referenced = referenced;
    if (this.#drains !== undefined) this.#drains.referenced = referenced;
  }

  /** Settles when all that was sent has been received. */
  drain(options: WaitOptions | undefined): Promise<void> {
    try {
      const wait = this.wait(options);
      this.enter();
      this.#drains ??= new Waiting(this.thread, () => this.#parkDrain(), FOR_ROOM, this.holds);
      this.waiting.onSettled = () => this.#drains?.pump(); // It waits for them, too.
      return this.#drains.run(() => (this.#isDrained ? true : undefined), wait).then(ignore);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Something may go now: first what comes before, then the calls that wait. */
  again(): void {
    this.settle();
    this.waits?.pump();
    this.#drains?.pump();
  }

  memoryFreed(): void {
    this.again();
  }

  override end(error: () => ZmqError, settle: boolean): void {
    super.end(error, settle);
    if (settle) this.#drains?.fail(error());
    this.#drains = undefined;
  }

  /** The socket has closed. Returns how many messages are lost that are in no pipe. */
  closed(): number {
    return 0;
  }

  messagesLost(count: number, error: ZmqError): void {
    const lost = `Messages that were swapped before are lost: ${count}.`;
    const hint = `${lost} ${error.hint} This call has done nothing: make it again.`;
    this.failOnce(new ZmqError(error.code, { address: this.core.address(), hint }));
  }

  /** Whether messages may be written to a pipe: its reader is there, or will be. */
  protected isUsable({ peerState }: Pipe): boolean {
    return isAttended(peerState) || (peerState === ABSENT && !this.core.options.immediate);
  }

  #look(message: unknown, options: WaitOptions | undefined): P {
    const codec = this.#codec;
    const encoded = codec === undefined ? message : codec.encode(message);
    return this.#prepared(encoded, options);
  }

  /** @throws ZmqError also where reading the message has run code of the user's that throws. */
  #prepared(message: unknown, options: WaitOptions | undefined): P {
    try {
      return this.prepare(message as MessageLike, options);
    } catch (cause) {
      throw refusal(cause);
    }
  }

  #batch(messages: Iterable<unknown>, options: WaitOptions | undefined): Batch<P> {
    const codec = this.#codec;
    const encode = codec === undefined ? asIs : (message: unknown) => encodeOne(codec, message);
    return new Batch(messages, (message) => this.#prepared(encode(message), options));
  }

  get #isDrained(): boolean {
    this.check();
    if (this.pending > 0 || this.busy || this.core.lingering() > 0) return false;
    for (const pipe of this.core.pipes) {
      // What lies in a lane that was let go of is the peer's.
      const left = pipe.draining ? pipe.writer?.swapped : pipe.queuedOut;
      if (left !== undefined && left > 0) return false;
    }
    return true;
  }

  #parkDrain(): boolean {
    for (const pipe of this.core.pipes) pipe.writer?.waitUntilEmpty();
    return !this.#isDrained;
  }

  #try(message: P): boolean {
    this.enter();
    if (!this.first || !this.put(message)) return false;
    this.count(1);
    return true;
  }

  #attempt(message: P): true | undefined {
    this.check();
    if (!this.put(message)) return undefined;
    this.count(1);
    return true;
  }

  /**
   * Sends what is left of a batch; undefined if it has to wait.
   *
   * @param rests Whether it shall let the event loop have its turn when that is due.
   */
  #attemptBatch(batch: Batch<P>, rests: boolean): true | undefined {
    let uncounted = 0;
    try {
      for (; !batch.done; batch.next()) {
        this.check(); // The iterator may have closed the socket.
        batch.signal?.throwIfAborted(); // Or have given the call up.
        if (!batch.isArray && this.waits?.preceded) return undefined; // Or have sent by itself.
        if (!this.write(batch.message as P)) return undefined;
        uncounted++;
        // An iterator may take its time, or wait for the answer to what it has yielded.
        if (batch.isArray && (batch.accepted + 1) % FLUSH_EVERY !== 0) continue;
        this.flush();
        this.count(uncounted);
        uncounted = 0;
        if (rests && this.thread.turn.due()) {
          this.waiting.rest();
          batch.next();
          return batch.done ? true : undefined;
        }
      }
      return true;
    } finally {
      this.flush();
      this.count(uncounted);
    }
  }
}

/** Messages on their way out, one after the other. */
class Batch<P> {
  /** Arrays are walked by index: an iterator costs a third of a small message. */
  readonly #array: readonly unknown[] | undefined;
  readonly #iterator: Iterator<unknown> | undefined;
  readonly #look: (message: unknown) => P;
  /** Whether the iterator is to be told should the call fail. */
  #open = false;
  accepted = 0;
  done = false;
  /** Of the call. */
  signal: AbortSignal | undefined;
  /** The next one to send, unless `done`. */
  message: P | undefined;

  get isArray(): boolean {
    return this.#array !== undefined;
  }

  constructor(messages: Iterable<unknown>, look: (message: unknown) => P) {
    this.#look = look;
    if (typeof messages === "string" || typeof messages?.[Symbol.iterator] !== "function") {
      throw new ZmqError("EINVAL", {
        hint: "sendMany takes an array, or another iterable, of messages.",
      });
    }
    if (Array.isArray(messages)) this.#array = messages;
    else this.#iterator = messages[Symbol.iterator]();
  }

  /** Takes the first message. */
  begin(): void {
    this.#take();
  }

  /** The message was accepted. */
  next(): void {
    this.accepted++;
    this.#take();
  }

  #take(): void {
    const array = this.#array;
    if (array !== undefined) {
      if (this.accepted < array.length) this.#put(array[this.accepted]);
      else this.done = true;
    } else {
      this.#open = false; // Should it throw, it has closed itself.
      const result = (this.#iterator as Iterator<unknown>).next();
      this.#open = result.done !== true;
      if (result.done === true) this.done = true;
      else this.#put(result.value);
    }
  }

  #put(message: unknown): void {
    this.message = this.#look(message);
  }

  /** The error of the whole call: it says how many messages were accepted. */
  failure(error: unknown): unknown {
    try {
      if (this.#open) this.#iterator?.return?.();
    } catch {
      // As in a `for … of` that fails: the first error counts.
    }
    if (!(error instanceof ZmqError)) return error;
    const { address, hint, cause } = error;
    const detail = hint === undefined ? { address, cause } : { address, hint, cause };
    return new ZmqError(error.code, { ...detail, accepted: this.accepted });
  }
}

function ignore(): void {}

function asIs(message: unknown): unknown {
  return message;
}

/** Of a batch: its error shall say how many messages were accepted before. */
function encodeOne(codec: Codec<unknown>, message: unknown): MessageLike {
  try {
    return codec.encode(message);
  } catch (cause) {
    if (cause instanceof ZmqError) throw cause;
    throw new ZmqError("EINVAL", { hint: "The codec's encode has thrown: see cause.", cause });
  }
}
