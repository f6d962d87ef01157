// SPDX-License-Identifier: MIT

/**
 * zeromqjs — what the programs that use the `zeromq` package share.
 *
 * What it sends by reference is freed, in the end, by the thread that has sent it, and if that is
 * gone when a receiver lets go of a Buffer, the process aborts or reads what is no longer there.
 * And a thread that ends with an open socket aborts the process too. So senders close their sockets
 * when all has been received, and stay until the process ends ({@link stay}, {@link leave}).
 */

import type { Worker } from "node:worker_threads";
import { ready, told } from "../child.ts";

/** Bytes above which it sends by reference: a buffer must not be used again. */
export const REFERENCED_ABOVE = 128;

interface Publisher {
  send(message: Buffer): Promise<void>;
}

/** Publishes with `noDrop`: again after a turn of the event loop, while a subscriber is full. */
export async function publish(pub: Publisher, message: Buffer): Promise<void> {
  for (;;) {
    try {
      return await pub.send(message);
    } catch (error) {
      if ((error as { code?: string }).code !== "EAGAIN") throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** In a thread that has sent: closes the socket when the main thread calls {@link leave}. */
export async function stay(socket: { close(): void }): Promise<void> {
  await told();
  socket.close();
  ready();
  await told(); // Never.
}

/** In the main thread, as the last thing: ends the process, in good order. */
export async function leave(worker: Worker): Promise<never> {
  const closed = new Promise((resolve) => worker.once("message", resolve));
  worker.postMessage("over");
  await closed;
  process.exit();
}
