// SPDX-License-Identifier: MIT

/** child — runs a few lines as a program of their own. */
import { execFile } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

export interface Outcome {
  code: number | string | null;
  signal: string | null;
  stdout: string;
  stderr: string;
}

/** The lines may import "threadmq". A program that does not end is killed: `signal` is then set. */
export function runProgram(lines: string, timeout = 30_000): Promise<Outcome> {
  const cwd = dirname(fileURLToPath(import.meta.url));
  const args = ["--input-type=module", "--eval", lines];
  return new Promise((resolve) => {
    const options = { cwd, timeout, killSignal: "SIGKILL" } as const;
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : (error.code ?? null);
      resolve({ code, signal: error?.signal ?? null, stdout, stderr });
    });
  });
}
