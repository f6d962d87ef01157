// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Addr, type Arena, LEAVE_NONE, load, PAGES_USED, Pool } from "../memory/index.ts";
import { assertFreed, checkAll, createArena, createLane, type Lane } from "../testing/index.ts";
import {
  BODY_HEAD,
  CHUNK_HEAD,
  END,
  FIRST_CHUNK_WORDS,
  FLAGS,
  LANE_C,
  LANE_CHUNK_SIZE,
  LANE_FRONT,
  LANE_HELD,
  LANE_SENT,
  LANE_W,
  LANE_WORDS,
  LANE_WRITER_CHUNK,
  LANE_WRITER_END,
  LAST_CHUNK_WORDS,
  LENGTH,
  MORE,
  RECORD_HEAD,
  REFERENCE,
  recordWords,
} from "./layout.ts";
import { createYpipe, repairWriter, YpipeReader, YpipeWriter } from "./ypipe.ts";

const ASLEEP = 1;
/** More words than a context of a test can ever have. */
const NEVER = 1 << 24;

/** What a record of a test is: its number, and how many bytes its body has. */
interface Part {
  id: number;
  bytes: number;
  /** The body is a block of its own. */
  apart?: boolean;
}

/** Writes a message as a message writer does: bodies, then one reservation. False if no memory. */
function put(arena: Arena, pool: Pool, writer: YpipeWriter, parts: Part[]): boolean {
  const sizeOf = (part: Part): number => recordWords(part.apart ? 8 : part.bytes);
  const bodies = parts.filter((part) => part.apart).map(() => pool.allocate(BODY_HEAD + 1));
  const size = parts.reduce((sum, part) => sum + sizeOf(part), 0);
  let at = bodies.includes(0) ? 0 : writer.reserve(size);
  if (at === 0) {
    for (const body of bodies) if (body !== 0) pool.free(body);
    return false;
  }
  const { words } = arena;
  for (const [index, part] of parts.entries()) {
    assert.equal(at % 2, 0, "a record lies on 8 bytes");
    words[at + LENGTH] = part.bytes;
    words[at + FLAGS] = (index + 1 < parts.length ? MORE : 0) | (part.apart ? REFERENCE : 0);
    if (part.apart) {
      const body = bodies.shift() as Addr;
      words[body] = 1;
      words[body + BODY_HEAD] = part.id;
      words[at + RECORD_HEAD] = body;
    } else words.fill(part.id, at + RECORD_HEAD, at + sizeOf(part));
    at += sizeOf(part);
  }
  return true;
}

/** Takes the next message, which lies in one piece (I6). */
function take(arena: Arena, reader: YpipeReader): Part[] | undefined {
  const run = reader.run();
  if (run === 0) return undefined;
  assert.equal(reader.ready, true);
  const parts: Part[] = [];
  let at = reader.front;
  const end = at + run;
  for (let more = true; more; ) {
    const { words } = arena;
    assert.ok(at + RECORD_HEAD <= end, "a message lies in one piece (I6)");
    const flags = words[at + FLAGS];
    assert.equal(flags & END, 0, "a message lies in one chunk (I6)");
    const bytes = words[at + LENGTH];
    const size = recordWords((flags & REFERENCE) !== 0 ? 8 : bytes);
    assert.ok(at + size <= end, "a message lies in one piece (I6)");
    if ((flags & REFERENCE) !== 0) {
      const body = arena.reach(words[at + RECORD_HEAD]);
      parts.push({ id: arena.words[body + BODY_HEAD], bytes, apart: true });
    } else {
      const ids = new Set(words.subarray(at + RECORD_HEAD, at + size));
      assert.ok(ids.size <= 1, "a body is in one piece");
      parts.push({ id: bytes === 0 ? -1 : words[at + RECORD_HEAD], bytes });
    }
    more = (flags & MORE) !== 0;
    at += size;
  }
  reader.advance(at, true);
  reader.giveBack();
  return parts;
}

/** A writer whose messages have large bodies. */
class Holder extends YpipeWriter {
  hold(body: Addr): void {
    this.take(body);
  }
}

const one = (id: number, bytes = 8): Part[] => [{ id, bytes }];

interface Rig extends Omit<Lane, "end"> {
  writer: YpipeWriter;
  reader: YpipeReader;
  put(parts: Part[]): boolean;
  take(): Part[] | undefined;
  /** Makes the chunks to come as small as their message allows. */
  keepTiny(): void;
  /** Frees the pipe and asserts that all memory is back. */
  end(): void;
}

function createRig(maxBytes = 1 << 24): Rig {
  const lane = createLane(maxBytes);
  const { arena, pool, far, at } = lane;
  const rig: Rig = {
    ...lane,
    writer: new YpipeWriter(arena, pool, at),
    reader: new YpipeReader(arena, far, at),
    put: (parts) => put(arena, pool, rig.writer, parts),
    take: () => take(arena, rig.reader),
    keepTiny() {
      arena.words[at + LANE_CHUNK_SIZE] = 8;
    },
    end() {
      rig.writer.flush(); // As who leaves the role does.
      lane.end(pool);
    },
  };
  return rig;
}

/** A rig whose first chunk has so few words. */
function createTinyRig(words = 16): Rig {
  const rig = createRig();
  const { arena, at } = rig;
  const chunk = arena.words[at + LANE_WRITER_CHUNK];
  arena.words[chunk] = words;
  arena.words[at + LANE_WRITER_END] = chunk + words;
  rig.writer = new YpipeWriter(arena, rig.pool, at);
  rig.reader = new YpipeReader(arena, rig.far, at);
  rig.keepTiny();
  return rig;
}

describe("a ypipe", () => {
  it("gives records in the order they were put", () => {
    const rig = createRig();
    for (let id = 0; id < 500; id++) assert.ok(rig.put(one(id, id % 60)));
    rig.writer.flush();
    for (let id = 0; id < 500; id++) assert.equal(rig.take()?.[0]?.bytes, id % 60);
    assert.equal(rig.take(), undefined);
    rig.end();
  });

  it("shows nothing before the flush, and everything after it (I4)", () => {
    const rig = createRig();
    rig.put(one(1));
    rig.put(one(2));
    assert.equal(rig.reader.ready, false);
    assert.equal(rig.reader.run(), 0);
    assert.equal(rig.writer.flush(), true);
    rig.put(one(3));
    assert.deepEqual([rig.take(), rig.take(), rig.take()], [one(1), one(2), undefined]);
    rig.writer.flush();
    assert.deepEqual(rig.take(), one(3));
    rig.end();
  });

  it("keeps front, c and w where it says, in shared memory (I1)", () => {
    const rig = createRig();
    const { arena, at } = rig;
    const first = load(arena.words, at + LANE_C);
    rig.put(one(1));
    assert.equal(load(arena.words, at + LANE_C), first);
    rig.writer.flush();
    assert.equal(load(arena.words, at + LANE_C), first + recordWords(8));
    assert.equal(arena.words[at + LANE_FRONT], first);
    rig.take();
    assert.equal(arena.words[at + LANE_FRONT], first + recordWords(8));
    rig.end();
  });

  it("is not made if there is no memory, and nothing is left then", () => {
    const arena = createArena({ maxBytes: 28 * 16_384 });
    const pool = new Pool(arena, 1, true);
    const base = pool.pages.usedBytes;
    const at = pool.allocate(LANE_WORDS);
    const blocks: Addr[] = [];
    for (const size of [2000, FIRST_CHUNK_WORDS]) {
      const take = () => pool.allocate(size, LEAVE_NONE);
      for (let b = take(); b !== 0; b = take()) blocks.push(b);
    }
    assert.equal(createYpipe(arena, pool, at), false);
    for (const block of [...blocks, at]) pool.free(block);
    assertFreed(base, pool);
  });

  it("is as it was when a message cannot be had at all, whatever of it is shown (I1)", () => {
    const rig = createRig();
    const { arena, at, writer } = rig;
    rig.put(one(1));
    writer.flush();
    rig.put(one(2));
    const lane = arena.words.slice(at, at + LANE_WORDS);
    const used = rig.pool.pages.usedBytes;
    for (let i = 0; i < 3; i++) assert.equal(writer.reserve(NEVER), 0);
    assert.deepEqual(arena.words.slice(at, at + LANE_WORDS), lane);
    assert.equal(rig.pool.pages.usedBytes, used);
    const next = arena.words[at + LANE_W] + recordWords(8);
    assert.equal(writer.reserve(recordWords(8)), next, "what fits goes where it would have gone");
    arena.words.set([8, 0, 3, 3], next);
    assert.equal(writer.flush(), true);
    assert.deepEqual([rig.take(), rig.take(), rig.take()], [one(1), one(2), one(3)]);
    assert.equal(rig.take(), undefined);
    rig.end();
  });

  it("says when memory has run out, keeps what it has, and goes on when there is some", () => {
    const rig = createRig(30 * 16_384);
    let count = 0;
    while (rig.put(one(count, 3000))) count++;
    assert.ok(count > 10);
    assert.equal(rig.writer.reserve(recordWords(3000)), 0);
    rig.writer.flush();
    assert.equal(rig.writer.reserve(recordWords(3000)), 0);
    for (let id = 0; id < count; id++) assert.deepEqual(rig.take(), one(id, 3000));
    assert.equal(rig.take(), undefined);
    assert.ok(rig.put(one(7, 3000)));
    rig.writer.flush();
    assert.deepEqual(rig.take(), one(7, 3000));
    rig.end();
  });
});

describe("sleep", () => {
  it("is refused while there is something to take (I2)", () => {
    const rig = createRig();
    rig.put(one(1));
    rig.writer.flush();
    assert.equal(rig.reader.sleep(), false);
    assert.equal(rig.reader.sleep(), false);
    assert.deepEqual(rig.take(), one(1));
    assert.equal(rig.reader.sleep(), true);
    assert.equal(load(rig.arena.words, rig.at + LANE_C), ASLEEP);
    rig.end();
  });

  it("is answered by exactly one flush, the first that shows something (I3)", () => {
    const rig = createRig();
    assert.equal(rig.reader.sleep(), true);
    assert.equal(rig.reader.sleep(), true, "a second time is the same sleep");
    assert.equal(rig.reader.ready, false);
    assert.equal(rig.writer.flush(), true, "nothing to show wakes nobody");
    rig.put(one(1));
    assert.equal(rig.writer.flush(), false);
    assert.equal(rig.writer.flush(), true);
    rig.put(one(2));
    assert.equal(rig.writer.flush(), true);
    assert.deepEqual([rig.take(), rig.take()], [one(1), one(2)]);
    assert.equal(rig.reader.sleep(), true);
    rig.put(one(3));
    assert.equal(rig.writer.flush(), false);
    rig.end();
  });

  it("is not what looking does", () => {
    const rig = createRig();
    assert.equal(rig.reader.ready, false);
    assert.equal(rig.reader.run(), 0);
    rig.put(one(1));
    assert.equal(rig.writer.flush(), true);
    rig.end();
  });

  it("outlives the reader that fell asleep", () => {
    const rig = createRig();
    rig.reader.sleep();
    rig.reader = new YpipeReader(rig.arena, rig.far, rig.at);
    assert.equal(rig.reader.ready, false);
    assert.equal(rig.reader.sleep(), true);
    rig.put(one(1));
    assert.equal(rig.writer.flush(), false);
    assert.deepEqual(rig.take(), one(1));
    rig.end();
  });
});

describe("chunks", () => {
  for (const [what, parts, fits] of [
    ["that just fits stays", one(2, 88), true],
    ["of many parts that just fits stays", Array(6).fill({ id: 2, bytes: 8 }), true],
    ["larger by a word pair goes on", one(2, 96), false],
    ["of many parts, the first of which would fit, goes on", Array(7).fill(one(2)).flat(), false],
    ["larger than a chunk of twice the size goes on", one(2, 20_000), false],
    ["larger than any chunk goes on", one(2, 400_000), false],
  ] as [string, Part[], boolean][]) {
    it(`are changed only before a message: one ${what}, whole (I6)`, () => {
      const rig = createTinyRig(32);
      const { arena, at } = rig;
      const chunk = arena.words[at + LANE_WRITER_CHUNK];
      rig.put(one(1));
      rig.put(parts);
      rig.writer.flush();
      const behind = chunk + CHUNK_HEAD + recordWords(8);
      assert.equal((arena.words[behind + FLAGS] & END) === 0, fits);
      if (!fits) {
        const next = arena.words[behind + LENGTH];
        assert.equal(arena.words[at + LANE_WRITER_CHUNK], next);
        const size = parts.reduce((sum, { bytes }) => sum + recordWords(bytes), 0);
        const w = arena.words[at + LANE_W];
        assert.equal(w, next + CHUNK_HEAD + size, "all of it, and nothing else, is there");
        assert.ok(w + RECORD_HEAD <= next + arena.words[next], "a record END fits behind it");
      }
      assert.deepEqual([rig.take(), rig.take(), rig.take()], [one(1), parts, undefined]);
      rig.end();
    });
  }

  it("are changed by a message that outgrows one, and it lies whole in the next (I6)", () => {
    const rig = createTinyRig(32);
    rig.put(one(1));
    const parts = Array.from({ length: 40 }, (_, id) => ({
      id: id + 2,
      bytes: 8 * (id % 5) + 8,
    }));
    rig.put(parts);
    rig.put(one(99));
    rig.writer.flush();
    assert.deepEqual([rig.take(), rig.take(), rig.take()], [one(1), parts, one(99)]);
    rig.end();
  });

  it("may be of one record each", () => {
    const rig = createTinyRig(8);
    for (let id = 0; id < 200; id++) {
      rig.keepTiny();
      rig.put(one(id, 40));
      if (id % 3 === 0) rig.writer.flush();
    }
    rig.writer.flush();
    for (let id = 0; id < 200; id++) assert.deepEqual(rig.take(), one(id, 40));
    rig.end();
  });

  it("double, up to a size, unless a message is larger", () => {
    const rig = createRig();
    const { arena, at } = rig;
    const sizes: number[] = [];
    for (let id = 0; id < 3000; id++) {
      rig.put(one(id, 100));
      const size = arena.words[at + LANE_CHUNK_SIZE];
      if (size !== sizes.at(-1)) sizes.push(size);
    }
    assert.equal(sizes[0], FIRST_CHUNK_WORDS);
    assert.ok(sizes.every((size, index) => index === 0 || size >= 2 * (sizes[index - 1] ?? 0) - 8));
    assert.equal(sizes.at(-1), LAST_CHUNK_WORDS);
    rig.put(one(1, 400_000));
    assert.ok(arena.words[at + LANE_CHUNK_SIZE] >= 100_000);
    while (arena.words[at + LANE_CHUNK_SIZE] > LAST_CHUNK_WORDS) rig.put(one(2, 100));
    assert.equal(arena.words[at + LANE_CHUNK_SIZE], LAST_CHUNK_WORDS);
    rig.end();
  });

  it("are freed by the reader, and used again by the writer (I5)", () => {
    const rig = createTinyRig(32);
    const go = (): number => {
      const before = rig.arena.words[rig.at + LANE_WRITER_CHUNK];
      rig.keepTiny();
      while (rig.arena.words[rig.at + LANE_WRITER_CHUNK] === before) {
        rig.put(one(1, 40));
        rig.writer.flush();
      }
      return rig.arena.words[rig.at + LANE_WRITER_CHUNK];
    };
    const chunks = new Set<number>();
    for (let round = 0; round < 2000; round++) {
      chunks.add(go());
      while (rig.take() !== undefined);
    }
    assert.ok(chunks.size < 1000, `${chunks.size} chunks for one that is in use at a time`);
    rig.end();
  });

  it("take no more memory in a pipe that runs for long", () => {
    const rig = createRig();
    for (let round = 0; round < 2000; round++) {
      for (let id = 0; id < 20; id++) rig.put(one(id, 200));
      rig.writer.flush();
      for (let id = 0; id < 20; id++) rig.take();
      if (round === 200) rig.pool.trim();
    }
    rig.pool.trim();
    assert.ok(rig.arena.words[PAGES_USED] <= 8);
    rig.end();
  });

  it("and bodies are all freed with the pipe, read or not", () => {
    const rig = createTinyRig();
    for (let id = 0; id < 100; id++) {
      rig.put([{ id, bytes: 9000, apart: true }, ...one(id, 30)]);
      rig.writer.flush();
      if (id % 4 === 0) rig.take();
    }
    rig.end();
  });
});

describe("a role", () => {
  it("of the reader passes on in the middle, and the next begins where the last was", () => {
    const rig = createTinyRig();
    for (let id = 0; id < 60; id++) rig.put(one(id, 24));
    rig.writer.flush();
    for (let id = 0; id < 60; id++) {
      if (id % 3 === 0) rig.reader = new YpipeReader(rig.arena, rig.far, rig.at);
      assert.deepEqual(rig.take(), one(id, 24));
    }
    rig.end();
  });

  it("of the writer passes on after a flush", () => {
    const rig = createTinyRig();
    for (let id = 0; id < 60; id++) {
      rig.put(one(id, 24));
      rig.writer.flush();
      if (id % 3 === 0) rig.writer = new YpipeWriter(rig.arena, rig.pool, rig.at);
    }
    for (let id = 0; id < 60; id++) assert.deepEqual(rig.take(), one(id, 24));
    rig.end();
  });

  it("of a writer that died in a flush passes on whole, though what it showed is freed", () => {
    const rig = createRig();
    const { arena, pool, far, at } = rig;
    const { words } = arena;
    const other = pool.allocate(BODY_HEAD + 1);
    const body = pool.allocate(BODY_HEAD + 1);
    const writer = new Holder(arena, pool, at);
    writer.hold(body);
    const from = writer.reserve(1000); // In a chunk that lies behind the body.
    words.set([8, REFERENCE, body, 0, (1000 - 4 - RECORD_HEAD) * 4, 0], from);
    const chunk = words[at + LANE_HELD];
    assert.ok(chunk > body);
    const before = words.slice(at + LANE_W, at + LANE_SENT);
    writer.flush();
    words.set(before, at + LANE_W); // It has moved c, and nothing more.
    far.free(other);
    assert.equal(rig.take()?.length, 1); // Its first word is now a link.
    repairWriter(arena, far, at);
    assert.equal(words[at + LANE_W], load(words, at + LANE_C));
    assert.equal(words[at + LANE_WRITER_CHUNK], chunk);
    assert.equal(words[at + LANE_WRITER_END], chunk + words[chunk]);
    assert.equal(words[at + LANE_HELD], 0);
    rig.writer = new YpipeWriter(arena, pool, at);
    rig.end();
  });

  it("of the writer leaves what was not shown invisible for ever (I4)", () => {
    const rig = createRig();
    rig.put(one(1));
    rig.writer.flush();
    rig.put(one(2));
    rig.writer = new YpipeWriter(rig.arena, rig.pool, rig.at);
    rig.put(one(3));
    rig.writer.flush();
    assert.deepEqual([rig.take(), rig.take(), rig.take()], [one(1), one(3), undefined]);
    rig.end();
  });
});

const part = fc.record({
  bytes: fc.oneof(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 3000 })),
  apart: fc.boolean(),
});
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ put: fc.array(part, { minLength: 1, maxLength: 8 }) }) },
  { weight: 1, arbitrary: fc.constant("fail" as const) },
  { weight: 4, arbitrary: fc.record({ take: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 3, arbitrary: fc.constant("flush" as const) },
  { weight: 2, arbitrary: fc.constant("sleep" as const) },
  { weight: 1, arbitrary: fc.constant("reader" as const) },
  { weight: 1, arbitrary: fc.constant("writer" as const) },
);
type Sketch = { bytes: number; apart: boolean };
type Step = { put: Sketch[] } | { take: number } | "fail" | "flush" | "sleep" | "reader" | "writer";

/** A list that does what a ypipe does. */
class Model {
  readonly rig: Rig;
  hidden: Part[][] = [];
  shown: Part[][] = [];
  asleep = false;
  count = 0;

  constructor(rig: Rig) {
    this.rig = rig;
  }

  message(sketches: Sketch[]): Part[] {
    return sketches.map(({ bytes, apart }) => {
      const id = this.count++;
      if (apart) return { id, bytes, apart };
      return { id: bytes === 0 ? -1 : id, bytes };
    });
  }

  flush(): void {
    const wakes = this.asleep && this.hidden.length > 0;
    assert.equal(this.rig.writer.flush(), !wakes, "a flush says whether the reader sleeps (I3)");
    if (wakes) this.asleep = false;
    this.shown.push(...this.hidden.splice(0));
  }

  do(step: Step): void {
    const { rig } = this;
    if (step === "flush") this.flush();
    else if (step === "fail") assert.equal(rig.writer.reserve(NEVER), 0);
    else if (step === "sleep") {
      assert.equal(rig.reader.sleep(), this.shown.length === 0, "sleep (I2)");
      this.asleep ||= this.shown.length === 0;
    } else if (step === "reader") rig.reader = new YpipeReader(rig.arena, rig.far, rig.at);
    else if (step === "writer") {
      this.flush();
      rig.writer = new YpipeWriter(rig.arena, rig.pool, rig.at);
    } else if ("put" in step) {
      const parts = this.message(step.put);
      assert.ok(rig.put(parts));
      this.hidden.push(parts);
    } else {
      for (let i = 0; i < step.take; i++) assert.deepEqual(rig.take(), this.shown.shift());
    }
    assert.equal(rig.reader.ready, this.shown.length > 0, "ready");
  }
}

describe("whatever is done to it, a ypipe", () => {
  it("is a list, in tiny chunks and in its own (I1, I2, I3, I4, I5, I6)", () => {
    const steps = fc.array(step, { maxLength: 120 });
    const property = fc.property(steps, fc.boolean(), (steps, tiny) => {
      const rig = tiny ? createTinyRig() : createRig();
      const model = new Model(rig);
      for (const step of steps) {
        if (tiny) rig.keepTiny();
        model.do(step as Step);
      }
      rig.end();
    });
    checkAll("ypipe", 200, property);
  });
});
