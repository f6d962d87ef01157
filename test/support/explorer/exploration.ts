// SPDX-License-Identifier: MIT

/** exploration — one program with one copy of the code, made ready to be run again and again. */
import { Worker } from "node:worker_threads";
import type { Addr } from "#src/memory/index.ts";
import { type Change, type Code, copyCode, loadCode, SMALL } from "./code.ts";
import {
  ABORT,
  ARMED_AT,
  ARMED_FIRED,
  AT,
  BRINK,
  Control,
  CURRENT,
  DEADLOCK,
  DONE,
  DYING,
  ENDLESS,
  ENTERING,
  EVERY_WRITE,
  KIND,
  LEAVING,
  LOG,
  LOG_WORDS,
  MORTAL,
  NOT_ABORTED,
  PATIENCE,
  PHASE,
  PREFIX,
  RACE,
  READY,
  REDUNDANT,
  SCHEDULE,
  SLEEP,
  START,
  STARTING,
  STATUS,
  STEPS,
  THREADS,
  TRACE,
  UNLIKE,
  WAS_STALE,
  WHY,
} from "./control.ts";
import { participant, type Step } from "./participant.ts";
import { Env, type NamedProgram } from "./program.ts";
import { Races } from "./races.ts";
import { Runner, type Task } from "./runner.ts";

/** What one thread was about to do at a decision. */
export interface Pending {
  readonly kind: number;
  readonly at: Addr;
}

/** One decision of a run. */
export interface Decision {
  /** A thread; plus OLD, if it saw an old value; plus DIES, if it died instead. */
  readonly choice: number;
  /** A bit for each choice that there was. */
  readonly enabled: number;
  readonly pending: readonly Pending[];
}

export interface Run {
  readonly decisions: readonly Decision[];
  /** What each thread was about to do when the run was over. */
  readonly last: readonly Pending[];
  /** It would only have repeated what an equivalent run had shown. */
  readonly redundant: boolean;
  /** What came of it, as JSON; undefined if it was given up. */
  readonly outcome: string | undefined;
  readonly failure: string | undefined;
  readonly steps: readonly Step[];
}

/** The workers of this process: one for each thread of a program but the first. */
export class Crew {
  readonly control: Control = Control.create();
  readonly #models: string;
  readonly #workers: Worker[] = [];

  /** @param models The file that has the programs, as a URL. */
  constructor(models: string) {
    this.#models = models;
  }

  async prepare(task: Task, count: number): Promise<void> {
    while (this.#workers.length < count) {
      const worker = new Worker(new URL("./worker.js", import.meta.url), {
        workerData: {
          models: this.#models,
          buffers: this.control.buffers,
          me: this.#workers.length + 1,
        },
      });
      this.#workers.push(worker);
      await heard(worker);
    }
    await Promise.all(
      this.#workers.slice(0, count).map((worker) => {
        const ready = heard(worker);
        worker.postMessage(task);
        return ready;
      }),
    );
  }

  async release(count: number): Promise<void> {
    this.control.words[PHASE] = LEAVING;
    const left = this.#workers.slice(0, count).map(heard);
    for (let t = 1; t <= count; t++) this.control.pass(t);
    await Promise.all(left);
  }

  async end(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

function heard(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(error);
    worker.once("error", fail);
    worker.once("message", (message) => {
      worker.off("error", fail);
      resolve(message);
    });
  });
}

const PAGES = 12;

export class Exploration {
  readonly program: NamedProgram;
  readonly threads: readonly string[];
  /** The thread that may die, or -1. */
  readonly mortal: number;
  readonly names: Map<Addr, string> = new Map();
  readonly #crew: Crew;
  readonly #control: Control;
  #runner!: Runner;
  #races!: Races;
  #env!: Env;
  #shared: unknown;
  #words!: Int32Array;
  #snapshot!: Int32Array;

  private constructor(crew: Crew, program: NamedProgram) {
    this.program = program;
    this.threads = Object.keys(program.threads);
    this.mortal = mortalOf(program);
    this.#crew = crew;
    this.#control = crew.control;
  }

  static async create(
    crew: Crew,
    program: NamedProgram,
    planted: readonly Change[] = [],
  ): Promise<Exploration> {
    const made = new Exploration(crew, program);
    const copy = copyCode([...SMALL, ...(program.changes ?? []), ...planted]);
    const code: Code = await loadCode(copy);
    const { Arena, PAGE_BYTES } = code.memory;
    const bytes = (program.pages ?? PAGES) * PAGE_BYTES;
    const arena = Arena.create(bytes, bytes);
    made.#races = new Races(arena.words.length);
    const name = (at: Addr, text: string): void => void made.names.set(at, text);
    const env = new Env(code, arena, 1, name);
    made.#shared = JSON.parse(JSON.stringify(program.setup(env) ?? null));
    made.#env = env;
    made.#words = arena.words;
    made.#snapshot = arena.words.slice();
    const task: Task = {
      copy,
      title: program.title,
      arena: arena.buffer,
      races: made.#races.buffer,
      shared: made.#shared,
    };
    await crew.prepare(task, made.threads.length - 1);
    made.#runner = await Runner.create(crew.control.buffers, 0, task);
    made.#runner.control.resume(0);
    return made;
  }

  async end(): Promise<void> {
    await this.#crew.release(this.threads.length - 1);
  }

  /**
   * Runs the program once.
   *
   * @param prefix Who goes on at each decision; after it, whoever ran does, as long as it can.
   * @param sleep A bit for each choice that need not be made after the prefix, until something
   *   happens on which that step depends.
   */
  run(prefix: readonly number[], sleep: number, trace: boolean): Run | Promise<Run> {
    const { words: ctl } = this.#control;
    const { control } = this.#runner;
    const count = this.threads.length;
    this.#words.set(this.#snapshot);
    this.#races.begin();
    ctl[ABORT] = NOT_ABORTED;
    ctl[STEPS] = 0;
    ctl[SLEEP] = sleep;
    ctl[THREADS] = count;
    ctl[TRACE] = trace ? 1 : 0;
    ctl[CURRENT] = -1;
    ctl[PREFIX] = prefix.length;
    ctl.set(prefix, SCHEDULE);
    ctl[MORTAL] = this.mortal;
    ctl[EVERY_WRITE] = this.program.deaths === "atomic" ? 0 : 1;
    ctl[PATIENCE] = this.program.patience ?? -1;
    ctl[BRINK] = 0;
    ctl[DYING] = 0;
    for (let t = 0; t < count; t++) {
      const mine = control.of(t);
      ctl[mine + STATUS] = READY;
      ctl[mine + KIND] = START;
      ctl[mine + AT] = 0;
      ctl[mine + ARMED_AT] = 0;
      ctl[mine + ARMED_FIRED] = 0;
      ctl[mine + WAS_STALE] = 0;
    }
    ctl[PHASE] = ENTERING;
    for (let t = 1; t < count; t++) {
      control.pass(t);
      control.await(0);
    }
    this.#runner.enter();
    ctl[PHASE] = STARTING;
    const running = this.#runner.run();
    return running === undefined ? this.#finish() : running.then(() => this.#finish());
  }

  #finish(): Run {
    const { words: ctl } = this.#control;
    const { control } = this.#runner;
    const reason = ctl[ABORT];
    for (let t = 1; t < this.threads.length; t++) {
      if (ctl[control.of(t) + STATUS] >= DONE) continue;
      control.pass(t);
      control.await(0);
    }
    participant.dead = false; // Its own part is over; now it looks at what is left.
    const decisions = this.#decisions();
    const reports = this.threads.map((_, t) => JSON.parse(control.text(t)));
    const steps = reports.flatMap((report) => report.steps as Step[]);
    steps.sort((a, b) => a.step - b.step);
    const last = this.threads.map((_, t) => {
      const mine = control.of(t);
      return { kind: ctl[mine + KIND], at: ctl[mine + AT] };
    });
    const run = { decisions, last, steps, redundant: reason === REDUNDANT };
    if (reason !== NOT_ABORTED && reason !== REDUNDANT) {
      return { ...run, outcome: undefined, failure: this.#explain(reason) };
    }
    if (run.redundant) return { ...run, outcome: undefined, failure: undefined };
    const results = reports.map((report) => report.result);
    try {
      if (this.program.final !== undefined) {
        results.push(this.program.final(this.#env.as(1), this.#shared));
      }
    } catch (error) {
      return { ...run, outcome: undefined, failure: `the final look ${error}` };
    }
    return { ...run, outcome: JSON.stringify(results), failure: undefined };
  }

  #decisions(): Decision[] {
    const { words: ctl } = this.#control;
    const decisions: Decision[] = [];
    for (let step = 0; step < ctl[STEPS]; step++) {
      const log = LOG + step * LOG_WORDS;
      const pending = this.threads.map((_, t) => ({
        kind: ctl[log + 2 + 2 * t],
        at: ctl[log + 3 + 2 * t],
      }));
      decisions.push({ choice: ctl[log], enabled: ctl[log + 1], pending });
    }
    return decisions;
  }

  #explain(reason: number): string {
    const why = this.#control.text(WHY);
    switch (reason) {
      case DEADLOCK:
        return "nobody can go on: a wake-up was lost, or each waits for the other";
      case ENDLESS:
        return `it does not come to an end ${why}`;
      case RACE: {
        const { complaint, at, thread, place } = JSON.parse(why);
        return `${letter(thread)}: ${complaint}, at ${this.nameOf(at)}, in ${place}`;
      }
      case UNLIKE:
        return `the same schedule led elsewhere the second time (${why}): not deterministic`;
      default:
        return `given up: ${reason}`;
    }
  }

  /** How a word is called: by what the program named, or by its number. */
  nameOf(at: Addr): string {
    let best: Addr | undefined;
    for (const named of this.names.keys()) {
      if (named <= at && at - named < 128 && (best === undefined || named > best)) best = named;
    }
    if (best === undefined) return `word ${at}`;
    return `${this.names.get(best)}${best === at ? "" : `+${at - best}`}`;
  }
}

/** The number of the thread that may die, or -1. */
export function mortalOf({ title, mortal, threads }: NamedProgram): number {
  const number = mortal === undefined ? -1 : Object.keys(threads).indexOf(mortal);
  if (mortal !== undefined && number < 0) throw new Error(`${title}: who is ${mortal}?`);
  return number;
}

export function letter(thread: number): string {
  return String.fromCharCode(97 + thread);
}
