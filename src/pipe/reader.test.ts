// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assertFreed, createArena, createPair, createThread } from "../testing/index.ts";
import { PIPE_OUT } from "./layout.ts";
import { type Mark, PipeReader } from "./reader.ts";
import { Slab } from "./slab.ts";

function createRig() {
  const arena = createArena();
  const sender = createThread(arena, 1);
  const receiver = createThread(arena, 2);
  const other = createThread(arena, 3);
  const base = sender.pool.pages.usedBytes;
  const pair = createPair(sender, receiver, { sendHighWaterMark: 0 });
  const lane = arena.words[pair.at + PIPE_OUT];
  return {
    ...pair,
    sender,
    receiver,
    write(...texts: (string | string[])[]) {
      for (const text of texts) assert.ok(pair.writer.write(text));
      pair.writer.flush();
    },
    /** Another thread takes the reader's role. */
    replace(slab = new Slab(other.host)): PipeReader {
      return new PipeReader(other, lane, pair.binder.peerBlock, slab);
    },
    end() {
      pair.close();
      assertFreed(base, sender.pool, receiver.pool, other.pool);
    },
  };
}

const textOf = (reader: PipeReader): string | undefined => reader.read()?.join("|");

describe("a reader", () => {
  it("gives whole messages in order, and undefined when there is none", () => {
    const rig = createRig();
    rig.write("a", ["b", "c"], "d");
    assert.deepEqual(
      Array.from({ length: 5 }, () => textOf(rig.reader)),
      ["a", "b|c", "d", undefined, undefined],
    );
    rig.write("e");
    assert.equal(textOf(rig.reader), "e");
    rig.end();
  });

  it("sees what was shown while it had a run in hand, after that run", () => {
    const rig = createRig();
    rig.write("a", "b");
    assert.equal(textOf(rig.reader), "a");
    rig.write("c");
    assert.equal(textOf(rig.reader), "b");
    assert.equal(textOf(rig.reader), "c");
    rig.end();
  });

  it("is ready while something of its run is left, and does not sleep then", () => {
    const rig = createRig();
    rig.write("a", "b");
    assert.equal(rig.reader.ready, true);
    textOf(rig.reader);
    assert.equal(rig.reader.ready, true);
    assert.equal(rig.reader.sleep(), false);
    textOf(rig.reader);
    assert.equal(rig.reader.ready, false);
    assert.equal(rig.reader.sleep(), true);
    rig.end();
  });

  it("gives room back when it says so, all at once", () => {
    const rig = createRig();
    rig.write("a", "b", "c");
    textOf(rig.reader);
    textOf(rig.reader);
    assert.equal(rig.binder.queuedIn, 3);
    rig.reader.release();
    assert.equal(rig.binder.queuedIn, 1);
    rig.reader.release();
    assert.equal(rig.binder.queuedIn, 1);
    rig.end();
  });

  it("hands out control records in their order among the messages, and counts none", () => {
    const rig = createRig();
    const { writer } = rig;
    const heard: string[] = [];
    rig.reader.onControl = (bytes) => heard.push(`(${Buffer.from(bytes)})`);
    const take = () => {
      for (let message = rig.reader.read(); message !== undefined; message = rig.reader.read()) {
        heard.push(message.join("|").slice(0, 9));
      }
      rig.reader.release();
      return heard.splice(0).join(" ");
    };
    const tell = (text: string) => assert.equal(writer.writeControl(Buffer.from(text)), true);
    const long = "x".repeat(5000);
    tell("1");
    writer.write("a");
    tell("2");
    tell("3");
    writer.write(["b", "c"]);
    tell(long);
    writer.write(["d", long]);
    tell("4");
    assert.equal(take(), "");
    writer.flush();
    assert.equal(rig.binder.queuedIn, 3);
    assert.equal(take(), `(1) a (2) (3) b|c (${long}) d|xxxxxxx (4)`);
    const used = rig.sender.pool.pages.usedBytes;
    for (let i = 0; i < 100_000; i++) {
      tell(`${i}`);
      if (i % 1000 !== 999) continue;
      writer.flush();
      assert.equal(rig.reader.read(), undefined);
      assert.equal(rig.reader.sleep(), true);
    }
    assert.ok(rig.sender.pool.pages.usedBytes <= used + (1 << 18), "what was heard is freed");
    assert.equal(rig.binder.queuedIn, 0);
    rig.end();
  });

  it("shares its slab with others, and spoils nothing that was handed out", () => {
    const rig = createRig();
    const slab = new Slab(rig.receiver.host);
    const second = createPair(rig.sender, rig.receiver, { slab, sendHighWaterMark: 0 });
    const third = createPair(rig.sender, rig.receiver, { slab, sendHighWaterMark: 0 });
    const kept: Buffer[] = [];
    const expected: string[] = [];
    for (let i = 0; i < 3000; i++) {
      const [one, two] = [`one ${i} ${"x".repeat(i % 90)}`, `two ${i} ${"y".repeat(i % 50)}`];
      second.writer.write(one);
      second.writer.flush();
      third.writer.write(i % 7 === 0 ? [two, two] : two);
      if (i % 5 === 0) third.writer.flush();
      kept.push(...(second.reader.read() ?? []));
      expected.push(one);
      for (const part of third.reader.read() ?? []) kept.push(part);
    }
    const own = kept.map(String).filter((text) => text.startsWith("one"));
    assert.deepEqual(own, expected);
    for (const part of kept) assert.match(String(part), /^(one \d+ x*|two \d+ y*)$/);
    second.close();
    third.close();
    rig.end();
  });

  for (const taken of [0, 1, 7, 99, 100]) {
    it(`that goes after ${taken} of 100 messages leaves exactly the rest to the next`, () => {
      const rig = createRig();
      const texts = Array.from({ length: 100 }, (_, i) =>
        i % 9 === 4 ? [`${i}`, "x".repeat(5000), "y"] : `${i}`,
      );
      rig.write(...texts);
      for (let i = 0; i < taken; i++) assert.equal(textOf(rig.reader), [texts[i]].flat().join("|"));
      rig.reader.release();
      const next = rig.replace();
      for (let i = taken; i < 100; i++) assert.equal(textOf(next), [texts[i]].flat().join("|"));
      assert.equal(textOf(next), undefined);
      next.release();
      assert.equal(rig.binder.queuedIn, 0);
      rig.end();
    });
  }

  it("that goes in the middle of a run, by turns with another, loses and doubles nothing", () => {
    const rig = createRig();
    const slab = new Slab(rig.receiver.host);
    let reader = rig.reader;
    let next = 0;
    let written = 0;
    for (let round = 0; round < 200; round++) {
      for (let i = 0; i < 13; i++) rig.write(`${written++} ${"x".repeat(round)}`);
      for (let i = 0; i < 12; i++) {
        assert.equal(textOf(reader), `${next} ${"x".repeat(Math.floor(next / 13))}`);
        next++;
      }
      reader.release();
      reader = rig.replace(slab);
    }
    assert.equal(rig.binder.queuedIn, 200);
    rig.end();
  });

  it("can be taken by the writing end, of what is left when the reader is gone", () => {
    const rig = createRig();
    rig.write("a", "b", "c");
    textOf(rig.reader);
    rig.binder.leave();
    const back = rig.connecter.readBack(new Slab(rig.sender.host));
    assert.deepEqual([textOf(back), textOf(back), textOf(back)], ["b", "c", undefined]);
    back.release();
    assert.equal(rig.connecter.queuedOut, 0);
    rig.connecter.leave();
  });

  it("releases messages one by one, though it has read far ahead of them", () => {
    const rig = createRig();
    const large = "x".repeat(5000);
    const texts = Array.from({ length: 400 }, (_, i) => (i % 3 === 0 ? `${i} ${large}` : `${i}`));
    rig.write(...texts);
    const marks: Mark[] = [];
    for (const text of texts) {
      assert.equal(textOf(rig.reader), text);
      marks.push(rig.reader.mark);
    }
    for (const [index, mark] of marks.entries()) {
      assert.equal(rig.reader.queued, texts.length - index);
      assert.equal(rig.reader.isReleased(mark), false);
      rig.reader.releaseUpTo(mark);
      assert.equal(rig.reader.isReleased(mark), true);
      rig.reader.releaseUpTo(marks[0] as Mark); // Which is nothing.
    }
    assert.equal(rig.connecter.queuedOut, 0);
    rig.end();
  });

  it("leaves what it has read, and has not released, to the next, if it forgoes that", () => {
    const rig = createRig();
    rig.write("a", "b".repeat(5000), "c", "d");
    textOf(rig.reader);
    textOf(rig.reader);
    const { mark } = rig.reader;
    textOf(rig.reader);
    rig.reader.releaseUpTo(mark);
    rig.reader.forgo();
    rig.binder.leave();
    const next = rig.connecter.readBack(new Slab(rig.sender.host));
    assert.deepEqual([textOf(next), textOf(next), textOf(next)], ["c", "d", undefined]);
    next.release();
    rig.connecter.leave();
  });
});
