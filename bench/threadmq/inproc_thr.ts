// SPDX-License-Identifier: MIT

/**
 * inproc_thr — ThreadMQ's throughput, from a worker's PUSH to the main thread's PULL.
 *
 *      many         sendManySync, batches of 256; receiveManySync(512)
 *      many-await   await sendMany, await receiveMany(512)
 *      one          sendSync; receiveSync
 *      one-await    await send; for await
 *      lease        sendSync; receiveLeaseSync, each released when it was looked at
 *
 * Default options on both sides: high watermarks of 1000 and 1000, as libzmq has. One Buffer a
 * message comes out in all of them, and belongs to the receiver, but for `lease`. If the fifth
 * argument is 1, a proxy from a PULL to a PUSH is between them, in a third thread (proxy.ts).
 */

import { isMainThread } from "node:worker_threads";
import { Pull, Push } from "threadmq";
import {
  type Arguments,
  inThread,
  Meter,
  readArguments,
  ready,
  report,
  startThread,
} from "../child.ts";
import { senders } from "./senders.ts";
import { startProxy } from "./start_proxy.ts";

const ENDPOINT = "inproc://thr";
const RECEIVE_MAX = 512;

interface Data extends Arguments {
  hasProxy: boolean;
}

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

  lease(pull, meter) {
    for (let last = false; !last; ) {
      const lease = pull.receiveLeaseSync();
      last = meter.look(lease.message[0]);
      lease.release();
    }
  },
};

async function sender({ variant, size, count, warmup, hasProxy }: Data): Promise<void> {
  const push = new Push();
  push.connect(hasProxy ? "inproc://front" : ENDPOINT);
  ready();
  await senders[variant](push, size, warmup + count);
  push.close();
}

async function receiver(args: Data): Promise<void> {
  const pull = new Pull();
  const blocks = !args.variant.endsWith("await");
  const endProxy = args.hasProxy ? await startProxy({ isBroker: false, blocks }) : undefined;
  if (args.hasProxy) pull.connect("inproc://back");
  else pull.bindSync(ENDPOINT);
  await startThread(import.meta.url, args);
  const meter = new Meter(args);
  await receivers[args.variant](pull, meter);
  pull.close();
  endProxy?.();
  report(meter.figures());
}

if (isMainThread) await receiver({ ...readArguments(), hasProxy: process.argv[6] === "1" });
else await inThread(sender);
