// SPDX-License-Identifier: MIT

/**
 * model — runs the models by themselves, with options; `npm test` runs them too, and of those with
 * two unforced switches a part, if there are many.
 *
 *     npm run model                            all interleavings with at most two unforced switches
 *     npm run model -- --all                   all interleavings, up to a minute for each program
 *     npm run model -- --all --seconds=600 lock    the same, longer, of files that contain a word
 *     npm run model -- --switches=3
 *     npm run model -- --program='a title'     one program; for --planted and --schedule see what a
 *                                              failure prints
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const folder = join(import.meta.dirname, "../test/model");
const sources = join(import.meta.dirname, "../../test/model");

const args = process.argv.slice(2);
const options = args.filter((arg) => arg.startsWith("-"));
const words = args.filter((arg) => !arg.startsWith("-"));

let worst = 0;
for (const name of readdirSync(sources).sort()) {
  if (!name.endsWith(".model.ts")) continue;
  if (words.length > 0 && !words.some((word) => name.includes(word))) continue;
  const file = join(folder, name.replace(/\.ts$/, ".js"));
  const run = ["--enable-source-maps", file, "--runs=Infinity", ...options];
  const { status } = spawnSync(process.execPath, run, { stdio: "inherit" });
  worst = Math.max(worst, status ?? 1);
}
process.exit(worst);
