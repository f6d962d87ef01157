// SPDX-License-Identifier: MIT

/**
 * main — the parallel pipeline of the ZeroMQ Guide, in threads: ventilator, workers, sink.
 *
 * All of them find each other by the names of endpoints (see protocol.ts); main hands over no ports
 * and no shared memory. It starts the threads, shows what they tell, and lets the workers go.
 */

import { once } from "node:events";
import { Worker } from "node:worker_threads";

import { SingleBar } from "cli-progress";
import { context, Pull } from "threadmq";

import { countAlone } from "./alone.ts";
import { sizeOfFiles } from "./files.ts";
import { type Options, readOptions, USAGE } from "./options.ts";
import { NEWS, type Report, unpackNews } from "./protocol.ts";
import { printReport, printVerdict } from "./report.ts";

let options: Options;
try {
  options = readOptions(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`pipeline: ${(error as Error).message}\n\n${USAGE}`);
  process.exit(2);
}
if (options.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}

const { paths, workers, chunkBytes, verify } = options;
// Nobody reads on: `npm start | head`.
process.stdout.once("error", () => process.exit(1));
process.once("SIGINT", () => stop("interrupted", 130));
process.stdout.write(`${workers} workers, chunks of ${chunkBytes / 1024} KiB\n`);
const bar = process.stderr.isTTY ? startBar() : undefined;

const news = new Pull();
await news.bind(NEWS);
// In any order: who connects before the other has bound is attached when it has.
const pool = Array.from({ length: workers }, (_, worker) => start("worker", { worker }));
const threads = [
  start("sink", { workers }),
  start("ventilator", { paths, chunkBytes, workers }),
  ...pool,
];
const exits = threads.map((thread) => once(thread, "exit"));

const problems: string[] = [];
const { report, elapsedMs } = await follow();
bar?.stop();

// The sink has everything, so no worker has anything left to do.
for (const thread of pool) thread.postMessage("close");
await Promise.all(exits);
news.close();
await context.terminate();

for (const problem of problems) process.stderr.write(`pipeline: ${problem}\n`);
printReport(report, elapsedMs);
process.exitCode = problems.length > 0 ? 1 : 0;

if (verify) {
  const startedAt = performance.now();
  const alone = await countAlone(paths, chunkBytes);
  if (!printVerdict(report.totals, alone, performance.now() - startedAt)) process.exitCode = 1;
}

function start(name: "ventilator" | "worker" | "sink", workerData: object): Worker {
  const thread = new Worker(new URL(`./${name}.js`, import.meta.url), { workerData, name });
  thread.on("error", (error) => stop(`${name}: ${error.stack}`, 1));
  return thread;
}

/** Takes the news until ventilator and sink have told their last. */
async function follow(): Promise<{ report: Report; elapsedMs: number }> {
  let startedAt = 0;
  let elapsedMs = 0;
  let sent = false;
  let report: Report | undefined;
  while (!sent || report === undefined) {
    const { kind, body } = unpackNews(await news.receive());
    switch (kind) {
      case "started":
        startedAt = performance.now();
        break;
      case "problem":
        problems.push(`${body.path}: ${body.reason}`);
        break;
      case "sent":
        sent = true;
        break;
      case "progress":
        bar?.update(body.bytes / 2 ** 20);
        break;
      case "report":
        report = body;
        elapsedMs = performance.now() - startedAt;
        break;
    }
  }
  return { report, elapsedMs };
}

function startBar(): SingleBar {
  const format = "{bar} {percentage}% of {total} MiB, {eta_formatted} to go";
  const bar = new SingleBar({ format, barsize: 50, hideCursor: true, clearOnComplete: true });
  bar.start(Math.ceil(sizeOfFiles(paths) / 2 ** 20), 0);
  return bar;
}

/** Ends the process, threads and all. */
function stop(why: string, exitCode: number): never {
  bar?.stop();
  process.stderr.write(`pipeline: ${why}\n`);
  process.exit(exitCode);
}
