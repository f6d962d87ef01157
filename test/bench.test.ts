// SPDX-License-Identifier: MIT

/**
 * Test of bench: every program of it runs to its end, and its figures arrive in the table and in
 * the JSON file. What the figures are is not looked at: a quick run says nothing about speed.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { BENCHES, makePlan, type Plan } from "../bench/plan.ts";
import { moodsOf, type Round, type RowResult, resultsOf } from "../bench/report.ts";

const PROGRAM = fileURLToPath(new URL("../bench/main.js", import.meta.url));
const run = promisify(execFile);

const planOf = (only: readonly string[]): Plan =>
  makePlan({ size: 64, full: false, sockets: 50, subscriptions: 5000, only });

let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "threadmq-bench-"));
});

after(() => rmSync(folder, { recursive: true, force: true }));

test("a quick run of everything ends well, with a row for each figure", async () => {
  const file = join(folder, "quick.json");
  const { stdout } = await run(process.execPath, [PROGRAM, "--quick", "--json", file]);
  const { machine, rounds, rows } = JSON.parse(readFileSync(file, "utf8")) as {
    machine: Record<string, unknown>;
    rounds: Round[];
    rows: RowResult[];
  };

  const plan = planOf(BENCHES);
  assert.equal(rounds.length, 1);
  assert.deepEqual(
    Object.keys(rounds[0] ?? {}).sort(),
    plan.programs.map((program) => program.id).sort(),
  );
  for (const [id, { figures, skip }] of Object.entries(rounds[0] ?? {})) {
    // Rivals may be absent from a machine; we may not.
    if (/libzmq|zeromqjs/.test(id)) assert.ok(figures !== undefined || skip !== undefined, id);
    else assert.ok(figures !== undefined, id);
  }

  assert.equal(rows.length, plan.rows.length);
  for (const row of rows) {
    assert.ok(stdout.includes(`| ${row.title} |`), row.title);
    if (row.missing === undefined) assert.ok(Number.isFinite(row.value?.median), row.title);
  }
  for (const name of ["cpu", "cores", "memory", "node", "date", "commit"]) {
    assert.ok(machine[name], name);
    assert.ok(stdout.includes(String(machine[name])), name);
  }
});

test("an unknown benchmark is refused by name", async () => {
  const refused = run(process.execPath, [PROGRAM, "--only", "thr,thru"]);
  await assert.rejects(refused, { code: 2, stderr: /no such benchmark: thru/ });
});

const ROUNDS: Round[] = [
  { "thr/many": { figures: { rate: 8e6 } }, "thr/libzmq-copy": { figures: { rate: 8e6 } } },
  { "thr/many": { figures: { rate: 9e6 } }, "thr/libzmq-copy": { figures: { rate: 3e6 } } },
  { "thr/many": { figures: { rate: 20e6 } }, "thr/libzmq-copy": { figures: { rate: 8e6 } } },
];
const PLAN = planOf(["thr"]);

test("a comparison is the median of the ratios within each round", () => {
  const [many] = resultsOf(PLAN, ROUNDS);
  assert.deepEqual(many?.value, { median: 9e6, min: 8e6, max: 20e6 });
  assert.deepEqual(many?.beside, { "thr/libzmq-copy": { median: 2.5, min: 1, max: 3 } });
});

test("more is asked where libzmq shows the cores to be far apart", () => {
  assert.deepEqual(moodsOf(ROUNDS), ["shared", "apart", "shared"]);
  assert.deepEqual(resultsOf(PLAN, ROUNDS)[0]?.targets, [
    { text: "≥ 2 × libzmq", value: 1.75, met: false },
    { text: "≥ 4 × libzmq, apart", value: 3, met: false },
  ]);
  const apart = ROUNDS.slice(1, 2);
  assert.deepEqual(resultsOf(PLAN, apart)[0]?.targets, [
    { text: "≥ 4 × libzmq, apart", value: 3, met: false },
  ]);
  assert.deepEqual(moodsOf([{}]), ["unknown"]);
});

test("what was skipped or failed has a row that says why", () => {
  const [many, libzmq] = resultsOf(PLAN, [
    { "thr/many": { failed: "ended with 1" }, "thr/libzmq-copy": { skip: "needs gcc" } },
  ]);
  assert.equal(many?.missing, "ended with 1");
  assert.equal(libzmq?.missing, "needs gcc");
});
