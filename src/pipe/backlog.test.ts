// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ONE } from "../queue/index.ts";
import { Backlog } from "./backlog.ts";

describe("a backlog", () => {
  it("is what was added and was not read", () => {
    const backlog = new Backlog();
    assert.equal(backlog.at(0), 0);
    backlog.add(ONE, 10);
    backlog.add(3 * ONE, 20);
    backlog.add(3 * ONE, 30);
    assert.equal(backlog.at(0), 60);
    assert.equal(backlog.at(ONE), 50);
    assert.equal(backlog.at(2 * ONE), 50);
    assert.equal(backlog.at(3 * ONE), 0);
    backlog.add(4 * ONE, 7);
    assert.equal(backlog.at(3 * ONE), 7);
  });

  it("counts on where the count of messages wraps, and however many there were", () => {
    const backlog = new Backlog();
    let number = 0x7fff_ff00;
    for (let i = 0; i < 1000; i++) {
      number = (number + ONE) | 0;
      backlog.add(number, 5);
      assert.equal(backlog.at((number - 100 * ONE) | 0), 5 * Math.min(i + 1, 100));
    }
    assert.equal(backlog.at(number), 0);
  });
});
