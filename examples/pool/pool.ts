/**
 * pool — functions that run in other threads.
 *
 *     run(name, ...args) ──▶ PUSH tasks ──▶ workers ──▶ PULL results ──▶ promises
 *
 * A task is acknowledged when its result is on its way. So that of a worker which has died goes to
 * another, which sees that it is not the first, and says so rather than dying of it too.
 */
import { Worker, workerData } from "node:worker_threads";
import { Pull, Push } from "threadmq";
import { msgpack } from "threadmq/msgpack";

type Task = [id: number, name: string, args: unknown[]];
type Result = [id: number, value: unknown, error?: unknown];
let last = 0; // Numbers pools and tasks.

export class Pool {
  readonly #name = `inproc://pool-${++last}`;
  readonly #tasks = new Push<Task>({ codec: msgpack(), sendHighWaterMark: 1 });
  readonly #results = new Pull<Result>({ codec: msgpack() });
  readonly #calls = new Map<number, (value: unknown, error?: unknown) => void>();
  readonly #workers = new Set<Worker>();

  /** @param module Calls `serve`. */
  constructor(module: URL, size: number) {
    this.#tasks.bindSync(`${this.#name}/tasks`);
    this.#results.bindSync(`${this.#name}/results`);
    for (let started = 0; started < size; started++) this.#start(module);
    this.#settle();
  }

  run(name: string, ...args: unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#calls.set(++last, (value, error) =>
        error === undefined ? resolve(value) : reject(error),
      );
      this.#tasks.send([last, name, args]).catch(reject);
    });
  }

  close(): void {
    for (const worker of this.#workers) worker.removeAllListeners("exit").terminate();
    for (const socket of [this.#tasks, this.#results]) socket.close();
  }

  #start(module: URL): void {
    const worker = new Worker(module, { workerData: this.#name });
    worker.on("error", () => {}); // Whose task it was is told by the next.
    worker.on("exit", () => this.#workers.delete(worker) && this.#start(module));
    this.#workers.add(worker);
  }

  async #settle(): Promise<void> {
    for await (const [id, value, error] of this.#results) {
      this.#calls.get(id)?.(value, error);
      this.#calls.delete(id);
    }
    for (const settle of this.#calls.values()) settle(undefined, new Error("The pool is closed."));
  }
}

/** What a worker does: runs the functions that it is asked for. */
export async function serve(functions: Record<string, (...args: never[]) => unknown>) {
  const tasks = new Pull<Task>({ codec: msgpack(), receiveHighWaterMark: 1, acknowledge: true });
  const results = new Push<Result>({ codec: msgpack() });
  tasks.connect(`${workerData}/tasks`);
  results.connect(`${workerData}/results`);
  for await (const task of tasks) {
    const [id, name, args] = task;
    try {
      if (tasks.isRedelivered(task)) throw new Error(`The thread that ran ${name} has died.`);
      await results.send([id, await functions[name]!(...(args as never[]))]);
    } catch (error) {
      await results.send([id, undefined, error]);
    }
  }
}
