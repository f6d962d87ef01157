// SPDX-License-Identifier: MIT

/**
 * senders — the ways to send `total` numbered messages, for inproc_thr and pub.
 *
 *      many         sendManySync, in batches
 *      many-await   await sendMany
 *      one          sendSync
 *      one-await    await send
 *      lease        as one: what differs is how they are received
 *
 * Batches are of 256, and smaller where messages are large (see batchSize).
 */

import type { SendingSocket } from "threadmq";
import { Outgoing, OutgoingBatch } from "../child.ts";

type Sender = (socket: SendingSocket, size: number, total: number) => void | Promise<void>;

export const senders: Readonly<Record<string, Sender>> = {
  many(socket, size, total) {
    const batch = new OutgoingBatch(size);
    for (let number = 0; number < total; ) {
      const messages = batch.numbered(number, total);
      socket.sendManySync(messages);
      number += messages.length;
    }
  },

  async "many-await"(socket, size, total) {
    const batch = new OutgoingBatch(size);
    for (let number = 0; number < total; ) {
      const messages = batch.numbered(number, total);
      await socket.sendMany(messages);
      number += messages.length;
    }
  },

  one,

  async "one-await"(socket, size, total) {
    const outgoing = new Outgoing(size);
    for (let number = 0; number < total; number++) await socket.send(outgoing.numbered(number));
  },

  lease: one,
};

function one(socket: SendingSocket, size: number, total: number): void {
  const outgoing = new Outgoing(size);
  for (let number = 0; number < total; number++) socket.sendSync(outgoing.numbered(number));
}
