// SPDX-License-Identifier: MIT

import { test } from "node:test";
import { Random } from "../support/random.ts";
import { churn } from "./churn.ts";

const WORKERS = 50;

test(`O2: ${WORKERS} threads come and go in every way, and nothing is left`, async (t) => {
  const { seed } = new Random();
  t.diagnostic(`npm run churn -- --workers=${WORKERS} --seed=${seed}`);
  t.diagnostic(JSON.stringify(await churn({ workers: WORKERS, seed })));
});
