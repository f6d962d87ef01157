// SPDX-License-Identifier: MIT

/**
 * sink — gathers the results of all workers and joins them in order.
 *
 * Workers finish out of order, so a result that comes early waits for those before it. Only results
 * wait, of some hundred bytes; and few, since all workers draw from short pipes.
 *
 * It is done when it has as many results as the ventilator says there are chunks. So nobody needs
 * an end marker from each worker, and a lost or doubled message could not go unnoticed.
 */

import { workerData } from "node:worker_threads";

import { Pull, Push } from "threadmq";

import { Tally } from "./count.ts";
import {
  NEWS,
  packNews,
  RESULTS,
  type Result,
  unpackResult,
  WATERMARKS,
  type WorkerShare,
} from "./protocol.ts";

export interface SinkData {
  workers: number;
}

const PROGRESS_EVERY_MS = 100;

const results = new Pull({ receiveHighWaterMark: WATERMARKS.receiveHighWaterMark });
const news = new Push();
await results.bind(RESULTS);
news.connect(NEWS);

const shares = Array.from(
  { length: (workerData as SinkData).workers },
  (): WorkerShare => ({ chunks: 0, bytes: 0, busyMs: 0 }),
);
const tally = new Tally();
const early = new Map<number, Result>();
let mostWaiting = 0;
let bytes = 0;
let toldAt = 0;
let next = 0;
let chunkTotal = Number.POSITIVE_INFINITY;

while (next < chunkTotal) {
  const result = unpackResult(await results.receive());
  if (typeof result === "number") {
    chunkTotal = result;
    continue;
  }
  if (result.seq < next || early.has(result.seq)) throw new Error(`${result.seq} came twice`);

  const share = shares[result.worker];
  share.chunks++;
  share.bytes += result.count.bytes;
  share.busyMs += result.busyMs;
  bytes += result.count.bytes;
  tellProgress();

  early.set(result.seq, result);
  for (let due = early.get(next); due !== undefined; due = early.get(next)) {
    tally.add(due.count, due.end);
    early.delete(next);
    next++;
  }
  mostWaiting = Math.max(mostWaiting, early.size);
}

await news.send(packNews("report", { totals: tally.totals(), workers: shares, mostWaiting }));
results.close();
news.close();

/** Progress may be missed, so this never waits. */
function tellProgress(): void {
  const now = performance.now();
  if (now - toldAt < PROGRESS_EVERY_MS) return;
  toldAt = now;
  news.trySend(packNews("progress", { bytes }));
}
