// SPDX-License-Identifier: MIT

/**
 * bundle — the code of the package: a file for each entry, and what entries have in common.
 *
 * What is imported is looked up whenever it is used, and whether it is there yet; with constants in
 * every line of the hot code that is a tenth of a message. Here they are their values. And each
 * thread that loads the library reads two files instead of a hundred (decision 26).
 *
 * Declarations are the compiler's, in dist/types; the tests of the parts run what it has made of
 * each source, in build/src.
 */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type OutputOptions, rolldown } from "rolldown";

const root = join(import.meta.dirname, "../..");
const dist = join(root, "dist");

const ENTRIES = ["index", "msgpack", "node_streams", "zeromq", "zeromq_draft"];

const OUTPUT: OutputOptions = {
  dir: dist,
  format: "esm",
  sourcemap: true,
  sourcemapExcludeSources: true, // They are in the package, with all that they say.
  comments: false,
  banner: "// SPDX-License-Identifier: MIT",
  minifyInternalExports: false,
  // Two: the sockets, and what those by the names of zeromq.js have in common.
  chunkFileNames: ({ moduleIds }) =>
    moduleIds.some((id) => id.startsWith(join(root, "src", "zeromq"))) ? "names.js" : "core.js",
};

const bundle = await rolldown({
  cwd: root,
  input: Object.fromEntries(ENTRIES.map((name) => [name, `src/${name}.ts`])),
  platform: "node",
  external: [/^node:/, "msgpackr"],
  treeshake: { moduleSideEffects: true }, // What package.json says of it is of files in dist.
  optimization: { inlineConst: { mode: "all", pass: 3 } },
});
const { output } = await bundle.generate(OUTPUT);
await bundle.close();

// A program that runs meanwhile finds each file, and none that is half written. The compiler has
// made the folder, for the declarations.
for (const file of output) {
  const path = join(dist, file.fileName);
  const text = file.type === "chunk" ? file.code : file.source;
  if (existsSync(path) && readFileSync(path, "utf8") === text) continue;
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}
// What is of no source any more.
const made = new Set(["types", ...output.map(({ fileName }) => fileName)]);
for (const name of readdirSync(dist)) {
  if (!made.has(name)) rmSync(join(dist, name), { recursive: true });
}
