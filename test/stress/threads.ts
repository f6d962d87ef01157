// SPDX-License-Identifier: MIT

/** threads — those who live through a stress test, and those who are killed. */
import { Worker } from "node:worker_threads";
import type { Random } from "../support/random.ts";

/** How many victims live at a time. */
export const VICTIMS = 3;
const LONGEST_LIFE_MS = 60;

export interface Killing {
  /** What each victim runs: it says `ready` when it has begun. */
  readonly file: URL;
  readonly data: object;
  readonly kills: number;
  readonly random: Random;
  /** Called now and then with the number of kills so far. */
  readonly progress: ((kills: number) => void) | undefined;
  /** The victim at a place is dead. */
  killed(place: number): void;
  /** Whether no more are to be killed. */
  over?: boolean;
}

/** Starts victims and kills them, until there were enough. */
export async function killAll(killing: Killing): Promise<void> {
  const { file, data, kills, random, progress, killed } = killing;
  let begun = 0;
  const one = async (place: number): Promise<void> => {
    while (begun < kills && killing.over !== true) {
      const number = begun++;
      if (number % 50 === 0) progress?.(number);
      const seed = random.next(2 ** 31);
      const workerData = { ...data, role: "victim", seed, number, place };
      const worker = new Worker(file, { workerData });
      const failures: unknown[] = [];
      worker.on("error", (error) => failures.push(error));
      const ready = new Promise((resolve) => worker.once("message", resolve));
      const exit = new Promise((resolve) => worker.once("exit", resolve));
      const early = random.next(8) === 0;
      if (!early) await Promise.race([ready, exit]);
      const life = random.next(LONGEST_LIFE_MS);
      // How long it lives is part of the program; what it has come to by then is not.
      await new Promise((resolve) => setTimeout(resolve, life));
      await worker.terminate();
      killed(place);
      for (const failure of failures) throw failure;
    }
  };
  await Promise.all(Array.from({ length: VICTIMS }, (_, place) => one(place)));
}

export interface Started {
  readonly worker: Worker;
  readonly ready: Promise<void>;
  /** Settles with its longest wait when it has done its part. */
  readonly ended: Promise<number>;
  readonly exit: Promise<unknown>;
}

export interface SurvivorData {
  /** Which of the survivors it is. */
  readonly sender: number;
  readonly seed: number;
}

export function startSurvivor(file: URL, data: SurvivorData): Started {
  const worker = new Worker(file, { workerData: { ...data, role: "survivor" } });
  const exit = new Promise((resolve) => worker.once("exit", resolve));
  let began: () => void = () => {};
  const ready = new Promise<void>((resolve) => {
    began = resolve;
  });
  const ended = new Promise<number>((resolve, reject) => {
    worker.on("message", (message: { ready?: true; longest?: number }) => {
      if (message.longest === undefined) began();
      else resolve(message.longest);
    });
    worker.once("error", reject);
    worker.once("exit", () => reject(new Error(`survivor ${data.sender} has ended`)));
  });
  ended.catch(() => {});
  return { worker, ready, ended, exit };
}
