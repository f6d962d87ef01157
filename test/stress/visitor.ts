// SPDX-License-Identifier: MIT

/** visitor — what a thread of churn does while it is there. */
import { parentPort, workerData } from "node:worker_threads";
import { Context, Pull, Push } from "threadmq";
import { Random } from "../support/random.ts";
import type { ENDS } from "./churn.ts";

const { handle, end, seed } = workerData as {
  handle: { threadmq: SharedArrayBuffer };
  end: (typeof ENDS)[number];
  seed: number;
};
const random = new Random(seed);
const context = Context.from(handle);
const up = new Push({ context });
up.connect("inproc://up");
const down = new Pull({ context, acknowledge: random.next(2) === 0 });
down.connect("inproc://down");
const own = new Pull({ context });
own.bindSync(`inproc://own/${seed}/${process.hrtime.bigint()}`);

const length = random.next(3) === 0 ? random.next(30_000) : random.next(200);
await up.send(["up", Buffer.alloc(length, length % 251)]);
down.tryReceive();
// Calls that wait when the end comes; they do not hold the thread.
own.unref();
void own.receive().catch(() => {});
parentPort?.postMessage("there");

if (end === "exits") process.exit(0);
if (end === "fails") throw new Error("on purpose");
if (end.startsWith("is killed")) {
  if (random.next(2) === 0) own.receiveSync({ timeout: 10_000 });
  else setTimeout(() => {}, 10_000);
}
