// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createArena, inWorker, type Roles, startRole } from "../testing/index.ts";
import { load, or, store, waitAsync } from "./atomics.ts";
import { NAMES_LOCK, SLOT_STATE, SLOTS, slotAt } from "./layout.ts";
import { Lock } from "./lock.ts";

/** Words that nothing else uses here: the slots, of which these tests have none. */
const COUNT = SLOTS;
const INSIDE = SLOTS + 1;
const QUEUE = 1 << 30;

const roles: Roles = {
  /** Counts without atomics, under the lock. Returns how often it was not alone. */
  count(arena, [slot, times, canBlock]) {
    const lock = new Lock(arena, NAMES_LOCK, slot, canBlock === 1);
    const { words } = arena;
    let crowded = 0;
    for (let i = 0; i < times; i++) {
      lock.hold(() => {
        if (words[INSIDE] !== 0) crowded++;
        words[INSIDE] = slot;
        words[COUNT] += 1;
        if (words[INSIDE] !== slot) crowded++;
        words[INSIDE] = 0;
      });
    }
    return crowded;
  },

  /** Holds the lock until it is wanted. */
  holdUntilWanted(arena, [slot]) {
    const lock = new Lock(arena, NAMES_LOCK, slot, true);
    lock.hold(() => {
      store(arena.words, INSIDE, 1);
      while ((load(arena.words, NAMES_LOCK) & QUEUE) === 0);
    });
  },

  /** Takes the lock that another holds. Returns the word as it was inside. */
  want(arena, [slot]) {
    const lock = new Lock(arena, NAMES_LOCK, slot, true);
    while (load(arena.words, INSIDE) === 0);
    return lock.hold(() => load(arena.words, NAMES_LOCK));
  },
};

if (!inWorker(roles)) {
  describe("a lock", () => {
    it("gives back what its section returns, and is free then", () => {
      const arena = createArena();
      const lock = new Lock(arena, NAMES_LOCK, 3, true);
      assert.equal(
        lock.hold(() => 5),
        5,
      );
      assert.equal(load(arena.words, NAMES_LOCK), 0);
    });

    it("names who is in the section, and nobody else (I1)", () => {
      const arena = createArena();
      for (const slot of [0, 1, 255]) {
        const lock = new Lock(arena, NAMES_LOCK, slot, true);
        lock.hold(() => assert.equal(load(arena.words, NAMES_LOCK), slot + 1));
        assert.equal(load(arena.words, NAMES_LOCK), 0);
      }
    });

    it("is let go if its section throws", () => {
      const arena = createArena();
      const lock = new Lock(arena, NAMES_LOCK, 3, true);
      const fail = () => {
        throw new TypeError("mine");
      };
      assert.throws(() => lock.hold(fail), /mine/);
      assert.equal(load(arena.words, NAMES_LOCK), 0);
    });

    it("is not taken twice by one thread, and survives the attempt", () => {
      const arena = createArena();
      const lock = new Lock(arena, NAMES_LOCK, 3, true);
      lock.hold(() => {
        assert.throws(() => lock.hold(() => {}), /a lock is not taken twice/);
        assert.equal(load(arena.words, NAMES_LOCK), 4);
      });
      assert.equal(load(arena.words, NAMES_LOCK), 0);
    });

    it("names which of the threads it is that have had the slot (I1)", () => {
      const arena = createArena();
      const names = new Set<number>();
      for (const incarnation of [0, 1, 2, 2 ** 20, 2 ** 21 - 1]) {
        arena.words[slotAt(7) + SLOT_STATE] = (incarnation << 8) | 1;
        const lock = new Lock(arena, NAMES_LOCK, 7, true);
        const name = lock.hold(() => load(arena.words, NAMES_LOCK));
        assert.equal(name & 0x1ff, 8);
        assert.ok(name > 0 && name < QUEUE);
        names.add(name);
      }
      assert.equal(names.size, 5);
    });

    it("is not taken from who has the slot of the dead thread that held it (I1)", () => {
      const arena = createArena();
      const { words } = arena;
      const nameOfNext = (): number => {
        words[slotAt(1) + SLOT_STATE] += 1 << 8;
        const lock = new Lock(arena, NAMES_LOCK, 1, true);
        return lock.hold(() => load(words, NAMES_LOCK));
      };
      store(words, NAMES_LOCK, nameOfNext());
      let asked = 0;
      let next = 0;
      let repairs = 0;
      const keeper = {
        isGone(slot: number): boolean {
          assert.equal(slot, 1);
          if (asked++ === 0) {
            // While we ask, the dead one is mourned; the next has its slot, and is in the section.
            store(words, NAMES_LOCK, 0);
            next = nameOfNext();
            store(words, NAMES_LOCK, next);
            return true;
          }
          assert.equal(load(words, NAMES_LOCK), next, "the next one still has it");
          store(words, NAMES_LOCK, 0);
          return false;
        },
        repair: () => repairs++,
      };
      const lock = new Lock(arena, NAMES_LOCK, 3, true, keeper);
      lock.hold(() => {});
      assert.deepEqual({ asked, repairs }, { asked: 2, repairs: 0 });
    });

    it("is not let go by another than its holder (I1)", () => {
      const arena = createArena();
      const lock = new Lock(arena, NAMES_LOCK, 3, true);
      assert.throws(() => lock.hold(() => store(arena.words, NAMES_LOCK, 9)), /let go by its/);
    });

    it("lets in one thread at a time, of those that block and those that spin", async () => {
      const arena = createArena();
      const times = 20_000;
      const crew = [
        startRole(import.meta.url, "count", arena, 1, times, 1),
        startRole(import.meta.url, "count", arena, 2, times, 1),
        startRole(import.meta.url, "count", arena, 3, times, 0),
      ];
      const crowded = await Promise.all(crew.map(({ result }) => result));
      assert.deepEqual(crowded, [0, 0, 0]);
      assert.equal(arena.words[COUNT], 3 * times);
      assert.equal(load(arena.words, NAMES_LOCK), 0);
    });

    it("wakes who waits on its very word, when it is let go (I2)", async () => {
      const arena = createArena();
      const lock = new Lock(arena, NAMES_LOCK, 3, true);
      const woken = lock.hold(() => {
        or(arena.words, NAMES_LOCK, QUEUE);
        return waitAsync(arena.words, NAMES_LOCK, 4 | QUEUE);
      });
      assert.equal(await woken, "ok");
    });

    it("says that it is waited for, and is handed on with that mark (I2)", async () => {
      const arena = createArena();
      const holder = startRole(import.meta.url, "holdUntilWanted", arena, 1);
      const next = startRole(import.meta.url, "want", arena, 2);
      await holder.result;
      assert.equal(await next.result, 3 | QUEUE);
      assert.equal(load(arena.words, NAMES_LOCK), 0);
    });
  });
}
