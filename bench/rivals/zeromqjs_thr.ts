// SPDX-License-Identifier: MIT

/**
 * zeromqjs_thr — throughput of the `zeromq` package (libzmq behind N-API) over inproc, from a
 * worker's PUSH to the main thread's PULL.
 *
 * `await send` and `for await`: it has no other way. The sender uses one buffer again and again, as
 * everywhere; that is right up to 128 bytes, which it copies. Above, it sends by reference, so a
 * new buffer is made for each message.
 *
 * What is not equal: nothing; this is the same loop as ThreadMQ's `await send` and `for await`. It
 * runs in a process of its own and closes its sockets before the worker ends: a worker that ends
 * with an open socket aborts the process.
 */

import { isMainThread } from "node:worker_threads";
import {
  type Arguments,
  inThread,
  Meter,
  Outgoing,
  readArguments,
  ready,
  report,
  reportSkip,
  startThread,
} from "../child.ts";

const REFERENCED_ABOVE = 128;

async function sender({ size, count, warmup }: Arguments): Promise<void> {
  const { Push } = await import("zeromq");
  const push = new Push();
  push.connect("inproc://thr");
  ready();
  let outgoing = new Outgoing(size);
  for (let number = 0; number < warmup + count; number++) {
    if (size > REFERENCED_ABOVE) outgoing = new Outgoing(size);
    await push.send(outgoing.numbered(number));
  }
  push.close();
}

async function receiver(args: Arguments): Promise<void> {
  const zeromq = await import("zeromq").catch(() => undefined);
  if (zeromq === undefined) return reportSkip("the `zeromq` package does not load here");
  const pull = new zeromq.Pull();
  await pull.bind("inproc://thr");
  await startThread(import.meta.url, args);
  const meter = new Meter(args);
  for await (const [part] of pull) if (meter.look(part)) break;
  pull.close();
  report(meter.figures());
}

if (isMainThread) await receiver(readArguments());
else await inThread(sender);
