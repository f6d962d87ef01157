// SPDX-License-Identifier: MIT

/**
 * requests — what the programs of `broker` send, and how they look at it.
 *
 *      main thread            second thread               third thread
 *      4 DEALER  ──────▶  ROUTER  proxy  DEALER  ──────▶  4 REP
 *
 * Clients are DEALER sockets and not REQ, so that throughput is measured: with four REQ at most
 * four requests are under way, three threads share two cores, and what is measured is how soon a
 * sleeper wakes. Each client keeps {@link WINDOW} requests under way, and sends one for every
 * reply. A request is what a REQ would send: an empty part, and a body with the request's number
 * among those of its client, and the client's.
 *
 * The broker may deal one client's requests to any worker, so replies may overtake each other. Each
 * must come once, to who has asked. Workers get the requests of a client in their order.
 *
 * Bodies are at most 128 bytes: what is above that, zeromq.js sends by reference, and one buffer
 * would not do.
 */

import { type Arguments, Clock, Outgoing, wordOf } from "./child.ts";

export const CLIENTS = 4;
export const WORKERS = 4;
export const WINDOW = 64;

/** The arguments, with as many requests for each client. */
export function equalShares(args: Arguments): Arguments {
  const whole = (count: number): number => count - (count % CLIENTS);
  return { ...args, count: whole(args.count), warmup: whole(args.warmup) };
}

/** One client: makes its requests, and knows which were answered. */
class Client {
  readonly #index: number;
  readonly #share: number;
  readonly #size: number;
  /** Those that may go together. */
  readonly #outgoing: Outgoing[];
  readonly #answered: Uint8Array;
  readonly #clock: Clock;
  #asked = 0;
  #replies = 0;

  constructor(index: number, { size, count, warmup }: Arguments, clock: Clock) {
    this.#index = index;
    this.#share = (warmup + count) / CLIENTS;
    this.#size = size;
    this.#outgoing = Array.from({ length: WINDOW }, () => new Outgoing(size));
    for (const { body } of this.#outgoing) body.writeInt32LE(index, 4);
    this.#answered = new Uint8Array(this.#share);
    this.#clock = clock;
  }

  /** Whether there is another request to be sent. */
  get hasRequest(): boolean {
    return this.#asked < this.#share;
  }

  /** Whether a reply is still to come. */
  get hasReply(): boolean {
    return this.#replies < this.#share;
  }

  request(): [null, Buffer] {
    return [null, this.#outgoing[0].numbered(this.#asked++)];
  }

  /** So many, at most {@link WINDOW}; fewer if there are no more to be sent. */
  requests(count: number): [null, Buffer][] {
    const left = Math.min(count, this.#share - this.#asked);
    return Array.from({ length: left }, (_, i) => [
      null,
      this.#outgoing[i].numbered(this.#asked++),
    ]);
  }

  replied([empty, body]: Uint8Array[]): void {
    const number = wordOf(body);
    const right = empty.length === 0 && body.length === this.#size;
    if (!right || wordOf(body, 4) !== this.#index || this.#answered[number] !== 0) {
      throw new Error(`client ${this.#index}: reply ${number} of ${wordOf(body, 4)}`);
    }
    if (number >= this.#asked) throw new Error(`reply ${number} came before its request`);
    this.#answered[number] = 1;
    this.#replies++;
    this.#clock.tick();
  }
}

/** The clients of one program, and their clock. */
export class Clients {
  readonly all: Client[];
  readonly #clock: Clock;

  constructor(args: Arguments) {
    const clock = new Clock(args);
    this.all = Array.from({ length: CLIENTS }, (_, index) => new Client(index, args, clock));
    this.#clock = clock;
  }

  figures(): { rate: number; seconds: number } {
    return this.#clock.figures();
  }
}

/** Looks at the requests that one worker gets. */
export class Order {
  readonly #size: number;
  readonly #least = new Int32Array(CLIENTS);

  constructor({ size }: Arguments) {
    this.#size = size;
  }

  /** @returns the body, to be sent back. */
  look(body: Buffer): Buffer {
    const number = wordOf(body);
    const client = wordOf(body, 4);
    if (body.length !== this.#size || !(number >= this.#least[client])) {
      throw new Error(`request ${number} of client ${client}, ${body.length} bytes`);
    }
    this.#least[client] = number + 1;
    return body;
  }
}

// By promises, for every library whose calls are named as zeromq.js's are.

interface AsyncSocket {
  send(message: Buffer | [null, Buffer]): Promise<void>;
  receive(): Promise<Buffer[]>;
  close(): void;
  [Symbol.asyncIterator](): AsyncIterator<Buffer[]>;
}

/** Runs all clients to their end. */
export async function askAll(dealers: AsyncSocket[], clients: Clients): Promise<void> {
  await Promise.all(
    dealers.map(async (dealer, index) => {
      const client = clients.all[index];
      for (let i = 0; i < WINDOW && client.hasRequest; i++) await dealer.send(client.request());
      while (client.hasReply) {
        client.replied(await dealer.receive());
        if (client.hasRequest) await dealer.send(client.request());
      }
    }),
  );
}

/** Replies to all requests until `over`. */
export async function workAll(
  reps: AsyncSocket[],
  args: Arguments,
  over: Promise<unknown>,
): Promise<void> {
  const working = reps.map(async (rep) => {
    const order = new Order(args);
    for await (const [body] of rep) await rep.send(order.look(body));
  });
  await Promise.race([over, Promise.all(working)]); // The latter, if one fails.
  for (const rep of reps) rep.close();
  await Promise.all(working);
}
