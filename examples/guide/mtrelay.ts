/**
 * mtrelay — the Guide's relay race: three threads that wait for each other, by PAIRs.
 *
 *     step 1 ──▶ step 2 ──▶ step 3
 *
 * Each step starts the one before it, which need not be there yet when it is waited for, and hands
 * on the names of all who have run. A PAIR is for two threads that know each other; nobody else can
 * come between.
 */
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { type Message, Pair } from "threadmq";

const step: number = isMainThread ? 3 : workerData;
let runners: Message = [];

if (step > 1) {
  using before = new Pair();
  await before.bind(`inproc://step${step}`);
  new Worker(new URL(import.meta.url), { workerData: step - 1 });
  runners = await before.receive();
}

if (step < 3) {
  using after = new Pair();
  after.connect(`inproc://step${step + 1}`);
  await after.send([...runners, `step ${step}`]);
} else console.log(`${runners.join(", ")}, step ${step}: test successful!`);
