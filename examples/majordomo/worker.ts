/** worker — does one service: the one that it is started for. */
import { workerData } from "node:worker_threads";
import { Dealer } from "threadmq";

import { open, READY, REPLY, WORKERS } from "./protocol.ts";

const SERVICES: Record<string, (text: string) => string> = {
  upper: (text) => text.toUpperCase(),
  reverse: (text) => [...text].reverse().join(""),
};

const name: string = workerData;
const service = SERVICES[name] as (text: string) => string;
const broker = new Dealer();
broker.connect(WORKERS);
await broker.send([READY, name]);

for await (const request of broker) {
  const [envelope, [body]] = open(request);
  if (`${body}` === "crash") process.exit(1);
  await broker.send([REPLY, ...envelope, service(`${body}`)]);
}
