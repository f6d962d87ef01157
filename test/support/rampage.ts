// SPDX-License-Identifier: MIT

/**
 * rampage — one thread's part in a chaos: random calls on a handful of sockets.
 *
 * Every message says who sent it, and its number, from which its length and its bytes follow.
 */
import { type Context, type Message, Pull, Push } from "threadmq";
import { Random } from "./random.ts";

export interface Report {
  sent: number;
  /** What was received, as "sender/number". */
  got: string[];
}

/** What random calls may fail with. */
const EXPECTED = /^E(?:ADDRINUSE|NOENT|AGAIN|NOCOMPATPROTO)$/;
export const NAMES = ["inproc://x", "inproc://y", "inproc://z"];
const MARKS = [0, 1, 2, 10];
/** Bytes: none, some messages, many, so many that they go to the disk. */
const SWAPS = [0, 0, 2000, 1 << 16, 1 << 24];
const FEWEST = 2;
const MOST = 8;
const MOST_PIPES = 6;

/** How long the body of a message is: mostly short, now and then long enough for a block. */
function lengthOf(number: number): number {
  return number % 97 === 96 ? (number * 7919) % 60_000 : number % 500;
}

/** Takes so many steps, then closes all. */
export async function rampage(
  context: Context,
  tag: string,
  seed: number,
  steps: number,
): Promise<Report> {
  const actor = new Rampage(context, tag, new Random(seed));
  for (let step = 0; step < steps; step++) {
    try {
      await actor.step();
    } catch (error) {
      if (!EXPECTED.test((error as { code?: string }).code ?? "")) throw error;
    }
  }
  actor.end();
  return actor.report;
}

class Rampage {
  readonly report: Report = { sent: 0, got: [] };
  readonly #context: Context;
  readonly #tag: string;
  readonly #random: Random;
  readonly #sockets: (Push | Pull)[] = [];
  /** The name of each PUSH, and how many messages it has sent. */
  readonly #senders = new Map<Push, { name: string; count: number }>();

  constructor(context: Context, tag: string, random: Random) {
    this.#context = context;
    this.#tag = tag;
    this.#random = random;
    for (let i = 0; i < 4; i++) this.#open();
  }

  async step(): Promise<void> {
    const random = this.#random;
    const socket = random.pick(this.#sockets);
    const action = random.next(40);
    if (action >= 14) {
      if (socket instanceof Push) await this.#send(socket);
      else await this.#receive(socket);
    } else if (action === 0) {
      if (this.#sockets.length < MOST) this.#open();
    } else if (action === 1) {
      if (this.#sockets.length > FEWEST) this.#close(socket);
    } else if (action === 2) await new Promise((resolve) => setImmediate(resolve));
    else if (action === 3) this.#changeMark(socket);
    else this.#link(socket);
  }

  /** Receives what can be received before the end. */
  end(): void {
    for (const socket of this.#sockets) {
      if (socket instanceof Push) continue;
      for (let one = socket.tryReceive(); one !== undefined; one = socket.tryReceive()) {
        this.#take([one]);
      }
    }
    for (const socket of this.#sockets) socket.close();
  }

  #open(): void {
    const context = this.#context;
    const mark = this.#random.pick(MARKS);
    if (this.#random.next(2) === 0) {
      this.#sockets.push(new Pull({ context, receiveHighWaterMark: mark }));
      return;
    }
    const immediate = this.#random.next(3) === 0;
    const swap = this.#random.pick(SWAPS);
    const push = new Push({ context, sendHighWaterMark: mark, immediate, swap });
    this.#sockets.push(push);
    this.#senders.set(push, { name: `${this.#tag}${this.#senders.size}`, count: 0 });
  }

  #close(socket: Push | Pull): void {
    socket.close();
    this.#sockets.splice(this.#sockets.indexOf(socket), 1);
  }

  #changeMark(socket: Push | Pull): void {
    const mark = this.#random.pick(MARKS);
    if (socket instanceof Push) socket.sendHighWaterMark = mark;
    else socket.receiveHighWaterMark = mark;
  }

  #link(socket: Push | Pull): void {
    const name = this.#random.pick(NAMES);
    const action = this.#random.next(10);
    if (action < 3) socket.bindSync(name);
    else if (action < 5) socket.unbindSync(name);
    else if (action > 7) socket.disconnect(name);
    else if (socket.stats().pipes < MOST_PIPES) socket.connect(name);
  }

  async #send(push: Push): Promise<void> {
    const sender = this.#senders.get(push) as { name: string; count: number };
    const number = sender.count;
    const message = [`${sender.name}/${number}`, Buffer.alloc(lengthOf(number), number)];
    const how = this.#random.next(4);
    if (how === 0) await push.send(message, { timeout: this.#random.next(2) });
    else if (how === 1) push.sendSync(message, { timeout: 0 });
    else if (!push.trySend(message)) return;
    sender.count++;
    this.report.sent++;
  }

  async #receive(pull: Pull): Promise<void> {
    const how = this.#random.next(4);
    if (how === 0) this.#take([pull.receiveSync({ timeout: 0 })]);
    else if (how === 1) {
      const timeout = this.#random.next(2);
      this.#take(await pull.receiveMany(1 + this.#random.next(20), { timeout }));
    } else {
      const one = pull.tryReceive();
      if (one !== undefined) this.#take([one]);
    }
  }

  #take(messages: readonly Message[]): void {
    for (const message of messages) {
      const [from, body] = message;
      const number = Number(`${from}`.split("/")[1]);
      const whole = message.length === 2 && body?.equals(Buffer.alloc(lengthOf(number), number));
      if (!whole) throw new Error(`a broken message from ${from}`);
      this.report.got.push(`${from}`);
    }
  }
}
