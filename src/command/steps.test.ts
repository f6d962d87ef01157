// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Steps } from "./steps.ts";

describe("steps", () => {
  it("keep what is due until the outermost is over, once each, in order", () => {
    const steps = new Steps();
    const done: string[] = [];
    const [first, second] = ["first", "second"].map((name) => () => done.push(name));
    assert.ok(first !== undefined && second !== undefined);
    assert.equal(steps.keeps(first), false);
    steps.run(() => {
      steps.run(() => assert.equal(steps.keeps(first), true));
      assert.deepEqual(done, []);
      assert.equal(steps.keeps(second), true);
      assert.equal(steps.keeps(first), true);
    });
    assert.deepEqual(done, ["first", "second"]);
    assert.equal(steps.keeps(first), false);
  });

  it("may be taken by what was due, and end by an error", () => {
    const steps = new Steps();
    const done: string[] = [];
    const inner = () => done.push("inner");
    const outer = () => {
      steps.run(() => steps.keeps(inner));
      done.push("outer");
    };
    assert.throws(() => {
      steps.run(() => {
        steps.keeps(outer);
        throw new Error("of the step");
      });
    }, /of the step/);
    assert.deepEqual(done, ["inner", "outer"]);
  });
});
