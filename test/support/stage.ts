// SPDX-License-Identifier: MIT

/**
 * stage — sockets by number, and what a test can have done with them.
 *
 * A stage runs in the thread of the test or in a worker, and does the same there. What goes in and
 * comes out can be posted between threads.
 */
import * as threadmq from "threadmq";

type Library = typeof threadmq;
const LIBRARY: Library = threadmq;

/** The three ways to send and receive: promises, calls that block, and attempts with batches. */
export type Way = "promise" | "sync" | "try";
export const WAYS: readonly Way[] = ["promise", "sync", "try"];

/** Long enough for a loaded machine; a test that comes to this has failed. */
export const PATIENCE = 10_000;

/** The types of sockets, by the names of their classes. */
export type Kind = {
  [Name in keyof Library]: Library[Name] extends new (
    ...args: any[]
  ) => threadmq.Socket
    ? Name
    : never;
}[keyof Library];

/** What a function that is sent to a thread gets. */
export interface Scene {
  readonly threadmq: typeof threadmq;
  readonly context: threadmq.Context;
  /** Another file of this folder. */
  load(file: string): Promise<any>;
  /** Kept from one function to the next. */
  readonly props: Record<string, any>;
}

export interface Call {
  readonly what: "enter" | "open" | "call" | "get" | "set" | "send" | "receive" | "run";
  readonly id?: number;
  readonly args: readonly any[];
}

export class Stage {
  readonly context: threadmq.Context;
  readonly #sockets = new Map<number, threadmq.Socket>();
  readonly #scene: Scene;
  #last = 0;

  constructor(context: threadmq.Context) {
    this.context = context;
    this.#scene = { threadmq, context, load: (file) => import(file), props: {} };
  }

  do({ what, id = 0, args }: Call): unknown {
    const socket = this.#sockets.get(id) as any;
    if (what === "open") return this.#open(args[0], args[1]);
    if (what === "call") return socket[args[0]](...args.slice(1));
    if (what === "get") return socket[args[0]];
    if (what === "set") return Reflect.set(socket, args[0], args[1]);
    if (what === "send") return send(socket, args[0], args[1], args[2]);
    if (what === "receive") return receive(socket, args[0], args[1]);
    // The function comes as its source: it may use its parameters only.
    const body = new Function(`return (${args[0]});`)() as (...given: unknown[]) => unknown;
    return body(this.#scene, ...args.slice(1));
  }

  #open(kind: Kind, options: object): number {
    const socket = new (LIBRARY[kind] as any)({ context: this.context, ...options });
    this.#sockets.set(++this.#last, socket);
    return this.#last;
  }
}

async function send(socket: any, messages: string[][], way: Way, given: object): Promise<void> {
  const options = { timeout: PATIENCE, ...given };
  if (way === "promise") for (const message of messages) await socket.send(message, options);
  else if (way === "sync") for (const message of messages) socket.sendSync(message, options);
  else {
    // One by one as long as there is room, the rest at once.
    let sent = 0;
    while (sent < messages.length >> 1 && socket.trySend(messages[sent], given)) sent++;
    await socket.sendMany(messages.slice(sent), options);
  }
}

async function receive(socket: any, count: number, way: Way): Promise<string[][]> {
  const messages: unknown[][] = [];
  while (messages.length < count) {
    const left = count - messages.length;
    if (way === "promise") messages.push(await socket.receive({ timeout: PATIENCE }));
    else if (way === "sync") messages.push(socket.receiveSync({ timeout: PATIENCE }));
    else {
      const one = socket.tryReceive();
      if (one !== undefined) messages.push(one);
      else messages.push(...(await socket.receiveMany(left, { timeout: PATIENCE })));
    }
  }
  return messages.map((message) => message.map(toText));
}

/** A part as text; of what a SERVER says of its sender, the number. */
export function toText(part: unknown): string {
  if (part instanceof Uint8Array) return Buffer.from(part).toString();
  return `${(part as threadmq.PeerNumber).routingId}`;
}
