// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compatible, PUB, PULL, PUSH, SUB, typeName } from "./peers.ts";

describe("socket types", () => {
  it("have the numbers and names of zmq.h", () => {
    assert.deepEqual([PUB, SUB, PULL, PUSH], [1, 2, 7, 8]);
    assert.deepEqual([PUB, SUB, PULL, PUSH].map(typeName), ["PUB", "SUB", "PULL", "PUSH"]);
  });

  it("fit together as RFC 37 says", () => {
    const types = [PUB, SUB, PULL, PUSH];
    const fit = types.map((type) => types.filter((peer) => compatible(type, peer)));
    assert.deepEqual(fit, [[SUB], [PUB], [PUSH], [PULL]]);
  });
});
