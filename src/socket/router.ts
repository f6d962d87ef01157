// SPDX-License-Identifier: MIT

import { ZmqError } from "../base/index.ts";
import { DEALER, ROUTER } from "../context/index.ts";
import {
  ABSENT,
  type Message,
  type MessageLike,
  type Part,
  type Pipe,
  prepare,
  SAME_ID,
} from "../pipe/index.ts";
import { Routes } from "../strategy/index.ts";
import { Balancer } from "./balancing.ts";
import { type DuplexOptions, DuplexSocket } from "./duplex_socket.ts";
import {
  type Balance,
  type BalanceOption,
  type CodecOption,
  type ConflateOption,
  checkRoutingId,
  type ProbeOption,
  type RoutingOptions,
} from "./options.ts";
import { Receiver } from "./receiving.ts";
import { type Routed, Routing } from "./routing.ts";
import type { SocketCore } from "./socket.ts";
import type { WaitOptions } from "./waiting.ts";
import { Ways } from "./ways.ts";

/** Options of a DEALER. */
export interface DealerOptions<Out = MessageLike, In = Message>
  extends DuplexOptions,
    RoutingOptions,
    ProbeOption,
    ConflateOption,
    BalanceOption,
    CodecOption<Out, In> {}

/**
 * DEALER: sends to all linked peers in turn, and receives from all of them fairly (RFC 28,
 * `ZMQ_DEALER`).
 *
 * Its peers are REPs, ROUTERs and DEALERs. What a peer has not received when it closes goes to the
 * others. To talk to a REP, begin each message with an empty part.
 *
 * @example
 * ```ts
 * const dealer = new Dealer({ routingId: "worker-1" });
 * dealer.connect("inproc://broker");
 * await dealer.send(["", "ready"]);
 * ```
 */
export class Dealer<Out = MessageLike, In = Message> extends DuplexSocket<Out, In> {
  constructor(options: DealerOptions<Out, In> = {}) {
    const known = ["codec", "routingId", "probeRouter", "conflate", "balance"] as const;
    super(DEALER, options, known, (core) => {
      return new Ways(core, { sender: new Balancer(core), receiver: new Receiver(core) });
    });
  }

  /** `ZMQ_ROUTING_ID`; see {@link RoutingOptions.routingId}. Empty: none. */
  get routingId(): Uint8Array {
    return this.option("routingId").slice();
  }

  set routingId(value: string | Uint8Array) {
    this.setOption("routingId", value as Uint8Array);
  }

  /** `ZMQ_PROBE_ROUTER`; see {@link ProbeOption.probeRouter}. For links to come. */
  get probeRouter(): boolean {
    return this.option("probeRouter");
  }

  set probeRouter(value: boolean) {
    this.setOption("probeRouter", value);
  }

  /** `ZMQ_CONFLATE`; see {@link ConflateOption.conflate}. For links to come. */
  get conflate(): boolean {
    return this.option("conflate");
  }

  set conflate(value: boolean) {
    this.setOption("conflate", value);
  }

  /** How messages are shared out; see {@link BalanceOption.balance}. Takes effect at once. */
  get balance(): Balance {
    return this.option("balance");
  }

  set balance(value: Balance) {
    this.setOption("balance", value);
  }
}

/** Who is linked to a ROUTER, by the ids that it knows them by. */
class Peers {
  readonly routes = new Routes();
  /** The last id that was made up. */
  #last = (Math.random() * 2 ** 32) >>> 0;

  /** The id that the other end of a pipe has given itself, if it is there and has. */
  static idOf(pipe: Pipe, core: SocketCore): Uint8Array | undefined {
    let id = pipe.connecterId;
    if (pipe.side === "connecter") {
      if (pipe.peerState === ABSENT) return undefined;
      id = core.member.registry.binderId(pipe.at);
    }
    return id.length === 0 ? undefined : id;
  }

  /** Gives the other end of a pipe its id. False if another has it. */
  add(pipe: Pipe, id: Uint8Array | undefined): boolean {
    if (id !== undefined && this.routes.get(id) !== undefined) return false;
    pipe.peerId = id ?? this.#makeUp();
    this.routes.set(pipe.peerId, pipe);
    return true;
  }

  remove(pipe: Pipe): void {
    if (pipe.peerId !== undefined) this.routes.delete(pipe.peerId, pipe);
  }

  /** Five bytes, the first 0: no socket can have given itself such an id. */
  #makeUp(): Uint8Array {
    for (;;) {
      this.#last = (this.#last + 1) >>> 0;
      const id = new Uint8Array(5);
      new DataView(id.buffer).setUint32(1, this.#last);
      if (this.routes.get(id) === undefined) return id;
    }
  }
}

/** What a ROUTER does: it knows each peer by an id. */
class RouterWays extends Ways {
  readonly #peers: Peers;
  /** Whether the user has named the other end of a pipe. */
  readonly #named = new WeakSet<Pipe>();
  readonly #seen = new WeakMap<Pipe, number>();

  constructor(core: SocketCore) {
    const peers = new Peers();
    super(core, { sender: new RouterSender(core, peers), receiver: new RouterReceiver(core) });
    this.#peers = peers;
  }

  override connecting(address: string, alias: Uint8Array | undefined): void {
    if (alias === undefined || this.#peers.routes.get(alias) === undefined) return;
    const hint = "This socket has a peer that it knows by this routingId: choose another.";
    throw new ZmqError("EADDRINUSE", { address, hint });
  }

  override admit(pipe: Pipe): number {
    const id = Peers.idOf(pipe, this.core);
    const other = id === undefined ? undefined : this.#peers.routes.get(id);
    if (other === undefined) return 0;
    if (!this.core.options.handover) return SAME_ID;
    this.#handOver(other);
    return 0;
  }

  override attached(pipe: Pipe): void {
    if (pipe.peerId !== undefined) this.#named.add(pipe);
    if (this.#identify(pipe)) super.attached(pipe);
  }

  override peerChanged(pipe: Pipe): void {
    if (this.#identify(pipe)) super.peerChanged(pipe);
  }

  override released(pipe: Pipe): void {
    super.released(pipe);
    this.#peers.remove(pipe);
  }

  override detached(pipe: Pipe): void {
    super.detached(pipe);
    this.#peers.remove(pipe);
  }

  /** Finds out how to call who is at the other end now. False if that is why the pipe was left. */
  #identify(pipe: Pipe): boolean {
    const { binding } = pipe;
    if (pipe.draining || this.#seen.get(pipe) === binding) return true;
    this.#seen.set(pipe, binding);
    if (this.#named.has(pipe)) return this.#peers.add(pipe, pipe.peerId) || true;
    this.#peers.remove(pipe);
    if (this.#peers.add(pipe, Peers.idOf(pipe, this.core))) return true;
    const address = pipe.endpoint;
    const hint = "A peer was let go of: it has the same routingId as another.";
    this.core.leave(pipe);
    this.refused(new ZmqError("EADDRINUSE", { address, hint }));
    return false;
  }

  /** Another takes the id: what this one has sent is still received. */
  #handOver(pipe: Pipe): void {
    this.#peers.remove(pipe);
    if (pipe.side === "connecter") this.core.leave(pipe);
    else this.end(pipe, () => this.core.refuse(pipe, SAME_ID));
  }
}

/** The receiving half: puts the sender's id in front. */
class RouterReceiver extends Receiver<Message> {
  protected override take(): Message | undefined {
    const message = super.take();
    if (message === undefined) return undefined;
    const pipe = this.fq.last as Pipe;
    message.unshift(this.core.member.slab.part(pipe.peerId as Uint8Array));
    return message;
  }

  protected override takeMany(messages: Message[], max: number): void {
    while (messages.length < max) {
      const message = this.take();
      if (message === undefined) return;
      messages.push(message);
    }
  }
}

/** The sending half: the first part says to whom. */
class RouterSender extends Routing {
  readonly #peers: Peers;

  constructor(core: SocketCore, peers: Peers) {
    super(core);
    this.#peers = peers;
  }

  protected override get drops(): boolean {
    return !this.core.options.mandatory;
  }

  protected override prepare(message: MessageLike, _options: WaitOptions | undefined): Routed {
    const [id, ...parts] = Array.isArray(message) ? (message as readonly Part[]) : [];
    if ((typeof id !== "string" && !(id instanceof Uint8Array)) || parts.length === 0) {
      const hint = "A ROUTER's message is an array: a peer's routing id, and at least one part.";
      throw new ZmqError("EINVAL", { hint });
    }
    const { routes } = this.#peers;
    return { pipe: () => routes.get(id), message: prepare(parts, this.thread.pool) };
  }

  protected override unreachable(): void {
    if (!this.core.options.mandatory) return;
    const hint = "No peer has the routing id that is the message's first part.";
    throw new ZmqError("EHOSTUNREACH", { address: this.core.address, hint });
  }
}

/** Options of a ROUTER. */
export interface RouterOptions<Out = MessageLike, In = Message>
  extends DuplexOptions,
    RoutingOptions,
    ProbeOption,
    CodecOption<Out, In> {
  /**
   * `ZMQ_ROUTER_MANDATORY`: a message to nobody is an EHOSTUNREACH, and one to a peer that has no
   * room waits. Default false: both are dropped, and counted (`stats().dropped`).
   */
  mandatory?: boolean;
  /**
   * `ZMQ_ROUTER_HANDOVER`: who comes with the routing id of another takes its place. Default false:
   * the newcomer is refused, and told so.
   */
  handover?: boolean;
}

/**
 * ROUTER: receives from all linked peers fairly, and says whom each message came from; sends to the
 * one that it is told (RFC 28, `ZMQ_ROUTER`).
 *
 * The first part of a message is the routing id of the peer: on receipt, put there by the ROUTER;
 * on sending, taken away by it. Its peers are REQs, DEALERs and ROUTERs.
 *
 * @example
 * ```ts
 * const router = new Router({ mandatory: true });
 * await router.bind("inproc://broker");
 * for await (const [id, ...parts] of router) await router.send([id, ...parts]);
 * ```
 */
export class Router<Out = MessageLike, In = Message> extends DuplexSocket<Out, In> {
  constructor(options: RouterOptions<Out, In> = {}) {
    const known = ["codec", "routingId", "probeRouter", "mandatory", "handover"] as const;
    super(ROUTER, options, known, (core) => new RouterWays(core));
  }

  /**
   * As for every socket; and `routingId` (`ZMQ_CONNECT_ROUTING_ID`) names whoever is there, so that
   * it can be sent to before anything has come from it.
   *
   * @throws ZmqError EADDRINUSE if another peer has that id.
   */
  override connect(endpoint: string, options?: { routingId?: string | Uint8Array }): void {
    const { routingId } = options ?? {};
    this.link(endpoint, routingId === undefined ? undefined : checkRoutingId(routingId));
  }

  /** `ZMQ_ROUTING_ID`; see {@link RoutingOptions.routingId}. Empty: none. */
  get routingId(): Uint8Array {
    return this.option("routingId").slice();
  }

  set routingId(value: string | Uint8Array) {
    this.setOption("routingId", value as Uint8Array);
  }

  /** `ZMQ_PROBE_ROUTER`; see {@link ProbeOption.probeRouter}. For links to come. */
  get probeRouter(): boolean {
    return this.option("probeRouter");
  }

  set probeRouter(value: boolean) {
    this.setOption("probeRouter", value);
  }

  /** `ZMQ_ROUTER_MANDATORY`; see {@link RouterOptions.mandatory}. Takes effect at once. */
  get mandatory(): boolean {
    return this.option("mandatory");
  }

  set mandatory(value: boolean) {
    this.setOption("mandatory", value);
  }

  /** `ZMQ_ROUTER_HANDOVER`; see {@link RouterOptions.handover}. Takes effect at once. */
  get handover(): boolean {
    return this.option("handover");
  }

  set handover(value: boolean) {
    this.setOption("handover", value);
  }
}
