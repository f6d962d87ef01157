// SPDX-License-Identifier: MIT

/**
 * The programs of docs/COMING-FROM.md: each is compiled and run, and both of a pair print what the
 * document says.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

const run = promisify(execFile);
const PATIENCE = 60_000;
const ROOT = join(import.meta.dirname, "../..");
/** Inside of the package, so that its own name and what it is compared with can be imported. */
const FOLDER = join(ROOT, "build/coming-from");

interface Pair {
  readonly name: string;
  /** What both print. */
  readonly prints: string;
  /** Theirs and ours: one block each, of several files. */
  readonly programs: readonly string[];
}

function pairsOf(document: string): Pair[] {
  return document
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const blocks = (language: string) => {
        const fences = section.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"));
        return [...fences].map((match) => match[1] as string);
      };
      const name = section.slice(0, section.indexOf("\n"));
      return { name, prints: blocks("text").join(), programs: blocks("ts") };
    });
}

/** Each file of a program begins with its name, in a comment. */
function write(folder: string, program: string): void {
  mkdirSync(folder, { recursive: true });
  for (const [, name, text] of program.matchAll(
    /^\/\/ (\w+\.ts)\n(.*?)(?=^\/\/ \w+\.ts\n|$(?!\n))/gms,
  )) {
    writeFileSync(join(folder, name as string), text as string);
  }
}

const pairs = pairsOf(readFileSync(join(ROOT, "docs/COMING-FROM.md"), "utf8"));
const SIDES = ["theirs", "ours"] as const;

before(async () => {
  rmSync(FOLDER, { recursive: true, force: true });
  for (const { name, programs } of pairs) {
    for (const [index, side] of SIDES.entries()) {
      write(join(FOLDER, name, side), programs[index] as string);
    }
  }
  const config = {
    extends: "../../tsconfig.base.json",
    compilerOptions: {
      // As a bundler reads it: comlink's types do not fit what Node says of its modules.
      module: "esnext",
      moduleResolution: "bundler",
      composite: false,
      declaration: false,
      declarationMap: false,
      isolatedDeclarations: false,
    },
    include: ["."],
  };
  writeFileSync(join(FOLDER, "tsconfig.json"), JSON.stringify(config));
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const { stdout } = await run(process.execPath, [tsc, "-p", FOLDER]).catch((error) => error);
  assert.equal(stdout, "");
});

after(() => rmSync(FOLDER, { recursive: true, force: true }));

test("there are four pairs, and each says what it prints", () => {
  assert.deepEqual(
    pairs.map(({ name }) => name),
    ["zeromq.js", "postMessage", "piscina", "comlink"],
  );
  for (const { prints, programs } of pairs) {
    assert.notEqual(prints, "");
    assert.equal(programs.length, SIDES.length);
  }
});

for (const { name, prints } of pairs) {
  for (const side of SIDES) {
    test(`${name}, ${side}`, { timeout: 2 * PATIENCE }, async () => {
      const program = join(FOLDER, name, side, "main.js");
      const { stdout, stderr } = await run(process.execPath, [program], { timeout: PATIENCE });
      assert.equal(stderr, "");
      assert.equal(stdout, prints);
    });
  }
}
