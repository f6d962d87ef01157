// SPDX-License-Identifier: MIT

import type { Context } from "./context.ts";
import {
  CONNECT_ROUTING_ID,
  DEALER,
  defineOptions,
  PAIR,
  PUB,
  PULL,
  PUSH,
  REP,
  REQ,
  ROUTER,
  STREAM,
  SUB,
  SUBSCRIBE,
  UNSUBSCRIBE,
  VERBOSE,
  VERBOSER,
  XPUB,
  XSUB,
} from "./options.ts";
import type { Message, MessageLike, Options, Readable, Writable } from "./shapes.ts";
import { Socket } from "./socket.ts";

/**
 * patterns — the classes of zeromq.js: each is a number, its properties, and what is its own.
 *
 * What they send and receive is declared by the interfaces beside them; all sockets have the
 * methods (`socket.ts`), and the properties are defined from the table (`options.ts`).
 */

/** What the constructor of a class takes: what can be set, and a context. */
export type SocketOptions<S extends Socket> = Options<S, { context: Context }>;

/** PAIR: linked to one other PAIR. */
export class Pair extends Socket {
  static {
    defineOptions(Pair.prototype, PAIR);
  }

  constructor(options?: SocketOptions<Pair>) {
    super(PAIR, options);
  }
}
export interface Pair extends Writable, Readable {}

/** PUB: sends to all linked SUBs that want it. */
export class Publisher extends Socket {
  static {
    defineOptions(Publisher.prototype, PUB);
  }

  /** `ZMQ_XPUB_NODROP`. It cannot be read. */
  declare noDrop: boolean;
  /** `ZMQ_CONFLATE`. It cannot be read. */
  declare conflate: boolean;
  /** `ZMQ_INVERT_MATCHING`. */
  declare invertMatching: boolean;

  constructor(options?: SocketOptions<Publisher>) {
    super(PUB, options);
  }
}
export interface Publisher extends Writable {}

/** SUB: receives what it has subscribed to. */
export class Subscriber extends Socket {
  static {
    defineOptions(Subscriber.prototype, SUB);
  }

  /** `ZMQ_CONFLATE`. It cannot be read. */
  declare conflate: boolean;
  /** `ZMQ_INVERT_MATCHING`. */
  declare invertMatching: boolean;

  constructor(options?: SocketOptions<Subscriber>) {
    super(SUB, options);
  }

  /** Receives from now on what begins with one of these; without any, all. */
  subscribe(...prefixes: (Message | string)[]): void {
    if (prefixes.length === 0) this.setStringOption(SUBSCRIBE, null);
    for (const prefix of prefixes) this.setStringOption(SUBSCRIBE, prefix);
  }

  /** Takes subscriptions back; without any, the one to all. */
  unsubscribe(...prefixes: (Message | string)[]): void {
    if (prefixes.length === 0) this.setStringOption(UNSUBSCRIBE, null);
    for (const prefix of prefixes) this.setStringOption(UNSUBSCRIBE, prefix);
  }
}
export interface Subscriber extends Readable {}

/** REQ: sends a request, receives its reply, and so on. */
export class Request extends Socket {
  static {
    defineOptions(Request.prototype, REQ);
  }

  /** `ZMQ_ROUTING_ID`. */
  declare routingId: string | null;
  /** `ZMQ_PROBE_ROUTER`. It cannot be read. */
  declare probeRouter: boolean;
  /** `ZMQ_REQ_CORRELATE`. It cannot be read. */
  declare correlate: boolean;
  /** `ZMQ_REQ_RELAXED`. It cannot be read. */
  declare relaxed: boolean;

  constructor(options?: SocketOptions<Request>) {
    super(REQ, options);
  }
}
export interface Request extends Readable, Writable {}

/** REP: receives a request, sends its reply, and so on. */
export class Reply extends Socket {
  static {
    defineOptions(Reply.prototype, REP);
  }

  /** `ZMQ_ROUTING_ID`. */
  declare routingId: string | null;

  constructor(options?: SocketOptions<Reply>) {
    super(REP, options);
  }
}
export interface Reply extends Readable, Writable {}

/** DEALER: sends to its peers in turn, and receives from all. */
export class Dealer extends Socket {
  static {
    defineOptions(Dealer.prototype, DEALER);
  }

  /** `ZMQ_ROUTING_ID`. */
  declare routingId: string | null;
  /** `ZMQ_PROBE_ROUTER`. It cannot be read. */
  declare probeRouter: boolean;
  /** `ZMQ_CONFLATE`. It cannot be read. */
  declare conflate: boolean;

  constructor(options?: SocketOptions<Dealer>) {
    super(DEALER, options);
  }
}
export interface Dealer extends Readable, Writable {}

/** How a ROUTER connects. */
export interface RouterConnectOptions {
  /** `ZMQ_CONNECT_ROUTING_ID`: the id by which the peer is to be known. */
  routingId?: string;
}

/** ROUTER: the first part of a message is the id of the peer it comes from, or goes to. */
export class Router extends Socket {
  static {
    defineOptions(Router.prototype, ROUTER);
  }

  /** `ZMQ_ROUTING_ID`. */
  declare routingId: string | null;
  /** `ZMQ_ROUTER_MANDATORY`. Reading it throws EINVAL. */
  declare mandatory: boolean;
  /** `ZMQ_PROBE_ROUTER`. It cannot be read. */
  declare probeRouter: boolean;
  /** `ZMQ_ROUTER_HANDOVER`. It cannot be read. */
  declare handover: boolean;

  constructor(options?: SocketOptions<Router>) {
    super(ROUTER, options);
  }

  override connect(address: string, options: RouterConnectOptions = {}): void {
    if (options.routingId) this.setStringOption(CONNECT_ROUTING_ID, options.routingId);
    super.connect(address);
  }
}
export interface Router extends Readable, Writable {}

/** PULL: receives from all linked PUSHes, fairly. */
export class Pull extends Socket {
  static {
    defineOptions(Pull.prototype, PULL);
  }

  constructor(options?: SocketOptions<Pull>) {
    super(PULL, options);
  }
}
export interface Pull extends Readable {
  /** `ZMQ_CONFLATE`. It cannot be read. */
  conflate: boolean;
}

/** PUSH: gives each message to one of the linked PULLs, in turn. */
export class Push extends Socket {
  static {
    defineOptions(Push.prototype, PUSH);
  }

  constructor(options?: SocketOptions<Push>) {
    super(PUSH, options);
  }
}
export interface Push extends Writable {
  /** `ZMQ_CONFLATE`. It cannot be read. */
  conflate: boolean;
}

/** XPUB: as PUB, and receives the subscriptions: a byte 1 or 0, and the prefix. */
export class XPublisher extends Socket {
  static {
    defineOptions(XPublisher.prototype, XPUB);
  }

  /** `ZMQ_XPUB_NODROP`. It cannot be read. */
  declare noDrop: boolean;
  /** `ZMQ_XPUB_MANUAL`. It cannot be read. */
  declare manual: boolean;
  /** `ZMQ_XPUB_WELCOME_MSG`. It cannot be read. */
  declare welcomeMessage: string | null;
  /** `ZMQ_INVERT_MATCHING`. */
  declare invertMatching: boolean;

  constructor(options?: SocketOptions<XPublisher>) {
    super(XPUB, options);
  }

  /** `ZMQ_XPUB_VERBOSE`, `ZMQ_XPUB_VERBOSER`: which of equal subscriptions are received too. */
  set verbosity(value: null | "allSubs" | "allSubsUnsubs") {
    if (value === null) this.setBoolOption(VERBOSE, false);
    else if (value === "allSubs") this.setBoolOption(VERBOSE, true);
    else if (value === "allSubsUnsubs") this.setBoolOption(VERBOSER, true);
  }
}
export interface XPublisher extends Readable, Writable {}

/** XSUB: as SUB, but subscribes by messages: a byte 1 or 0, and the prefix. */
export class XSubscriber extends Socket {
  static {
    defineOptions(XSubscriber.prototype, XSUB);
  }

  constructor(options?: SocketOptions<XSubscriber>) {
    super(XSUB, options);
  }
}
export interface XSubscriber extends Readable, Writable {}

/** How a STREAM connects. */
export interface StreamConnectOptions extends RouterConnectOptions {}

/** STREAM: of the network only. It can be made, and linked to nobody. */
export class Stream extends Socket {
  static {
    defineOptions(Stream.prototype, STREAM);
  }

  /** `ZMQ_STREAM_NOTIFY`. It cannot be read. */
  declare notify: boolean;

  constructor(options?: SocketOptions<Stream>) {
    super(STREAM, options);
  }

  override connect(address: string, options: StreamConnectOptions = {}): void {
    if (options.routingId) this.setStringOption(CONNECT_ROUTING_ID, options.routingId);
    super.connect(address);
  }
}
export interface Stream
  extends Readable<[Message, Message]>,
    Writable<[MessageLike, MessageLike]> {}
