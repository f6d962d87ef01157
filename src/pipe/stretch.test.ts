// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  assertFreed,
  checkAll,
  createArena,
  createPair,
  createThread,
  type Pair,
} from "../testing/index.ts";

/** Two pipes, one behind the other. */
function createLine() {
  const arena = createArena();
  const sender = createThread(arena, 1);
  const middle = createThread(arena, 2);
  const receiver = createThread(arena, 3);
  const base = sender.pool.pages.usedBytes;
  const [from, to] = [createPair(sender, middle), createPair(middle, receiver)];
  return {
    words: arena.words,
    from,
    to,
    send(pair: Pair, ...messages: string[][]) {
      for (const message of messages) assert.ok(pair.writer.write(message));
      pair.writer.flush();
    },
    /** Passes a stretch of at most so many on; returns how many messages it had. */
    pass(most: number): number {
      const stretch = from.reader.stretch(most);
      if (stretch === undefined) return 0;
      const { at, size, messages } = stretch;
      assert.ok(to.writer.writeRecords(arena.words, at, size, messages));
      to.writer.flush();
      from.reader.skip(stretch);
      from.reader.release();
      return messages;
    },
    received(): string[][] {
      const messages: string[][] = [];
      for (let next = to.reader.read(); next !== undefined; next = to.reader.read()) {
        messages.push(next.map((part) => part.toString()));
        to.reader.release();
      }
      return messages;
    },
    end() {
      from.close();
      to.close();
      assertFreed(base, sender.pool, middle.pool, receiver.pool);
    },
  };
}

describe("a stretch", () => {
  it("has whole messages, as many as asked for, and their bytes", () => {
    const line = createLine();
    line.send(line.from, ["1"], ["22", "", "333"], ["4444"]);
    const stretch = line.from.reader.stretch(2);
    assert.deepEqual([stretch?.messages, stretch?.bytes], [2, 6]);
    assert.equal(line.pass(2), 2);
    assert.equal(line.pass(2), 1);
    assert.equal(line.pass(2), 0);
    assert.deepEqual(line.received(), [["1"], ["22", "", "333"], ["4444"]]);
    line.end();
  });

  it("ends before a message with a large body, and is none where that is the next", () => {
    const line = createLine();
    line.send(line.from, ["1"], ["x".repeat(5000)], ["2"]);
    assert.equal(line.pass(9), 1);
    assert.equal(line.from.reader.stretch(9), undefined);
    assert.equal(line.from.reader.read()?.[0]?.length, 5000);
    line.from.reader.release();
    assert.equal(line.pass(9), 1);
    assert.deepEqual(line.received(), [["1"], ["2"]]);
    line.end();
  });

  it("counts as so many messages at either watermark", () => {
    const line = createLine();
    line.send(line.from, ["1"], ["2"], ["3"]);
    const before = line.to.writer.room;
    assert.equal(line.pass(3), 3);
    assert.equal(line.to.writer.room, before - 3);
    assert.equal(line.to.reader.queued, 3);
    assert.equal(line.from.writer.queued, 0);
    assert.equal(line.received().length, 3);
    line.end();
  });

  it("takes messages of every length to the other lane, in order, over the ends of chunks", () => {
    const text = fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 5000 }));
    const message = fc.array(text, { minLength: 1, maxLength: 3 });
    const batches = fc.array(
      fc.record({ messages: fc.array(message, { maxLength: 40 }), most: fc.integer({ min: 1 }) }),
      { minLength: 1, maxLength: 20 },
    );
    const property = fc.property(batches, (all) => {
      const line = createLine();
      for (const { messages, most } of all) {
        const texts = messages.map((parts, i) => parts.map((length) => `${i % 10}`.repeat(length)));
        line.send(line.from, ...texts);
        let left = texts.length;
        while (left > 0) {
          const passed = line.pass(most);
          left -= passed;
          if (passed > 0) continue;
          const next = line.from.reader.read(); // With a large body.
          assert.ok(next?.some((part) => part.length > 4096));
          line.send(line.to, next?.map((part) => part.toString()) ?? []);
          line.from.reader.release();
          left--;
        }
        assert.deepEqual(line.received(), texts);
      }
      line.end();
    });
    checkAll("stretch", 50, property);
  });
});
