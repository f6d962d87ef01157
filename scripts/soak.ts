// SPDX-License-Identifier: MIT

/**
 * soak — random calls in several threads for a long time; the tests do it for a short one.
 *
 *     npm run soak
 *     npm run soak -- --seconds=3600 --seed=42
 */
import { parseArgs } from "node:util";
import { type Sample, soak } from "../test/stress/soak.ts";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "600" }, seed: { type: "string" } },
});
const seconds = Number(values.seconds);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
console.log(`npm run soak -- --seconds=${seconds} --seed=${seed}`);
const progress = (sample: Sample): void => {
  if (sample.round % 50 === 0) console.log(JSON.stringify(sample));
};
console.log(await soak({ seconds, seed, progress }));
