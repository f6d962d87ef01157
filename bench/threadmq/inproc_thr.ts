// SPDX-License-Identifier: MIT

/**
 * inproc_thr — ThreadMQ's throughput, from a worker's PUSH to the main thread's PULL.
 *
 *      many         sendManySync, batches of 256; receiveManySync(512)
 *      many-await   await sendMany, await receiveMany(512)
 *      one          sendSync; receiveSync
 *      one-await    await send; for await
 *
 * Default options on both sides: high watermarks of 1000 and 1000, as libzmq has. Batches are
 * smaller where messages are large (see batchSize). One Buffer a message comes out in all four, and
 * belongs to the receiver.
 */

import { isMainThread } from "node:worker_threads";
import { Pull, Push } from "threadmq";
import {
  type Arguments,
  inThread,
  Meter,
  Outgoing,
  OutgoingBatch,
  readArguments,
  ready,
  report,
  startThread,
} from "../child.ts";

const ENDPOINT = "inproc://thr";
const RECEIVE_MAX = 512;

const senders: Record<string, (push: Push, size: number, total: number) => void | Promise<void>> = {
  many(push, size, total) {
    const batch = new OutgoingBatch(size);
    for (let number = 0; number < total; ) {
      const messages = batch.numbered(number, total);
      push.sendManySync(messages);
      number += messages.length;
    }
  },

  async "many-await"(push, size, total) {
    const batch = new OutgoingBatch(size);
    for (let number = 0; number < total; ) {
      const messages = batch.numbered(number, total);
      await push.sendMany(messages);
      number += messages.length;
    }
  },

  one(push, size, total) {
    const outgoing = new Outgoing(size);
    for (let number = 0; number < total; number++) push.sendSync(outgoing.numbered(number));
  },

  async "one-await"(push, size, total) {
    const outgoing = new Outgoing(size);
    for (let number = 0; number < total; number++) await push.send(outgoing.numbered(number));
  },
};

const receivers: Record<string, (pull: Pull, meter: Meter) => void | Promise<void>> = {
  many(pull, meter) {
    for (let last = false; !last; ) {
      for (const message of pull.receiveManySync(RECEIVE_MAX)) last = meter.look(message[0]);
    }
  },

  async "many-await"(pull, meter) {
    for (let last = false; !last; ) {
      for (const message of await pull.receiveMany(RECEIVE_MAX)) last = meter.look(message[0]);
    }
  },

  one(pull, meter) {
    while (!meter.look(pull.receiveSync()[0]));
  },

  async "one-await"(pull, meter) {
    for await (const [part] of pull) if (meter.look(part)) break;
  },
};

async function sender({ variant, size, count, warmup }: Arguments): Promise<void> {
  const push = new Push();
  push.connect(ENDPOINT);
  ready();
  await senders[variant](push, size, warmup + count);
  push.close();
}

async function receiver(args: Arguments): Promise<void> {
  const pull = new Pull();
  pull.bindSync(ENDPOINT);
  await startThread(import.meta.url, args);
  const meter = new Meter(args);
  await receivers[args.variant](pull, meter);
  pull.close();
  report(meter.figures());
}

if (isMainThread) await receiver(readArguments());
else await inThread(sender);
