// SPDX-License-Identifier: MIT

/** stress — a ypipe between two real threads, with records of sizes by a seed. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { add, exchange, load, notify, Pool, store, wait } from "../memory/index.ts";
import {
  assertFreed,
  createArena,
  inWorker,
  type Roles,
  seeded,
  startRole,
} from "../testing/index.ts";
import { END, FLAGS, LANE_WORDS, LENGTH, RECORD_HEAD, recordWords } from "./layout.ts";
import { createYpipe, destroyYpipe, YpipeReader, YpipeWriter } from "./ypipe.ts";

/** Each of a record's words says the record's number, mixed. */
const mixed = (id: number): number => Math.imul(id + 1, 0x9e3779b1);

/** Beside the word that wakes: how many records were taken. The writer is never far ahead. */
const TAKEN = 2;
const AHEAD = 4000;
/** After this the other thread is thought to have failed. */
const PATIENCE_MS = 10_000;

const roles: Roles = {
  /** Writes records of sizes by the seed; says when the reader sleeps. Returns how often. */
  write(arena, [at, wake, count, seed]) {
    const pool = new Pool(arena, 1, true);
    const writer = new YpipeWriter(arena, pool, at);
    const random = seeded("stress", seed);
    let wakeUps = 0;
    const show = (): void => {
      if (writer.flush()) return;
      wakeUps++;
      add(arena.words, wake, 1);
      notify(arena.words, wake);
    };
    for (let id = 0; id < count; id++) {
      if (id - load(arena.words, wake + TAKEN) > AHEAD) {
        show();
        const end = performance.now() + PATIENCE_MS;
        while (id - load(arena.words, wake + TAKEN) > AHEAD / 2) {
          if (performance.now() > end) return -2;
        }
      }
      if (random.below(64) === 0) {
        // Something that is taken back, perhaps with a change of chunk.
        writer.mark();
        for (const size of [random.below(800), random.below(200)]) {
          const record = writer.reserve(2 * size + RECORD_HEAD);
          arena.words[record + LENGTH] = 8 * size;
          arena.words[record + FLAGS] = 0;
        }
        writer.rollback();
      }
      const big = random.below(1000) === 0;
      const size = recordWords(big ? random.below(4096) : random.below(90));
      const record = writer.reserveWhole(size);
      if (record === 0) return -1;
      arena.words[record + LENGTH] = (size - RECORD_HEAD) * 4;
      arena.words[record + FLAGS] = 0;
      for (let i = RECORD_HEAD; i < size; i++) arena.words[record + i] = mixed(id);
      if (random.below(8) === 0 || id === count - 1) show();
    }
    return wakeUps;
  },

  /** Reads and checks them. Returns how often it slept, or what was wrong. */
  read(arena, [at, wake, count, seed]) {
    const pool = new Pool(arena, 2, true);
    const reader = new YpipeReader(arena, pool, at);
    const random = seeded("stress", seed + 1);
    let sleeps = 0;
    for (let id = 0; id < count; ) {
      const run = reader.run();
      if (run === 0) {
        if (random.below(4) !== 0 || !reader.sleep()) continue;
        sleeps++;
        // Each sleep is answered once, and then the word has grown by one (ypipe.ts I3).
        // A wait may end early: the notification of the last wake-up can come after it was seen.
        let woken = load(arena.words, wake);
        while (woken === sleeps - 1 && wait(arena.words, wake, woken, PATIENCE_MS)) {
          woken = load(arena.words, wake);
        }
        if (woken !== sleeps) return `${sleeps} sleeps, ${woken} wake-ups`;
        continue;
      }
      const { words } = arena;
      const end = reader.front + run;
      for (let record = reader.front; record < end; ) {
        if ((words[record + FLAGS] & END) !== 0) break;
        const size = recordWords(words[record + LENGTH]);
        for (let i = RECORD_HEAD; i < size; i++) {
          if (words[record + i] !== mixed(id)) return `record ${id}: ${words[record + i]}`;
        }
        id++;
        record += size;
        reader.advance(record);
      }
      store(arena.words, wake + TAKEN, id);
    }
    return reader.ready ? "too many" : sleeps;
  },
};

if (!inWorker(roles)) {
  describe("between two threads, a ypipe", () => {
    it("loses nothing, and answers each sleep once (ypipe.ts I1, I3)", async (t) => {
      const random = seeded("stress");
      t.diagnostic(random.repeat);
      const arena = createArena();
      const pool = new Pool(arena, 3, true);
      const base = pool.pages.usedBytes;
      const at = pool.allocate(LANE_WORDS);
      const wake = pool.allocate(16);
      arena.words.fill(0, wake, wake + 16);
      assert.ok(createYpipe(arena, pool, at));
      const argument = [at, wake, 2_000_000, random.seed];
      const writer = startRole(import.meta.url, "write", arena, ...argument);
      const reader = startRole(import.meta.url, "read", arena, ...argument);
      const sleeps = await reader.result;
      assert.equal(typeof sleeps, "number", `${sleeps}. ${random.repeat}`);
      const wakeUps = await writer.result;
      assert.equal(sleeps, wakeUps, random.repeat);
      assert.equal(exchange(arena.words, wake, 0), wakeUps);
      destroyYpipe(arena, pool, at);
      pool.free(at);
      pool.free(wake);
      for (const slot of [1, 2]) new Pool(arena, slot, true).leave();
      assertFreed(base, pool);
    });
  });
}
