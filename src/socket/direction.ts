// SPDX-License-Identifier: MIT

import type { ZmqError } from "../base/index.ts";
import type { Thread } from "../command/index.ts";
import type { SocketCore } from "./socket.ts";
import { type Claims, checkWait, type Wait, Waiting, type WaitOptions } from "./waiting.ts";

/** Something that has gone wrong, and is to be told once. */
export class Mishap {
  #error: ZmqError | undefined;

  constructor(error: ZmqError) {
    this.#error = error;
  }

  get isTold(): boolean {
    return this.#error === undefined;
  }

  take(): ZmqError | undefined {
    const error = this.#error;
    this.#error = undefined;
    return error;
  }
}

/** In which way one direction differs from the other. */
export interface Way {
  /** Between two tries of a busy wait. */
  readonly pauses: number;
  /** How long a call waits that does not say. */
  readonly timeout: "sendTimeout" | "receiveTimeout";
}

/**
 * direction — one way of a socket's messages: what sending and receiving have in common.
 *
 * A call hears first what has come, and fails if the socket is closed; then it tries, and may wait.
 * Attempts of calls that wait only check, as a rule: commands are heard between them.
 */
export abstract class Direction {
  protected readonly core: SocketCore;
  protected readonly thread: Thread;
  readonly #way: Way;
  /** What calls fail with from now on. */
  #failure: (() => ZmqError) | undefined;
  /** What the next one fails with. */
  #mishap: Mishap | undefined;
  protected holds = true;
  /** Made when the first call has to wait: with many sockets, each object is a cache miss. */
  protected waits: Waiting | undefined;
  /** How many messages have gone this way. */
  passed = 0;
  /** Whether what is being done is to pass a message on: a mishap is for the next call. */
  protected passing = false;

  protected constructor(core: SocketCore, way: Way) {
    this.core = core;
    this.thread = core.member.thread;
    this.#way = way;
  }

  /** Asks all pipes for a wake-up; false if it is worth trying again at once. */
  protected abstract park(): boolean;

  /** Whether a message could go now; which then depends on the other end, and the pattern. */
  abstract get ready(): boolean;

  /** Whether a call would not have to wait: a message can go, or there is an error to tell. */
  get answers(): boolean {
    if (this.#failure !== undefined || this.#mishap?.isTold === false) return true;
    return this.goes;
  }

  /** Whether a message can go now, and no call waits that came before. */
  get goes(): boolean {
    return this.first && this.ready;
  }

  /** Who follows looks whenever something may have changed, after the calls that wait. */
  follow(follower: Waiting): void {
    this.waiting.followers.add(follower);
  }

  unfollow(follower: Waiting): void {
    this.waits?.followers.delete(follower);
  }

  /** As `park`, for who follows: if calls wait, they will say when all of them are done. */
  parkFollower(): boolean {
    return this.#failure !== undefined || !this.first || this.park();
  }

  /** Something may go now. */
  pump(): void {
    this.waits?.pump();
  }

  /** Calls that wait. */
  get pending(): number {
    return this.waits?.size ?? 0;
  }

  /** Calls that wait, but for the one that is being tried. */
  protected get others(): number {
    return this.waits?.others ?? 0;
  }

  /** Whether calls that wait keep the event loop alive. */
  get referenced(): boolean {
    return this.holds;
  }

  set referenced(referenced: boolean) {
    this.holds = referenced;
    if (this.waits !== undefined) this.waits.referenced = referenced;
  }

  /** Every call fails from now on. @param settle Whether those that wait are told. */
  end(error: () => ZmqError, settle: boolean): void {
    this.#failure = error;
    if (settle) this.waits?.fail(error());
  }

  /** Something has gone wrong that no call is to blame for: the next one says so. */
  failOnce(error: ZmqError): void {
    this.tell(new Mishap(error));
  }

  /**
   * Likewise; if it concerns two directions, it is told by one of them. Of several that have come
   * before any call, the first is told.
   */
  tell(mishap: Mishap): void {
    if (this.#mishap === undefined || this.#mishap.isTold) this.#mishap = mishap;
    this.waits?.follow();
  }

  /** Fails the calls that wait. */
  failWaiting(error: ZmqError): void {
    this.waits?.fail(error);
  }

  /** Begins a call: hears what has come. */
  protected enter(): void {
    if (this.thread.hasMail) this.thread.dispatch();
    this.check();
  }

  protected check(): void {
    if (this.#failure !== undefined) throw this.#failure();
    if (this.#mishap === undefined || this.passing) return;
    const error = this.#mishap.take();
    this.#mishap = undefined;
    if (error !== undefined) throw error;
  }

  protected count(messages: number): void {
    this.passed += messages;
  }

  /** Whether a call may go at once, because none waits that came before it. */
  protected get first(): boolean {
    return this.waits === undefined || this.waits.yields();
  }

  protected get waiting(): Waiting {
    const { pauses } = this.#way;
    this.waits ??= new Waiting(this.thread, () => this.park(), pauses, this.holds, this.claims);
    return this.waits;
  }

  /** What calls that wait have claimed, if they may pass each other. */
  protected get claims(): Claims | undefined {
    return undefined;
  }

  /** How a call is to wait, by what it was given. @throws ZmqError EINVAL. */
  protected wait(options: WaitOptions | undefined): Wait {
    const address = this.core.address();
    return checkWait(options, this.core.options[this.#way.timeout], address);
  }
}
