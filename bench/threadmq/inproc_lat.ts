// SPDX-License-Identifier: MIT

/**
 * inproc_lat — ThreadMQ's round trip between the main thread and a worker: over two pipelines, or,
 * as `request-`, from a REQ to a REP and back. One message is under way, each trip is timed by
 * itself.
 *
 *      busy           sendSync; receiveSync
 *      busy-await     await send; await receive
 *      asleep         as busy, in a context with `spin: 0`: a thread that finds nothing goes to
 *      asleep-await   sleep at once, so both sleep at every message
 *
 * "Busy" is the library as it comes: it spins a little before it sleeps. Held against libzmq, which
 * never spins, that is no merit of the queue; so libzmq is also shown polled by hand
 * (rivals/inproc_lat.c). "Asleep" is held against the platform's bare waiting (rivals/word_lat.ts).
 */

import { isMainThread } from "node:worker_threads";
import { Context, Pull, Push, Reply, Request } from "threadmq";
import {
  type Arguments,
  inThread,
  Outgoing,
  readArguments,
  ready,
  report,
  startThread,
  Trips,
  wordOf,
} from "../child.ts";

interface Data extends Arguments {
  /** The context of a bench that sleeps; for the others the default one. */
  handle?: Context["handle"];
}

const isRequest = (variant: string): boolean => variant.startsWith("request-");
const isAwait = (variant: string): boolean => variant.endsWith("-await");
const isAsleep = (variant: string): boolean => variant.startsWith("asleep");

async function echo({ variant, count, warmup, handle }: Data): Promise<void> {
  const options = handle === undefined ? {} : { context: Context.from(handle) };
  const rep = isRequest(variant) ? new Reply(options) : undefined;
  const pull = rep ?? new Pull(options);
  const push = rep ?? new Push(options);
  pull.connect("inproc://ping");
  if (rep === undefined) push.connect("inproc://pong");
  ready();
  const total = warmup + count;
  if (isAwait(variant)) {
    for (let i = 0; i < total; i++) await push.send(await pull.receive());
  } else {
    for (let i = 0; i < total; i++) push.sendSync(pull.receiveSync());
  }
  pull.close();
  push.close();
}

async function main(args: Arguments): Promise<void> {
  const context = isAsleep(args.variant) ? new Context({ spin: 0 }) : undefined;
  const options = context === undefined ? {} : { context };
  const req = isRequest(args.variant) ? new Request(options) : undefined;
  const push = req ?? new Push(options);
  const pull = req ?? new Pull(options);
  push.bindSync("inproc://ping");
  if (req === undefined) pull.bindSync("inproc://pong");
  await startThread(import.meta.url, { ...args, handle: context?.handle });
  const outgoing = new Outgoing(args.size);
  const trips = new Trips(args);
  if (isAwait(args.variant)) {
    for (let i = 0; i < trips.total; i++) {
      await push.send(outgoing.numbered(i));
      const [part] = await pull.receive();
      trips.done(wordOf(part));
    }
  } else {
    for (let i = 0; i < trips.total; i++) {
      push.sendSync(outgoing.numbered(i));
      const [part] = pull.receiveSync();
      trips.done(wordOf(part));
    }
  }
  push.close();
  pull.close();
  report(trips.figures());
}

if (isMainThread) await main(readArguments());
else await inThread(echo);
