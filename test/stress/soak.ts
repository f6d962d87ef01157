// SPDX-License-Identifier: MIT

/**
 * soak — random calls in several threads, some of which are killed, for as long as one likes.
 *
 * It goes in rounds, all in one context. In each, this thread and some workers go on a rampage
 * (support/rampage.ts): messages of all sizes, watermarks, connects, disconnects, binds, opens,
 * closes. Some of the workers are killed in the middle. When all are through, somebody receives
 * what is left under each name.
 *
 * # What is asserted
 *
 *   - After each round: `sent = received + queued + dropped`, no message was received twice, each
 *     was whole, and memory, slots, names and pipes are as they were before the first.
 *   - At the end: neither resident nor shared memory has grown from the middle third of the run to
 *     the last. What is used again later has been there in the first.
 *
 * All choices follow from the seed, but not when a thread is killed in the lives of the others.
 */
import assert from "node:assert/strict";
import { Worker } from "node:worker_threads";
import { Context, Pull } from "threadmq";
import { NAMES, type Report, rampage } from "../support/rampage.ts";
import { Random } from "../support/random.ts";
import { type Figures, figuresOf } from "./figures.ts";

const RAMPAGER: URL = new URL("./rampager.js", import.meta.url);
const WORKERS = 3;
const STEPS = 3000;
const LONGEST_LIFE_MS = 300;
/** How far resident memory may be above: it follows the collector's moods, not only ours. */
const GROWTH = 1.15;
const SLACK_MIB = 24;

export interface SoakOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly progress?: (sample: Sample) => void;
}

export interface Sample {
  round: number;
  rssMiB: number;
  /** How large the shared memory has become. */
  arenaBytes: number;
}

export interface SoakReport {
  rounds: number;
  kills: number;
  sent: number;
  received: number;
  /** Medians of the thirds of the run. */
  rssMiB: number[];
  arenaBytes: number[];
}

/** Runs for so long. Throws if anything that is promised does not hold. */
export async function soak({ seconds, seed, progress }: SoakOptions): Promise<SoakReport> {
  const random = new Random(seed);
  const context = new Context();
  const before = steady(figuresOf(context));
  const samples: Sample[] = [];
  let kills = 0;
  for (const end = performance.now() + 1000 * seconds; performance.now() < end; ) {
    const round = samples.length;
    kills += await playRound(context, random, round);
    assert.deepEqual(steady(figuresOf(context)), before, `after round ${round}, seed ${seed}`);
    const sample = {
      round,
      rssMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
      arenaBytes: context.stats().memory.size,
    };
    samples.push(sample);
    progress?.(sample);
  }
  const { sent, received } = context.stats().messages;
  await context.terminate();
  const rssMiB = thirds(samples.map((sample) => sample.rssMiB));
  const arenaBytes = thirds(samples.map((sample) => sample.arenaBytes));
  const report = { rounds: samples.length, kills, sent, received, rssMiB, arenaBytes };
  const [, middle, last] = rssMiB as [number, number, number];
  assert.ok(last <= GROWTH * middle + SLACK_MIB, `memory grows: ${JSON.stringify(report)}`);
  // It doubles when more is in use at a time than ever before: that may happen late, but not twice.
  const [, arena, arenaAtLast] = arenaBytes as [number, number, number];
  assert.ok(arenaAtLast <= 2 * arena, `shared memory grows: ${JSON.stringify(report)}`);
  return report;
}

/** One round; returns how many threads were killed. */
async function playRound(context: Context, random: Random, round: number): Promise<number> {
  let kills = 0;
  const parts = Array.from({ length: WORKERS }, (_, index) => {
    const lifeMs = random.next(2) === 0 ? random.next(LONGEST_LIFE_MS) : undefined;
    if (lifeMs !== undefined) kills++;
    return rampageThere(context, `${round}${"abc"[index]}`, random.next(2 ** 31), lifeMs);
  });
  const here = rampage(context, `${round}m`, random.next(2 ** 31), STEPS);
  const reports = await Promise.all([here, ...parts]);
  const got = reports.flatMap((report) => report?.got ?? []);
  got.push(...clear(context));
  assert.equal(new Set(got).size, got.length, `at most once (G3), round ${round}`);
  const { sent, received, queued, dropped } = context.stats().messages;
  assert.equal(sent, received + queued + dropped, `H1, round ${round}`);
  return kills;
}

/** A rampage in another thread; undefined if it was killed before it came to an end. */
function rampageThere(
  context: Context,
  tag: string,
  seed: number,
  lifeMs: number | undefined,
): Promise<Report | undefined> {
  const workerData = { handle: context.handle, tag, seed, steps: STEPS };
  const worker = new Worker(RAMPAGER, { workerData });
  let report: Report | undefined;
  worker.once("message", (message) => {
    report = message;
  });
  return new Promise((resolve, reject) => {
    worker.once("error", reject);
    worker.once("exit", () => resolve(report));
    // How long it lives is part of the program; what it has come to by then is not.
    if (lifeMs !== undefined) setTimeout(() => worker.terminate(), lifeMs);
  });
}

/** Receives what waits under the names; returns which messages these were. */
function clear(context: Context): string[] {
  const got: string[] = [];
  for (const name of NAMES) {
    const pull = new Pull({ context });
    pull.bindSync(name);
    for (let one = pull.tryReceive(); one; one = pull.tryReceive()) got.push(`${one[0]}`);
    pull.close();
  }
  return got;
}

/** The figures that must be the same again. */
function steady({ rssMiB: _, ...rest }: Figures): object {
  return rest;
}

function thirds(values: readonly number[]): number[] {
  const third = Math.ceil(values.length / 3);
  return [0, 1, 2].map((index) => median(values.slice(index * third, (index + 1) * third)));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}
