// SPDX-License-Identifier: MIT

import fc from "fast-check";

/**
 * random — properties and numbers that say how to repeat them.
 *
 * One seed a run of a file; the environment may give it: `SEED=42 npm test -- ypipe`.
 */
const SEED: number = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));

function repeat(file: string): string {
  return `Repeat this with: SEED=${SEED} npm test -- ${file}`;
}

/** An error that says how to repeat what has led to it. */
function repeatable(error: unknown, file: string): unknown {
  if (error instanceof Error) error.message += `\n${repeat(file)}`;
  return error;
}

/** Checks a property. Its failure says how to repeat it. */
export function checkAll<T>(file: string, runs: number, property: fc.IProperty<T>): void {
  try {
    fc.assert(property, parameters<T>(runs));
  } catch (error) {
    throw repeatable(error, file);
  }
}

/** As `checkAll`, for a property that awaits something. */
export async function checkAllAsync<T>(
  file: string,
  runs: number,
  property: fc.IAsyncProperty<T>,
): Promise<void> {
  try {
    await fc.assert(property, parameters<T>(runs));
  } catch (error) {
    throw repeatable(error, file);
  }
}

function parameters<T>(runs: number): fc.Parameters<T> {
  return { seed: SEED, numRuns: runs, interruptAfterTimeLimit: 20_000 };
}

export interface Random {
  /** A whole number from 0 to `below` - 1. */
  below(below: number): number;
  /** What a failure should say. */
  readonly repeat: string;
  readonly seed: number;
}

/** Numbers that are the same for the same seed: mulberry32. */
export function seeded(file: string, seed: number = SEED): Random {
  let state = seed | 0;
  return {
    seed,
    repeat: repeat(file),
    below(below: number): number {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
      return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
    },
  };
}
