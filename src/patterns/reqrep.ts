// SPDX-License-Identifier: MIT

import { ZmqError } from "../base/index.ts";
import { REP, REQ } from "../context/index.ts";
import {
  ABSENT,
  DRAINING,
  Envelope,
  type Lease,
  type Message,
  type MessageLike,
  type Pipe,
  prepare,
  REFUSED,
} from "../pipe/index.ts";
import {
  Balancer,
  type CodecOption,
  type CodecUnlessMessage,
  type DuplexOptions,
  defineOptions,
  type Outgoing,
  type ProbeOption,
  ProbingSocket,
  type Received,
  Receiver,
  type Routed,
  RoutedSocket,
  Routing,
  type RoutingOptions,
  type SocketCore,
  type WaitOptions,
  Ways,
} from "../socket/index.ts";
import type { Wants } from "../strategy/index.ts";

/**
 * reqrep — REQ and REP: a request, then its reply, and so on in turn (RFC 28).
 *
 *   REQ   send ──▶ receive ──▶ send …         REP   receive ──▶ send ──▶ receive …
 *
 * On its way a message has an envelope: what REQ puts in front (a number, with `correlate`, and an
 * empty part), and what ROUTERs on the way add before that. REP keeps the envelope of a request,
 * up to and including the first empty part, and puts it before the reply.
 *
 * A REQ takes the reply only from whom it has asked. When that peer is gone and has not answered,
 * `receive` says so once (EHOSTUNREACH), and the next request may be sent; a request that nobody
 * had read is taken back, so that no later reply can be taken for another's.
 *
 * A message that a stream puts back was not received: the turn is still that of `receive`. When the
 * turn is over, it does not go back any more.
 */
interface Asked {
  readonly pipe: Pipe;
  /** Which of the binders of the pipe (pipe.ts). */
  readonly binding: number;
}

const EMPTY = new Uint8Array(0);
/** The envelope of a request that has no number. */
const BARE = Envelope.of(EMPTY);

/** Whether the other end of a pipe is still the one it was. */
function isThere({ pipe, binding }: Asked, core: SocketCore): boolean {
  return core.pipes.has(pipe) && pipe.binding === binding;
}

function outOfTurn(hint: string, address: string | undefined): ZmqError {
  return new ZmqError("EFSM", { address, hint });
}

/** What the two halves of a REQ share. */
class Dialogue {
  /** Who was asked, and has not answered yet. */
  asked: Asked | undefined;
  /** What stands before the empty part of the answer, with `correlate`. */
  label: Uint8Array | undefined;
  /** That peer is gone. */
  lost = false;
  /** How many requests were sent. */
  round = 0;
  #number: number = (Math.random() * 2 ** 32) >>> 0;

  /** A new label. Four bytes, as in libzmq the least significant first. */
  makeLabel(): Uint8Array {
    this.#number = (this.#number + 1) >>> 0;
    const label = new Uint8Array(4);
    new DataView(label.buffer).setUint32(0, this.#number, true);
    return label;
  }

  ask(pipe: Pipe, label: Uint8Array | undefined): void {
    this.asked = { pipe, binding: pipe.binding };
    this.label = label;
    this.lost = false;
    this.round++;
  }

  end(): void {
    this.asked = undefined;
    this.lost = false;
  }
}

class RequestSender extends Balancer {
  readonly #dialogue: Dialogue;
  readonly #replies: ReplyReceiver;
  /** Of the message that was prepared last: there is never another on its way. */
  #label: Uint8Array | undefined;
  /** There is a request, which is still to be told. */
  #hasAsked = false;

  constructor(core: SocketCore, dialogue: Dialogue, replies: ReplyReceiver) {
    super(core, { returns: false });
    this.#dialogue = dialogue;
    this.#replies = replies;
  }

  protected override prepare(message: MessageLike, _options: WaitOptions | undefined): Outgoing {
    this.enter(); // Whom we have asked may have gone.
    const { correlate } = this.core.options;
    if (this.others > 0) throw this.#outOfTurn();
    this.#checkTurn();
    const label = correlate ? this.#dialogue.makeLabel() : undefined;
    const envelope = label === undefined ? BARE : Envelope.of(label, EMPTY);
    const request = prepare(message, this.thread.pool, envelope);
    this.#label = label;
    return request;
  }

  protected override put(message: Outgoing): boolean {
    if (!this.write(message)) return false;
    this.flush();
    return true;
  }

  override flush(): void {
    super.flush();
    if (!this.#hasAsked) return;
    this.#hasAsked = false;
    this.#replies.pump(); // Who waits for the reply was not parked before.
  }

  protected override park(): boolean {
    return !this.#mayAsk() || super.park();
  }

  protected override write(message: Outgoing): boolean {
    this.#checkTurn(); // What was read of the message may have sent another.
    this.#replies.giveUp();
    if (!super.write(message)) return false;
    // What has come was for another request: nobody can have seen this one yet.
    this.#replies.discard();
    this.#dialogue.ask(this.lb.last as Pipe, this.#label);
    this.#hasAsked = true;
    return true;
  }

  /** A request has an envelope, and is noted. */
  override passRecords(): undefined {
    return undefined;
  }

  override moveFrom(): undefined {
    return undefined;
  }

  override get ready(): boolean {
    return this.#mayAsk() && super.ready;
  }

  /** @throws ZmqError EFSM. */
  #checkTurn(): void {
    if (!this.#mayAsk()) throw this.#outOfTurn();
  }

  #outOfTurn(): ZmqError {
    const hint = "Receive the reply first; or set relaxed, to give it up by the next request.";
    return outOfTurn(hint, this.core.address());
  }

  #mayAsk(): boolean {
    return !this.#isDue() || this.core.options.relaxed;
  }

  /** Whether a reply is waited for that may still come, or one was put back. */
  #isDue(): boolean {
    const { asked, lost } = this.#dialogue;
    return (asked !== undefined && !lost) || this.#replies.hasReturned;
  }
}

/** The receiving half of REQ. */
class ReplyReceiver extends Receiver<Message> {
  readonly #dialogue: Dialogue;
  isSending: () => boolean = () => false;
  /** Called when the next request may be sent. */
  onEnd: () => void = () => {};
  protected override readonly wants: Wants = (parts, pipe) => {
    return pipe === this.#dialogue.asked?.pipe && this.#bodyOf(parts) !== undefined;
  };
  /** Makes sure that no answer can come from whom we have asked and lost. */
  giveUp: () => void = () => {};

  constructor(core: SocketCore, dialogue: Dialogue) {
    super(core);
    this.#dialogue = dialogue;
  }

  protected override enter(): void {
    super.enter();
    if (this.#dialogue.asked !== undefined || this.isSending() || this.hasReturned) return;
    throw outOfTurn("Send a request first.", this.core.address());
  }

  /** Throws away what has come unasked, or was put back. */
  discard(): void {
    this.discardReturned();
    while (this.fq.receive() !== undefined);
  }

  protected override resumed(): void {
    this.onEnd();
  }

  protected override get round(): number {
    return this.#dialogue.round;
  }

  protected override get arrived(): boolean {
    return this.#dialogue.asked !== undefined && (this.#dialogue.lost || super.arrived);
  }

  /** Before a request nobody is waited for: what comes unasked is thrown away. */
  protected override park(): boolean {
    return this.#dialogue.asked === undefined || super.park();
  }

  protected override take(lease?: Lease): Message | undefined {
    const dialogue = this.#dialogue;
    if (dialogue.asked === undefined) return undefined;
    for (let reply = this.fq.receive(lease); reply; reply = this.fq.receive(lease)) {
      const body = this.fq.last === dialogue.asked.pipe ? this.#bodyOf(reply) : undefined;
      if (body === undefined) continue;
      dialogue.end();
      this.count(1);
      this.onEnd();
      return body;
    }
    if (!dialogue.lost) return undefined;
    this.giveUp();
    dialogue.end();
    this.onEnd();
    const hint = "Whom the request was sent to is gone, and had not answered: send it again.";
    throw new ZmqError("EHOSTUNREACH", { address: this.core.address(), hint });
  }

  protected override takeMany(messages: Message[]): void {
    const message = this.take();
    if (message !== undefined) messages.push(message);
  }

  /** What is in the envelope; undefined if that is not what was asked for. */
  #bodyOf<P extends Uint8Array>(reply: readonly P[]): P[] | undefined {
    const { label } = this.#dialogue;
    const empty = label === undefined ? 0 : 1;
    if (reply[empty]?.length !== 0 || reply.length === empty + 1) return undefined;
    if (label?.every((byte, index) => byte === reply[0]?.[index]) === false) return undefined;
    return reply.slice(empty + 1);
  }
}

class RequestWays extends Ways {
  readonly #dialogue: Dialogue;

  constructor(core: SocketCore) {
    const dialogue = new Dialogue();
    const receiver = new ReplyReceiver(core, dialogue);
    const sender = new RequestSender(core, dialogue, receiver);
    super(core, { sender, receiver });
    receiver.isSending = () => sender.pending > 0;
    receiver.onEnd = () => sender.pump();
    receiver.giveUp = () => this.#giveUp();
    this.#dialogue = dialogue;
  }

  override peerChanged(pipe: Pipe): void {
    super.peerChanged(pipe);
    this.#look();
  }

  override detached(pipe: Pipe): void {
    super.detached(pipe);
    if (this.#dialogue.asked?.pipe === pipe) this.#lose();
  }

  override released(pipe: Pipe): void {
    this.#look();
    super.released(pipe);
  }

  /** Whether who was asked can still answer. */
  #look(): void {
    const { asked, lost } = this.#dialogue;
    if (asked === undefined || lost) return;
    const { pipe } = asked;
    const { draining, peerState } = pipe;
    if (isThere(asked, this.core) && !draining && peerState !== DRAINING) return;
    if (pipe.queuedIn > 0) {
      // The answer may have come; that it has, is said by the command that is heard after this one.
      this.receiver?.activated(pipe);
      this.#lose();
    } else if (peerState === REFUSED)
      this.#dialogue.end(); // That error will be told.
    else {
      this.#giveUp();
      this.#lose();
    }
  }

  /**
   * What nobody has read would be answered by the next binder, when nobody asks any more; and so
   * would be what the next binder may have read already.
   */
  #giveUp(): void {
    const { asked } = this.#dialogue;
    if (asked === undefined || !this.#isOver(asked)) return;
    const { pipe } = asked;
    if (pipe.side === "binder" || pipe.draining || !this.core.pipes.has(pipe)) return;
    const isUnread = pipe.queuedOut > 0; // First: whoever has read it is still there, or has gone.
    if (isUnread || pipe.peerState !== ABSENT) this.core.renew(pipe);
  }

  #isOver(asked: Asked): boolean {
    return this.#dialogue.lost || !isThere(asked, this.core) || asked.pipe.peerState === DRAINING;
  }

  #lose(): void {
    if (this.#dialogue.asked === undefined) return;
    this.#dialogue.lost = true;
    this.receiver?.pump();
    this.sender?.pump();
  }
}

/** Options of a REQ. */
export interface RequestOptions<Out = MessageLike, In = Received<Out>>
  extends DuplexOptions,
    RoutingOptions,
    ProbeOption,
    CodecOption<Out, In> {
  /**
   * `ZMQ_REQ_CORRELATE`: puts a number before each request, and takes only the reply with the
   * same. A REP sends it back by itself. Default false.
   */
  correlate?: boolean;
  /**
   * `ZMQ_REQ_RELAXED`: a request may be sent while the reply to the last is due, which is then
   * given up. Best together with `correlate`. Default false.
   */
  relaxed?: boolean;
}

/**
 * REQ: sends a request, then receives the reply, and so on in turn (RFC 28, `ZMQ_REQ`).
 *
 * Requests go to the linked peers (REPs and ROUTERs) in turn. Out of turn a call fails with EFSM.
 * If the peer goes without having answered, `receive` fails with EHOSTUNREACH, and the next request
 * may be sent.
 *
 * @example
 * ```ts
 * const request = new Request({ receiveTimeout: 1000 });
 * request.connect("inproc://service");
 * await request.send("hello");
 * const [reply] = await request.receive();
 * ```
 */
export class Request<Out = MessageLike, In = Received<Out>> extends ProbingSocket<Out, In> {
  static {
    defineOptions(Request.prototype, "correlate", "relaxed");
  }

  /** `ZMQ_REQ_CORRELATE`; see {@link RequestOptions.correlate}. For the requests to come. */
  declare correlate: boolean;
  /** `ZMQ_REQ_RELAXED`; see {@link RequestOptions.relaxed}. Takes effect at once. */
  declare relaxed: boolean;

  constructor(...[options = {}]: CodecUnlessMessage<RequestOptions<Out, In>>) {
    const known = ["codec", "routingId", "probeRouter", "correlate", "relaxed"] as const;
    super(REQ, options, known, (core) => new RequestWays(core));
  }
}

/** What the two halves of a REP share: whom the last request came from, and its envelope. */
class Obligation {
  due: Asked | undefined;
  /** How many replies were sent. */
  round = 0;
  readonly envelope: Envelope = new Envelope();
  /** Called when there is a request to reply to. */
  onDue: () => void = () => {};
}

/** Where the empty part is that the body of a request comes after; -1 if it is no request. */
function endOfEnvelope(request: readonly Uint8Array[]): number {
  for (let i = 0; i < request.length - 1; i++) if (request[i]?.length === 0) return i;
  return -1;
}

class RequestReceiver extends Receiver<Message> {
  readonly #obligation: Obligation;
  /** Whether the reply is on its way, and waits for memory. */
  isReplying: () => boolean = () => false;
  protected override readonly wants: Wants = (parts) => endOfEnvelope(parts) >= 0;

  constructor(core: SocketCore, obligation: Obligation) {
    super(core);
    this.#obligation = obligation;
  }

  protected override enter(): void {
    super.enter();
    // A request that was put back is due already, and nobody has seen it.
    if (this.#obligation.due === undefined || this.hasReturned || this.isReplying()) return;
    throw outOfTurn("Send the reply to the last request first.", this.core.address());
  }

  protected override get arrived(): boolean {
    return this.#obligation.due === undefined && super.arrived;
  }

  /** Before the reply nothing is received: the sending half says when that is over. */
  protected override park(): boolean {
    return this.#obligation.due !== undefined || super.park();
  }

  protected override take(lease?: Lease): Message | undefined {
    const obligation = this.#obligation;
    if (obligation.due !== undefined) return undefined; // Another receive was before this one.
    for (;;) {
      const request = this.#next(lease);
      if (request === undefined) return undefined;
      if (obligation.envelope.size === 0 && !this.#open(request)) continue;
      const pipe = this.fq.last as Pipe;
      obligation.due = { pipe, binding: pipe.origin };
      this.count(1);
      obligation.onDue();
      return request;
    }
  }

  protected override resumed(): void {
    this.#obligation.onDue();
  }

  protected override get round(): number {
    return this.#obligation.round;
  }

  #next(lease: Lease | undefined): Message | undefined {
    const { envelope } = this.#obligation;
    envelope.clear();
    return lease === undefined ? this.fq.receive(lease, envelope) : this.fq.receive(lease);
  }

  /** Takes the envelope off a request, up to the empty part. False if it is no request. */
  #open(request: Message): boolean {
    const empty = endOfEnvelope(request);
    if (empty >= 0) this.#obligation.envelope.set(request.splice(0, empty + 1));
    return empty >= 0;
  }
}

class ReplySender extends Routing<Asked> {
  readonly #obligation: Obligation;
  readonly #requests: RequestReceiver;
  protected readonly drops = true;
  /** Whoever has asked waits, and shall not for ever, because others have filled the memory. */
  protected override get dropsForMemory(): boolean {
    return false;
  }

  /** The next request may be received, which is still to be told. */
  #replied = false;

  constructor(core: SocketCore, obligation: Obligation, requests: RequestReceiver) {
    super(core);
    this.#obligation = obligation;
    this.#requests = requests;
    obligation.onDue = () => this.pump();
  }

  protected override prepare(
    message: MessageLike,
    _options: WaitOptions | undefined,
  ): Routed<Asked> {
    this.enter();
    const { due } = this.#obligation;
    if (due === undefined || this.#requests.hasReturned) {
      throw outOfTurn("Receive a request first.", this.core.address());
    }
    return { to: due, message: prepare(message, this.thread.pool, this.#obligation.envelope) };
  }

  protected find({ pipe }: Asked): Pipe | undefined {
    return this.core.pipes.has(pipe) ? pipe : undefined;
  }

  protected override addressee(): number | undefined {
    return this.#obligation.due?.binding;
  }

  /** @throws ZmqError EFSM if the request has got its reply since: the envelope is another's. */
  protected override write(message: Routed<Asked>): boolean {
    if (message.to !== this.#obligation.due) {
      throw outOfTurn("Another call has sent the reply meanwhile.", this.core.address());
    }
    // What finds no room, or nobody, is dropped: whoever has asked has gone, or is slow.
    if (!super.write(message)) return false;
    this.#obligation.due = undefined;
    this.#obligation.round++;
    this.#replied = true;
    return true;
  }

  override flush(): void {
    super.flush();
    if (!this.#replied) return;
    this.#replied = false;
    this.#requests.pump();
  }

  protected override unreachable(): void {}

  override get ready(): boolean {
    return this.#obligation.due !== undefined && !this.#requests.hasReturned && !this.starves;
  }
}

/** Options of a REP. */
export interface ReplyOptions<Out = MessageLike, In = Received<Out>>
  extends DuplexOptions,
    RoutingOptions,
    CodecOption<Out, In> {}

/**
 * REP: receives a request, then sends the reply to it, and so on in turn (RFC 28, `ZMQ_REP`).
 *
 * Requests come from the linked peers (REQs and DEALERs) fairly. Out of turn a call fails with
 * EFSM. A reply waits for nobody: if whoever has asked is gone, or has no room for it, it is
 * dropped and counted (`stats().dropped`). It waits where shared memory is used up.
 *
 * @example
 * ```ts
 * const reply = new Reply();
 * await reply.bind("inproc://service");
 * for await (const [name] of reply) await reply.send(`hello ${name}`);
 * ```
 */
export class Reply<Out = MessageLike, In = Received<Out>> extends RoutedSocket<Out, In> {
  constructor(...[options = {}]: CodecUnlessMessage<ReplyOptions<Out, In>>) {
    super(REP, options, ["codec", "routingId"], (core) => {
      const obligation = new Obligation();
      const receiver = new RequestReceiver(core, obligation);
      const sender = new ReplySender(core, obligation, receiver);
      receiver.isReplying = () => sender.pending > 0;
      return new Ways(core, { sender, receiver });
    });
  }
}
