// SPDX-License-Identifier: MIT

import type { LeasedPart } from "../base/index.ts";
import { PUB, SUB, topicsThat } from "../context/index.ts";
import type { Message, MessageLike } from "../pipe/index.ts";
import {
  type CodecOption,
  type CodecUnlessMessage,
  type ConflateOption,
  defineOptions,
  type PublishOptions,
  type ReceiveOptions,
  ReceivingSocket,
  SendingSocket,
  type SendOptions,
  type SocketStats,
  type SubscribeOptions,
} from "../socket/index.ts";
import { Prefixes, Subscriptions, type WhenFull } from "../strategy/index.ts";
import { Publishing } from "./publishing.ts";
import { Filter, missedBefore, type Prefix, Subscribing, toTopics } from "./subscribing.ts";

/** Options of a PUB. */
export interface PublisherOptions<Out = MessageLike>
  extends SendOptions,
    PublishOptions,
    ConflateOption,
    CodecOption<Out, unknown> {}

/**
 * PUB: sends each message to all linked SUBs that have subscribed to what its first part begins
 * with (RFC 29, `ZMQ_PUB`).
 *
 * Who has not subscribed gets nothing, nor who is not there: what a PUB that connects sends before
 * somebody binds goes to nobody. A subscriber without room loses the message, and sees how many it
 * has lost. What is subscribed to when `subscribe` returns, in whatever thread, is sent from then
 * on.
 *
 * @example
 * ```ts
 * const publisher = new Publisher();
 * await publisher.bind("inproc://weather");
 * await publisher.send(["berlin", "18"]);
 * ```
 */
export class Publisher<Out = MessageLike> extends SendingSocket<Out> {
  static {
    defineOptions(Publisher.prototype, "conflate", "noDrop", "invertMatching");
  }

  /** `ZMQ_CONFLATE`; see {@link ConflateOption.conflate}. For links to come. */
  declare conflate: boolean;
  /** `ZMQ_XPUB_NODROP`; see {@link PublishOptions.noDrop}. Takes effect at once. */
  declare noDrop: boolean;
  /** `ZMQ_INVERT_MATCHING`; see {@link PublishOptions.invertMatching}. Takes effect at once. */
  declare invertMatching: boolean;

  constructor(...[options = {}]: CodecUnlessMessage<PublisherOptions<Out>>) {
    const known = ["codec", "conflate", "noDrop", "invertMatching"] as const;
    super(PUB, options, known, (core) => new Publishing(core, new Subscriptions(), false));
  }
}

/** Options of a SUB. */
export interface SubscriberOptions<In = Message>
  extends ReceiveOptions,
    SubscribeOptions,
    ConflateOption,
    CodecOption<never, In> {
  /**
   * `ZMQ_INVERT_MATCHING`: receives what is not subscribed to, of publishers that have it set, too,
   * and of `sys://log`; of others, nothing. Default false.
   */
  invertMatching?: boolean;
}

/**
 * SUB: receives from all linked PUBs, fairly, the messages whose first part begins with a prefix
 * that it has subscribed to (RFC 29, `ZMQ_SUB`).
 *
 * Without a subscription it receives nothing. Connected to `sys://log`, it hears what happens in
 * all threads.
 *
 * @example
 * ```ts
 * const subscriber = new Subscriber();
 * subscriber.connect("inproc://weather");
 * subscriber.subscribe("berlin", "paris");
 * for await (const [city, degrees] of subscriber) console.log(`${city}: ${degrees}`);
 * ```
 */
export class Subscriber<In = Message> extends ReceivingSocket<In> {
  static {
    defineOptions(Subscriber.prototype, "conflate", "whenFull");
  }

  /** `ZMQ_CONFLATE`; see {@link ConflateOption.conflate}. For links to come. */
  declare conflate: boolean;
  /** What publishers do when there is no room; see {@link SubscribeOptions.whenFull}. */
  declare whenFull: WhenFull;

  readonly #prefixes: Prefixes;
  readonly #ways: Subscribing;

  constructor(...[options = {}]: CodecUnlessMessage<SubscriberOptions<In>>) {
    const prefixes = new Prefixes();
    const known = ["codec", "conflate", "whenFull", "invertMatching"] as const;
    super(SUB, options, known, (core) => {
      return new Subscribing(core, prefixes, { receiver: new Filter(core, prefixes) });
    });
    this.#prefixes = prefixes;
    this.#ways = this.pattern as Subscribing;
    if (this.invertMatching) this.#tune();
  }

  /** `ZMQ_INVERT_MATCHING`; see {@link SubscriberOptions.invertMatching}. Takes effect at once. */
  get invertMatching(): boolean {
    return this.option("invertMatching");
  }

  set invertMatching(value: boolean) {
    this.setOption("invertMatching", value);
    this.#tune();
  }

  /**
   * `ZMQ_SUBSCRIBE`: receives from now on also what begins with one of these; without any, all.
   *
   * Subscriptions are counted: who subscribes twice to the same must unsubscribe twice.
   *
   * @throws ZmqError EINVAL if it is no prefix, EMSGSIZE if it is longer than a message may be,
   *   EBADF, ETERM.
   */
  subscribe(...prefixes: Prefix[]): void {
    this.enter();
    const topics = toTopics(prefixes);
    for (const topic of topics) this.#ways.check(topic);
    for (const prefix of topics) {
      this.#prefixes.add(prefix);
      this.#ways.announce(true, prefix);
    }
    this.#tune();
  }

  /**
   * `ZMQ_UNSUBSCRIBE`: takes subscriptions back; without any, the one to all. What has arrived by
   * them alone is no longer received. To take back what was not there is nothing.
   *
   * @throws ZmqError EINVAL if it is no prefix, EBADF, ETERM.
   */
  unsubscribe(...prefixes: Prefix[]): void {
    this.enter();
    for (const prefix of toTopics(prefixes)) {
      if (this.#prefixes.remove(prefix)) this.#ways.announce(false, prefix);
    }
    this.#tune();
  }

  /** `ZMQ_TOPICS_COUNT`: to how many different prefixes it has subscribed. */
  get topicsCount(): number {
    return this.#prefixes.size;
  }

  /** How many messages a publisher has dropped immediately before this one, for lack of room. */
  missedBefore(message: In | LeasedPart[]): number {
    return missedBefore(message as object);
  }

  /** As of every socket; and how many messages publishers have dropped, as far as we know. */
  override stats(): SocketStats & { missed: number } {
    return { ...super.stats(), missed: (this.receivingHalf as Filter).missed };
  }

  /** Which topics of the log are wanted. */
  #tune(): void {
    const { invertMatching } = this;
    this.tune(topicsThat((topic) => this.#prefixes.matches(topic) !== invertMatching));
  }
}
