// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load, MAX_SLOTS, SLOT_STATE, slotAt } from "../memory/index.ts";
import { createArena, inWorker, type Roles, startRole } from "../testing/index.ts";
import { isLive, joinSlot, leaveSlot } from "./slots.ts";

const roles: Roles = {
  /** Joins so many times; returns the slots. */
  join(arena, [times]) {
    return Array.from({ length: times }, () => joinSlot(arena));
  },
};

if (!inWorker(roles)) {
  describe("a slot", () => {
    it("is free until a thread joins, and again when it has left", () => {
      const arena = createArena();
      const slot = joinSlot(arena);
      assert.equal(isLive(arena, slot), true);
      assert.notEqual(joinSlot(arena), slot);
      leaveSlot(arena, slot);
      assert.equal(isLive(arena, slot), false);
      assert.equal(joinSlot(arena), slot);
    });

    it("is never slot 0, which is the context's own", () => {
      const arena = createArena();
      assert.equal(joinSlot(arena), 1);
      assert.equal(isLive(arena, 0), false);
    });

    it("tells two threads apart that had it one after the other", () => {
      const arena = createArena();
      const at = slotAt(1) + SLOT_STATE;
      const seen = new Set<number>();
      for (let i = 0; i < 300; i++) {
        assert.equal(joinSlot(arena), 1);
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
        assert.equal(joinSlot(arena), 1);
        assert.equal(isLive(arena, 1), true);
        leaveSlot(arena, 1);
        assert.equal(isLive(arena, 1), false);
      }
    });

    it("is refused with EMFILE when all are taken", () => {
      const arena = createArena();
      for (let i = 1; i < MAX_SLOTS; i++) assert.equal(joinSlot(arena), i);
      assert.throws(() => joinSlot(arena), { code: "EMFILE" });
      leaveSlot(arena, 77);
      assert.equal(joinSlot(arena), 77);
    });

    it("goes to one thread, of several that join at a time", async () => {
      const arena = createArena();
      const crew = [1, 2, 3].map(() => startRole(import.meta.url, "join", arena, 50));
      const slots = (await Promise.all(crew.map(({ result }) => result))) as number[][];
      assert.equal(new Set(slots.flat()).size, 150);
    });
  });
}
