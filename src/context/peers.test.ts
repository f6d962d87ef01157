// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compatible, PULL, PUSH, typeName } from "./peers.ts";

describe("socket types", () => {
  it("have the numbers and names of zmq.h", () => {
    assert.deepEqual([PULL, PUSH], [7, 8]);
    assert.deepEqual([typeName(PULL), typeName(PUSH)], ["PULL", "PUSH"]);
  });

  it("fit together as RFC 37 says", () => {
    assert.equal(compatible(PUSH, PULL), true);
    assert.equal(compatible(PULL, PUSH), true);
    assert.equal(compatible(PUSH, PUSH), false);
    assert.equal(compatible(PULL, PULL), false);
  });
});
