// SPDX-License-Identifier: MIT

/** stress — a ypipe between two real threads, with messages of sizes by a seed. */
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
import { END, FLAGS, LANE_WORDS, LENGTH, MORE, RECORD_HEAD, recordWords } from "./layout.ts";
import { createYpipe, destroyYpipe, YpipeReader, YpipeWriter } from "./ypipe.ts";

/** Each word of a message's bodies says the message's number, mixed. */
const mixed = (id: number): number => Math.imul(id + 1, 0x9e3779b1);

/** Beside the word that wakes: how many messages were taken. The writer is never far ahead. */
const TAKEN = 2;
const AHEAD = 4000;
const MOST_PARTS = 6;
/** After this the other thread is thought to have failed. */
const PATIENCE_MS = 10_000;

const roles: Roles = {
  /** Writes messages of sizes by the seed; says when the reader sleeps. Returns how often. */
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
      // Something that can never be had changes nothing.
      if (random.below(512) === 0 && writer.reserve(1 << 28) !== 0) return -3;
      const parts = random.below(4) === 0 ? 1 + random.below(MOST_PARTS) : 1;
      const sizes = Array.from({ length: parts }, () => {
        const big = random.below(1000) === 0;
        return recordWords(big ? random.below(4096) : random.below(90));
      });
      let record = writer.reserve(sizes.reduce((sum, size) => sum + size, 0));
      if (record === 0) return -1;
      for (const [index, size] of sizes.entries()) {
        arena.words[record + LENGTH] = (size - RECORD_HEAD) * 4;
        arena.words[record + FLAGS] = index < parts - 1 ? MORE : 0;
        for (let i = RECORD_HEAD; i < size; i++) arena.words[record + i] = mixed(id);
        record += size;
      }
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
        for (let more = true; more; ) {
          if (record >= end || (words[record + FLAGS] & END) !== 0)
            return `message ${id}: in pieces`;
          const size = recordWords(words[record + LENGTH]);
          for (let i = RECORD_HEAD; i < size; i++) {
            if (words[record + i] !== mixed(id)) return `message ${id}: ${words[record + i]}`;
          }
          more = (words[record + FLAGS] & MORE) !== 0;
          record += size;
        }
        id++;
        reader.advance(record);
        if (random.below(8) === 0) reader.giveBack();
      }
      reader.giveBack();
      store(arena.words, wake + TAKEN, id);
    }
    return reader.ready ? "too many" : sleeps;
  },
};

if (!inWorker(roles)) {
  describe("between two threads, a ypipe", () => {
    it("loses and splits nothing, and answers each sleep once (ypipe.ts I1, I3, I6)", async (t) => {
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
