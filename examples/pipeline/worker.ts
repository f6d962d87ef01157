// SPDX-License-Identifier: MIT

/**
 * worker — takes chunks, counts them, pushes the results. As many run as there are processors.
 *
 * It knows nothing of files, of the other workers, or of the end of the work: main says when.
 */

import { parentPort, workerData } from "node:worker_threads";

import { Pull, Push } from "threadmq";

import { countChunk } from "./count.ts";
import { packResult, READY, RESULTS, TASKS, unpackTask, WATERMARKS } from "./protocol.ts";

export interface WorkerData {
  worker: number;
}

const { worker } = workerData as WorkerData;

const tasks = new Pull({ receiveHighWaterMark: WATERMARKS.receiveHighWaterMark });
const results = new Push({ sendHighWaterMark: WATERMARKS.sendHighWaterMark });
const ready = new Push();
tasks.connect(TASKS);
results.connect(RESULTS);
ready.connect(READY);
await ready.send("");

// Closing a socket from within its own thread ends the loop below.
parentPort?.once("message", () => tasks.close());

for await (const message of tasks) {
  const { seq, end, bytes } = unpackTask(message);
  const startedAt = performance.now();
  const count = countChunk(bytes);
  const busyMs = performance.now() - startedAt;
  await results.send(packResult({ worker, seq, end, busyMs, count }));
}

results.close();
ready.close();
