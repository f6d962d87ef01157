// SPDX-License-Identifier: MIT

/**
 * player — one who plays in a round of kills (rounds.ts): how it calls, and what it writes down.
 *
 * All that is written down at once, for others to see, stands in shared words and marks; for a
 * victim may be killed at any moment.
 */
import assert from "node:assert/strict";
import { type Context, ZmqError } from "threadmq";
import type { Random } from "../support/random.ts";

export type Way = "promise" | "sync" | "try";
export const WAYS: readonly Way[] = ["promise", "sync", "try"];
/** Longer than this no call of a survivor may wait. */
export const PATIENCE = 5000;
/** So long one waits for what need not come. */
export const A_MOMENT = 20;
/** The senders that are victims have the numbers from here on. */
export const FIRST_VICTIM = 100;

/** What is being done. */
export const PLAYING = 0;
/** Nothing new is begun; what is under way comes to its end. */
export const RESTING = 1;
export const CLOSING = 2;

// The words of the books.
const PHASE = 0;
/** How many messages may have been in the hands of the killed. */
export const HANDS = 1;
/** How often something was sent again. */
export const AGAIN = 2;
/** How many messages were received from victims, and were of no survivor. */
export const FROM_VICTIMS = 3;
/** How many survivors have nothing of their own under way any more. */
export const FINISHED = 4;
/** How many proxies have begun that are victims. */
export const PROXIES = 5;
/** How many requests of survivors nobody has answered in time. */
export const UNANSWERED = 6;
/** For each place: how many messages the victim there may have, and not have marked. */
const IN_CALL = 8;
/** For each kind of message of each survivor: how many it has sent, or has begun to send. */
const SENT = 16;
const BOOK_WORDS = 256;
/** So many messages of a survivor are marked. */
const MOST = 1 << 22;
const SENDERS = 8;

export interface Books {
  readonly words: SharedArrayBuffer;
  /** A byte for each message: how often it was received. */
  readonly marks: SharedArrayBuffer;
}

export function openBooks(): Books {
  const words = new SharedArrayBuffer(4 * BOOK_WORDS);
  return { words, marks: new SharedArrayBuffer(SENDERS * MOST) };
}

interface Sends {
  send(message: any, options?: any): Promise<void>;
  sendSync(message: any, options?: any): void;
  trySend(message: any, options?: any): boolean;
}

interface Receives<M> {
  receive(options: { timeout: number }): Promise<M>;
  receiveSync(options: { timeout: number }): M;
  tryReceive(): M | undefined;
}

/** What a role does. */
export interface Part {
  /** Comes first; then its thread says that it has begun. */
  begin?(): Promise<void>;
  /** Does one thing after another. */
  step(): Promise<void>;
  /** The same, but nothing new is begun. True if nothing of its own is under way. */
  rest?(): Promise<boolean>;
  close?(): void;
}

export type Role = (player: Player) => Part;

/** What is played, and by whom. */
export interface Play {
  readonly survivors: readonly Role[];
  /** One of these is picked for each victim. */
  readonly victims: readonly Role[];
  /** Whether messages for the dead may lie somewhere until the survivors close. */
  readonly leaves?: boolean;
  /**
   * What must hold in the end.
   *
   * @param hands How many messages may have been in the hands of the killed.
   * @returns how many were.
   */
  readonly verdict?: (player: Player, hands: number) => number;
}

export interface PlayerData {
  readonly books: Books;
  /** Of a survivor, below FIRST_VICTIM, or of a victim, from there on. */
  readonly number: number;
  /** Which of the victims that live at a time. */
  readonly place: number;
  readonly way: Way;
  /** Follows from the seed of the round, and is the same for all who play in it. */
  readonly variant: number;
}

export class Player {
  readonly context: Context;
  readonly random: Random;
  readonly number: number;
  readonly place: number;
  readonly variant: number;
  readonly way: Way;
  readonly #words: Int32Array;
  readonly #marks: Uint8Array;
  /** The longest wait of a call, in ms. */
  longest = 0;

  constructor(context: Context, random: Random, data: PlayerData) {
    this.context = context;
    this.random = random;
    this.number = data.number;
    this.place = data.place;
    this.variant = data.variant;
    this.way = data.way;
    this.#words = new Int32Array(data.books.words);
    this.#marks = new Uint8Array(data.books.marks);
  }

  get isVictim(): boolean {
    return this.number >= FIRST_VICTIM;
  }

  /** Sends within the time that one waits at most; a victim waits for a moment only. */
  async send(
    socket: Sends,
    message: unknown,
    options: object = {},
    timeout: number = this.isVictim ? A_MOMENT : PATIENCE,
  ): Promise<void> {
    await this.#timed(async () => {
      if (this.way === "promise") await socket.send(message, { ...options, timeout });
      else if (this.way === "sync") socket.sendSync(message, { ...options, timeout });
      else {
        const sent = await poll(() => socket.trySend(message, options) || undefined, timeout);
        if (sent === undefined) throw new ZmqError("EAGAIN", { hint: "It was tried in vain." });
      }
    });
  }

  /** Undefined if nothing has come by then. */
  receive<M>(socket: Receives<M>, timeout: number = A_MOMENT): Promise<M | undefined> {
    return this.#timed(async () => {
      try {
        if (this.way === "promise") return await socket.receive({ timeout });
        if (this.way === "sync") return socket.receiveSync({ timeout });
        return await poll(() => socket.tryReceive(), timeout);
      } catch (error) {
        return expect("EAGAIN")(error);
      }
    });
  }

  get phase(): number {
    return Atomics.load(this.#words, PHASE);
  }

  set phase(phase: number) {
    Atomics.store(this.#words, PHASE, phase);
  }

  count(what: number, more = 1): void {
    Atomics.add(this.#words, what, more);
  }

  counted(what: number): number {
    return Atomics.load(this.#words, what);
  }

  /** How many messages of a kind a survivor has sent. */
  sentBy(sender: number, kind = 0): number {
    return Atomics.load(this.#words, SENT + 2 * sender + kind);
  }

  /** We have sent so many messages of a kind. */
  sent(count: number, kind = 0): void {
    assert.ok(count < MOST, "there are numbers left");
    Atomics.store(this.#words, SENT + 2 * this.number + kind, count);
  }

  mark(sender: number, number: number): void {
    Atomics.add(this.#marks, sender * MOST + number, 1);
  }

  marks(sender: number, number: number): number {
    return this.#marks[sender * MOST + number] as number;
  }

  /** From here on so many messages may be in our hands and not be marked. */
  reach(most: number): void {
    if (this.isVictim) Atomics.store(this.#words, IN_CALL + this.place, most);
  }

  /** The victim at a place is dead: what it was about to receive may have been in its hands. */
  killed(place: number): void {
    this.count(HANDS, Atomics.exchange(this.#words, IN_CALL + place, 0));
  }

  async #timed<T>(call: () => Promise<T>): Promise<T> {
    const began = performance.now();
    const value = await call();
    this.longest = Math.max(this.longest, performance.now() - began);
    // Who only blocks would never hear what the event loop has to say.
    if (this.way !== "promise" && this.random.next(30) === 0) await turn();
    return value;
  }
}

/** Plays a part to its end. @param finished Nothing of its own is under way any more. */
export async function play(player: Player, part: Part, finished: () => void): Promise<void> {
  while (player.phase === PLAYING) await part.step();
  const end = performance.now() + PATIENCE;
  while ((await part.rest?.()) === false) {
    assert.ok(performance.now() < end, `survivor ${player.number} comes to its end`);
  }
  finished();
  while (player.phase !== CLOSING) {
    await part.rest?.();
    await turn();
  }
  part.close?.();
}

/** Plays until it is killed. */
export async function playOn(part: Part): Promise<never> {
  for (;;) await part.step().catch(expect("EAGAIN"));
}

async function poll<T>(attempt: () => T | undefined, timeout: number): Promise<T | undefined> {
  const end = performance.now() + timeout;
  for (;;) {
    const value = attempt();
    if (value !== undefined || performance.now() > end) return value;
    await turn();
  }
}

/** An error that may come: any of these. Others are thrown. */
export function expect(...codes: readonly string[]): (error: unknown) => undefined {
  return (error) => {
    if (!(error instanceof ZmqError) || !codes.includes(error.code)) throw error;
    return undefined;
  };
}

/** Does something that may fail so. */
export function tolerate(code: string, what: () => void): boolean {
  try {
    what();
    return true;
  } catch (error) {
    expect(code)(error);
    return false;
  }
}

export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The numbers of others, which must come in order. */
export class Order {
  readonly #last = new Map<string | number, number>();

  /** The next one is this. @param gapless Whether none may be missing. */
  check(sender: string | number, number: number, gapless: boolean): void {
    const last = this.#last.get(sender) ?? -1;
    const isNext = gapless ? number === last + 1 : number > last;
    assert.ok(isNext, `message ${number} of ${sender} came after ${last}`);
    this.#last.set(sender, number);
  }
}
