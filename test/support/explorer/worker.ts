// SPDX-License-Identifier: MIT

/** worker — the threads of an explored program but the first, which the controller runs itself. */
import { parentPort, workerData } from "node:worker_threads";
import { ENTERING, LEAVING, PHASE } from "./control.ts";
import { Runner, type Task } from "./runner.ts";

const { models, buffers, me } = workerData;
process.setSourceMapsEnabled(true);
await import(models);

parentPort?.on("message", async (task: Task) => {
  const runner = await Runner.create(buffers, me, task);
  const { control } = runner;
  // What one exploration leaves of turns given is of no concern to the next.
  control.resume(me);
  parentPort?.postMessage("ready");
  for (;;) {
    control.await(me);
    if (control.words[PHASE] === LEAVING) break;
    if (control.words[PHASE] === ENTERING) {
      runner.enter();
      control.pass(0);
    } else await runner.run();
  }
  parentPort?.postMessage("left");
});
parentPort?.postMessage("loaded");
