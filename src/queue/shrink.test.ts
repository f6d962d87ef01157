// SPDX-License-Identifier: MIT

/** A lane that was drained, and gives up the large chunk that it has kept. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Addr } from "../memory/index.ts";
import { createLane, type Lane } from "../testing/index.ts";
import {
  CHUNK_HEAD,
  FIRST_CHUNK_WORDS,
  FLAGS,
  LANE_READER_CHUNK,
  LANE_WRITER_CHUNK,
  LENGTH,
  RECORD_HEAD,
  recordSize,
  recordWords,
} from "./layout.ts";
import { YpipeReader, YpipeWriter } from "./ypipe.ts";

class Writer extends YpipeWriter {
  /** Shows a record that begins with a number. */
  put(id: number, bytes = 8): boolean {
    const at = this.reserve(recordWords(bytes));
    const { words } = this.arena;
    words[at + LENGTH] = bytes;
    words[at + FLAGS] = 0;
    words[at + RECORD_HEAD] = id;
    return this.flush();
  }

  goSmall(): boolean {
    return this.shrink();
  }
}

interface Rig extends Omit<Lane, "end"> {
  readonly writer: Writer;
  readonly reader: YpipeReader;
  /** The chunk that it has kept. */
  readonly large: Addr;
  /** The number of the next record. */
  take(): number;
  end(): void;
}

/** A lane that is empty, in a chunk for a large message. */
function drained(): Rig {
  const lane = createLane();
  const { arena, pool, far, at } = lane;
  const [writer, reader] = [new Writer(arena, pool, at), new YpipeReader(arena, far, at)];
  const take = () => {
    assert.ok(reader.run() > 0);
    const { words } = arena;
    const { front } = reader;
    reader.advance(front + recordSize(words, front));
    reader.giveBack();
    return words[front + RECORD_HEAD];
  };
  writer.put(1, 40_000);
  assert.equal(take(), 1);
  const large = arena.words[at + LANE_WRITER_CHUNK];
  return { ...lane, writer, reader, large, take, end: () => lane.end(pool) };
}

const chunkOf = ({ arena, at }: Rig): Addr => arena.words[at + LANE_WRITER_CHUNK];

describe("a ypipe that was drained", () => {
  for (const asleep of [false, true]) {
    it(`goes on in the least chunk, ${asleep ? "to a sleeper" : "to who is awake"}`, () => {
      const rig = drained();
      const { arena, writer, reader, pool, far, large } = rig;
      if (asleep) assert.ok(reader.sleep());
      assert.ok(writer.goSmall());
      assert.equal(writer.flush(), !asleep, "who sleeps is to be woken (ypipe.ts I3)");
      const least = chunkOf(rig);
      assert.equal(arena.words[least], FIRST_CHUNK_WORDS);
      // What another had left there is no record.
      arena.words.fill(-1, least + CHUNK_HEAD, least + FIRST_CHUNK_WORDS);
      assert.equal(reader.ready, false, "there is no message");
      assert.equal(reader.run(), 0);
      reader.giveBack();
      assert.equal(arena.words[rig.at + LANE_READER_CHUNK], least);
      const used = pool.pages.usedBytes;
      far.trim();
      pool.trim();
      assert.ok(pool.pages.usedBytes < used, "the large chunk is free");
      assert.notEqual(least, large);
      assert.equal(writer.goSmall(), false, "it is the least now, and nothing lies lower");
      writer.put(2);
      assert.equal(rig.take(), 2);
      rig.end();
    });
  }

  it("can be freed, or written to, whether its reader has looked or not", () => {
    for (const looks of [false, true]) {
      for (const writes of [false, true]) {
        const rig = drained();
        assert.ok(rig.writer.goSmall());
        rig.writer.flush();
        if (looks) assert.equal(rig.reader.run(), 0);
        if (writes) {
          rig.writer.put(2);
          assert.equal(rig.take(), 2);
        }
        rig.end();
      }
    }
  });

  it("goes to the lowest page that is free", () => {
    const rig = drained();
    const { pool, writer, reader, far } = rig;
    pool.trim();
    // All that is free below is taken while it goes on; so it comes to lie above.
    const below: Addr[] = [];
    for (;;) {
      const block = pool.allocate(FIRST_CHUNK_WORDS);
      below.push(block);
      if (block > rig.large) break;
    }
    assert.ok(writer.goSmall());
    writer.flush();
    reader.run();
    reader.giveBack();
    const high = chunkOf(rig);
    assert.ok(high > rig.large);
    for (const block of below) pool.free(block);
    pool.trim();
    assert.ok(writer.goSmall());
    writer.flush();
    reader.run();
    reader.giveBack();
    assert.ok(chunkOf(rig) < rig.large);
    far.trim();
    assert.equal(writer.goSmall(), false, "nothing lies lower");
    rig.end();
  });
});
