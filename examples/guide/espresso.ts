/**
 * espresso — the Guide's espresso: what goes through a proxy, seen by a third.
 *
 *     XPUB publisher ──▶ XSUB  proxy  XPUB ──▶ SUB subscriber
 *                               └── capture ──▶ PAIR listener
 *
 * The listener sees both directions: messages on their way to the subscribers, and subscriptions on
 * their way to the publishers. It holds nobody up: what it has no room for it does not see.
 */
import { once } from "node:events";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { Pair, Proxy, Subscriber, XPublisher, XSubscriber } from "threadmq";

const ROUNDS = 3;
const TOPICS = ["A", "B", "C", "D", "E"];
const WANTED = ["A", "B"];

if (isMainThread) await main();
else if (workerData === "publisher") await publish();
else await subscribe();

async function main(): Promise<void> {
  using publishers = new XSubscriber();
  using subscribers = new XPublisher();
  using capture = new Pair();
  using listener = new Pair();
  await publishers.bind("inproc://publishers");
  await subscribers.bind("inproc://subscribers");
  await capture.bind("inproc://espresso");
  listener.connect("inproc://espresso");

  const proxy = new Proxy(publishers, subscribers, { capture });
  const running = proxy.run();
  const listening = listen(listener);
  const start = (role: string) => new Worker(new URL(import.meta.url), { workerData: role });
  const threads = ["publisher", "subscriber"].map(start);
  await Promise.all(threads.map((thread) => once(thread, "exit")));

  proxy.terminate();
  await running;
  await capture.send(""); // That was all.
  await listening;
}

async function listen(listener: Pair): Promise<void> {
  for await (const [part] of listener) {
    if (part === undefined || part.length === 0) return;
    const first = part[0] as number; // 1 and 0 are no letters.
    if (first > 1) console.log(`seen: ${part}`);
    else console.log(`seen: ${first === 1 ? "subscribe" : "unsubscribe"} ${part.subarray(1)}`);
  }
}

async function publish(): Promise<void> {
  using publisher = new XPublisher();
  publisher.connect("inproc://publishers");
  for (const _ of WANTED) await publisher.receive(); // Subscriptions, which come through the proxy.
  for (let round = 1; round <= ROUNDS; round++) {
    for (const topic of TOPICS) await publisher.send(`${topic}-${round}`);
  }
}

async function subscribe(): Promise<void> {
  using subscriber = new Subscriber();
  subscriber.connect("inproc://subscribers");
  subscriber.subscribe(...WANTED);
  for (let count = 0; count < ROUNDS * WANTED.length; count++) {
    console.log(`received: ${await subscriber.receive()}`);
  }
}
