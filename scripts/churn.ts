// SPDX-License-Identifier: MIT

/**
 * churn — lets very many threads come and go, and looks what is left; the tests do it with fewer.
 *
 *     npm run churn
 *     npm run churn -- --workers=500 --seed=42
 */
import { parseArgs } from "node:util";
import { churn } from "../test/stress/churn.ts";

const { values } = parseArgs({
  options: { workers: { type: "string", default: "10000" }, seed: { type: "string" } },
});
const workers = Number(values.workers);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
console.log(`npm run churn -- --workers=${workers} --seed=${seed}`);
console.log(await churn({ workers, seed, progress: (done) => console.log(`${done} …`) }));
