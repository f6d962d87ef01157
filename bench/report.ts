// SPDX-License-Identifier: MIT

/**
 * report — from the outcomes of all rounds to the tables.
 *
 * # What is quoted
 *
 * A figure is the median over the rounds, with the least and the greatest. A comparison is the
 * median of the *ratios within each round*, never the ratio of two medians: the machine's speed
 * changes from minute to minute, and rivals of one round met the same machine.
 *
 * # Moods
 *
 * A virtual machine's cores may share a cache or be far apart, and its host may change that at any
 * time. It shows in libzmq's own rate: each message it sends makes a cache line travel. Below
 * {@link APART_BELOW} the cores are taken to be apart, and more is asked of ThreadMQ, which moves
 * fewer lines. Each round has a mood of its own, and is judged with others of that mood only.
 */

import type { Bench, Plan, Row, Target, Unit } from "./plan.ts";
import { LIBZMQ, SIZES, shortName, sizeProgram } from "./plan.ts";
import type { Outcome } from "./run.ts";

const APART_BELOW = 4.5e6;

/** The outcomes of one round, by the programs' ids. */
export type Round = Record<string, Outcome>;
export type Mood = "apart" | "shared" | "unknown";

export interface Spread {
  median: number;
  min: number;
  max: number;
}

export interface Judgement {
  text: string;
  value: number;
  met: boolean;
}

/** What a row says: in the JSON file as it is, in the table as text. */
export interface RowResult {
  bench: Bench;
  id: string;
  figure: string;
  unit: Unit;
  title: string;
  /** Absent if the program was skipped, failed, or not asked for. */
  value?: Spread;
  also?: Spread;
  /** Ratios to rivals, by their ids. */
  beside: Record<string, Spread>;
  targets: Judgement[];
  /** Why there is no value. */
  missing?: string;
}

function spreadOf(values: number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = (sorted[Math.floor(middle)] + sorted[Math.ceil(middle - 1)]) / 2;
  return { median, min: sorted[0], max: sorted[sorted.length - 1] };
}

function figureOf(round: Round, id: string, figure: string): number | undefined {
  const value = round[id]?.figures?.[figure];
  return typeof value === "number" ? value : undefined;
}

function figures(rounds: Round[], id: string, figure: string): Spread | undefined {
  return spreadOf(rounds.flatMap((round) => figureOf(round, id, figure) ?? []));
}

/** The ratio of two programs in each round. */
function ratios(rounds: Round[], id: string, rival: string, figure: string): Spread | undefined {
  return spreadOf(
    rounds.flatMap((round) => {
      const ours = figureOf(round, id, figure);
      const theirs = figureOf(round, rival, figure);
      return ours === undefined || theirs === undefined ? [] : ours / theirs;
    }),
  );
}

export function medianOf(rounds: Round[], id: string, figure: string): number | undefined {
  return figures(rounds, id, figure)?.median;
}

export function ratioOf(
  rounds: Round[],
  id: string,
  rival: string,
  figure: string,
): number | undefined {
  return ratios(rounds, id, rival, figure)?.median;
}

/** The mood of each round. */
export function moodsOf(rounds: Round[]): Mood[] {
  return rounds.map((round) => {
    const rate = figureOf(round, LIBZMQ, "rate");
    if (rate === undefined) return "unknown";
    return rate < APART_BELOW ? "apart" : "shared";
  });
}

export function resultsOf(plan: Plan, rounds: Round[]): RowResult[] {
  const ran = new Set(rounds.flatMap((round) => Object.keys(round)));
  return plan.rows.filter((row) => ran.has(row.id)).map((row) => resultOf(row, rounds));
}

function resultOf(row: Row, rounds: Round[]): RowResult {
  const { bench, id, figure, unit, title } = row;
  const result: RowResult = { bench, id, figure, unit, title, beside: {}, targets: [] };
  const value = figures(rounds, id, figure);
  if (value === undefined) {
    const outcome = rounds.map((round) => round[id]).find((each) => each !== undefined);
    result.missing = outcome?.skip ?? outcome?.failed ?? "printed no such figure";
    return result;
  }
  result.value = value;
  const also = row.also === undefined ? undefined : figures(rounds, id, row.also);
  if (also !== undefined) result.also = also;
  for (const rival of row.beside) {
    const ratio = ratios(rounds, id, rival, figure);
    if (ratio !== undefined) result.beside[rival] = ratio;
  }
  const moods = moodsOf(rounds);
  for (const target of row.targets) {
    const { rival, atLeastApart } = target;
    const measure = (some: Round[]) =>
      rival === undefined ? figures(some, id, figure) : ratios(some, id, rival, figure);
    for (const apart of atLeastApart === undefined ? [undefined] : [false, true]) {
      const some = rounds.filter((_, i) => apart === undefined || (moods[i] === "apart") === apart);
      const measured = measure(some);
      if (measured !== undefined) {
        result.targets.push(judge(target, measured.median, unit, apart === true));
      }
    }
  }
  return result;
}

function judge(target: Target, value: number, unit: Unit, apart: boolean): Judgement {
  const least = apart ? target.atLeastApart : target.atLeast;
  const sign = least === undefined ? "≤" : "≥";
  const bound = least ?? target.atMost ?? 0;
  const met = least === undefined ? value <= bound : value >= bound;
  const text =
    target.rival === undefined
      ? `${sign} ${write(bound, unit)}`
      : `${sign} ${bound} × ${shortName(target.rival)}${apart ? ", apart" : ""}`;
  return { text, value, met };
}

// Text.

export function write(value: number, unit: Unit): string {
  if (unit === "rate" && value < 1e6) return `${significant(value / 1e3)} k/s`;
  if (unit === "rate") return `${significant(value / 1e6)} M/s`;
  if (unit === "us") return `${significant(value)} µs`;
  if (unit === "bytes") return `${Math.round(value)} B`;
  if (unit === "MiB") return `${(value / 2 ** 20).toFixed(1)} MiB`;
  return String(value);
}

/** Three digits that count, or whole numbers. */
export function significant(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value.toPrecision(value < 0.1 ? 2 : 3);
}

export function table(heads: string[], lines: string[][]): string {
  const ruler = heads.map((_, i) => (i === 0 ? "---" : "---:"));
  return [heads, ruler, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

const HEADINGS: Record<Exclude<Bench, "size">, string> = {
  thr: "inproc_thr: messages a second, a worker's PUSH to the main thread's PULL",
  lat: "inproc_lat: one round trip over two pipelines (less is better)",
  fan: "fan_in: many PUSH sockets of one worker, one PULL",
  memory: "memory",
  swap: "swap: 1 GiB of messages of 1 KiB through the disk, a second",
  reqrep: "reqrep: one request and its reply between two threads (less is better)",
  broker:
    "broker: requests a second from 4 DEALER by a ROUTER-DEALER proxy to 4 REP, three threads",
  pub: "pub: deliveries a second from a worker's PUB to all SUB sockets of the main thread",
  subs: "subs: a second, to one SUB with 100,000 subscriptions; every second publication matches",
  proxy: "proxy: messages a second, PUSH to PULL by a proxy, three threads",
};

/** The table of one benchmark, with its heading; nothing if none of its programs ran. */
export function benchTable(bench: Exclude<Bench, "size">, all: RowResult[]): string {
  const rows = all.filter((row) => row.bench === bench);
  if (rows.length === 0) return "";
  const isLat = bench === "lat" || bench === "reqrep";
  const heads = [
    "",
    isLat ? "p50" : "median",
    "min – max",
    ...(isLat ? ["p99"] : []),
    "beside, in the same round",
    "target",
  ];
  const lines = rows.map((row) => lineOf(row, isLat));
  return `### ${HEADINGS[bench]}\n\n${table(heads, lines)}`;
}

function lineOf(row: RowResult, isLat: boolean): string[] {
  const { title, value, unit } = row;
  if (value === undefined) {
    const why = (row.missing ?? "").split("\n")[0];
    return [title, "–", "–", ...(isLat ? ["–"] : []), why, ""];
  }
  const isOne = value.min === value.max;
  const range = isOne ? "" : `${write(value.min, unit)} – ${write(value.max, unit)}`;
  const beside = Object.entries(row.beside).map(
    ([rival, ratio]) => `${significant(ratio.median)} × ${shortName(rival)}`,
  );
  const targets = row.targets.map(({ text, met }) => `${text}: ${met ? "met" : "**missed**"}`);
  return [
    title,
    write(value.median, unit),
    range,
    ...(isLat ? [row.also === undefined ? "" : write(row.also.median, unit)] : []),
    beside.join("<br>"),
    targets.join("<br>"),
  ];
}

/** Throughput by the size of the message. */
export function sizeTable(plan: Plan, rounds: Round[]): string {
  if (!rounds.some((round) => Object.keys(round).some((id) => id.startsWith("size/")))) return "";
  const rate = (id: string): string => {
    const value = figures(rounds, id, "rate");
    return value === undefined ? "–" : write(value.median, "rate");
  };
  const lines = SIZES.map((size) => {
    const id = (name: string): string => sizeProgram(plan, size, name);
    const ratio = (name: string): string => {
      const value = ratios(rounds, id(name), id("libzmq-copy"), "rate");
      return value === undefined ? "" : ` (${significant(value.median)} ×)`;
    };
    return [
      `${size} B`,
      rate(id("many")) + ratio("many"),
      rate(id("one")) + ratio("one"),
      rate(id("lease")) + ratio("lease"),
      rate(id("libzmq-copy")),
      rate(id("ring-copied")),
    ];
  });
  const heads = [
    "message",
    "ThreadMQ, batches (× libzmq)",
    "ThreadMQ, one by one (× libzmq)",
    "ThreadMQ, leases (× libzmq)",
    "libzmq in C",
    "bare ring, copied out",
  ];
  return `### inproc_thr by size: messages a second\n\n${table(heads, lines)}`;
}

/** Resident memory at each tenth of the long run. */
export function rssLine(rounds: Round[]): string {
  const rss = rounds[0]?.["memory/flat"]?.figures?.rss;
  if (!Array.isArray(rss)) return "";
  const tenths = rss.map((bytes) => Math.round(bytes / 2 ** 20)).join(", ");
  return `Resident memory at each tenth of the messages, in MiB: ${tenths}.`;
}

export function moodLine(rounds: Round[]): string {
  const moods = moodsOf(rounds);
  const count = (mood: Mood) => moods.filter((each) => each === mood).length;
  if (count("unknown") > 0) return "libzmq was not measured, so the machine's mood is not known.";
  return (
    `In ${count("apart")} of ${moods.length} rounds the cores were far apart ` +
    `(libzmq below ${APART_BELOW / 1e6} M/s), and more was asked.`
  );
}
