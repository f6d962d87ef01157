// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ONE } from "../queue/index.ts";
import { Backlog } from "./backlog.ts";

const NONE = 0;

describe("a backlog", () => {
  it("is the bodies that were added and were not read", () => {
    const backlog = new Backlog();
    assert.equal(backlog.at(0, NONE), 0);
    backlog.add(ONE, 10, 0);
    backlog.add(3 * ONE, 20, 0);
    backlog.add(3 * ONE, 30, 0);
    assert.equal(backlog.at(0, NONE), 60);
    assert.equal(backlog.at(ONE, NONE), 50);
    assert.equal(backlog.at(2 * ONE, NONE), 50);
    assert.equal(backlog.at(3 * ONE, NONE), 0);
    backlog.add(4 * ONE, 7, 3 * ONE);
    assert.equal(backlog.at(3 * ONE, NONE), 7);
  });

  it("counts on where the count of messages wraps, and however many there were", () => {
    const backlog = new Backlog();
    let number = 0x7fff_ff00;
    for (let i = 0; i < 1000; i++) {
      number = (number + ONE) | 0;
      backlog.add(number, 5, number);
      assert.equal(backlog.at((number - 100 * ONE) | 0, NONE), 5);
    }
    assert.equal(backlog.at(number, NONE), 0);
  });

  it("and the chunks that the reader has not left, also where their count wraps", () => {
    for (const passed of [0, 0x7fff_ffff]) {
      const backlog = new Backlog(passed);
      backlog.addChunk(1);
      backlog.addChunk(10);
      assert.equal(backlog.at(0, passed), 11);
      assert.equal(backlog.at(0, (passed + 1) | 0), 10);
      backlog.addChunk(1000);
      assert.equal(backlog.at(0, (passed + 1) | 0), 1010);
      assert.equal(backlog.at(0, (passed + 3) | 0), 0);
    }
  });
});
