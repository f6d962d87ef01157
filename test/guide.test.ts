// SPDX-License-Identifier: MIT

/**
 * Tests of the examples after the Guide, of the pool and of the majordomo: each runs to its end as
 * its user runs it, and prints what it should.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const PATIENCE = 60_000;

/** What a program prints, line by line. It must print nothing as an error, and end by itself. */
async function linesOf(program: string): Promise<string[]> {
  const path = fileURLToPath(new URL(`../examples/${program}.js`, import.meta.url));
  const { stdout, stderr } = await run(process.execPath, [path], { timeout: PATIENCE });
  assert.equal(stderr, "");
  return stdout.trimEnd().split("\n");
}

function shows(program: string, check: (lines: string[]) => void): void {
  test(program, { timeout: 2 * PATIENCE }, async () => check(await linesOf(program)));
}

shows("guide/mtserver", (lines) => {
  const expected = [1, 2, 3].flatMap((client) =>
    [1, 2, 3, 4, 5].map((number) => `client ${client}, ${number}: Hello World`),
  );
  assert.deepEqual(lines.sort(), expected);
});

shows("guide/mtrelay", (lines) =>
  assert.deepEqual(lines, ["step 1, step 2, step 3: test successful!"]),
);

shows("guide/syncpub", (lines) => {
  assert.equal(lines[0], "all are there");
  const counts = lines.slice(1).sort();
  assert.deepEqual(
    counts,
    [1, 2, 3, 4, 5].map((thread) => `subscriber ${thread}: 10000 updates`),
  );
});

shows("guide/lbbroker", (lines) => {
  const tasks = lines.map((line) => /^task (\d+\.\d) done by [123]$/.exec(line)?.[1]);
  const expected = [4, 5, 6, 7].flatMap((client) => [1, 2, 3, 4, 5].map((n) => `${client}.${n}`));
  assert.deepEqual(tasks.sort(), expected);
});

shows("guide/lpirate", (lines) => {
  const done = lines.filter((line) => line.endsWith(": done"));
  assert.deepEqual(
    done,
    [1, 2, 3, 4, 5, 6].map((number) => `request ${number}: done`),
  );
  assert.ok(lines.includes("request 2: the server is gone, once more"));
  assert.ok(lines.includes("request 4: there is no reply, once more"));
});

shows("guide/espresso", (lines) => {
  const wanted = [1, 2, 3].flatMap((round) => [`A-${round}`, `B-${round}`]);
  const said = (how: string) =>
    lines.filter((line) => line.startsWith(how)).map((line) => line.slice(how.length));
  assert.deepEqual(said("received: "), wanted);
  assert.deepEqual(
    said("seen: ").filter((what) => !what.startsWith("unsubscribe ")),
    ["subscribe A", "subscribe B", ...wanted],
  );
});

shows("majordomo/main", (lines) =>
  assert.deepEqual(lines, [
    "upper: HELLO",
    "reverse: olleh",
    "sing: there is no such service",
    "crash: no reply",
    "upper: STILL HERE",
  ]),
);

shows("pool/main", (lines) =>
  assert.deepEqual(lines, [
    "6765, 10946, 17711, 28657, 46368, 75025",
    "RangeError: not today",
    "Error: The thread that ran die has died.",
    "and on: 121393",
  ]),
);
