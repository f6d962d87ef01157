// SPDX-License-Identifier: MIT

/**
 * kills — kills threads under load, and checks the books; the tests do it with fewer.
 *
 *     npm run kills                                  all patterns, one after the other
 *     npm run kills -- --kills=500 --seed=42         so many for each
 *     npm run kills -- --pattern=reqrep,router       these
 */
import { parseArgs } from "node:util";
import { killThreads, PATTERNS } from "../test/stress/rounds.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "2000" },
    seed: { type: "string" },
    pattern: { type: "string", default: PATTERNS.join() },
  },
});
const patterns = values.pattern.split(",");
for (const pattern of patterns) {
  if (PATTERNS.includes(pattern)) continue;
  console.error(`There is no pattern ${pattern}. They are: ${PATTERNS.join(", ")}`);
  process.exit(2);
}
const kills = Number(values.kills);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
for (const pattern of patterns) {
  console.log(`npm run kills -- --kills=${kills} --seed=${seed} --pattern=${pattern}`);
  console.log(await killThreads({ pattern, kills, seed }));
}
