// SPDX-License-Identifier: MIT

/** What a writer or a reader leaves that dies at any step, and how it is put in order. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Addr, Arena, load, store } from "../memory/index.ts";
import { allocateBeyond, createLane, type Lane } from "../testing/index.ts";
import { markRedelivered } from "./handed.ts";
import { isHeld, isUnread } from "./holds.ts";
import {
  BODY_HEAD,
  CHUNK_HEAD,
  END,
  FLAGS,
  LANE_C,
  LANE_CHUNK_SIZE,
  LANE_FREE_AT,
  LANE_FREE_CHUNK,
  LANE_FRONT,
  LANE_HANDED,
  LANE_HELD,
  LANE_NEXT_WRITTEN,
  LANE_READER_CHUNK,
  LANE_W,
  LANE_WORDS,
  LANE_WRITER_CHUNK,
  LANE_WRITER_END,
  LANE_WRITTEN,
  LENGTH,
  MORE,
  RECORD_HEAD,
  REDELIVERED,
  REFERENCE,
  REFERENCE_WORDS,
  recordSize,
  recordWords,
} from "./layout.ts";
import { repairReader, repairWriter, YpipeReader, YpipeWriter } from "./ypipe.ts";

/** A writer of messages of one record: a number, or a body of its own that holds it. */
class Writer extends YpipeWriter {
  put(id: number, apart = false, more = 0): void {
    const { words } = this.arena;
    let body = 0;
    if (apart) {
      body = this.pool.allocate(BODY_HEAD + 1);
      words[body] = 1;
      this.take(body);
      words[body + BODY_HEAD] = id;
    }
    const at = this.reserve(apart ? REFERENCE_WORDS : recordWords(8));
    words[at + LENGTH] = apart ? 4 : 8;
    words[at + FLAGS] = more | (apart ? REFERENCE : 0);
    words[at + RECORD_HEAD] = apart ? body : id;
    if (more === 0) this.written += 2;
  }
}

interface Rig extends Omit<Lane, "end"> {
  readonly writer: Writer;
  /** Takes what there is, as the next reader does. */
  takeAll(): number[];
  end(): void;
}

function createRig(): Rig {
  const lane = createLane();
  const { arena, pool, far, at } = lane;
  return {
    ...lane,
    writer: new Writer(arena, pool, at),
    takeAll: () => takeAll(arena, new YpipeReader(arena, far, at)),
    end: () => lane.end(far),
  };
}

function takeAll(arena: Arena, reader: YpipeReader, most = 10_000): number[] {
  const ids: number[] = [];
  const { words } = arena;
  while (ids.length < most && reader.run() > 0) {
    const at = reader.front;
    const apart = (words[at + FLAGS] & REFERENCE) !== 0;
    const value = words[at + RECORD_HEAD];
    ids.push(apart ? words[value + BODY_HEAD] : value);
    reader.advance(at + recordSize(words, at), true);
  }
  reader.giveBack();
  return ids;
}

/** Small chunks, and every third message with a body: much to hold. */
function putMany(rig: Rig, from: number, to: number): void {
  for (let id = from; id < to; id++) {
    rig.arena.words[rig.at + LANE_CHUNK_SIZE] = 8;
    rig.writer.put(id, id % 3 === 0);
  }
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const WRITER_WORDS = [LANE_W, LANE_WRITTEN, LANE_HELD, LANE_WRITER_CHUNK, LANE_WRITER_END] as const;

describe("a writer that dies", () => {
  for (const count of [1, 2, 40, 200]) {
    for (const asleep of [false, true]) {
      const how = asleep ? " to a sleeper" : "";
      it(`before the swap of c${how}, ${count} written: none is there (ypipe.ts I4)`, () => {
        const rig = createRig();
        if (asleep) new YpipeReader(rig.arena, rig.far, rig.at).sleep();
        putMany(rig, 0, count);
        rig.arena.words[rig.at + LANE_NEXT_WRITTEN] = 2 * count;
        repairWriter(rig.arena, rig.far, rig.at);
        repairWriter(rig.arena, rig.far, rig.at);
        assert.equal(rig.arena.words[rig.at + LANE_HELD], 0);
        assert.equal(rig.arena.words[rig.at + LANE_WRITTEN], 0);
        assert.deepEqual(rig.takeAll(), []);
        rig.end();
      });

      it(`after the swap of c${how}, ${count} shown: all are there (ypipe.ts I1)`, () => {
        const rig = createRig();
        const { arena, at } = rig;
        if (asleep) new YpipeReader(arena, rig.far, at).sleep();
        putMany(rig, 0, count);
        const before = WRITER_WORDS.map((word) => arena.words[at + word]);
        rig.writer.flush();
        for (const [i, word] of WRITER_WORDS.entries())
          arena.words[at + word] = before[i] as number;
        repairWriter(arena, rig.far, at);
        repairWriter(arena, rig.far, at);
        assert.equal(arena.words[at + LANE_W], load(arena.words, at + LANE_C), "ypipe.ts I1");
        assert.equal(arena.words[at + LANE_WRITTEN], 2 * count);
        // The role passes on: the next one writes behind, and knows where its chunk ends.
        const end = arena.words[at + LANE_WRITER_CHUNK];
        assert.equal(arena.words[at + LANE_WRITER_END], end + arena.words[end]);
        const next = new Writer(arena, rig.far, at);
        for (let id = 1000; id < 1100; id++) next.put(id);
        next.flush();
        assert.deepEqual(rig.takeAll(), [...numbers(0, count), ...numbers(1000, 1100)]);
        rig.end();
      });
    }
  }

  it("with some shown and some not: those are there, and these not (ypipe.ts I1, I4)", () => {
    const rig = createRig();
    putMany(rig, 0, 30);
    rig.writer.flush();
    putMany(rig, 30, 60);
    const held = rig.arena.words[rig.at + LANE_HELD];
    assert.ok(isHeld(rig.arena.words, rig.at, held));
    assert.ok(!isHeld(rig.arena.words, rig.at, rig.arena.words[rig.at + LANE_READER_CHUNK]));
    repairWriter(rig.arena, rig.far, rig.at);
    const next = new Writer(rig.arena, rig.far, rig.at);
    next.put(1000);
    next.flush();
    assert.deepEqual(rig.takeAll(), [...numbers(0, 30), 1000]);
    rig.end();
  });
});

describe("a reader that dies", () => {
  /** A rig with a reader that has taken half of all, and given nothing back. */
  function halfRead(): Rig & { reader: YpipeReader; bodies: Addr[]; chunks: Addr[] } {
    const rig = createRig();
    putMany(rig, 0, 120);
    rig.writer.flush();
    const { words } = rig.arena;
    const [bodies, chunks] = [[], [words[rig.at + LANE_READER_CHUNK]]] as [Addr[], Addr[]];
    const reader = new YpipeReader(rig.arena, rig.far, rig.at);
    for (let left = 60, at = reader.front; left > 0; ) {
      if ((words[at + FLAGS] & END) !== 0) {
        chunks.push(words[at + LENGTH]);
        at = words[at + LENGTH] + CHUNK_HEAD;
        continue;
      }
      if ((words[at + FLAGS] & REFERENCE) !== 0) bodies.push(words[at + RECORD_HEAD]);
      at += recordSize(words, at);
      reader.advance(at, true);
      left--;
    }
    return { ...rig, reader, bodies, chunks };
  }

  it("having given nothing back: the next one gets all of it", () => {
    const rig = halfRead();
    repairReader(rig.arena, rig.pool, rig.at);
    assert.deepEqual(rig.takeAll(), numbers(0, 120));
    rig.end();
  });

  it("with blocks unread, where the writer goes on in memory that who looks has not seen", () => {
    const rig = createRig();
    const { arena, at, pool } = rig;
    const late = Arena.open(arena.buffer);
    const last = pool.allocate(1016);
    pool.putBack(last);
    allocateBeyond(pool, 16, late);
    putMany(rig, 0, 60);
    arena.words[at + LANE_CHUNK_SIZE] = 508;
    for (let id = 60; id < 90; id++) rig.writer.put(id);
    rig.writer.flush();
    assert.ok(load(arena.words, at + LANE_C) > last, "the end is there");
    assert.ok(load(arena.words, at + LANE_C) < last + 1016);
    assert.ok(isUnread(late, at, last));
    assert.ok(!isUnread(late, at, at));
    assert.deepEqual(rig.takeAll(), numbers(0, 90));
  });

  /** Lets the reader give back, and die before it frees the block that `isLast` says. */
  function dieGivingBack(rig: ReturnType<typeof halfRead>, isLast: (block: Addr) => boolean): void {
    const { far, reader } = rig;
    const free = (block: Addr) => {
      if (isLast(block)) throw new Error("dies");
      far.free(block);
    };
    const hold = (block: Addr) => far.hold(block);
    Object.defineProperty(reader, "pool", { value: { hold, free } });
    assert.throws(() => reader.giveBack(), /dies/);
    assert.equal(rig.arena.words[rig.at + LANE_FRONT], reader.front);
    assert.notEqual(rig.arena.words[rig.at + LANE_FREE_AT], 0);
  }

  /** What it was about to free is in its hand, and the rest where it says. */
  function repairAndEnd(rig: ReturnType<typeof halfRead>): void {
    const { arena, at, pool } = rig;
    pool.settleHand(2, (block) => isUnread(arena, at, block));
    repairReader(arena, pool, at);
    assert.equal(arena.words[at + LANE_FREE_AT], 0);
    for (const body of rig.bodies) assert.ok(!isUnread(arena, at, body));
    assert.deepEqual(takeAll(arena, new YpipeReader(arena, pool, at)), numbers(60, 120));
    rig.end();
  }

  for (const done of [0, 1, 5, 12, 25]) {
    it(`having moved front, and freed ${done} blocks: so are the others (ypipe.ts I5)`, () => {
      const rig = halfRead();
      let left = done;
      dieGivingBack(rig, () => left-- === 0);
      repairAndEnd(rig);
    });
  }

  it("between the two words that say where it frees: it goes on with the next chunk", () => {
    const rig = halfRead();
    const [first, second] = rig.chunks as [Addr, Addr];
    dieGivingBack(rig, (block) => block === first);
    const { words } = rig.arena;
    assert.equal(words[rig.at + LANE_FREE_CHUNK], second);
    words[rig.at + LANE_FREE_AT] = first + words[first] - RECORD_HEAD; // As before the second.
    repairAndEnd(rig);
  });
});

describe("messages that were handed out and not released", () => {
  it("are marked, in their first record, up to the last one handed out", () => {
    const rig = createRig();
    const { arena, at, writer } = rig;
    const { words } = arena;
    for (let id = 0; id < 12; id++) {
      arena.words[at + LANE_CHUNK_SIZE] = 8;
      writer.put(id, false, MORE);
      writer.put(id);
    }
    writer.flush();
    const reader = new YpipeReader(arena, rig.far, at);
    const firsts: Addr[] = [];
    for (let id = 0; id < 7; id++) {
      reader.run();
      firsts.push(reader.front);
      reader.advance(reader.front + reader.nextSize);
      words[at + LANE_HANDED] = reader.front;
    }
    markRedelivered(words, at);
    assert.equal(words[at + LANE_HANDED], 0);
    const marks: number[] = [];
    const next = new YpipeReader(arena, rig.far, at);
    while (next.run() > 0) {
      const flags = words[next.front + FLAGS];
      assert.equal(words[next.front + recordWords(8) + FLAGS] & REDELIVERED, 0);
      marks.push((flags & REDELIVERED) !== 0 ? 1 : 0);
      next.advance(next.front + next.nextSize, true);
    }
    assert.deepEqual(marks, [1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]);
    assert.equal(firsts.length, 7);
    next.giveBack();
    rig.end();
  });

  it("are none if nothing was handed out", () => {
    const rig = createRig();
    putMany(rig, 0, 5);
    rig.writer.flush();
    const before = rig.arena.words.slice(rig.at, rig.at + LANE_WORDS);
    markRedelivered(rig.arena.words, rig.at);
    assert.deepEqual(rig.arena.words.slice(rig.at, rig.at + LANE_WORDS), before);
    store(rig.arena.words, rig.at + LANE_HANDED, 0);
    assert.deepEqual(rig.takeAll(), numbers(0, 5));
    rig.end();
  });
});
