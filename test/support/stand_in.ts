// SPDX-License-Identifier: MIT

/** stand_in — a worker that does on its stage what the thread of the test asks for. */
import { parentPort, workerData } from "node:worker_threads";
import { Context, context } from "threadmq";
import { type Call, Stage } from "./stage.ts";

const stage = new Stage(workerData === null ? context : Context.from(workerData));

parentPort?.on("message", async ({ number, call }: { number: number; call: Call }) => {
  try {
    parentPort?.postMessage({ number, value: await stage.do(call) });
  } catch (error) {
    // A clone of an error keeps its class only if it is one of the language.
    const { name, message, stack, ...rest } = error as Error;
    parentPort?.postMessage({ number, error: { name, message, stack, ...rest } });
  }
});
