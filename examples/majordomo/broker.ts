/**
 * broker — knows who can do what, and gives each request to the worker that is idle longest.
 *
 * The workers' ROUTER is `mandatory`: one that has gone is found out when it shall be given a
 * request, which goes to the next one then.
 */
import { Router, ZmqError } from "threadmq";

import {
  CLIENTS,
  FOUND,
  NOT_FOUND,
  open,
  READY,
  SERVICE_OF_SERVICES,
  WORKERS,
} from "./protocol.ts";

interface Service {
  readonly idle: Buffer[];
  /** Envelopes and bodies. */
  readonly requests: Buffer[][];
}

const services = new Map<string, Service>();
/** By the workers' ids. */
const serviceOf = new Map<string, Service>();

const clients = new Router();
const workers = new Router({ mandatory: true });
await clients.bind(CLIENTS);
await workers.bind(WORKERS);
await Promise.all([hearClients(), hearWorkers()]);

async function hearClients(): Promise<void> {
  for await (const message of clients) {
    const [envelope, [name, body]] = open(message);
    if (`${name}` === SERVICE_OF_SERVICES) {
      await clients.send([
        ...envelope,
        services.has(`${body}`) ? FOUND : NOT_FOUND,
        body as Buffer,
      ]);
      continue;
    }
    const service = find(`${name}`);
    service.requests.push([...envelope, body as Buffer]);
    await giveOut(service);
  }
}

async function hearWorkers(): Promise<void> {
  for await (const [worker, command, ...rest] of workers) {
    const id = (worker as Buffer).toString("hex");
    if (`${command}` === READY) serviceOf.set(id, find(`${rest}`));
    else {
      const [envelope, [body]] = open(rest);
      await clients.send([...envelope, FOUND, body as Buffer]);
    }
    const service = serviceOf.get(id) as Service;
    service.idle.push(worker as Buffer);
    await giveOut(service);
  }
}

function find(name: string): Service {
  const service = services.get(name) ?? { idle: [], requests: [] };
  services.set(name, service);
  return service;
}

/** Gives requests to workers, as long as there are both. */
async function giveOut({ idle, requests }: Service): Promise<void> {
  while (idle.length > 0 && requests.length > 0) {
    const worker = idle.shift() as Buffer;
    const request = requests.shift() as Buffer[];
    try {
      await workers.send([worker, ...request]);
    } catch (error) {
      if (!(error instanceof ZmqError) || error.code !== "EHOSTUNREACH") throw error;
      requests.unshift(request);
    }
  }
}
