// SPDX-License-Identifier: MIT

/**
 * protocol — which threads talk over which endpoints, and what their messages look like.
 *
 *                     ready ◀──────┐
 *      ┌────────────┐         ┌────┴────┐           ┌──────┐         ┌──────┐
 *      │ ventilator ├─ tasks ─▶ worker  ├─ results ─▶ sink ├─ news ──▶ main │
 *      └──────┬───┬─┘         └─────────┘  ▲        └──────┘   ▲     └──────┘
 *             │   └────────────────────────┘                   │
 *             └────────────────────────────────────────────────┘
 *
 *      endpoint   bound by     message, one [ ] a part
 *      tasks      ventilator   [seq, end] [bytes of the chunk]
 *      results    sink         [worker, seq, end, busy ms, counts…] [digest], from the workers;
 *                              [number of chunks], from the ventilator when all are sent
 *      ready      ventilator   [], from each worker when it is connected
 *      news       main         [kind] [JSON]
 *
 * seq numbers the chunks of all files through; end says whether a file ends there. Parts that hold
 * numbers hold 64-bit floats: they count exactly to 2^53.
 *
 * Memory is bounded by the watermarks: on inproc a pipe holds the sender's plus the receiver's, so
 * at most 16 chunks wait for each worker. A ventilator that is faster then waits in `send`.
 */

import type { ChunkCount, End, Totals } from "./count.ts";

export const TASKS = "inproc://tasks";
export const RESULTS = "inproc://results";
export const READY = "inproc://ready";
export const NEWS = "inproc://news";

export const WATERMARKS = { sendHighWaterMark: 8, receiveHighWaterMark: 8 };

export interface Task {
  seq: number;
  end: End;
  bytes: Uint8Array;
}

export function packTask({ seq, end, bytes }: Task): Uint8Array[] {
  return [packNumbers(seq, end), bytes];
}

export function unpackTask([header, bytes]: Buffer[]): Task {
  const [seq, end] = unpackNumbers(header);
  return { seq, end: end as End, bytes };
}

export interface Result {
  worker: number;
  seq: number;
  end: End;
  busyMs: number;
  count: ChunkCount;
}

export function packResult({ worker, seq, end, busyMs, count }: Result): Uint8Array[] {
  const { bytes, lines, words, startsInWord, endsInWord, digest } = count;
  const inWord = [Number(startsInWord), Number(endsInWord)];
  return [packNumbers(worker, seq, end, busyMs, bytes, lines, words, ...inWord), digest];
}

export function packChunkTotal(chunks: number): Uint8Array[] {
  return [packNumbers(chunks)];
}

/** A worker's result, or the ventilator's number of chunks. */
export function unpackResult([header, digest]: Buffer[]): Result | number {
  const numbers = unpackNumbers(header);
  if (digest === undefined) return numbers[0];
  const [worker, seq, end, busyMs, bytes, lines, words, startsInWord, endsInWord] = numbers;
  const inWord = { startsInWord: startsInWord === 1, endsInWord: endsInWord === 1 };
  const count = { bytes, lines, words, ...inWord, digest };
  return { worker, seq, end: end as End, busyMs, count };
}

/** What main is told, by kind. */
export interface News {
  /** The ventilator, when all workers are connected. */
  started: null;
  /** The ventilator, of each file that cannot be read. */
  problem: { path: string; reason: string };
  /** The ventilator, when it has read all files: no more problems will come. */
  sent: null;
  /** The sink, now and then. */
  progress: { bytes: number };
  /** The sink, when it has all results. */
  report: Report;
}

export interface Report {
  totals: Totals;
  workers: WorkerShare[];
  /** The most results that ever waited for the one before them. */
  mostWaiting: number;
}

export interface WorkerShare {
  chunks: number;
  bytes: number;
  busyMs: number;
}

export function packNews<K extends keyof News>(kind: K, body: News[K]): string[] {
  return [kind, JSON.stringify(body)];
}

export type AnyNews = { [K in keyof News]: { kind: K; body: News[K] } }[keyof News];

export function unpackNews([kind, json]: Buffer[]): AnyNews {
  return { kind: kind.toString(), body: JSON.parse(json.toString()) } as AnyNews;
}

function packNumbers(...numbers: number[]): Uint8Array {
  const part = Buffer.alloc(8 * numbers.length);
  numbers.forEach((number, index) => {
    part.writeDoubleLE(number, 8 * index);
  });
  return part;
}

function unpackNumbers(part: Buffer): number[] {
  return Array.from({ length: part.length / 8 }, (_, index) => part.readDoubleLE(8 * index));
}
