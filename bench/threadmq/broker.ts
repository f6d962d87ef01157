// SPDX-License-Identifier: MIT

/**
 * broker — requests through ThreadMQ's ROUTER-DEALER broker; see requests.ts.
 *
 *      turn     sendSync, receiveSync; each thread waits at its sockets in turn. A client has
 *               always asked, so its reply comes; the proxy's DEALER deals in turn, so the next
 *               request is the next worker's
 *      many     the same, but that a client receives all replies that there are, and sends as many
 *               requests, together
 *      await    each socket has a loop of promises of its own, side by side in one thread
 *
 * The proxy blocks its thread in the first two, and is in its thread's event loop in the last.
 */

import { isMainThread } from "node:worker_threads";
import { Dealer, Reply } from "threadmq";
import {
  type Arguments,
  inThread,
  readArguments,
  ready,
  report,
  startThread,
  told,
} from "../child.ts";
import {
  askAll,
  CLIENTS,
  Clients,
  equalShares,
  Order,
  WINDOW,
  WORKERS,
  workAll,
} from "../requests.ts";
import { startProxy } from "./start_proxy.ts";

function isBlocking({ variant }: Arguments): boolean {
  return variant !== "await";
}

function workInTurn(reps: Reply[], args: Arguments): void {
  const orders = reps.map(() => new Order(args));
  for (let done = 0; done < args.warmup + args.count; done++) {
    const index = done % WORKERS;
    const [body] = reps[index].receiveSync();
    reps[index].sendSync(orders[index].look(body));
  }
}

async function work(args: Arguments): Promise<void> {
  const reps = Array.from({ length: WORKERS }, () => new Reply());
  for (const rep of reps) rep.connect("inproc://back");
  ready();
  const over = told();
  if (isBlocking(args)) workInTurn(reps, args);
  else await workAll(reps, args, over);
  for (const rep of reps) rep.close();
}

function askInTurn(dealers: Dealer[], clients: Clients): void {
  const ask = (index: number): void => {
    const client = clients.all[index];
    if (client.hasRequest) dealers[index].sendSync(client.request());
  };
  for (let i = 0; i < WINDOW * CLIENTS; i++) ask(i % CLIENTS);
  for (let index = 0; clients.all[index].hasReply; index = (index + 1) % CLIENTS) {
    clients.all[index].replied(dealers[index].receiveSync());
    ask(index);
  }
}

function askTogether(dealers: Dealer[], clients: Clients): void {
  const ask = (index: number, count: number): void => {
    dealers[index].sendManySync(clients.all[index].requests(count));
  };
  for (let i = 0; i < CLIENTS; i++) ask(i, WINDOW);
  for (let index = 0; clients.all.some(({ hasReply }) => hasReply); index = (index + 1) % CLIENTS) {
    const client = clients.all[index];
    if (!client.hasReply) continue;
    const replies = dealers[index].receiveManySync(WINDOW);
    for (const reply of replies) client.replied(reply);
    ask(index, replies.length);
  }
}

async function main(args: Arguments): Promise<void> {
  const endProxy = await startProxy({ isBroker: true, blocks: isBlocking(args) });
  const worker = await startThread(import.meta.url, args);
  const dealers = Array.from({ length: CLIENTS }, () => new Dealer());
  for (const dealer of dealers) dealer.connect("inproc://front");
  const clients = new Clients(args);
  if (args.variant === "turn") askInTurn(dealers, clients);
  else if (args.variant === "many") askTogether(dealers, clients);
  else await askAll(dealers, clients);
  for (const dealer of dealers) dealer.close();
  worker.postMessage("over");
  endProxy();
  report(clients.figures());
}

if (isMainThread) await main(equalShares(readArguments()));
else await inThread(work);
