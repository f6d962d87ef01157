// SPDX-License-Identifier: MIT

/** source — gives the tasks away when both workers are there, and ends. */
import { Push } from "threadmq";

import { HIGH_WATER_MARK, TASK_COUNT, TASKS, WORKER_COUNT } from "./protocol.ts";

const tasks = new Push({ sendHighWaterMark: HIGH_WATER_MARK });
const { events } = tasks;
await tasks.bind(TASKS);
// Otherwise one worker may have done all of the work before the other has begun.
for (let workers = 0; workers < WORKER_COUNT; ) {
  if ((await events.receive()).type === "attach") workers++;
}
for (let number = 1; number <= TASK_COUNT; number++) await tasks.send(`${number}`);
