// SPDX-License-Identifier: MIT

import { DEFAULT_RECEIVE_MANY, type LeasedPart } from "../base/index.ts";
import type { SocketType } from "../context/index.ts";
import type { Lease, Message } from "../pipe/index.ts";
import { iterateLeases } from "./leasing.ts";
import {
  type Codec,
  defineOptions,
  EVERY,
  type OptionName,
  RECEIVES,
  type ReceiveOptions,
} from "./options.ts";
import type { Receiver } from "./receiving.ts";
import { Socket, type SocketCore } from "./socket.ts";
import { END, iterate, type WaitOptions } from "./waiting.ts";
import type { Ways } from "./ways.ts";

/**
 * A socket that receives `In`; of which `Body` is what a codec makes, if not all of it; and by a
 * lease `Leased`.
 */
export abstract class ReceivingSocket<
  In = Message,
  Body = In,
  Leased = LeasedPart[],
> extends Socket {
  static {
    defineOptions(ReceivingSocket.prototype, ...RECEIVES);
  }

  /** `ZMQ_RCVHWM`; see {@link ReceiveOptions.receiveHighWaterMark}. Takes effect at once. */
  declare receiveHighWaterMark: number;
  /** `ZMQ_RCVTIMEO`, in milliseconds; see {@link ReceiveOptions.receiveTimeout}. */
  declare receiveTimeout: number;

  /** @internal */
  readonly receivingHalf: Receiver<unknown>;

  /** @param ways Makes the pattern, which has a receiving half. */
  protected constructor(
    type: SocketType,
    options: ReceiveOptions,
    known: readonly OptionName[],
    ways: (core: SocketCore) => Ways,
  ) {
    super(type, options, [...EVERY, ...RECEIVES, ...known], ways);
    this.receivingHalf = (this.pattern as Ways).receiver as Receiver<unknown>;
  }

  /** See {@link CodecOption.codec}; undefined if messages are received as they are. */
  get codec(): Codec<never, Body> | undefined {
    return this.option("codec") as Codec<never, Body> | undefined;
  }

  /** `ZMQ_POLLIN`: whether a message can be received at once. */
  get readable(): boolean {
    if (this.closed) return false;
    this.enter();
    return this.receivingHalf.answers;
  }

  /**
   * Receives a message: an array with one entry for each part. The bytes are the receiver's own.
   *
   * Several receives may wait: they are served in the order of their calls.
   *
   * @throws ZmqError by rejection: EAGAIN if the time is up, EBADF, ETERM. Or the signal's reason.
   */
  receive(options?: WaitOptions): Promise<In> {
    return this.receivingHalf.receive(options) as Promise<In>;
  }

  /** As {@link receive}, but blocks this thread until there is a message. */
  receiveSync(options?: { timeout?: number }): In {
    return this.receivingHalf.receiveSync(options) as In;
  }

  /** Receives a message if there is one. Never waits. */
  tryReceive(): In | undefined {
    return this.receivingHalf.tryReceive() as In | undefined;
  }

  /**
   * Receives as many messages as there are: at least one, at most `max` (default 512). Much faster
   * than as many receives.
   */
  receiveMany(max: number = DEFAULT_RECEIVE_MANY, options?: WaitOptions): Promise<In[]> {
    return this.receivingHalf.receiveMany(max, options) as Promise<In[]>;
  }

  /** As {@link receiveMany}, but blocks this thread until there is a message. */
  receiveManySync(max: number = DEFAULT_RECEIVE_MANY, options?: { timeout?: number }): In[] {
    return this.receivingHalf.receiveManySync(max, options) as In[];
  }

  /**
   * Receives a message without copying its large parts, those of more than 4096 bytes: they are
   * views of shared memory, to be used only until the {@link Lease} is released. With a codec, what
   * the message was before it was decoded.
   *
   * As long as it is not released its memory is of no use to others: see `maxMemory`. Where there
   * is no memory to note the lease in, with `conflate`, and at an XPUB, parts are copies all the
   * same.
   *
   * @throws ZmqError as {@link receive}.
   */
  receiveLease(options?: WaitOptions): Promise<Lease<Leased>> {
    return this.receivingHalf.receiveLease(options) as Promise<Lease<unknown>> as Promise<
      Lease<Leased>
    >;
  }

  /** As {@link receiveLease}, but blocks this thread until there is a message. */
  receiveLeaseSync(options?: { timeout?: number }): Lease<Leased> {
    return this.receivingHalf.receiveLeaseSync(options) as Lease<unknown> as Lease<Leased>;
  }

  /** As {@link receiveLease}, if there is a message. Never waits. */
  tryReceiveLease(): Lease<Leased> | undefined {
    return this.receivingHalf.tryReceiveLease() as Lease<unknown> | undefined as
      | Lease<Leased>
      | undefined;
  }

  /**
   * Receives until the socket is closed, without copying large parts: each step releases the lease
   * of the step before, and the last one is released when the loop ends.
   *
   * @example
   * ```ts
   * for await (const { message: [header, image] } of pull.leases()) show(header, image);
   * ```
   */
  leases(): AsyncIterableIterator<Lease<Leased>> {
    return iterateLeases(
      (held) => {
        const lease: Promise<Lease<unknown>> = this.receivingHalf.receiveLease(undefined, held);
        return lease as Promise<Lease<Leased>>;
      },
      () => this.closed,
    );
  }

  /** Receives until the socket is closed: `for await (const [part] of socket)`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<In> {
    const receiver = this.receivingHalf as Receiver<In>;
    const closed = () => this.closed;
    return iterate((held) => receiver.next(closed, held));
  }

  /** Receives until the socket is closed, blocking this thread: `for (const [part] of socket)`. */
  [Symbol.iterator](): IterableIterator<In> {
    const receiver = this.receivingHalf as Receiver<In>;
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
