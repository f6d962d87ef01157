// SPDX-License-Identifier: MIT

import type { Part } from "../index.ts";
import { program } from "../platform/index.ts";
import { type Check, checkArguments, codeOf, errnoError, isObject, translated } from "./errors.ts";
import type { Library } from "./library.ts";
import { type Backstage, backstageOf, type Socket } from "./socket.ts";

const FRONT: Check = { accepts: isObject, message: "Front-end must be a socket object" };
const BACK: Check = { accepts: isObject, message: "Back-end must be a socket object" };

/** So many messages may pass at once before the event loop has its turn. */
const BATCH = 512;

/**
 * proxy — passes messages between two sockets, both ways, until it is terminated.
 *
 * It runs in the thread that calls `run`, on that thread's event loop. The sockets are the proxy's
 * from then on, and are closed when it ends.
 *
 * A message that was taken and finds no room waits in the proxy's hand, also while it is paused.
 */
class SteerableProxy<F extends Socket = Socket, B extends Socket = Socket> {
  static {
    Object.defineProperty(SteerableProxy, "name", { value: "Proxy" });
  }

  readonly #frontEnd: F;
  readonly #backEnd: B;
  readonly #front: Backstage;
  readonly #back: Backstage;
  /** While it runs: paused or not, and how to tell that this has changed. */
  #run: Run | undefined;

  constructor(...args: [frontEnd: F, backEnd: B]) {
    checkArguments(args, FRONT, BACK);
    [this.#frontEnd, this.#backEnd] = args;
    this.#front = backstageOf(this.#frontEnd);
    this.#back = backstageOf(this.#backEnd);
  }

  get frontEnd(): F {
    return this.#frontEnd;
  }

  get backEnd(): B {
    return this.#backEnd;
  }

  /** Passes messages. Settles when it has ended; both sockets are closed then. */
  run(...args: []): Promise<void> {
    checkArguments(args);
    const [front, back] = [this.#front, this.#back];
    for (const [end, name] of [
      [front, "Front-end"],
      [back, "Back-end"],
    ] as const) {
      if (end.endpoints() > 0) continue;
      throw errnoError("EINVAL", `${name} socket must be bound or connected`);
    }
    front.block();
    const one = front.library === back.library;
    if (!one) back.block();
    const run = new Run();
    this.#run = run;
    const ways = [pass(front.library, back.library, run)];
    if (!one) ways.push(pass(back.library, front.library, run));
    return this.#end(run, ways);
  }

  /** No messages pass until `resume`. */
  pause(...args: []): void {
    checkArguments(args);
    this.#running.set("paused");
  }

  /** Messages pass again. */
  resume(...args: []): void {
    checkArguments(args);
    this.#running.set("active");
  }

  /** Ends the proxy. */
  terminate(...args: []): void {
    checkArguments(args);
    this.#running.set("terminated");
  }

  get #running(): Run {
    if (this.#run === undefined) throw errnoError("EBADF");
    return this.#run;
  }

  async #end(run: Run, ways: Promise<void>[]): Promise<void> {
    const release = program.hold();
    try {
      await Promise.all(ways);
    } catch (error) {
      throw translated(error);
    } finally {
      run.set("terminated"); // If one way has failed, the other ends too.
      await Promise.allSettled(ways);
      this.#run = undefined;
      this.#front.close();
      this.#back.close();
      release();
    }
  }
}

type Command = "active" | "paused" | "terminated";

/** What a running proxy is to do; a new command interrupts what it waits for. */
class Run {
  #command: Command = "active";
  #interrupt = new AbortController();
  readonly #stirred = new Set<() => void>();

  get command(): Command {
    return this.#command;
  }

  /** Aborted by the next command. */
  get signal(): AbortSignal {
    return this.#interrupt.signal;
  }

  set(command: Command): void {
    if (this.#command === "terminated") return;
    this.#command = command;
    this.#interrupt.abort();
    this.#interrupt = new AbortController();
    this.stir();
  }

  /** A message has passed, or there is a new command. */
  stir(): void {
    for (const resume of this.#stirred) resume();
    this.#stirred.clear();
  }

  /** Settles when that happens next. */
  stirred(): Promise<void> {
    return new Promise((resolve) => this.#stirred.add(resolve));
  }
}

/** Passes messages one way, if the sockets have that way. */
async function pass(from: Library, to: Library, run: Run): Promise<void> {
  const isWay = from.receive !== undefined && to.send !== undefined;
  let message: object[] | undefined;
  let passed = 0;
  while (run.command !== "terminated") {
    if (run.command === "paused" || !isWay) {
      await run.stirred();
      continue;
    }
    const { signal } = run;
    try {
      message ??= from.tryReceive?.() ?? (await from.receive?.({ timeout: -1, signal }));
      if (to.trySend?.(message as Part[]) !== true) {
        await to.send?.(message as Part[], { timeout: -1, signal });
      }
      message = undefined;
      run.stir();
    } catch (error) {
      if (codeOf(error) === "EFSM")
        await run.stirred(); // It is the other way's turn.
      else if (codeOf(error) === "EINVAL")
        message = undefined; // It says to nobody whom it is for, say. libzmq drops it too.
      else if (!signal.aborted) throw error;
    }
    if (++passed % BATCH === 0) await new Promise<void>((resolve) => program.defer(resolve));
  }
}

export { SteerableProxy as Proxy };
