// SPDX-License-Identifier: MIT

/**
 * Any sequence of calls on ROUTERs that bind and DEALERs that connect, in one thread, beside a
 * model that knows who is linked with whom, by which id.
 *
 *   P1  A message has the id of who has sent it, in front; it is received once.
 *   P2  A message goes to who has the id that it is for, and to nobody else. If there is none, it
 *       is dropped and counted, or an EHOSTUNREACH (`mandatory`).
 *   P3  Who comes with an id that another has is refused, and told so, once: by the connect, or if
 *       the ROUTER binds later, by the next call. With `handover` it is the other who is told.
 *   P4  A refusal leaves the socket as it was: it may connect again.
 *   P5  `sent = received + queued + dropped`.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Context, Dealer, Router } from "threadmq";
import { checkAll } from "#src/testing/index.ts";
import { failure } from "./failure.ts";

const RUNS = 3000;
const ROUTERS = 2;
const DEALERS = 4;
const IDS = ["A", "B", "é"];

const router = fc.nat(ROUTERS - 1);
const dealer = fc.nat(DEALERS - 1);
const name = fc.constantFrom(0, 0, 1);
const id = fc.constantFrom(...IDS);
const of = <Call extends string>(...calls: Call[]) => fc.constantFrom(...calls);
const openRouter = fc.record({
  call: of("open router"),
  router,
  mandatory: fc.boolean(),
  handover: fc.boolean(),
});
const openDealer = fc.record({ call: of("open dealer"), dealer, id: fc.option(id) });
const command = fc.oneof(
  { weight: 1, arbitrary: openRouter },
  { weight: 2, arbitrary: openDealer },
  { weight: 5, arbitrary: fc.record({ call: of("bind", "bind", "unbind"), router, name }) },
  {
    weight: 6,
    arbitrary: fc.record({ call: of("connect", "connect", "disconnect"), dealer, name }),
  },
  { weight: 6, arbitrary: fc.record({ call: of("ask", "hear"), dealer }) },
  { weight: 6, arbitrary: fc.record({ call: of("answer"), router, id }) },
  { weight: 4, arbitrary: fc.record({ call: of("serve", "set handover"), router }) },
  { weight: 1, arbitrary: fc.record({ call: of("close router"), router }) },
  { weight: 1, arbitrary: fc.record({ call: of("close dealer"), dealer }) },
);
type Command = typeof command extends fc.Arbitrary<infer Value> ? Value : never;

class Asker {
  readonly socket: Dealer;
  readonly id: string | null;
  /** What may have been sent to it, and was not received. */
  readonly toHear = new Set<string>();
  /** How often it was refused, but at a connect, and how often told: several may be told as one. */
  refusals = 0;
  told = 0;
  /** It has let go of a link that perhaps was to be refused. */
  hasLetGo = false;
  sent = 0;
  /** Those of its messages that were received. */
  readonly received = new Set<number>();

  constructor(context: Context, id: string | null) {
    this.socket = new Dealer({ context, ...(id === null ? {} : { routingId: id }) });
    this.id = id;
  }
}

interface Link {
  readonly dealer: Asker;
  readonly name: number;
  /** Who is bound there and has taken it. */
  router: Answerer | undefined;
}

interface Answerer {
  readonly socket: Router;
  readonly mandatory: boolean;
  handover: boolean;
}

class World {
  readonly context: Context;
  readonly #routers = new Map<number, Answerer>();
  readonly #dealers = new Map<number, Asker>();
  readonly #all: Asker[] = [];
  readonly #binders = new Map<number, Answerer>();
  /** In the order of the connects. */
  #links: Link[] = [];
  #answers = 0;

  constructor(context: Context) {
    this.context = context;
  }

  do(command: Command): void {
    const { context } = this;
    if (command.call === "open router") {
      const { call: _, router, ...options } = command;
      if (this.#routers.has(router)) return;
      this.#routers.set(router, { socket: new Router({ context, ...options }), ...options });
    } else if (command.call === "open dealer") {
      if (this.#dealers.has(command.dealer)) return;
      const asker = new Asker(context, command.id);
      this.#dealers.set(command.dealer, asker);
      this.#all.push(asker);
    } else if ("router" in command) {
      const answerer = this.#routers.get(command.router);
      if (answerer !== undefined) this.#doRouter(answerer, command);
    } else {
      const asker = this.#dealers.get(command.dealer);
      if (asker !== undefined) this.#doDealer(asker, command);
    }
    const { sent, received, queued, dropped } = this.context.stats().messages;
    assert.equal(sent, received + queued + dropped, "P5");
  }

  end(): void {
    for (const answerer of this.#routers.values()) while (this.#serve(answerer));
    for (const asker of this.#dealers.values()) while (this.#hear(asker));
    for (const { refusals, told, hasLetGo } of this.#dealers.values()) {
      if (!hasLetGo && refusals > 0) assert.ok(told > 0, "P3: it is told");
    }
    for (const { socket } of [...this.#routers.values(), ...this.#dealers.values()]) socket.close();
  }

  #doRouter(answerer: Answerer, command: Command & { router: number }): void {
    switch (command.call) {
      case "bind":
        this.#bind(answerer, command.name);
        break;
      case "unbind":
        this.#unbind(answerer, command.name);
        break;
      case "answer":
        this.#answer(answerer, command.id);
        break;
      case "serve":
        this.#serve(answerer);
        break;
      case "set handover":
        answerer.handover = answerer.socket.handover = !answerer.handover;
        break;
      case "close router":
        this.#closeRouter(command.router, answerer);
    }
  }

  #doDealer(asker: Asker, command: Command & { dealer: number }): void {
    switch (command.call) {
      case "connect":
        this.#connect(asker, command.name);
        break;
      case "disconnect":
        this.#disconnect(asker, command.name);
        break;
      case "ask":
        this.#ask(asker);
        break;
      case "hear":
        this.#hear(asker);
        break;
      case "close dealer":
        asker.socket.close();
        this.#dealers.delete(command.dealer);
        this.#links = this.#links.filter((link) => link.dealer !== asker);
    }
  }

  #bind(answerer: Answerer, name: number): void {
    const error = failure(() => answerer.socket.bindSync(`inproc://${name}`));
    assert.equal(error, this.#binders.has(name) ? "EADDRINUSE" : undefined);
    if (error !== undefined) return;
    this.#binders.set(name, answerer);
    for (const link of this.#links.filter((l) => l.name === name)) {
      if (!this.#admit(answerer, link)) link.dealer.refusals++;
    }
  }

  /** Whether the ROUTER takes a link. Who has to make place hears of it. */
  #admit(answerer: Answerer, link: Link): boolean {
    const other = this.#who(answerer, link.dealer.id);
    if (other !== undefined) {
      const refused = answerer.handover ? other : link;
      this.#links = this.#links.filter((l) => l !== refused);
      if (refused === link) return false;
      other.dealer.refusals++;
    }
    link.router = answerer;
    return true;
  }

  #who(answerer: Answerer, id: string | null): Link | undefined {
    if (id === null) return undefined;
    return this.#links.find((link) => link.router === answerer && link.dealer.id === id);
  }

  /** First everything is read: else the links would be used by nobody till it is. */
  #unbind(answerer: Answerer, name: number): void {
    while (this.#serve(answerer));
    for (const { dealer, router } of [...this.#links]) {
      if (router === answerer) while (this.#hear(dealer));
    }
    const error = failure(() => answerer.socket.unbindSync(`inproc://${name}`));
    assert.equal(error, this.#binders.get(name) === answerer ? undefined : "ENOENT");
    if (error === undefined) this.#letGo(name);
  }

  #letGo(name: number): void {
    this.#binders.delete(name);
    for (const link of this.#links) if (link.name === name) link.router = undefined;
  }

  #closeRouter(at: number, answerer: Answerer): void {
    answerer.socket.close();
    this.#routers.delete(at);
    for (const [name, binder] of this.#binders) if (binder === answerer) this.#letGo(name);
  }

  #connect(asker: Asker, name: number): void {
    const link: Link = { dealer: asker, name, router: undefined };
    const binder = this.#binders.get(name);
    const { refusals } = asker;
    const error = failure(() => asker.socket.connect(`inproc://${name}`));
    this.#links.push(link);
    const isTaken = binder === undefined || this.#admit(binder, link);
    assert.equal(error, isTaken ? undefined : "EADDRINUSE", "P3: the connect tells");
    if (!isTaken) assert.equal(asker.refusals, refusals);
  }

  #disconnect(asker: Asker, name: number): void {
    const mine = this.#links.filter((link) => link.dealer === asker && link.name === name);
    const error = failure(() => asker.socket.disconnect(`inproc://${name}`));
    if (mine.length > 0) assert.equal(error, undefined);
    if (error === undefined) asker.hasLetGo = true;
    this.#links = this.#links.filter((link) => !mine.includes(link));
  }

  #ask(asker: Asker): void {
    const number = asker.sent + 1;
    let isSent = false;
    const text = `${this.#all.indexOf(asker)} ${number}`;
    const error = failure(() => {
      isSent = asker.socket.trySend(text);
    });
    if (this.#isTold(asker, error)) return;
    assert.equal(
      isSent,
      this.#links.some((link) => link.dealer === asker),
      "P4",
    );
    if (isSent) asker.sent = number;
  }

  /** Whether something was received. */
  #hear(asker: Asker): boolean {
    let text: string | undefined;
    const error = failure(() => {
      text = asker.socket.tryReceive()?.join("|");
    });
    if (this.#isTold(asker, error)) return true;
    if (text === undefined) return false;
    assert.ok(asker.toHear.delete(text), `P2: ${text} is not for ${asker.id}`);
    return true;
  }

  /** Whether an error tells of a refusal. */
  #isTold(asker: Asker, error: string | undefined): boolean {
    if (error === undefined) return false;
    assert.equal(error, "EADDRINUSE");
    asker.told++;
    assert.ok(asker.told <= asker.refusals, "P3: it is told once");
    return true;
  }

  #answer(answerer: Answerer, id: string): void {
    const link = this.#who(answerer, id);
    const text = `${++this.#answers}`;
    const { dropped } = answerer.socket.stats();
    const error = failure(() => assert.ok(answerer.socket.trySend([id, text])));
    const isUnknown = link === undefined && answerer.mandatory;
    assert.equal(error, isUnknown ? "EHOSTUNREACH" : undefined, "P2");
    const isDropped = link === undefined && !answerer.mandatory;
    assert.equal(answerer.socket.stats().dropped - dropped, Number(isDropped), "P2");
    link?.dealer.toHear.add(text);
  }

  /** Whether something was received. */
  #serve(answerer: Answerer): boolean {
    const message = answerer.socket.tryReceive();
    if (message === undefined) return false;
    const [from, text] = message as [Buffer, Buffer];
    const [index, number] = `${text}`.split(" ").map(Number) as [number, number];
    const asker = this.#all[index] as Asker;
    if (asker.id === null) assert.deepEqual([from.length, from[0]], [5, 0], "P1");
    else assert.equal(`${from}`, asker.id, "P1");
    assert.ok(number <= asker.sent && !asker.received.has(number), "P1: once");
    asker.received.add(number);
    return true;
  }
}

test("any sequence of calls keeps what ROUTER promises", async () => {
  const begin = fc.tuple(openRouter, fc.array(openDealer, { minLength: 3, maxLength: 3 }));
  const commands = fc.array(command, { maxLength: 60, size: "max" });
  const property = fc.property(begin, commands, ([first, dealers], all) => {
    const context = new Context({ maxMemory: 8 << 20 });
    try {
      const world = new World(context);
      world.do({ ...first, router: 0 });
      world.do({ call: "bind", router: 0, name: 0 });
      for (const [index, each] of dealers.entries()) {
        world.do({ ...each, dealer: index });
        world.do({ call: "connect", dealer: index, name: 0 });
      }
      for (const each of all) world.do(each);
      world.end();
    } finally {
      context.terminate();
    }
  });
  checkAll("router", RUNS, property);
});
