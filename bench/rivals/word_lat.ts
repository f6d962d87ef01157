// SPDX-License-Identifier: MIT

/**
 * word_lat — round trip of a bare word between two threads: what the platform's waiting costs, with
 * no message and no library.
 *
 *      spin        both threads read the word until it changes
 *      wait        both sleep in Atomics.wait, never spin
 *      waitAsync   both sleep in their event loops, on Atomics.waitAsync, never spin
 *
 * "Asleep" is what Linux makes of it: on a quiet machine a sleeper's core goes idle, and most of
 * the time is the core's way back. ThreadMQ with `spin: 0` goes to sleep in the same way, so it is
 * held against this and nothing else.
 */

import { isMainThread } from "node:worker_threads";
import {
  type Arguments,
  inThread,
  readArguments,
  ready,
  report,
  startThread,
  Trips,
} from "../child.ts";

/** The two words, each in a cache line pair of its own. */
const PING = 0;
const PONG = 32;

type Words = Int32Array<SharedArrayBuffer>;

interface Data extends Arguments {
  words: Words;
}

function tell(words: Words, index: number, value: number): void {
  Atomics.store(words, index, value);
  Atomics.notify(words, index, 1);
}

function spinFor(words: Words, index: number, value: number): void {
  while (Atomics.load(words, index) !== value);
}

function waitFor(words: Words, index: number, value: number): void {
  while (Atomics.load(words, index) !== value) Atomics.wait(words, index, value - 1);
}

async function waitAsyncFor(words: Words, index: number, value: number): Promise<void> {
  while (Atomics.load(words, index) !== value) {
    const waiting = Atomics.waitAsync(words, index, value - 1);
    if (waiting.async) await waiting.value;
  }
}

async function echo({ variant, count, warmup, words }: Data): Promise<void> {
  ready();
  const alive = setInterval(() => undefined, 1e6); // waitAsync does not keep a thread alive.
  const total = warmup + count;
  for (let i = 1; i <= total; i++) {
    if (variant === "spin") spinFor(words, PING, i);
    else if (variant === "wait") waitFor(words, PING, i);
    else await waitAsyncFor(words, PING, i);
    if (variant === "spin") Atomics.store(words, PONG, i);
    else tell(words, PONG, i);
  }
  clearInterval(alive);
}

async function main(args: Arguments): Promise<void> {
  const words = new Int32Array(new SharedArrayBuffer(256));
  await startThread(import.meta.url, { ...args, words });
  const alive = setInterval(() => undefined, 1e6);
  const trips = new Trips(args);
  for (let i = 1; i <= trips.total; i++) {
    if (args.variant === "spin") Atomics.store(words, PING, i);
    else tell(words, PING, i);
    if (args.variant === "spin") spinFor(words, PONG, i);
    else if (args.variant === "wait") waitFor(words, PONG, i);
    else await waitAsyncFor(words, PONG, i);
    trips.done(words[PONG] - 1);
  }
  clearInterval(alive);
  report(trips.figures());
}

if (isMainThread) await main(readArguments());
else await inThread(echo);
