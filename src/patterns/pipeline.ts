// SPDX-License-Identifier: MIT

import type { LeasedPart } from "../base/index.ts";
import { GATHER, PULL, PUSH, SCATTER, type SocketType } from "../context/index.ts";
import { isRedelivered, type Message, type MessageLike } from "../pipe/index.ts";
import {
  type AcknowledgeOption,
  type Balance,
  type BalanceOption,
  Balancer,
  type CodecOption,
  type CodecUnlessMessage,
  type ConflateOption,
  defineOptions,
  FairReceiver,
  type OnePart,
  type ReceiveOptions,
  ReceivingSocket,
  SendingSocket,
  type SendOptions,
  Ways,
} from "../socket/index.ts";

/** Options of a PUSH. */
export interface PushOptions<Out = MessageLike>
  extends SendOptions,
    ConflateOption,
    BalanceOption,
    CodecOption<Out, unknown> {}

/** A PUSH, or a SCATTER. */
abstract class SharingSocket<Out> extends SendingSocket<Out> {
  static {
    defineOptions(SharingSocket.prototype, "conflate", "balance");
  }

  /** `ZMQ_CONFLATE`; see {@link ConflateOption.conflate}. For links to come. */
  declare conflate: boolean;
  /** How messages are shared out; see {@link BalanceOption.balance}. Takes effect at once. */
  declare balance: Balance;

  protected constructor(type: SocketType, options: PushOptions<Out>, onePart: boolean) {
    const known = ["codec", "conflate", "balance"] as const;
    super(type, options, known, (core) => {
      return new Ways(core, { sender: new Balancer(core, { onePart }) });
    });
  }
}

/**
 * PUSH: gives each message to one of the linked PULLs, in turn (RFC 30, `ZMQ_PUSH`).
 *
 * Only peers that can take a message take part; when none can, `send` waits. Nothing is dropped,
 * and what a PULL has not received when it closes goes to the others.
 *
 * @example
 * ```ts
 * const push = new Push({ sendHighWaterMark: 100 });
 * await push.bind("inproc://work");
 * await push.send(["header", bytes]);
 * ```
 */
export class Push<Out = MessageLike> extends SharingSocket<Out> {
  constructor(...[options = {}]: CodecUnlessMessage<PushOptions<Out>>) {
    super(PUSH, options, false);
  }
}

/** Options of a PULL. */
export interface PullOptions<In = Message>
  extends ReceiveOptions,
    AcknowledgeOption,
    ConflateOption,
    CodecOption<never, In> {}

/**
 * PULL: receives from all linked PUSHes, one message from each in turn (RFC 30, `ZMQ_PULL`).
 *
 * @example
 * ```ts
 * const pull = new Pull();
 * pull.connect("inproc://work");
 * for await (const [header, bytes] of pull) console.log(`${header}`, bytes.length);
 * ```
 */
export class Pull<In = Message> extends ReceivingSocket<In> {
  static {
    defineOptions(Pull.prototype, "conflate");
  }

  /** `ZMQ_CONFLATE`; see {@link ConflateOption.conflate}. For links to come. */
  declare conflate: boolean;

  constructor(...[options = {}]: CodecUnlessMessage<PullOptions<In>>) {
    const known = ["codec", "acknowledge", "conflate"] as const;
    super(PULL, options, known, (core) => new Ways(core, { receiver: new FairReceiver(core) }));
  }

  /** Whether messages are to be acknowledged; see {@link AcknowledgeOption.acknowledge}. */
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
    this.receivingHalf.acknowledge();
  }

  /**
   * Whether a message was in the hands of an application before, which died or closed its socket
   * without having acknowledged it. With a codec, of values that are objects.
   */
  isRedelivered(message: In | LeasedPart[]): boolean {
    return isRedelivered(message);
  }
}

/** SCATTER: a PUSH whose messages have one part (RFC 49, `ZMQ_SCATTER`). */
export class Scatter<Out = OnePart> extends SharingSocket<Out> {
  constructor(...[options = {}]: CodecUnlessMessage<PushOptions<Out>>) {
    super(SCATTER, options, true);
  }
}

/** Options of a GATHER. */
export interface GatherOptions<In = Message>
  extends ReceiveOptions,
    ConflateOption,
    CodecOption<never, In> {}

/** GATHER: receives from all linked SCATTERs, as a PULL does (RFC 49, `ZMQ_GATHER`). */
export class Gather<In = Message> extends ReceivingSocket<In> {
  static {
    defineOptions(Gather.prototype, "conflate");
  }

  /** `ZMQ_CONFLATE`; see {@link ConflateOption.conflate}. For links to come. */
  declare conflate: boolean;

  constructor(...[options = {}]: CodecUnlessMessage<GatherOptions<In>>) {
    const known = ["codec", "conflate"] as const;
    super(GATHER, options, known, (core) => new Ways(core, { receiver: new FairReceiver(core) }));
  }
}
