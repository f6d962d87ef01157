// SPDX-License-Identifier: MIT

/**
 * memory — what a connection, a message and a long life cost.
 *
 *      idle      arena bytes for each of COUNT connected PUSH sockets, the socket's own share of
 *                the arena included. Once as they are after connecting, and once more after each
 *                has carried one message, which was received
 *      flat      resident memory of the process at each tenth of COUNT messages, sendManySync to
 *                receiveManySync, worker to main thread. Growth is from the first tenth on, for
 *                until then the process is still getting its pages
 *      garbage   bytes of JavaScript heap a message, by way of receiving; beside them what a user
 *                must get at least: a Buffer in an array, made by hand in the same process. Needs
 *                --expose-gc
 *
 * Garbage is counted by the heap's size before and after a few hundred messages that are all kept,
 * and few enough that no collection falls in between; the median of many such counts.
 */

import { isMainThread } from "node:worker_threads";
import { type Context, Pull, Push } from "threadmq";
import {
  type Arguments,
  inThread,
  Meter,
  Outgoing,
  readArguments,
  ready,
  report,
  startThread,
} from "../child.ts";
import { senders } from "./senders.ts";

const ENDPOINT = "inproc://memory";
const RECEIVE_MAX = 512;

/** Bytes of the arena in use. */
function arenaUsed(context: Context): number {
  return context.stats().memory.used;
}

// Idle pipes, all in one thread: what lies in the arena does not depend on whose it is.

function measureIdle({ size, count }: Arguments): void {
  const pull = new Pull();
  pull.bindSync(ENDPOINT);
  const before = arenaUsed(pull.context);
  const pushes = Array.from({ length: count }, () => {
    const push = new Push();
    push.connect(ENDPOINT);
    return push;
  });
  pull.tryReceive(); // Takes the new pipes in.
  const idle = (arenaUsed(pull.context) - before) / count;
  const outgoing = new Outgoing(size);
  for (const push of pushes) push.sendSync(outgoing.numbered(0));
  for (let i = 0; i < count; i++) pull.receiveSync();
  const used = (arenaUsed(pull.context) - before) / count;
  for (const push of pushes) push.close();
  pull.close();
  report({ idle, used });
}

// A long life.

function sender({ size, count, warmup }: Arguments): void {
  const push = new Push();
  push.connect(ENDPOINT);
  ready();
  senders.many(push, size, warmup + count);
  push.close();
}

async function measureFlat(args: Arguments): Promise<void> {
  const pull = new Pull();
  pull.bindSync(ENDPOINT);
  await startThread(import.meta.url, args);
  const meter = new Meter(args);
  const tenth = Math.ceil((args.warmup + args.count) / 10);
  const rss: number[] = [];
  for (let seen = 0, last = false; !last; ) {
    for (const message of pull.receiveManySync(RECEIVE_MAX)) {
      last = meter.look(message[0]);
      if (++seen % tenth === 0 || last) rss.push(process.memoryUsage.rss());
    }
  }
  const arena = arenaUsed(pull.context);
  pull.close();
  const growth = Math.max(...rss) - rss[0];
  report({ rss: rss.slice(0, 10), growth, arena });
}

// Garbage.

const SAMPLES = 60;
const SAMPLE_MESSAGES = 400;

interface Cost {
  heap: number;
  external: number;
}

/** The median cost of one message, by one way of making `SAMPLE_MESSAGES` of them. */
function costOf(prepare: () => void, make: (keep: unknown[]) => void): Cost {
  const heap: number[] = [];
  const external: number[] = [];
  for (let i = 0; i < SAMPLES; i++) {
    prepare();
    const keep: unknown[] = new Array(SAMPLE_MESSAGES).fill(undefined);
    globalThis.gc?.();
    const before = process.memoryUsage();
    make(keep);
    const after = process.memoryUsage();
    heap.push((after.heapUsed - before.heapUsed) / SAMPLE_MESSAGES);
    external.push((after.external - before.external) / SAMPLE_MESSAGES);
  }
  const medianOf = (values: number[]): number =>
    values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
  return { heap: medianOf(heap), external: medianOf(external) };
}

function measureGarbage({ size }: Arguments): void {
  const pull = new Pull();
  const push = new Push();
  pull.bindSync(ENDPOINT);
  push.connect(ENDPOINT);
  const body = new Outgoing(size).body;
  const slab = new ArrayBuffer(65536);
  const noop = (): void => undefined;
  const fill = (): void => {
    for (let i = 0; i < SAMPLE_MESSAGES; i++) push.sendSync(body);
  };
  const drain = (): void => {
    for (let i = 0; i < SAMPLE_MESSAGES; i++) pull.receiveSync();
  };
  const nothing = costOf(
    () => undefined,
    () => undefined,
  );
  const byHand = costOf(noop, (keep) => {
    for (let i = 0; i < keep.length; i++) keep[i] = [Buffer.from(slab, i * 64, size)];
  });
  fill();
  const send = costOf(drain, fill);
  drain();
  const receiveSync = costOf(fill, (keep) => {
    for (let i = 0; i < keep.length; i++) keep[i] = pull.receiveSync();
  });
  const tryReceive = costOf(fill, (keep) => {
    for (let i = 0; i < keep.length; i++) keep[i] = pull.tryReceive();
  });
  const receiveMany = costOf(fill, (keep) => {
    keep[0] = pull.receiveManySync(SAMPLE_MESSAGES);
  });
  push.close();
  pull.close();
  report({
    "by-hand": byHand.heap - nothing.heap,
    send: send.heap - nothing.heap,
    "receive-sync": receiveSync.heap - nothing.heap,
    "try-receive": tryReceive.heap - nothing.heap,
    "receive-many": receiveMany.heap - nothing.heap,
    external: receiveSync.external - nothing.external,
  });
}

const args = readArguments();
if (!isMainThread) await inThread(sender);
else if (args.variant === "idle") measureIdle(args);
else if (args.variant === "flat") await measureFlat(args);
else measureGarbage(args);
