// SPDX-License-Identifier: MIT

/**
 * runner — one thread of an explored program, in the controller's thread or in a worker.
 */
import { loadCode } from "./code.ts";
import { ABORT, Control, type ControlBuffers, DONE, NOT_ABORTED, STATUS } from "./control.ts";
import { participant } from "./participant.ts";
import { Env, type NamedProgram, programs } from "./program.ts";
import { PLAIN_WRITE, Races, watchArena } from "./races.ts";

/** All that a worker needs to know of an exploration. */
export interface Task {
  readonly copy: string;
  readonly title: string;
  readonly arena: SharedArrayBuffer;
  readonly races: SharedArrayBuffer;
  readonly shared: unknown;
}

export class Runner {
  readonly control: Control;
  readonly me: number;
  readonly #task: Task;
  readonly #code: Awaited<ReturnType<typeof loadCode>>;
  readonly #program: NamedProgram;
  #run: () => unknown = () => {};

  private constructor(
    buffers: ControlBuffers,
    me: number,
    task: Task,
    code: Awaited<ReturnType<typeof loadCode>>,
  ) {
    this.control = new Control(buffers);
    this.control.title = task.title;
    this.me = me;
    this.#task = task;
    this.#code = code;
    this.#program = programs.get(task.title) as NamedProgram;
  }

  static async create(buffers: ControlBuffers, me: number, task: Task): Promise<Runner> {
    return new Runner(buffers, me, task, await loadCode(task.copy));
  }

  /** Makes the thread's roles anew. */
  enter(): void {
    const { words } = this.control;
    const raw = new Int32Array(this.#task.arena);
    participant.control = this.control;
    participant.races = new Races(raw.length, this.#task.races);
    participant.raw = raw;
    participant.me = this.me;
    participant.begin();
    const arena = this.#code.memory.Arena.open(this.#task.arena);
    const { races } = participant;
    const watching = (): boolean => participant.exploring && words[ABORT] === NOT_ABORTED;
    watchArena(
      arena,
      (from, to, use) => {
        if (participant.dead) return participant.refuse();
        // Also in a run that was given up: what it has left may be a loop, too.
        if (participant.exploring) participant.toil();
        if (!watching()) return true;
        if (use === PLAIN_WRITE) participant.write(from);
        for (let at = from; at < to; at++) participant.check(races.access(use, at), at);
        return true;
      },
      (key) => {
        if (watching()) participant.check(`a plain access past the view, at ${key}`, 0);
      },
    );
    const env = new Env(this.#code, arena, this.me + 1);
    const thread = Object.values(this.#program.threads)[this.me];
    if (thread === undefined) throw new Error("no such thread");
    this.#run = thread(env, this.#task.shared);
  }

  /** Runs the thread's program to its end, or until the run is given up. */
  run(): void | Promise<void> {
    participant.exploring = true;
    try {
      participant.start();
      const result = this.#run();
      if (!(result instanceof Promise)) return this.#end(this.#survived(result));
      return result
        .then((value) => this.#survived(value))
        .then(
          (value) => this.#end(value),
          (error) => this.#fail(error),
        );
    } catch (error) {
      return this.#fail(error);
    }
  }

  #survived(result: unknown): unknown {
    participant.end();
    return result;
  }

  #fail(error: unknown): void {
    this.#end(`throws ${(error as Error).message ?? error}`);
  }

  #end(result: unknown): void {
    const { words } = this.control;
    const { steps, dead } = participant;
    const aborted = words[ABORT] !== NOT_ABORTED;
    const report = { result: aborted ? "…" : dead ? "dead" : result, steps };
    this.control.setText(this.me, JSON.stringify(report));
    participant.exploring = false;
    if (aborted) {
      words[this.control.of(this.me) + STATUS] = DONE;
      if (this.me !== 0) this.control.pass(0);
    } else participant.done();
    // The turn has been given away: nothing that is shared may be touched after this, nor by what
    // the program has left to the event loop.
    participant.dead = true;
  }
}
