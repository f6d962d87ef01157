// SPDX-License-Identifier: MIT

/**
 * Whatever was done to sockets of several types in one thread, a Poller says of each what a call
 * that never waits then does (L1, J4):
 *
 *   P1  Readable: `tryReceive` returns a message, or says what has gone wrong. Not readable: it
 *       returns nothing, or says that it is not the time (EFSM).
 *   P2  Writable likewise, by `trySend`; of a ROUTER that is mandatory, with one peer, too.
 *   P3  Who waits for one of these is not left waiting when it is so.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Context, Dealer, Pair, Poller, Pull, Push, Reply, Request, Router } from "threadmq";
import { checkAllAsync } from "#src/testing/index.ts";

const RUNS = 400;
const MARKS = { sendHighWaterMark: 1, receiveHighWaterMark: 1 };

/** Who plays: what it is, what it sends, and the names that it may link to. */
const CAST: readonly [(context: Context) => any, string | string[] | undefined, string[]][] = [
  [(context) => new Push({ context, sendHighWaterMark: 1 }), "x", ["work"]],
  [(context) => new Push({ context, sendHighWaterMark: 1, swap: 200 }), "x", ["work"]],
  [(context) => new Pull({ context, receiveHighWaterMark: 1 }), undefined, ["work"]],
  [(context) => new Pull({ context, receiveHighWaterMark: 1 }), undefined, ["work"]],
  [(context) => new Pair({ context, ...MARKS }), "x", ["pair"]],
  [(context) => new Pair({ context, ...MARKS }), "x", ["pair"]],
  [(context) => new Request({ context, ...MARKS }), "x", ["service"]],
  [(context) => new Request({ context, ...MARKS, relaxed: true }), "x", ["service"]],
  [(context) => new Reply({ context, ...MARKS }), "x", ["service"]],
  [(context) => new Dealer({ context, ...MARKS }), ["", "x"], ["service"]],
  [(context) => new Dealer({ context, ...MARKS, routingId: "d" }), ["no", "x"], ["route"]],
  [(context) => new Router({ context, ...MARKS, mandatory: true }), ["d", "x"], ["route"]],
];

const who = fc.nat(CAST.length - 1);
const link = fc.constantFrom("bindSync", "connect", "unbindSync", "disconnect");
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ what: link, who }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant("send"), who }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant("receive"), who }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("await"), who }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("reopen"), who }) },
);

/** All links that there can be, so that much happens. */
const LINKED = [
  ...[2, 4, 8, 11].map((each) => ({ what: "bindSync", who: each })),
  ...[0, 1, 5, 6, 7, 9, 10].map((each) => ({ what: "connect", who: each })),
];

/** What a call that never waits does: it goes, or fails, or would have to wait. */
function outcome(call: () => unknown): "ready" | "not" | "unreachable" {
  try {
    const result = call();
    return result === undefined || result === false ? "not" : "ready";
  } catch (error) {
    const { code } = error as { code: string };
    if (code === "EFSM") return "not";
    return code === "EHOSTUNREACH" ? "unreachable" : "ready";
  }
}

/** Somebody who waits for one direction of one socket. */
class Watcher {
  readonly #poller = new Poller();
  readonly #what: string;
  #waits = false;

  constructor(socket: any, options: { readable?: boolean; writable?: boolean }) {
    this.#poller.add(socket, options);
    this.#what = `${socket.constructor.name}, ${Object.keys(options)}`;
  }

  begin(): void {
    if (this.#waits) return;
    this.#waits = true;
    const end = () => {
      this.#waits = false;
    };
    this.#poller.wait().then(end, end);
  }

  check(after: string): void {
    if (!this.#waits) return;
    assert.equal(this.#poller.poll().length, 0, `P3: ${this.#what} after ${after}`);
  }

  close(): void {
    this.#poller.close();
  }
}

class Play {
  readonly context: Context = new Context({ maxMemory: 16 << 20 });
  readonly poller: Poller = new Poller();
  readonly sockets = CAST.map(([make]) => make(this.context));
  readonly #watchers = new Map<object, Watcher[]>();

  constructor() {
    for (const index of this.sockets.keys()) this.#add(index);
  }

  async do({ what, who: index }: { what: string; who: number }): Promise<void> {
    const socket = this.sockets[index];
    const [, message, names] = CAST[index] as (typeof CAST)[number];
    if (what === "send") this.#send(index, message);
    else if (what === "receive") this.#receive(index);
    else if (what === "await") socket.receive?.({ timeout: 1 }).catch(() => {});
    else if (what === "reopen") {
      this.poller.remove(socket);
      for (const watcher of this.#watchers.get(socket) as Watcher[]) watcher.close();
      this.#watchers.delete(socket);
      socket.close();
      this.sockets[index] = (CAST[index] as (typeof CAST)[number])[0](this.context);
      this.#add(index);
    } else {
      try {
        socket[what](`inproc://${names[0]}`);
      } catch {
        // Taken, not there, not of a fit type: that is another test's.
      }
    }
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    const watchers = [...this.#watchers.values()].flat();
    for (const watcher of watchers) watcher.check(what);
    for (const watcher of watchers) watcher.begin();
  }

  async end(): Promise<void> {
    this.poller.close();
    for (const watcher of [...this.#watchers.values()].flat()) watcher.close();
    await this.context.terminate();
  }

  #add(index: number): void {
    const socket = this.sockets[index];
    const [readable, writable] = [socket.tryReceive !== undefined, socket.trySend !== undefined];
    this.poller.add(socket, { readable, writable });
    const watchers: Watcher[] = [];
    if (readable) watchers.push(new Watcher(socket, { readable }));
    if (writable) watchers.push(new Watcher(socket, { writable }));
    this.#watchers.set(socket, watchers);
  }

  #event(index: number): { readable: boolean; writable: boolean } {
    const socket = this.sockets[index];
    const event = this.poller.poll().find((each) => each.socket === socket);
    return event ?? { readable: false, writable: false };
  }

  #send(index: number, message: string | string[] | undefined): void {
    const socket = this.sockets[index];
    if (message === undefined) return;
    const { writable } = this.#event(index);
    const is = outcome(() => socket.trySend(message));
    // Nobody has that id; or it is another peer that has room.
    if (socket instanceof Router && (is === "unreachable" || socket.stats().pipes > 1)) return;
    assert.equal(writable, is !== "not", `P2: ${socket.constructor.name} ${index}: ${is}`);
  }

  #receive(index: number): void {
    const socket = this.sockets[index];
    if (socket.tryReceive === undefined) return;
    const { readable } = this.#event(index);
    const is = outcome(() => socket.tryReceive());
    assert.equal(readable, is !== "not", `P1: ${socket.constructor.name} ${index}: ${is}`);
  }
}

test("a poller says what a call then does", { timeout: 120_000 }, async () => {
  const steps = fc.array(step, { minLength: 10, maxLength: 60 });
  const property = fc.asyncProperty(fc.boolean(), steps, async (linked, all) => {
    const play = new Play();
    try {
      for (const each of linked ? [...LINKED, ...all] : all) await play.do(each);
    } finally {
      await play.end();
    }
  });
  await checkAllAsync("property/poller", RUNS, property);
});
