// SPDX-License-Identifier: MIT

/**
 * ventilator — reads files and gives their chunks to the workers.
 *
 * It waits until every worker has said that it is connected. Without this the first worker to come
 * would get many tasks before the others are there.
 *
 * `send` copies the chunk before its promise resolves, so one buffer serves for all files.
 */

import { workerData } from "node:worker_threads";

import { Pull, Push } from "threadmq";

import { findFiles, readChunks } from "./files.ts";
import {
  NEWS,
  packChunkTotal,
  packNews,
  packTask,
  READY,
  RESULTS,
  TASKS,
  WATERMARKS,
} from "./protocol.ts";

export interface VentilatorData {
  paths: string[];
  chunkBytes: number;
  workers: number;
}

const { paths, chunkBytes, workers } = workerData as VentilatorData;

const tasks = new Push({ sendHighWaterMark: WATERMARKS.sendHighWaterMark });
const ready = new Pull();
const results = new Push();
const news = new Push();
await tasks.bind(TASKS);
await ready.bind(READY);
results.connect(RESULTS);
news.connect(NEWS);

for (let connected = 0; connected < workers; connected++) await ready.receive();
await news.send(packNews("started", null));

const buffer = new Uint8Array(chunkBytes);
const problems: { path: string; reason: string }[] = [];
const onProblem = (path: string, reason: string) => problems.push({ path, reason });

let seq = 0;
for (const path of findFiles(paths, onProblem)) {
  for (const { bytes, end } of readChunks(path, buffer, onProblem)) {
    await tasks.send(packTask({ seq, end, bytes }));
    seq++;
  }
  await tellProblems();
}
await tellProblems();
await results.send(packChunkTotal(seq));
await news.send(packNews("sent", null));

// What has been sent is still delivered after close.
for (const socket of [tasks, ready, results, news]) socket.close();

async function tellProblems(): Promise<void> {
  for (const problem of problems.splice(0)) await news.send(packNews("problem", problem));
}
