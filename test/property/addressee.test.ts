// SPDX-License-Identifier: MIT

/**
 * Any sequence of calls on a socket that connects and speaks to one peer, and on those who take the
 * name in turn, in one thread, beside a model that knows who has the link.
 *
 *   P1  What is sent while somebody has the link is received by that one and by nobody else, in
 *       order; what is sent while nobody has it, by the next.
 *   P2  What one leaves unread is dropped, and the sender counts it, once.
 *   P3  `sent = received + queued + dropped`.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Channel, Client, Context, Dealer, Pair, Peer, Router, Server } from "threadmq";
import { checkAll } from "#src/testing/index.ts";
import { failure } from "./failure.ts";

const RUNS = 2000;
const BINDERS = 3;
const NAME = "inproc://a";

/** What the sockets of all these types have in common, where a message is looked at as a list. */
interface Any {
  bindSync(name: string): void;
  unbindSync(name: string): void;
  close(): void;
  stats(): { dropped: number; queuedIn: number; queuedOut: number };
  trySend(message: unknown, options?: object): boolean;
  tryReceive(): readonly unknown[] | undefined;
}

/** How a connecter speaks to who is bound. */
interface Speech {
  readonly connecter: Any;
  readonly say: (text: string) => boolean;
}

type Options = { context: Context; sendHighWaterMark: number; swap: number };

const SPEECHES: Readonly<Record<string, (options: Options) => Speech>> = {
  PAIR: (options) => {
    const pair = new Pair(options);
    pair.connect(NAME);
    return { connecter: pair, say: (text) => pair.trySend(text) };
  },
  CHANNEL: (options) => {
    const channel = new Channel(options);
    channel.connect(NAME);
    return { connecter: channel, say: (text) => channel.trySend(text) };
  },
  "ROUTER by a name of its own": (options) => {
    const router = new Router(options);
    router.connect(NAME, { routingId: "them" });
    return { connecter: router, say: (text) => router.trySend(["them", text]) };
  },
  "ROUTER by the binder's id": (options) => {
    const router = new Router(options);
    router.connect(NAME);
    return { connecter: router, say: (text) => router.trySend(["it", text]) };
  },
  SERVER: (options) => {
    const server = new Server(options);
    const client = new Client({ context: options.context });
    client.bindSync(NAME);
    server.connect(NAME);
    client.trySend("hello");
    const [, from] = server.tryReceive() as [unknown, { routingId: number }];
    client.close();
    return { connecter: server as Any, say: (text) => server.trySend(text, from) };
  },
  PEER: (options) => {
    const peer = new Peer(options);
    const routingId = peer.connectPeer(NAME);
    return { connecter: peer as Any, say: (text) => peer.trySend(text, { routingId }) };
  },
};

function openBinder(kind: string, context: Context, receiveHighWaterMark: number): Any {
  const options = { context, receiveHighWaterMark };
  if (kind === "PAIR") return new Pair(options);
  if (kind === "CHANNEL") return new Channel(options);
  if (kind === "SERVER") return new Client(options);
  if (kind === "PEER") return new Peer(options) as Any;
  return new Dealer({ ...options, routingId: "it" });
}

const binder = fc.nat(BINDERS - 1);
const of = <Call extends string>(...calls: Call[]) => fc.constantFrom(...calls);
const command = fc.oneof(
  { weight: 4, arbitrary: fc.record({ call: of("say"), count: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 4, arbitrary: fc.record({ call: of("hear"), binder, count: fc.nat(6) }) },
  { weight: 4, arbitrary: fc.record({ call: of("open"), binder, mark: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ call: of("bind"), binder }) },
  { weight: 3, arbitrary: fc.record({ call: of("unbind", "close"), binder }) },
);
type Command = typeof command extends fc.Arbitrary<infer Value> ? Value : never;

class Binder {
  readonly socket: Any;
  /** What is for it and was not received. */
  due: string[] = [];

  constructor(socket: Any) {
    this.socket = socket;
  }
}

class World {
  readonly #context: Context;
  readonly #kind: string;
  readonly #speech: Speech;
  readonly #binders = new Map<number, Binder>();
  /** Who has the name, and who has the link: it may still read what had come. */
  #bound: Binder | undefined;
  #holder: Binder | undefined;
  /** It has given the name back since, and gets no more by this link. */
  #isDraining = false;
  /** What is for the next one. */
  #waiting: string[] = [];
  #last = 0;
  /** What nobody gets, that was accepted; and that was not. */
  #lost = 0;
  #refused: number;

  constructor(context: Context, kind: string, sendHighWaterMark: number, swap: number) {
    this.#context = context;
    this.#kind = kind;
    const open = SPEECHES[kind] as (options: Options) => Speech;
    this.#speech = open({ context, sendHighWaterMark, swap });
    this.#refused = this.#dropped;
  }

  do(command: Command): void {
    if (command.call === "say") for (let i = 0; i < command.count; i++) this.#say();
    else if (command.call === "open") this.#open(command.binder, command.mark);
    else {
      const binder = this.#binders.get(command.binder);
      if (binder === undefined) return;
      if (command.call === "hear") {
        for (let i = 0; i < command.count; i++) this.#hear(binder);
      } else if (command.call === "bind") this.#bind(binder);
      else if (command.call === "unbind") this.#unbind(binder);
      else this.#close(command.binder, binder);
    }
    const { sent, received, queued, dropped } = this.#context.stats().messages;
    assert.equal(sent, received + queued + dropped, "P3");
  }

  end(): void {
    for (const binder of this.#binders.values()) {
      while (this.#hear(binder));
    }
    for (const [index, binder] of [...this.#binders]) this.#close(index, binder);
    const last = new Binder(openBinder(this.#kind, this.#context, 10));
    this.#bind(last);
    while (this.#hear(last));
    assert.equal(this.#dropped, this.#lost + this.#refused, "P2");
    assert.equal(this.#context.stats().messages.queued, 0);
  }

  get #dropped(): number {
    return this.#speech.connecter.stats().dropped;
  }

  #open(index: number, mark: number): void {
    if (this.#binders.has(index)) return;
    const binder = new Binder(openBinder(this.#kind, this.#context, mark));
    this.#binders.set(index, binder);
    if (this.#bound === undefined) this.#bind(binder);
  }

  #bind(binder: Binder): void {
    const error = failure(() => binder.socket.bindSync(NAME));
    assert.equal(error, this.#bound === undefined ? undefined : "EADDRINUSE");
    if (error !== undefined) return;
    this.#bound = binder;
    this.#settle();
  }

  #unbind(binder: Binder): void {
    const arrived = binder.socket.stats().queuedIn; // What is in a swap has not.
    const error = failure(() => binder.socket.unbindSync(NAME));
    assert.equal(error, this.#bound === binder ? undefined : "ENOENT");
    if (error !== undefined) return;
    this.#bound = undefined;
    if (this.#holder !== binder || this.#isDraining) return;
    this.#isDraining = true;
    this.#lost += binder.due.length - arrived;
    binder.due.length = arrived;
    this.#settle();
  }

  #close(index: number, binder: Binder): void {
    binder.socket.close();
    this.#binders.delete(index);
    this.#lost += binder.due.length;
    binder.due = [];
    if (this.#holder === binder) this.#isDraining = true;
    if (this.#bound === binder) this.#bound = undefined;
    this.#settle();
  }

  /** Who has the link keeps it until he has given the name back, and read what had come. */
  #settle(): void {
    const holder = this.#holder;
    if (holder !== undefined && (!this.#isDraining || holder.due.length > 0)) return;
    this.#isDraining = false;
    this.#holder = this.#bound;
    if (this.#holder === undefined) return;
    this.#holder.due.push(...this.#waiting);
    this.#waiting = [];
  }

  #say(): void {
    const text = `${++this.#last}`;
    const before = this.#dropped;
    let isTaken = false;
    const error = failure(() => {
      isTaken = this.#speech.say(text);
    });
    assert.ok(error === undefined || error === "EHOSTUNREACH", error);
    const refused = this.#dropped - before;
    this.#refused += refused;
    if (!isTaken || refused > 0) return;
    if (this.#holder === undefined) {
      assert.notEqual(this.#kind, "ROUTER by the binder's id", "P1: nobody has the id");
      this.#waiting.push(text);
    } else {
      assert.ok(!this.#isDraining, "who only reads what had come gets no more");
      this.#holder.due.push(text);
    }
  }

  /** Whether something was received. */
  #hear(binder: Binder): boolean {
    const message = binder.socket.tryReceive();
    const text = message === undefined ? undefined : `${message[0]}`;
    assert.equal(text, binder.due.shift(), "P1");
    this.#settle();
    return text !== undefined;
  }
}

for (const kind of Object.keys(SPEECHES)) {
  test(`${kind}: any sequence of calls: each message is for one binder`, () => {
    const commands = fc.array(command, { maxLength: 40, size: "max" });
    const swap = fc.constantFrom(0, 0, 1 << 16);
    const property = fc.property(fc.nat(3), swap, commands, (mark, swap, all) => {
      const context = new Context({ maxMemory: 8 << 20 });
      try {
        const world = new World(context, kind, mark, swap);
        for (const each of all) world.do(each);
        world.end();
      } finally {
        context.terminate();
      }
    });
    checkAll("property/addressee", RUNS, property);
  });
}
