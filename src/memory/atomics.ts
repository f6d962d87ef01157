// SPDX-License-Identifier: MIT

/**
 * atomics — the seam: the only file that names `Atomics`.
 *
 * All of JavaScript's atomic operations are sequentially consistent, and plain accesses between two
 * of them are ordered by nothing. So every word that two threads touch at the same time goes
 * through here, and each call says in a comment what it publishes or observes: SYNC(name). An
 * explorer of interleavings takes this module's place and decides, at each call, which thread goes
 * next.
 */

/** The arena as 32-bit words. */
export type Words = Int32Array<SharedArrayBuffer>;

/** A place in the arena, in words from its beginning. 0 is null. */
export type Addr = number;

export function load(words: Words, at: Addr): number {
  return Atomics.load(words, at);
}

export function store(words: Words, at: Addr, value: number): void {
  Atomics.store(words, at, value);
}

/**
 * A plain read of a word that others write: a hint, at a seventh of the price of `load`.
 *
 * It may be old, and orders nothing. Only for questions that are asked again in any case.
 */
export function peek(words: Words, at: Addr): number {
  return words[at];
}

/** Compare and swap. Returns what was there; the swap has happened if that is `expected`. */
export function swapIf(words: Words, at: Addr, expected: number, value: number): number {
  return Atomics.compareExchange(words, at, expected, value);
}

/**
 * As `swapIf`; if it has happened, a word of this thread's says so from right behind it on.
 *
 * A thread is terminated where it calls a function, one of the engine's own too, or goes round a
 * loop. So it may end before the swap, but not between that and the note: it has done both, or
 * neither. (Noted before, it may have done the one alone: there lies the call.)
 */
export function swapNoting(
  words: Words,
  at: Addr,
  expected: number,
  value: number,
  note: Addr,
  noted: number,
): number {
  const seen = Atomics.compareExchange(words, at, expected, value);
  if (seen === expected) words[note] = noted;
  return seen;
}

export function exchange(words: Words, at: Addr, value: number): number {
  return Atomics.exchange(words, at, value);
}

/** Sets a word. What was there stands in one of this thread's, as above: both, or neither. */
export function exchangeNoting(words: Words, at: Addr, value: number, note: Addr): void {
  words[note] = Atomics.exchange(words, at, value);
}

/** Returns what was there before. */
export function add(words: Words, at: Addr, value: number): number {
  return Atomics.add(words, at, value);
}

/** Keeps only these bits. Returns what was there before. */
export function and(words: Words, at: Addr, bits: number): number {
  return Atomics.and(words, at, bits);
}

/** Sets bits. Returns what was there before. */
export function or(words: Words, at: Addr, bits: number): number {
  return Atomics.or(words, at, bits);
}

/** Blocks this thread while the word is `value`. False if the time ran out, in milliseconds. */
export function wait(words: Words, at: Addr, value: number, timeoutMs: number): boolean {
  return Atomics.wait(words, at, value, timeoutMs) !== "timed-out";
}

/**
 * A promise that settles when the word is notified, or undefined if the word is not `value` now.
 *
 * No timeout: a finite one leaks until its deadline even if it is notified early, on all runtimes.
 */
export function waitAsync(words: Words, at: Addr, value: number): Promise<unknown> | undefined {
  const result = Atomics.waitAsync(words, at, value);
  return result.async ? result.value : undefined;
}

/** Wakes all that wait on the word: a blocked call and an asynchronous one may both be there. */
export function notify(words: Words, at: Addr): void {
  Atomics.notify(words, at);
}

const { pause: hint } = Atomics as { pause?: (iterations?: number) => void };

/** Tells the processor that this is a busy wait, where the engine can (Node 24 and later). */
export const pause: () => void = hint === undefined ? () => {} : () => hint();
