// SPDX-License-Identifier: MIT

/**
 * postmessage_thr — throughput of the platform's own postMessage, worker to main thread.
 *
 *      one     a Uint8Array a call
 *      batch   an array of 256 Uint8Arrays a call, as somebody would do who wants speed
 *
 * postMessage has no high watermark: a sender that is faster fills the memory of the process. So
 * there is a window, as large as the sum of the two default watermarks elsewhere (2000): the
 * receiver counts what it has seen in a shared word, and the sender sleeps on that while too much
 * is under way. The receiver tells it every 256 messages.
 *
 * What is not equal: it favours postMessage a little. The window is simpler than anything that
 * also works with two senders, and the receiver is called from the event loop, with no promise.
 */

import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { type Arguments, batchSize, inThread, Meter, readArguments, report } from "../child.ts";

const WINDOW = 2000;
const TELL_EVERY = 256;

interface Data extends Arguments {
  /** How many messages the receiver has seen. */
  seen: Int32Array<SharedArrayBuffer>;
}

function waitForRoom(seen: Data["seen"], sent: number): void {
  for (;;) {
    const known = Atomics.load(seen, 0);
    if (sent - known < WINDOW) return;
    Atomics.wait(seen, 0, known);
  }
}

function sender({ variant, size, count, warmup, seen }: Data): void {
  if (parentPort === null) return;
  const total = warmup + count;
  // Not Buffers: those may lie in a pool, and all of it would be copied.
  const bodies = Array.from(
    { length: variant === "batch" ? batchSize(size) : 1 },
    () => new Uint8Array(size),
  );
  const words = bodies.map((body) => new Int32Array(body.buffer, 0, 1));
  for (let number = 0; number < total; ) {
    waitForRoom(seen, number);
    const length = Math.min(bodies.length, total - number);
    for (let i = 0; i < length; i++) words[i][0] = number + i;
    number += length;
    if (variant !== "batch") parentPort.postMessage(bodies[0]);
    else parentPort.postMessage(length === bodies.length ? bodies : bodies.slice(0, length));
  }
}

async function receiver(args: Arguments): Promise<void> {
  const seen = new Int32Array(new SharedArrayBuffer(4));
  const data: Data = { ...args, seen };
  const worker = new Worker(new URL(import.meta.url), { workerData: data });
  const meter = new Meter(args);
  let count = 0;
  let told = 0;
  const look = (part: Uint8Array): boolean => {
    const last = meter.look(part);
    count++;
    if (count - told === TELL_EVERY || last) {
      told = count;
      Atomics.store(seen, 0, count);
      Atomics.notify(seen, 0);
    }
    return last;
  };
  await new Promise<void>((resolve, reject) => {
    worker.once("error", reject);
    worker.on("message", (message: Uint8Array | Uint8Array[]) => {
      if (Array.isArray(message)) {
        for (const part of message) if (look(part)) resolve();
      } else if (look(message)) {
        resolve();
      }
    });
  });
  report(meter.figures());
}

if (isMainThread) await receiver(readArguments());
else await inThread(sender);
