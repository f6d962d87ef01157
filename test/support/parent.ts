// SPDX-License-Identifier: MIT

/** parent — a worker that starts another, which stands in for the test, and passes on its words. */
import { parentPort, Worker, workerData } from "node:worker_threads";

const { handle, joins } = workerData as { handle: unknown; joins: boolean };

if (joins) {
  const { Context, context } = await import("threadmq");
  (handle === null ? context : Context.from(handle as never)).stats();
}
const child = new Worker(new URL("./stand_in.js", import.meta.url), { workerData: handle });
child.on("message", (message) => parentPort?.postMessage(message));
parentPort?.on("message", (message) => child.postMessage(message));
