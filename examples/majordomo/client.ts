/**
 * client — asks for services by name, and asks again when there is no reply in time: the worker
 * that had the request may have died with it.
 */
import { Request, ZmqError } from "threadmq";

import { CLIENTS } from "./protocol.ts";

const TRIES = 2;
const PATIENCE = 1000;

export class Client {
  readonly #request = new Request({ relaxed: true, correlate: true, receiveTimeout: PATIENCE });

  constructor() {
    this.#request.connect(CLIENTS);
  }

  /** Undefined if there is no reply. */
  async ask(service: string, body: string): Promise<[status: string, body: string] | undefined> {
    for (let tries = 0; tries < TRIES; tries++) {
      await this.#request.send([service, body]);
      try {
        const [status, reply] = await this.#request.receive();
        return [`${status}`, `${reply}`];
      } catch (error) {
        if (!(error instanceof ZmqError) || error.code !== "EAGAIN") throw error;
      }
    }
    return undefined;
  }

  close(): void {
    this.#request.close();
  }
}
