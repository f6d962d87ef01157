// SPDX-License-Identifier: MIT

import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { Arena } from "../memory/index.ts";

/**
 * crew — real threads that run a role of the test file.
 *
 *     const roles = { async count(arena, argument) { … } };
 *     if (!inWorker(roles)) describe(…);      // the same file, in both
 */
export type Roles = Record<string, (arena: Arena, argument: number[]) => unknown>;

export interface Crew {
  /** Settles when the worker has begun to run. */
  readonly running: Promise<void>;
  /** What the role returned. */
  readonly result: Promise<unknown>;
  /** Terminates the worker, wherever it is. */
  kill(): Promise<unknown>;
}

/** In a worker, runs the role it was started for. */
export function inWorker(roles: Roles): boolean {
  if (isMainThread) return false;
  const { role, buffer, argument } = workerData as {
    role: string;
    buffer: SharedArrayBuffer;
    argument: number[];
  };
  parentPort?.postMessage({ running: true });
  const arena = Arena.open(buffer);
  parentPort?.postMessage({ result: roles[role]?.(arena, argument) });
  return true;
}

/** Starts the test file again in a worker, as one of its roles. */
export function startRole(file: string, role: string, arena: Arena, ...argument: number[]): Crew {
  const worker = new Worker(new URL(file), {
    workerData: { role, buffer: arena.buffer, argument },
  });
  let begin: () => void;
  const running = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const result = new Promise((resolve, reject) => {
    worker.on("message", (message: { running?: boolean; result?: unknown }) => {
      if (message.running) begin();
      else resolve(message.result);
    });
    worker.on("error", reject);
    worker.on("exit", (code) => reject(new Error(`the role ${role} ended with ${code}`)));
  });
  result.catch(() => {}); // Who waits for another of the crew first shall not be a stray rejection.
  return { running, result, kill: () => worker.terminate() };
}
