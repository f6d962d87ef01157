// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { FakeHost } from "../testing/index.ts";
import { Turn } from "./turn.ts";

/** A turn with a clock that is set by hand. */
function createRig(t: TestContext) {
  const host = new FakeHost();
  const clock = { now: 1000, looks: 0 };
  t.mock.method(performance, "now", () => {
    clock.looks++;
    return clock.now;
  });
  const turn = new Turn(host);
  turn.begin();
  clock.looks = 0;
  return { host, clock, turn };
}

describe("the event loop's turn", () => {
  it("is due when a millisecond has passed since the last one, not before", (t) => {
    const { clock, turn } = createRig(t);
    for (const [now, due] of [
      [1000.5, false],
      [1001, false],
      [1001.5, true],
      [1002, true],
    ] as const) {
      clock.now = now;
      assert.equal(turn.due(), due, `at ${now}`);
    }
    turn.begin();
    clock.now += 0.9;
    assert.equal(turn.due(), false);
    clock.now += 0.2;
    assert.equal(turn.due(), true);
  });

  it("costs a look at the clock after each slow operation, and few after quick ones", (t) => {
    const { clock, turn } = createRig(t);
    for (let i = 0; i < 100; i++) {
      clock.now += 0.3;
      void turn.due();
    }
    assert.equal(clock.looks, 100);
    for (let i = 0; i < 6400; i++) void turn.due();
    assert.ok(clock.looks <= 100 + 7 + 100, `${clock.looks} looks`);
  });

  it("is due at the latest 64 operations after the millisecond has passed", (t) => {
    const { clock, turn } = createRig(t);
    for (let i = 0; i < 1000; i++) assert.equal(turn.due(), false);
    clock.now += 1.1;
    let operations = 1;
    while (!turn.due()) operations++;
    assert.ok(operations <= 64, `${operations} operations`);
  });

  it("passes before a promise settles, and begins anew", async (t) => {
    const { host, clock, turn } = createRig(t);
    let settled = 0;
    const promise = turn.pass(7).then((value) => {
      settled = value;
    });
    await Promise.resolve();
    assert.equal(settled, 0);
    clock.now += 5;
    host.deferred.shift()?.();
    await promise;
    assert.equal(settled, 7);
    assert.equal(turn.due(), false);
  });

  it("is what all wait for that settle after one that does, in their order", async (t) => {
    const { host, turn } = createRig(t);
    const settled: number[] = [];
    const first = turn.pass(1).then((value) => settled.push(value));
    assert.equal(turn.passes(), true, "though no time has passed");
    assert.equal(turn.due(), false);
    turn.after(() => settled.push(0));
    const second = turn.pass(2).then((value) => settled.push(value));
    assert.equal(host.deferred.length, 1, "one turn is enough for all");
    host.deferred.shift()?.();
    await Promise.all([first, second]);
    assert.deepEqual(settled, [0, 1, 2]);
    assert.equal(turn.passes(), false);
  });
});
