// SPDX-License-Identifier: MIT

import { claimOf, type Host, type KeepAlive, type PartConstructor } from "../base/index.ts";
import { filesOf } from "./node_files.ts";

/**
 * node — the host on Node, Bun and Deno.
 *
 * Node's own modules are asked for by `process.getBuiltinModule`, so that a bundler never sees
 * them.
 */
const threads = process.getBuiltinModule("node:worker_threads");
const os = process.getBuiltinModule("node:os");
const fs = process.getBuiltinModule("node:fs");

/**
 * The class of Buffers, which the function `Buffer` hides: what `Buffer.from(buffer, offset,
 * length)` makes after a chain of type checks, at two thirds of the price.
 */
const FastBuffer = (Buffer as unknown as Record<symbol, PartConstructor>)[Symbol.species];

const WATCH_MS = 1000;
/** Under this name each thread tells those it starts that it will hear of their ends. */
const PARENT = "threadmq.parent";

const exitTasks = new Set<() => void>();
let listensToExit = false;

function runExitTasks(): void {
  for (const task of exitTasks) task();
}

/**
 * Linux says of each thread, at any time and to anyone, whether it exists: by its number, and by
 * the tick when it began, should the number be used again. So a thread that is blocked, and has no
 * events, can see that another is gone.
 */
function fromSystem(): { claim: number; birth: number } | undefined {
  try {
    const claim = Number(fs.readlinkSync("/proc/thread-self").split("/")[2]);
    return claim > 0 ? { claim, birth: birthOf(claim) } : undefined;
  } catch {
    return undefined; // Another system, or a runtime that may not read there.
  }
}

/** @throws if it cannot be read: also because there is no such thread. */
function birthOf(claim: number): number {
  const stat = fs.readFileSync(`/proc/self/task/${claim}/stat`, "latin1");
  // The 22nd field; the second, a name in parentheses, may have spaces in it.
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]) | 0;
}

function nameOf(thread: number): string {
  return thread === 0 ? "main thread" : `worker ${thread}`;
}

const system = fromSystem();
const number = threads.threadId;
const parent = threads.getEnvironmentData(PARENT);
threads.setEnvironmentData(PARENT, number);

const endTasks = new Set<(number: number) => void>();
process.on("worker", (worker) => {
  const ended = worker.threadId;
  worker.once("exit", () => {
    for (const task of endTasks) task(ended);
  });
});

export const host: Host = {
  Part: FastBuffer,
  canBlock: true,
  cores: os.availableParallelism(),
  threadName: nameOf(number),
  nameOf,

  thread: {
    claim: system?.claim ?? claimOf(number),
    birth: system?.birth ?? 0,
    number,
    parent: typeof parent === "number" ? parent : -1,
  },

  hasEnded(claim: number, birth: number): boolean | undefined {
    if (claim <= 0 || system === undefined) return undefined;
    try {
      // A thread that has claimed its slot and not signed yet has no birth there.
      return birthOf(claim) !== birth && birth !== 0;
    } catch (error) {
      // All else, too many open files say, tells nothing: who lives must not be taken for dead.
      const { code = "" } = error as NodeJS.ErrnoException;
      return code === "ENOENT" || code === "ESRCH" ? true : undefined;
    }
  },

  onThreadEnd(task: (number: number) => void): () => void {
    endTasks.add(task);
    return () => endTasks.delete(task);
  },

  allocate(bytes: number): ArrayBuffer {
    return Buffer.allocUnsafeSlow(bytes).buffer;
  },

  allocateShared(bytes: number): ArrayBuffer {
    const { buffer } = Buffer.allocUnsafeSlow(bytes);
    threads.markAsUntransferable(buffer);
    return buffer;
  },

  defer(task: () => void): void {
    setImmediate(task);
  },

  keepAlive(watch: () => void): KeepAlive {
    let timer: NodeJS.Timeout | undefined;
    return {
      ref() {
        timer ??= setInterval(watch, WATCH_MS);
        timer.ref();
      },
      unref() {
        timer?.unref();
      },
    };
  },

  onExit(task: () => void): () => void {
    // The main thread takes the process with it: there is nobody to leave anything to.
    if (threads.isMainThread) return () => {};
    if (!listensToExit) process.prependOnceListener("exit", runExitTasks);
    listensToExit = true;
    exitTasks.add(task);
    return () => exitTasks.delete(task);
  },

  files: filesOf(process.getBuiltinModule("node:fs")),

  published(name: string): unknown {
    return threads.getEnvironmentData(name);
  },

  publish(name: string, value: unknown): void {
    threads.setEnvironmentData(name, value as never);
  },
};
