// SPDX-License-Identifier: MIT

/**
 * search — which interleavings are run.
 *
 * `bounded` runs each interleaving that has at most so many unforced switches: leaving a thread
 * that could have gone on. Most bugs need one or two. There is no reduction in it, hence nothing to
 * trust. Where that would take too long it runs all that have fewer, and of those that have so many
 * some at random, other ones each time.
 *
 * `all` runs at least one of each set of interleavings that differ only in the order of independent
 * operations: those on different words, or two loads. It looks where in a run two dependent
 * operations could have come the other way round, and goes back there (Flanagan and Godefroid,
 * Dynamic Partial-Order Reduction, 2005) to whoever can begin what was missed (Abdulla, Aronis,
 * Jonsson and Sagonas, Optimal Dynamic Partial Order Reduction, 2014), with Godefroid's sleep sets
 * against doing so twice. A death depends on nothing and is tried wherever there is the choice;
 * the choice is there only once, so who goes on goes past it.
 */
import assert from "node:assert/strict";
import { setImmediate as immediate } from "node:timers/promises";
import { Random } from "../random.ts";
import { DEATH, DEATHS, DIES, EITHER, independent, MAX_THREADS, MOURN, OLD } from "./control.ts";
import type { Decision, Exploration, Pending, Run } from "./exploration.ts";
import { participant } from "./participant.ts";

export interface Findings {
  runs: number;
  /** Runs that were cut off as equivalent to others. */
  redundant: number;
  readonly outcomes: Map<string, { count: number; first: number[] }>;
  /** Whether there is more that has not been run. */
  unfinished: boolean;
  failure: { readonly what: string; readonly schedule: number[] } | undefined;
}

/** Says what is wrong with an outcome. */
export type Verdict = (outcome: string) => string | undefined;

function findings(): Findings {
  return { runs: 0, redundant: 0, outcomes: new Map(), unfinished: false, failure: undefined };
}

function choices(run: Run): number[] {
  return run.decisions.map(({ choice }) => choice);
}

/** Counts a run in. False if it fails. */
function note(found: Findings, run: Run, verdict: Verdict): boolean {
  found.runs++;
  let what = run.failure;
  if (run.redundant) found.redundant++;
  else if (run.outcome !== undefined) {
    const known = found.outcomes.get(run.outcome);
    if (known !== undefined) known.count++;
    else {
      found.outcomes.set(run.outcome, { count: 1, first: choices(run) });
      what = verdict(run.outcome);
    }
  }
  if (what !== undefined) found.failure = { what, schedule: choices(run) };
  return what === undefined;
}

/** Whether choosing `next` at a decision leaves a thread that could go on, or sees an old value. */
function unforced(decision: Decision, previous: number | undefined, next: number): boolean {
  if (next >= DIES) return false; // Nobody is switched to.
  if (next >= OLD) return true; // An old value costs as much as a switch.
  if (previous === undefined || previous % OLD === next) return false;
  return (decision.enabled & (EITHER << (previous % OLD))) !== 0;
}

const CHOICES = Array.from({ length: DIES + MAX_THREADS }, (_, choice) => choice);

function bits(mask: number): number[] {
  return CHOICES.filter((choice) => (mask & (1 << choice)) !== 0);
}

/** A run to be made: as one that was made, but for the choice at a step. */
interface Start {
  readonly made: readonly number[];
  readonly step: number;
  readonly choice: number;
  /** How many switches there are up to that step. */
  readonly used: number;
  readonly from: Decision | undefined;
}

/** So often a search lets the event loop run: what has been found so far is printed then. */
const BREATH_MS = 1000;

/** @param runs After so many no more are made of those that have as many switches as they may. */
export async function bounded(
  exploration: Exploration,
  switches: number,
  verdict: Verdict,
  runs: number = Number.POSITIVE_INFINITY,
): Promise<Findings> {
  const found = findings();
  const todo = new Todo(runs < Number.POSITIVE_INFINITY ? switches : 0);
  let breathed = performance.now();
  for (let next: Start | undefined = FIRST; next !== undefined; next = todo.next()) {
    const from: Decision | undefined = next.from;
    const prefix: number[] =
      from === undefined ? [] : [...next.made.slice(0, next.step), next.choice];
    if (performance.now() > breathed + BREATH_MS) {
      participant.dead = true; // What past runs have left to the event loop touches nothing.
      await immediate();
      breathed = performance.now();
    }
    const running = exploration.run(prefix, 0, false);
    const run = running instanceof Promise ? await running : running;
    if (!note(found, run, verdict)) break;
    const pending = run.decisions[prefix.length - 1]?.pending;
    assert.deepEqual(pending, from?.pending, "the same schedule leads to the same place");
    const made = choices(run);
    // After the prefix nobody is switched from who could go on: `used` does not grow.
    for (let step = prefix.length; step < made.length; step++) {
      const decision = run.decisions[step] as Decision;
      const previous = made[step - 1];
      for (const choice of bits(decision.enabled)) {
        if (choice === made[step]) continue;
        const used = next.used + (unforced(decision, previous, choice) ? 1 : 0);
        if (used <= switches) todo.add({ made, step, choice, used, from: decision });
      }
    }
    found.unfinished = found.runs >= runs && todo.isDownToTheLast;
    if (found.unfinished) break;
  }
  return found;
}

const FIRST: Start = { made: [], step: 0, choice: 0, used: 0, from: undefined };

/** Runs to be made. */
class Todo {
  readonly #levels: Start[][];
  readonly #random = new Random();

  /** @param last Those with fewer switches than that come first. */
  constructor(last: number) {
    this.#levels = Array.from({ length: last + 1 }, () => []);
  }

  get isDownToTheLast(): boolean {
    return this.#levels.findIndex((level) => level.length > 0) === this.#levels.length - 1;
  }

  add(start: Start): void {
    this.#levels[Math.min(start.used, this.#levels.length - 1)]?.push(start);
  }

  next(): Start | undefined {
    const level = this.#levels.find(({ length }) => length > 0);
    if (level === undefined || this.#levels.length === 1) return level?.pop();
    // Which of them is of no matter, unless it comes to an end before all had their turn.
    const at = this.#random.next(level.length);
    const start = level[at] as Start;
    level[at] = level.at(-1) as Start;
    level.pop();
    return start;
  }
}

/** A decision on the path that is being explored. */
interface Node {
  readonly decision: Decision;
  choice: number;
  /** Choices that shall be tried here, and those that were. */
  backtrack: number;
  done: number;
  /** Choices that need not be tried here. */
  sleep: number;
}

export async function all(
  exploration: Exploration,
  seconds: number,
  verdict: Verdict,
): Promise<Findings> {
  const found = findings();
  const end = performance.now() + 1000 * seconds;
  const path: Node[] = [];
  let sleep = 0;
  for (;;) {
    const prefix = path.map(({ choice }) => choice);
    const running = exploration.run(prefix, sleep, false);
    const run = running instanceof Promise ? await running : running;
    if (!note(found, run, verdict)) return found;
    found.unfinished = performance.now() > end;
    if (found.unfinished) return found;
    for (const decision of run.decisions.slice(path.length)) {
      const { choice } = decision;
      const backtrack = decision.enabled & ((EITHER << (choice % OLD)) | DEATHS);
      path.push({ decision, choice, backtrack, done: 1 << choice, sleep });
      sleep = after(sleep, decision, choice);
    }
    addBacktracks(path, run.last, exploration.mortal);
    let node = path.at(-1);
    while (node !== undefined && (node.backtrack & ~node.done & ~node.sleep) === 0) {
      path.pop();
      node = path.at(-1);
    }
    if (node === undefined) return found;
    const next = bits(node.backtrack & ~node.done & ~node.sleep)[0];
    // Whoever was tried here need not be tried below, until something touches what it does. But
    // whoever goes on goes past a death: nothing that was tried here stands for what follows one.
    sleep = after(next >= DIES ? node.sleep : node.sleep | node.done, node.decision, next);
    node.choice = next;
    node.done |= 1 << next;
  }
}

/** Which of the sleeping threads sleep on when one of the others has made its step. */
function after(sleep: number, decision: Decision, choice: number): number {
  const made = madeBy(decision, choice);
  let left = sleep & ~((EITHER << (choice % OLD)) | DEATHS);
  for (const other of bits(left)) {
    const { kind, at } = madeBy(decision, other);
    if (!independent(kind, at, made.kind, made.at)) left &= ~(1 << other);
  }
  return left;
}

/** What a choice does. */
function madeBy({ pending }: Decision, choice: number): Pending {
  return choice >= DIES ? { kind: DEATH, at: 0 } : (pending[choice % OLD] as Pending);
}

/** One step of a run, and for each thread the last of its steps that comes before it: an index. */
interface Made extends Pending {
  readonly thread: number;
  readonly before: readonly number[];
}

/**
 * Looks for races: pairs of dependent steps with nothing between that orders them. They could have
 * come the other way round; so there must be a way, from where the first was made, to what was made
 * without it.
 */
function addBacktracks(path: readonly Node[], last: readonly Pending[], mortal: number): void {
  const steps: Made[] = [];
  /** For each thread, what comes before its next step since it comes before its last one. */
  const known: readonly number[][] = last.map(() => last.map(() => -1));

  const look = (thread: number, { kind, at }: Pending): Made => {
    const own = known[thread] as number[];
    const before = [...own];
    const races: number[] = [];
    for (let index = steps.length - 1; index >= 0; index--) {
      const other = steps[index] as Made;
      if (index <= (before[other.thread] as number)) continue;
      const mourned = kind === MOURN && other.thread === mortal;
      if (!mourned && independent(kind, at, other.kind, other.at)) continue;
      if (!mourned) races.push(index);
      for (const t of before.keys()) before[t] = Math.max(before[t], other.before[t]);
      before[other.thread] = index;
    }
    const next = { kind, at, thread, before };
    for (const index of races) reverse(path[index] as Node, steps, index, next);
    return next;
  };

  for (const { choice, decision } of path) {
    const thread = choice % OLD;
    const made = look(thread, madeBy(decision, choice));
    const own = known[thread] as number[];
    for (const t of own.keys()) own[t] = made.before[t] as number;
    own[thread] = steps.length;
    steps.push(made);
  }
  for (const [thread, next] of last.entries()) if (next.at !== 0) look(thread, next);
}

/**
 * Lets `next` be made without the step of that index, with which it races.
 *
 * What was made since without need of that step, and then `next`, must begin with the step of some
 * thread that needs nothing else of it. One such thread is enough, and any: if it sleeps, what
 * begins with it has been run. The thread of `next` is not always one: it may need others first,
 * and to go back to it nevertheless, perhaps asleep, would be to miss interleavings.
 */
function reverse(node: Node, steps: readonly Made[], index: number, next: Made): void {
  const { enabled } = node.decision;
  const first = (steps[index] as Made).thread;
  const begun: number[] = [];
  let initials = 0;
  for (let i = index + 1; i <= steps.length; i++) {
    const step = steps[i] ?? next;
    const { thread, before } = step;
    if (begun[thread] !== undefined) continue;
    if (step !== next && (before[first] as number) >= index) continue;
    begun[thread] = i;
    if (begun.every((from, t) => t === thread || (before[t] as number) < from)) {
      initials |= enabled & (EITHER << thread);
    }
  }
  if ((initials & node.backtrack) !== 0) return;
  const one = bits(initials & node.sleep)[0] ?? bits(initials)[0];
  node.backtrack |= one === undefined ? enabled : enabled & (EITHER << (one % OLD));
}
