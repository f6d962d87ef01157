// SPDX-License-Identifier: MIT

/**
 * fan_in — many PUSH sockets of one worker into one PULL of the main thread.
 *
 *      rate     throughput. Each PUSH in turn does one sendSync; the PULL receiveManySync(512).
 *               To be held against the same program with one PUSH. (libzmq's figures come from
 *               rivals/inproc_thr.c, which receives one by one and looks at less)
 *      served   is everybody served equally? Each PUSH sends the same number of messages before
 *               the first is received, so all have messages until the first has none left. Until
 *               then, at each message, the PUSH served most and the one served least are compared.
 *               What is reported is the largest difference seen; perfect turns give 1. By
 *               receiveSync, and by receiveManySync(512)
 *
 * The fifth argument is the number of PUSH sockets. The body's second word says which of them sent;
 * its first is the message's number among those of that socket, and is checked, for each pipe keeps
 * its order.
 */

import { isMainThread, parentPort } from "node:worker_threads";
import { Pull, Push } from "threadmq";
import {
  type Arguments,
  Clock,
  inThread,
  Outgoing,
  readArguments,
  ready,
  report,
  startThread,
  wordOf,
} from "../child.ts";

const ENDPOINT = "inproc://fan";
const RECEIVE_MAX = 512;

interface Data extends Arguments {
  sockets: number;
}

/** Each socket has a body of its own, with its index in the second word. */
class Sender {
  readonly #push = new Push();
  readonly #outgoing: Outgoing;
  #sent = 0;

  constructor(index: number, size: number) {
    this.#outgoing = new Outgoing(size);
    this.#outgoing.body.writeInt32LE(index, 4);
    this.#push.connect(ENDPOINT);
  }

  send(): void {
    this.#push.sendSync(this.#outgoing.numbered(this.#sent++));
  }

  close(): void {
    this.#push.close();
  }
}

function sender({ variant, size, count, warmup, sockets }: Data): void {
  const senders = Array.from({ length: sockets }, (_, index) => new Sender(index, size));
  if (variant === "rate") ready();
  const total = warmup + count;
  for (let sent = 0; sent < total; ) {
    for (let i = 0; i < sockets && sent < total; i++, sent++) senders[i].send();
  }
  if (variant !== "rate") ready();
  // Open to the end: that a pipe is being closed shall not be part of what is measured.
  parentPort?.once("message", () => {
    for (const each of senders) each.close();
  });
}

/** Checks each message's number, and keeps count of who was served how often. */
class Service {
  readonly #served: Int32Array;
  /** How many sockets were served exactly n times; so the least served are found at once. */
  readonly #servedTimes: number[] = [];
  #least = 0;
  #most = 0;
  spread = 0;

  constructor(sockets: number) {
    this.#served = new Int32Array(sockets);
    this.#servedTimes[0] = sockets;
  }

  check(part: Uint8Array): number {
    const index = part[4] | (part[5] << 8) | (part[6] << 16);
    const expected = this.#served[index]++;
    if (wordOf(part) !== expected)
      throw new Error(`socket ${index}: ${wordOf(part)}, not ${expected}`);
    return expected;
  }

  /** @returns how often the socket most served has been served. */
  weigh(part: Uint8Array): number {
    const before = this.check(part);
    const times = this.#servedTimes;
    times[before]--;
    times[before + 1] = (times[before + 1] ?? 0) + 1;
    this.#most = Math.max(this.#most, before + 1);
    while (times[this.#least] === 0) this.#least++;
    this.spread = Math.max(this.spread, this.#most - this.#least);
    return this.#most;
  }
}

function measureRate(pull: Pull, data: Data): void {
  const service = new Service(data.sockets);
  const clock = new Clock(data);
  for (let last = false; !last; ) {
    for (const [part] of pull.receiveManySync(RECEIVE_MAX)) {
      service.check(part);
      last = clock.tick();
    }
  }
  report(clock.figures());
}

function measureService(pull: Pull, { variant, count, warmup, sockets }: Data): void {
  const each = (warmup + count) / sockets;
  const service = new Service(sockets);
  const isBatch = variant === "served-many";
  for (let most = 0; most < each; ) {
    const messages = isBatch ? pull.receiveManySync(RECEIVE_MAX) : [pull.receiveSync()];
    for (const [part] of messages) {
      most = service.weigh(part);
      if (most === each) break; // From here on not all have messages.
    }
  }
  report({ spread: service.spread });
}

async function receiver(data: Data): Promise<void> {
  const pull = new Pull();
  pull.bindSync(ENDPOINT);
  const worker = await startThread(import.meta.url, data);
  if (data.variant === "rate") measureRate(pull, data);
  else measureService(pull, data);
  worker.postMessage("over");
  pull.close();
}

if (isMainThread) await receiver({ ...readArguments(), sockets: Number(process.argv[6]) });
else await inThread(sender);
