// SPDX-License-Identifier: MIT

import { type LeasedPart, type ReceivedPart, ZmqError } from "../base/index.ts";
import { CLIENT, PEER, SERVER } from "../context/index.ts";
import { type Lease, type Message, type MessageLike, type Pipe, prepare } from "../pipe/index.ts";
import {
  type Balance,
  type BalanceOption,
  Balancer,
  type Codec,
  type CodecOption,
  type CodecUnlessMessage,
  checkOnePart,
  type DuplexOptions,
  DuplexSocket,
  decodeBody,
  defineOptions,
  FairReceiver,
  type OnePart,
  type Received,
  type ReceivedBody,
  Receiver,
  type Routed,
  Routing,
  type SocketCore,
  type WaitOptions,
  Ways,
} from "../socket/index.ts";

/** Options of a CLIENT. */
export interface ClientOptions<Out = OnePart, In = Received<Out>>
  extends DuplexOptions,
    BalanceOption,
    CodecOption<Out, In> {}

/**
 * CLIENT: sends to all linked SERVERs in turn, and receives from all of them fairly, messages of
 * one part (RFC 41, `ZMQ_CLIENT`). What a SERVER has not received when it closes goes to the
 * others.
 */
export class Client<Out = OnePart, In = Received<Out>> extends DuplexSocket<Out, In> {
  static {
    defineOptions(Client.prototype, "balance");
  }

  /** How messages are shared out; see {@link BalanceOption.balance}. Takes effect at once. */
  declare balance: Balance;

  constructor(...[options = {}]: CodecUnlessMessage<ClientOptions<Out, In>>) {
    super(CLIENT, options, ["codec", "balance"], (core) => {
      const sender = new Balancer(core, { onePart: true });
      return new Ways(core, { sender, receiver: new FairReceiver(core) });
    });
  }
}

/** Whom a message has come from, or goes to: `ZMQ_ROUTING_ID` of a message, never 0. */
export interface PeerNumber {
  readonly routingId: number;
}

/** A message, or its value, and whom it has come from. */
export type NumberedMessage<In = ReceivedPart> = [body: In, from: PeerNumber];

/** The same, of a lease. */
export type LeasedNumberedMessage = [part: LeasedPart, from: PeerNumber];

/** Who is linked, by the numbers that we know them by. */
class Numbers {
  readonly pipes = new Map<number, Pipe>();
  #last = (Math.random() * 2 ** 32) >>> 0;

  add(pipe: Pipe): void {
    do this.#last = (this.#last + 1) >>> 0;
    while (this.#last === 0 || this.pipes.has(this.#last));
    pipe.peerNumber = this.#last;
    this.pipes.set(this.#last, pipe);
  }
}

class NumberingWays extends Ways {
  readonly #numbers: Numbers;

  constructor(core: SocketCore) {
    const numbers = new Numbers();
    const sender = new NumberedSender(core, numbers);
    super(core, { sender, receiver: new NumberedReceiver(core) });
    this.#numbers = numbers;
  }

  override attached(pipe: Pipe): void {
    this.#numbers.add(pipe);
    super.attached(pipe);
  }

  /** Who waits for room there is told. */
  protected override forget(pipe: Pipe): void {
    if (this.#numbers.pipes.delete(pipe.peerNumber)) this.sender?.again();
  }

  /** Ends the link to one peer. */
  unlink(routingId: number): void {
    const pipe = this.#numbers.pipes.get(routingId);
    if (pipe === undefined) throw nobodyHas(this.core.address());
    this.core.unlink(pipe);
  }
}

class NumberedReceiver extends Receiver<NumberedMessage> {
  protected override take(lease?: Lease): NumberedMessage | undefined {
    const message: unknown[] | undefined = super.take(lease);
    message?.push({ routingId: (this.fq.last as Pipe).peerNumber });
    return message as NumberedMessage | undefined;
  }

  protected override decode(codec: Codec<unknown>, message: Message): unknown {
    return decodeBody(codec, message);
  }
}

class NumberedSender extends Routing<number> {
  readonly #numbers: Numbers;
  override readonly saysWhom = true;
  protected readonly drops = false;

  constructor(core: SocketCore, numbers: Numbers) {
    super(core);
    this.#numbers = numbers;
  }

  protected override prepare(
    message: MessageLike,
    options: WaitOptions | undefined,
  ): Routed<number> {
    checkOnePart(message);
    const { routingId } = (options ?? {}) as Partial<PeerNumber>;
    if (typeof routingId !== "number") {
      const hint = "Say whom it is for: send(part, { routingId }), as it came with a message.";
      throw new ZmqError("EINVAL", { hint });
    }
    return { to: routingId, message: prepare(message, this.thread.pool) };
  }

  protected find(routingId: number): Pipe | undefined {
    return this.#numbers.pipes.get(routingId);
  }

  protected override unreachable(): void {
    throw nobodyHas(this.core.address());
  }
}

/** Options of a SERVER, and of a PEER. */
export interface ServerOptions<Out = OnePart, In = ReceivedBody<Out>>
  extends DuplexOptions,
    CodecOption<Out, In> {}

/** How a call that sends waits, and whom the message is for. */
export interface NumberedSendOptions extends WaitOptions, PeerNumber {}

/**
 * SERVER: receives from all linked CLIENTs fairly, messages of one part, and says whom each came
 * from; sends to the one that it is told (RFC 41, `ZMQ_SERVER`).
 *
 * If that one is gone, `send` fails with EHOSTUNREACH; if it has no room, `send` waits. A codec is
 * for the part: what is received is its value, and whom it came from.
 *
 * @example
 * ```ts
 * const server = new Server();
 * await server.bind("inproc://service");
 * for await (const [part, from] of server) await server.send(part, from);
 * ```
 */
export class Server<Out = OnePart, In = ReceivedBody<Out>> extends DuplexSocket<
  Out,
  NumberedMessage<In>,
  NumberedSendOptions,
  In,
  LeasedNumberedMessage
> {
  constructor(...[options = {}]: CodecUnlessMessage<ServerOptions<Out, In>>) {
    super(SERVER, options, ["codec"], (core) => new NumberingWays(core));
  }
}

/**
 * PEER: a SERVER among its like: it is linked with PEERs, and knows at once how to call whom it has
 * connected to (RFC 51, `ZMQ_PEER`).
 */
export class Peer<Out = OnePart, In = ReceivedBody<Out>> extends DuplexSocket<
  Out,
  NumberedMessage<In>,
  NumberedSendOptions,
  In,
  LeasedNumberedMessage
> {
  constructor(...[options = {}]: CodecUnlessMessage<ServerOptions<Out, In>>) {
    super(PEER, options, ["codec"], (core) => new NumberingWays(core));
  }

  /**
   * `zmq_connect_peer`: as `connect`, and returns the `routingId` of whoever is, or will be, bound
   * there.
   */
  connectPeer(endpoint: string): number {
    return (this.link(endpoint) as Pipe).peerNumber;
  }

  /**
   * `zmq_disconnect_peer`: ends the link to one peer.
   *
   * @throws ZmqError EHOSTUNREACH if nobody has that routingId; EBADF, ETERM.
   */
  disconnectPeer(routingId: number): void {
    this.enter();
    (this.pattern as NumberingWays).unlink(routingId);
  }
}

function nobodyHas(address: string | undefined): ZmqError {
  const hint = "Nobody has that routingId: the peer has gone.";
  return new ZmqError("EHOSTUNREACH", { address, hint });
}
