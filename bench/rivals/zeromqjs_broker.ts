// SPDX-License-Identifier: MIT

/**
 * zeromqjs_broker — requests through a broker made of the `zeromq` package; see requests.ts.
 * Clients, and workers, are loops of promises side by side in one thread.
 *
 * What is not equal: the broker itself is libzmq's, in C.
 */

import { isMainThread } from "node:worker_threads";
import {
  type Arguments,
  inThread,
  readArguments,
  ready,
  report,
  reportSkip,
  startThread,
  told,
} from "../child.ts";
import { askAll, CLIENTS, Clients, equalShares, WORKERS, workAll } from "../requests.ts";

async function work(args: Arguments): Promise<void> {
  const { Reply } = await import("zeromq");
  const reps = Array.from({ length: WORKERS }, () => new Reply());
  for (const rep of reps) rep.connect("inproc://back");
  ready();
  await workAll(reps, args, told());
}

async function main(args: Arguments): Promise<void> {
  const zeromq = await import("zeromq").catch(() => undefined);
  if (zeromq === undefined) return reportSkip("the `zeromq` package does not load here");
  const proxy = new URL("./zeromqjs_proxy.js", import.meta.url).href;
  const threads = [
    await startThread(proxy, { isBroker: true }),
    await startThread(import.meta.url, args),
  ];
  const dealers = Array.from({ length: CLIENTS }, () => new zeromq.Dealer());
  for (const dealer of dealers) dealer.connect("inproc://front");
  const clients = new Clients(args);
  await askAll(dealers, clients);
  for (const dealer of dealers) dealer.close();
  for (const thread of threads) thread.postMessage("over");
  report(clients.figures());
}

if (isMainThread) await main(equalShares(readArguments()));
else await inThread(work);
