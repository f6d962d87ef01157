/**
 * main — the Guide's majordomo in one process: services by name, behind a broker.
 *
 *     client ──▶ broker ──▶ 3 workers for "upper"
 *                       ──▶ 1 worker for "reverse"
 *
 * A request that kills each worker which it is given to is given up after two; the service goes on,
 * with the worker that is left.
 */
import { Worker } from "node:worker_threads";

import { Client } from "./client.ts";
import { FOUND, SERVICE_OF_SERVICES } from "./protocol.ts";

const start = (file: string, workerData?: string) =>
  new Worker(new URL(`./${file}.js`, import.meta.url), { workerData });
const threads = ["upper", "upper", "upper", "reverse"].map((service) => start("worker", service));
threads.push(start("broker"));

const client = new Client();
const isThere = async (service: string) =>
  (await client.ask(SERVICE_OF_SERVICES, service))?.[0] === FOUND;

for (const service of ["upper", "reverse"]) {
  while (!(await isThere(service))); // Its worker is about to start.
  console.log(`${service}: ${(await client.ask(service, "hello"))?.[1]}`);
}
console.log(`sing: ${(await isThere("sing")) ? "there is" : "there is no"} such service`);
console.log(`crash: ${(await client.ask("upper", "crash"))?.[1] ?? "no reply"}`);
console.log(`upper: ${(await client.ask("upper", "still here"))?.[1]}`);

client.close();
for (const thread of threads) await thread.terminate();
