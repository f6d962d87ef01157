// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ONE } from "../queue/index.ts";
import { Backlog } from "./backlog.ts";

const NOWHERE = 0;

describe("a backlog", () => {
  it("is the bodies that were added and were not read", () => {
    const backlog = new Backlog();
    assert.equal(backlog.at(0, NOWHERE), 0);
    backlog.add(ONE, 10, 0);
    backlog.add(3 * ONE, 20, 0);
    backlog.add(3 * ONE, 30, 0);
    assert.equal(backlog.at(0, NOWHERE), 60);
    assert.equal(backlog.at(ONE, NOWHERE), 50);
    assert.equal(backlog.at(2 * ONE, NOWHERE), 50);
    assert.equal(backlog.at(3 * ONE, NOWHERE), 0);
    backlog.add(4 * ONE, 7, 3 * ONE);
    assert.equal(backlog.at(3 * ONE, NOWHERE), 7);
  });

  it("counts on where the count of messages wraps, and however many there were", () => {
    const backlog = new Backlog();
    let number = 0x7fff_ff00;
    for (let i = 0; i < 1000; i++) {
      number = (number + ONE) | 0;
      backlog.add(number, 5, number);
      assert.equal(backlog.at((number - 100 * ONE) | 0, NOWHERE), 5);
    }
    assert.equal(backlog.at(number, NOWHERE), 0);
  });

  it("and the chunks behind the reader's, of which places come again", () => {
    const backlog = new Backlog();
    backlog.addChunk(100, 1);
    backlog.addChunk(200, 10);
    assert.equal(backlog.at(0, 100), 11, "the reader's own is the lane's, too");
    assert.equal(backlog.at(0, 200), 10);
    backlog.addChunk(100, 1000);
    assert.equal(backlog.at(0, 200), 1010);
    assert.equal(backlog.at(0, 100), 1000);
    assert.equal(backlog.at(0, 300), 0, "the reader is in the chunk that is written");
  });
});
