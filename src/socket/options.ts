// SPDX-License-Identifier: MIT

import {
  checkObject,
  checkRange,
  DEFAULT_HIGH_WATER_MARK,
  type HostFiles,
  MAX_INT,
  MAX_SWAP,
  type ReceivedPart,
  shown,
  ZmqError,
} from "../base/index.ts";
import type { Context } from "../context/index.ts";
import { bytesOf, isBytes, type Message, type MessageLike, type Part } from "../pipe/index.ts";
import { POLICIES, type WhenFull } from "../strategy/index.ts";

/** Options that every socket has. */
export interface SocketOptions {
  /** The context to open the socket in. Default: the one that all threads of the process share. */
  context?: Context;
  /**
   * `ZMQ_LINGER`: how long what was sent is kept, after the socket has closed, for a peer that has
   * yet to bind, in milliseconds. Default -1, for ever (until the context is terminated). What has
   * reached a bound peer is that peer's, whatever this says; what is still in a swap has not.
   */
  linger?: number;
  /**
   * `ZMQ_IMMEDIATE`: if true, messages are queued only for names that somebody is bound to. Default
   * false: a connection is usable at once, and what is sent waits for the bind.
   */
  immediate?: boolean;
}

/** Options of sockets that send. */
export interface SendOptions extends SocketOptions {
  /**
   * `ZMQ_SNDHWM`: how many messages may wait for any one peer. Default 1000; 0 is no limit.
   *
   * Between two sockets the limit is this plus the peer's `receiveHighWaterMark`; if either is 0,
   * there is none. It may be changed at any time.
   */
  sendHighWaterMark?: number;
  /** `ZMQ_SNDTIMEO`: how long a send waits, in ms. Default -1: for ever; 0: not at all. */
  sendTimeout?: number;
  /**
   * `ZMQ_SWAP`: how many bytes of messages may wait on disk for any one peer, when as many as the
   * high watermark says wait in memory; at most 2^36. Default 0: none. They come back by
   * themselves, in order, whenever this thread is in its event loop or in a call. A message takes
   * 24 bytes more than its parts, and each of these 8, and is rounded up to 8.
   */
  swap?: number;
  /** Where swap files are made. Default: the system's directory for what is temporary. */
  swapDirectory?: string;
}

/** Options of sockets that receive. */
export interface ReceiveOptions extends SocketOptions {
  /** `ZMQ_RCVHWM`: this side's share of the limit. Default 1000; 0 is no limit. */
  receiveHighWaterMark?: number;
  /**
   * `ZMQ_RCVTIMEO`: how long a receive waits, in milliseconds. Default -1, for ever; 0: not at all.
   */
  receiveTimeout?: number;
}

/** An option of sockets that may hand a message back. */
export interface AcknowledgeOption {
  /**
   * If true, a message is delivered only when the application asks for the next one, or calls
   * `acknowledge()`. If the thread dies before, or the socket closes, the message goes to another
   * socket, marked (`isRedelivered`). Till then it counts against the watermark. Default false: a
   * message is delivered when it is received.
   */
  acknowledge?: boolean;
}

/** What makes messages of values, and values of messages; see `json` for one. */
export interface Codec<Out, In = Out> {
  /**
   * What it throws is the error of the call that sends; nothing is sent then. Of `sendMany` it is
   * the cause of an EINVAL, which says how many messages were sent before.
   */
  encode(value: Out): MessageLike;
  /**
   * What it throws is the cause of an EBADMSG, which has the message as it came. A value is never
   * undefined: by that `tryReceive` says that there is none.
   */
  decode(message: Message): In;
}

/**
 * What a socket that sends `Out` receives, if nothing else is said: messages, or values of the same
 * type.
 */
export type Received<Out> = Part extends Out ? Message : Out;

/** The same of a socket whose messages have one part, and something else beside it. */
export type ReceivedBody<Out> = Part extends Out ? ReceivedPart : Out;

/** An option of sockets whose messages can be typed. */
export interface CodecOption<Out, In = Out> {
  /**
   * Makes messages of the values that are sent, and values of those received. Default: none, and
   * messages are what they are. Where a call says to whom a message goes, or to which group, and a
   * receiver is told (SERVER, PEER, RADIO, DISH), it is for the part beside that.
   *
   * What cannot be decoded is told by the call that would have received it (EBADMSG), and received
   * by that: the next call goes on with the next message. `receiveMany` hands out first what was
   * before it. To a request that it could not decode a REP owes a reply all the same.
   */
  codec?: Codec<Out, In>;
}

/** What is sent, and received, where nothing is made of it. */
type Plain = Codec<MessageLike, Message & ReceivedPart>;

/** What a constructor is given: options, with a codec if what is sent or received is no message. */
export type CodecUnlessMessage<Options extends CodecOption<never, unknown>> =
  Plain extends Required<Options>["codec"]
    ? [options?: Options]
    : [optionsWithCodec: Options & Required<Pick<Options, "codec">>];

/** An option of sockets that ROUTERs know by an id. */
export interface RoutingOptions {
  /**
   * `ZMQ_ROUTING_ID`: how a ROUTER at the other end calls this socket; 1 to 255 bytes, of which the
   * first is not 0. Default: none, and each ROUTER makes one up. May be changed for what is bound
   * or connected later.
   */
  routingId?: string | Uint8Array;
}

/** An option of sockets that may link to a ROUTER. */
export interface ProbeOption {
  /** `ZMQ_PROBE_ROUTER`: sends an empty message to each new peer. Default false. */
  probeRouter?: boolean;
}

/** An option of sockets for which only the newest message counts. */
export interface ConflateOption {
  /**
   * `ZMQ_CONFLATE`: keeps the newest message only, of all that one peer has sent, whole with all
   * its parts; also after that peer has closed. Default false. It counts if either end of a link
   * has it, and watermarks do not count then. What is replaced counts as dropped. Takes effect for
   * links to come.
   */
  conflate?: boolean;
}

/** An option of sockets that share their messages out. */
export interface BalanceOption {
  /**
   * `"round-robin"`, the default: each peer in turn, if it has room. `"least-loaded"`: the peer for
   * which the fewest messages wait, in turn among equals; so a message goes behind others only when
   * each peer has some waiting. May be changed at any time.
   *
   * What a peer is working on counts as well if it has `acknowledge`. A message that was given to a
   * peer stays there, also if another becomes idle first: set the watermarks to 1 at both ends, and
   * no more than two are given to any peer; all others go to whoever has room first. A name that
   * nobody is bound to is a peer as well, an idle one; unless `immediate` is set.
   */
  balance?: Balance;
}

/** Options of sockets that publish. */
export interface PublishOptions {
  /**
   * `ZMQ_XPUB_NODROP`: where a subscriber that a message is for has no room, it goes to nobody and
   * `send` waits. Default false: that subscriber loses it, and sees how many it has lost.
   */
  noDrop?: boolean;
  /**
   * `ZMQ_INVERT_MATCHING`: sends to those who have not subscribed; who must have it set, too, to
   * receive that. Default false.
   */
  invertMatching?: boolean;
}

/** Options of sockets that subscribe. */
export interface SubscribeOptions {
  /**
   * What becomes of messages for which this socket's pipe has no room, at each publisher. Default
   * `"drop-newest"`.
   *
   *   drop-newest        they are dropped
   *   drop-oldest        the newest are kept aside, as many as the publisher's watermark says
   *   latest-per-topic   of these, only the newest of each first part
   *   block              the publisher waits, as with its `noDrop`
   *   disconnect         they are dropped, and the publisher ends the link
   */
  whenFull?: WhenFull;
}

export type Balance = "round-robin" | "least-loaded";

/** All options that a socket keeps, by name. */
export interface OptionValues {
  linger: number;
  immediate: boolean;
  sendHighWaterMark: number;
  sendTimeout: number;
  swap: number;
  /** Empty: the system's. */
  swapDirectory: string;
  receiveHighWaterMark: number;
  receiveTimeout: number;
  acknowledge: boolean;
  codec: Codec<unknown> | undefined;
  routingId: Uint8Array;
  probeRouter: boolean;
  correlate: boolean;
  relaxed: boolean;
  mandatory: boolean;
  handover: boolean;
  conflate: boolean;
  balance: Balance;
  noDrop: boolean;
  invertMatching: boolean;
  whenFull: WhenFull;
  manual: boolean;
  manualLastValue: boolean;
  verbosity: Verbosity;
  welcomeMessage: Uint8Array | null;
  onlyFirstSubscribe: boolean;
  verboseUnsubscribe: boolean;
}

/** Which subscriptions an XPUB's user hears of. */
export type Verbosity = null | "allSubs" | "allSubsUnsubs";

export type OptionName = keyof OptionValues;

/** The options of those that send, and of those that receive, beside those of every socket. */
export const EVERY = ["linger", "immediate"] as const;
export const SENDS = ["sendHighWaterMark", "sendTimeout", "swap", "swapDirectory"] as const;
export const RECEIVES = ["receiveHighWaterMark", "receiveTimeout"] as const;

const MAX_ID_BYTES = 255;

interface Entry<Value> {
  initial: Value;
  /** Numbers have a range. */
  least?: number;
  most?: number;
  /** Strings may be of a few. */
  among?: readonly Value[];
  /** What else is asked of a value; it returns the value as it is kept. */
  check?: (value: unknown) => Value;
}

const TABLE: { [Name in OptionName]: Entry<OptionValues[Name]> } = {
  linger: { initial: -1, least: -1 },
  immediate: { initial: false },
  sendHighWaterMark: { initial: DEFAULT_HIGH_WATER_MARK, least: 0 },
  sendTimeout: { initial: -1, least: -1 },
  swap: { initial: 0, least: 0, most: MAX_SWAP },
  swapDirectory: { initial: "" },
  receiveHighWaterMark: { initial: DEFAULT_HIGH_WATER_MARK, least: 0 },
  receiveTimeout: { initial: -1, least: -1 },
  acknowledge: { initial: false },
  codec: { initial: undefined, check: checkCodec },
  routingId: { initial: new Uint8Array(0), check: checkRoutingId },
  probeRouter: { initial: false },
  correlate: { initial: false },
  relaxed: { initial: false },
  mandatory: { initial: false },
  handover: { initial: false },
  conflate: { initial: false },
  balance: { initial: "round-robin", among: ["round-robin", "least-loaded"] },
  noDrop: { initial: false },
  invertMatching: { initial: false },
  whenFull: { initial: "drop-newest", among: POLICIES },
  manual: { initial: false },
  manualLastValue: { initial: false },
  verbosity: { initial: null, among: [null, "allSubs", "allSubsUnsubs"] },
  welcomeMessage: { initial: null, check: checkWelcome },
  onlyFirstSubscribe: { initial: false },
  verboseUnsubscribe: { initial: false },
};

/** What an option is read and set by: see Socket. */
interface Settings {
  option(name: OptionName): unknown;
  setOption(name: OptionName, value: unknown): void;
}

/**
 * Gives a class the properties of its options, which read and set them. What they are of, and what
 * they are for, is declared in the class.
 */
export function defineOptions(prototype: object, ...names: OptionName[]): void {
  for (const name of names) {
    Object.defineProperty(prototype, name, {
      configurable: true,
      get(this: Settings) {
        return this.option(name);
      },
      set(this: Settings, value: unknown) {
        this.setOption(name, value);
      },
    });
  }
}

const DEFAULTS = Object.fromEntries(
  Object.entries(TABLE).map(([name, { initial }]) => [name, initial]),
) as Record<OptionName, unknown>;

/** The options of a new socket: what was given, checked, and the defaults. */
export function readOptions(
  given: object,
  known: readonly OptionName[],
  socketName: string,
): OptionValues {
  checkObject(given, `Give the options of a ${socketName} as an object.`);
  const values: Record<OptionName, unknown> = { ...DEFAULTS };
  for (const [name, value] of Object.entries(given)) {
    if (name === "context" || value === undefined) continue;
    if (!known.includes(name as OptionName)) {
      throw new ZmqError("EINVAL", {
        hint: `A ${socketName} has no option ${name}; it has context, ${known.join(", ")}.`,
      });
    }
    values[name as OptionName] = checkOption(name as OptionName, value);
  }
  return values as unknown as OptionValues;
}

/** The value as it is kept. @throws ZmqError EINVAL if it is not one of that option. */
export function checkOption(name: OptionName, value: unknown): unknown {
  const { initial, least, most = MAX_INT, among, check }: Entry<unknown> = TABLE[name];
  if (check !== undefined) return check(value);
  if (least !== undefined) checkRange(name, value, least, most);
  else if (among === undefined ? typeof value !== typeof initial : !among.includes(value)) {
    const text = among === undefined ? "a string" : `one of ${among.map(String).join(", ")}`;
    const what = typeof initial === "boolean" ? "true or false" : text;
    throw new ZmqError("EINVAL", { hint: `Give ${name} as ${what}; it was ${shown(value)}.` });
  }
  return value;
}

function checkCodec(value: unknown): Codec<unknown> {
  const { encode, decode } = (value ?? {}) as Partial<Codec<unknown>>;
  if (typeof encode === "function" && typeof decode === "function") return value as Codec<unknown>;
  throw new ZmqError("EINVAL", { hint: "Give codec as an object with encode and decode." });
}

function checkWelcome(value: unknown): Uint8Array | null {
  if (value === null) return null;
  if (typeof value === "string") return new TextEncoder().encode(value);
  // A Buffer's own `slice` shares.
  if (isBytes(value)) return bytesOf(value).slice();
  throw new ZmqError("EINVAL", { hint: "Give welcomeMessage as a string, bytes, or null." });
}

/** A routing id, as bytes of our own. @throws ZmqError EINVAL if it cannot be one. */
export function checkRoutingId(value: unknown): Uint8Array {
  if (isBytes(value) || typeof value === "string") {
    const id = isBytes(value) ? bytesOf(value).slice() : new TextEncoder().encode(value);
    if (id.length > 0 && id.length <= MAX_ID_BYTES && id[0] !== 0) return id;
  }
  throw new ZmqError("EINVAL", {
    hint: `A routing id is a string or bytes, 1 to ${MAX_ID_BYTES}, of which the first is not 0.`,
  });
}

/**
 * Looks whether a swap could be made, if that is asked for.
 *
 * @param given What is set now. @param values All options, as they are.
 * @throws ZmqError EINVAL if there is no such directory, EACCES if nothing can be made there.
 */
export function checkSwap(
  given: Partial<OptionValues>,
  values: OptionValues,
  files: HostFiles,
): void {
  const { swap = 0, swapDirectory = "" } = given;
  if (swap === 0 && swapDirectory === "") return;
  files.check(swapDirectory || values.swapDirectory || files.temporaryDirectory);
}
