// SPDX-License-Identifier: MIT

/**
 * control — the words by which the threads of an explored program hand each other the turn.
 *
 * Exactly one thread runs at any time; the others wait on a word of their own. All the rest is
 * touched only by the thread that has the turn, so plain accesses will do.
 */
import { writeSync } from "node:fs";
import type { Addr } from "#src/memory/index.ts";

/** The most threads that a program may have. */
export const MAX_THREADS = 4;
/** Added to a thread in a schedule: it goes on, and what it peeks at is old. */
export const OLD: number = MAX_THREADS;
/** Added to a thread in a schedule: it dies where it is. */
export const DIES: number = 2 * MAX_THREADS;
/** All choices that let a thread go on. Shift it by the thread. */
export const EITHER: number = 1 | (1 << OLD);
/** All choices by which a thread dies. */
export const DEATHS: number = ((1 << MAX_THREADS) - 1) << DIES;
/** After so many operations a run is taken to be endless. */
export const MAX_STEPS = 2000;

// What a thread is about to do.
export const START = 0;
export const LOAD = 1;
export const PEEK = 2;
export const STORE = 3;
export const SWAP_IF = 4;
export const EXCHANGE = 5;
export const ADD = 6;
export const AND = 7;
export const OR = 8;
export const WAIT = 9;
export const WOKEN = 10;
export const WAIT_ASYNC = 11;
export const NOTIFY = 12;
export const TURN = 13;
// From here on it concerns nobody else: who goes on before or after makes no difference.
export const WRITE = 14;
export const END = 15;
export const MOURN = 16;
export const DEATH = 17;

const sleeps = (kind: number): boolean => kind >= WAIT && kind <= WAIT_ASYNC;

/** Whether two operations of different threads can be swapped without anybody noticing. */
export function independent(kindA: number, atA: Addr, kindB: number, atB: Addr): boolean {
  if (atA !== atB || kindA > TURN || kindB > TURN) return true;
  if (kindA >= NOTIFY || kindB >= NOTIFY) {
    // To notify, and to go on in the event loop, concerns who sleeps and who notifies, no other.
    return !(kindA >= WAIT && kindB >= WAIT);
  }
  const reads = (kind: number): boolean => kind === LOAD || kind === PEEK || sleeps(kind);
  return (reads(kindA) && reads(kindB)) || kindA === WOKEN || kindB === WOKEN;
}

// Where a thread is.
export const READY = 0;
/** It has read the same value again and again: it goes on when the word has changed. */
export const SPINNING = 1;
export const WAITING = 2;
/** In its event loop: it goes on when what it armed has been notified. */
export const IDLE = 3;
/** It goes on when the mortal thread has ended, alive or dead. */
export const MOURNING = 4;
// From here on it has ended.
export const DONE = 5;
export const DEAD = 6;

// The phases of a run.
export const ENTERING = 0;
export const STARTING = 1;
export const RUNNING = 2;
export const LEAVING = 3;

// Why a run was given up.
export const NOT_ABORTED = 0;
export const DEADLOCK = 1;
export const ENDLESS = 2;
export const RACE = 3;
export const REDUNDANT = 4;
export const UNLIKE = 5;

const GO = 32;
export const PHASE = 256;
export const ABORT = 257;
export const STEPS = 258;
export const PREFIX = 259;
export const SLEEP = 260;
export const THREADS = 261;
export const TRACE = 262;
export const CURRENT = 263;
/** Which thread may die, or none: -1; whether before plain writes too. */
export const MORTAL = 264;
export const EVERY_WRITE = 265;
/** Whether it has just come to where it may die, and whether it has been chosen to. */
export const BRINK = 266;
export const DYING = 267;
/** Waits of at most so many milliseconds end by time, when nobody can go on otherwise. */
export const PATIENCE = 268;
const THREAD = 320;
const THREAD_WORDS = 16;
export const STATUS = 0;
export const KIND = 1;
export const AT = 2;
export const VALUE = 3;
export const ARMED_AT = 4;
export const ARMED_FIRED = 5;
/** Whether a peek shall see the oldest value it may, and whether the last one did. */
export const STALE = 6;
export const WAS_STALE = 7;
/** For how many milliseconds it waits at most. */
export const TIMEOUT = 8;
export const SCHEDULE = 512;
export const LOG = SCHEDULE + MAX_STEPS;
/** Of each step: who was chosen, who could have been, and what each was about to do. */
export const LOG_WORDS = 2 + 2 * MAX_THREADS;
const CONTROL_WORDS = LOG + MAX_STEPS * LOG_WORDS;

const TEXT_BYTES = 1 << 18;

/** A thread that waits for its turn tries so often before it sleeps. */
const SPINS = 3000;

/** Who waits looks so often whether anything happens at all. */
const LOOK_MS = 15_000;
/**
 * After so many looks that have found nothing, the run hangs: whoever has the turn loops where
 * nothing counts it, or has ended. More than one, for the process may have been stopped meanwhile.
 */
const LOOKS = 4;

/** What all threads of an exploration share besides the arena. */
export interface ControlBuffers {
  readonly words: SharedArrayBuffer;
  readonly texts: SharedArrayBuffer;
}

export class Control {
  readonly buffers: ControlBuffers;
  readonly words: Int32Array;
  readonly #texts: Uint8Array;
  readonly #turns = new Int32Array(MAX_THREADS);
  /** What is run, for who asks why it hangs. */
  title = "";
  /** Called when nothing happens any more, by a thread that waits for its turn. */
  onHang: (what: string) => void = endProcess;
  lookMs: number = LOOK_MS;

  constructor(buffers: ControlBuffers) {
    this.buffers = buffers;
    this.words = new Int32Array(buffers.words);
    this.#texts = new Uint8Array(buffers.texts);
  }

  static create(): Control {
    return new Control({
      words: new SharedArrayBuffer(4 * CONTROL_WORDS),
      texts: new SharedArrayBuffer((MAX_THREADS + 1) * TEXT_BYTES),
    });
  }

  /** The words of a thread. */
  of(thread: number): number {
    return THREAD + thread * THREAD_WORDS;
  }

  /** Forgets the turns that this thread was given earlier. */
  resume(thread: number): void {
    this.#turns[thread] = Atomics.load(this.words, GO * (1 + thread));
  }

  /** Gives the turn to a thread. */
  pass(thread: number): void {
    Atomics.add(this.words, GO * (1 + thread), 1);
    Atomics.notify(this.words, GO * (1 + thread), 1);
  }

  /** Waits for the turn of this thread. */
  await(thread: number): void {
    const at = GO * (1 + thread);
    const seen = this.#turns[thread] as number;
    for (let i = 0; i < SPINS; i++) {
      if (Atomics.load(this.words, at) !== seen) break;
    }
    let progress = -1;
    for (let looks = 0; Atomics.load(this.words, at) === seen; ) {
      if (Atomics.wait(this.words, at, seen, this.lookMs) !== "timed-out") continue;
      const now = this.#progress();
      looks = now === progress ? looks + 1 : 0;
      progress = now;
      if (looks === LOOKS) this.onHang(this.#whoHasTheTurn());
    }
    this.#turns[thread] = seen + 1;
  }

  /** A number that is another when a step was made, or a turn given. */
  #progress(): number {
    let sum = Atomics.load(this.words, STEPS);
    for (let t = 0; t < MAX_THREADS; t++) sum += Atomics.load(this.words, GO * (1 + t));
    return sum;
  }

  /** It is not ours to read: what is shown is shown because nothing moves. */
  #whoHasTheTurn(): string {
    const { words } = this;
    const current = words[CURRENT];
    const all = Array.from({ length: words[THREADS] }, (_, t) => {
      const mine = this.of(t);
      return `thread ${t}: status ${words[mine + STATUS]}, kind ${words[mine + KIND]}`;
    });
    return (
      `"${this.title}" hangs: thread ${current} has not given the turn back after step ` +
      `${words[STEPS]} of phase ${words[PHASE]} (${all.join("; ")})`
    );
  }

  /** Leaves a text for the controller: a thread's result, or (the last) what went wrong. */
  setText(place: number, text: string): void {
    const at = place * TEXT_BYTES;
    const { written } = new TextEncoder().encodeInto(
      text,
      this.#texts.subarray(at + 4, at + TEXT_BYTES),
    );
    new DataView(this.#texts.buffer).setInt32(at, written);
  }

  text(place: number): string {
    const at = place * TEXT_BYTES;
    const length = new DataView(this.#texts.buffer).getInt32(at);
    return new TextDecoder().decode(this.#texts.slice(at + 4, at + 4 + length));
  }
}

/**
 * The thread that hangs cannot be made to stop, nor can the test fail if it is the first one; so
 * this ends all, and says why.
 */
function endProcess(what: string): void {
  writeSync(2, `ThreadMQ explorer: ${what}\n`);
  process.kill(process.pid);
}

/** The place of the text that says why a run was given up. */
export const WHY: number = MAX_THREADS;
