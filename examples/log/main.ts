// SPDX-License-Identifier: MIT

/**
 * main — what the library tells on `sys://log`, while a small pipeline runs.
 *
 *     source ──▶ 2 workers ──▶ main
 *
 * The workers are slower than the source, and the watermarks are low: so its pipes are full most of
 * the time. Each line is one record of the log, whichever thread it comes from.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { type LogRecord, Pull, Subscriber } from "threadmq";

import { line } from "./line.ts";
import { RESULTS, TASK_COUNT, WORKER_COUNT } from "./protocol.ts";

const startedAt = Date.now();
const log = new Subscriber();
log.connect("sys://log");
log.subscribe(); // Everything; "thread." or "pipe.full" would be less.
const told = watch();

const results = new Pull();
await results.bind(RESULTS);
const workers = Array.from({ length: WORKER_COUNT }, () => start("worker"));
const source = start("source");
const exits = [source, ...workers].map((thread) => once(thread, "exit"));
for (let count = 0; count < TASK_COUNT; count++) await results.receive();

for (const worker of workers) worker.postMessage("close");
await Promise.all(exits);
results.close();
await told;

/** Prints what is told, until the last thread but this one has left. */
async function watch(): Promise<void> {
  let left = 0;
  for await (const [topic, json] of log) {
    const record = JSON.parse(`${json}`) as LogRecord;
    process.stdout.write(`${line(`${topic}`, record, startedAt)}\n`);
    if (`${topic}` === "thread.left" && ++left === WORKER_COUNT + 1) log.close();
  }
}

function start(name: "source" | "worker"): Worker {
  const thread = new Worker(new URL(`./${name}.js`, import.meta.url), { name });
  thread.on("error", (error) => {
    process.stderr.write(`log: ${name}: ${error.stack}\n`);
    process.exit(1);
  });
  return thread;
}
