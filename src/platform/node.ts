// SPDX-License-Identifier: MIT

import type { Host, KeepAlive, PartConstructor } from "../base/index.ts";
import { filesOf } from "./node_files.ts";

/**
 * node — the host on Node, Bun and Deno.
 *
 * Node's own modules are asked for by `process.getBuiltinModule`, so that a bundler never sees
 * them.
 */
const threads = process.getBuiltinModule("node:worker_threads");
const os = process.getBuiltinModule("node:os");

/**
 * The class of Buffers, which the function `Buffer` hides: what `Buffer.from(buffer, offset,
 * length)` makes after a chain of type checks, at two thirds of the price.
 */
const FastBuffer = (Buffer as unknown as Record<symbol, PartConstructor>)[Symbol.species];

/** The longest that a timer of Node can run: 24 days; it is an interval, so it goes on. */
const FOREVER = 2 ** 31 - 1;

const exitTasks = new Set<() => void>();
let listensToExit = false;

function runExitTasks(): void {
  for (const task of exitTasks) task();
}

export const host: Host = {
  Part: FastBuffer,
  canBlock: true,
  cores: os.availableParallelism(),
  threadName: threads.isMainThread ? "main thread" : `worker ${threads.threadId}`,

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

  keepAlive(): KeepAlive {
    let timer: NodeJS.Timeout | undefined;
    return {
      ref() {
        timer ??= setInterval(() => {}, FOREVER);
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
