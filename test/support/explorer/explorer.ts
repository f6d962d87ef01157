// SPDX-License-Identifier: MIT

/**
 * explorer — runs small programs of a few threads in every interleaving.
 *
 * # Method
 *
 * The threads are real: the first is this one, the others are workers, and what they run is the
 * compiled library (code.ts). Only memory/atomics.js is another: before each operation a thread
 * says what it is about to do and waits for its turn (participant.ts). One thread runs at a time,
 * from one operation to the next; so a run is decided by who goes on at each operation, and can be
 * repeated.
 * The search goes through these decisions (search.ts): in the ordinary run with at most two
 * unforced switches, of which it makes a part if there are thousands; all of those with
 * `npm run model`, and all there are with `--all`.
 *
 * Plain accesses are watched for data races by vector clocks (races.ts). That is what makes the
 * rest sound: where there is no race, ECMA-262 promises that nothing can happen but interleavings
 * of atomic operations, with the plain accesses of each thread in one piece between two of its own.
 *
 * A `peek` is meant to race. It may see the word as it is, or as it was when the thread last knew
 * of it; the search tries both, but lets no thread see the same old value twice in a row.
 *
 * Time does not pass. A thread that waits is woken or sleeps for ever, whatever its timeout, so a
 * lost wake-up is a run that cannot go on. (A program may let short waits end then, where those who
 * wait look again now and then, as for the dead: `patience`.) A thread that reads the same value
 * again and again is held up until it has changed; so a loop of busy waiting comes to an end.
 *
 * # Death
 *
 * A program may name one of its threads as mortal. Then it is also run with that thread killed:
 * before it begins, after each of its atomic or plain writes, and at its end. Where it only reads
 * there is nothing to tell one place from the next, and to die later, while others go on, leaves
 * nothing else behind. A death is a choice like any other, and costs no switch. Two words that are
 * set with nothing called between are one write: there an engine stops no thread (memory/arena.ts).
 *
 * Who dies is unwound by an exception, and until the end of the run nothing that is done in its
 * name has an effect: neither `finally` nor a plain write. Its last plain writes are known to who
 * has waited for its end (`Env.untilDead`, as a parent hears of the exit of a worker), and to whom
 * that one tells; for others to read them is a race. That it may die saves nobody who waits: some
 * other thread must be able to go on.
 *
 * # What it cannot show
 *
 *   - More than two or three threads and a dozen operations, or more than the programs do.
 *   - Liveness on a real scheduler: fairness, timeouts, deadlines, how long anything takes.
 *   - Growth of the arena during a run. (A thread can be given views that are too short.)
 *   - What breaks only when plain code is cut in pieces that no atomic operation separates: that
 *     there is no such thing is a promise of the language, for programs without races.
 *   - All that a peek might see: the newest value and the oldest are tried, none between.
 *   - A race in an interleaving that was not run. Clocks see races that did not hit, but only
 *     between accesses that the run at hand made.
 *   - Deaths of more than one thread, or in the middle of one call that writes many words (`fill`,
 *     `set`), which an engine does not stop.
 *   - What a killed thread has left to its event loop, if it was killed in an asynchronous part.
 */
import assert from "node:assert/strict";
import { relative } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { isMainThread } from "node:worker_threads";
import { type Change, removeCopies } from "./code.ts";
import { DIES, OLD } from "./control.ts";
import { Crew, Exploration, letter, type Run } from "./exploration.ts";
import { forbidden, type NamedProgram, ok, type Program, programs } from "./program.ts";
import { all, bounded, type Findings, type Verdict } from "./search.ts";

export type { Change } from "./code.ts";
export { Env, forbidden, ok, type Program, type Row, rare } from "./program.ts";

/** The ordinary run's bound, which is loom's and crossbeam's too. */
const SWITCHES = 2;
/** Of a program that has more, the ordinary run makes so many, unless there is a fault in it. */
const RUNS = 2500;
/** How long `--all` stays with one program. It says so if that was not enough. */
const SECONDS = 60;

const { values: options } = parseArgs({
  options: {
    all: { type: "boolean", default: false },
    seconds: { type: "string", default: String(SECONDS) },
    switches: { type: "string", default: String(SWITCHES) },
    runs: { type: "string", default: String(RUNS) },
    program: { type: "string" },
    planted: { type: "string" },
    schedule: { type: "string" },
  },
  strict: false,
}) as { values: Options };

interface Options {
  all: boolean;
  seconds: string;
  switches: string;
  runs: string;
  program?: string;
  planted?: string;
  schedule?: string;
}

let crew: Crew | undefined;

/** Declares a program, and in the controller a test for it and one for each of its faults. */
export function model<Shared>(title: string, program: Program<Shared>): void {
  const named = { ...program, title } as unknown as NamedProgram;
  programs.set(title, named);
  if (!isMainThread) return;
  if (options.program !== undefined && !title.includes(options.program)) return;
  if (options.schedule !== undefined) {
    test(title, async () => {
      const { shown, what } = await repeat(named, options.schedule as string, options.planted);
      console.log(shown);
      if (what !== undefined) assert.fail(what);
    });
    return;
  }
  if (options.planted === undefined) {
    test(title, async (t) => {
      const { found, seconds, report } = await explore(named);
      const end = found.unfinished ? " and there are more" : "";
      t.diagnostic(`${found.runs} interleavings, ${seconds.toFixed(2)} s${end}`);
      if (program.complaint !== undefined) {
        assert.match(String(report), program.complaint);
        const printed = /--schedule=(\w*)/.exec(report as string)?.[1] as string;
        return assert.match(String((await repeat(named, printed)).what), program.complaint);
      }
      if (report !== undefined) assert.fail(report);
    });
  }
  for (const [fault, changes] of Object.entries(program.planted ?? {})) {
    if (options.planted !== undefined && options.planted !== fault) continue;
    test(`${title} — catches: ${fault}`, async (t) => {
      const { found, report } = await explore(named, fault, [changes].flat() as Change[]);
      t.diagnostic(`after ${found.runs} interleavings: ${found.failure?.what}`);
      assert.notEqual(report, undefined, "the planted fault was not found");
    });
  }
}

/**
 * Declares a program of which the number of interleavings is known, and holds the two searches
 * against each other: what can come out is the same.
 */
export function agree<Shared>(
  title: string,
  count: number | undefined,
  program: Program<Shared>,
): void {
  model(title, program);
  if (!isMainThread || options.schedule !== undefined || options.planted !== undefined) return;
  if (options.program !== undefined && !title.includes(options.program)) return;
  test(`${title} — both searches agree`, async (t) => {
    const exploration = await Exploration.create(theCrew(), programs.get(title) as NamedProgram);
    const plain = await bounded(exploration, Number.POSITIVE_INFINITY, () => undefined);
    const reduced = await all(exploration, Number.POSITIVE_INFINITY, () => undefined);
    await exploration.end();
    t.diagnostic(`${plain.runs} interleavings, or ${reduced.runs}`);
    assert.equal(plain.failure ?? reduced.failure, undefined);
    assert.deepEqual([...reduced.outcomes.keys()].sort(), [...plain.outcomes.keys()].sort());
    if (count !== undefined) assert.equal(plain.runs, count);
  });
}

function theCrew(): Crew {
  crew ??= new Crew(pathToFileURL(process.argv[1] as string).href);
  return crew;
}

if (isMainThread) {
  after(async () => {
    await crew?.end();
    removeCopies();
  });
}

/** Explores a program; the report is of what went wrong, with the run that shows it. */
async function explore(
  program: NamedProgram,
  fault?: string,
  changes: readonly Change[] = [],
): Promise<{ found: Findings; seconds: number; report: string | undefined }> {
  const exploration = await Exploration.create(theCrew(), program, changes);
  try {
    const began = performance.now();
    const verdict = verdictOf(program);
    const isKnown = fault !== undefined || program.complaint !== undefined;
    const runs = isKnown ? undefined : Number(options.runs);
    const found =
      options.all && fault === undefined
        ? await all(exploration, Number(options.seconds), verdict)
        : await bounded(exploration, Number(options.switches), verdict, runs);
    const seconds = (performance.now() - began) / 1000;
    let report: string | undefined;
    if (found.failure !== undefined) {
      const { what, schedule } = found.failure;
      const run = await exploration.run(schedule, 0, true);
      report = `${what}\n\n${describe(exploration, run)}\n\n${command(program, schedule, fault)}\n`;
    } else if (fault === undefined && !found.unfinished) report = missing(program, found);
    return { found, seconds, report };
  } finally {
    await exploration.end();
  }
}

/** Does one run again: what it looks like, and what is wrong with it. */
async function repeat(
  program: NamedProgram,
  printed: string,
  fault?: string,
): Promise<{ shown: string; what: string | undefined }> {
  const changes = fault === undefined ? [] : [program.planted?.[fault] ?? []].flat();
  const exploration = await Exploration.create(theCrew(), program, changes as Change[]);
  try {
    const run = await exploration.run(parseSchedule(printed, exploration.mortal), 0, true);
    const what = run.failure ?? verdictOf(program)(run.outcome as string);
    return { shown: describe(exploration, run), what };
  } finally {
    await exploration.end();
  }
}

function verdictOf(program: NamedProgram): Verdict {
  const rows = new Map(program.outcomes?.map((row) => [JSON.stringify(row[0]), row]));
  return (outcome) => {
    const results = JSON.parse(outcome) as never[];
    const thrown = results.find((result) => String(result).startsWith("throws "));
    if (thrown !== undefined) return `${outcome} ${thrown}`;
    const complaint = program.judge?.(...results);
    if (complaint !== undefined) return `${outcome}: ${complaint}`;
    if (program.outcomes === undefined) return undefined;
    const row = rows.get(outcome);
    if (row === undefined) return `${outcome} is not in the table`;
    return row[1] === forbidden ? `${outcome} is forbidden: ${row[2]}` : undefined;
  };
}

/** What the table says would be, and was not. */
function missing(program: NamedProgram, found: Findings): string | undefined {
  for (const [outcome, verdict, why] of program.outcomes ?? []) {
    if (verdict !== ok || found.outcomes.has(JSON.stringify(outcome))) continue;
    const seen = [...found.outcomes.keys()].join("\n");
    return `no interleaving leads to ${JSON.stringify(outcome)}: ${why}\nSeen:\n${seen}`;
  }
  return undefined;
}

function describe(exploration: Exploration, run: Run): string {
  const width = Math.max(...exploration.threads.map((name) => name.length));
  const lines = run.steps.map((step) => {
    const name = `${letter(step.thread)} ${exploration.threads[step.thread]?.padEnd(width)}`;
    const at = step.at === 0 ? [] : [exploration.nameOf(step.at)];
    const values = [...at, ...step.values].join(", ");
    const result = step.result === "" ? "" : ` → ${step.result}`;
    const number = String(step.step).padStart(4);
    const operation = `${step.operation}(${values})${result}`;
    return `${number}  ${name}  ${operation.padEnd(44)} ${step.place}`;
  });
  return [...lines, `      outcome: ${run.outcome ?? "none"}`].join("\n");
}

function command(program: NamedProgram, schedule: readonly number[], fault?: string): string {
  const file = relative(process.cwd(), process.argv[1] as string);
  const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  const planted = fault === undefined ? "" : ` --planted=${quoted(fault)}`;
  return (
    `Repeat it:\n  node --enable-source-maps ${file} --program=${quoted(program.title)}` +
    `${planted} --schedule=${formatSchedule(schedule)}`
  );
}

/**
 * As `a3b2A1x1`: the first thread three times, the second twice, the first seeing what is old; then
 * the mortal thread dies.
 */
function formatSchedule(schedule: readonly number[]): string {
  let text = "";
  for (let from = 0; from < schedule.length; ) {
    let to = from;
    while (schedule[to] === schedule[from]) to++;
    const choice = schedule[from] as number;
    const name = letter(choice % OLD);
    text += `${choice >= DIES ? "x" : choice < OLD ? name : name.toUpperCase()}${to - from}`;
    from = to;
  }
  return text;
}

function parseSchedule(text: string, mortal: number): number[] {
  return [...text.matchAll(/([a-z])(\d+)/gi)].flatMap(([, who = "", times]) => {
    if (who === "x") return [mortal + DIES];
    const thread = who.toLowerCase().charCodeAt(0) - "a".charCodeAt(0);
    return new Array(Number(times)).fill(who === who.toLowerCase() ? thread : thread + OLD);
  });
}
