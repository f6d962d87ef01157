// SPDX-License-Identifier: MIT

/**
 * swap — COUNT messages through a swap: all sent while nobody is bound, then all received.
 *
 * A worker's PUSH, connected, sends with sendManySync; what is above its high watermark of 1000
 * goes to disk. Then the main thread's PULL binds and takes all with receiveManySync(512), while
 * the worker, in its event loop, brings the messages back. The rate is of both together. Beside it
 * stands rivals/file.ts, which writes and reads as many bytes in the same blocks.
 *
 * Memory is looked at after every so many messages on both ways; what is reported is the most. The
 * warm-up is the same with fewer messages: files, memory and compiled code are there then.
 */

import { isMainThread, parentPort, type Worker } from "node:worker_threads";
import { context, Pull, Push } from "threadmq";
import {
  type Arguments,
  inThread,
  Meter,
  OutgoingBatch,
  readArguments,
  ready,
  report,
  settle,
  startThread,
  told,
} from "../child.ts";

const RECEIVE_MAX = 512;
const LOOK_EVERY = 1 << 15;
const MOST = 4 * 2 ** 30;

interface Spilled {
  seconds: number;
  rss: number;
}

/** The most that the process, and the arena, had. */
const most = { rss: 0, arena: 0 };

function look(): void {
  most.rss = Math.max(most.rss, process.memoryUsage.rss());
  most.arena = Math.max(most.arena, context.stats().memory.size);
}

async function sender({ size, count, warmup }: Arguments): Promise<void> {
  ready();
  for (const [name, total] of [
    ["warmup", warmup],
    ["count", count],
  ] as const) {
    await told();
    const push = new Push({ swap: MOST });
    push.connect(`inproc://${name}`);
    const batch = new OutgoingBatch(size);
    const began = performance.now();
    for (let number = 0, next = 0; number < total; ) {
      const messages = batch.numbered(number, total);
      push.sendManySync(messages);
      number += messages.length;
      if (number < next) continue;
      next += LOOK_EVERY;
      most.rss = Math.max(most.rss, process.memoryUsage.rss());
    }
    const seconds = (performance.now() - began) / 1e3;
    push.close(); // What is in the swap goes on from here.
    parentPort?.postMessage({ seconds, rss: most.rss } satisfies Spilled);
  }
  await told(); // While nobody is bound, a swap does not hold the thread.
}

/** Seconds of the two ways. */
async function round(worker: Worker, name: string, args: Arguments): Promise<[number, number]> {
  const spilled = new Promise<Spilled>((resolve) => worker.once("message", resolve));
  worker.postMessage("go");
  const { seconds, rss } = await spilled;
  most.rss = Math.max(most.rss, rss);
  const pull = new Pull();
  const meter = new Meter({ ...args, warmup: 0 });
  const began = performance.now();
  pull.bindSync(`inproc://${name}`);
  for (let last = false, seen = 0; !last; ) {
    const messages = pull.receiveManySync(RECEIVE_MAX);
    for (const message of messages) last = meter.look(message[0]);
    if (Math.floor(seen / LOOK_EVERY) < Math.floor((seen + messages.length) / LOOK_EVERY)) look();
    seen += messages.length;
  }
  const drained = (performance.now() - began) / 1e3;
  pull.close();
  return [seconds, drained];
}

async function main(args: Arguments): Promise<void> {
  const worker = await startThread(import.meta.url, args);
  look();
  const base = most.rss;
  await round(worker, "warmup", { ...args, count: args.warmup });
  await settle(args.count);
  const [spill, drain] = await round(worker, "count", args);
  worker.postMessage("end");
  look();
  report({
    rate: args.count / (spill + drain),
    spill,
    drain,
    rss: most.rss,
    growth: most.rss - base,
    arena: most.arena,
  });
}

if (isMainThread) await main(readArguments());
else await inThread(sender);
