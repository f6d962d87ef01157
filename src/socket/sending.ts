// SPDX-License-Identifier: MIT

import { FLUSH_EVERY, ZmqError } from "../base/index.ts";
import { FOR_ROOM } from "../command/index.ts";
import type { SocketType } from "../context/index.ts";
import type { Pool } from "../memory/index.ts";
import {
  ABSENT,
  ASSIGNED,
  ATTACHED,
  DRAINING,
  GONE,
  type MessageLike,
  type Pipe,
  type PipeWriter,
  type Prepared,
  prepare,
  RETRACTED,
} from "../pipe/index.ts";
import { Lb } from "../strategy/index.ts";
import { Direction, type Way } from "./direction.ts";
import type { OptionName, SendOptions } from "./options.ts";
import { type Pattern, Socket, type SocketCore } from "./socket.ts";
import { Waiting, type WaitOptions } from "./waiting.ts";

const DONE: Promise<void> = Promise.resolve();

const WAY: Way = { pauses: FOR_ROOM, timeout: "sendTimeout" };

/** The sending half of a pattern: load balancing, and the calls that wait for a peer with room. */
export class Sender extends Direction implements Pattern {
  readonly directions = { sends: true, receives: false };
  readonly #lb: Lb;
  readonly received = 0;
  /** Pipes whose binder has died and left something unread. */
  readonly #orphans = new Set<Pipe>();
  /** Calls that wait until all has been received. */
  #drains: Waiting | undefined;

  constructor(core: SocketCore) {
    super(core, WAY);
    this.#lb = new Lb(this.thread);
  }

  get sent(): number {
    return this.passed;
  }

  send(message: MessageLike, options: WaitOptions | undefined): Promise<void> {
    try {
      const prepared = prepare(message, this.thread.pool);
      if (options === undefined && this.#trySend(prepared)) {
        const { turn } = this.thread;
        return turn.due() ? turn.pass(undefined) : DONE;
      }
      const wait = this.wait(options);
      this.enter();
      return this.waiting.run(() => this.#attempt(prepared), wait).then(ignore);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  sendSync(message: MessageLike, options: WaitOptions | undefined): void {
    if (options !== undefined) this.wait(options);
    const prepared = prepare(message, this.thread.pool);
    if (this.#trySend(prepared)) return;
    this.waiting.runSync(() => this.#attempt(prepared), this.wait(options));
  }

  trySend(message: MessageLike): boolean {
    return this.#trySend(prepare(message, this.thread.pool));
  }

  async sendMany(messages: Iterable<MessageLike>, options: WaitOptions | undefined): Promise<void> {
    const wait = this.wait(options);
    this.enter();
    const batch = new Batch(messages, this.thread.pool);
    try {
      batch.begin();
      await this.waiting.run(() => this.#attemptBatch(batch, true), wait);
    } catch (error) {
      throw batch.failure(error);
    }
  }

  sendManySync(messages: Iterable<MessageLike>, options: WaitOptions | undefined): void {
    const wait = this.wait(options);
    this.enter();
    const batch = new Batch(messages, this.thread.pool);
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
      return this.#drains.run(() => (this.#isDrained ? true : undefined), wait).then(ignore);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  attached(pipe: Pipe): void {
    if (this.#usable(pipe)) this.#lb.attach(pipe);
    this.#reclaimOrphans();
    this.#again();
  }

  released(pipe: Pipe): void {
    this.#lb.remove(pipe);
    if (pipe.reader === undefined) this.core.leave(pipe);
  }

  readActivated(): void {}

  writeActivated(pipe: Pipe): void {
    this.#lb.activated(pipe);
    this.#again();
  }

  peerChanged(pipe: Pipe): void {
    if (pipe.draining) return;
    if (!this.#usable(pipe)) this.#lb.remove(pipe);
    else if (!this.#lb.has(pipe)) this.#lb.attach(pipe);
    if (pipe.side === "binder" && pipe.peerState === GONE) {
      pipe.draining = true;
      // What the peer has left unread goes to the others.
      const reader = pipe.readBack(this.core.member.slab);
      const { writer } = pipe as { writer: PipeWriter };
      this.#lb.reclaim({ reader, writer, stays: false, done: () => this.core.leave(pipe) });
    }
    if (pipe.orphaned && pipe.queuedOut > 0) this.#orphans.add(pipe);
    this.#reclaimOrphans();
    this.#again();
  }

  detached(pipe: Pipe): void {
    this.#lb.remove(pipe);
    this.#orphans.delete(pipe);
  }

  left(): void {
    this.#drains?.pump();
  }

  closed(error: () => ZmqError, settle: boolean): number {
    this.end(error, settle);
    if (settle) this.#drains?.fail(error());
    this.#drains = undefined;
    return this.#lb.abandon();
  }

  messagesLost(count: number, error: ZmqError): void {
    const lost = `Messages that were swapped before are lost: ${count}.`;
    const hint = `${lost} ${error.hint} This call has done nothing: make it again.`;
    this.failOnce(new ZmqError(error.code, { address: this.core.address, hint }));
  }

  memoryFreed(): void {
    this.#lb.memoryFreed();
    this.#again();
    if (this.waits?.busy !== true) this.#lb.giveUp();
  }

  protected override park(): boolean {
    return this.#lb.park();
  }

  /** Something may go now: first what was returned, then the calls that wait. */
  #again(): void {
    this.#lb.settle();
    this.waits?.pump();
    this.#drains?.pump();
  }

  /**
   * What a dead binder has left unread stays in the pipe for the next one of that name; unless
   * there is another peer, which shall not have to wait for that.
   */
  #reclaimOrphans(): void {
    for (const pipe of this.#orphans) {
      if (!this.#lb.pipes.some((other) => other !== pipe && isThere(other))) return;
      this.#orphans.delete(pipe);
      const { registry, slab } = this.core.member;
      if (!pipe.orphaned || !registry.retract(pipe.at)) continue; // Somebody has come.
      this.#lb.remove(pipe);
      const done = () => registry.leave(pipe.at, "binder", 0);
      const { writer } = pipe as { writer: PipeWriter };
      this.#lb.reclaim({ reader: pipe.readBack(slab), writer, stays: true, done });
    }
  }

  get #isDrained(): boolean {
    this.check();
    if (this.pending > 0 || this.#lb.returning || this.core.lingering > 0) return false;
    for (const pipe of this.core.pipes) if (pipe.queuedOut > 0) return false;
    return true;
  }

  #parkDrain(): boolean {
    for (const pipe of this.core.pipes) pipe.writer?.waitUntilEmpty();
    return !this.#isDrained;
  }

  /** Whether messages may be written to a pipe: its reader is there, or will be. */
  #usable(pipe: Pipe): boolean {
    const { peerState } = pipe;
    if (peerState === DRAINING || peerState === GONE || peerState === RETRACTED) return false;
    return peerState !== ABSENT || !this.core.options.immediate;
  }

  #trySend(message: Uint8Array | Prepared): boolean {
    this.enter();
    if (!this.first || !this.#lb.send(message)) return false;
    this.count(1);
    return true;
  }

  #attempt(message: Uint8Array | Prepared): true | undefined {
    this.check();
    if (!this.#lb.send(message)) return undefined;
    this.count(1);
    return true;
  }

  /**
   * Sends what is left of a batch; undefined if it has to wait.
   *
   * @param rests Whether it shall let the event loop have its turn when that is due.
   */
  #attemptBatch(batch: Batch, rests: boolean): true | undefined {
    let uncounted = 0;
    const lb = this.#lb;
    try {
      for (; !batch.done; batch.next()) {
        this.check(); // The iterator may have closed the socket.
        if (!batch.isArray && this.waits?.preceded) return undefined; // Or have sent by itself.
        if (!lb.write(batch.message)) return undefined;
        uncounted++;
        // An iterator may take its time, or wait for the answer to what it has yielded.
        if (batch.isArray && (batch.accepted + 1) % FLUSH_EVERY !== 0) continue;
        lb.flush();
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
      lb.flush();
      this.count(uncounted);
    }
  }
}

/** Messages on their way out, one after the other. */
class Batch {
  /** Arrays are walked by index: an iterator costs a third of a small message. */
  readonly #array: readonly MessageLike[] | undefined;
  readonly #iterator: Iterator<MessageLike> | undefined;
  readonly #pool: Pool;
  /** Whether the iterator is to be told should the call fail. */
  #open = false;
  accepted = 0;
  done = false;
  /** The next one to send, unless `done`. */
  message: Uint8Array | Prepared = new Uint8Array(0);

  get isArray(): boolean {
    return this.#array !== undefined;
  }

  constructor(messages: Iterable<MessageLike>, pool: Pool) {
    this.#pool = pool;
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
      if (this.accepted < array.length) this.#put(array[this.accepted] as MessageLike);
      else this.done = true;
    } else {
      this.#open = false; // Should it throw, it has closed itself.
      const result = (this.#iterator as Iterator<MessageLike>).next();
      this.#open = result.done !== true;
      if (result.done === true) this.done = true;
      else this.#put(result.value);
    }
  }

  #put(message: MessageLike): void {
    this.message = prepare(message, this.#pool);
  }

  /** The error of the whole call: it says how many messages were accepted. */
  failure(error: unknown): unknown {
    try {
      if (this.#open) this.#iterator?.return?.();
    } catch {
      // As in a `for … of` that fails: the first error counts.
    }
    if (!(error instanceof ZmqError)) return error;
    const { address, hint } = error;
    const detail = hint === undefined ? { address } : { address, hint };
    return new ZmqError(error.code, { ...detail, accepted: this.accepted });
  }
}

function ignore(): void {}

/** Whether somebody is at the other end of a pipe, or is about to be. */
function isThere(pipe: Pipe): boolean {
  const { peerState } = pipe;
  return peerState === ASSIGNED || peerState === ATTACHED;
}

/** A socket that sends. */
export abstract class SendingSocket extends Socket {
  #sender!: Sender;

  protected constructor(type: SocketType, options: SendOptions, known: readonly OptionName[]) {
    let sender: Sender | undefined;
    super(type, options, known, (core) => {
      sender = new Sender(core);
      return sender;
    });
    this.#sender = sender as Sender;
  }

  /** `ZMQ_SNDHWM`; see {@link SendOptions.sendHighWaterMark}. Takes effect at once. */
  get sendHighWaterMark(): number {
    return this.option("sendHighWaterMark");
  }

  set sendHighWaterMark(value: number) {
    this.setOption("sendHighWaterMark", value);
  }

  /** `ZMQ_SNDTIMEO`, in milliseconds; see {@link SendOptions.sendTimeout}. */
  get sendTimeout(): number {
    return this.option("sendTimeout");
  }

  set sendTimeout(value: number) {
    this.setOption("sendTimeout", value);
  }

  /** `ZMQ_SWAP`, in bytes; see {@link SendOptions.swap}. Takes effect at once. */
  get swap(): number {
    return this.option("swap");
  }

  set swap(value: number) {
    this.setOption("swap", value);
  }

  /** Where swaps are made; see {@link SendOptions.swapDirectory}. For those still to be made. */
  get swapDirectory(): string {
    return this.option("swapDirectory") || this.temporaryDirectory;
  }

  set swapDirectory(value: string) {
    this.setOption("swapDirectory", value);
  }

  /**
   * Sends a message: one part, or an array of parts, which arrive all or not at all.
   *
   * The parts are copied when the message is accepted, which is when the promise settles; until
   * then do not change them. Several sends may wait: they go in the order of their calls.
   *
   * @throws ZmqError by rejection: EAGAIN if the time is up, EINVAL, EMSGSIZE, EBADF, ETERM; ENOSPC
   *   and others if it cannot be swapped, EIO once if others cannot be read back. Or the signal's
   *   reason. The message was then not accepted.
   */
  send(message: MessageLike, options?: WaitOptions): Promise<void> {
    return this.#sender.send(message, options);
  }

  /** As {@link send}, but blocks this thread until the message is accepted. */
  sendSync(message: MessageLike, options?: { timeout?: number }): void {
    this.#sender.sendSync(message, options);
  }

  /** Sends a message if that can be done at once. Never waits. */
  trySend(message: MessageLike): boolean {
    return this.#sender.trySend(message);
  }

  /**
   * Waits until all that was sent has been received by the peers, and nothing is left with us: then
   * the socket, its thread, or the process may end without anybody missing anything. Not waited
   * for are sends that are called later. Of links that were let go of (`disconnect`, `unbind`),
   * what has reached shared memory is the peer's; what is still in a swap is waited for.
   *
   * @throws ZmqError by rejection: EAGAIN if the time is up (default: `sendTimeout`), EINVAL,
   *   EBADF, ETERM. Or the signal's reason.
   */
  drain(options?: WaitOptions): Promise<void> {
    return this.#sender.drain(options);
  }

  /**
   * Sends messages one after the other. Much faster than as many sends.
   *
   * What the iterable itself sends on this socket goes before what it yields next, although it may
   * have to wait. A blocking call that would have to wait there fails with EAGAIN.
   *
   * The timeout is that of the whole call. If it fails, the iterable's iterator is closed, as by a
   * `for … of` that is left. A signal's reason, and what an iterator throws, are passed on as they
   * are: `stats().sent` then says how far it came.
   *
   * @throws As {@link send}; `error.accepted` says how many were accepted before the failure.
   */
  sendMany(messages: Iterable<MessageLike>, options?: WaitOptions): Promise<void> {
    return this.#sender.sendMany(messages, options);
  }

  /** As {@link sendMany}, but blocks this thread until all are accepted. */
  sendManySync(messages: Iterable<MessageLike>, options?: { timeout?: number }): void {
    this.#sender.sendManySync(messages, options);
  }
}
