// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load, MAX_SLOTS, SLOT_STATE, slotAt } from "../memory/index.ts";
import { createArena, FakeHost, inWorker, type Roles, startRole } from "../testing/index.ts";
import { isGone, isTaken, joinSlot, leaveSlot, markEnded } from "./slots.ts";

const host = new FakeHost();

const roles: Roles = {
  /** Joins so many times; returns the slots. */
  join(arena, [times]) {
    return Array.from({ length: times }, () => joinSlot(arena, host));
  },
};

if (!inWorker(roles)) {
  describe("a slot", () => {
    it("is free until a thread joins, and again when it has left", () => {
      const arena = createArena();
      const slot = joinSlot(arena, host);
      assert.equal(isTaken(arena, slot), true);
      assert.notEqual(joinSlot(arena, host), slot);
      leaveSlot(arena, slot);
      assert.equal(isTaken(arena, slot), false);
      assert.equal(joinSlot(arena, host), slot);
    });

    it("is never slot 0, which is the context's own", () => {
      const arena = createArena();
      assert.equal(joinSlot(arena, host), 1);
      assert.equal(isTaken(arena, 0), false);
    });

    it("tells two threads apart that had it one after the other", () => {
      const arena = createArena();
      const at = slotAt(1) + SLOT_STATE;
      const seen = new Set<number>();
      for (let i = 0; i < 300; i++) {
        assert.equal(joinSlot(arena, host), 1);
        seen.add(load(arena.words, at));
        leaveSlot(arena, 1);
      }
      assert.equal(seen.size, 300);
    });

    it("stays good when its incarnations begin anew", () => {
      const arena = createArena();
      const at = slotAt(1) + SLOT_STATE;
      for (const state of [2 ** 31 - 256, -256, -(2 ** 31)]) {
        arena.words[at] = state;
        assert.equal(joinSlot(arena, host), 1);
        assert.equal(isTaken(arena, 1), true);
        leaveSlot(arena, 1);
        assert.equal(isTaken(arena, 1), false);
      }
    });

    it("is that of a dead thread when the runtime says so, or somebody who was told", () => {
      const arena = createArena();
      const known = new FakeHost();
      const slot = joinSlot(arena, host);
      assert.equal(isGone(arena, slot, known), false);
      known.ended.add(host.thread.claim);
      assert.equal(isGone(arena, slot, known), true);
      known.ended.clear();
      markEnded(arena, host.thread.number);
      assert.equal(isGone(arena, slot, known), true);
      leaveSlot(arena, slot, true);
      assert.equal(isGone(arena, slot, known), false);
      assert.equal(joinSlot(arena, host), slot);
      assert.equal(isGone(arena, slot, known), false, "the next one is another");
    });

    it("is that of a dead thread, too, if one above it has died", () => {
      const arena = createArena();
      const join = (number: number, parent: number): number => {
        const of = new FakeHost();
        Object.assign(of.thread, { number, parent });
        return joinSlot(arena, of);
      };
      const [main, child, grandchild, other] = [join(0, -1), join(1, 0), join(2, 1), join(3, 0)];
      markEnded(arena, 1);
      const gone = [main, child, grandchild, other].map((slot) => isGone(arena, slot, host));
      assert.deepEqual(gone, [false, true, true, false]);
    });

    it("is refused with EMFILE when all are taken", () => {
      const arena = createArena();
      for (let i = 1; i < MAX_SLOTS; i++) assert.equal(joinSlot(arena, host), i);
      assert.throws(() => joinSlot(arena, host), { code: "EMFILE" });
      leaveSlot(arena, 77);
      assert.equal(joinSlot(arena, host), 77);
    });

    it("goes to one thread, of several that join at a time", async () => {
      const arena = createArena();
      const crew = [1, 2, 3].map(() => startRole(import.meta.url, "join", arena, 50));
      const slots = (await Promise.all(crew.map(({ result }) => result))) as number[][];
      assert.equal(new Set(slots.flat()).size, 150);
    });
  });
}
