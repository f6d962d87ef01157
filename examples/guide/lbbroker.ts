/**
 * lbbroker — the Guide's load-balancing broker: work goes to who has been idle longest.
 *
 *     REQ clients ──▶ ROUTER  broker  ROUTER ◀── REQ workers, who say when they are ready
 *
 * A DEALER would give each worker its turn, busy or not. Here workers ask for work, and the broker
 * keeps them in a queue; it takes no request from the clients before somebody can do it. So what
 * waits, waits in the clients' pipes, where watermarks count it.
 */
import { once } from "node:events";
import { isMainThread, threadId, Worker, workerData } from "node:worker_threads";
import { Pull, Push, Request, Router } from "threadmq";

const CLIENTS = 4;
const WORKERS = 3;
const REQUESTS = 5;
const FRONTEND = "inproc://frontend";
const BACKEND = "inproc://backend";

if (isMainThread) await broker();
else if (workerData === "worker") await worker();
else await client();

async function broker(): Promise<void> {
  const frontend = new Router();
  const backend = new Router();
  await frontend.bind(FRONTEND);
  await backend.bind(BACKEND);

  // The queue of idle workers is a pipeline of our own: first in, first out, and one can wait.
  const idle = new Pull();
  const ready = new Push();
  await idle.bind("inproc://idle");
  ready.connect("inproc://idle");

  async function fromClients(): Promise<void> {
    for await (const [worker] of idle) {
      const [client, , request] = await frontend.receive();
      await backend.send([worker, "", client, "", request]);
    }
  }
  async function fromWorkers(): Promise<void> {
    for await (const [worker, , client, , reply] of backend) {
      await ready.send(worker);
      if (reply !== undefined) await frontend.send([client, "", reply]); // Else it has just come.
    }
  }
  fromWorkers();
  fromClients().catch(() => {}); // It waits for a request when the frontend is closed.

  const start = (role: string) => new Worker(new URL(import.meta.url), { workerData: role });
  const workers = Array.from({ length: WORKERS }, () => start("worker"));
  const clients = Array.from({ length: CLIENTS }, () => start("client"));
  await Promise.all(clients.map((thread) => once(thread, "exit")));
  for (const thread of workers) await thread.terminate();
  for (const socket of [frontend, backend, ready, idle]) socket.close();
}

async function worker(): Promise<void> {
  const request = new Request();
  request.connect(BACKEND);
  await request.send("ready");
  for (;;) {
    const [client, , task] = await request.receive();
    await request.send([client, "", `${task} done by ${threadId}`]);
  }
}

async function client(): Promise<void> {
  using request = new Request();
  request.connect(FRONTEND);
  for (let number = 1; number <= REQUESTS; number++) {
    await request.send(`task ${threadId}.${number}`);
    console.log(`${await request.receive()}`);
  }
}
