// SPDX-License-Identifier: MIT

/**
 * report — what the program prints at its end.
 */

import Table from "cli-table3";

import type { Totals } from "./count.ts";
import type { Report } from "./protocol.ts";

export function printReport(report: Report, elapsedMs: number): void {
  const { totals, workers, mostWaiting } = report;
  const table = new Table({
    head: ["worker", "chunks", "MiB", "share", "busy"],
    colAligns: ["right", "right", "right", "right", "right"],
    style: { head: [], border: [] },
    chars: { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" },
  });
  workers.forEach(({ chunks, bytes, busyMs }, worker) => {
    const share = totals.bytes === 0 ? "-" : percent(bytes / totals.bytes);
    table.push([worker + 1, whole(chunks), mebibytes(bytes), share, percent(busyMs / elapsedMs)]);
  });
  print(`${table}\n`);
  print(`files   ${whole(totals.files)}`);
  print(`bytes   ${whole(totals.bytes)}`);
  print(`lines   ${whole(totals.lines)}`);
  print(`words   ${whole(totals.words)}`);
  print(`digest  ${totals.digest}\n`);
  print(`pipeline       ${speed(totals.bytes, elapsedMs)}`);
  print(`waiting        at most ${mostWaiting} results for an earlier one`);
  print(`memory         at most ${mebibytes(process.resourceUsage().maxRSS * 1024)} MiB`);
}

/** Prints and returns whether the totals are equal. */
export function printVerdict(totals: Totals, alone: Totals, aloneMs: number): boolean {
  const differing = (Object.keys(totals) as (keyof Totals)[]).filter(
    (name) => totals[name] !== alone[name],
  );
  print(`single thread  ${speed(alone.bytes, aloneMs)}`);
  print(
    differing.length === 0
      ? "totals equal to a single-threaded run: yes"
      : `totals equal to a single-threaded run: NO, ${differing.join(", ")} differ (if no file ` +
          "has changed between the runs, this is a fault)",
  );
  return differing.length === 0;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function whole(number: number): string {
  return number.toLocaleString("en-US");
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}

function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(0)} %`;
}

function speed(bytes: number, ms: number): string {
  return `${(ms / 1000).toFixed(2)} s, ${(bytes / 1e6 / (ms / 1000)).toFixed(0)} MB/s`;
}
