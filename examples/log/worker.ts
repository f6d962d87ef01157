// SPDX-License-Identifier: MIT

/** worker — is busy with each task for a while, until it is told to close. */
import { parentPort } from "node:worker_threads";
import { Pull, Push } from "threadmq";

import { HIGH_WATER_MARK, RESULTS, TASK_MILLISECONDS, TASKS } from "./protocol.ts";

const tasks = new Pull({ receiveHighWaterMark: HIGH_WATER_MARK });
const results = new Push();
tasks.connect(TASKS);
results.connect(RESULTS);
parentPort?.once("message", () => tasks.close());

for await (const [task] of tasks) {
  const end = performance.now() + TASK_MILLISECONDS;
  while (performance.now() < end);
  await results.send(task);
}
