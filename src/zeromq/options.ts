// SPDX-License-Identifier: MIT

import { errnoError } from "./errors.ts";

/** How an option is passed: as a flag or number of 32 bits, of 64 bits, or as bytes. */
export type Form = "word" | "long" | "text";

/** The pairs of protected methods that read and write options, by number. */
export type Accessor = "Bool" | "Int32" | "Uint32" | "Int64" | "Uint64" | "String";

const FORMS: Readonly<Record<Accessor, Form>> = {
  Bool: "word",
  Int32: "word",
  Uint32: "word",
  Int64: "long",
  Uint64: "long",
  String: "text",
};

/** The number of a type of sockets, as in `zmq.h`. */
export type SocketType = number;

export const PAIR: SocketType = 0;
export const PUB: SocketType = 1;
export const SUB: SocketType = 2;
export const REQ: SocketType = 3;
export const REP: SocketType = 4;
export const DEALER: SocketType = 5;
export const ROUTER: SocketType = 6;
export const PULL: SocketType = 7;
export const PUSH: SocketType = 8;
export const XPUB: SocketType = 9;
export const XSUB: SocketType = 10;
export const STREAM: SocketType = 11;
export const SERVER: SocketType = 12;
export const CLIENT: SocketType = 13;
export const RADIO: SocketType = 14;
export const DISH: SocketType = 15;
export const GATHER: SocketType = 16;
export const SCATTER: SocketType = 17;
export const DGRAM: SocketType = 18;

const BOTH = [PAIR, REQ, REP, DEALER, ROUTER, XPUB, XSUB, STREAM, SERVER, CLIENT, DGRAM];
const WRITABLES = [...BOTH, PUB, PUSH, RADIO, SCATTER];
const READABLES = [...BOTH, SUB, PULL, DISH, GATHER];
const PUBLISHERS = [PUB, XPUB];
const SUBSCRIBERS = [SUB, XSUB, DISH];
/** To libzmq, a REP is a ROUTER too. */
const ROUTERS = [ROUTER, REP];

type Value = number | Uint8Array | null;

/** One option. */
export interface Option {
  readonly name: string;
  readonly accessor: Accessor;
  readonly initial: Value;
  /** The classes that have the property. Default: all. */
  readonly on?: readonly SocketType[];
  /** The types that know the number. Default: all. */
  readonly types?: readonly SocketType[];
  /** What the property can do. Default: both. */
  readonly property?: "get" | "set" | "none";
  /** What the number can do. Default: both. */
  readonly number?: "get" | "set" | "none";
  /** Limits of a number, or of the length of a text. */
  readonly least?: number;
  readonly most?: number;
  /** Of texts: whether there has to be one. */
  readonly required?: boolean;
  accepts?(value: Value): boolean;
  /** What numbers mean to programs. */
  readonly values?: readonly (string | null)[];
  /** Whether the library's socket is told. All others are only kept. */
  readonly told?: boolean;
  /** Whether it takes effect on links that there are already. */
  readonly immediate?: boolean;
}

/** Options of which the code has to know. */
export const LAST_ENDPOINT = 32;
export const EVENTS = 15;
export const RECEIVE_TIMEOUT = 27;
export const SEND_TIMEOUT = 28;
export const SUBSCRIBE = 6;
export const UNSUBSCRIBE = 7;
export const CONNECT_ROUTING_ID = 61;
export const VERBOSE = 40;
export const VERBOSER = 78;
const LINGER = 17;
const TYPE = 16;
const IPV6 = 42;
const MANUAL = 71;
const MECHANISM = 43;
const PLAIN_SERVER = 44;
const PLAIN_USERNAME = 45;
const PLAIN_PASSWORD = 46;
const HEARTBEAT_TTL = 76;
const THREAD_SAFE = 81;

const MAX = 2 ** 31 - 1;

function int(name: string, initial: number, least = 0, more: Partial<Option> = {}): Option {
  return { name, accessor: "Int32", initial, least, ...more };
}

function bool(name: string, more: Partial<Option> = {}): Option {
  return { name, accessor: "Bool", initial: 0, least: 0, most: 1, ...more };
}

function text(name: string, least: number, most: number, more: Partial<Option> = {}): Option {
  return { name, accessor: "String", initial: null, least, most, ...more };
}

/** What is known to some types only, and cannot be read. */
function switchOf(name: string, types: readonly SocketType[], more: Partial<Option> = {}): Option {
  const reads: Partial<Option> = { property: "set", number: "set" };
  return bool(name, { on: types, types, ...reads, told: true, ...more });
}

/** Of flags: every number that is not 0 is true, or every one above 0. */
const COUNT: Partial<Option> = { most: MAX };
const ANY: Partial<Option> = { least: -MAX - 1, most: MAX };

const NOW: Partial<Option> = { told: true, immediate: true };

/** Whether it is an address with, perhaps, the number of its bits that count; or none. */
function isMask(value: Value): boolean {
  if (!(value instanceof Uint8Array)) return true;
  return /^(?:[\d.]+|[\da-f:.]*:[\da-f:.]*)(?:\/\d+)?$/i.test(String.fromCharCode(...value));
}

/** All options of sockets, by their numbers in `zmq.h`. */
const TABLE: Readonly<Record<number, Option>> = {
  4: { name: "affinity", accessor: "Uint64", initial: 0 },
  5: text("routingId", 1, 255, { on: [REQ, REP, ROUTER, DEALER], required: true, told: true }),
  [SUBSCRIBE]: text("", 0, MAX, {
    types: [SUB, XPUB],
    property: "none",
    number: "set",
    immediate: true,
  }),
  [UNSUBSCRIBE]: text("", 0, MAX, {
    types: [SUB, XPUB],
    property: "none",
    number: "set",
    immediate: true,
  }),
  8: int("rate", 100, 1),
  9: int("recoveryInterval", 10000),
  11: int("sendBufferSize", -1, -1, { on: WRITABLES }),
  12: int("receiveBufferSize", -1, -1, { on: READABLES }),
  13: int("", 0, 0, { property: "none", number: "get" }),
  [EVENTS]: int("", 0, 0, { property: "none", number: "get" }),
  [TYPE]: int("type", 0, 0, { property: "get", number: "get" }),
  [LINGER]: int("linger", -1, -1, NOW),
  18: int("reconnectInterval", 100, -1),
  19: int("backlog", 100),
  21: int("reconnectMaxInterval", 0),
  22: { name: "maxMessageSize", accessor: "Int64", initial: -1 },
  23: int("sendHighWaterMark", 1000, 0, { on: WRITABLES, ...NOW }),
  24: int("receiveHighWaterMark", 1000, 0, { on: READABLES, ...NOW }),
  25: int("multicastHops", 1, 1, { on: WRITABLES }),
  [RECEIVE_TIMEOUT]: int("receiveTimeout", -1, -1, { on: READABLES, immediate: true }),
  [SEND_TIMEOUT]: int("sendTimeout", -1, -1, { on: WRITABLES, immediate: true }),
  [LAST_ENDPOINT]: text("lastEndpoint", 0, 0, { property: "get", number: "get" }),
  33: bool("mandatory", { on: [ROUTER], types: ROUTERS, number: "set", ...COUNT, ...NOW }),
  34: int("tcpKeepalive", -1, -1, { most: 1 }),
  35: int("tcpKeepaliveCount", -1, -1),
  36: int("tcpKeepaliveIdle", -1, -1),
  37: int("tcpKeepaliveInterval", -1, -1),
  38: text("tcpAcceptFilter", 1, 254, { number: "set", accepts: isMask }),
  39: bool("immediate"),
  [VERBOSE]: switchOf("", PUBLISHERS, { on: [], property: "none", immediate: true, ...COUNT }),
  [IPV6]: bool("ipv6"),
  [MECHANISM]: int("securityMechanism", 0, 0, {
    property: "get",
    number: "get",
    values: [null, "plain", "curve", "gssapi"],
  }),
  [PLAIN_SERVER]: bool("plainServer"),
  [PLAIN_USERNAME]: text("plainUsername", 1, 255),
  [PLAIN_PASSWORD]: text("plainPassword", 1, 255),
  51: switchOf("probeRouter", [ROUTER, DEALER, REQ], {
    types: [...ROUTERS, DEALER, REQ],
    ...COUNT,
    ...NOW,
  }),
  52: switchOf("correlate", [REQ], { ...COUNT, ...NOW }),
  53: switchOf("relaxed", [REQ], { ...COUNT, ...NOW }),
  54: bool("conflate", {
    on: [PULL, PUSH, SUB, PUB, DEALER, SCATTER, GATHER],
    property: "set",
    told: true,
  }),
  55: text("zapDomain", 1, 255, { required: true }),
  56: switchOf("handover", [ROUTER], { types: ROUTERS, ...COUNT, ...NOW }),
  57: { name: "typeOfService", accessor: "Uint32", initial: 0, least: 0 },
  [CONNECT_ROUTING_ID]: text("", 1, MAX, {
    types: [...ROUTERS, STREAM],
    property: "none",
    number: "set",
    required: true,
  }),
  66: int("handshakeInterval", 30000),
  68: text("socksProxy", 1, MAX),
  69: switchOf("noDrop", PUBLISHERS, COUNT),
  [MANUAL]: switchOf("manual", PUBLISHERS, { on: [XPUB], ...COUNT }),
  72: text("welcomeMessage", 0, MAX, {
    on: [XPUB],
    types: PUBLISHERS,
    property: "set",
    number: "set",
    told: true,
  }),
  73: switchOf("notify", [STREAM], { told: false }),
  74: bool("invertMatching", { on: [PUB, SUB, XPUB], told: true, ...ANY }),
  75: int("heartbeatInterval", 0),
  [HEARTBEAT_TTL]: int("heartbeatTimeToLive", 0, -99, { most: 6553599 }),
  77: int("heartbeatTimeout", -1),
  [VERBOSER]: switchOf("", PUBLISHERS, { on: [], property: "none", immediate: true, ...COUNT }),
  79: int("connectTimeout", 0),
  80: int("tcpMaxRetransmitTimeout", 0),
  [THREAD_SAFE]: bool("threadSafe", { property: "get", number: "get" }),
  84: int("multicastMaxTransportDataUnit", 1500, 1),
  // Of a transport that libzmq is usually built without: it does not know them then.
  85: { name: "vmciBufferSize", accessor: "Uint64", initial: 0, number: "none" },
  86: { name: "vmciBufferMinSize", accessor: "Uint64", initial: 0, number: "none" },
  87: { name: "vmciBufferMaxSize", accessor: "Uint64", initial: 0, number: "none" },
  88: int("vmciConnectTimeout", 0, 0, { number: "none" }),
  92: text("interface", 1, 16),
  93: bool("zapEnforceDomain", ANY),
  94: bool("loopbackFastPath", ANY),
};

/** Whether setting an option calls for a warning if there are links already. */
export function isImmediate(id: number): boolean {
  return TABLE[id]?.immediate === true;
}

/**
 * options — the values that a socket was given, by number.
 *
 * Few of them mean anything between threads; those are `told` to the library's socket. All others
 * are kept, and read back as libzmq would: the same numbers, limits and defaults.
 */
export class OptionValues {
  readonly #type: SocketType;
  readonly #values = new Map<number, Value>();

  constructor(type: SocketType, { blocky, ipv6 }: { blocky: boolean; ipv6: boolean }) {
    this.#type = type;
    this.#values.set(TYPE, type);
    this.#values.set(THREAD_SAFE, type >= SERVER && type <= SCATTER ? 1 : 0);
    this.#values.set(LINGER, blocky && !SUBSCRIBERS.includes(type) ? -1 : 0);
    this.#values.set(IPV6, ipv6 ? 1 : 0);
  }

  /** @throws Error EINVAL if there is no such option, or it is not of that form. */
  get(id: number, form: Form): Value {
    const { initial } = this.#find(id, form, "get");
    const value = this.#values.get(id);
    return value === undefined ? initial : value;
  }

  word(id: number): number {
    return this.get(id, "word") as number;
  }

  /** Looks whether a value may be set. @throws Error EINVAL. */
  check(id: number, form: Form, value: Value): Option {
    const option = this.#find(id, form, "set");
    const { least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY } = option;
    const size = typeof value === "number" ? value : (value?.length ?? Number.NaN);
    // Without a text there is no size, and all comparisons fail.
    const fits = !(size < least || size > most || (value === null && option.required === true));
    if (!fits || option.accepts?.(value) === false) throw errnoError("EINVAL");
    return option;
  }

  /** Keeps a value that was checked. */
  put(id: number, given: Value): void {
    const { accessor } = TABLE[id] as Option;
    let value = given;
    if (accessor === "Bool") value = Number(value !== 0);
    if (id === HEARTBEAT_TTL) value = (((value as number) / 100) | 0) * 100;
    const isCredential = id === PLAIN_USERNAME || id === PLAIN_PASSWORD;
    // To be the server of a mechanism, or to have a name for it, is to choose it.
    if (id === PLAIN_SERVER) this.#values.set(MECHANISM, value);
    if (isCredential) this.#values.set(MECHANISM, value === null ? 0 : 1);
    if (isCredential) this.#values.set(PLAIN_SERVER, 0);
    // Not to choose it any more is not to forget the name.
    if (!isCredential || value !== null) this.#values.set(id, value);
  }

  #find(id: number, form: Form, use: "get" | "set"): Option {
    const option = TABLE[id];
    const fits =
      option !== undefined &&
      FORMS[option.accessor] === form &&
      (option.number ?? use) === use &&
      option.types?.includes(this.#type) !== false &&
      // An XPUB may say what its subscribers get only if that was asked for.
      (this.#type !== XPUB || (id !== SUBSCRIBE && id !== UNSUBSCRIBE) || this.word(MANUAL) === 1);
    if (!fits) throw errnoError("EINVAL");
    return option;
  }
}

/** A class that has options: its instances have the pairs of methods for them. */
type Target = Record<string, (id: number, value?: unknown) => unknown>;

type Shown = Pick<Option, "name" | "accessor" | "property" | "values">;

/** Gives a class the property of an option, which calls the methods that know it by number. */
export function defineProperty(prototype: object, id: number, option: Shown): void {
  const { name, accessor, property, values } = option;
  const descriptor: PropertyDescriptor = {};
  if (property !== "set") {
    descriptor.get = function (this: Target) {
      const value = this[`get${accessor}Option`]?.(id);
      return values === undefined ? value : values[value as number];
    };
  }
  if (property !== "get") {
    descriptor.set = function (this: Target, value: unknown) {
      this[`set${accessor}Option`]?.(id, value);
    };
  }
  Object.defineProperty(prototype, name, descriptor);
}

/** Gives a class its properties. @param type Undefined for those that all sockets have. */
export function defineOptions(prototype: object, type?: SocketType): void {
  for (const [id, option] of Object.entries(TABLE)) {
    const { on, property } = option;
    const mine = type === undefined ? on === undefined : on?.includes(type) === true;
    if (mine && property !== "none") defineProperty(prototype, Number(id), option);
  }
}
