// SPDX-License-Identifier: MIT

/**
 * zeromqjs_subs — what matching costs the `zeromq` package: see topics.ts, and rivals/subs.c, which
 * does the same. Nothing is dropped, as in zeromqjs_pub.ts.
 *
 * The watermarks of the subscriptions' way have no property here; a class that extends the
 * package's can set them by their numbers in `zmq.h`.
 */

import { isMainThread, parentPort } from "node:worker_threads";
import {
  inThread,
  Meter,
  readArguments,
  ready,
  report,
  reportSkip,
  startThread,
  wordOf,
} from "../child.ts";
import {
  arriving,
  Publications,
  pairs,
  type SubsArguments,
  subscriptionsOf,
  TOPIC_BYTES,
} from "../topics.ts";
import { publish } from "./zeromqjs.ts";

const ENDPOINT = "inproc://subs";
const ZMQ_SNDHWM = 23;
const ZMQ_RCVHWM = 24;

async function publisher(args: SubsArguments): Promise<void> {
  const zeromq = await import("zeromq");
  class Publisher extends zeromq.Publisher {
    takeAllSubscriptions(): void {
      this.setInt32Option(ZMQ_RCVHWM, 0);
    }
  }
  const pub = new Publisher();
  pub.noDrop = true;
  pub.takeAllSubscriptions();
  await pub.bind(ENDPOINT);
  ready();
  const publications = new Publications(args);
  let began = 0;
  for (let number = 0; number < args.warmup + args.count; number++) {
    if (number === args.warmup) began = performance.now();
    await publish(pub, publications.numbered(number));
  }
  parentPort?.postMessage((performance.now() - began) / 1e3);
  pub.close();
}

async function main(args: SubsArguments): Promise<void> {
  const zeromq = await import("zeromq").catch(() => undefined);
  if (zeromq === undefined) return reportSkip("the `zeromq` package does not load here");
  class Subscriber extends zeromq.Subscriber {
    sendAllSubscriptions(): void {
      this.setInt32Option(ZMQ_SNDHWM, 0);
    }
  }
  const sub = new Subscriber();
  sub.sendAllSubscriptions();
  sub.subscribe(...subscriptionsOf(args));
  sub.connect(ENDPOINT);
  const worker = await startThread(import.meta.url, args);
  const published = new Promise<number>((resolve) => worker.once("message", resolve));
  const meter = new Meter(arriving(args));
  for await (const [part] of sub) {
    if (meter.lookAt(part.length, wordOf(part, TOPIC_BYTES) / 2)) break;
  }
  sub.close();
  report({ rate: args.count / (await published), delivered: meter.figures().rate });
}

if (isMainThread) await main(pairs(readArguments()));
else await inThread(publisher);
