// SPDX-License-Identifier: MIT

/**
 * The rules of the house that no compiler knows. Each is first shown a tree with the fault planted,
 * so that we know it would be caught, and the tree without it; then it looks at the repository.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { describe, it } from "node:test";
import { invariants, syncPoints } from "./tidy/claims.ts";
import { documents, EXCEPTIONS, fileNames, privateNames, sizes, words } from "./tidy/form.ts";
import { atomicsInOnePlace, cycles, deadFiles, hostNames, layering } from "./tidy/layers.ts";
import { type Complaint, importsOf, parse, type Tree } from "./tidy/source.ts";

const root = join(import.meta.dirname, "../..");

/** What is made, not written; the last run of the benchmarks may hold messages with places. */
const SKIP = new Set([".git", "node_modules", "dist", "build", "latest.json"]);
const TEXT = /\.(?:[cm]?ts|[cm]?js|jsonc?|md|c|h|ya?ml|html|sh)$|(?:^|\/)(?:[A-Z]+|run|\.\w+)$/;

/** Every text file of the repository. It need not be a clone: an unpacked archive will do. */
function readRepository(): Tree {
  const tree = new Map<string, string>();
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      if (SKIP.has(entry.name)) continue;
      const path = join(folder, entry.name);
      const name = path.split(sep).join("/");
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile() && TEXT.test(name)) {
        tree.set(name, readFileSync(join(root, path), "utf8"));
      }
    }
  };
  walk("");
  return tree;
}

const repository = readRepository();

type Files = Record<string, string>;

/** Shows a check one tree it must accept, trees it must refuse, and the repository. */
function rule(
  claim: string,
  check: (tree: Tree) => Complaint[],
  { good, bad }: { good: Files; bad: Record<string, Files> },
): void {
  describe(claim, () => {
    for (const [fault, files] of Object.entries(bad)) {
      it(`catches ${fault}`, () => {
        const found = check(new Map(Object.entries({ ...good, ...files })));
        assert.notDeepEqual(found, []);
      });
    }
    it("accepts what is right", () => {
      assert.deepEqual(check(new Map(Object.entries(good))), []);
    });
    it("holds in the repository", () => {
      const found = check(repository);
      assert.equal(found.length, 0, `\n${found.join("\n")}\n`);
    });
  });
}

const door = 'export { a } from "./a.ts";\n';

rule("imports point downwards, through doors", layering, {
  good: {
    "src/base/index.ts": door,
    "src/base/a.ts": "export const a = 1;",
    "src/command/index.ts": 'import { a } from "../base/index.ts";\nexport type T = typeof a;',
    "src/platform/node.ts": 'import type { T } from "../command/index.ts";',
    "src/index.ts": 'export { a } from "./base/index.ts"; import "./platform/node.ts";',
  },
  bad: {
    "an upward import": { "src/base/b.ts": 'import { type T } from "../command/index.ts";' },
    "a back door": { "src/command/b.ts": 'import { a } from "../base/a.ts";' },
    "a value where the platform may have types": {
      "src/platform/b.ts": 'import { type T, b } from "../command/index.ts";',
    },
    "a folder that is not in the table": { "src/misc/b.ts": "export {};" },
    "an import of an entry": { "src/base/b.ts": 'export { a } from "../index.ts";' },
    "an import over several lines": {
      "src/base/b.ts": 'import {\n  type T,\n} from "../command/index.ts";',
    },
    "an import that is a call": { "src/base/b.ts": 'await import("../command/index.ts");' },
  },
});

rule("no file depends on itself, types included", cycles, {
  good: { "src/base/index.ts": door, "src/base/a.ts": "export const a = 1;" },
  bad: {
    "a cycle of two": { "src/base/a.ts": 'import type { a } from "./index.ts";' },
    "a cycle of three": {
      "src/base/a.ts": 'export * from "./b.ts";',
      "src/base/b.ts": 'export * from "./index.ts";',
    },
  },
});

rule("every file is used", deadFiles, {
  good: {
    "src/index.ts": 'export { a } from "./base/index.ts";',
    "src/base/index.ts": door,
    "src/base/a.ts": "export const a = 1;",
    "src/base/b.test.ts": 'import "./b.ts";',
    "src/base/b.ts": "export const b = 1;",
  },
  bad: { "a file that nothing leads to": { "src/base/c.ts": 'import "./b.ts";' } },
});

rule("only the platform knows its host", hostNames, {
  good: {
    "src/platform/node.ts": 'import { join } from "node:path"; process.exit(join.length);',
    "src/base/a.ts": "// process.exit\nsetTimeout(x.process, 'Buffer'); const o = { fetch: 1 };",
    "src/base/a.test.ts": 'import { it } from "node:test";',
    "src/msgpack.ts": 'import { Packr } from "msgpackr";',
  },
  bad: {
    "an entry's module elsewhere": { "src/index.ts": 'import { Packr } from "msgpackr";' },
    "a module of Node's": { "src/base/b.ts": 'import { join } from "node:path";' },
    "its type only": { "src/base/b.ts": 'import type { Worker } from "node:worker_threads";' },
    "a global of Node's": { "src/base/b.ts": "const a = process.env;" },
    "one reached through globalThis": { "src/base/b.ts": "globalThis.process?.exit();" },
    "a Buffer in a type": { "src/base/b.ts": "let a: Buffer | undefined;" },
    "a global of a page": { "src/base/b.ts": "document.title = `${1}`;" },
    "one inside a template": { "src/base/b.ts": "const a = `${process.pid}`;" },
  },
});

rule("one file names Atomics", atomicsInOnePlace, {
  good: {
    "src/memory/atomics.ts": "Atomics.load(a, 0);",
    "src/base/a.ts": "/* Atomics.load */ const a = 'Atomics';",
  },
  bad: { "an atomic access elsewhere": { "src/base/b.ts": "Atomics.load(a, 0);" } },
});

const synced = `/**
 * a — something.
 *
 * # Synchronisation
 *
 *   SYNC(flush)   writer ⇒ reader
 */
// SYNC(flush) publish: all of it.
// SYNC(flush) observe: all of it.
`;

rule("what one thread publishes, another observes", syncPoints, {
  good: { "src/base/a.ts": synced },
  bad: {
    "a name that is not declared": {
      "src/base/b.ts": "// SYNC(other) publish, and SYNC(other) observe.",
    },
    "a publish that nobody observes": { "src/base/a.ts": synced.replace("observe", "publish") },
    "an observe of what nobody publishes": {
      "src/base/a.ts": synced.replace("publish", "observe"),
    },
    "a name that is only declared": { "src/base/a.ts": synced.replace(/\/\/.*\n/g, "") },
  },
});

rule("an invariant that is cited exists", invariants, {
  good: {
    "src/base/a.ts":
      "/**\n * # Invariants\n *\n *   I1  One.\n *   I2  Two.\n */\n// By I1 and I2.",
    "src/base/a.test.ts": 'it("is so (I2)");',
    "test/b.test.ts": 'it("is so (a.ts I1)");',
  },
  bad: {
    "a citation of nothing": { "src/base/b.ts": "// By I1." },
    "a wrong number": { "src/base/a.test.ts": 'it("is so (I1, I3)");' },
    "another file's": { "test/b.test.ts": 'it("is so (a.ts I3)");' },
  },
});

const long = (lines: number): string => "  a();\n".repeat(lines);

rule("nothing is too long", sizes, {
  good: {
    "src/base/a.ts": `function a(): void {\n${long(68)}}\nclass A {\n${long(200)}}\n`,
    "src/base/b.ts": `${"é".repeat(100)}\n`,
  },
  bad: {
    "a long line": { "src/base/b.ts": `${"é".repeat(101)}\n` },
    "a long file": { "src/base/b.ts": long(601) },
    "a long function": { "src/base/b.ts": `export function a(): void {\n${long(70)}}\n` },
    "a long method": { "src/base/b.ts": `class A {\n  get(b = {}): T {\n${long(70)}  }\n}\n` },
    "a long arrow": { "src/base/b.ts": `const a = (): void => {\n${long(70)}};\n` },
  },
});

it("every exception to the sizes is of something that exists", () => {
  const gone = Object.keys(EXCEPTIONS).filter(
    (key) => !repository.has(key.split("#")[0] as string),
  );
  assert.deepEqual(gone, []);
});

const licence = "// SPDX-License-Identifier: MIT\n";

rule("files begin with the licence and hold nothing unfinished", words, {
  good: { "src/base/a.ts": `${licence}const a = "console.log";` },
  bad: {
    "no licence": { "src/base/b.ts": "export {};" },
    "something unfinished": { "src/base/b.ts": `${licence}// TODO: more.` },
    "something printed": { "src/base/b.ts": `${licence}console.log(1);` },
  },
});

rule("file names say what is inside", fileNames, {
  good: { "src/base/a.ts": "", "src/base/uncommon.ts": "" },
  bad: {
    "a drawer": { "src/base/utils.ts": "" },
    "a folder of drawers": { "test/helpers/a.ts": "" },
    "a drawer's test": { "src/base/common.test.ts": "" },
  },
});

rule("documents have one title, and their links lead somewhere", documents, {
  good: {
    "docs/a.md":
      "# A\n\n```sh\n# not a title\n```\n[b](../src/b.ts#L1) [c](#c) [d](https://d.e) [f](../src)",
    "src/b.ts": "",
  },
  bad: {
    "no title": { "docs/b.md": "A\n" },
    "two titles": { "docs/b.md": "# A\n\n# B\n" },
    "a dead link": { "docs/b.md": "# A\n[b](./gone.md)" },
    "a dead reference": { "docs/b.md": "# A\n\n[b]: gone.md" },
  },
});

rule("no file names a private place", privateNames, {
  good: { "a.md": "see src/work/a.ts and tmp/p, https://example.com/home/a" },
  bad: {
    "a path of a machine": { "a.md": `see ${["", "work", "a"].join("/")}` },
    "a temporary folder": { "a.md": `cd ${["", "tmp", "p1"].join("/")}` },
    "a registry": { "a.md": ["registry", "example", "org"].join(".") },
    "an address in the lock file": { "package-lock.json": `{"${"resolved"}": "https://a"}` },
  },
});

describe("the reader of sources", () => {
  it("tells code from strings, templates, comments and regular expressions", () => {
    const { code, comments } = parse(
      "a.ts",
      'a("x"); // one\nb(`y ${c({ d: `e` })} f`); g = h / 2 / 3; i(/["/]/.test(j)); /* two */ k;',
    );
    assert.equal(
      code.replace(/ +/g, " "),
      "a( ); \nb( c({ d: }) ); g = h / 2 / 3; i( .test(j)); k;",
    );
    assert.equal(comments.replace(/ +/g, " ").trim(), "// one\n /* two */");
  });

  it("finds every kind of import, and which are of types only", () => {
    const text = `
      import a, { b } from "./1.ts"; import type { c } from "./2.ts"; import "./3.ts";
      export { type d, type e } from "./4.ts"; export * from "./5.ts"; const f = import("./6.ts");
      import { type g, h } from "./7.ts"; new Worker(new URL("./8.js", import.meta.url));
      // import "./9.ts"
    `;
    const found = importsOf(parse("a.ts", text));
    assert.deepEqual(found.map(({ from }) => from.slice(2, 3)).join(""), "12345678");
    assert.deepEqual(found.map(({ typeOnly }) => (typeOnly ? "t" : "v")).join(""), "vtvtvvvv");
  });
});
