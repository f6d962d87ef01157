// SPDX-License-Identifier: MIT

/** source — gives the tasks away, and ends. */
import { Push } from "threadmq";

import { HIGH_WATER_MARK, TASK_COUNT, TASKS } from "./protocol.ts";

const tasks = new Push({ sendHighWaterMark: HIGH_WATER_MARK });
await tasks.bind(TASKS);
for (let number = 1; number <= TASK_COUNT; number++) await tasks.send(`${number}`);
