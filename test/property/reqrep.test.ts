// SPDX-License-Identifier: MIT

/**
 * Any sequence of calls on REQs and REPs of one thread, beside a model that knows who has asked
 * what, and who owes which reply. It does not foretell whom a REQ asks.
 *
 *   P1  A request is handed out once. A reply goes to who has asked, and is to its last request.
 *   P2  Out of turn is EFSM, and in turn is not; a REP's reply never waits.
 *   P3  A reply is received, or the REP counts it as dropped. If it is dropped, or who owes it has
 *       closed, the REQ is told (EHOSTUNREACH), once. It is not told so unless somebody let go.
 *   P4  Where nothing can be received, the request is unread, or somebody owes the reply.
 *   P5  `sent = received + queued + dropped`; when all is closed, nothing is in use.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Context, Dealer, Reply, Request } from "threadmq";
import { checkAll } from "#src/testing/index.ts";
import { failure } from "./failure.ts";

const RUNS = 3000;
const SLOTS = 2;
const NAMES = 2;

const at = fc.nat(SLOTS - 1);
const name = fc.constantFrom(0, 0, 0, 0, 0, 1);
const kind = fc.constantFrom("req" as const, "rep" as const);
const openReq = fc.record({
  call: fc.constant("open req" as const),
  at,
  /** Without correlate a relaxed REQ may take a reply for another's, and says so. */
  relaxed: fc.boolean(),
  correlate: fc.boolean(),
});
const openRep = fc.record({ call: fc.constant("open rep" as const), at });
const links = fc.constantFrom(
  "bind" as const,
  "bind" as const,
  "connect" as const,
  "unbind" as const,
  "disconnect" as const,
);
const command = fc.oneof(
  { weight: 1, arbitrary: openReq },
  { weight: 2, arbitrary: openRep },
  { weight: 2, arbitrary: fc.record({ call: fc.constant("close" as const), kind, at }) },
  { weight: 6, arbitrary: fc.record({ call: links, kind, at, name }) },
  { weight: 3, arbitrary: fc.record({ call: fc.constant("replace" as const), kind, at }) },
  { weight: 3, arbitrary: fc.record({ call: fc.constant("serve" as const), at }) },
  { weight: 5, arbitrary: fc.record({ call: fc.constant("send" as const), kind, at }) },
  { weight: 5, arbitrary: fc.record({ call: fc.constant("receive" as const), kind, at }) },
);
type Command = typeof command extends fc.Arbitrary<infer Value> ? Value : never;

interface Asker {
  readonly kind: "req";
  readonly socket: Request;
  readonly relaxed: boolean;
  /** The request that a reply is due to. */
  asked: number | undefined;
  /** Whether since then anybody has let go of anything. */
  mayBeLost: boolean;
  /** Whether that request is known to be lost, or answered. */
  isLost: boolean;
  isAnswered: boolean;
}

interface Replier {
  readonly kind: "rep";
  readonly socket: Reply;
  /** The request that it owes a reply to. */
  due: number | undefined;
}

class World {
  readonly context: Context;
  readonly #open = { req: new Map<number, Asker>(), rep: new Map<number, Replier>() };
  readonly #handedOut = new Set<number>();
  readonly #connecters = new Map<string, "req" | "rep">();
  #requests = 0;

  constructor(context: Context) {
    this.context = context;
  }

  do(command: Command): void {
    const { context } = this;
    if (command.call === "open req" || command.call === "open rep") {
      const isReq = command.call === "open req";
      if (this.#open[isReq ? "req" : "rep"].has(command.at)) return;
      if (isReq) this.#openReq(command.at, command.relaxed, command.correlate);
      else {
        const socket = new Reply({ context });
        this.#open.rep.set(command.at, { kind: "rep", socket, due: undefined });
      }
      return;
    }
    if (command.call === "serve") {
      const rep = this.#open.rep.get(command.at);
      if (rep !== undefined && rep.due === undefined) this.#serve(rep);
      if (rep?.due !== undefined) this.#reply(rep);
      return;
    }
    const actor = this.#open[command.kind].get(command.at);
    if (actor === undefined) return;
    switch (command.call) {
      case "replace":
        this.#replace(actor, command.at);
        break;
      case "close":
        this.#close(actor, command.at);
        break;
      case "send":
        if (actor.kind === "req") this.#ask(actor);
        else this.#reply(actor);
        break;
      case "receive":
        if (actor.kind === "req") this.#hear(actor);
        else this.#serve(actor);
        break;
      default:
        this.#link(actor, command.call, `inproc://${command.name}`);
    }
    this.#check();
  }

  end(): void {
    for (const which of ["req", "rep"] as const) {
      for (const [at, actor] of [...this.#open[which]]) this.#close(actor, at);
    }
    this.#check();
    // What was sent to a name is kept for whoever binds it: requests, or replies.
    for (let n = 0; n < NAMES; n++) {
      const reply = new Reply({ context: this.context });
      const dealer = new Dealer({ context: this.context });
      const isFit = failure(() => reply.bindSync(`inproc://${n}`)) === undefined;
      if (!isFit) dealer.bindSync(`inproc://${n}`);
      while (reply.tryReceive() !== undefined) reply.trySend("late");
      while (dealer.tryReceive() !== undefined);
      reply.close();
      dealer.close();
    }
    const { sockets, endpoints, pipes, messages } = this.context.stats();
    const left = { sockets, endpoints, pipes, queued: messages.queued };
    assert.deepEqual(
      left,
      { sockets: 0, endpoints: 0, pipes: 0, queued: 0 },
      "P5: nothing is left",
    );
  }

  #openReq(at: number, relaxed: boolean, correlate: boolean): void {
    const options = { relaxed, correlate: correlate || relaxed };
    const socket = new Request({ context: this.context, ...options });
    const none = { asked: undefined, mayBeLost: false, isLost: false, isAnswered: false };
    this.#open.req.set(at, { kind: "req", socket, relaxed, ...none });
  }

  #letGo(): void {
    for (const req of this.#open.req.values()) req.mayBeLost = true;
  }

  #close(actor: Asker | Replier, at: number): void {
    actor.socket.close();
    this.#open[actor.kind].delete(at);
    if (actor.kind === "rep" && actor.due !== undefined) this.#lose(actor.due);
    this.#letGo();
  }

  #link(actor: Asker | Replier, call: string, address: string): void {
    const { socket, kind } = actor;
    // Who has connected may leave something to a binder: it shall be possible that there is one.
    if (call === "connect" && (this.#connecters.get(address) ?? kind) !== kind) return;
    const error = failure(() => {
      if (call === "bind") socket.bindSync(address);
      else if (call === "connect") socket.connect(address);
      else if (call === "unbind") socket.unbindSync(address);
      else socket.disconnect(address);
    });
    if (call === "unbind" || call === "disconnect") {
      assert.ok(error === undefined || error === "ENOENT", `${call}: ${error}`);
      if (error === undefined) this.#letGo();
    } else if (error === undefined) {
      if (call === "connect") this.#connecters.set(address, kind);
    } else {
      assert.ok(["EADDRINUSE", "ENOCOMPATPROTO"].includes(error), `${call}: ${error}`);
    }
  }

  /** Another takes its place, and the name, or one that was connected to it. */
  #replace(actor: Asker | Replier, at: number): void {
    this.#close(actor, at);
    if (actor.kind === "rep") this.do({ call: "open rep", at });
    else this.do({ call: "open req", at, relaxed: false, correlate: false });
    const isConnecter = this.#connecters.get("inproc://0") === actor.kind;
    this.do({ call: isConnecter ? "connect" : "bind", kind: actor.kind, at, name: 0 });
  }

  /** A request will not be answered any more. */
  #lose(number: number): void {
    for (const req of this.#open.req.values()) if (req.asked === number) req.isLost = true;
  }

  #ask(req: Asker): void {
    const number = this.#requests + 1;
    const { asked } = req;
    let isSent = false;
    const error = failure(() => {
      isSent = req.socket.trySend(`${number}`);
    });
    if (error !== undefined) {
      assert.equal(error, "EFSM");
      assert.ok(asked !== undefined && !req.relaxed && !req.isLost, "P2: it is in turn");
      assert.notEqual(this.#hear(req), "EHOSTUNREACH", "P2: what is lost is no hindrance");
      return;
    }
    assert.ok(asked === undefined || req.relaxed || req.mayBeLost, "P2: it is out of turn");
    if (!isSent) return;
    this.#requests = number;
    req.asked = number;
    req.mayBeLost = req.isLost = req.isAnswered = false;
  }

  #hear(req: Asker): string | undefined {
    const { asked } = req;
    let text: string | undefined;
    const error = failure(() => {
      text = req.socket.tryReceive()?.join("|");
    });
    if (asked === undefined) assert.equal(error, "EFSM", "P2: nothing was asked");
    else if (error !== undefined) {
      assert.equal(error, "EHOSTUNREACH");
      assert.ok(req.mayBeLost && !req.isAnswered, "P3: the reply can come, or has");
    } else if (text !== undefined) {
      assert.equal(text, `re ${asked}`, "P1: the reply is to the last request");
      assert.ok(req.isAnswered, "P1: the reply was given");
    } else {
      assert.ok(!req.isLost && !req.isAnswered, "P3: the REQ is told");
      const isOwed = [...this.#open.rep.values()].some(({ due }) => due === asked);
      assert.ok(isOwed || req.socket.stats().queuedOut > 0, "P4: the reply may come");
      return undefined;
    }
    req.asked = undefined;
    return error;
  }

  #serve(rep: Replier): void {
    let text: string | undefined;
    const error = failure(() => {
      text = rep.socket.tryReceive()?.join("|");
    });
    assert.equal(error, rep.due === undefined ? undefined : "EFSM", "P2");
    if (text === undefined) return;
    const number = Number(text);
    assert.ok(!this.#handedOut.has(number), "P1: a request is handed out once");
    this.#handedOut.add(number);
    rep.due = number;
  }

  #reply(rep: Replier): void {
    const { due } = rep;
    const { dropped } = rep.socket.stats();
    let isSent = false;
    const error = failure(() => {
      isSent = rep.socket.trySend(`re ${due}`);
    });
    assert.equal(error, due === undefined ? "EFSM" : undefined, "P2");
    if (due === undefined) return;
    assert.ok(isSent, "P2: a reply never waits");
    rep.due = undefined;
    if (rep.socket.stats().dropped > dropped) this.#lose(due);
    else for (const req of this.#open.req.values()) if (req.asked === due) req.isAnswered = true;
  }

  #check(): void {
    const { sent, received, queued, dropped } = this.context.stats().messages;
    assert.equal(sent, received + queued + dropped, "P5");
  }
}

test("any sequence of calls keeps what REQ and REP promise", async () => {
  const begin = fc.tuple(fc.array(openReq, { minLength: 2, maxLength: 2 }), fc.boolean());
  const commands = fc.array(command, { maxLength: 60, size: "max" });
  let context = new Context();
  const property = fc.property(begin, commands, ([reqs, repBinds], all) => {
    const world = new World(context);
    try {
      for (const [index, req] of reqs.entries()) world.do({ ...req, at: index });
      for (let index = 0; index < SLOTS; index++) world.do({ call: "open rep", at: index });
      const [binder, connecter] = repBinds ? (["rep", "req"] as const) : (["req", "rep"] as const);
      world.do({ call: "bind", kind: binder, at: 0, name: 0 });
      for (const index of [0, 1]) {
        world.do({ call: "connect", kind: connecter, at: index, name: 0 });
      }
      for (const each of all) world.do(each);
      world.end();
    } catch (error) {
      context = new Context(); // What has failed may leave anything behind.
      throw error;
    }
  });
  checkAll("reqrep", RUNS, property);
  await context.terminate();
});
