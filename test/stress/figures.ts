// SPDX-License-Identifier: MIT

/** figures — what a process has in use, to be compared before and after. */
import { readdirSync, readlinkSync } from "node:fs";
import type { Context } from "threadmq";

export interface Figures {
  /** Shared memory, in bytes. */
  used: number;
  threads: number;
  sockets: number;
  endpoints: number;
  pipes: number;
  /**
   * What the open file descriptors are, where the system tells; without those of modules, which
   * Node leaves open when a thread is killed that is loading them.
   */
  descriptors: string[];
  rssMiB: number;
}

export function figuresOf(context: Context): Figures {
  const { memory, threads, sockets, endpoints, pipes } = context.stats();
  const rssMiB = Math.round(process.memoryUsage.rss() / 2 ** 20);
  const used = memory.used;
  return { used, threads, sockets, endpoints, pipes, descriptors: openDescriptors(), rssMiB };
}

function openDescriptors(): string[] {
  try {
    return readdirSync("/proc/self/fd").flatMap(describe).sort();
  } catch {
    return []; // Not a system that tells.
  }
}

function describe(descriptor: string): string[] {
  try {
    const what = readlinkSync(`/proc/self/fd/${descriptor}`);
    return /\.m?js$/.test(what) ? [] : [what];
  } catch {
    return []; // It was that of the listing.
  }
}
