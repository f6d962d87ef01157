/**
 * mtserver — the Guide's multithreaded service: a queue between clients and workers.
 *
 *     REQ ─┐                                   ┌─▶ REP worker
 *     REQ ─┼─▶ ROUTER ── Proxy ── DEALER ──────┼─▶ REP worker
 *     REQ ─┘   clients            workers      └─▶ REP worker
 *
 * Clients see one server, and workers one client. The ROUTER knows each request's client, and puts
 * its id before the request; the reply brings it back. So neither has to know of the other.
 */
import { once } from "node:events";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { Dealer, Proxy, Reply, Request, Router } from "threadmq";

const CLIENTS = 3;
const WORKERS = 4;
const REQUESTS = 5;

if (isMainThread) await serve();
else if (workerData.role === "worker") await work();
else await ask();

async function serve(): Promise<void> {
  using clients = new Router();
  using workers = new Dealer();
  await clients.bind("inproc://clients");
  await workers.bind("inproc://workers");
  const proxy = new Proxy(clients, workers);
  const running = proxy.run();

  const start = (role: string, name: string) =>
    new Worker(new URL(import.meta.url), { workerData: { role, name } });
  const pool = Array.from({ length: WORKERS }, (_, i) => start("worker", `worker ${i + 1}`));
  const users = Array.from({ length: CLIENTS }, (_, i) => start("client", `client ${i + 1}`));
  await Promise.all(users.map((user) => once(user, "exit")));

  for (const worker of pool) await worker.terminate(); // At any time: nobody minds.
  proxy.terminate();
  await running;
}

async function work(): Promise<void> {
  const reply = new Reply();
  reply.connect("inproc://workers");
  for await (const [request] of reply) await reply.send(`${request} World`);
}

async function ask(): Promise<void> {
  using request = new Request();
  request.connect("inproc://clients");
  for (let number = 1; number <= REQUESTS; number++) {
    await request.send("Hello");
    const [reply] = await request.receive();
    console.log(`${workerData.name}, ${number}: ${reply}`);
  }
}
