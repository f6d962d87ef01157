// SPDX-License-Identifier: MIT

/** Pipes of which only the newest message counts: what is read, what is counted, what it takes. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { counted, SLOT_DROPPED, SLOT_RECEIVED, SLOT_SENT, slotAt } from "../memory/index.ts";
import { LANE_LIMIT } from "../queue/index.ts";
import {
  assertFreed,
  createArena,
  createPair,
  createThread,
  type PairOptions,
} from "../testing/index.ts";
import { Envelope } from "./envelope.ts";
import { PIPE_OUT } from "./layout.ts";
import type { Message } from "./message.ts";
import { Pipe } from "./pipe.ts";
import { PipeReader, type PipeReader as Reader } from "./reader.ts";
import { isRedelivered } from "./redelivered.ts";
import { Slab } from "./slab.ts";
import { NEWEST, NO_READER } from "./writer.ts";

const LARGE = "L".repeat(300_000);

function createRig(conflate?: "writer" | "reader", options: PairOptions = {}) {
  const arena = createArena();
  const sender = createThread(arena, 1);
  const receiver = createThread(arena, 2);
  const base = sender.pool.pages.usedBytes;
  const pair = createPair(sender, receiver, { ...options, conflate });
  const { writer, reader } = pair;
  const lane = arena.words[pair.at + PIPE_OUT];
  const sum = (at: number) => counted(arena, slotAt(1) + at) + counted(arena, slotAt(2) + at);
  return {
    ...pair,
    arena,
    sender,
    receiver,
    lane,
    send(...messages: (string | string[])[]) {
      for (const message of messages) {
        assert.ok(writer.hasRoom);
        assert.ok(writer.write(message));
      }
      writer.flush();
    },
    /** All that can be read, each released before the next. */
    read: (from: Reader = reader) => {
      const texts: string[] = [];
      for (let m = from.read(); m !== undefined; m = from.read()) {
        texts.push(m.join("|"));
        from.release();
      }
      return texts;
    },
    /** Another comes for the reader's role. */
    next: (options = {}) => {
      reader.leave();
      return openReader(options);
    },
    counts: () => ({
      sent: sum(SLOT_SENT),
      received: sum(SLOT_RECEIVED),
      dropped: sum(SLOT_DROPPED),
      queued: reader.queued,
    }),
    end() {
      const { sent, received, dropped, queued } = this.counts();
      assert.equal(sent, received + dropped + queued, "H1");
      pair.close();
      assertFreed(base, sender.pool, receiver.pool);
    },
  };

  function openReader(options: { conflate?: boolean; acknowledge?: boolean; mark?: number }) {
    const { mark = 1000, ...rest } = options;
    const block = pair.binder.peerBlock;
    const next = new PipeReader(receiver, lane, block, new Slab(receiver.host), rest);
    next.highWaterMark = mark;
    return next;
  }
}

for (const end of ["writer", "reader"] as const) {
  describe(`a pipe whose ${end} wants only the newest`, () => {
    it("gives the newest, once", () => {
      const rig = createRig(end);
      rig.send("1", "2", "3");
      assert.deepEqual(rig.read(), ["3"]);
      assert.deepEqual(rig.read(), []);
      rig.send("4");
      assert.deepEqual(rig.read(), ["4"]);
      assert.deepEqual(rig.counts(), { sent: 4, received: 2, dropped: 2, queued: 0 });
      rig.end();
    });

    it("keeps all parts together, large and empty ones too", () => {
      const rig = createRig(end);
      const message = ["head", LARGE, "", "é", LARGE];
      rig.send(["old", "older"], message);
      assert.deepEqual(rig.read(), [message.join("|")]);
      rig.end();
    });

    it("has always room, and takes no more memory for it", () => {
      const rig = createRig(end, { sendHighWaterMark: 1, receiveHighWaterMark: 1 });
      for (const message of ["small", LARGE]) {
        rig.send(message, message);
        const used = rig.sender.pool.pages.usedBytes;
        for (let i = 0; i < 200; i++) rig.send(message);
        assert.equal(rig.sender.pool.pages.usedBytes, used);
      }
      assert.equal(rig.writer.queued, 1);
      assert.equal(rig.reader.queued, 1);
      rig.end();
    });

    it("wakes a reader that sleeps, once; and lets none sleep that has something to read", () => {
      const rig = createRig(end);
      rig.send("1");
      assert.equal(rig.reader.sleep(), false);
      assert.equal(rig.reader.ready, true);
      assert.deepEqual(rig.read(), ["1"]);
      rig.receiver.dispatch();
      rig.heard.length = 0;
      assert.equal(rig.reader.ready, false);
      assert.equal(rig.reader.sleep(), true);
      rig.send("2");
      rig.send("3");
      rig.receiver.dispatch();
      assert.deepEqual(rig.heard, ["read"]);
      assert.deepEqual(rig.read(), ["3"]);
      rig.send("4");
      rig.receiver.dispatch();
      assert.deepEqual(rig.heard, ["read"], "nobody sleeps");
      rig.end();
    });

    it("tells the writer of what it drops, and wakes it when all is read", () => {
      const rig = createRig(end);
      let conflated = 0;
      rig.writer.onDrop = () => conflated++;
      rig.send("1", "2", "3");
      assert.equal(conflated, 2);
      assert.equal(rig.writer.waitUntilEmpty(), true);
      rig.read();
      rig.sender.dispatch();
      assert.deepEqual(rig.heard.includes("write"), true);
      assert.equal(rig.writer.waitUntilEmpty(), false);
      rig.end();
    });

    it("shows the newest; it is still the next one, unless there is a newer one", () => {
      const rig = createRig(end);
      const look = () => rig.reader.peek()?.join("|");
      assert.equal(look(), undefined);
      rig.send("1", ["2", LARGE]);
      for (let i = 0; i < 2; i++) assert.equal(look(), `2|${LARGE}`);
      assert.deepEqual(rig.counts(), { sent: 2, received: 0, dropped: 1, queued: 1 });
      assert.deepEqual(
        [rig.reader.hasMessage, rig.reader.unread, rig.reader.sleep()],
        [true, 1, false],
      );
      assert.deepEqual(rig.read(), [`2|${LARGE}`]);
      rig.send("3");
      assert.equal(look(), "3");
      rig.send("4");
      assert.deepEqual(rig.read(), ["4"]);
      rig.send("5");
      assert.equal(look(), "5");
      rig.send("6");
      rig.reader.discard();
      assert.equal(look(), "6", "what was passed over is what was shown");
      rig.reader.discard();
      assert.equal(look(), undefined);
      rig.reader.release();
      assert.deepEqual(rig.counts(), { sent: 6, received: 4, dropped: 2, queued: 0 });
      rig.end();
    });

    it("leaves what was only shown to the next reader, unless there is a newer one", () => {
      for (const newer of [false, true]) {
        const rig = createRig(end);
        rig.send("1", "2");
        assert.deepEqual(rig.reader.peek()?.map(String), ["2"]);
        if (newer) rig.send("3");
        const message = rig.next().read();
        assert.deepEqual(message?.map(String), [newer ? "3" : "2"]);
        assert.equal(isRedelivered(message as never), false);
        rig.end();
      }
    });

    it("has no use for a swap, and says so", () => {
      const rig = createRig(end, { swap: 1000 });
      rig.send("1");
      assert.equal(rig.writer.hasSwapFor("2"), false);
      assert.equal(rig.writer.store("2"), false);
      rig.end();
    });

    it("keeps the newest when the writer has left, and frees it with the pipe", () => {
      const rig = createRig(end);
      rig.send("1", "2");
      rig.writer.leave();
      assert.deepEqual(rig.read(), ["2"]);
      rig.send("3", LARGE);
      rig.end(); // It is unread.
    });

    it("passes control records in their order, and drops none", () => {
      const rig = createRig(end);
      const told: string[] = [];
      rig.reader.onControl = (bytes) => told.push(Buffer.from(bytes).toString());
      rig.send("1");
      for (const text of ["a", "b"]) rig.writer.writeControl(Buffer.from(text));
      rig.send("2");
      rig.writer.writeControl(Buffer.from("c"));
      rig.writer.flush();
      assert.deepEqual(rig.read(), ["2"]);
      assert.deepEqual(told, ["a", "b", "c"]);
      rig.end();
    });
  });
}

describe("a pipe whose reader changes", () => {
  const before = ["1", ["2", LARGE], "3"];

  it("to one that wants the newest: the newest of what was queued", () => {
    const rig = createRig();
    rig.send(...before);
    const next = rig.next({ conflate: true });
    assert.deepEqual(rig.read(next), ["3"]);
    assert.deepEqual(rig.counts(), { sent: 3, received: 1, dropped: 2, queued: 0 });
    rig.end();
  });

  it("to one that wants the newest: that one is shown, and what was older is dropped", () => {
    const rig = createRig();
    rig.send(...before);
    const next = rig.next({ conflate: true });
    assert.deepEqual(next.peek()?.map(String), ["3"]);
    rig.send("4");
    assert.deepEqual(rig.read(next), ["4"]);
    assert.deepEqual(rig.counts(), { sent: 4, received: 1, dropped: 3, queued: 0 });
    rig.end();
  });

  it("to one that wants the newest: what is sent since is newer than what was queued", () => {
    const rig = createRig();
    rig.send(...before);
    assert.ok(rig.writer.hasRoom && rig.writer.write("4"), "not shown yet");
    const next = rig.next({ conflate: true });
    assert.equal(rig.arena.words[rig.lane + LANE_LIMIT], NEWEST);
    rig.send("5", "6");
    assert.deepEqual(rig.read(next), ["6"]);
    assert.deepEqual(rig.counts(), { sent: 6, received: 1, dropped: 5, queued: 0 });
    rig.send("7");
    assert.deepEqual(rig.read(next), ["7"]);
    rig.end();
  });

  it("to one that wants all: it gets what is in the cell, and then all, in order", () => {
    const rig = createRig("reader");
    rig.send("1", "2");
    const next = rig.next({ mark: 2 });
    assert.equal(rig.writer.hasRoom, false, "what is in the cell goes first");
    assert.equal(rig.writer.wait(), true);
    assert.deepEqual(rig.read(next), ["2"]);
    rig.sender.dispatch();
    assert.ok(rig.heard.includes("write"), "woken, as there is room");
    rig.send("3", "4", "5");
    assert.deepEqual(rig.read(next), ["3", "4", "5"]);
    rig.end();
  });

  it("to one that wants all, and has looked: what it has seen goes first", () => {
    const inOneWayOrAnother: ((reader: PipeReader) => Message | undefined)[] = [
      (reader) => reader.read(),
      (reader) => reader.readBehind(new Envelope()),
    ];
    for (const read of inOneWayOrAnother) {
      const rig = createRig("reader");
      rig.send("1");
      const next = rig.next();
      assert.deepEqual(next.peek()?.map(String), ["1"]);
      rig.send("2");
      assert.equal(next.stretch(1), undefined, "it does not lie in the lane");
      assert.equal(next.readRun([], 10), 0, "nor is it of a run");
      assert.deepEqual(read(next)?.map(String), ["1"]);
      assert.deepEqual(rig.read(next), ["2"]);
      rig.end();
    }
  });

  it("and nobody comes: what waits for the next one waits as before", () => {
    const rig = createRig("reader");
    rig.send("1");
    rig.reader.leave();
    assert.equal(rig.arena.words[rig.lane + LANE_LIMIT], NO_READER);
    rig.send("2", "3");
    assert.equal(rig.writer.queued, 1);
    assert.equal(rig.writer.conflates, true);
    rig.end();
  });

  it("and has not acknowledged the newest: the next one gets it, marked, or a newer one", () => {
    for (const newer of [false, true]) {
      const rig = createRig("writer");
      rig.reader.leave();
      const first = rig.next({ acknowledge: true });
      rig.send("1", "2");
      assert.deepEqual(first.read()?.map(String), ["2"]);
      if (newer) rig.send("3");
      first.leave();
      const second = rig.next();
      const message = second.read();
      assert.deepEqual(message?.map(String), [newer ? "3" : "2"]);
      assert.equal(isRedelivered(message as never), !newer);
      second.release();
      assert.equal(second.queued, 0);
      rig.end();
    }
  });
});

it("the next writer goes on where the last has left a message unread", () => {
  const rig = createRig("writer");
  rig.send("1");
  rig.connecter.leave();
  const marks = { sendHighWaterMark: 5, receiveHighWaterMark: 5 };
  const slab = new Slab(rig.sender.host);
  const { events } = rig.connecter;
  const next = new Pipe(rig.sender, rig.at, "connecter", "inproc://pair", marks, slab, events);
  assert.equal(next.writer?.hasRoom, false, "it wants all, and one is in the cell");
  assert.equal(next.writer?.conflates, true);
  assert.deepEqual(rig.read(), ["1"]);
  assert.equal(next.writer?.hasRoom, true);
  assert.equal(next.writer?.conflates, false);
  for (const text of ["2", "3"]) next.writer?.write(text);
  next.writer?.flush();
  assert.deepEqual(rig.read(), ["2", "3"]);
  rig.end();
});
