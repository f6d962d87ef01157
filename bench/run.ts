// SPDX-License-Identifier: MIT

/**
 * run — runs one program of the bench in a process of its own, and reads its line of figures.
 *
 * The C programs are compiled here, once a run, if there are a compiler and libzmq's header.
 */

import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT } from "./machine.ts";
import type { Program } from "./plan.ts";

/** Exactly one of the three. */
export interface Outcome {
  figures?: Record<string, number | number[]>;
  /** Why it cannot run on this machine. */
  skip?: string;
  /** What went wrong. */
  failed?: string;
}

const HERE = dirname(fileURLToPath(import.meta.url));
const SOURCES = join(ROOT, "bench/rivals");
const BINARIES = join(ROOT, "build/bench/libzmq");
const TIMEOUT_MS = 300_000;

export interface Libzmq {
  version?: string;
  skip?: string;
}

/** Compiles the C programs. */
export function buildLibzmq(): Libzmq {
  mkdirSync(BINARIES, { recursive: true });
  try {
    for (const name of readdirSync(SOURCES).filter((each) => each.endsWith(".c"))) {
      const binary = join(BINARIES, name.slice(0, -2));
      const args = ["-O2", "-Wall", "-o", binary, join(SOURCES, name), "-lzmq", "-lpthread"];
      execFileSync("gcc", args, { encoding: "utf8", stdio: "pipe" });
    }
    const version = execFileSync(join(BINARIES, "inproc_thr"), ["version"], { encoding: "utf8" });
    return { version: version.trim() };
  } catch (error) {
    const text = String((error as { stderr?: string }).stderr || error);
    const missing = /zmq\.h|-lzmq|ENOENT/.test(text);
    return { skip: missing ? "needs: apt-get install libzmq3-dev gcc" : text };
  }
}

/** Runs one program; `count` and `warmup` are messages or round trips. */
export function runProgram(program: Program, count: number, warmup: number): Promise<Outcome> {
  const isC = program.file.endsWith(".c");
  const args = [program.variant, program.size, count, warmup, ...(program.more ?? [])].map(String);
  const [command, first] = isC
    ? [join(BINARIES, program.file.slice(0, -2)), []]
    : [process.execPath, [...(program.flags ?? []), join(HERE, program.file)]];
  return new Promise((resolve) => {
    const child = spawn(command, [...first, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
    let out = "";
    let err = "";
    child.stdout.setEncoding("utf8").on("data", (text) => (out += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (err += text));
    child.on("error", (error) => resolve({ failed: String(error) }));
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(readFigures(out));
      else resolve({ failed: `ended with ${signal ?? code}: ${err.trim()}` });
    });
  });
}

function readFigures(out: string): Outcome {
  try {
    const figures = JSON.parse(out);
    return typeof figures.skip === "string" ? { skip: figures.skip } : { figures };
  } catch {
    return { failed: `printed no figures: ${out}` };
  }
}
