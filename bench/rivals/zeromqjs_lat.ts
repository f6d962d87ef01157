// SPDX-License-Identifier: MIT

/**
 * zeromqjs_lat — round trip of the `zeromq` package over inproc, between the main thread and a
 * worker, by promises. One message is under way.
 *
 *      await           over two pipelines
 *      request-await   from a REQ to a REP and back
 *
 * What is not equal: it never spins. Both its threads go back to their event loops for each
 * message, and whether those sleep in between is the machine's affair.
 */

import { isMainThread } from "node:worker_threads";
import {
  type Arguments,
  inThread,
  Outgoing,
  readArguments,
  ready,
  report,
  reportSkip,
  startThread,
  Trips,
  wordOf,
} from "../child.ts";

const isRequest = (variant: string): boolean => variant.startsWith("request-");

async function echo({ variant, count, warmup }: Arguments): Promise<void> {
  const { Pull, Push, Reply } = await import("zeromq");
  const rep = isRequest(variant) ? new Reply() : undefined;
  const pull = rep ?? new Pull();
  const push = rep ?? new Push();
  pull.connect("inproc://ping");
  if (rep === undefined) push.connect("inproc://pong");
  ready();
  for (let i = 0; i < warmup + count; i++) await push.send(await pull.receive());
  pull.close();
  push.close();
}

async function main(args: Arguments): Promise<void> {
  const zeromq = await import("zeromq").catch(() => undefined);
  if (zeromq === undefined) return reportSkip("the `zeromq` package does not load here");
  const req = isRequest(args.variant) ? new zeromq.Request() : undefined;
  const push = req ?? new zeromq.Push();
  const pull = req ?? new zeromq.Pull();
  await push.bind("inproc://ping");
  if (req === undefined) await pull.bind("inproc://pong");
  await startThread(import.meta.url, args);
  const outgoing = new Outgoing(args.size);
  const trips = new Trips(args);
  for (let i = 0; i < trips.total; i++) {
    await push.send(outgoing.numbered(i));
    const [part] = await pull.receive();
    trips.done(wordOf(part));
  }
  push.close();
  pull.close();
  report(trips.figures());
}

if (isMainThread) await main(readArguments());
else await inThread(echo);
