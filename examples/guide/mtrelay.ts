/**
 * mtrelay — the Guide's relay race: three threads that wait for each other, by PAIRs.
 *
 *     step 1 ── "ready" ──▶ step 2 ── "ready" ──▶ step 3
 *
 * Each step starts the one before it, which need not be there yet when it is waited for. A PAIR is
 * for two threads that know each other; nobody else can come between.
 */
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { Pair } from "threadmq";

const step: number = isMainThread ? 3 : workerData;

if (step > 1) {
  using before = new Pair();
  await before.bind(`inproc://step${step}`);
  new Worker(new URL(import.meta.url), { workerData: step - 1 });
  await before.receive();
}

console.log(`step ${step} is ready`);

if (step < 3) {
  using after = new Pair();
  after.connect(`inproc://step${step + 1}`);
  await after.send("ready");
} else console.log("Test successful!");
