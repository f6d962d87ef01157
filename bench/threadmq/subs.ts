// SPDX-License-Identifier: MIT

/**
 * subs — what matching costs ThreadMQ: one Subscriber of the main thread with many subscriptions, a
 * Publisher in a worker; see topics.ts.
 *
 *      many        sendManySync; receiveManySync(512)
 *      many-await  await sendMany; await receiveMany(512)
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
const RECEIVE_MAX = 512;

/** Looks at the next message. True if it is the last. */
type Look = (part: Uint8Array) => boolean;

type Publish = (
  pub: Publisher,
  publications: Publications,
  from: number,
  to: number,
) => void | Promise<void>;

const publishers: Readonly<Record<string, Publish>> = {
  many(pub, publications, from, to) {
    for (let i = from; i < to; ) {
      const batch = publications.batch(i, to);
      pub.sendManySync(batch);
      i += batch.length;
    }
  },

  async "many-await"(pub, publications, from, to) {
    for (let i = from; i < to; ) {
      const batch = publications.batch(i, to);
      await pub.sendMany(batch);
      i += batch.length;
    }
  },

  one(pub, publications, from, to) {
    for (let i = from; i < to; i++) pub.sendSync(publications.numbered(i));
  },

  async "one-await"(pub, publications, from, to) {
    for (let i = from; i < to; i++) await pub.send(publications.numbered(i));
  },
};

async function receive(sub: Subscriber, variant: string, look: Look): Promise<void> {
  if (variant === "one-await") {
    for await (const [part] of sub) if (look(part)) break;
  } else if (variant === "one") {
    while (!look(sub.receiveSync()[0]));
  } else {
    for (let isOver = false; !isOver; ) {
      const isBlocking = variant === "many";
      const messages = isBlocking
        ? sub.receiveManySync(RECEIVE_MAX)
        : await sub.receiveMany(RECEIVE_MAX);
      for (const [part] of messages) isOver = look(part);
    }
  }
}

async function publisher(args: SubsArguments): Promise<void> {
  const pub = new Publisher({ noDrop: true });
  pub.bindSync(ENDPOINT);
  ready();
  const publications = new Publications(args);
  const total = args.warmup + args.count;
  let began = 0;
  for (const [from, to] of [
    [0, args.warmup],
    [args.warmup, total],
  ]) {
    began = performance.now();
    await publishers[args.variant](pub, publications, from, to);
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
  await receive(sub, args.variant, (part) => {
    return meter.lookAt(part.length, wordOf(part, TOPIC_BYTES) / 2);
  });
  sub.close();
  report({ rate: args.count / (await published), delivered: meter.figures().rate });
}

if (isMainThread) await main(pairs(readArguments()));
else await inThread(publisher);
