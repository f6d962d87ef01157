// SPDX-License-Identifier: MIT

/**
 * parts — who plays in kills.ts: survivors and victims, and the books that both keep.
 *
 * A message of a survivor says who sent it, of which kind it is, and its number, from which its
 * length and its bytes follow. Victims' messages carry their number, and one for each of theirs.
 */
import assert from "node:assert/strict";
import { parentPort, workerData } from "node:worker_threads";
import { Context, type ContextHandle, type Message, Pull, Push, ZmqError } from "threadmq";
import { Random } from "../support/random.ts";
import { lengthOf } from "./bodies.ts";

export const SENDERS = 3;
/** The kinds of a message: to victims that need not acknowledge, to those that do, of a victim. */
export const WORK = 0;
export const ACKED = 1;
const OF_VICTIM = 2;
/** What victims bind, and survivors connect to. */
export const NAMES = ["inproc://v0", "inproc://v1"];
/** Longer than this no call of a survivor may wait. */
export const PATIENCE = 5000;
const RESULTS = "inproc://results";
/** Each sender has so many numbers of each kind; then it goes on with less. */
const MOST = 1 << 24;
const BATCH = 16;

// The words of the books.
export const STOP = 0;
export const HANDS = 1;
const SENT = 16;
const IN_CALL = 32;
const BOOK_WORDS = 64;

/** What all threads write down, at once. */
export interface Books {
  readonly buffers: { words: SharedArrayBuffer; marks: SharedArrayBuffer };
  readonly words: Int32Array;
  sentBy(sender: number, kind: number): number;
  /** How often it was received in the low four bits, and in the high how often as redelivered. */
  marks(sender: number, kind: number, number: number): number;
  mark(message: Message, again: boolean): void;
  sent(sender: number, kind: number, number: number): void;
}

export function openBooks(buffers?: Books["buffers"]): Books {
  const shared = buffers ?? {
    words: new SharedArrayBuffer(4 * BOOK_WORDS),
    marks: new SharedArrayBuffer(2 * SENDERS * MOST),
  };
  const words = new Int32Array(shared.words);
  const marks = new Uint8Array(shared.marks);
  const at = (sender: number, kind: number, number: number) =>
    (2 * sender + kind) * MOST + (number % MOST);
  return {
    buffers: shared,
    words,
    sentBy: (sender, kind) => Atomics.load(words, SENT + 2 * sender + kind),
    marks: (sender, kind, number) => marks[at(sender, kind, number)] as number,
    mark(message, again) {
      const { sender, kind, number } = check(message);
      Atomics.add(marks, at(sender, kind, number), again ? 17 : 1);
    },
    sent(sender, kind, number) {
      Atomics.store(words, SENT + 2 * sender + kind, number + 1);
    },
  };
}

/** Head and body; some have another part between. */
function make(sender: number, kind: number, number: number): Uint8Array[] {
  const head = new Uint8Array(Int32Array.of(sender, kind, number).buffer);
  const body = new Uint8Array(lengthOf(number)).fill(number);
  return number % 5 === 0 ? [head, Buffer.from("between"), body] : [head, body];
}

/** Says what a message is. Throws if it is broken. */
function check(message: Message): { sender: number; kind: number; number: number } {
  const [head, last] = [message[0], message.at(-1)] as [Buffer, Buffer];
  const [sender, kind, number] = [0, 4, 8].map((at) => head.readInt32LE(at)) as [
    number,
    number,
    number,
  ];
  const whole = last.length === lengthOf(number) && last.every((byte) => byte === (number & 255));
  assert.ok(whole, `message ${number} of ${sender} is broken`);
  return { sender, kind, number };
}

/** One who sends and receives all the time, and lives. */
export class Survivor {
  readonly #context: Context;
  readonly #books: Books;
  readonly #sender: number;
  readonly #random: Random;
  readonly #push: [Push, Push];
  readonly #pull: Pull;
  readonly #next = [0, 0];
  /** The last number of each victim. */
  readonly #seen = new Map<number, number>();
  #receiving: Promise<void> | undefined;
  fromVictims = 0;
  longest = 0;

  constructor(context: Context, books: Books, sender: number, seed: number) {
    this.#context = context;
    this.#books = books;
    this.#sender = sender;
    this.#random = new Random(seed);
    // One of them has a swap, and so is hardly ever mute.
    const options = { context, sendHighWaterMark: 20, swap: sender === 2 ? 1 << 20 : 0 };
    this.#push = [new Push(options), new Push(options)];
    this.#pull = new Pull({ context, receiveHighWaterMark: 20 });
    for (const kind of [WORK, ACKED]) {
      const push = this.#push[kind] as Push;
      push.bindSync(`inproc://s${sender}.${kind}`);
    }
    for (const name of NAMES) this.#push[WORK].connect(name);
    if (sender === 0) this.#pull.bindSync(RESULTS);
    // The first takes everybody's work, all the time: so nobody has to wait for a victim to come.
    for (let other = 0; other < SENDERS; other++) {
      if (other === sender && sender !== 0) continue;
      this.#pull.connect(`inproc://s${other}.${WORK}`);
      this.#pull.connect(`inproc://s${other}.${ACKED}`);
    }
  }

  get #stopped(): boolean {
    return Atomics.load(this.#books.words, STOP) !== 0;
  }

  /** Goes on until it is told to stop. Returns the longest wait. */
  async run(): Promise<number> {
    const way = ["promise", "sync", "try"][this.#sender];
    if (way === "promise") this.#receiving = this.#receiveAll();
    while (!this.#stopped) {
      const kind = this.#random.next(2);
      const began = performance.now();
      if (way === "promise") await this.#byPromise(kind);
      else if (way === "sync") this.#bySync(kind);
      else this.#byTrying(kind);
      this.longest = Math.max(this.longest, performance.now() - began);
      if (way !== "promise" && this.#random.next(50) === 0) await turn();
    }
    return this.longest;
  }

  async #byPromise(kind: number): Promise<void> {
    await (this.#push[kind] as Push).send(this.#message(kind), { timeout: PATIENCE });
    this.#accepted(kind);
  }

  async #receiveAll(): Promise<void> {
    for await (const message of this.#pull) this.#take(message);
  }

  #bySync(kind: number): void {
    const push = this.#push[kind] as Push;
    this.#receiveNow();
    push.sendSync(this.#message(kind), { timeout: PATIENCE });
    this.#accepted(kind);
    if (this.#random.next(20) > 0) return;
    try {
      this.#take(this.#pull.receiveSync({ timeout: 1 }));
    } catch (error) {
      expect("EAGAIN")(error);
    }
  }

  #byTrying(kind: number): void {
    const push = this.#push[kind] as Push;
    if (push.trySend(this.#message(kind))) this.#accepted(kind);
    else this.#receiveNow();
    if (this.#random.next(10) > 0) return;
    const from = this.#next[kind] as number;
    const batch = Array.from({ length: BATCH }, (_, i) => make(this.#sender, kind, from + i));
    let accepted = BATCH;
    try {
      push.sendManySync(batch, { timeout: 1 });
    } catch (error) {
      expect("EAGAIN")(error);
      accepted = (error as ZmqError).accepted as number;
    }
    for (let i = 0; i < accepted; i++) this.#accepted(kind);
  }

  #message(kind: number): Uint8Array[] {
    return make(this.#sender, kind, this.#next[kind] as number);
  }

  #accepted(kind: number): void {
    const number = this.#next[kind] as number;
    this.#books.sent(this.#sender, kind, number);
    this.#next[kind] = number + 1;
    assert.ok(number < MOST, "there are numbers left");
  }

  #receiveNow(): void {
    for (let one = this.#pull.tryReceive(); one !== undefined; one = this.#pull.tryReceive()) {
      this.#take(one);
    }
  }

  #take(message: Message): void {
    const { sender, kind, number } = check(message);
    if (kind !== OF_VICTIM) {
      this.#books.mark(message, this.#pull.isRedelivered(message));
      return;
    }
    this.fromVictims++;
    const last = this.#seen.get(sender) ?? -1;
    assert.ok(number > last, `message ${number} of victim ${sender} after ${last}`);
    this.#seen.set(sender, number);
  }

  /** All have stopped: takes what is left anywhere. */
  async receiveTheRest(): Promise<void> {
    for (const name of NAMES) this.#pull.bindSync(name);
    await Promise.all(this.#push.map((push) => push.drain({ timeout: PATIENCE })));
    const end = performance.now() + PATIENCE;
    while (this.#context.stats().messages.queued > 0) {
      assert.ok(performance.now() < end, "all is received");
      await turn();
    }
    this.close();
    await this.#receiving;
  }

  /** Ends: first receives no more, then, when its own is received, sends no more. */
  async leave(): Promise<void> {
    this.#pull.close();
    await Promise.all(this.#push.map((push) => push.drain({ timeout: PATIENCE })));
    this.close();
  }

  close(): void {
    for (const socket of [...this.#push, this.#pull]) socket.close();
  }
}

/** One who will be killed. */
class Victim {
  readonly #books: Books;
  readonly #random: Random;
  readonly #number: number;
  readonly #acknowledges: boolean;
  readonly #pull: Pull;
  readonly #push: Push;
  #sent = 0;

  constructor(context: Context, books: Books, number: number, seed: number) {
    this.#books = books;
    this.#number = number;
    this.#random = new Random(seed);
    this.#acknowledges = this.#random.next(2) === 0;
    const receiveHighWaterMark = this.#random.pick([1, 5, 100]);
    const acknowledge = this.#acknowledges;
    this.#pull = new Pull({ context, receiveHighWaterMark, acknowledge, receiveTimeout: 20 });
    const swap = this.#random.pick([0, 100_000]);
    this.#push = new Push({ context, sendHighWaterMark: 5, swap, linger: 0, sendTimeout: 20 });
    const kind = acknowledge ? ACKED : WORK;
    for (let sender = 0; sender < SENDERS; sender++) {
      this.#pull.connect(`inproc://s${sender}.${kind}`);
    }
    if (!acknowledge) {
      try {
        this.#pull.bindSync(this.#random.pick(NAMES));
      } catch (error) {
        expect("EADDRINUSE")(error);
      }
    }
    this.#push.connect(RESULTS);
  }

  async run(): Promise<never> {
    const way = this.#random.next(3);
    for (;;) {
      try {
        if (way === 0) await this.#byPromise();
        else if (way === 1) this.#bySync();
        else this.#byTrying();
      } catch (error) {
        expect("EAGAIN")(error);
      }
      if (this.#random.next(10) === 0) await turn();
    }
  }

  async #byPromise(): Promise<void> {
    this.#begin(1);
    this.#take([await this.#pull.receive()]);
    await this.#push.send(this.#message());
    this.#sent++;
  }

  #bySync(): void {
    this.#begin(1);
    this.#take([this.#pull.receiveSync()]);
    this.#push.sendSync(this.#message());
    this.#sent++;
  }

  #byTrying(): void {
    this.#begin(BATCH);
    this.#take(this.#pull.receiveManySync(BATCH));
    if (this.#push.trySend(this.#message())) this.#sent++;
    if (this.#acknowledges && this.#random.next(2) === 0) this.#pull.acknowledge();
  }

  #message(): Uint8Array[] {
    return make(this.#number + SENDERS, OF_VICTIM, this.#sent);
  }

  /** From here on a message may be in our hands and not be marked. */
  #begin(most: number): void {
    if (!this.#acknowledges) Atomics.store(this.#books.words, IN_CALL + workerData.place, most);
  }

  #take(messages: readonly Message[]): void {
    for (const message of messages) this.#books.mark(message, this.#pull.isRedelivered(message));
    Atomics.store(this.#books.words, IN_CALL + workerData.place, 0);
  }
}

/** A victim has been killed: what it was about to receive may be in its hands. */
export function countHands(books: Books, place: number): void {
  Atomics.add(books.words, HANDS, Atomics.exchange(books.words, IN_CALL + place, 0));
}

function expect(code: string): (error: unknown) => undefined {
  return (error) => {
    if (!(error instanceof ZmqError) || error.code !== code) throw error;
    return undefined;
  };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** What a worker of this file is started with. */
export interface PartData {
  readonly role: "survivor" | "victim";
  readonly handle: ContextHandle;
  readonly books: Books["buffers"];
  readonly sender: number;
  readonly number: number;
  /** Which of the victims that live at a time. */
  readonly place: number;
  readonly seed: number;
}

async function play({ role, handle, books: buffers, sender, number, seed }: PartData) {
  const context = Context.from(handle);
  const books = openBooks(buffers);
  if (role === "victim") {
    const victim = new Victim(context, books, number, seed);
    parentPort?.postMessage({ ready: true });
    await victim.run();
  }
  const survivor = new Survivor(context, books, sender, seed);
  parentPort?.postMessage({ ready: true });
  parentPort?.postMessage({ longest: await survivor.run() });
  await survivor.leave();
}

if (workerData?.role === "survivor" || workerData?.role === "victim") await play(workerData);
