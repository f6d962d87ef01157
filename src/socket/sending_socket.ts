// SPDX-License-Identifier: MIT

import type { SocketType } from "../context/index.ts";
import type { MessageLike } from "../pipe/index.ts";
import {
  type Codec,
  defineOptions,
  EVERY,
  type OptionName,
  SENDS,
  type SendOptions,
} from "./options.ts";
import type { Sender } from "./sending.ts";
import { Socket, type SocketCore } from "./socket.ts";
import type { WaitOptions } from "./waiting.ts";
import type { Ways } from "./ways.ts";

/** The options of a call: to be given where it says by them whom the message is for. */
export type CallOptions<Call> =
  Record<never, never> extends Call ? [options?: Call] : [options: Call];

/** A socket that sends. */
export abstract class SendingSocket<
  Out = MessageLike,
  Call extends WaitOptions = WaitOptions,
> extends Socket {
  static {
    defineOptions(SendingSocket.prototype, "sendHighWaterMark", "sendTimeout", "swap");
  }

  /** `ZMQ_SNDHWM`; see {@link SendOptions.sendHighWaterMark}. Takes effect at once. */
  declare sendHighWaterMark: number;
  /** `ZMQ_SNDTIMEO`, in milliseconds; see {@link SendOptions.sendTimeout}. */
  declare sendTimeout: number;
  /** `ZMQ_SWAP`, in bytes; see {@link SendOptions.swap}. Takes effect at once. */
  declare swap: number;

  /** @internal */
  readonly sendingHalf: Sender<unknown>;

  /** @param ways Makes the pattern, which has a sending half. */
  protected constructor(
    type: SocketType,
    options: SendOptions,
    known: readonly OptionName[],
    ways: (core: SocketCore) => Ways,
  ) {
    super(type, options, [...EVERY, ...SENDS, ...known], ways);
    this.sendingHalf = (this.pattern as Ways).sender as Sender<unknown>;
  }

  /** See {@link CodecOption.codec}; undefined if messages are sent as they are. */
  get codec(): Codec<Out, unknown> | undefined {
    return this.option("codec");
  }

  /** Where swaps are made; see {@link SendOptions.swapDirectory}. For those still to be made. */
  get swapDirectory(): string {
    return this.option("swapDirectory") || this.temporaryDirectory;
  }

  set swapDirectory(value: string) {
    this.setOption("swapDirectory", value);
  }

  /** `ZMQ_POLLOUT`: whether a message can be sent at once. */
  get writable(): boolean {
    if (this.closed) return false;
    this.enter();
    return this.sendingHalf.answers;
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
  send(message: Out, ...[options]: CallOptions<Call>): Promise<void> {
    return this.sendingHalf.send(message, options);
  }

  /** As {@link send}, but blocks this thread until the message is accepted. */
  sendSync(message: Out, ...[options]: CallOptions<Omit<Call, "signal">>): void {
    this.sendingHalf.sendSync(message, options as Call | undefined);
  }

  /** Sends a message if that can be done at once. Never waits. */
  trySend(message: Out, ...[options]: CallOptions<Omit<Call, "timeout" | "signal">>): boolean {
    return this.sendingHalf.trySend(message, options as Call | undefined);
  }

  /**
   * Waits until all that was sent has been received by the peers, and nothing is left with us: then
   * the socket, its thread, or the process may end without anybody missing anything. What is sent
   * meanwhile is waited for, too. Of links that were let go of (`disconnect`, `unbind`), what has
   * reached shared memory is the peer's; what is still in a swap is waited for.
   *
   * @throws ZmqError by rejection: EAGAIN if the time is up (default: `sendTimeout`), EINVAL,
   *   EBADF, ETERM. Or the signal's reason.
   */
  drain(options?: WaitOptions): Promise<void> {
    return this.sendingHalf.drain(options);
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
  sendMany(messages: Iterable<Out>, ...[options]: CallOptions<Call>): Promise<void> {
    return this.sendingHalf.sendMany(messages, options);
  }

  /** As {@link sendMany}, but blocks this thread until all are accepted. */
  sendManySync(messages: Iterable<Out>, ...[options]: CallOptions<Omit<Call, "signal">>): void {
    this.sendingHalf.sendManySync(messages, options as Call | undefined);
  }
}
