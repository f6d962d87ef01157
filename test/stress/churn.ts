// SPDX-License-Identifier: MIT

/**
 * churn — very many threads come and go in one process; afterwards all is as before.
 *
 * A few at a time are there. Each sends a message to this thread, receives one, and ends: by
 * itself, by `process.exit`, by an error, or by being killed; some with calls that wait, some with
 * messages unread. What each does and how it ends follows from the seed.
 */
import assert from "node:assert/strict";
import { Worker } from "node:worker_threads";
import { Context, Pull, Push } from "threadmq";
import { Random } from "../support/random.ts";
import { type Figures, figuresOf } from "./figures.ts";

const VISITOR: URL = new URL("./visitor.js", import.meta.url);
/** How many are there at a time. */
const ABREAST = 4;
/** After so many, what is used again has been there. */
const WARM_UP = 20;

/** How a visit ends. */
export const ENDS = ["returns", "exits", "fails", "is killed", "is killed at once"] as const;

export interface ChurnOptions {
  readonly workers: number;
  readonly seed: number;
  readonly progress?: (workers: number) => void;
}

export interface ChurnReport {
  workers: number;
  seconds: number;
  ends: Record<string, number>;
  before: Figures;
  after: Figures;
}

/** Lets so many threads come and go. Throws if anything is left of them. */
export async function churn(options: ChurnOptions): Promise<ChurnReport> {
  const random = new Random(options.seed);
  const context = new Context();
  const pull = new Pull({ context });
  pull.bindSync("inproc://up");
  const push = new Push({ context });
  push.bindSync("inproc://down");
  const began = performance.now();
  const ends: Record<string, number> = {};
  const visit = () => receive(context, random, ends);

  await abreast(Math.min(WARM_UP, options.workers), () => host(pull, push, visit));
  clear(context, pull, push);
  const before = figuresOf(context);
  let visits = 0;
  await abreast(options.workers, () => {
    if (++visits % 500 === 0) options.progress?.(visits);
    return host(pull, push, visit);
  });
  clear(context, pull, push);
  const after = figuresOf(context);
  const { rssMiB: _, ...mustBe } = before;
  const { rssMiB: __, ...are } = after;
  assert.deepEqual(are, mustBe, "memory, slots, names, pipes and descriptors are as they were");
  const { sent, received, queued, dropped } = context.stats().messages;
  assert.equal(sent, received + queued + dropped, "H1");
  pull.close();
  push.close();
  await context.terminate();
  const seconds = Math.round((performance.now() - began) / 1000);
  return { workers: options.workers, seconds, ends, before, after };
}

/** Runs a task so many times, a few at a time. */
async function abreast(times: number, task: () => Promise<void>): Promise<void> {
  let left = times;
  const lane = async () => {
    while (left-- > 0) await task();
  };
  await Promise.all(Array.from({ length: ABREAST }, lane));
}

/** Gives a visitor its message, and takes those that have come. */
async function host(pull: Pull, push: Push, visit: () => Promise<void>): Promise<void> {
  const over = visit();
  push.trySend(["down", "a body"]);
  for (let message = pull.tryReceive(); message; message = pull.tryReceive()) check(message);
  await over;
}

function check([head, body]: Buffer[]): void {
  assert.equal(`${head}`, "up");
  assert.ok(
    body?.every((byte) => byte === body.length % 251),
    "the body is whole",
  );
}

/** Starts a thread, and settles when it has ended as it should. */
async function receive(
  context: Context,
  random: Random,
  ends: Record<string, number>,
): Promise<void> {
  const end = random.pick(ENDS);
  ends[end] = (ends[end] ?? 0) + 1;
  const workerData = { handle: context.handle, end, seed: random.next(2 ** 31) };
  const worker = new Worker(VISITOR, { workerData });
  const failed: unknown[] = [];
  worker.on("error", (error) => {
    if (end !== "fails" || error.message !== "on purpose") failed.push(error);
  });
  const exit = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  if (end === "is killed") worker.once("message", () => worker.terminate());
  if (end === "is killed at once") {
    // Somewhere between its first instruction and its last.
    setTimeout(() => worker.terminate(), random.next(40));
  }
  await exit;
  if (failed.length > 0) throw failed[0];
}

/** Receives what nobody has received. */
function clear(context: Context, pull: Pull, push: Push): void {
  const last = new Pull({ context });
  last.connect("inproc://down");
  push.stats();
  while (last.tryReceive() !== undefined);
  for (let message = pull.tryReceive(); message; message = pull.tryReceive()) check(message);
  last.close();
  push.stats();
}
