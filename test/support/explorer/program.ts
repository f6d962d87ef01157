// SPDX-License-Identifier: MIT

/**
 * program — what is explored: a few threads, what each does, and what may come of it.
 */
import type { Host, KeepAlive } from "#src/base/index.ts";
import type { Thread } from "#src/command/index.ts";
import type { Addr, Arena, Keeper, Pool } from "#src/memory/index.ts";
import type { Change, Code } from "./code.ts";
import { participant } from "./participant.ts";

/** It must come out of some interleaving, or the table claims what is not so. */
export const ok = "ok";
/** It may come out, but perhaps only with more switches than the ordinary run has. */
export const rare = "rare";
export const forbidden = "forbidden";

export type Row = readonly [outcome: readonly unknown[], verdict: string, why: string];

/** Given what the threads have returned, in order, and the final look: a complaint, or nothing. */
export type Judge = (...results: readonly never[]) => string | undefined;

export interface Program<Shared> {
  /** Pages of the arena. */
  readonly pages?: number;
  /** Changes of the code for this program, besides those for all. */
  readonly changes?: readonly Change[];
  /** Makes what the threads share: addresses and other plain data. */
  setup(env: Env): Shared;
  /** Each thread makes its roles, alone; then all at once do what is returned. */
  readonly threads: Readonly<Record<string, (env: Env, shared: Shared) => () => unknown>>;
  /**
   * The thread that may die: at its beginning, after each of its writes, and at its end. Its result
   * is then "dead". Each run without a death is explored too.
   */
  readonly mortal?: string;
  /** After which writes: after all, or, to have fewer runs, only between operations of the seam. */
  readonly deaths?: "every write" | "atomic";
  /**
   * Waits of at most so many milliseconds end by time, when nobody can go on otherwise. Without it
   * who is not woken is lost; with it, who looks again now and then.
   */
  readonly patience?: number;
  /** Looks at what is left when all have ended; its result is the last of the outcome. */
  readonly final?: (env: Env, shared: Shared) => unknown;
  readonly outcomes?: readonly Row[];
  readonly judge?: Judge;
  /** Of a program that is itself at fault: what must be said of it. */
  readonly complaint?: RegExp;
  /** Faults, each of which this program must find. */
  readonly planted?: Readonly<Record<string, Change | readonly Change[]>>;
}

export interface NamedProgram extends Program<unknown> {
  readonly title: string;
}

/** All programs of this file of models, in every thread of JavaScript that has loaded it. */
export const programs: Map<string, NamedProgram> = new Map();

const keepAlive: KeepAlive = { ref() {}, unref() {} };

const host: Host = {
  Part: (Buffer as unknown as Record<symbol, Host["Part"]>)[Symbol.species] as Host["Part"],
  canBlock: true,
  cores: 1,
  threadName: "a thread of the explorer",
  nameOf: String,
  thread: { claim: 1, birth: 0, number: 0, parent: -1 },
  hasEnded: () => undefined,
  onThreadEnd: () => () => {},
  allocate: (bytes) => new ArrayBuffer(bytes),
  allocateShared: (bytes) => new ArrayBuffer(bytes),
  defer: (task) => void setImmediate(task),
  keepAlive: () => keepAlive,
  onExit: () => () => {},
  files: {
    temporaryDirectory: "",
    check() {},
    open() {
      throw new Error("nothing is swapped here");
    },
  },
  published: () => undefined,
  publish: () => {},
};

/** What a thread of a program has of the library. */
export class Env {
  readonly code: Code;
  readonly arena: Arena;
  readonly slot: number;
  readonly #onName: (at: Addr, name: string) => void;
  #pool: Pool | undefined;
  #thread: Thread | undefined;
  #thrown: unknown;
  /** Who knows of deaths, for the roles that are made from now on. Nobody, at first. */
  keeper: Keeper | undefined;

  constructor(
    code: Code,
    arena: Arena,
    slot: number,
    onName: (at: Addr, name: string) => void = () => {},
  ) {
    this.code = code;
    this.arena = arena;
    this.slot = slot;
    this.#onName = onName;
  }

  get host(): Host {
    return host;
  }

  get pool(): Pool {
    this.#pool ??= new this.code.memory.Pool(this.arena, this.slot, true, this.keeper);
    return this.#pool;
  }

  get thread(): Thread {
    if (this.#thread !== undefined) return this.#thread;
    const { Thread } = this.code.command;
    const thread = new Thread(this.arena, this.slot, this.pool, host, this.keeper);
    const { onMail } = thread.signaler;
    // What it throws would be nobody's: a promise's callback has no caller.
    thread.signaler.onMail = () => {
      try {
        onMail(true);
      } catch (error) {
        this.#thrown = error;
      }
    };
    this.#thread = thread;
    return thread;
  }

  /** The same arena in another slot's name. Only in `setup` and `final`, where nobody else is. */
  as(slot: number): Env {
    return new Env(this.code, this.arena, slot, this.#onName);
  }

  /** In `setup`: how failures call a word. */
  name(at: Addr, name: string): void {
    this.#onName(at, name);
  }

  /**
   * Waits until the mortal thread has ended, as its parent does; sees all that it has written.
   *
   * @returns Whether it died. If not, it has come to the end of its program.
   */
  untilDead(): boolean {
    return participant.mourn();
  }

  /**
   * Whether the mortal thread has died, as the runtime would say; then sees all that it wrote.
   * (To ask is no operation: it is as if asked right after the last one.)
   */
  hasDied(): boolean {
    return participant.hasDied();
  }

  /** Lets the event loop run until something is so. */
  async until(condition: () => boolean): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#thrown !== undefined) throw this.#thrown;
      if (condition()) return;
      participant.turn();
    }
  }
}
