// SPDX-License-Identifier: MIT

import {
  ABSENT,
  isAttended,
  LET_GO,
  type Mark,
  type Message,
  type Pipe,
  type PipeReader,
} from "../pipe/index.ts";
import {
  type Codec,
  type Outgoing,
  Receiver,
  Sender,
  type SocketCore,
  Ways,
} from "../socket/index.ts";
import {
  BEGIN,
  COMPLETE,
  Dist,
  type DistOwner,
  type DropCause,
  FORGET_ALL,
  KNOWN,
  numberIn,
  type Outlet,
  POLICIES,
  RETURNED,
  SUBSCRIBE,
  UNSUBSCRIBE,
  WHEN_FULL,
  type WhenFull,
  type Wishes,
} from "../strategy/index.ts";

/**
 * publishing — what those who publish have in common: PUB, XPUB and RADIO, and XSUB upwards.
 *
 *   Distributor   the sending half: to all whom a message is for
 *   Upstream      the receiving half: hears at once what is wanted
 *   Publishing    both; it knows who wants what
 */
/** Says to whom a message goes: these match, and no others. */
export type Select = (message: Outgoing, dist: Dist) => void;

const toAll: Select = (_message, dist) => dist.matchAll();

/** The sending half of those who send to many. */
export class Distributor extends Sender<Outgoing> implements DistOwner {
  readonly dist: Dist;
  /** Set by who knows. */
  select: Select = toAll;
  /** Called when a message has been given to all whom it was for. */
  onSent: () => void = () => {};

  constructor(core: SocketCore) {
    super(core);
    this.dist = new Dist(this.thread, this);
  }

  /** In a batch, too, what has been subscribed to meanwhile counts from the next message on. */
  protected write(message: Outgoing): boolean {
    this.enter();
    const { dist } = this;
    dist.noDrop = this.core.options.noDrop;
    this.select(message, dist);
    if (!dist.write(message)) return false;
    this.onSent();
    return true;
  }

  flush(): void {
    this.dist.flush();
  }

  protected override park(): boolean {
    return this.dist.park();
  }

  protected override get busy(): boolean {
    return this.dist.aside > 0;
  }

  get ready(): boolean {
    this.dist.noDrop = this.core.options.noDrop;
    return this.dist.ready;
  }

  attached(pipe: Pipe): void {
    this.changed(pipe);
  }

  /** Whoever is not there gets nothing: nobody has subscribed. */
  changed(pipe: Pipe): void {
    if (!isAttended(pipe.peerState)) this.dist.remove(pipe);
    else if (!this.dist.has(pipe)) this.dist.attach(pipe);
    this.again();
  }

  removed(pipe: Pipe): void {
    this.dist.remove(pipe);
  }

  ended(pipe: Pipe, done: () => void): void {
    this.dist.remove(pipe);
    this.core.dropped(pipe.queuedInLane, "peer left");
    done();
    this.again();
  }

  activated(pipe: Pipe): void {
    this.dist.activated(pipe);
    this.again();
  }

  override memoryFreed(): void {
    this.dist.memoryFreed();
    super.memoryFreed();
  }

  get sendHighWaterMark(): number {
    return this.core.options.sendHighWaterMark;
  }

  /** See DistOwner. */
  dropped(_pipe: Pipe, count: number, why: DropCause): void {
    this.core.dropped(count, why);
  }

  /** See DistOwner. It may be told while a message is being written. */
  lost({ endpoint, at, side }: Pipe, count: number, why: DropCause): void {
    this.core.member.log.later("messages.dropped", { endpoint, pipe: at, side, count, why });
  }

  /** See DistOwner. */
  tooSlow(pipe: Pipe): void {
    this.core.unlink(pipe, LET_GO);
  }
}

/** What is to be received, and who has said it. */
interface Arrival {
  readonly message: Message;
  readonly from: Outlet | undefined;
  /** In which pipe it has come, if it is a message, and how far that was read then. */
  readonly pipe: Pipe | undefined;
  readonly mark: Mark | undefined;
}

/**
 * The receiving half of those who publish: it reads what comes at once, so that a subscription
 * takes effect although nobody asks for messages. Messages that an XSUB sends to an XPUB wait here;
 * the room of each is given back when it is taken.
 */
class Upstream extends Receiver<Message> {
  /** Hears the control records. Set by who understands them. */
  hear: (pipe: Pipe, record: Uint8Array) => void = () => {};
  /** Called when all has been heard that had come. */
  onHeard: () => void = () => {};
  /** Whether messages are kept; a PUB throws them away. */
  readonly #keeps: boolean;
  /** Those that no peer has sent as messages, and whom each is about. */
  readonly #notices = new WeakMap<object, Outlet>();
  readonly #queue: Arrival[] = [];
  #head = 0;
  /** Where the last message came from. It may be gone. */
  from: Outlet | undefined;
  readonly #dist: Dist;

  constructor(core: SocketCore, keeps: boolean, dist: Dist) {
    super(core);
    this.#keeps = keeps;
    this.#dist = dist;
  }

  override attached(pipe: Pipe): void {
    const reader = pipe.reader as PipeReader;
    reader.onControl = (record) => this.hear(pipe, record);
    this.#read(pipe);
  }

  override activated(pipe: Pipe): void {
    this.#read(pipe);
  }

  override drain(pipe: Pipe, done: () => void): void {
    this.#read(pipe);
    pipe.reader?.release();
    done();
  }

  /** Something is to be received that was in no message, and is for no codec. */
  add(message: Message, from: Outlet): void {
    this.#notices.set(message, from);
    this.#queue.push({ message, from, pipe: undefined, mark: undefined });
    this.pump();
  }

  protected override decode(codec: Codec<unknown>, message: Message): unknown {
    return this.#notices.has(message) ? message : super.decode(codec, message);
  }

  protected override get arrived(): boolean {
    return this.#head < this.#queue.length;
  }

  override get aside(): number {
    const isAside = ({ pipe, mark }: Arrival) => {
      if (pipe === undefined) return false;
      return !this.core.pipes.has(pipe) || pipe.reader?.isReleased(mark as Mark) === true;
    };
    return super.aside + this.#queue.slice(this.#head).filter(isAside).length;
  }

  override closed(): number {
    const lost = super.closed();
    for (const { reader } of this.core.pipes) reader?.forgo();
    this.#queue.length = this.#head = 0;
    return lost;
  }

  protected override park(): boolean {
    return !this.arrived;
  }

  protected override take(): Message | undefined {
    const entry = this.#queue[this.#head];
    if (entry === undefined) return undefined;
    this.#head++;
    if (this.#head * 2 > this.#queue.length) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
    const { message, from, pipe, mark } = entry;
    this.from = from;
    this.count(1);
    if (pipe !== undefined && this.core.pipes.has(pipe)) pipe.reader?.releaseUpTo(mark as Mark);
    return message;
  }

  /** If it was put back, others may have been received since. */
  override takePassing(): readonly unknown[] | undefined {
    const message = super.takePassing();
    const from = message === undefined ? undefined : this.#notices.get(message);
    if (from !== undefined) this.from = from;
    return message;
  }

  #read(pipe: Pipe): void {
    const reader = pipe.reader as PipeReader;
    do {
      for (let message = reader.read(); message !== undefined; message = reader.read()) {
        if (!this.#keeps) continue;
        const from = this.#dist.outlet(pipe);
        this.#queue.push({ message, from, pipe, mark: reader.mark });
      }
      if (!this.#keeps) reader.release();
    } while (!reader.sleep());
    this.pump();
    this.onHeard();
  }
}

export class Publishing extends Ways {
  protected readonly wishes: Wishes<Outlet>;
  declare readonly sender: Distributor;
  declare readonly receiver: Upstream;
  /** Those who have not said all that they want: they get everything. */
  readonly #eager = new Set<Outlet>();
  /** Which binder of a pipe its outlet is for. */
  readonly #bindings = new WeakMap<Outlet, number>();
  /** Those who have begun to say what they want; what was said before is not for us. */
  readonly #heard = new WeakSet<Outlet>();

  /** @param keeps Whether messages from subscribers are kept. */
  constructor(
    core: SocketCore,
    wishes: Wishes<Outlet>,
    keeps: boolean,
    sender: Distributor = new Distributor(core),
  ) {
    const receiver = new Upstream(core, keeps, sender.dist);
    super(core, { sender, receiver });
    this.wishes = wishes;
    sender.select = (message, dist) => this.select(topicOf(message), dist);
    receiver.hear = (pipe, record) => this.#hear(pipe, record);
    receiver.onHeard = () => sender.again(); // Who waited for somebody may not have to any more.
  }

  override attached(pipe: Pipe): void {
    this.sender.attached(pipe);
    this.#welcome(pipe);
    this.receiver.attached(pipe);
  }

  override peerChanged(pipe: Pipe): void {
    const { dist } = this.sender;
    const before = dist.outlet(pipe);
    // Another is there: what the one before had wanted is of no interest, nor what it has not got.
    if (before !== undefined && this.#bindings.get(before) !== pipe.binding) dist.remove(pipe);
    super.peerChanged(pipe);
    const outlet = dist.outlet(pipe);
    if (outlet === before) return;
    if (before !== undefined) this.#forget(before);
    if (outlet === undefined) {
      this.#discard(pipe);
      return;
    }
    this.#welcome(pipe);
    this.receiver.activated(pipe); // It may have said something already.
  }

  protected override end(pipe: Pipe, leave: () => void): void {
    // First what it has said and we have not heard.
    this.receiver.activated(pipe);
    this.forget(pipe);
    super.end(pipe, leave);
  }

  /** Finds all whom a message of this topic is for. */
  protected select(topic: Uint8Array, dist: Dist): void {
    const { wishes } = this;
    const wanted = wishes.find(topic);
    if (wanted === undefined) dist.unmatch();
    else dist.matchThose(wanted, wishes.changes);
    if (this.core.options.invertMatching) dist.invert();
    if (this.#eager.size > 0) this.#eager.forEach(dist.match);
  }

  /** Somebody wants a topic. */
  protected want(topic: Uint8Array, outlet: Outlet): void {
    this.wishes.add(topic, outlet);
  }

  /** Somebody wants a topic no longer. */
  protected unwant(topic: Uint8Array, outlet: Outlet): void {
    this.wishes.remove(topic, outlet);
  }

  /** Somebody has taken back one of several subscriptions to a topic. */
  protected returned(_topic: Uint8Array, _outlet: Outlet): void {}

  /** Somebody wants nothing any more. */
  protected unwantAll(outlet: Outlet): void {
    this.wishes.removeAll(outlet);
  }

  /** What a new peer gets first. */
  protected greet(_outlet: Outlet): void {}

  #welcome(pipe: Pipe): void {
    const outlet = this.sender.dist.outlet(pipe);
    if (outlet === undefined) return;
    this.#bindings.set(outlet, pipe.binding);
    this.#eager.add(outlet);
    outlet.tell(Uint8Array.of(BEGIN));
    this.greet(outlet);
  }

  /** What a binder that is gone had not read was for nobody else, and is dropped. */
  #discard(pipe: Pipe): void {
    const { core } = this;
    if (!core.pipes.has(pipe) || pipe.side !== "connecter" || pipe.peerState !== ABSENT) return;
    if (pipe.queuedOut === 0) return;
    this.receiver.drain(pipe, () => core.renew(pipe)); // What it has sent itself is received.
  }

  protected override forget(pipe: Pipe): void {
    const outlet = this.sender.dist.outlet(pipe);
    if (outlet !== undefined) this.#forget(outlet);
  }

  #forget(outlet: Outlet): void {
    this.#eager.delete(outlet);
    this.unwantAll(outlet);
  }

  #hear(pipe: Pipe, record: Uint8Array): void {
    const { dist } = this.sender;
    const outlet = dist.outlet(pipe);
    if (outlet === undefined) return; // It was said to another.
    const what = record[0];
    if (what === FORGET_ALL) this.#restart(outlet, numberIn(record));
    else if (!this.#heard.has(outlet)) return;
    else if (what === SUBSCRIBE) this.want(record.subarray(1), outlet);
    else if (what === UNSUBSCRIBE) this.unwant(record.subarray(1), outlet);
    else if (what === RETURNED) this.returned(record.subarray(1), outlet);
    else if (what === WHEN_FULL) {
      dist.setWhenFull(outlet, POLICIES[record[1] as number] as WhenFull);
    } else if (what === COMPLETE) {
      this.#eager.delete(outlet);
      outlet.tell(Uint8Array.of(KNOWN));
    }
  }

  /** A subscriber will say everything; to which binder of the pipe, it has said. */
  #restart(outlet: Outlet, binding: number): void {
    if (this.#heard.delete(outlet)) {
      this.#forget(outlet);
      this.#eager.add(outlet);
      outlet.tell(Uint8Array.of(BEGIN));
    }
    if (binding === this.#bindings.get(outlet)) this.#heard.add(outlet);
  }
}

const encoder = new TextEncoder();

/** The first part of a message, as bytes. */
function topicOf(message: Outgoing): Uint8Array {
  const part = message instanceof Uint8Array ? message : message.parts[0];
  return typeof part === "string" ? encoder.encode(part) : (part as Uint8Array);
}
