// SPDX-License-Identifier: MIT

/**
 * child — what the programs of the bench share: arguments, the second thread, the look at each
 * message, percentiles, the report.
 *
 * A program is one file and runs in a process of its own:
 *
 *      node inproc_thr.js VARIANT SIZE COUNT WARMUP
 *
 * The same file is the entry of its second thread. It prints one line of JSON: its figures, or why
 * it cannot run here.
 *
 * # The look at each message
 *
 * A receiver that never touches what it gets would measure something nobody does, and would favour
 * whoever hands out references. So in every program, C included, the sender writes the message's
 * number into the first four bytes of its buffer before each send, and the receiver looks at the
 * length, reads the number and compares ({@link Meter}). A lost, doubled, torn or overtaken message
 * ends the program.
 */

import { writeSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { parentPort, Worker, workerData } from "node:worker_threads";

export interface Arguments {
  variant: string;
  /** Bytes a message; a multiple of four. */
  size: number;
  /** Messages, or round trips, that are timed. */
  count: number;
  /** Messages before those: the compiler's time, not ours. */
  warmup: number;
}

/** The arguments, in the main thread. */
export function readArguments(): Arguments {
  const [variant = "", size, count, warmup] = process.argv.slice(2);
  return { variant, size: Number(size), count: Number(count), warmup: Number(warmup) };
}

/** Prints what was measured, for main.ts to read. */
export function report(figures: Readonly<Record<string, number | readonly number[]>>): void {
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}

/** Prints why this rival cannot run here. */
export function reportSkip(reason: string): void {
  process.stdout.write(`${JSON.stringify({ skip: reason })}\n`);
}

/** Starts `file` again as the second thread. Resolves when that calls {@link ready}. */
export async function startThread(file: string, data: object): Promise<Worker> {
  const worker = new Worker(new URL(file), { workerData: data });
  await new Promise<void>((resolve, reject) => {
    worker.once("message", () => resolve());
    worker.once("error", reject);
  });
  return worker;
}

/** In the second thread: sockets are connected, memory is laid out; the race may begin. */
export function ready(): void {
  parentPort?.postMessage("ready");
}

/**
 * Runs the second thread's part. If it fails, the process ends with it: the main thread may be
 * blocked in a receive, and would never hear of an error.
 */
export async function inThread<Data>(run: (data: Data) => void | Promise<void>): Promise<void> {
  try {
    await run(workerData as Data);
  } catch (error) {
    writeSync(2, `${error instanceof Error ? error.stack : error}\n`);
    process.kill(process.pid, "SIGKILL");
  }
}

/** In another thread: resolves when the main thread sends it something, as a rule "it is over". */
export function told(): Promise<unknown> {
  return new Promise((resolve) => parentPort?.once("message", resolve));
}

/**
 * Before files are written: lets the system settle what the warm-up has freed.
 *
 * Measured on a virtual machine: a GiB of the page cache takes 0.17 s if its memory was free for
 * less than half a second, and 0.6 s after that, when the host has taken it back. Without a pause,
 * whoever is quicker to begin is four times as fast.
 */
export function settle(count: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, count < QUICK ? 0 : SETTLE_MS));
}

const SETTLE_MS = 2000;
/** Fewer messages are a quick run, whose figures mean nothing. */
const QUICK = 100_000;

/** Four bytes of a message, the first ones if nothing else is said, as a number. */
export function wordOf(part: Uint8Array, at = 0): number {
  return part[at] | (part[at + 1] << 8) | (part[at + 2] << 16) | (part[at + 3] << 24);
}

/** Counts messages, and runs from the last of the warm-up to the last of all. */
export class Clock {
  readonly #warmup: number;
  readonly #total: number;
  #seen = 0;
  #began = 0;
  #seconds = 0;

  /** @param each How often each of the messages is counted. */
  constructor({ count, warmup }: Arguments, each = 1) {
    this.#warmup = warmup * each;
    this.#total = (warmup + count) * each;
    if (warmup === 0) this.#began = performance.now();
  }

  /** Another message. True: it was the last. */
  tick(): boolean {
    this.#seen++;
    if (this.#seen === this.#warmup) this.#began = performance.now();
    if (this.#seen !== this.#total) return false;
    this.#seconds = (performance.now() - this.#began) / 1e3;
    return true;
  }

  /** Messages a second, and how long it took. */
  figures(): { rate: number; seconds: number } {
    return { rate: (this.#total - this.#warmup) / this.#seconds, seconds: this.#seconds };
  }
}

/** Looks at each message that one socket receives, and counts it on a clock. */
export class Meter {
  readonly #size: number;
  readonly #total: number;
  readonly #clock: Clock;
  #seen = 0;

  /** @param clock One that several meters share; else the meter has its own. */
  constructor(args: Arguments, clock: Clock = new Clock(args)) {
    this.#size = args.size;
    this.#total = args.warmup + args.count;
    this.#clock = clock;
  }

  /** Looks at the next message. True: it was the last. */
  look(part: Uint8Array): boolean {
    return this.lookAt(part.length, wordOf(part));
  }

  /** The same, for a program that reads in place, or whose numbers are elsewhere. */
  lookAt(length: number, word: number): boolean {
    if (word !== this.#seen || length !== this.#size) {
      throw new Error(`message ${this.#seen} says ${word} and has ${length} bytes`);
    }
    this.#seen++;
    this.#clock.tick();
    return this.#seen === this.#total;
  }

  figures(): { rate: number; seconds: number } {
    return this.#clock.figures();
  }
}

/** One buffer, whose first word the sender sets before each send. */
export class Outgoing {
  readonly body: Buffer;
  readonly #word: Int32Array;

  constructor(size: number) {
    this.body = Buffer.alloc(size);
    this.#word = new Int32Array(this.body.buffer, this.body.byteOffset, 1);
  }

  numbered(number: number): Buffer {
    this.#word[0] = number;
    return this.body;
  }
}

/** Messages a batch; fewer when they are large, so that a batch has at most 1 MiB of bodies. */
export function batchSize(size: number): number {
  return Math.max(1, Math.min(256, Math.floor(2 ** 20 / size)));
}

/** A batch of buffers side by side, each numbered before each send. */
export class OutgoingBatch {
  readonly #messages: Buffer[];
  readonly #words: Int32Array;
  readonly #stride: number;

  constructor(size: number) {
    const slab = Buffer.alloc(size * batchSize(size));
    this.#words = new Int32Array(slab.buffer, slab.byteOffset, slab.length / 4);
    this.#stride = size / 4;
    this.#messages = Array.from({ length: batchSize(size) }, (_, i) =>
      slab.subarray(i * size, (i + 1) * size),
    );
  }

  /** The next messages, of which the first has this number; not beyond `end`. */
  numbered(first: number, end: number): Buffer[] {
    const count = Math.min(this.#messages.length, end - first);
    for (let i = 0; i < count; i++) this.#words[i * this.#stride] = first + i;
    return count === this.#messages.length ? this.#messages : this.#messages.slice(0, count);
  }
}

/**
 * Times round trips one by one. Reading the clock once a round trip is part of the figure, some 20
 * to 50 ns; it is so for every rival.
 */
export class Trips {
  readonly #warmup: number;
  readonly #trips: Float64Array;
  #done = 0;
  #began = performance.now();

  constructor({ count, warmup }: Arguments) {
    this.#warmup = warmup;
    this.#trips = new Float64Array(count);
  }

  get total(): number {
    return this.#warmup + this.#trips.length;
  }

  /** A round trip is over: what came back is `word`. */
  done(word: number): void {
    const now = performance.now();
    if (word !== this.#done) throw new Error(`round trip ${this.#done} came back as ${word}`);
    if (this.#done >= this.#warmup) this.#trips[this.#done - this.#warmup] = now - this.#began;
    this.#done++;
    this.#began = now;
  }

  /** Microseconds that half, and 99 of 100, of the round trips did not exceed. */
  figures(): { p50: number; p99: number } {
    const sorted = this.#trips.sort();
    const at = (part: number): number => sorted[Math.floor(sorted.length * part)] * 1e3;
    return { p50: at(0.5), p99: at(0.99) };
  }
}
