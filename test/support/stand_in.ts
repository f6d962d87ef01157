// SPDX-License-Identifier: MIT

/** stand_in — a worker that does on its stage what the thread of the test asks for. */
import { parentPort, workerData } from "node:worker_threads";
import { Context, context } from "threadmq";
import { type Call, Stage } from "./stage.ts";

let stage = new Stage(workerData === null ? context : Context.from(workerData));

parentPort?.on("message", async ({ number, call }: { number: number; call: Call }) => {
  try {
    if (call.what === "enter") stage = new Stage(Context.from(call.args[0]));
    const value = call.what === "enter" ? undefined : await stage.do(call);
    parentPort?.postMessage({ number, value });
  } catch (error) {
    // A clone of an error keeps its class only if it is one of the language.
    const { name, message, stack, ...rest } = error as Error;
    parentPort?.postMessage({ number, error: { name, message, stack, ...rest } });
  }
});
