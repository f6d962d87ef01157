// SPDX-License-Identifier: MIT

/** deaths — the ways in which a thread may end in the middle of everything. */
import { setTimeout as delay } from "node:timers/promises";
import type { Ground, Place, Start, Thread } from "./ground.ts";

export interface Death {
  /** How a thread is started that will die so. */
  readonly start: Start;
  /** Whether code of the thread runs at its end. */
  readonly orderly: boolean;
  /** Lets it happen; the thread is in its event loop. */
  happen(thread: Thread): Promise<unknown>;
}

export const DEATHS: Readonly<Record<string, Death>> = {
  "worker.terminate()": { start: {}, orderly: false, happen: (thread) => thread.kill() },
  "process.exit()": {
    start: {},
    orderly: true,
    happen: (thread) => thread.run(() => process.exit(0)),
  },
  "an uncaught error": {
    start: {},
    orderly: true,
    happen: (thread) =>
      thread.run(() => {
        setImmediate(() => {
          throw new Error("on purpose");
        });
        return new Promise(() => {});
      }),
  },
  "running out of memory": {
    start: { resourceLimits: { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 4 } },
    orderly: false,
    happen: (thread) =>
      thread.run(() => {
        const all: object[] = [];
        for (;;) all.push(new Array(1000).fill(all.length));
      }),
  },
  "the death of its parent": {
    start: { below: "a member" },
    orderly: false,
    happen: (thread) => thread.kill(),
  },
};

/** Lets a thread die, and waits until it has. */
export async function die(thread: Thread, death: Death): Promise<void> {
  await death.happen(thread).catch(() => {});
  await thread.ended;
}

/**
 * Prepares to learn when a thread has heard of a death, even while a call blocks it. What is
 * returned waits for that.
 *
 * A thread hears in the order in which it is told. So it has heard of a death that was told before
 * a link of its own was ended, when that link is gone.
 */
export async function hearing(g: Ground, place: Place): Promise<() => Promise<void>> {
  const [ear, mouth] = [await g.pull({}, place), await g.push()];
  await ear.bind("inproc://hearing");
  await mouth.connect("inproc://hearing");
  await ear.call("stats"); // It has attached its end.
  return async () => {
    const { pipes } = g.context.stats();
    await mouth.close();
    while (g.context.stats().pipes === pipes) await delay(1, undefined, { signal: g.signal });
  };
}

/** What is in use: to be compared before and after. */
export function inUse(g: Ground): object {
  const { memory, threads, sockets, endpoints, pipes } = g.context.stats();
  return { used: memory.used, threads, sockets, endpoints, pipes };
}
