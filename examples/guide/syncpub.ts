/**
 * syncpub — the Guide's synchronised publisher: it begins when all subscribers are there.
 *
 *     PUB ── updates ──▶ SUB, SUB, SUB …        REQ ── "I am there" ──▶ REP
 *
 * A publisher sends to who has subscribed, and to nobody else; so the first updates would be lost.
 * Between threads `subscribe` has taken effect when it returns, and no time need be given to it: a
 * subscriber subscribes, and says so. With `noDrop` the publisher waits for the slow.
 */
import { once } from "node:events";
import { isMainThread, threadId, Worker } from "node:worker_threads";
import { Publisher, Reply, Request, Subscriber } from "threadmq";

const SUBSCRIBERS = 5;
const UPDATES = 10_000;
const END = "END";

if (isMainThread) await publish();
else await subscribe();

async function publish(): Promise<void> {
  using publisher = new Publisher({ noDrop: true });
  using reply = new Reply();
  await publisher.bind("inproc://updates");
  await reply.bind("inproc://sync");

  const threads = Array.from({ length: SUBSCRIBERS }, () => new Worker(new URL(import.meta.url)));
  const exits = threads.map((thread) => once(thread, "exit"));
  for (let there = 0; there < SUBSCRIBERS; there++) {
    await reply.receive();
    await reply.send("");
  }
  console.log("all are there");
  for (let number = 0; number < UPDATES; number++) await publisher.send(`update ${number}`);
  await publisher.send(END);
  await Promise.all(exits);
}

async function subscribe(): Promise<void> {
  using subscriber = new Subscriber();
  subscriber.connect("inproc://updates");
  subscriber.subscribe();

  using request = new Request();
  request.connect("inproc://sync");
  await request.send("I am there");
  await request.receive();

  let count = 0;
  for await (const [update] of subscriber) {
    if (`${update}` === END) break;
    count++;
  }
  console.log(`subscriber ${threadId}: ${count} updates`);
}
