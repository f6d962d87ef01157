// SPDX-License-Identifier: MIT

/**
 * kills — kills threads under load, and checks the books; the tests do it with fewer.
 *
 *     npm run kills
 *     npm run kills -- --kills=500 --seed=42
 */
import { parseArgs } from "node:util";
import { killUnderLoad } from "../test/stress/kills.ts";

const { values } = parseArgs({
  options: { kills: { type: "string", default: "2000" }, seed: { type: "string" } },
});
const kills = Number(values.kills);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
console.log(`npm run kills -- --kills=${kills} --seed=${seed}`);
const report = await killUnderLoad({ kills, seed, progress: (done) => console.log(`${done} …`) });
console.log(report);
