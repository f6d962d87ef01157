// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load } from "../memory/index.ts";
import { LANE_READ, LANE_WAKE_AT, LANE_WRITTEN, ONE, WAITS } from "../queue/index.ts";
import { assertFreed, createArena, createPair, createThread } from "../testing/index.ts";
import { PIPE_OUT } from "./layout.ts";
import { NO_READER } from "./writer.ts";

/** A pipe with watermarks, whose counts begin anywhere; they go in steps of {@link ONE}. */
function createRig(own: number, peer: number, count = 0) {
  const arena = createArena();
  const sender = createThread(arena, 1);
  const receiver = createThread(arena, 2);
  const base = sender.pool.pages.usedBytes;
  let lane = 0;
  const pair = createPair(sender, receiver, {
    sendHighWaterMark: own,
    receiveHighWaterMark: peer,
    prepare(at) {
      lane = arena.words[at + PIPE_OUT];
      arena.words[lane + LANE_WRITTEN] = count;
      arena.words[lane + LANE_READ] = count;
    },
  });
  const { writer, reader } = pair;
  return {
    ...pair,
    arena,
    lane,
    sender,
    /** Writes until it is full, at most so many; returns how many that were. */
    fill(most = 100_000): number {
      let written = 0;
      for (; written < most && writer.hasRoom; written++) assert.ok(writer.write("x"));
      writer.flush();
      return written;
    },
    take(count: number): void {
      for (let i = 0; i < count; i++) assert.ok(reader.read());
      reader.release();
    },
    get waits(): boolean {
      return (load(arena.words, lane + LANE_READ) & WAITS) !== 0;
    },
    /** What the writing end has heard since. */
    heard(): string[] {
      sender.dispatch();
      return pair.heard.splice(0);
    },
    end() {
      pair.close();
      assertFreed(base, sender.pool, receiver.pool);
    },
  };
}

describe("the watermark of a pipe", () => {
  it("tells once that the pipe is full, and that half of it is free again", () => {
    const rig = createRig(3, 5, -10);
    const told: boolean[] = [];
    rig.writer.onFull = (full) => told.push(full);
    assert.equal(rig.fill(8), 8);
    assert.deepEqual(told, [], "full it may be: nobody has tried");
    for (let i = 0; i < 3; i++) assert.equal(rig.writer.hasRoom, false);
    rig.writer.wait();
    assert.deepEqual(told, [true]);
    for (let i = 0; i < 10; i++) {
      rig.take(1);
      assert.equal(rig.fill(), 1);
    }
    rig.take(3);
    assert.equal(rig.writer.hasRoom, true);
    assert.deepEqual(told, [true], "kept near its limit");
    assert.equal(rig.fill(), 3);
    rig.take(4);
    assert.equal(rig.writer.hasRoom, true);
    assert.deepEqual(told, [true, false]);
    rig.fill();
    assert.deepEqual(told, [true, false, true]);
    rig.reader.highWaterMark = 0;
    assert.equal(rig.writer.hasRoom, true);
    assert.deepEqual(told, [true, false, true, false], "there is no limit any more");
    rig.end();
  });

  for (const [own, peer] of [
    [1, 1],
    [3, 5],
    [1000, 1000],
    [1, 2000],
    [7, NO_READER],
    [1, NO_READER],
  ] as const) {
    it(`of ${own} here and ${peer} there lets in exactly so many`, () => {
      const rig = createRig(own, peer);
      const most = own + Math.max(peer, 0);
      assert.equal(rig.fill(), most);
      assert.equal(rig.writer.hasRoom, false);
      assert.equal(rig.connecter.queuedOut, most);
      rig.take(1);
      assert.equal(rig.fill(), 1);
      rig.take(most);
      assert.equal(rig.fill(), most);
      rig.end();
    });
  }

  for (const [own, peer] of [
    [0, 0],
    [0, 5],
    [5, 0],
    [0, NO_READER],
  ] as const) {
    it(`of ${own} here and ${peer} there is none`, () => {
      const rig = createRig(own, peer);
      assert.equal(rig.fill(20_000), 20_000);
      assert.equal(rig.writer.hasRoom, true);
      assert.equal(rig.writer.wait(), false);
      rig.end();
    });
  }

  for (const [own, peer] of [
    [2 ** 31 - 1, 1],
    [1, 2 ** 31 - 1],
    [2 ** 31 - 1, 2 ** 31 - 1],
    [2 ** 31 - 1, NO_READER],
    [2 ** 30, 2 ** 30],
  ] as const) {
    it(`may be as large as an option can be: ${own} here and ${peer} there`, () => {
      const rig = createRig(own, peer);
      assert.equal(rig.fill(100), 100);
      rig.end();
    });
  }

  for (const count of [2 ** 31 - 6, 2 ** 31 - 2, -(2 ** 31), -6, -2, 2 ** 30 - 2]) {
    it(`holds where the counts wrap: from ${count >>> 0}`, () => {
      const rig = createRig(4, 6, count | 0);
      assert.equal(rig.fill(), 10);
      assert.equal(rig.connecter.queuedOut, 10);
      assert.equal(rig.binder.queuedIn, 10);
      assert.equal(rig.writer.wait(), true);
      rig.take(4);
      assert.deepEqual(rig.heard(), []);
      rig.take(1);
      assert.deepEqual(rig.heard(), ["write"]);
      assert.equal(rig.fill(), 5);
      rig.take(10);
      assert.equal(rig.connecter.queuedOut, 0);
      rig.end();
      const free = createRig(0, 0, count | 0);
      assert.equal(free.fill(3000), 3000);
      free.end();
    });
  }

  it("may be raised while the pipe is full, on either side", () => {
    const rig = createRig(2, 2);
    assert.equal(rig.fill(), 4);
    rig.writer.highWaterMark = 5;
    assert.equal(rig.fill(), 3);
    rig.reader.highWaterMark = 10;
    assert.equal(rig.fill(), 8);
    rig.reader.highWaterMark = 0;
    assert.equal(rig.fill(5000), 5000);
    rig.end();
  });

  it("may be lowered while the pipe is full: nothing is let in until it is below", () => {
    const rig = createRig(5, 5);
    assert.equal(rig.fill(), 10);
    rig.writer.highWaterMark = 1;
    rig.reader.highWaterMark = 2;
    rig.take(7);
    assert.equal(rig.writer.hasRoom, false);
    rig.take(1);
    assert.equal(rig.fill(), 1);
    rig.end();
  });

  it("may be lowered from none, and raised to none", () => {
    const rig = createRig(0, 5);
    assert.equal(rig.fill(500), 500);
    rig.writer.highWaterMark = 10;
    assert.equal(rig.writer.hasRoom, false);
    rig.take(485);
    assert.equal(rig.writer.hasRoom, false);
    rig.take(1);
    assert.equal(rig.fill(), 1);
    rig.writer.highWaterMark = 0;
    assert.equal(rig.fill(500), 500);
    rig.end();
  });

  it("is the writer's alone once the reader has left", () => {
    const rig = createRig(3, 4);
    rig.binder.leave();
    assert.equal(rig.fill(), 3);
    rig.connecter.leave();
  });
});

describe("a writer that waits for room", () => {
  it("is not let to while there is some", () => {
    const rig = createRig(2, 2);
    rig.fill(3);
    assert.equal(rig.writer.wait(), false);
    rig.fill();
    rig.reader.read();
    rig.reader.release();
    assert.equal(rig.writer.wait(), false, "there is room since, though it was not looked at");
    rig.end();
  });

  for (const [own, peer] of [
    [1, 1],
    [1, NO_READER],
    [1, 2],
    [5, 5],
    [500, 501],
  ] as const) {
    it(`is woken once, when half of ${own} + ${peer} have been read`, () => {
      const rig = createRig(own, peer);
      const most = rig.fill();
      assert.equal(rig.writer.wait(), true);
      const half = Math.floor(most / 2);
      const wakeAt = load(rig.arena.words, rig.lane + LANE_WAKE_AT);
      assert.equal(Math.ceil(wakeAt / ONE), most - half);
      for (let read = 1; read <= most; read++) {
        rig.take(1);
        assert.deepEqual(rig.heard(), read === most - half ? ["write"] : [], `after ${read}`);
      }
      assert.equal(rig.waits, false);
      rig.end();
    });
  }

  it("is woken when the reader raises its watermark, or leaves", () => {
    const rig = createRig(2, 2);
    rig.fill();
    assert.equal(rig.writer.wait(), true);
    rig.reader.highWaterMark = 3;
    assert.deepEqual(rig.heard(), ["write"]);
    rig.fill();
    assert.equal(rig.writer.wait(), true);
    rig.binder.leave();
    assert.deepEqual(rig.heard(), ["write"]);
    rig.connecter.leave();
  });

  it("is woken once there is room after both sides lowered theirs", () => {
    const rig = createRig(10, 10);
    rig.fill();
    rig.writer.highWaterMark = 1;
    assert.equal(rig.writer.wait(), true);
    rig.reader.highWaterMark = 1;
    for (let woken = rig.heard().length; !rig.writer.hasRoom; woken = rig.heard().length) {
      if (woken > 0 || !rig.waits) {
        if (!rig.writer.wait()) break;
      }
      rig.take(1);
    }
    assert.equal(rig.connecter.queuedOut, 1);
    rig.end();
  });

  it("wakes nobody by itself, and needs no wake-up if it tries again", () => {
    const rig = createRig(5, 5);
    rig.fill();
    rig.writer.wait();
    rig.take(1);
    assert.deepEqual(rig.heard(), []);
    assert.equal(rig.fill(), 1);
    rig.end();
  });
});

describe("showing", () => {
  it("wakes a reader that sleeps, once", () => {
    const arena = createArena();
    const [sender, receiver] = [createThread(arena, 1), createThread(arena, 2)];
    const pair = createPair(sender, receiver);
    assert.equal(pair.reader.sleep(), true);
    pair.writer.write("a");
    receiver.dispatch();
    assert.deepEqual(pair.heard, []);
    pair.writer.flush();
    pair.writer.write("b");
    pair.writer.flush();
    receiver.dispatch();
    assert.deepEqual(pair.heard, ["read"]);
    assert.equal(pair.reader.sleep(), false);
    pair.close();
  });
});
