// SPDX-License-Identifier: MIT

/**
 * pub — a worker's Publisher to many Subscribers of the main thread. The fifth argument is their
 * number; COUNT are publications, and the rate is of deliveries.
 *
 *      many        sendManySync; receiveManySync(512) at each Subscriber in turn
 *      many-await  await sendMany; await receiveMany(512) at each Subscriber, side by side
 *      one         sendSync; receiveSync, as many at each Subscriber as pub.c takes in turn
 *      one-await   await send; a `for await` for each Subscriber, side by side
 *      lease       as one, by receiveLeaseSync; each is released when it was looked at
 *
 * Nothing is dropped: with `noDrop` a send waits while a Subscriber's pipe is full. As all get all,
 * one that is waited for has its messages to come, and the others are at most 512 behind: so
 * waiting in turn comes to no standstill. Subscribers are connected before the Publisher binds.
 */

import { isMainThread } from "node:worker_threads";
import { Publisher, Subscriber } from "threadmq";
import {
  type Arguments,
  Clock,
  inThread,
  Meter,
  readArguments,
  ready,
  report,
  startThread,
} from "../child.ts";
import { senders } from "./senders.ts";

const ENDPOINT = "inproc://pub";
const RECEIVE_MAX = 512;
const TURN = 256;

type Receiver = (subs: Subscriber[], meters: Meter[], args: Arguments) => void | Promise<void>;

const receivers: Readonly<Record<string, Receiver>> = {
  many(subs, meters) {
    const isOver = subs.map(() => false);
    while (isOver.includes(false)) {
      for (const [i, sub] of subs.entries()) {
        if (isOver[i]) continue;
        const meter = meters[i];
        for (const message of sub.receiveManySync(RECEIVE_MAX)) isOver[i] = meter.look(message[0]);
      }
    }
  },

  async "many-await"(subs, meters) {
    await Promise.all(
      subs.map(async (sub, i) => {
        for (let isOver = false; !isOver; ) {
          for (const [part] of await sub.receiveMany(RECEIVE_MAX)) isOver = meters[i].look(part);
        }
      }),
    );
  },

  one(subs, meters, args) {
    inTurn(subs, args, (sub, i) => meters[i].look(sub.receiveSync()[0]));
  },

  async "one-await"(subs, meters) {
    await Promise.all(
      subs.map(async (sub, i) => {
        for await (const [part] of sub) if (meters[i].look(part)) break;
      }),
    );
  },

  lease(subs, meters, args) {
    inTurn(subs, args, (sub, i) => {
      const lease = sub.receiveLeaseSync();
      meters[i].look(lease.message[0]);
      lease.release();
    });
  },
};

/** Receives at each Subscriber in turn. */
function inTurn(
  subs: Subscriber[],
  { size, count, warmup }: Arguments,
  receive: (sub: Subscriber, i: number) => void,
): void {
  const turn = size > 1024 ? 1 : TURN;
  for (let left = warmup + count; left > 0; left -= turn) {
    for (const [i, sub] of subs.entries()) {
      for (let each = Math.min(turn, left); each > 0; each--) receive(sub, i);
    }
  }
}

async function publisher({ variant, size, count, warmup }: Arguments): Promise<void> {
  const pub = new Publisher({ noDrop: true });
  pub.bindSync(ENDPOINT);
  ready();
  await senders[variant](pub, size, warmup + count);
  pub.close();
}

async function main(args: Arguments, subscribers: number): Promise<void> {
  const subs = Array.from({ length: subscribers }, () => new Subscriber());
  for (const sub of subs) {
    sub.subscribe("");
    sub.connect(ENDPOINT);
  }
  await startThread(import.meta.url, args);
  const clock = new Clock(args, subscribers);
  const meters = subs.map(() => new Meter(args, clock));
  await receivers[args.variant](subs, meters, args);
  for (const sub of subs) sub.close();
  report(clock.figures());
}

if (isMainThread) await main(readArguments(), Number(process.argv[6]));
else await inThread(publisher);
