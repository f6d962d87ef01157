// SPDX-License-Identifier: MIT

import { test } from "node:test";
import { Random } from "../support/random.ts";
import { killThreads, PATTERNS } from "./rounds.ts";

for (const pattern of PATTERNS) {
  const kills = pattern === "pipeline" ? 24 : 6;
  test(`H2, O2: ${pattern}: ${kills} threads are killed, nothing is lost or left`, async (t) => {
    const { seed } = new Random();
    t.diagnostic(`npm run kills -- --kills=${kills} --seed=${seed} --pattern=${pattern}`);
    t.diagnostic(JSON.stringify(await killThreads({ pattern, kills, seed })));
  });
}
