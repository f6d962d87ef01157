// SPDX-License-Identifier: MIT

/**
 * zeromqjs_lat — round trip of the `zeromq` package over two inproc pipelines, between the main
 * thread and a worker, by promises. One message is under way.
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

async function echo({ count, warmup }: Arguments): Promise<void> {
  const { Pull, Push } = await import("zeromq");
  const pull = new Pull();
  const push = new Push();
  pull.connect("inproc://ping");
  push.connect("inproc://pong");
  ready();
  for (let i = 0; i < warmup + count; i++) await push.send(await pull.receive());
  pull.close();
  push.close();
}

async function main(args: Arguments): Promise<void> {
  const zeromq = await import("zeromq").catch(() => undefined);
  if (zeromq === undefined) return reportSkip("the `zeromq` package does not load here");
  const push = new zeromq.Push();
  const pull = new zeromq.Pull();
  await push.bind("inproc://ping");
  await pull.bind("inproc://pong");
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
