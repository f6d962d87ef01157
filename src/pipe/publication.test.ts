// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Addr, SLOT_BODIES, slotAt } from "../memory/index.ts";
import { assertFreed, checkAll, createArena, createPair, createThread } from "../testing/index.ts";
import { type MessageLike, prepare } from "./message.ts";
import { Publication, settlePublication } from "./publication.ts";
import type { PipeWriter } from "./writer.ts";

const LARGE = 100_000;

/** A thread that publishes into so many lanes, each of which is another thread's. */
function createRig(lanes: number, maxBytes = 1 << 26) {
  const arena = createArena({ maxBytes });
  const sender = createThread(arena, 1);
  const base = sender.pool.pages.usedBytes;
  const receivers = Array.from({ length: lanes }, (_, i) => createThread(arena, 2 + i));
  const pairs = receivers.map((receiver) => createPair(sender, receiver));
  const publication = new Publication(sender);
  const writers = pairs.map(({ writer }) => writer);
  return {
    arena,
    sender,
    pairs,
    publication,
    used: () => sender.pool.pages.usedBytes,
    /** Publishes to these lanes. Says which of them have it. */
    publish(message: MessageLike, to: readonly PipeWriter[] = writers): boolean[] {
      publication.begin(prepare(message, sender.pool), to.length);
      const got = to.map((writer) => publication.writeTo(writer));
      publication.end();
      for (const writer of to) writer.flush();
      return got;
    },
    /** Takes a message from a lane, and gives its room back. */
    take(lane: number): string | undefined {
      const reader = pairs[lane]?.reader;
      const message = reader?.read();
      reader?.release();
      return message?.map(brief).join("|");
    },
    end() {
      for (const pair of pairs) pair.close();
      assertFreed(base, sender.pool, ...receivers.map(({ pool }) => pool));
      assert.equal(arena.words[slotAt(1) + SLOT_BODIES], 0);
    },
  };
}

function brief(part: Uint8Array): string {
  const text = Buffer.from(part).toString("latin1");
  if (text.length <= 10) return text;
  assert.equal(text, (text[0] as string).repeat(text.length), "a body is whole");
  return `${text[0]}*${text.length}`;
}

describe("publication", () => {
  it("throws before it begins if bytes of the message are gone, also for one lane", () => {
    const rig = createRig(2);
    for (const lanes of [1, 2]) {
      const part = new Uint8Array(8);
      const message = prepare([part, "b"], rig.sender.pool);
      structuredClone(part, { transfer: [part.buffer] });
      assert.throws(() => rig.publication.begin(message, lanes), { code: "EINVAL" });
    }
    assert.deepEqual(rig.publish("a"), [true, true]);
    assert.deepEqual([rig.take(0), rig.take(1)], ["a", "a"]);
    rig.end();
  });

  it("gives each lane the same message, small or large, of one part or many", () => {
    const rig = createRig(3);
    const large = "x".repeat(LARGE);
    const messages = ["a", ["b", "c"], large, ["d", large, "e", "y".repeat(5000)], null];
    for (const message of messages) assert.deepEqual(rig.publish(message), [true, true, true]);
    for (const lane of [2, 0, 1]) {
      const got = messages.map(() => rig.take(lane));
      assert.deepEqual(got, ["a", "b|c", "x*100000", "d|x*100000|e|y*5000", ""]);
      assert.equal(rig.take(lane), undefined);
    }
    rig.end();
  });

  it("has a large body in memory once, until the last lane has read it", () => {
    const rig = createRig(8);
    rig.publish("x".repeat(LARGE));
    const full = rig.used();
    assert.ok(full < 2 * LARGE + 8 * 50_000, "it is there once");
    for (let lane = 0; lane < 8; lane++) {
      assert.equal(rig.used(), full, "it is still there");
      assert.equal(rig.take(lane), "x*100000");
    }
    rig.sender.pool.trim();
    assert.ok(rig.used() < full - LARGE);
    rig.end();
  });

  it("to one lane is as any message", () => {
    const rig = createRig(2);
    rig.publish(["x".repeat(LARGE), "a"], [rig.pairs[1]?.writer as PipeWriter]);
    assert.equal(rig.take(0), undefined);
    assert.equal(rig.take(1), "x*100000|a");
    rig.end();
  });

  it("takes back the part of lanes that have no memory for their records", () => {
    const rig = createRig(2, 1 << 20);
    const [, second] = rig.pairs.map(({ writer }) => writer) as [PipeWriter, PipeWriter];
    const hog = createThread(rig.arena, 9).pool;
    const hogged: Addr[] = [];
    for (let at = hog.allocate(4000); at !== 0; at = hog.allocate(4000)) hogged.push(at);
    while (second.write("a"));
    second.flush();
    hog.free(hogged.pop() as Addr);
    hog.trim(); // A page, for one body.
    for (let i = 0; i < 10; i++) {
      const got = rig.publish("y".repeat(9000));
      assert.deepEqual(got, [true, false], "there is memory for a body each time");
      assert.equal(rig.take(0), "y*9000");
    }
    for (const at of hogged) hog.free(at);
    hog.trim();
    rig.end();
  });

  it("that does not fit into memory leaves nothing behind", () => {
    const rig = createRig(2, 1 << 20);
    const message = Array.from({ length: 3 }, () => "x".repeat(120_000));
    assert.deepEqual(rig.publish(message), [true, true]);
    const used = rig.used();
    assert.deepEqual(rig.publish(message), [false, false]);
    rig.sender.pool.trim();
    assert.equal(rig.used(), used);
    for (const text of [message.map((part) => `x*${part.length}`).join("|"), undefined]) {
      assert.deepEqual([rig.take(0), rig.take(1)], [text, text]);
    }
    rig.end();
  });

  it("that nobody has read goes with the lanes", () => {
    const rig = createRig(3);
    for (let i = 0; i < 5; i++) rig.publish(["x".repeat(LARGE), "y".repeat(5000)]);
    rig.take(1);
    rig.end();
  });

  it("settles what is under way when its thread is gone, as far as it has come", () => {
    for (const shown of [0, 1, 2, 3]) {
      const rig = createRig(3);
      const { publication, pairs } = rig;
      publication.begin(prepare(["x".repeat(LARGE), "y".repeat(5000)], rig.sender.pool), 3);
      for (const { writer } of pairs.slice(0, shown)) publication.writeTo(writer);
      for (let again = 0; again < 2; again++) {
        settlePublication(rig.arena, createThread(rig.arena, 9).pool, 1);
      }
      for (let lane = 0; lane < 3; lane++) {
        assert.equal(rig.take(lane), lane < shown ? "x*100000|y*5000" : undefined);
      }
      rig.end();
    }
  });

  it("loses and doubles nothing, whatever is published, read and given up", () => {
    const part = fc.constantFrom("", "a", "b".repeat(4096), "c".repeat(4097), "d".repeat(50_000));
    const step = fc.oneof(
      fc.record({
        to: fc.subarray([0, 1, 2, 3], { minLength: 1 }),
        message: fc.array(part, { minLength: 1, maxLength: 4 }),
      }),
      fc.record({ lane: fc.nat(3) }),
    );
    const check = (steps: ({ to: number[]; message: string[] } | { lane: number })[]): void => {
      const rig = createRig(4);
      const expected: string[][] = [[], [], [], []];
      for (const one of steps) {
        if ("lane" in one) assert.equal(rig.take(one.lane), expected[one.lane]?.shift());
        else {
          const writers = one.to.map((lane) => rig.pairs[lane]?.writer as PipeWriter);
          assert.ok(rig.publish(one.message, writers).every(Boolean));
          const text = one.message.map((each) => brief(Buffer.from(each))).join("|");
          for (const lane of one.to) expected[lane]?.push(text);
        }
      }
      rig.end();
    };
    checkAll("publication", 100, fc.property(fc.array(step, { maxLength: 30 }), check));
  });
});
