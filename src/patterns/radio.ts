// SPDX-License-Identifier: MIT

import { type LeasedPart, type ReceivedPart, ZmqError } from "../base/index.ts";
import { DISH, RADIO } from "../context/index.ts";
import { type Message, type MessageLike, type Part, partsOf, prepare } from "../pipe/index.ts";
import {
  type Codec,
  type CodecOption,
  type CodecUnlessMessage,
  checkOnePart,
  decodeBody,
  defineOptions,
  type OnePart,
  type Outgoing,
  type ReceiveOptions,
  ReceivingSocket,
  SendingSocket,
  type SendOptions,
  type SocketStats,
  type SubscribeOptions,
  type WaitOptions,
} from "../socket/index.ts";
import { Groups, Prefixes, type WhenFull } from "../strategy/index.ts";
import { Distributor, Publishing } from "./publishing.ts";
import { Filter, missedBefore, Subscribing } from "./subscribing.ts";

/**
 * radio — RADIO and DISH: messages of one part, each of a group, to all who have joined that group
 * (RFC 48). On its way the group is a part before the message.
 */
/** Which group a message is of: 0 to 255 bytes of UTF-8. */
export interface Group {
  readonly group: string;
}

const MAX_GROUP_BYTES = 255;
const encoder = new TextEncoder();
/** Every byte counts, one that marks the order of bytes, too. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** @throws ZmqError EINVAL if it cannot be the name of a group. */
function checkGroup(group: unknown): Uint8Array {
  const bytes = typeof group === "string" ? encoder.encode(group) : undefined;
  if (bytes !== undefined && bytes.length <= MAX_GROUP_BYTES) return bytes;
  const hint = `Give group as a string of at most ${MAX_GROUP_BYTES} bytes: { group: "news" }.`;
  throw new ZmqError("EINVAL", { hint });
}

/** The sending half of RADIO: puts the group in front. */
class GroupSender extends Distributor {
  override readonly saysWhom = true;

  protected override prepare(message: MessageLike, options: WaitOptions | undefined): Outgoing {
    checkOnePart(message);
    const [part] = partsOf(message) as [Part];
    const { group } = (options ?? {}) as Partial<Group>;
    return prepare([checkGroup(group), part], this.thread.pool);
  }
}

/** How a call of a RADIO waits, and which group the message is of. */
export interface GroupSendOptions extends WaitOptions, Group {}

/** Options of a RADIO. */
export interface RadioOptions<Out = OnePart> extends SendOptions, CodecOption<Out, unknown> {
  /** As {@link PublishOptions.noDrop}. */
  noDrop?: boolean;
}

/**
 * RADIO: sends each message to all linked DISHes that have joined its group (RFC 48, `ZMQ_RADIO`).
 *
 * @example
 * ```ts
 * const radio = new Radio();
 * await radio.bind("inproc://air");
 * await radio.send("hello", { group: "news" });
 * ```
 */
export class Radio<Out = OnePart> extends SendingSocket<Out, GroupSendOptions> {
  static {
    defineOptions(Radio.prototype, "noDrop");
  }

  /** `ZMQ_XPUB_NODROP`; see {@link PublishOptions.noDrop}. Takes effect at once. */
  declare noDrop: boolean;

  constructor(...[options = {}]: CodecUnlessMessage<RadioOptions<Out>>) {
    super(RADIO, options, ["codec", "noDrop"], (core) => {
      return new Publishing(core, new Groups(), false, new GroupSender(core));
    });
  }
}

/** A message, or its value, and its group. */
export type GroupMessage<In = ReceivedPart> = [body: In, of: Group];

/** The same, of a lease. */
export type LeasedGroupMessage = [part: LeasedPart, of: Group];

/** The groups that a DISH has joined. */
class Memberships extends Prefixes {
  override matches(group: Uint8Array): boolean {
    return this.has(group);
  }

  override get all(): boolean {
    return false;
  }
}

/** The receiving half of DISH: takes the group off. */
class GroupReceiver extends Filter {
  protected override opened(message: Message): Message {
    const [group, part] = message as [ReceivedPart, ReceivedPart];
    const received = message as unknown as GroupMessage;
    received[0] = part;
    received[1] = { group: decoder.decode(group) };
    return message;
  }

  protected override decode(codec: Codec<unknown>, message: Message): unknown {
    return decodeBody(codec, message);
  }
}

/** Options of a DISH. */
export interface DishOptions<In = ReceivedPart>
  extends ReceiveOptions,
    SubscribeOptions,
    CodecOption<never, In> {}

/**
 * DISH: receives from all linked RADIOs, fairly, the messages of the groups that it has joined (RFC
 * 48, `ZMQ_DISH`).
 *
 * @example
 * ```ts
 * const dish = new Dish();
 * dish.connect("inproc://air");
 * dish.join("news");
 * for await (const [part, { group }] of dish) console.log(group, `${part}`);
 * ```
 */
export class Dish<In = ReceivedPart> extends ReceivingSocket<
  GroupMessage<In>,
  In,
  LeasedGroupMessage
> {
  static {
    defineOptions(Dish.prototype, "whenFull");
  }

  /** What RADIOs do when there is no room; see {@link SubscribeOptions.whenFull}. */
  declare whenFull: WhenFull;

  readonly #memberships: Memberships;
  readonly #ways: Subscribing;

  constructor(...[options = {}]: CodecUnlessMessage<DishOptions<In>>) {
    const memberships = new Memberships();
    super(DISH, options, ["codec", "whenFull"], (core) => {
      const receiver = new GroupReceiver(core, memberships);
      return new Subscribing(core, memberships, { receiver });
    });
    this.#memberships = memberships;
    this.#ways = this.pattern as Subscribing;
  }

  /**
   * `zmq_join`: receives from now on also what is sent to these groups.
   *
   * @throws ZmqError EINVAL if one was joined already, or cannot be a group; then none is joined.
   */
  join(...groups: string[]): void {
    this.#change(groups, true, "It was joined already.");
  }

  /**
   * `zmq_leave`: receives no longer what is sent to these groups.
   *
   * @throws ZmqError EINVAL if one was not joined; then none is left.
   */
  leave(...groups: string[]): void {
    this.#change(groups, false, "It was not joined.");
  }

  /** How many messages a RADIO has dropped immediately before this one, for lack of room. */
  missedBefore(message: GroupMessage<In> | LeasedGroupMessage): number {
    return missedBefore(message);
  }

  /** As of every socket; and how many messages RADIOs have dropped, as far as we know. */
  override stats(): SocketStats & { missed: number } {
    return { ...super.stats(), missed: (this.receivingHalf as Filter).missed };
  }

  #change(groups: readonly string[], joins: boolean, hint: string): void {
    this.enter();
    const names = groups.map(checkGroup);
    if (new Set(groups).size < groups.length) throw new ZmqError("EINVAL", { hint });
    for (const group of names) {
      if (this.#memberships.matches(group) === joins) throw new ZmqError("EINVAL", { hint });
    }
    for (const group of names) {
      if (joins) this.#memberships.add(group);
      else this.#memberships.remove(group);
      this.#ways.announce(joins, group);
    }
  }
}
