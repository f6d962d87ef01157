// SPDX-License-Identifier: MIT

/**
 * The programs in the README: each block that imports the library and prints is type-checked as a
 * user's would be, run, and must print what the comments behind its `console.log`s say.
 */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

const ROOT = join(import.meta.dirname, "../..");
/** Inside the package, so that the library is found by its name. */
const FOLDER = join(ROOT, "build/readme");
const MOST_LINES = 10;

const run = promisify(execFile);

interface Program {
  readonly title: string;
  readonly code: string;
  readonly prints: string[];
}

function programs(): Program[] {
  const text = readFileSync(join(ROOT, "README.md"), "utf8");
  const blocks = [
    ...text.matchAll(/\n\*\*([^*]+)\*\*[^#]*?\n```ts\n([^`]*(?:`[^`]+`[^`]*)*?)\n```\n/g),
  ];
  return blocks.map(([, title = "", code = ""]) => {
    const prints = [...code.matchAll(/console\.log\(.*\); \/\/ (.*)/g)].map(
      ([, what = ""]) => what,
    );
    return { title: title.replace(/[.,]$/, ""), code, prints };
  });
}

const all = programs();

before(() => {
  mkdirSync(FOLDER, { recursive: true });
  for (const [index, { code }] of all.entries()) {
    writeFileSync(join(FOLDER, `${index}.ts`), `${code}\nexport {};\n`);
  }
  const compilerOptions = {
    target: "es2022",
    lib: ["es2024", "esnext.disposable"],
    module: "nodenext",
    types: ["node"],
    strict: true,
    noUncheckedIndexedAccess: true,
  };
  writeFileSync(join(FOLDER, "tsconfig.json"), JSON.stringify({ compilerOptions }));
});

after(() => rmSync(FOLDER, { recursive: true, force: true }));

test("the README shows every pattern", () => {
  assert.ok(all.length >= 8, `${all.length} programs found`);
});

test("the programs of the README are well typed", () => {
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  execFileSync(process.execPath, [tsc, "-p", FOLDER], { stdio: "inherit" });
});

for (const [index, { title, code, prints }] of all.entries()) {
  test(`README: ${title}`, async () => {
    const lines = code.split("\n").filter((line) => line !== "" && !line.startsWith("import "));
    assert.ok(lines.length <= MOST_LINES, `${lines.length} lines`);
    assert.ok(prints.length > 0, "it prints something");
    const { stdout } = await run(process.execPath, [join(FOLDER, `${index}.js`)], {
      timeout: 60_000,
    });
    assert.deepEqual(stdout.trimEnd().split("\n"), prints);
  });
}
