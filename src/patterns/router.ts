// SPDX-License-Identifier: MIT

import { ZmqError } from "../base/index.ts";
import { DEALER, type Presence, ROUTER } from "../context/index.ts";
import { WORD_BYTES } from "../memory/index.ts";
import {
  ABSENT,
  isAttended,
  isBytes,
  type Lease,
  type Message,
  type MessageLike,
  type Part,
  type Pipe,
  prepare,
  SAME_ID,
  type Stretch,
} from "../pipe/index.ts";
import { FLAGS, LENGTH, MORE, RECORD_HEAD, recordWords } from "../queue/index.ts";
import {
  type Balance,
  type BalanceOption,
  Balancer,
  type CodecOption,
  type CodecUnlessMessage,
  type ConflateOption,
  checkRoutingId,
  type DuplexOptions,
  defineOptions,
  FairReceiver,
  type ProbeOption,
  ProbingSocket,
  type Received,
  Receiver,
  type Routed,
  Routing,
  type RoutingOptions,
  type SocketCore,
  type WaitOptions,
  Ways,
} from "../socket/index.ts";
import { Routes } from "../strategy/index.ts";

/** Options of a DEALER. */
export interface DealerOptions<Out = MessageLike, In = Received<Out>>
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
export class Dealer<Out = MessageLike, In = Received<Out>> extends ProbingSocket<Out, In> {
  static {
    defineOptions(Dealer.prototype, "conflate", "balance");
  }

  /** `ZMQ_CONFLATE`; see {@link ConflateOption.conflate}. For links to come. */
  declare conflate: boolean;
  /** How messages are shared out; see {@link BalanceOption.balance}. Takes effect at once. */
  declare balance: Balance;

  constructor(...[options = {}]: CodecUnlessMessage<DealerOptions<Out, In>>) {
    const known = ["codec", "routingId", "probeRouter", "conflate", "balance"] as const;
    super(DEALER, options, known, (core) => {
      return new Ways(core, { sender: new Balancer(core), receiver: new FairReceiver(core) });
    });
  }
}

/** Who is at the other end of a pipe, and how a ROUTER calls it. */
interface Known {
  readonly id: Uint8Array;
  /** Which of the binders of the pipe that is (pipe.ts). */
  readonly binding: number;
  /** How many messages all before it had sent, as the lane counts them. */
  readonly since: number;
}

/** Who is linked to a ROUTER, by the ids that it knows them by. */
class Peers {
  readonly #routes = new Routes();
  /** Of each pipe who was last seen, and before it those who have sent what is not received yet. */
  readonly #known = new WeakMap<Pipe, Known[]>();
  readonly #core: SocketCore;
  /** The last id that was made up. */
  #number = (Math.random() * 2 ** 32) >>> 0;

  constructor(core: SocketCore) {
    this.#core = core;
  }

  /** The pipe that leads to an id. */
  find(id: string | Uint8Array): Pipe | undefined {
    return this.#routes.get(id);
  }

  /** As `find`, for an id that lies among other bytes. */
  findAt(bytes: Uint8Array, from: number, length: number): Pipe | undefined {
    return this.#routes.getAt(bytes, from, length);
  }

  /** The pipe of another peer that goes by this id; empty: none. */
  namesake(pipe: Pipe, id: Uint8Array): Pipe | undefined {
    const other = id.length === 0 ? undefined : this.#routes.get(id);
    if (other === undefined || other === pipe) return undefined;
    // One that has gone, of which we have not heard yet, is in nobody's way.
    return other.peerId !== undefined || isAttended(other.peerState) ? other : undefined;
  }

  /** Who is at the other end now, if that is known. */
  present(pipe: Pipe): Known | undefined {
    const last = this.#last(pipe);
    return last?.binding === pipe.binding ? last : undefined;
  }

  /** Who is at the other end of a pipe, in one look. */
  look(pipe: Pipe): Presence {
    if (pipe.side === "connecter") return this.#core.member.registry.binderOf(pipe.at);
    const { peerState: state, binding, connecterId: id } = pipe;
    return { state, binding, since: 0, id };
  }

  /**
   * Calls the other end of a pipe as the user has said, or it has itself, or by a made-up id.
   *
   * @param isThere Whether messages can be sent there, not only received.
   */
  add(pipe: Pipe, { binding, since, id: own }: Presence, isThere: boolean): void {
    const id = pipe.peerId ?? (own.length > 0 ? own : this.#makeUp());
    this.remove(pipe);
    const known = this.#known.get(pipe) ?? [];
    const last = known.at(-1);
    // If another was there in between, it is not known which of them has sent what.
    if (last !== undefined && ((binding - last.binding) | 0) !== 1) known.length = 0;
    else if (last?.since === since) known.pop(); // It has sent nothing.
    known.push({ id, binding, since });
    while (known.length > 1 && pipe.isBehind((known[1] as Known).since)) known.shift();
    this.#known.set(pipe, known);
    pipe.peerBinding = binding;
    if (isThere) this.#routes.set(id, pipe);
  }

  remove(pipe: Pipe): void {
    const last = this.#last(pipe);
    if (last !== undefined) this.#routes.delete(last.id, pipe);
  }

  /** Who has sent the last message that came out of a pipe. */
  senderOf(pipe: Pipe): Uint8Array {
    if (pipe.peerId !== undefined) return pipe.peerId;
    const last = this.#last(pipe);
    if (pipe.side === "binder" && last !== undefined) return last.id;
    const sender = this.#known.get(pipe)?.findLast(({ since }) => pipe.isBehind(since));
    // Perhaps it has come and gone without our hearing of it.
    if (sender === undefined) return this.#makeUp();
    return sender === last && pipe.origin !== last.binding ? this.#makeUp() : sender.id;
  }

  #last(pipe: Pipe): Known | undefined {
    return this.#known.get(pipe)?.at(-1);
  }

  /** Five bytes, the first 0: no socket can have given itself such an id. */
  #makeUp(): Uint8Array {
    for (;;) {
      this.#number = (this.#number + 1) >>> 0;
      const id = new Uint8Array(5);
      new DataView(id.buffer).setUint32(1, this.#number);
      if (this.#routes.get(id) === undefined) return id;
    }
  }
}

/** What a ROUTER does: it knows each peer by an id. */
class RouterWays extends Ways {
  readonly #peers: Peers;

  constructor(core: SocketCore) {
    const peers = new Peers(core);
    const receiver = new RouterReceiver(core, peers);
    super(core, { sender: new RouterSender(core, peers), receiver });
    receiver.meet = (pipe) => {
      const error = this.#identify(pipe);
      if (error !== undefined) receiver.failOnce(error);
    };
    this.#peers = peers;
  }

  override connecting(address: string, alias: Uint8Array | undefined): void {
    if (alias === undefined || this.#peers.find(alias) === undefined) return;
    const hint = "This socket has a peer that it knows by this routingId: choose another.";
    throw new ZmqError("EADDRINUSE", { address, hint });
  }

  override admit(pipe: Pipe): number {
    return this.#admit(pipe, this.#peers.look(pipe));
  }

  #admit(pipe: Pipe, { state, id }: Presence): number {
    const other = isAttended(state) ? this.#peers.namesake(pipe, id) : undefined;
    if (other === undefined) return 0;
    if (!this.core.options.handover) return SAME_ID;
    this.core.unlink(other, SAME_ID); // What it has sent is still received.
    return 0;
  }

  override attached(pipe: Pipe): void {
    const error = this.#identify(pipe);
    if (error !== undefined) throw error; // It is `connect` that hears of it.
    super.attached(pipe);
  }

  override peerChanged(pipe: Pipe): void {
    const error = this.#identify(pipe);
    if (error !== undefined) this.refused(error);
    else super.peerChanged(pipe);
  }

  /**
   * Finds out how to call who is at the other end now. An error if another is called so: then the
   * pipe was left.
   */
  #identify(pipe: Pipe): ZmqError | undefined {
    if (pipe.draining) return undefined;
    const { peerState } = pipe;
    const isNamed = pipe.peerId !== undefined;
    if (this.#peers.present(pipe) || (peerState === ABSENT && !isNamed)) {
      if (!isAttended(peerState) && !isNamed) this.forget(pipe);
      return undefined;
    }
    const seen = this.#peers.look(pipe);
    if (!isNamed && seen.state === ABSENT) this.forget(pipe);
    else if (!isNamed && !isAttended(seen.state)) {
      this.#peers.add(pipe, seen, false);
      this.forget(pipe);
    } else {
      if (!isNamed && this.#admit(pipe, seen) !== 0) {
        const hint = "Who is bound there has the same routingId as another peer of this socket.";
        this.core.leave(pipe);
        return new ZmqError("EADDRINUSE", { address: pipe.endpoint, hint });
      }
      this.#peers.add(pipe, seen, true);
    }
    return undefined;
  }

  /** Who waits for room there is told. */
  protected override forget(pipe: Pipe): void {
    this.#peers.remove(pipe);
    this.sender?.again();
  }
}

/** The receiving half: puts the sender's id in front. */
class RouterReceiver extends Receiver<Message> {
  readonly #peers: Peers;
  /** Finds out who is at the other end of a pipe. */
  meet: (pipe: Pipe) => void = () => {};

  constructor(core: SocketCore, peers: Peers) {
    super(core);
    this.#peers = peers;
  }

  protected override take(lease?: Lease): Message | undefined {
    const message = super.take(lease);
    if (message === undefined) return undefined;
    const pipe = this.fq.last as Pipe;
    if (!this.#peers.present(pipe)) this.meet(pipe); // The command is on its way.
    message.unshift(this.core.member.slab.part(this.#peers.senderOf(pipe)));
    return message;
  }

  /** Each has another's id before it. */
  protected override readonly passes: number = 1;

  /** Who has sent a message to a binder of ours is known only when it is released. */
  protected override frontOf(pipe: Pipe): Uint8Array | null {
    return pipe.side === "binder" ? (this.#peers.present(pipe)?.id ?? null) : null;
  }
}

/** The sending half: the first part says to whom. */
class RouterSender extends Routing<string | Uint8Array> {
  readonly #peers: Peers;

  constructor(core: SocketCore, peers: Peers) {
    super(core);
    this.#peers = peers;
  }

  protected override get drops(): boolean {
    return !this.core.options.mandatory;
  }

  protected override prepare(
    message: MessageLike,
    _options: WaitOptions | undefined,
  ): Routed<string | Uint8Array> {
    const parts = Array.isArray(message) ? (message as readonly Part[]) : [];
    const id = parts[0];
    // The id is read when the message goes: if its length throws, it is to be here, not then.
    const isId = typeof id === "string" || (isBytes(id) && id.length >= 0);
    if (!isId || !(parts.length > 1)) {
      const hint = "A ROUTER's message is an array: a peer's routing id, and at least one part.";
      throw new ZmqError("EINVAL", { hint });
    }
    return { to: id, message: prepare(parts.slice(1), this.thread.pool) };
  }

  protected find(id: string | Uint8Array): Pipe | undefined {
    return this.#peers.find(id);
  }

  /** A name of the user's own is for whoever is there. */
  protected override addressee({ peerId, peerBinding }: Pipe): number | undefined {
    return peerId === undefined ? peerBinding : undefined;
  }

  override passRecords({ at, size }: Stretch, front: Uint8Array | undefined): boolean | undefined {
    const { words, bytes } = this.thread.arena;
    if (front !== undefined || words[at + FLAGS] !== MORE) return undefined;
    const from = (at + RECORD_HEAD) * WORD_BYTES;
    const length = words[at + LENGTH];
    const head = recordWords(length);
    const pipe = this.#peers.findAt(bytes, from, length);
    return this.passInto(pipe, at + head, size - head);
  }

  protected override unreachable(): void {
    if (!this.core.options.mandatory) return;
    const hint = "No peer has the routing id that is the message's first part.";
    throw new ZmqError("EHOSTUNREACH", { address: this.core.address(), hint });
  }
}

/** Options of a ROUTER. */
export interface RouterOptions<Out = MessageLike, In = Received<Out>>
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
export class Router<Out = MessageLike, In = Received<Out>> extends ProbingSocket<Out, In> {
  static {
    defineOptions(Router.prototype, "mandatory", "handover");
  }

  /** `ZMQ_ROUTER_MANDATORY`; see {@link RouterOptions.mandatory}. Takes effect at once. */
  declare mandatory: boolean;
  /** `ZMQ_ROUTER_HANDOVER`; see {@link RouterOptions.handover}. Takes effect at once. */
  declare handover: boolean;

  constructor(...[options = {}]: CodecUnlessMessage<RouterOptions<Out, In>>) {
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
}
