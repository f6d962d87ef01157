// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { claimOf } from "../base/index.ts";
import { load, MAX_SLOTS, SLOT_STATE, slotAt } from "../memory/index.ts";
import { createArena, FakeHost, inWorker, type Roles, startRole } from "../testing/index.ts";
import { isGone, isTaken, joinSlot, leaveSlot, leaveSlotOf, markEnded, VISITORS } from "./slots.ts";

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
      leaveSlotOf(arena, slot);
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

    it("is none when all are taken, but for the two of visitors", () => {
      const arena = createArena();
      for (let i = 1; i < VISITORS; i++) assert.equal(joinSlot(arena, host), i);
      assert.equal(joinSlot(arena, host), 0);
      const visit = () => joinSlot(arena, host, VISITORS, MAX_SLOTS);
      assert.deepEqual([visit(), visit(), visit()], [VISITORS, VISITORS + 1, 0]);
      leaveSlot(arena, 77);
      assert.equal(joinSlot(arena, host), 77);
    });

    it("is found by its claim if its thread died before it had signed, or after", () => {
      const arena = createArena();
      const { thread } = host;
      const [slot, other] = [1, 2].map((number) => {
        const of = new FakeHost();
        Object.assign(of.thread, { claim: claimOf(number), number, parent: thread.number });
        return joinSlot(arena, of);
      }) as [number, number];
      // As it was before the last store of joining, and before that of leaving.
      for (const at of [slotAt(slot) + SLOT_STATE, slotAt(other) + SLOT_STATE]) {
        arena.words[at] = (arena.words[at] as number) & -256;
      }
      markEnded(arena, 3);
      assert.deepEqual([isGone(arena, slot, host), isGone(arena, other, host)], [false, false]);
      markEnded(arena, 1);
      assert.deepEqual([isGone(arena, slot, host), isGone(arena, other, host)], [true, false]);
    });

    it("is that of a dead thread until its leaving is done, should who does it die too", () => {
      const arena = createArena();
      const slot = joinSlot(arena, host);
      markEnded(arena, host.thread.number);
      const { words } = arena;
      let looks = 0;
      const breaksOff = {
        get words() {
          if (looks++ > 0) throw new Error("dead");
          return words;
        },
      } as typeof arena;
      assert.throws(() => leaveSlotOf(breaksOff, slot), /dead/);
      assert.equal(isGone(arena, slot, host), true);
      words[slotAt(slot) + SLOT_STATE] = 2 << 8; // Or a step later.
      assert.equal(isGone(arena, slot, host), true);
      markEnded(arena, 77);
      leaveSlotOf(arena, slot);
      assert.deepEqual([isGone(arena, slot, host), isTaken(arena, slot)], [false, false]);
    });

    it("is not that of a dead thread if it changes hands while somebody asks", () => {
      const arena = createArena();
      const slot = joinSlot(arena, host);
      const next = new FakeHost();
      Object.assign(next.thread, { claim: 2 });
      const asked = new FakeHost();
      asked.hasEnded = () => {
        leaveSlot(arena, slot);
        assert.equal(joinSlot(arena, next), slot);
        return true; // Whoever is asked for by the claim of one, and the birth of the other.
      };
      assert.equal(isGone(arena, slot, asked), false);
    });

    it("goes to one thread, of several that join at a time", async () => {
      const arena = createArena();
      const crew = [1, 2, 3].map(() => startRole(import.meta.url, "join", arena, 50));
      const slots = (await Promise.all(crew.map(({ result }) => result))) as number[][];
      assert.equal(new Set(slots.flat()).size, 150);
    });
  });
}
