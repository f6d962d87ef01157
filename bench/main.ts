// SPDX-License-Identifier: MIT

/**
 * main — the benchmarks, in rounds, and their tables.
 *
 *      npm run bench -- [--quick] [--rounds 5] [--only thr,lat,...] [--size 64] [--full]
 *                       [--json file]
 *
 * In each round all rivals run in turn, each in a process of its own; the turn begins with another
 * one in each round, so that none always follows the same. What is quoted is said in report.ts.
 *
 *      plan.ts       what is measured, by which program, with which targets
 *      run.ts        runs one program
 *      report.ts     the tables
 *      brief.ts      the table of the README
 *      child.ts      what the programs share, and why every message is looked at
 *      requests.ts   what those of `broker` share
 *      topics.ts     what those of `subs` share
 *      threadmq/     ThreadMQ's programs
 *      rivals/       libzmq in C, zeromq.js, postMessage, a bare ring, a bare word
 *
 * Tables go to the standard output as Markdown, progress to the standard error, everything to a
 * JSON file. A missed target is no failure; a program that does not run to its end is.
 *
 * `--quick` is for the tests: a thousandth of the work, so that programs cannot rot. Its figures
 * mean nothing.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { briefTable } from "./brief.ts";
import { type Machine, ROOT, thisMachine, zeromqjsVersion } from "./machine.ts";
import { BENCHES, makePlan, type Plan, type Program } from "./plan.ts";
import {
  benchTable,
  moodLine,
  moodsOf,
  type Round,
  resultsOf,
  rssLine,
  sizeTable,
} from "./report.ts";
import { buildLibzmq, type Libzmq, type Outcome, runProgram } from "./run.ts";

const QUICK_DIVISOR = 1000;
const QUICK_LEAST = 200;
/** Warm-up: the engine compiles for up to a second, in threads of its own, on the same cores. */
const WARMUP_PART = 2;
/** What comes after the tables that need more than a table. */
const PATTERNS = ["swap", "reqrep", "broker", "pub", "subs", "proxy"] as const;

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    only: { type: "string", default: BENCHES.join(",") },
    size: { type: "string", default: "64" },
    full: { type: "boolean", default: false },
    json: { type: "string", default: join(ROOT, "bench/results/latest.json") },
  },
});

function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Messages of one program, and of its warm-up. Those that go round sockets do whole rounds. */
function countsOf(program: Program): [count: number, warmup: number] {
  if (program.variant === "garbage" || program.variant === "idle") return [program.count, 0];
  if (program.variant.startsWith("served")) return [program.count, 0];
  const count = options.quick
    ? Math.max(QUICK_LEAST, Math.round(program.count / QUICK_DIVISOR))
    : program.count;
  return [count, Math.ceil(count / WARMUP_PART)];
}

async function runRound(programs: Program[], number: number, libzmq: Libzmq): Promise<Round> {
  const round: Round = {};
  const due = programs.filter((program) => number === 0 || !program.once);
  for (const [i] of due.entries()) {
    const program = due[(i + number) % due.length];
    const outcome =
      program.file.endsWith(".c") && libzmq.skip !== undefined
        ? { skip: libzmq.skip }
        : await runProgram(program, ...countsOf(program));
    round[program.id] = outcome;
    tell(`round ${number + 1}  ${program.id.padEnd(24)} ${briefly(outcome)}`);
  }
  return round;
}

function briefly({ figures, skip, failed }: Outcome): string {
  if (figures === undefined) return failed === undefined ? `skipped: ${skip}` : `FAILED: ${failed}`;
  return Object.entries(figures)
    .filter(([, value]) => typeof value === "number")
    .map(([name, value]) => `${name} ${Number(Number(value).toPrecision(4))}`)
    .join("  ");
}

function head(machine: Machine, libzmq: Libzmq, rounds: Round[]): string {
  const { cpu, cores, memory, system, node, date, commit } = machine;
  const rivals = `libzmq ${libzmq.version ?? "not found"}, zeromq.js ${zeromqjsVersion()}`;
  const what = `rounds: ${rounds.length}, ${options.size} B a message`;
  return [
    options.quick ? "A quick run: these figures mean nothing.\n" : "",
    `${cpu}, ${cores} cores, ${memory}, ${system}; Node ${node}; ${rivals}; commit ${commit};`,
    `${date}; ${what}. ${moodLine(rounds)}`,
  ].join("\n");
}

function print(plan: Plan, rounds: Round[], machine: Machine, libzmq: Libzmq): void {
  const rows = resultsOf(plan, rounds);
  const sections = [
    head(machine, libzmq, rounds),
    briefTable(rounds),
    benchTable("thr", rows),
    sizeTable(plan, rounds),
    benchTable("lat", rows),
    benchTable("fan", rows),
    benchTable("memory", rows),
    rssLine(rounds),
    ...PATTERNS.map((bench) => benchTable(bench, rows)),
  ];
  process.stdout.write(`${sections.filter((text) => text !== "").join("\n\n")}\n`);
  const file = resolve(options.json);
  mkdirSync(dirname(file), { recursive: true });
  const all = { machine, libzmq, options, moods: moodsOf(rounds), rows, rounds };
  writeFileSync(file, `${JSON.stringify(all, undefined, 2)}\n`);
}

async function main(): Promise<void> {
  const only = options.only.split(",");
  const unknown = only.filter((name) => !(BENCHES as readonly string[]).includes(name));
  if (unknown.length > 0) {
    tell(`no such benchmark: ${unknown.join(", ")}. There are ${BENCHES.join(", ")}.`);
    process.exitCode = 2;
    return;
  }
  const plan = makePlan({
    size: Number(options.size),
    full: options.full,
    sockets: options.quick ? 50 : 1000,
    subscriptions: options.quick ? 5000 : 100_000,
    only,
  });
  const count = Number(options.rounds ?? (options.quick ? 1 : 5));
  const machine = thisMachine();
  const libzmq = buildLibzmq();
  if (libzmq.skip !== undefined) tell(`libzmq: skipped: ${libzmq.skip}`);
  const rounds: Round[] = [];
  for (let number = 0; number < count; number++) {
    rounds.push(await runRound(plan.programs, number, libzmq));
  }
  print(plan, rounds, machine, libzmq);
  const failed = rounds.some((round) => Object.values(round).some((each) => each.failed));
  if (failed) process.exitCode = 1;
}

await main();
