// SPDX-License-Identifier: MIT

/** rampager — a thread of soak. */
import { parentPort, workerData } from "node:worker_threads";
import { Context } from "threadmq";
import { rampage } from "../support/rampage.ts";

const { handle, tag, seed, steps } = workerData;
parentPort?.postMessage(await rampage(Context.from(handle), tag, seed, steps));
