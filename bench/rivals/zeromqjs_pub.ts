// SPDX-License-Identifier: MIT

/**
 * zeromqjs_pub — a worker's Publisher of the `zeromq` package to many Subscribers of the main
 * thread, each a `for await` of its own. The fifth argument is their number; COUNT are
 * publications, and the rate is of deliveries.
 *
 * Nothing is dropped: with `noDrop` a send is refused while a subscriber's pipe is full, and the
 * publisher tries again after a turn of its event loop. The package does not wait here by itself.
 * Subscribers are connected before the Publisher binds. Above 128 bytes a new buffer is made for
 * each message, as in zeromqjs_thr.ts.
 *
 * What is not equal: above 128 bytes bodies are not copied, neither for the publisher nor for its
 * subscribers, whose Buffers all lie on the same memory.
 */

import { isMainThread } from "node:worker_threads";
import {
  type Arguments,
  Clock,
  inThread,
  Meter,
  Outgoing,
  readArguments,
  ready,
  report,
  reportSkip,
  startThread,
} from "../child.ts";
import { leave, publish, REFERENCED_ABOVE, stay } from "./zeromqjs.ts";

async function publisher({ size, count, warmup }: Arguments): Promise<void> {
  const { Publisher } = await import("zeromq");
  const pub = new Publisher();
  pub.noDrop = true;
  await pub.bind("inproc://pub");
  ready();
  let outgoing = new Outgoing(size);
  for (let number = 0; number < warmup + count; number++) {
    if (size > REFERENCED_ABOVE) outgoing = new Outgoing(size);
    await publish(pub, outgoing.numbered(number));
  }
  await stay(pub);
}

async function main(args: Arguments, subscribers: number): Promise<void> {
  const zeromq = await import("zeromq").catch(() => undefined);
  if (zeromq === undefined) return reportSkip("the `zeromq` package does not load here");
  const subs = Array.from({ length: subscribers }, () => new zeromq.Subscriber());
  for (const sub of subs) {
    sub.subscribe();
    sub.connect("inproc://pub");
  }
  const worker = await startThread(import.meta.url, args);
  const clock = new Clock(args, subscribers);
  await Promise.all(
    subs.map(async (sub) => {
      const meter = new Meter(args, clock);
      for await (const [part] of sub) if (meter.look(part)) break;
      sub.close();
    }),
  );
  report(clock.figures());
  await leave(worker);
}

if (isMainThread) await main(readArguments(), Number(process.argv[6]));
else await inThread(publisher);
