// SPDX-License-Identifier: MIT

/**
 * seam — what stands in for src/memory/atomics.ts in an explored program.
 *
 * Each operation waits for its turn, which participant.ts gives, and tells of what it did. See
 * explorer.ts for the whole.
 */
import type { Addr, Words } from "#src/memory/index.ts";
import {
  ADD,
  AND,
  EXCHANGE,
  LOAD,
  NOTIFY,
  OR,
  STORE,
  SWAP_IF,
  WAIT,
  WAIT_ASYNC,
} from "./control.ts";
import { participant } from "./participant.ts";
import { RAW } from "./races.ts";

/** The view itself; what the event loop still does for a dead thread finds nothing but zeros. */
function bare(words: Words): Words {
  if (participant.dead) return new Int32Array(new SharedArrayBuffer(4 * words.length));
  return (words as unknown as Record<symbol, Words>)[RAW] ?? words;
}

export function load(words: Words, at: Addr): number {
  if (!participant.exploring) return Atomics.load(bare(words), at);
  participant.step(LOAD, words, at);
  const value = Atomics.load(bare(words), at);
  participant.observed(at, value);
  participant.trace("load", at, [], value);
  return value;
}

export function peek(words: Words, at: Addr): number {
  if (!participant.exploring) return bare(words)[at];
  const value = participant.peek(words, at);
  participant.trace("peek", at, [], value);
  return value;
}

export function store(words: Words, at: Addr, value: number): void {
  if (participant.exploring) participant.step(STORE, words, at);
  Atomics.store(bare(words), at, value);
  if (!participant.exploring) return;
  participant.published(at, false);
  participant.trace("store", at, [value], "");
}

export function swapIf(words: Words, at: Addr, expected: number, value: number): number {
  if (!participant.exploring) {
    return Atomics.compareExchange(bare(words), at, expected, value);
  }
  participant.step(SWAP_IF, words, at, expected);
  const seen = Atomics.compareExchange(bare(words), at, expected, value);
  if (seen === expected) participant.published(at, true);
  else participant.observed(at, seen);
  participant.trace("swapIf", at, [expected, value], seen);
  return seen;
}

export function swapNoting(
  words: Words,
  at: Addr,
  expected: number,
  value: number,
  note: Addr,
  noted: number,
): number {
  const seen = swapIf(words, at, expected, value);
  if (seen === expected) writeUnbroken(words, note, noted);
  return seen;
}

function modify(
  kind: number,
  name: string,
  change: (words: Words, at: Addr, value: number) => number,
): (words: Words, at: Addr, value: number) => number {
  return (words, at, value) => {
    if (!participant.exploring) return change(bare(words), at, value);
    participant.step(kind, words, at);
    const seen = change(bare(words), at, value);
    participant.published(at, true);
    participant.trace(name, at, [value], seen);
    return seen;
  };
}

export const exchange = modify(EXCHANGE, "exchange", Atomics.exchange);
export function exchangeNoting(words: Words, at: Addr, value: number, note: Addr): void {
  writeUnbroken(words, note, exchange(words, at, value));
}

export const add = modify(ADD, "add", Atomics.add);
export const and = modify(AND, "and", Atomics.and);
export const or = modify(OR, "or", Atomics.or);

/** No time passes, or hardly any: who is not woken sleeps for ever (see Program.patience). */
export function wait(words: Words, at: Addr, value: number, timeoutMs: number): boolean {
  if (!participant.exploring) throw new Error("ThreadMQ explorer: nobody is there to wake us");
  participant.step(WAIT, words, at);
  const seen = Atomics.load(bare(words), at);
  participant.observed(at, seen);
  participant.trace("wait", at, [value], seen === value ? "asleep" : "at once");
  if (seen !== value) return true;
  participant.sleep(at, timeoutMs);
  participant.trace("woken", at, [], "");
  return true;
}

export function waitAsync(words: Words, at: Addr, value: number): Promise<unknown> | undefined {
  if (!participant.exploring) throw new Error("ThreadMQ explorer: nobody is there to wake us");
  participant.step(WAIT_ASYNC, words, at);
  const seen = Atomics.load(bare(words), at);
  participant.observed(at, seen);
  participant.trace("waitAsync", at, [value], seen === value ? "armed" : "at once");
  return seen === value ? participant.arm(at) : undefined;
}

export function notify(words: Words, at: Addr): void {
  if (!participant.exploring) return;
  participant.step(NOTIFY, words, at);
  participant.trace("notify", at, [], `wakes ${participant.wakeAll(at)}`);
}

export function pause(): void {}

/** Two plain writes, between which nobody dies. */
export function together(
  words: Words,
  one: Addr,
  first: number,
  other: Addr,
  second: number,
): void {
  words[one] = first;
  writeUnbroken(words, other, second);
}

/** A plain write right behind another, or behind a swap: nobody dies between the two. */
function writeUnbroken(words: Words, at: Addr, value: number): void {
  participant.unbroken = true;
  words[at] = value;
  participant.unbroken = false;
}
