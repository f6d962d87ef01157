// SPDX-License-Identifier: MIT

/**
 * ground — where a test plays: a context of its own, threads, sockets in them.
 *
 * When the test is over the books are closed: `sent = received + queued + dropped` must hold for
 * the context (H1), and no socket may be left of it.
 */
import assert from "node:assert/strict";
import { type TestContext, type TestOptions, test } from "node:test";
import { type ResourceLimits, Worker } from "node:worker_threads";
import { Context, type ContextOptions, type ContextStats, type Message, ZmqError } from "threadmq";
import { type Call, type Kind, PATIENCE, type Scene, Stage, toText, type Way } from "./stage.ts";

export const WORKER: URL = new URL("./stand_in.js", import.meta.url);
const PARENT: URL = new URL("./parent.js", import.meta.url);

/** How a thread is started. */
export interface Start {
  readonly resourceLimits?: ResourceLimits;
  /** Whether it is started by a worker in between, and if so, whether that knows the library. */
  readonly below?: "a member" | "a stranger";
}

/** A thread, as the test sees it. */
export interface Place {
  readonly name: string;
  do(call: Call): Promise<any>;
}

/** A socket in some thread. */
export class Actor {
  readonly place: Place;
  readonly #id: number;

  constructor(place: Place, id: number) {
    this.place = place;
    this.#id = id;
  }

  #do(what: Call["what"], ...args: unknown[]): Promise<any> {
    return this.place.do({ what, id: this.#id, args });
  }

  call(method: string, ...args: unknown[]): Promise<any> {
    return this.#do("call", method, ...args);
  }

  get(property: string): Promise<any> {
    return this.#do("get", property);
  }

  set(property: string, value: unknown): Promise<void> {
    return this.#do("set", property, value);
  }

  /** @param options Of each call: whom it is for, say. */
  send(
    messages: readonly (string | readonly string[])[],
    way: Way = "promise",
    options: object = {},
  ): Promise<void> {
    const each = messages.map((message) => [message].flat());
    return this.#do("send", each, way, options);
  }

  /** So many messages, as text; parts are joined with a bar. */
  async receive(count: number, way: Way = "promise"): Promise<string[]> {
    const messages: string[][] = await this.#do("receive", count, way);
    return messages.map((parts) => parts.join("|"));
  }

  /** Sends until that fails; how many were accepted. */
  async fill(text = "fill", most = 10_000): Promise<number> {
    let count = 0;
    while (count < most && (await this.call("trySend", `${text}${count}`))) count++;
    return count;
  }

  /** All that can be received now. */
  async drain(): Promise<string[]> {
    const messages: string[] = [];
    for (;;) {
      const message: unknown[] | undefined = await this.call("tryReceive");
      if (message === undefined) return messages;
      messages.push(message.map(toText).join("|"));
    }
  }

  bind(endpoint: string): Promise<void> {
    return this.call("bindSync", endpoint);
  }

  connect(endpoint: string): Promise<void> {
    return this.call("connect", endpoint);
  }

  close(): Promise<void> {
    return this.call("close");
  }
}

/** So many tests a worker stands in for: what it remembers of their contexts takes memory. */
const MOST_TESTS = 20;

/** A worker that stands in for the test. */
export class Thread implements Place {
  readonly name = "another thread";
  readonly #worker: Worker;
  readonly #exit: Promise<number>;
  readonly #waiting = new Map<number, { resolve(value: any): void; reject(e: unknown): void }>();
  #last = 0;
  #over = false;
  /** Whether it has done what only its end undoes. */
  #isUsed = false;
  #tests = 1;

  constructor(context: Context | null, { resourceLimits, below }: Start = {}) {
    const handle = context === null ? null : context.handle;
    const limits = resourceLimits === undefined ? {} : { resourceLimits };
    this.#isUsed = resourceLimits !== undefined || below !== undefined;
    this.#worker =
      below === undefined
        ? new Worker(WORKER, { workerData: handle, ...limits })
        : new Worker(PARENT, { workerData: { handle, joins: below === "a member" } });
    this.#exit = new Promise((resolve) => this.#worker.once("exit", resolve));
    this.#worker.on("message", ({ number, value, error }) => {
      const call = this.#waiting.get(number);
      this.#waiting.delete(number);
      if (error === undefined) call?.resolve(value);
      else call?.reject(error);
    });
    this.#worker.once("error", (error) => this.#fail(error));
    this.#worker.once("exit", () => this.#fail(new Error("the thread has ended")));
    this.#worker.unref();
  }

  get worker(): Worker {
    this.#isUsed = true;
    return this.#worker;
  }

  /**
   * Whether it may stand in for another test: it has only opened sockets and called them, all calls
   * have returned, and it lives.
   */
  get isAsNew(): boolean {
    return !this.#over && !this.#isUsed && this.#waiting.size === 0 && this.#tests < MOST_TESTS;
  }

  /** Goes on in another context. */
  enter({ handle }: Context): void {
    this.#tests++;
    this.do({ what: "enter", args: [handle] }).catch(() => {});
  }

  do(call: Call): Promise<any> {
    if (call.what === "run") this.#isUsed = true;
    if (this.#over) return Promise.reject(new Error("the thread has ended"));
    return new Promise((resolve, reject) => {
      this.#worker.ref();
      const settled = () => {
        if (this.#waiting.size === 0) this.#worker.unref();
      };
      this.#waiting.set(++this.#last, {
        resolve: (value) => [resolve(value), settled()],
        reject: (error) => [reject(error), settled()],
      });
      this.#worker.postMessage({ number: this.#last, call });
    });
  }

  /** Runs a function there, by its source. */
  run<A extends unknown[], R>(
    body: (scene: Scene, ...args: A) => R | Promise<R>,
    ...args: A
  ): Promise<R> {
    return this.do({ what: "run", args: [`${body}`, ...args] });
  }

  /** Lets it end in an orderly way. */
  async end(): Promise<void> {
    this.run(() => process.exit(0)).catch(() => {});
    await this.ended;
  }

  /** Kills it: no code of its own runs any more. If it is below another, kills that. */
  async kill(): Promise<void> {
    await this.#worker.terminate();
    await this.ended;
  }

  /** When it has ended, by whatever. */
  get ended(): Promise<number> {
    this.#worker.ref();
    return this.#exit;
  }

  #fail(error: unknown): void {
    this.#over = true;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** Threads that others have left as new: to start one takes as long as many tests do. */
const resting: Thread[] = [];

export class Ground {
  readonly context: Context;
  readonly here: Place;
  readonly signal: AbortSignal;
  readonly #threads: Thread[] = [];
  readonly #actors: Actor[] = [];

  constructor(context: Context, signal: AbortSignal) {
    this.context = context;
    this.signal = signal;
    const stage = new Stage(context);
    this.here = { name: "this thread", do: async (call) => stage.do(call) };
  }

  /** A thread that knows the context: a new one, or one that is as new. */
  thread(start?: Start): Thread {
    let thread = start === undefined ? resting.pop() : undefined;
    if (thread === undefined) thread = new Thread(this.context, start);
    else thread.enter(this.context);
    this.#threads.push(thread);
    return thread;
  }

  async open(kind: Kind, options: object = {}, place: Place = this.here): Promise<Actor> {
    const actor = new Actor(place, await place.do({ what: "open", args: [kind, options] }));
    this.#actors.push(actor);
    return actor;
  }

  push(options: object = {}, place: Place = this.here): Promise<Actor> {
    return this.open("Push", options, place);
  }

  pull(options: object = {}, place: Place = this.here): Promise<Actor> {
    return this.open("Pull", options, place);
  }

  /** H1: every message that was accepted is received, or queued, or accounted for. */
  conserved(): ContextStats["messages"] {
    const { messages } = this.context.stats();
    const { sent, received, queued, dropped } = messages;
    assert.equal(sent, received + queued + dropped, `H1: ${JSON.stringify(messages)}`);
    return messages;
  }

  async leave(): Promise<void> {
    if (!this.context.closed) {
      this.conserved();
      for (const actor of this.#actors) await actor.close().catch(() => {});
      this.conserved();
    }
    const used = this.#threads.filter(({ isAsNew }) => !isAsNew);
    await Promise.all(used.map((thread) => thread.end()));
    await this.context.terminate({ timeout: PATIENCE });
    const { sockets, messages } = this.context.stats();
    assert.equal(sockets, 0, "no socket is left");
    const { sent, received, queued, dropped } = messages;
    assert.equal(sent, received + queued + dropped, "H1, after the end");
    resting.push(...this.#threads.filter(({ isAsNew }) => isAsNew));
  }
}

/** Small arenas: a test may take a hundred of them. */
export const SMALL: ContextOptions = { maxMemory: 64 << 20 };

/** A test on a ground of its own. */
export function play(
  claim: string,
  body: (ground: Ground, t: TestContext) => Promise<void>,
  options: TestOptions & { context?: ContextOptions } = {},
): void {
  const { context: contextOptions = SMALL, ...testOptions } = options;
  test(claim, { timeout: 3 * PATIENCE, ...testOptions }, async (t) => {
    const ground = new Ground(new Context(contextOptions), t.signal);
    try {
      await body(ground, t);
    } catch (error) {
      await ground.leave().catch(() => {}); // The first failure is the one to tell.
      throw error;
    }
    await ground.leave();
  });
}

/** Where the two ends of a link are. */
export type Distance = "within a thread" | "between threads";
export const DISTANCES: readonly Distance[] = ["within a thread", "between threads"];

/** The place of the other end. */
export function far(ground: Ground, distance: Distance): Place {
  return distance === "within a thread" ? ground.here : ground.thread();
}

/** What an error of the library must be like. */
export function zmq(code: string, address?: string): (error: any) => true {
  return (error) => {
    assert.equal(error?.name, "ZmqError", `a ZmqError, not ${error?.stack ?? error}`);
    assert.equal(error.code, code);
    assert.equal(typeof error.errno, "number");
    assert.match(error.hint, /^(?:[A-Z]|sendMany )[\s\S]*\.$/, "the hint is a sentence");
    assert.ok(error.message.includes(error.hint), "the message has the hint");
    if (address !== undefined) assert.equal(error.address, address);
    return true;
  };
}

export function text(message: Message | undefined): string | undefined {
  return message?.map(String).join("|");
}

export { ZmqError };
