// SPDX-License-Identifier: MIT

/**
 * participant — this thread's part in an exploration.
 *
 * Before each operation it says what it is about to do, and chooses who is to go on: it, or
 * another. That is the whole of the scheduler: it runs in whichever thread has the turn.
 */
import type { Addr, Words } from "#src/memory/index.ts";
import {
  ABORT,
  ARMED_AT,
  ARMED_FIRED,
  AT,
  BRINK,
  type Control,
  CURRENT,
  DEAD,
  DEADLOCK,
  DIES,
  DONE,
  DYING,
  EITHER,
  END,
  ENDLESS,
  EVERY_WRITE,
  IDLE,
  independent,
  KIND,
  LOAD,
  LOG,
  LOG_WORDS,
  MAX_STEPS,
  MORTAL,
  MOURN,
  MOURNING,
  NOT_ABORTED,
  NOTIFY,
  OLD,
  PATIENCE,
  PEEK,
  PHASE,
  PREFIX,
  RACE,
  READY,
  REDUNDANT,
  RUNNING,
  SCHEDULE,
  SLEEP,
  SPINNING,
  STALE,
  START,
  STARTING,
  STATUS,
  STEPS,
  SWAP_IF,
  THREADS,
  TIMEOUT,
  TRACE,
  TURN,
  UNLIKE,
  VALUE,
  WAIT,
  WAIT_ASYNC,
  WAITING,
  WAS_STALE,
  WHY,
  WOKEN,
  WRITE,
} from "./control.ts";
import { placeOf } from "./place.ts";
import { ATOMIC_READ, ATOMIC_WRITE, type Races } from "./races.ts";

/** A thread that reads the same value so many times in a row waits until it has changed. */
const SPIN_LIMIT = 5;

/** So many plain accesses between two operations are a loop without an end. */
const TOIL_LIMIT = 20_000;

/** So many of a thread's last operations are shown. */
const LAST_STEPS = 100;

/** Thrown through the program when a run is given up. */
export class Abort extends Error {}

/** Thrown through the program of a thread that dies, and again at whatever it tries after that. */
export class Death extends Error {
  constructor() {
    super("ThreadMQ explorer: this thread has died in this run");
  }
}

/** One step as a failure shows it. */
export interface Step {
  readonly step: number;
  readonly thread: number;
  readonly operation: string;
  readonly at: Addr;
  readonly values: readonly number[];
  readonly result: string;
  readonly place: string;
}

/** What this thread of JavaScript has of the exploration at hand. */
class Participant {
  control!: Control;
  races!: Races;
  /** All of the arena. */
  raw!: Int32Array;
  me = 0;
  /** Whether operations wait for their turn. */
  exploring = false;
  /** Whether it has died in this run. Nothing that is done in its name has an effect any more. */
  dead = false;
  /** Whether its next plain write is of one piece with the last. */
  unbroken = false;
  steps: Step[] = [];
  /** Whether it would leave something else behind than where it could have died last. */
  #changed = false;
  #lastAt = -1;
  #lastValue = 0;
  #repeats = 0;
  #toil = 0;
  #resolve: ((value: unknown) => void) | undefined;

  begin(): void {
    this.#lastAt = -1;
    this.#repeats = 0;
    this.#toil = 0;
    this.#resolve = undefined;
    this.#changed = true;
    this.dead = false;
    this.unbroken = false;
    this.steps = [];
    this.races.me = this.me;
  }

  /** Waits for the turn to begin. Who cannot die just begins: until its first operation. */
  start(): void {
    if (this.control.words[MORTAL] === this.me) this.#arrive(START, 0);
  }

  /** Waits for the turn to do an operation. */
  step(kind: number, words: Words, at: Addr, expected?: number): void {
    if (this.dead) throw new Death();
    if (at >= words.length) throw new RangeError(`ThreadMQ explorer: ${at} is past the view`);
    const ctl = this.control.words;
    if (ctl[ABORT] !== NOT_ABORTED) throw new Abort();
    this.#toil = 0;
    const mine = this.control.of(this.me);
    const same = this.#repeats >= SPIN_LIMIT && this.#lastAt === at;
    const reads = kind === LOAD || kind === PEEK;
    const spins = same && (reads || (kind === SWAP_IF && expected !== this.#lastValue));
    ctl[mine + STATUS] = spins ? SPINNING : READY;
    ctl[mine + VALUE] = this.#lastValue;
    this.#arrive(kind, at);
    ctl[mine + STATUS] = READY;
    if (kind !== PEEK) ctl[mine + WAS_STALE] = 0;
    if (kind === NOTIFY || kind === PEEK) return;
    const before = Atomics.load(this.raw, at);
    const fails = kind === SWAP_IF && before !== expected;
    const writes = !(fails || kind === LOAD || kind === WAIT || kind === WAIT_ASYNC);
    if (writes) this.races.write(at, before);
    this.check(this.races.access(writes ? ATOMIC_WRITE : ATOMIC_READ, at), at);
  }

  /** What a peek sees: the word as it is, or as it was when this thread last knew of it. */
  peek(words: Words, at: Addr): number {
    this.step(PEEK, words, at);
    const ctl = this.control.words;
    const mine = this.control.of(this.me);
    const now = Atomics.load(this.raw, at);
    const old = ctl[mine + STALE] !== 0;
    ctl[mine + WAS_STALE] = old ? at : 0;
    const seen = old ? (this.races.oldest(this.me, at) ?? now) : now;
    this.#remember(at, seen);
    return seen;
  }

  /** After a read that wrote nothing. */
  observed(at: Addr, value: number): void {
    this.races.acquire(at);
    this.#remember(at, value);
  }

  #remember(at: Addr, value: number): void {
    if (this.#lastAt === at && this.#lastValue === value) this.#repeats++;
    else this.#repeats = 0;
    this.#lastAt = at;
    this.#lastValue = value;
  }

  /** After a write; `reads` if it took up what was there. */
  published(at: Addr, reads: boolean): void {
    if (reads) this.races.acquire(at);
    this.races.release(at);
    this.#changed = true;
    this.#lastAt = -1;
    this.#repeats = 0;
  }

  /** Sleeps until the word is notified. */
  sleep(at: Addr, timeoutMs: number): void {
    const ctl = this.control.words;
    ctl[this.control.of(this.me) + TIMEOUT] = Math.min(timeoutMs, 2 ** 31 - 1);
    ctl[this.control.of(this.me) + STATUS] = WAITING;
    this.#arrive(WOKEN, at);
    ctl[this.control.of(this.me) + STATUS] = READY;
  }

  arm(at: Addr): Promise<unknown> {
    const mine = this.control.of(this.me);
    this.control.words[mine + ARMED_AT] = at;
    this.control.words[mine + ARMED_FIRED] = 0;
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Lets the event loop run, until something comes that was waited for there. */
  turn(): void {
    if (this.dead) throw new Death();
    const ctl = this.control.words;
    const mine = this.control.of(this.me);
    ctl[mine + STATUS] = IDLE;
    this.#arrive(TURN, ctl[mine + ARMED_AT]);
    ctl[mine + STATUS] = READY;
    ctl[mine + ARMED_AT] = 0;
    ctl[mine + ARMED_FIRED] = 0;
    this.trace("turn", 0, [], "");
    this.#resolve?.("ok");
  }

  wakeAll(at: Addr): number {
    const ctl = this.control.words;
    let woken = 0;
    for (let t = 0; t < ctl[THREADS]; t++) {
      const other = this.control.of(t);
      if (ctl[other + STATUS] === WAITING && ctl[other + AT] === at) ctl[other + STATUS] = READY;
      else if (ctl[other + ARMED_AT] === at) ctl[other + ARMED_FIRED] = 1;
      else continue;
      this.races.wake(t);
      this.#changed = true;
      woken++;
    }
    this.#lastAt = -1;
    return woken;
  }

  /** Waits until the mortal thread has ended, and knows all that it did. Whether it died. */
  mourn(): boolean {
    if (this.dead) throw new Death();
    const ctl = this.control.words;
    const mortal = ctl[MORTAL];
    if (mortal < 0) throw new Error("ThreadMQ explorer: the program has no mortal thread");
    ctl[this.control.of(this.me) + STATUS] = MOURNING;
    this.#arrive(MOURN, 0);
    ctl[this.control.of(this.me) + STATUS] = READY;
    this.races.join(mortal);
    const died = ctl[this.control.of(mortal) + STATUS] === DEAD;
    this.trace("untilDead", 0, [], died);
    return died;
  }

  /** Whether the mortal thread has died; if so, knows all that it did. */
  hasDied(): boolean {
    if (this.dead) throw new Death();
    const ctl = this.control.words;
    const mortal = ctl[MORTAL];
    if (ctl[this.control.of(mortal) + STATUS] !== DEAD) return false;
    this.races.join(mortal);
    return true;
  }

  /** A plain access by a dead thread: while it unwinds, or from what is left in its event loop. */
  refuse(): boolean {
    if (this.exploring) throw new Death();
    return false;
  }

  /** Before a plain write. */
  write(at: Addr): void {
    const ctl = this.control.words;
    if (this.me !== ctl[MORTAL]) return;
    if (ctl[EVERY_WRITE] !== 0 && !this.unbroken) this.#survive(WRITE, at);
    this.#changed = true;
  }

  /** This thread's program has come to its end: the last chance to die. */
  end(): void {
    if (this.control.words[MORTAL] === this.me && !this.dead) this.#survive(END, 0);
  }

  /** This thread has ended. */
  done(): void {
    const ctl = this.control.words;
    ctl[this.control.of(this.me) + STATUS] = this.dead ? DEAD : DONE;
    this.#changed = false;
    this.#arrive(WOKEN, 0);
  }

  /** Counts a plain access. A loop of them that nothing can end is given up. */
  toil(): void {
    if (++this.#toil < TOIL_LIMIT) return;
    const isRunning = this.control.words[ABORT] === NOT_ABORTED;
    if (isRunning) this.#giveUp(ENDLESS, placeOf(new Error().stack ?? ""));
    throw new Abort();
  }

  /** Gives the run up if there is something to complain of. */
  check(complaint: string | undefined, at: Addr): void {
    if (complaint === undefined) return;
    const place = new Error().stack ?? "";
    this.#giveUp(RACE, JSON.stringify({ complaint, at, thread: this.me, place: placeOf(place) }));
    throw new Abort();
  }

  trace(operation: string, at: Addr, values: readonly number[], result: unknown): void {
    const ctl = this.control.words;
    if (ctl[TRACE] === 0) return;
    const place = placeOf(new Error().stack ?? "");
    const step = ctl[STEPS] - 1;
    if (this.steps.length === LAST_STEPS) this.steps.shift();
    this.steps.push({ step, thread: this.me, operation, at, values, result: `${result}`, place });
  }

  /** Goes on or dies: nobody else is asked. Nothing to choose where it could have died before. */
  #survive(kind: number, at: Addr): void {
    if (!this.#changed) return;
    const ctl = this.control.words;
    const mine = this.control.of(this.me);
    ctl[mine + KIND] = kind;
    ctl[mine + AT] = at;
    this.#changed = false;
    this.#decide((1 << this.me) | (1 << (this.me + DIES)));
    this.#goOn();
    this.trace(kind === END ? "end" : "write", at, [], "");
  }

  /** This thread has the turn. Is it to go on? */
  #goOn(): void {
    const ctl = this.control.words;
    if (ctl[ABORT] !== NOT_ABORTED) throw new Abort();
    if (ctl[DYING] === 0) return;
    ctl[DYING] = 0;
    this.trace("dies", 0, [], "");
    this.dead = true;
    throw new Death();
  }

  /** Says what this thread is about to do, and waits until it may. */
  #arrive(kind: number, at: Addr): void {
    const ctl = this.control.words;
    const mine = this.control.of(this.me);
    ctl[mine + KIND] = kind;
    ctl[mine + AT] = at;
    if (this.me === ctl[MORTAL] && this.#changed) {
      ctl[BRINK] = 1;
      this.#changed = false;
    }
    let next: number;
    if (ctl[PHASE] === STARTING && this.me + 1 < ctl[THREADS]) next = this.me + 1;
    else {
      ctl[PHASE] = RUNNING;
      next = this.#choose();
    }
    const done = ctl[mine + STATUS] >= DONE;
    if (next !== this.me) {
      this.control.pass(next);
      if (done && this.me !== 0) return; // Nothing here is ours any more, not even to read.
      this.control.await(this.me);
    }
    if (!done) this.#goOn();
  }

  /** Who goes on. It is 0, the controller, when the run is over or given up. */
  #choose(): number {
    const ctl = this.control.words;
    const threads = ctl[THREADS];
    let enabled = 0;
    let alive = false;
    for (let t = 0; t < threads; t++) {
      const other = this.control.of(t);
      if (this.#canGo(other)) enabled |= 1 << t;
      if (this.#canSeeOld(t, other)) enabled |= 1 << (t + OLD);
      if (ctl[other + STATUS] < DONE) alive = true;
    }
    if (!alive) return 0;
    if (enabled === 0) enabled = this.#endWaits();
    // Nobody has a right to another's death: without it, too, somebody must be able to go on.
    if (enabled === 0) return this.#giveUp(DEADLOCK, "");
    if (ctl[BRINK] !== 0) enabled |= 1 << (ctl[MORTAL] + DIES);
    ctl[BRINK] = 0;
    return this.#decide(enabled);
  }

  /**
   * Time passes: short waits end, where the program lets them; and after a death, who is held up
   * goes on, for it may look for that. Who can go on then.
   */
  #endWaits(): number {
    const ctl = this.control.words;
    const mortal = ctl[MORTAL];
    const mourns = mortal >= 0 && ctl[this.control.of(mortal) + STATUS] === DEAD;
    let enabled = 0;
    for (let t = 0; t < ctl[THREADS]; t++) {
      const other = this.control.of(t);
      const waits = ctl[other + STATUS] === WAITING && ctl[other + TIMEOUT] <= ctl[PATIENCE];
      if (!waits && !(mourns && ctl[other + STATUS] === SPINNING)) continue;
      ctl[other + STATUS] = READY;
      enabled |= 1 << t;
    }
    return enabled;
  }

  /** Takes one of the choices: the one in the schedule, or else whoever ran before goes on. */
  #decide(enabled: number): number {
    const ctl = this.control.words;
    const step = ctl[STEPS];
    if (step === MAX_STEPS) return this.#giveUp(ENDLESS, "");

    let choice: number;
    if (step < ctl[PREFIX]) {
      choice = ctl[SCHEDULE + step];
      if ((enabled & (1 << choice)) === 0) return this.#giveUp(UNLIKE, `step ${step}`);
    } else {
      const candidates = enabled & ~ctl[SLEEP];
      if (candidates === 0) return this.#giveUp(REDUNDANT, "");
      const current = ctl[CURRENT];
      const goesOn = current >= 0 && (candidates & (1 << current)) !== 0;
      choice = goesOn ? current : 31 - Math.clz32(candidates & -candidates);
    }
    this.#log(step, choice, enabled);
    const chosen = choice % OLD;
    ctl[this.control.of(chosen) + STALE] = choice === chosen + OLD ? 1 : 0;
    ctl[DYING] = choice === chosen + DIES ? 1 : 0;
    ctl[STEPS] = step + 1;
    ctl[CURRENT] = chosen;
    return chosen;
  }

  /** Whether a thread is about to peek at a word of which it may see another value than now. */
  #canSeeOld(thread: number, other: number): boolean {
    const ctl = this.control.words;
    if (ctl[other + STATUS] !== READY || ctl[other + KIND] !== PEEK) return false;
    const at = ctl[other + AT];
    // Twice in a row it would be for ever: a thread may look until it sees.
    if (ctl[other + WAS_STALE] === at) return false;
    const oldest = this.races.oldest(thread, at);
    return oldest !== undefined && oldest !== Atomics.load(this.raw, at);
  }

  #canGo(other: number): boolean {
    const ctl = this.control.words;
    switch (ctl[other + STATUS]) {
      case READY:
        return true;
      case SPINNING:
        return Atomics.load(this.raw, ctl[other + AT]) !== ctl[other + VALUE];
      case IDLE:
        return ctl[other + ARMED_FIRED] !== 0;
      case MOURNING:
        return ctl[this.control.of(ctl[MORTAL]) + STATUS] >= DONE;
      default:
        return false;
    }
  }

  #log(step: number, choice: number, enabled: number): void {
    const ctl = this.control.words;
    const log = LOG + step * LOG_WORDS;
    ctl[log] = choice;
    ctl[log + 1] = enabled;
    const chosen = this.control.of(choice % OLD);
    let sleep = ctl[SLEEP];
    // Who goes on is about to do something else, which has not been tried.
    if (step >= ctl[PREFIX]) sleep &= ~(EITHER << (choice % OLD));
    for (let t = 0; t < ctl[THREADS]; t++) {
      const other = this.control.of(t);
      const kind = ctl[other + KIND];
      const at = ctl[other + AT];
      ctl[log + 2 + 2 * t] = kind;
      ctl[log + 3 + 2 * t] = at;
      if (step < ctl[PREFIX] || choice >= DIES || (sleep & (EITHER << t)) === 0) continue;
      if (!independent(kind, at, ctl[chosen + KIND], ctl[chosen + AT])) {
        sleep &= ~(EITHER << t);
      }
    }
    ctl[SLEEP] = sleep;
  }

  #giveUp(reason: number, why: string): number {
    this.control.words[ABORT] = reason;
    this.control.setText(WHY, why);
    return 0;
  }
}

export const participant: Participant = new Participant();
