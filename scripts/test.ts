// SPDX-License-Identifier: MIT

/**
 * test — runs the compiled tests with Node's own test runner.
 *
 *     npm test                        all of them
 *     npm test -- ypipe mailbox       those whose path contains one of the words
 *     npm test -- ypipe --test-name-pattern=I3 --expose-gc      options go to node
 *
 * Tests are found by their sources, so that what an old build left behind is not run. One file
 * runs at a time: the tests start threads of their own, and a machine may have two cores.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join, relative, sep } from "node:path";

/**
 * For one file: Node 20 has no other. A file that blocks its thread is ended from outside. The
 * longest, a model, takes half a minute, and beside other work ten times as long.
 */
const FILE_TIMEOUT_MS = 300_000;

const root = join(import.meta.dirname, "../..");

/** Where the compiler puts the sources of each folder that has tests. */
const OUTPUT_OF = { src: "build/src", test: "build/test" } as const;

function findTests(): string[] {
  const outputs: string[] = [];
  for (const [folder, output] of Object.entries(OUTPUT_OF)) {
    if (!existsSync(join(root, folder))) continue;
    const names = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
    for (const name of names.filter((n) => /\.(test|model)\.ts$/.test(n)).sort()) {
      outputs.push(join(root, output, name.replace(/\.ts$/, ".js")));
    }
  }
  return outputs;
}

const args = process.argv.slice(2);
const options = args.filter((arg) => arg.startsWith("-"));
const words = args.filter((arg) => !arg.startsWith("-"));

const all = findTests().map((file) => relative(root, file).split(sep).join("/"));
const chosen = all.filter((file) => words.length === 0 || words.some((w) => file.includes(w)));
if (chosen.length === 0) {
  console.error(`No test matches: ${words.join(" ") || "there is none"}`);
  process.exit(1);
}

const { status } = spawnSync(
  process.execPath,
  [
    "--enable-source-maps",
    "--test",
    "--test-concurrency=1",
    `--test-timeout=${FILE_TIMEOUT_MS}`,
    // The closing lines of tap are the same in every version of Node, and a program can read them;
    // before them are the failures. `spec` shows these at its end by itself.
    `--test-reporter=${process.stdout.isTTY ? "spec" : new URL("tap.js", import.meta.url)}`,
    "--test-reporter-destination=stdout",
    ...options,
    ...chosen,
  ],
  { cwd: root, stdio: "inherit" },
);
process.exit(status ?? 1);
