// SPDX-License-Identifier: MIT

import { test } from "node:test";
import { Random } from "../support/random.ts";
import { soak } from "./soak.ts";

const SECONDS = 20;

test(`H1, G3, I1: ${SECONDS} seconds of everything, with kills: nothing grows`, async (t) => {
  const { seed } = new Random();
  t.diagnostic(`npm run soak -- --seconds=${SECONDS} --seed=${seed}`);
  t.diagnostic(JSON.stringify(await soak({ seconds: SECONDS, seed })));
});
