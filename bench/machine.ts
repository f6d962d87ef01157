// SPDX-License-Identifier: MIT

/** machine — where and on what the figures were taken: a figure without it says nothing. */

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cpus, totalmem, type } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Machine {
  cpu: string;
  cores: number;
  memory: string;
  system: string;
  node: string;
  v8: string;
  date: string;
  commit: string;
}

/** The repository, whether this runs from `bench/` or from `build/bench/`. */
export const ROOT: string = findRoot(dirname(fileURLToPath(import.meta.url)));

function findRoot(from: string): string {
  return existsSync(join(from, "package.json")) ? from : findRoot(dirname(from));
}

function git(...args: string[]): string {
  return execFileSync("git", args, { cwd: ROOT, encoding: "utf8", stdio: "pipe" }).trim();
}

/** The short hash, and whether what ran differs from it. */
function commit(): string {
  try {
    const hash = git("rev-parse", "--short", "HEAD");
    // The results of the last run make no difference to this one.
    const changed = git("status", "--porcelain", "--", ".", ":!bench/results");
    return changed === "" ? hash : `${hash} + dirty`;
  } catch {
    return "no commit";
  }
}

export function thisMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${type()} ${process.arch}`,
    node: process.version,
    v8: process.versions.v8,
    date: `${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC`,
    commit: commit(),
  };
}

/** The version of the `zeromq` package that is asked for in package.json. */
export function zeromqjsVersion(): string {
  const description = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  return description.devDependencies?.zeromq ?? "none";
}
