// SPDX-License-Identifier: MIT

/** The declarations: one program is compiled against those of zeromq.js, and against ours. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";

const ROOT = join(import.meta.dirname, "../../..");
const PROGRAM = join(ROOT, "test/zeromq/program.ts");

const DECLARATIONS = {
  "zeromq.js": ["node_modules/zeromq/lib/index.d.ts", "node_modules/zeromq/draft.d.ts"],
  ours: ["dist/types/zeromq.d.ts", "dist/types/zeromq_draft.d.ts"],
};

/** What the compiler has to say about the program; nothing, if all is well. */
async function compile(declarations: string[], program: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "threadmq-declarations-"));
  const [main, draft] = declarations.map((path) => join(ROOT, path));
  const compilerOptions = {
    target: "es2022",
    lib: ["es2022", "dom"],
    module: "esnext",
    moduleResolution: "bundler",
    types: ["node"],
    typeRoots: [join(ROOT, "node_modules/@types")],
    paths: { zeromq: [main], "zeromq/draft": [draft] },
    strict: true,
    exactOptionalPropertyTypes: true,
    noImplicitOverride: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    noEmit: true,
  };
  try {
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ compilerOptions, files: [program] }),
    );
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    const run = promisify(execFile)(process.execPath, [tsc, "-p", folder]);
    const { stdout } = await run.catch((error: { stdout: string }) => error);
    return stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe("a program that uses all that zeromq.js declares", () => {
  for (const [name, declarations] of Object.entries(DECLARATIONS)) {
    test(`compiles against ${name}`, async () => {
      assert.equal(await compile(declarations, PROGRAM), "");
    });
  }
});
