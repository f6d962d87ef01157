// SPDX-License-Identifier: MIT

/**
 * subs — what matching costs ThreadMQ: one Subscriber of the main thread with many subscriptions, a
 * Publisher in a worker; see topics.ts.
 *
 *      one         sendSync; receiveSync
 *      one-await   await send; for await
 *
 * The rate is of publications, by the publisher's clock; what is delivered is half of them. Nothing
 * is dropped, and all subscriptions are there before the Publisher binds, as in rivals/subs.c.
 */

import { isMainThread, parentPort } from "node:worker_threads";
import { Publisher, Subscriber } from "threadmq";
import { inThread, Meter, readArguments, ready, report, startThread, wordOf } from "../child.ts";
import {
  arriving,
  Publications,
  pairs,
  type SubsArguments,
  subscriptionsOf,
  TOPIC_BYTES,
} from "../topics.ts";

const ENDPOINT = "inproc://subs";

async function publisher(args: SubsArguments): Promise<void> {
  const pub = new Publisher({ noDrop: true });
  pub.bindSync(ENDPOINT);
  ready();
  const publications = new Publications(args);
  const total = args.warmup + args.count;
  const isAwait = args.variant === "one-await";
  let began = 0;
  for (const [from, to] of [
    [0, args.warmup],
    [args.warmup, total],
  ]) {
    began = performance.now();
    if (isAwait) for (let i = from; i < to; i++) await pub.send(publications.numbered(i));
    else for (let i = from; i < to; i++) pub.sendSync(publications.numbered(i));
  }
  parentPort?.postMessage((performance.now() - began) / 1e3);
  pub.close();
}

async function main(args: SubsArguments): Promise<void> {
  const sub = new Subscriber();
  sub.subscribe(...subscriptionsOf(args));
  sub.connect(ENDPOINT);
  const worker = await startThread(import.meta.url, args);
  const published = new Promise<number>((resolve) => worker.once("message", resolve));
  const meter = new Meter(arriving(args));
  const look = (part: Uint8Array): boolean =>
    meter.lookAt(part.length, wordOf(part, TOPIC_BYTES) / 2);
  if (args.variant === "one-await") {
    for await (const [part] of sub) if (look(part)) break;
  } else {
    while (!look(sub.receiveSync()[0]));
  }
  sub.close();
  report({ rate: args.count / (await published), delivered: meter.figures().rate });
}

if (isMainThread) await main(pairs(readArguments()));
else await inThread(publisher);
