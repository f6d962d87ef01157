// SPDX-License-Identifier: MIT

/**
 * Any sequence of calls on several PUSHes and PULLs of one thread, beside a model that knows no
 * queues: only which messages were accepted, which are in somebody's hands, and who is linked.
 *
 * The model does not foretell which way a message goes. It says what must hold after each call:
 *
 *   P1  Each accepted message is received whole, and once; again only if its receiver closed
 *       without having acknowledged it, and then it is marked, and only then.
 *   P2  What one sender sent by one pipe is in order: what comes by `n` pipes between two sockets
 *       is made of at most `n` sequences that are. What another peer has left unread and goes to
 *       these pipes too, may make two of each.
 *   P3  No more is queued than the watermarks and the swaps of all pipes together allow; and
 *       nothing is accepted without a peer.
 *   P4  As long as less is queued than the watermarks of all pipes together allow, one of them has
 *       room, and a message is accepted.
 *   P5  `sent = received + queued + dropped`, and the first two are what the model has counted.
 *   P6  Only what was sent by a bound PUSH to a PULL is dropped, when both have let go of it; and
 *       it is counted by the PUSH if it was left with that.
 *   P7  `drain` is settled at once if, and only if, nothing is queued.
 *   P8  When all is closed and who binds late has received what was left, nothing is in use.
 *   P9  What has arrived at a receiver is there until it has acknowledged it, or closed.
 *   P10 Who is bound to a name is linked to all who have connected to it, as soon as whoever was
 *       bound before has received what had arrived there.
 *
 * With little memory the same holds, but that a message may find none (P4).
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Context, type Message, Pull, Push, type ZmqError } from "threadmq";
import { checkAllAsync } from "#src/testing/index.ts";
import {
  bodies,
  type Command,
  command,
  links,
  NAMES,
  openPull,
  openPush,
  SLOTS,
} from "./commands.ts";
import { failure } from "./failure.ts";

const RUNS = 2500;
const RUNS_IN_LITTLE = 900;
/** A dozen of the larger messages. */
const LITTLE = 524_288;
/** What the smallest message takes in a swap: see `SendOptions.swap`. */
const LEAST_SWAPPED = 24 + 8 + 8;
const ENDS = ["read first", "senders first", "receivers first"] as const;
const NOW = { timeout: 0 };

/** A message that was accepted. */
interface Sent {
  readonly from: Sender;
  readonly number: number;
  readonly sizes: readonly number[];
  state: "queued" | "held" | "received";
  /** It was in the hands of somebody who closed. */
  marked: boolean;
}

/** A pipe, from the call that has made it on. */
interface Link {
  readonly connecter: Peer;
  readonly name: number;
  /** The connecter has let go of it. */
  ended: boolean;
  /** The most that its watermarks have allowed since its sender had nothing queued. */
  most: number;
  /** Those who have let go of it, and may still read from it, or empty their swap into it. */
  busy: Peer[];
  readonly senders: Set<Sender>;
}

class Sender {
  readonly kind = "push";
  readonly socket: Push;
  mark: number;
  swap: number;
  readonly accepted: Sent[] = [];
  received = 0;
  /** What was queued after the last call, and the largest swap since that was nothing. */
  queued = 0;
  mostSwap: number;
  /** Links that have ended, but of which messages may be queued. */
  readonly ended = new Set<Link>();
  /** How often a peer has left something unread that goes to the others. */
  returns = 0;
  /** A PULL that had connected has left; and a name, or all, was let go of. */
  wasLeft = false;
  hasLeft = false;
  /** No other has sent by one of its pipes: its peers have its messages from nobody else. */
  isAlone = true;
  /** Let go of any link: what it had sent there is then not queued with it. */
  hasLetGo = false;

  constructor(context: Context, mark: number, swap: number) {
    this.socket = new Push({ context, sendHighWaterMark: mark, swap });
    this.mark = mark;
    this.swap = this.mostSwap = swap;
  }

  /** Whether what it has sent may have been dropped. */
  get mayLose(): boolean {
    return this.wasLeft && this.hasLeft;
  }
}

class Receiver {
  readonly kind = "pull";
  readonly socket: Pull;
  mark: number;
  /** What was queued after the last call, and how many were acknowledged since. */
  queued = 0;
  acknowledged = 0;
  received = 0;
  /** Received and not acknowledged. */
  held: Sent[] = [];
  /** For each sender: the last numbers of the sequences that have come, and by which pipes. */
  readonly sequences = new Map<Sender, number[]>();
  readonly links = new Map<Sender, Set<Link>>();

  constructor(context: Context, mark: number, acknowledge: boolean) {
    this.socket = new Pull({ context, receiveHighWaterMark: mark, acknowledge });
    this.mark = mark;
  }
}

type Peer = Sender | Receiver;

/** How many messages may lie in a pipe between the two. */
function allowed(sender: Sender, receiver: Receiver | undefined): number {
  if (sender.mark === 0 || receiver?.mark === 0) return Number.POSITIVE_INFINITY;
  return sender.mark + (receiver?.mark ?? 0);
}

class World {
  readonly context: Context;
  readonly #hasMemory: boolean;
  readonly #before: ReturnType<Context["stats"]>;
  readonly #open = { push: new Map<number, Sender>(), pull: new Map<number, Receiver>() };
  readonly #senders: Sender[] = [];
  readonly #receivers: Receiver[] = [];
  readonly #links: Link[] = [];
  readonly #binders = new Map<number, Peer>();

  /** @param hasMemory Whether there is enough for everything. */
  constructor(context: Context, hasMemory: boolean) {
    this.context = context;
    this.#hasMemory = hasMemory;
    this.#before = context.stats();
  }

  async do(command: Command): Promise<void> {
    const peer = "kind" in command ? this.#open[command.kind].get(command.at) : undefined;
    const sender = this.#open.push.get(command.at);
    const receiver = this.#open.pull.get(command.at);
    switch (command.call) {
      case "open push":
        if (sender === undefined) this.#openPush(command.at, command.mark, command.swap);
        break;
      case "open pull":
        if (receiver === undefined) this.#openPull(command.at, command.mark, command.acknowledge);
        break;
      case "close":
        if (peer !== undefined) this.#close(peer);
        break;
      case "mark":
        if (peer !== undefined) this.#setMark(peer, command.mark);
        break;
      case "swap":
        if (sender !== undefined) this.#setSwap(sender, command.swap);
        break;
      case "send":
        if (sender !== undefined) this.#send(sender, [command.parts], true);
        break;
      case "send many":
        if (sender !== undefined) this.#send(sender, command.all, false);
        break;
      case "receive":
        if (receiver !== undefined) this.#receive(receiver);
        break;
      case "receive many":
        if (receiver !== undefined) this.#receive(receiver, command.max);
        break;
      case "acknowledge":
        receiver?.socket.acknowledge();
        if (receiver !== undefined) this.#acknowledged(receiver);
        break;
      case "drain":
        if (sender !== undefined) await this.#drain(sender);
        break;
      default:
        if (peer !== undefined) this[`_${command.call}`](peer, command.name);
    }
    this.#check();
  }

  /** Closes everything, and lets somebody come late to every name. */
  end(how: (typeof ENDS)[number]): void {
    if (how === "read first") for (const each of this.#open.pull.values()) this.#receiveAll(each);
    const [senders, receivers] = [[...this.#open.push.values()], [...this.#open.pull.values()]];
    const order = how === "receivers first" ? [receivers, senders] : [senders, receivers];
    for (const peer of order.flat()) {
      this.#close(peer);
      this.#check();
    }
    const queued = () => this.context.stats().messages.queued;
    for (let before = -1, left = queued(); left !== before; left = queued()) {
      this.#receiveLate();
      before = left;
      // With little memory, a swap comes back in steps: as often as something has come.
      if (this.#hasMemory) break;
    }
    const { messages, memory, ...counts } = this.context.stats();
    const { messages: _, memory: memoryBefore, ...countsBefore } = this.#before;
    assert.deepEqual(counts, countsBefore, "P8: nothing is left");
    assert.equal(memory.used, memoryBefore.used, "P8: all memory is given back");
    assert.equal(messages.queued, 0, "P8: nothing is queued");
    for (const { accepted, received, mayLose } of this.#senders) {
      if (!mayLose) assert.equal(received, accepted.length, "P8: all was received");
    }
  }

  /** Binds each name in turn, and receives what was left there. */
  #receiveLate(): void {
    for (let name = 0; name < NAMES; name++) {
      const late = this.#openPull(0, 1, false);
      this._bind(late, name);
      this.#receiveAll(late);
      this.#close(late);
      this.#check();
    }
  }

  #openPush(at: number, mark: number, swap: number): void {
    const sender = new Sender(this.context, mark, swap);
    this.#open.push.set(at, sender);
    this.#senders.push(sender);
  }

  #openPull(at: number, mark: number, acknowledge: boolean): Receiver {
    const receiver = new Receiver(this.context, mark, acknowledge);
    this.#open.pull.set(at, receiver);
    this.#receivers.push(receiver);
    return receiver;
  }

  #close(peer: Peer): void {
    const isLeft = peer.kind === "push" && this.#isLeftAlone(peer);
    peer.socket.close();
    if (isLeft) assert.equal(peer.socket.stats().dropped, peer.queued, "P6: it is counted");
    for (const [name, binder] of this.#binders) if (binder === peer) this.#unbound(peer, name);
    for (const link of this.#linksOf(peer)) this.#ended(link);
    const open: Map<number, Peer> = this.#open[peer.kind];
    for (const [at, other] of open) if (other === peer) open.delete(at);
    if (peer.kind !== "pull") return;
    for (const sent of peer.held) {
      sent.state = "queued";
      sent.marked = true;
    }
    peer.held = [];
  }

  _bind(peer: Peer, name: number): void {
    const same = this.#links.filter((l) => l.name === name && l.connecter.kind === peer.kind);
    const error = failure(() => peer.socket.bindSync(`inproc://${name}`));
    if (this.#binders.has(name)) assert.equal(error, "EADDRINUSE");
    else if (same.some((l) => !l.ended)) assert.equal(error, "ENOCOMPATPROTO");
    // What is left of a link that has ended may refuse it too.
    else if (same.length === 0) assert.equal(error, undefined);
    if (error !== undefined) return;
    this.#binders.set(name, peer);
    for (const link of this.#links) if (link.name === name) this.#linked(link, peer);
  }

  _connect(peer: Peer, name: number): void {
    const binder = this.#binders.get(name);
    const error = failure(() => peer.socket.connect(`inproc://${name}`));
    if (error === "ENOMEM") assert.ok(!this.#hasMemory);
    else assert.equal(error, binder?.kind === peer.kind ? "ENOCOMPATPROTO" : undefined);
    if (error !== undefined) return;
    const senders = new Set<Sender>();
    const link: Link = { connecter: peer, name, ended: false, most: 0, busy: [], senders };
    this.#links.push(link);
    if (peer.kind === "push") senders.add(peer);
    if (binder !== undefined) this.#linked(link, binder);
  }

  _unbind(peer: Peer, name: number): void {
    const error = failure(() => peer.socket.unbindSync(`inproc://${name}`));
    assert.equal(error, this.#binders.get(name) === peer ? undefined : "ENOENT");
    if (error === undefined) this.#unbound(peer, name);
  }

  _disconnect(peer: Peer, name: number): void {
    const mine = this.#linksOf(peer).filter((l) => l.name === name);
    const error = failure(() => peer.socket.disconnect(`inproc://${name}`));
    assert.equal(error, mine.length > 0 ? undefined : "ENOENT");
    for (const link of mine) this.#ended(link);
  }

  #linked(link: Link, binder: Peer): void {
    const [a, b] = [link.connecter, binder];
    if (a.kind === "pull" && b.kind === "push") {
      // A PULL that has gone may still be there for what it has not read, and is left to the next.
      if (link.ended && link.senders.size === 0) return;
      link.senders.add(b);
      if (link.ended) b.ended.add(link);
      if (link.ended) b.wasLeft = true;
      if (link.senders.size > 1) for (const sender of link.senders) sender.isAlone = false;
    }
    const receiver = a.kind === "pull" ? a : b;
    if (receiver.kind !== "pull") return;
    for (const sender of link.senders) {
      const links = receiver.links.get(sender) ?? new Set();
      receiver.links.set(sender, links.add(link));
    }
  }

  #unbound(peer: Peer, name: number): void {
    this.#binders.delete(name);
    for (const link of this.#links) {
      if (link.name !== name || link.connecter.kind === peer.kind) continue;
      link.busy.push(peer);
      if (peer.kind === "push") peer.ended.add(link);
    }
    if (peer.kind === "push") peer.hasLeft = peer.hasLetGo = true;
  }

  /** The connecter has let go of it. */
  #ended(link: Link): void {
    link.ended = true;
    for (const sender of link.senders) sender.ended.add(link);
    if (link.connecter.kind === "push") link.connecter.hasLetGo = true;
    else {
      for (const sender of link.senders) {
        sender.wasLeft = true;
        if (sender.received < sender.accepted.length) sender.returns++;
      }
    }
  }

  #setMark(peer: Peer, mark: number): void {
    peer.mark = mark;
    if (peer.kind === "push") peer.socket.sendHighWaterMark = mark;
    else peer.socket.receiveHighWaterMark = mark;
  }

  #setSwap(sender: Sender, swap: number): void {
    sender.socket.swap = sender.swap = swap;
    sender.mostSwap = Math.max(sender.mostSwap, swap);
  }

  #send(sender: Sender, all: readonly (readonly number[])[], one: boolean): void {
    const number = sender.accepted.length;
    const from = this.#senders.indexOf(sender);
    const messages = all.map((sizes, i) => {
      return [`${from}:${number + i}`, ...bodies(number + i, sizes)];
    });
    let accepted = messages.length;
    if (one) accepted = Number(sender.socket.trySend(messages[0] as (string | Buffer)[]));
    else {
      try {
        sender.socket.sendManySync(messages, NOW);
      } catch (error) {
        assert.equal((error as ZmqError).code, "EAGAIN");
        accepted = (error as ZmqError).accepted as number;
        assert.ok(accepted < messages.length);
      }
    }
    const room = Math.max(0, this.#certain(sender) - sender.queued);
    if (this.#hasMemory) assert.ok(accepted >= Math.min(room, messages.length), "P4: has room");
    if ([...this.#targets(sender)].length === 0) assert.equal(accepted, 0, "P3: there is no peer");
    for (let i = 0; i < accepted; i++) {
      const sizes = all[i] as number[];
      sender.accepted.push({
        from: sender,
        number: number + i,
        sizes,
        state: "queued",
        marked: false,
      });
    }
  }

  #receive(receiver: Receiver, max?: number): number {
    const { socket } = receiver;
    let messages: Message[] = [];
    if (max === undefined) messages = [socket.tryReceive()].filter((m) => m !== undefined);
    else {
      try {
        messages = socket.receiveManySync(max, NOW);
        assert.ok(messages.length > 0 && messages.length <= max);
      } catch (error) {
        assert.equal((error as ZmqError).code, "EAGAIN");
      }
    }
    this.#acknowledged(receiver);
    for (const message of messages) this.#received(receiver, message);
    if (!socket.acknowledges) this.#acknowledged(receiver);
    return messages.length;
  }

  #received(receiver: Receiver, message: Message): void {
    const [head, ...rest] = message;
    const [from, number] = `${head}`.split(":").map(Number) as [number, number];
    const sent = this.#senders[from]?.accepted[number];
    assert.ok(sent !== undefined, `P1: ${head} was accepted`);
    assert.equal(sent.state, "queued", `P1: ${head} is nobody's`);
    assert.deepEqual(
      rest.map((part) => part.length),
      sent.sizes,
      `P1: ${head} is whole`,
    );
    const expected = bodies(number, sent.sizes);
    for (const [i, part] of rest.entries()) {
      assert.ok(part.equals(expected[i] as Buffer), `P1: ${head} has its own bytes`);
    }
    assert.equal(receiver.socket.isRedelivered(message), sent.marked, `P1: ${head} is marked`);
    sent.state = "held";
    receiver.held.push(sent);
    receiver.received++;

    const { sequences, links } = receiver;
    const last = sequences.get(sent.from) ?? [];
    sequences.set(sent.from, last);
    const best = Math.max(...last.filter((other) => other < number));
    if (Number.isFinite(best)) last[last.indexOf(best)] = number;
    else last.push(number);
    const most = (links.get(sent.from)?.size ?? 0) * 2 ** sent.from.returns;
    if (!sent.from.isAlone) return;
    assert.ok(last.length <= most, `P2: ${head} is in order: ${last}, in ${most}`);
  }

  #acknowledged(receiver: Receiver): void {
    for (const sent of receiver.held) {
      sent.state = "received";
      sent.from.received++;
    }
    receiver.acknowledged += receiver.held.length;
    receiver.held = [];
  }

  #receiveAll(receiver: Receiver): void {
    for (;;) {
      const count = this.#receive(receiver, 100);
      this.#acknowledged(receiver);
      if (receiver.socket.acknowledges) receiver.socket.acknowledge();
      this.#check();
      if (count === 0) return;
    }
  }

  async #drain(sender: Sender): Promise<void> {
    const { queued } = sender;
    const done = await sender.socket.drain(NOW).then(
      () => true,
      (error: ZmqError) => error.code !== "EAGAIN",
    );
    assert.equal(done, queued === 0, `P7: ${queued} are queued`);
  }

  /** Whether all that is queued was left unread by peers that have closed. */
  #isLeftAlone(sender: Sender): boolean {
    if (sender.hasLetGo || !sender.isAlone || [...this.#targets(sender)].length > 0) return false;
    return [...sender.ended].every((link) => link.connecter.socket.closed);
  }

  /** The links that were made by a socket, and not given up. */
  #linksOf(peer: Peer): Link[] {
    return this.#links.filter((l) => l.connecter === peer && !l.ended);
  }

  /** The links by which a sender sends, and to whom. */
  *#targets(sender: Sender): Iterable<[Link, Receiver | undefined]> {
    for (const link of this.#links) {
      if (link.ended) continue;
      const binder = this.#binders.get(link.name);
      const { connecter } = link;
      if (connecter === sender) yield [link, binder as Receiver | undefined];
      else if (binder === sender && connecter.kind === "pull") yield [link, connecter];
    }
  }

  /** How many messages may certainly be queued. */
  #certain(sender: Sender): number {
    let room = 0;
    for (const [link, receiver] of this.#targets(sender)) {
      if (link.busy.length === 0) room += allowed(sender, receiver);
    }
    return room;
  }

  #check(): void {
    const { messages } = this.context.stats();
    const { sent, received, queued, dropped } = messages;
    const sum = (of: (sender: Sender) => number) => this.#senders.reduce((n, s) => n + of(s), 0);
    assert.equal(
      sent - this.#before.messages.sent,
      sum((s) => s.accepted.length),
      "P5: sent",
    );
    assert.equal(
      received - this.#before.messages.received,
      sum((s) => s.received),
      "P5: received",
    );
    assert.equal(sent, received + queued + dropped, "P5");
    const mayBeLost = sum((s) => (s.mayLose ? s.accepted.length - s.received : 0));
    assert.ok(dropped - this.#before.messages.dropped <= mayBeLost, `P6: ${dropped} dropped`);
    for (const sender of this.#senders) this.#checkSender(sender);
    for (const receiver of this.#receivers) this.#checkReceiver(receiver);
    for (const link of this.#links) {
      if (link.busy.length > 0) link.busy = link.busy.filter((peer) => peer.queued > 0);
    }
  }

  #checkReceiver(receiver: Receiver): void {
    const { received, queuedIn, pipes } = receiver.socket.stats();
    assert.equal(received, receiver.received);
    assert.ok(queuedIn >= receiver.held.length);
    if (!receiver.socket.closed) {
      assert.ok(queuedIn >= receiver.queued - receiver.acknowledged, "P9: it is still there");
    }
    receiver.queued = queuedIn;
    receiver.acknowledged = 0;
    const linked = this.#links.filter((link) => {
      if (link.ended || link.busy.length > 0) return false;
      return link.connecter === receiver || this.#binders.get(link.name) === receiver;
    });
    assert.ok(pipes >= linked.length, "P10: is linked");
  }

  #checkSender(sender: Sender): void {
    const { pipes, sent, queuedOut, pending, dropped } = sender.socket.stats();
    assert.equal(pending, 0);
    assert.equal(sent, sender.accepted.length);
    const targets = [...this.#targets(sender)];
    const free = targets.filter(([link]) => link.busy.length === 0);
    assert.ok(pipes >= free.length && pipes <= targets.length + sender.ended.size, "pipes");
    if (!sender.hasLetGo && sender.isAlone) {
      assert.equal(queuedOut, sent - sender.received, "what was not received is queued");
      assert.equal(dropped, 0);
    }
    let most = 0;
    const inSwap = Math.floor(sender.mostSwap / LEAST_SWAPPED);
    for (const [link, receiver] of targets) {
      link.most = Math.max(link.most, allowed(sender, receiver));
      most += link.most + inSwap;
    }
    for (const link of sender.ended) most += link.most + inSwap;
    assert.ok(queuedOut <= most, `P3: ${queuedOut} are queued, and ${most} may be`);
    sender.queued = queuedOut;
    if (queuedOut > 0) return;
    sender.ended.clear();
    sender.mostSwap = sender.swap;
    for (const [link, receiver] of targets) {
      if ([...link.senders].some(({ queued }) => queued > 0)) continue; // From before us.
      link.most = allowed(sender, receiver);
    }
  }
}

async function check(runs: number, options: { maxMemory?: number }): Promise<void> {
  let context = new Context(options);
  const slots = { minLength: SLOTS, maxLength: SLOTS };
  const linked = fc.constantFrom(...links);
  const begin = fc.tuple(fc.array(openPush, slots), fc.array(openPull, slots), linked);
  const commands = fc.array(command, { maxLength: 60, size: "max" });
  const property = fc.asyncProperty(
    begin,
    commands,
    fc.constantFrom(...ENDS),
    async ([pushes, pulls, first], all, how) => {
      const world = new World(context, options.maxMemory === undefined);
      try {
        for (const [at, each] of pushes.entries()) await world.do({ ...each, at });
        for (const [at, each] of pulls.entries()) await world.do({ ...each, at });
        for (const each of [...first, ...all]) await world.do(each);
        world.end(how);
      } catch (error) {
        // What has failed may leave anything behind: the next run begins in a new one.
        await context.terminate();
        context = new Context(options);
        throw error;
      }
    },
  );
  await checkAllAsync("pipeline", runs, property);
  await context.terminate();
}

describe("any sequence of calls keeps what a pipeline promises", () => {
  test("with memory enough", () => check(RUNS, {}));
  test("with little memory", () => check(RUNS_IN_LITTLE, { maxMemory: LITTLE }));
});
