// SPDX-License-Identifier: MIT

/**
 * check — what the tests do not look at: lint, format, and the package as its users get it.
 *
 * The types have been checked by the build that ran before. All steps run, whatever the others
 * say; the exit status is that of the worst.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

/** Runs an installed program. True if it is content. */
function runs(program: string, ...args: string[]): boolean {
  const path = join(root, "node_modules", ".bin", program);
  // A shell, because on Windows these are scripts that only a shell can start.
  const { status } = spawnSync(`"${path}"`, args, { cwd: root, stdio: "inherit", shell: true });
  return status === 0;
}

/** What `npm pack` would put into the package: paths and sizes. */
function packed(): { files: { path: string; size: number }[]; size: number } {
  const out = execFileSync("npm", ["pack", "--dry-run", "--json", "--silent"], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    shell: process.platform === "win32",
  });
  return JSON.parse(out)[0];
}

/** The package holds the library, what debuggers need to show its source, and nothing else. */
function contentIsRight(): boolean {
  const { files, size } = packed();
  const paths = files.map((file) => file.path);
  const wrong: string[] = [];

  const needed = ["package.json", "README.md", "LICENSE", "CHANGELOG.md", "src/index.ts"];
  needed.push("dist/index.js", "dist/types/index.d.ts");
  for (const path of needed) if (!paths.includes(path)) wrong.push(`missing: ${path}`);

  for (const path of paths) {
    if (/\.(test|model|bench)\.|tsbuildinfo|tsconfig/.test(path)) wrong.push(`not ours: ${path}`);
    if (!/^(dist|src)\/|^[^/]+$/.test(path)) wrong.push(`not ours: ${path}`);
    const source = path.replace(/^dist\/types\//, "src/").replace(/\.d\.ts(\.map)?$/, ".ts");
    if (path.startsWith("dist/types/") && !existsSync(join(root, source))) {
      wrong.push(`left by an old build (npm run clean): ${path}`);
    }
  }

  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  for (const key of ["dependencies", "optionalDependencies", "bundleDependencies"]) {
    if (manifest[key]) wrong.push(`package.json has ${key}: the library needs nothing at run time`);
  }
  for (const script of ["preinstall", "install", "postinstall", "prepare"]) {
    if (manifest.scripts[script]) wrong.push(`package.json has an install script: ${script}`);
  }

  for (const line of wrong) console.error(line);
  console.log(`package: ${files.length} files, ${(size / 1024).toFixed(1)} KiB packed`);
  return wrong.length === 0;
}

const steps: [name: string, run: () => boolean][] = [
  ["lint and format (biome)", () => runs("biome", "check", "--error-on-warnings")],
  ["exports and fields (publint)", () => runs("publint", "--strict")],
  [
    "types as users resolve them (attw)",
    () => runs("attw", "--pack", ".", "--profile", "esm-only"),
  ],
  ["content of the package", contentIsRight],
];

let failed = 0;
for (const [name, run] of steps) {
  console.log(`\n── ${name}`);
  if (!run()) {
    failed++;
    console.error(`failed: ${name}`);
  }
}
console.log(failed === 0 ? "\ncheck: all is well" : `\ncheck: ${failed} of ${steps.length} failed`);
process.exit(failed === 0 ? 0 : 1);
