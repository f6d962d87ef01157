// SPDX-License-Identifier: MIT

/**
 * Any sequence of calls on several XPUBs, SUBs and an XSUB of one thread, beside a model that knows
 * no pipes, no records and no tries: only who is linked with whom, and what was said on each link.
 * Publishers bind one name, subscribers another; each connects to the other's.
 *
 *   P1  A subscriber receives what was published while it was linked and a prefix of it was wanted,
 *       once for each link, in order, and nothing else.
 *   P2  An XPUB hears of a subscription if it is the first to its topic, or all are told; of an
 *       unsubscription if it is the last, or all are told. If it decides by hand, of all.
 *   P3  Who decides by hand gives what it says, and nothing else.
 *   P4  To each publisher that comes anew everything is said again; what one that has gone had
 *       heard it hears no more of.
 *   P5  Both count the same topics.
 *   P6  `sent = received + queued + dropped`, and nothing is dropped: there is no watermark.
 *   P7  When all is closed, nothing is in use.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  Context,
  type Message,
  Subscriber,
  type Verbosity,
  XPublisher,
  XSubscriber,
} from "threadmq";
import { checkAllAsync } from "#src/testing/index.ts";

const RUNS = 1500;
const PUBS = 2;
const SUBS = 3;
/** By it an XPUB that decides by hand gives more special topics than were asked for. */
const SPECIAL = "a";
const UNLIMITED = { sendHighWaterMark: 0 };
const NAMES = { pub: "inproc://publishers", sub: "inproc://subscribers" };
const TOPICS = ["", "a", "b", "ab", "aa", "aab", "ba", "aaba"];

const kind = fc.constantFrom("pub" as const, "sub" as const);
const at = fc.nat(SUBS - 1);
const topic = fc.constantFrom(...TOPICS);
const verbosity = fc.constantFrom<Verbosity>(null, "allSubs", "allSubsUnsubs");
const which = { kind, at };
const command = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      call: fc.constant("open" as const),
      ...which,
      verbosity,
      manual: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ call: fc.constant("close" as const), ...which }) },
  { weight: 2, arbitrary: fc.record({ call: fc.constant("bind" as const), ...which }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant("unbind" as const), ...which }) },
  { weight: 3, arbitrary: fc.record({ call: fc.constant("connect" as const), ...which }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant("disconnect" as const), ...which }) },
  { weight: 5, arbitrary: fc.record({ call: fc.constant("subscribe" as const), at, topic }) },
  { weight: 3, arbitrary: fc.record({ call: fc.constant("unsubscribe" as const), at, topic }) },
  { weight: 6, arbitrary: fc.record({ call: fc.constant("publish" as const), at, topic }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant("verbosity" as const), at, verbosity }) },
  { weight: 2, arbitrary: fc.record({ call: fc.constant("receive" as const), at }) },
);
type Arbitrary<T> = T extends fc.Arbitrary<infer Value> ? Value : never;
type Command = Arbitrary<typeof command>;

/** What one end says: 1 or 0, and the topic, as an XPUB receives it. */
type Said = readonly [what: 1 | 0, topic: string];

interface Link {
  readonly connecter: Peer;
  pub: Pub | undefined;
  sub: Sub | undefined;
  /** What was said to a publisher that is not there yet. */
  said: Said[];
  /** What its publisher knows to be wanted. */
  wants: Set<string>;
}

class Pub {
  readonly kind = "pub";
  readonly socket: XPublisher;
  readonly manual: boolean;
  verbosity: Verbosity;
  /** What is to be heard. */
  heard: string[] = [];

  constructor(context: Context, verbosity: Verbosity, manual: boolean) {
    this.socket = new XPublisher({ context, verbosity, manual, ...UNLIMITED });
    this.verbosity = verbosity;
    this.manual = manual;
  }
}

class Sub {
  readonly kind = "sub";
  readonly socket: Subscriber | XSubscriber;
  readonly counts = new Map<string, number>();
  /** What is to be received: numbers. */
  due: number[] = [];
  /** By more than one link, what one publisher has sent may overtake itself. */
  inOrder = true;

  constructor(context: Context, isX: boolean) {
    const options = { context, receiveHighWaterMark: 0 };
    this.socket = isX ? new XSubscriber(options) : new Subscriber(options);
  }

  change(what: "subscribe" | "unsubscribe", topic: string): void {
    const { socket } = this;
    if (socket instanceof Subscriber) socket[what](topic);
    else socket.sendSync(`${what === "subscribe" ? "\x01" : "\0"}${topic}`);
  }
}

type Peer = Pub | Sub;

/**
 * What somebody hears who has not looked for a while. Who has come and gone meanwhile may be heard
 * of or not, and how several took turns is not foretold; but what holds in the end is.
 */
function checkLate(got: readonly string[], heard: readonly string[]): void {
  for (const topic of new Set([...got, ...heard].map((one) => one.slice(1)))) {
    const about = (all: readonly string[]) => all.filter((one) => one.slice(1) === topic);
    const [mine, due] = [about(got), about(heard)];
    assert.ok(due.length > 0, `nobody has said anything of ${topic}`);
    if (mine.length > 0) assert.equal(mine.at(-1), due.at(-1), "P2, P4: in the end");
    else assert.ok(due[0] === `1${topic}` && due.at(-1) === `0${topic}`, "P2, P4: unseen");
  }
}

class World {
  readonly #context: Context;
  readonly #open = { pub: new Map<number, Pub>(), sub: new Map<number, Sub>() };
  readonly #binders: { pub: Pub | undefined; sub: Sub | undefined } = {
    pub: undefined,
    sub: undefined,
  };
  #links: Link[] = [];
  #published = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Calls since everybody has heard what has happened. */
  #done = 0;

  /** @param looks Whether everybody hears then what has happened. */
  do(command: Command, looks = true): void {
    this.#done++;
    const pub = this.#open.pub.get(command.at);
    const sub = this.#open.sub.get(command.at);
    switch (command.call) {
      case "open":
        this.#openOne(command);
        break;
      case "publish":
        if (pub !== undefined) this.#publish(pub, command.topic);
        break;
      case "verbosity":
        this.#check(); // It counts for what is heard from then on.
        if (pub !== undefined) pub.verbosity = pub.socket.verbosity = command.verbosity;
        break;
      case "subscribe":
      case "unsubscribe":
        if (sub !== undefined) this.#change(sub, command.call, command.topic);
        break;
      case "receive":
        if (sub !== undefined) this.#receive(sub);
        break;
      default: {
        const peer = command.kind === "pub" ? pub : sub;
        if (peer !== undefined) this[`_${command.call}`](peer, command.at);
      }
    }
    if (looks || this.#decides) this.#check();
  }

  /** Whether somebody decides by hand: then what was asked for is given at once. */
  get #decides(): boolean {
    return [...this.#open.pub.values()].some(({ manual }) => manual);
  }

  end(): void {
    this.#check();
    for (const kind of ["sub", "pub"] as const) {
      for (const [at, peer] of this.#open[kind]) this._close(peer, at);
    }
    const { sockets, pipes, endpoints } = this.#context.stats();
    assert.deepEqual({ sockets, pipes, endpoints }, { sockets: 0, pipes: 0, endpoints: 0 }, "P7");
  }

  #openOne(command: Command & { call: "open" }): void {
    const { kind, at } = command;
    if (this.#open[kind].has(at)) return;
    if (kind === "sub") this.#open.sub.set(at, new Sub(this.#context, at === 0));
    else if (at < PUBS) {
      this.#open.pub.set(at, new Pub(this.#context, command.verbosity, command.manual));
    }
  }

  _bind(peer: Peer): void {
    if (this.#binders[peer.kind] !== undefined) return;
    peer.socket.bindSync(NAMES[peer.kind]);
    this.#binders[peer.kind] = peer as never;
    for (const link of this.#links) if (link.connecter.kind !== peer.kind) this.#come(link, peer);
  }

  _unbind(peer: Peer): void {
    if (this.#binders[peer.kind] !== peer) return;
    this.#receiveAll();
    peer.socket.unbindSync(NAMES[peer.kind]);
    this.#leaveName(peer);
  }

  _connect(peer: Peer): void {
    const other = peer.kind === "pub" ? "sub" : "pub";
    if (this.#links.length === 8) return;
    this.#receiveAll();
    peer.socket.connect(NAMES[other]);
    const isPub = peer instanceof Pub;
    const link: Link = {
      connecter: peer,
      pub: isPub ? peer : undefined,
      sub: isPub ? undefined : peer,
      said: isPub ? [] : everything(peer),
      wants: new Set(),
    };
    this.#links.push(link);
    const binder = this.#binders[other];
    if (binder !== undefined) this.#come(link, binder);
  }

  _disconnect(peer: Peer): void {
    const mine = this.#links.filter(({ connecter }) => connecter === peer);
    if (mine.length === 0) return;
    this.#receiveAll();
    peer.socket.disconnect(NAMES[peer.kind === "pub" ? "sub" : "pub"]);
    for (const link of mine) this.#part(link);
    this.#links = this.#links.filter(({ connecter }) => connecter !== peer);
  }

  _close(peer: Peer, at: number): void {
    this.#receiveAll();
    peer.socket.close();
    this.#open[peer.kind].delete(at);
    if (this.#binders[peer.kind] === peer) this.#leaveName(peer);
    for (const link of this.#links) if (link.connecter === peer) this.#part(link);
    this.#links = this.#links.filter(({ connecter }) => connecter !== peer);
  }

  /** A binder is there. */
  #come(link: Link, peer: Peer): void {
    if (peer instanceof Pub) link.pub = peer;
    else {
      link.sub = peer;
      link.said = everything(peer);
    }
    const { said } = link;
    link.said = [];
    for (const one of said) this.#hear(link, one);
    const sub = link.sub as Sub;
    const same = this.#links.filter((other) => other.sub === sub && other.pub === link.pub);
    if (same.length > 1) sub.inOrder = false;
  }

  /** A binder lets go of all who have connected to it. */
  #leaveName(peer: Peer): void {
    this.#binders[peer.kind] = undefined;
    for (const link of this.#links) {
      if (link.connecter.kind === peer.kind) continue;
      this.#part(link);
      if (peer instanceof Pub) {
        link.pub = undefined;
        link.said = everything(link.sub as Sub);
      } else link.sub = undefined;
    }
  }

  /** Whoever was linked is not any more: the publisher forgets what was wanted. */
  #part(link: Link): void {
    const { pub, sub, wants } = link;
    if (pub === undefined || sub === undefined) return;
    for (const topic of [...wants]) {
      wants.delete(topic);
      if (pub.manual || pub.verbosity === "allSubsUnsubs" || !this.#isWanted(pub, topic)) {
        pub.heard.push(`0${topic}`);
      }
    }
  }

  /** A publisher hears what is said on a link. */
  #hear({ pub, wants }: Link, [what, topic]: Said): void {
    if (pub === undefined) return;
    const { manual, verbosity } = pub;
    const wasWanted = this.#isWanted(pub, topic);
    if (what === 1) {
      wants.add(topic);
      if (manual || verbosity !== null || !wasWanted) pub.heard.push(`1${topic}`);
    } else {
      wants.delete(topic);
      const isLast = !this.#isWanted(pub, topic);
      if (manual || verbosity === "allSubsUnsubs" || isLast) pub.heard.push(`0${topic}`);
    }
  }

  #isWanted(pub: Pub, topic: string): boolean {
    return this.#links.some((link) => link.pub === pub && link.wants.has(topic));
  }

  #change(sub: Sub, what: "subscribe" | "unsubscribe", topic: string): void {
    const count = sub.counts.get(topic) ?? 0;
    if (what === "unsubscribe") this.#receiveAll();
    sub.change(what, topic);
    if (what === "subscribe") sub.counts.set(topic, count + 1);
    else if (count > 1) sub.counts.set(topic, count - 1);
    else sub.counts.delete(topic);
    if (what === "unsubscribe" && count !== 1) return;
    const said: Said = [what === "subscribe" ? 1 : 0, topic];
    for (const link of this.#links) {
      if (link.sub !== sub) continue;
      if (link.pub === undefined) link.said.push(said);
      else this.#hear(link, said);
    }
  }

  #publish(pub: Pub, topic: string): void {
    const number = this.#published++;
    assert.equal(pub.socket.trySend([topic, `${number}`]), true);
    for (const { pub: from, sub, wants } of this.#links) {
      if (from !== pub || sub === undefined) continue;
      // What was asked for is given, by `#listen`, with one letter more.
      const given = [...wants].map((one) => (pub.manual ? one + SPECIAL : one));
      if (given.some((one) => topic.startsWith(one))) sub.due.push(number);
    }
  }

  /** Before messages could be dropped. Who has none hears nothing by that. */
  #receiveAll(): void {
    for (const sub of this.#open.sub.values()) if (sub.due.length > 0) this.#receive(sub);
  }

  #receive(sub: Sub): void {
    const got: number[] = [];
    for (;;) {
      const message: Message | undefined = sub.socket.tryReceive();
      if (message === undefined) break;
      assert.equal(message.length, 2);
      got.push(Number(`${message[1]}`));
    }
    // Of one publisher in order; of several in any.
    if (sub.inOrder && this.#open.pub.size < 2) assert.deepEqual(got, sub.due, "P1: in order");
    assert.deepEqual(got.sort(byNumber), sub.due.sort(byNumber), "P1");
    sub.due = [];
  }

  /** An XPUB hears; and decides, if it is to. */
  #listen(pub: Pub): void {
    const got: string[] = [];
    for (;;) {
      const message = pub.socket.tryReceive();
      if (message === undefined) break;
      const [bytes] = message as [Buffer];
      const topic = `${bytes.subarray(1)}`;
      got.push(`${bytes[0]}${topic}`);
      if (!pub.manual) continue;
      if (bytes[0] === 1) pub.socket.subscribe(topic + SPECIAL);
      else pub.socket.unsubscribe(topic + SPECIAL);
    }
    if (this.#done > 1) checkLate(got, pub.heard);
    else assert.deepEqual(got.sort(), pub.heard.sort(), "P2, P4");
    pub.heard = [];
  }

  #check(): void {
    this.#look();
    this.#done = 0;
  }

  #look(): void {
    for (const sub of this.#open.sub.values()) {
      sub.socket.stats(); // It hears who has come.
      assert.equal(sub.socket.topicsCount, sub.counts.size, "P5");
    }
    for (const pub of this.#open.pub.values()) this.#listen(pub);
    for (const pub of this.#open.pub.values()) {
      const topics = new Set<string>();
      for (const link of this.#links) {
        if (link.pub === pub) for (const topic of link.wants) topics.add(topic);
      }
      assert.equal(pub.socket.topicsCount, topics.size, "P5");
    }
    const { sent, received, queued, dropped } = this.#context.stats().messages;
    assert.equal(sent, received + queued + dropped, "P6");
    assert.equal(dropped, 0, "P6");
  }
}

/** All that a subscriber wants, as it is said to whoever comes. */
function everything(sub: Sub): Said[] {
  return [...sub.counts.keys()].map((topic) => [1, topic] as const);
}

function byNumber(a: number, b: number): number {
  return a - b;
}

test("any sequence of calls keeps what publishers and subscribers promise", async () => {
  let context = new Context();
  const property = fc.asyncProperty(
    fc.boolean(),
    fc.array(fc.tuple(command, fc.boolean()), { maxLength: 70, size: "max" }),
    async (byHand, all) => {
      const world = new World(context);
      try {
        for (let at = 0; at < SUBS; at++) {
          for (const kind of ["pub", "sub"] as const) {
            world.do({ call: "open", kind, at, verbosity: null, manual: byHand && at === 1 });
          }
        }
        for (const [each, looks] of all) {
          if (each.call === "open") world.do({ ...each, manual: byHand && each.manual }, looks);
          else world.do(each, looks);
        }
        world.end();
      } catch (error) {
        await context.terminate();
        context = new Context();
        throw error;
      }
    },
  );
  await checkAllAsync("pubsub", RUNS, property);
  await context.terminate();
});
