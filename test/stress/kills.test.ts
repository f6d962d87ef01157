// SPDX-License-Identifier: MIT

import { test } from "node:test";
import { Random } from "../support/random.ts";
import { killUnderLoad } from "./kills.ts";

const KILLS = 100;

test(`H2, O2: ${KILLS} threads are killed under load, and nothing is lost or left`, async (t) => {
  const { seed } = new Random();
  t.diagnostic(`npm run kills -- --kills=${KILLS} --seed=${seed}`);
  t.diagnostic(JSON.stringify(await killUnderLoad({ kills: KILLS, seed })));
});
