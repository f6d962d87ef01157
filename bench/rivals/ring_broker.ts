// SPDX-License-Identifier: MIT

/**
 * ring_broker — the broker of requests.ts over bare rings in a SharedArrayBuffer: what this machine
 * gives to any library in JavaScript whose user sends and receives Buffers one by one.
 *
 *      main thread           second thread           third thread
 *      4 rings   ─────────▶  copies slots  ─────────▶  4 rings
 *                ◀─────────                ◀─────────
 *
 * A client's requests are dealt in turn to the workers, whose slots say which client is meant. Each
 * end copies bodies into and out of Buffers, shows each message by itself, and looks at its rings
 * in turn, as broker.ts does. Who finds nothing sleeps at once; to spin before makes it slower.
 *
 * What is not equal: one size of message, no names, no envelope but a number, no state of requests,
 * no fairness but the turn, no end. A ring has room for all that is under way.
 */

import { isMainThread } from "node:worker_threads";
import { type Arguments, inThread, readArguments, ready, report, startThread } from "../child.ts";
import { CLIENTS, Clients, equalShares, Order, WINDOW, WORKERS } from "../requests.ts";
import { Copier, HEAD, strideOf } from "./ring.ts";

/** Slots of a ring: a power of two. */
const SLOTS: number = CLIENTS * WINDOW;
/** Words of a ring before its slots: how many were written, and how many read. */
const READ = 32;
const FIRST_SLOT = 64;
/** A word for each thread, by which it sleeps: 1 while it does. */
const MAIN = 0;
const PROXY = 32;
const WORK = 64;
const FIRST_RING = 96;

type Lanes = "asked" | "dealt" | "answered" | "returned";
const LANES: readonly Lanes[] = ["asked", "dealt", "answered", "returned"];

interface Data extends Arguments {
  role: "proxy" | "work";
  words: Int32Array<SharedArrayBuffer>;
}

function ringWords(size: number): number {
  return FIRST_SLOT + SLOTS * strideOf(size);
}

/** One end of a ring. */
abstract class End {
  protected readonly words: Int32Array<SharedArrayBuffer>;
  protected readonly at: number;
  readonly #stride: number;
  /** How many slots were written, or read. */
  protected count = 0;

  constructor({ words, size }: Data, lanes: Lanes, index: number) {
    this.words = words;
    this.at = FIRST_RING + (LANES.indexOf(lanes) * WORKERS + index) * ringWords(size);
    this.#stride = strideOf(size);
  }

  /** Where the next slot is. */
  get slot(): number {
    return this.at + FIRST_SLOT + (this.count & (SLOTS - 1)) * this.#stride;
  }
}

class Writer extends End {
  readonly #bytes = new Uint8Array(this.words.buffer);
  readonly #reader: number;

  /** @param reader The word by which the reader sleeps. */
  constructor(data: Data, lanes: Lanes, index: number, reader: number) {
    super(data, lanes, index);
    this.#reader = reader;
  }

  send(client: number, body: Uint8Array): void {
    const { words, slot } = this;
    words[slot] = body.length;
    words[slot + 1] = client;
    this.#bytes.set(body, (slot + HEAD) * 4);
    this.count++;
    this.show();
  }

  copy(client: number, from: number): void {
    const { words, slot } = this;
    words[slot + 1] = client;
    const last = HEAD + ((words[from] + 3) >> 2);
    words[slot] = words[from];
    for (let i = HEAD; i < last; i++) words[slot + i] = words[from + i];
    this.count++;
  }

  show(): void {
    const { words } = this;
    Atomics.store(words, this.at, this.count);
    if (Atomics.load(words, this.#reader) === 0) return;
    if (Atomics.exchange(words, this.#reader, 0) === 1) Atomics.notify(words, this.#reader);
  }
}

class Reader extends End {
  #written = 0;

  get has(): boolean {
    if (this.count === this.#written) this.#written = Atomics.load(this.words, this.at);
    return this.count !== this.#written;
  }

  next(): void {
    this.count++;
  }

  release(): void {
    Atomics.store(this.words, this.at + READ, this.count);
  }
}

/** Sleeps, by this word, until there is something to read. */
function sleep(words: Int32Array<SharedArrayBuffer>, word: number, readers: Reader[]): void {
  const isDue = () => readers.some(({ has }) => has);
  while (!isDue()) {
    Atomics.store(words, word, 1);
    if (isDue()) Atomics.store(words, word, 0);
    else Atomics.wait(words, word, 1);
  }
}

/** Reads so many slots, the next of each reader in turn. */
function serve(data: Data, word: number, readers: Reader[], use: Use, count: number): void {
  const copier = new Copier(data.words);
  for (let done = 0; done < count; done++) {
    const index = done % readers.length;
    const reader = readers[index];
    if (!reader.has) sleep(data.words, word, [reader]);
    const { slot } = reader;
    const client = data.words[slot + 1];
    const [body] = copier.copy(slot);
    reader.next();
    reader.release();
    use(index, client, body);
  }
}

type Use = (index: number, client: number, body: Buffer) => void;

function work(data: Data): void {
  const indices = [...Array(WORKERS).keys()];
  const readers = indices.map((index) => new Reader(data, "dealt", index));
  const writers = indices.map((index) => new Writer(data, "answered", index, PROXY));
  const orders = indices.map(() => new Order(data));
  ready();
  const answer: Use = (index, client, body) =>
    writers[index].send(client, orders[index].look(body));
  serve(data, WORK, readers, answer, data.warmup + data.count);
}

/** Moves all that there is one way. Returns how many slots that was. */
function move(readers: Reader[], writers: Writer[], whereTo: (index: number) => number): number {
  let moved = 0;
  for (let idle = 0, index = 0; idle < readers.length; index = (index + 1) % readers.length) {
    const reader = readers[index];
    idle = reader.has ? 0 : idle + 1;
    if (!reader.has) continue;
    const to = whereTo(index);
    writers[to].copy(index, reader.slot);
    reader.next();
    moved++;
  }
  if (moved === 0) return 0;
  for (const writer of writers) writer.show();
  for (const reader of readers) reader.release();
  return moved;
}

function proxy(data: Data): void {
  const indices = [...Array(CLIENTS).keys()];
  const asked = indices.map((index) => new Reader(data, "asked", index));
  const dealt = indices.map((index) => new Writer(data, "dealt", index, WORK));
  const answered = indices.map((index) => new Reader(data, "answered", index));
  const returned = indices.map((index) => new Writer(data, "returned", index, MAIN));
  const all = [...asked, ...answered];
  let turn = -1;
  const deal = () => {
    turn = (turn + 1) % WORKERS;
    return turn;
  };
  const clientOf = (index: number) => data.words[answered[index].slot + 1];
  ready();
  const total = 2 * (data.warmup + data.count);
  for (let moved = 0; moved < total; ) {
    const now = move(asked, dealt, deal) + move(answered, returned, clientOf);
    if (now === 0) sleep(data.words, PROXY, all);
    moved += now;
  }
}

async function main(args: Arguments): Promise<void> {
  const length = FIRST_RING + LANES.length * WORKERS * ringWords(args.size);
  const words = new Int32Array(new SharedArrayBuffer(length * 4));
  const data: Data = { ...args, role: "proxy", words };
  await startThread(import.meta.url, data);
  await startThread(import.meta.url, { ...data, role: "work" });
  const indices = [...Array(CLIENTS).keys()];
  const writers = indices.map((index) => new Writer(data, "asked", index, PROXY));
  const readers = indices.map((index) => new Reader(data, "returned", index));
  const clients = new Clients(args);
  const ask = (index: number): void => {
    const client = clients.all[index];
    if (client.hasRequest) writers[index].send(index, client.request()[1]);
  };
  for (let i = 0; i < WINDOW * CLIENTS; i++) ask(i % CLIENTS);
  const empty = Buffer.alloc(0);
  const use: Use = (index, _client, body) => {
    clients.all[index].replied([empty, body]);
    ask(index);
  };
  serve(data, MAIN, readers, use, args.warmup + args.count);
  report(clients.figures());
}

if (isMainThread) await main(equalShares(readArguments()));
else await inThread((data: Data) => (data.role === "proxy" ? proxy(data) : work(data)));
