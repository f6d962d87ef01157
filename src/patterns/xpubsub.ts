// SPDX-License-Identifier: MIT

import { isBuffer, type LeasedPart } from "../base/index.ts";
import { XPUB, XSUB } from "../context/index.ts";
import {
  bytesOf,
  checkControl,
  type Message,
  type MessageLike,
  type Part,
  partsOf,
} from "../pipe/index.ts";
import {
  type CodecOption,
  type CodecUnlessMessage,
  type DuplexOptions,
  DuplexSocket,
  defineOptions,
  type Outgoing,
  type PublishOptions,
  type SocketCore,
  type SocketStats,
  type SubscribeOptions,
  type Verbosity,
  type WaitOptions,
} from "../socket/index.ts";
import {
  aboutTopic,
  type Dist,
  type Outlet,
  Prefixes,
  SUBSCRIBE,
  Subscriptions,
  UNSUBSCRIBE,
  type WhenFull,
} from "../strategy/index.ts";
import { Distributor, Publishing } from "./publishing.ts";
import { Filter, missedBefore, type Prefix, Subscribing, toTopics } from "./subscribing.ts";

/** Options of an XPUB. */
export interface XPublisherOptions<Out = MessageLike, In = Message>
  extends DuplexOptions,
    PublishOptions,
    CodecOption<Out, In> {
  /**
   * `ZMQ_XPUB_VERBOSE`, `ZMQ_XPUB_VERBOSER`: null, the default: a subscription is received if it is
   * the first to its topic, an unsubscription if it is the last. `"allSubs"`: all subscriptions.
   * `"allSubsUnsubs"`: all of both.
   */
  verbosity?: Verbosity;
  /**
   * `ZMQ_XPUB_MANUAL`: what subscribers ask for is only received, all of it; `subscribe` and
   * `unsubscribe` say what the one whose message was received last gets. Default false.
   */
  manual?: boolean;
  /**
   * `ZMQ_XPUB_MANUAL_LAST_VALUE`: as `manual`; and the first message after a `subscribe` goes only
   * to that subscriber. Default false.
   */
  manualLastValue?: boolean;
  /**
   * `ZMQ_XPUB_WELCOME_MSG`: is sent to each new subscriber first; it receives it if it has
   * subscribed to it. Default null: none.
   */
  welcomeMessage?: string | Uint8Array | null;
}

/** What the user of an XPUB hears of its subscribers, and may decide. */
class XPublishing extends Publishing {
  /** What was asked for while it was `manual`, as against what is given. */
  readonly #asked = new Subscriptions<Outlet>();
  /** The next message is for this one only. */
  #only: Outlet | undefined;

  constructor(core: SocketCore) {
    super(core, new Subscriptions(), true);
    this.sender.onSent = () => {
      this.#only = undefined;
    };
  }

  get topicsCount(): number {
    return this.wishes.count;
  }

  /** What the one whose message was received last gets, or no longer. */
  decide(isWanted: boolean, topic: Uint8Array): void {
    const outlet = this.receiver.from;
    if (outlet === undefined || outlet.index < 0) return; // It is gone.
    if (isWanted) this.wishes.add(topic, outlet);
    else this.wishes.remove(topic, outlet);
    if (isWanted && this.core.options.manualLastValue) this.#only = outlet;
    this.sender.again();
  }

  protected override select(topic: Uint8Array, dist: Dist): void {
    super.select(topic, dist);
    const only = this.#only;
    if (only === undefined || only.index < 0) return;
    const isFor = dist.matches(only);
    dist.unmatch();
    if (isFor) dist.match(only);
  }

  protected override want(topic: Uint8Array, outlet: Outlet): void {
    const isFirst = (this.#isManual ? this.#asked : this.wishes).add(topic, outlet);
    const { verbosity } = this.core.options;
    if (isFirst || this.#isManual || verbosity !== null) this.#tell(SUBSCRIBE, topic, outlet);
  }

  protected override unwant(topic: Uint8Array, outlet: Outlet): void {
    const isAsked = this.#asked.remove(topic, outlet) !== "not found";
    const isLast = isAsked || this.#isManual || this.wishes.remove(topic, outlet) !== "remaining";
    if (isLast || this.#tellsAll) this.#tell(UNSUBSCRIBE, topic, outlet);
  }

  protected override returned(topic: Uint8Array, outlet: Outlet): void {
    if (this.#tellsAll) this.#tell(UNSUBSCRIBE, topic, outlet);
  }

  protected override unwantAll(outlet: Outlet): void {
    const gone = (topic: Uint8Array) => this.#tell(UNSUBSCRIBE, topic, outlet);
    const taken = (topic: Uint8Array) => {
      this.wishes.remove(topic, outlet); // It may have been given, and is told once.
      gone(topic);
    };
    this.#asked.removeAll(outlet, taken, true);
    this.wishes.removeAll(outlet, this.#isManual ? undefined : gone, this.#tellsAll);
  }

  protected override greet({ writer }: Outlet): void {
    const { welcomeMessage } = this.core.options;
    if (welcomeMessage === null || !writer.hasRoom) return;
    if (writer.write(welcomeMessage)) writer.flush();
  }

  get #isManual(): boolean {
    return this.core.options.manual || this.core.options.manualLastValue;
  }

  get #tellsAll(): boolean {
    return this.core.options.verbosity === "allSubsUnsubs";
  }

  /** The bytes are those of the control record. */
  #tell(what: number, topic: Uint8Array, outlet: Outlet): void {
    const { slab } = this.core.member;
    this.receiver.add([slab.part(aboutTopic(what, topic))], outlet);
  }
}

/**
 * XPUB: a PUB that receives what is subscribed to: messages of one part, a byte 1 (or 0: no longer)
 * and the topic; and what XSUBs send (RFC 29, `ZMQ_XPUB`). A codec is for the latter: what is
 * subscribed to comes as a message also with one.
 *
 * @example
 * ```ts
 * const publisher = new XPublisher();
 * await publisher.bind("inproc://prices");
 * for await (const [change] of publisher) {
 *   if (change[0] === 1) await publisher.send([change.subarray(1), "the last price"]);
 * }
 * ```
 */
export class XPublisher<Out = MessageLike, In = Message> extends DuplexSocket<
  Out,
  In | Message,
  WaitOptions,
  In
> {
  static {
    defineOptions(
      XPublisher.prototype,
      "noDrop",
      "invertMatching",
      "verbosity",
      "manual",
      "manualLastValue",
    );
  }

  /** `ZMQ_XPUB_NODROP`; see {@link PublishOptions.noDrop}. Takes effect at once. */
  declare noDrop: boolean;
  /** `ZMQ_INVERT_MATCHING`; see {@link PublishOptions.invertMatching}. Takes effect at once. */
  declare invertMatching: boolean;
  /** `ZMQ_XPUB_VERBOSE(R)`; see {@link XPublisherOptions.verbosity}. Takes effect at once. */
  declare verbosity: Verbosity;
  /** `ZMQ_XPUB_MANUAL`; see {@link XPublisherOptions.manual}. For subscriptions to come. */
  declare manual: boolean;
  /** `ZMQ_XPUB_MANUAL_LAST_VALUE`; see {@link XPublisherOptions.manualLastValue}. */
  declare manualLastValue: boolean;

  constructor(...[options = {}]: CodecUnlessMessage<XPublisherOptions<Out, In>>) {
    const own = ["verbosity", "manual", "manualLastValue", "welcomeMessage"] as const;
    const known = ["codec", "noDrop", "invertMatching", ...own] as const;
    super(XPUB, options, known, (core) => new XPublishing(core));
  }

  /**
   * With `manual`: the subscriber whose message was received last gets what begins with these;
   * without any, all. If it is gone, this does nothing.
   */
  subscribe(...prefixes: Prefix[]): void {
    this.enter();
    for (const prefix of toTopics(prefixes)) (this.pattern as XPublishing).decide(true, prefix);
  }

  /** With `manual`: that subscriber gets it no longer. */
  unsubscribe(...prefixes: Prefix[]): void {
    this.enter();
    for (const prefix of toTopics(prefixes)) (this.pattern as XPublishing).decide(false, prefix);
  }

  /** `ZMQ_TOPICS_COUNT`: to how many different topics somebody has subscribed. */
  get topicsCount(): number {
    this.enter();
    return (this.pattern as XPublishing).topicsCount;
  }

  /** `ZMQ_XPUB_WELCOME_MSG`; see {@link XPublisherOptions.welcomeMessage}. For links to come. */
  get welcomeMessage(): Uint8Array | null {
    return this.option("welcomeMessage")?.slice() ?? null;
  }

  set welcomeMessage(value: string | Uint8Array | null) {
    this.setOption("welcomeMessage", value as Uint8Array | null);
  }
}

/** Options of an XSUB. */
export interface XSubscriberOptions<Out = MessageLike, In = Message>
  extends DuplexOptions,
    SubscribeOptions,
    CodecOption<Out, In> {
  /**
   * `ZMQ_ONLY_FIRST_SUBSCRIBE`: only the first part of a message can be a subscription. Default
   * false: each part can. XPUBs need no such option: they are told which parts are.
   */
  onlyFirstSubscribe?: boolean;
  /**
   * `ZMQ_XSUB_VERBOSE_UNSUBSCRIBE`: every unsubscription is passed on, not only that which leaves
   * nothing. Default false.
   */
  verboseUnsubscribe?: boolean;
}

/** The sending half of XSUB: parts that are subscriptions are not sent, but take effect. */
class SubscriptionSender extends Distributor {
  readonly #change: (isWanted: boolean, topic: Uint8Array) => void;

  constructor(core: SocketCore, change: (isWanted: boolean, topic: Uint8Array) => void) {
    super(core);
    this.#change = change;
  }

  protected override prepare(message: MessageLike, options: WaitOptions | undefined): Outgoing {
    const { codec, onlyFirstSubscribe } = this.core.options;
    // What stands for a value may begin with any byte. What is passed on no codec has made.
    if (codec !== undefined && !this.passing) return super.prepare(message, options);
    const left: Part[] = [];
    const changes: Uint8Array[] = [];
    for (const [index, part] of partsOf(message).entries()) {
      const bytes = onlyFirstSubscribe && index > 0 ? undefined : subscriptionIn(part);
      if (bytes === undefined) left.push(part);
      else changes.push(bytes);
      if (bytes !== undefined) checkControl(bytes, this.thread.pool);
    }
    if (changes.length === 0) return super.prepare(message, options);
    const outgoing = left.length === 0 ? NOTHING : super.prepare(left, options);
    this.enter();
    for (const bytes of changes) this.#change(bytes[0] === SUBSCRIBE, bytes.slice(1));
    return outgoing;
  }

  protected override write(message: Outgoing): boolean {
    return message === NOTHING || super.write(message);
  }
}

/** What is left of a message that was a subscription. */
const NOTHING = new Uint8Array(0);

const encoder = new TextEncoder();

/** The bytes of a part if it is a subscription, or takes one back. */
function subscriptionIn(part: Part): Uint8Array | undefined {
  const isText = typeof part === "string";
  if (isText && part.charCodeAt(0) > 1) return undefined;
  const bytes = isText ? encoder.encode(part) : viewOf(part);
  return bytes?.[0] === UNSUBSCRIBE || bytes?.[0] === SUBSCRIBE ? bytes : undefined;
}

/** Its bytes, if it has any. */
function viewOf(part: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(part)) return bytesOf(part);
  if (!isBuffer(part) || part.byteLength === 0) return undefined;
  return new Uint8Array(part, 0, part.byteLength);
}

/**
 * XSUB: receives what it has subscribed to, by messages that it sends: a byte 1 (or 0: no longer)
 * and the topic; or by {@link subscribe}. Other messages that it sends go to all linked XPUBs
 * (RFC 29, `ZMQ_XSUB`).
 *
 * These messages go to who is there: before somebody binds, to nobody; where there is no room, they
 * are dropped. `send` never waits.
 *
 * @example
 * ```ts
 * const subscriber = new XSubscriber();
 * subscriber.connect("inproc://prices");
 * await subscriber.send("\x01gold");
 * const [topic, price] = await subscriber.receive();
 * ```
 */
export class XSubscriber<Out = MessageLike, In = Message> extends DuplexSocket<Out, In> {
  static {
    defineOptions(XSubscriber.prototype, "whenFull", "onlyFirstSubscribe", "verboseUnsubscribe");
  }

  /** What publishers do when there is no room; see {@link SubscribeOptions.whenFull}. */
  declare whenFull: WhenFull;
  /** `ZMQ_ONLY_FIRST_SUBSCRIBE`; see {@link XSubscriberOptions.onlyFirstSubscribe}. */
  declare onlyFirstSubscribe: boolean;
  /** `ZMQ_XSUB_VERBOSE_UNSUBSCRIBE`; see {@link XSubscriberOptions.verboseUnsubscribe}. */
  declare verboseUnsubscribe: boolean;

  readonly #prefixes: Prefixes;
  readonly #ways: Subscribing;

  constructor(...[options = {}]: CodecUnlessMessage<XSubscriberOptions<Out, In>>) {
    const known = ["codec", "whenFull", "onlyFirstSubscribe", "verboseUnsubscribe"] as const;
    const prefixes = new Prefixes();
    super(XSUB, options, known, (core) => {
      const change = (isWanted: boolean, topic: Uint8Array) => this.#change(isWanted, topic);
      const sender = new SubscriptionSender(core, change);
      const receiver = new Filter(core, prefixes, true);
      return new Subscribing(core, prefixes, { sender, receiver });
    });
    this.#prefixes = prefixes;
    this.#ways = this.pattern as Subscribing;
  }

  /**
   * As to send the message that says so, for each of these prefixes; without any, for all. With a
   * codec it is the only way: what is sent is then a value, and never a subscription.
   *
   * @throws ZmqError EINVAL if it is no prefix, EMSGSIZE if it is longer than a message may be,
   *   EBADF, ETERM.
   */
  subscribe(...prefixes: Prefix[]): void {
    this.enter();
    const topics = toTopics(prefixes);
    for (const topic of topics) this.#ways.check(topic);
    for (const topic of topics) this.#change(true, topic);
  }

  /** Likewise: takes them back. One that is not there is nothing to take back. */
  unsubscribe(...prefixes: Prefix[]): void {
    this.enter();
    for (const topic of toTopics(prefixes)) this.#change(false, topic);
  }

  #change(isWanted: boolean, topic: Uint8Array): void {
    const prefixes = this.#prefixes;
    if (isWanted) prefixes.add(topic);
    else if (!prefixes.remove(topic)) {
      if (!this.verboseUnsubscribe) return;
      if (prefixes.has(topic)) {
        this.#ways.announceReturned(topic);
        return;
      }
    }
    this.#ways.announce(isWanted, topic);
  }

  /** `ZMQ_TOPICS_COUNT`: to how many different topics it has subscribed. */
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
}
