// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Message, Pipe } from "../pipe/index.ts";
import { Slab } from "../pipe/index.ts";
import { assertFreed, createArena, createPair, createThread, type Pair } from "../testing/index.ts";
import { Fq } from "./fq.ts";

function createRig(count: number) {
  const arena = createArena();
  const sender = createThread(arena, 1);
  const receiver = createThread(arena, 2);
  const base = sender.pool.pages.usedBytes;
  const slab = new Slab(receiver.host);
  const drained: Pipe[] = [];
  const fq = new Fq((pipe) => drained.push(pipe));
  const pairs = Array.from({ length: count }, () => createPair(sender, receiver, { slab }));
  for (const { binder } of pairs) fq.attach(binder);
  return {
    receiver,
    drained,
    fq,
    pairs,
    /** Sends texts through one pipe. */
    send(index: number, ...texts: string[]) {
      const { writer } = pairs[index] as Pair;
      for (const text of texts) assert.ok(writer.write(text));
      writer.flush();
    },
    receive: () => fq.receive()?.join("|"),
    receiveAll() {
      const texts: string[] = [];
      for (let text = fq.receive(); text !== undefined; text = fq.receive())
        texts.push(text.join());
      return texts;
    },
    /** Tells the queue of every pipe that said it has messages. */
    hear() {
      receiver.dispatch();
      for (const { binder, heard } of pairs) {
        if (heard.splice(0).includes("read")) fq.activated(binder);
      }
    },
    end() {
      for (const pair of pairs) pair.close();
      assertFreed(base, sender.pool, receiver.pool);
    },
  };
}

describe("fair queueing", () => {
  for (const count of [1, 2, 4, 5, 9]) {
    it(`takes one message from each of ${count} pipes in turn`, () => {
      const rig = createRig(count);
      for (let i = 0; i < count; i++) rig.send(i, `${i}a`, `${i}b`, `${i}c`);
      const names = Array.from({ length: count }, (_, i) => i);
      assert.deepEqual(
        rig.receiveAll(),
        ["a", "b", "c"].flatMap((letter) => names.map((name) => name + letter)),
      );
      assert.equal(rig.receive(), undefined);
      rig.end();
    });

    it(`passes over those of ${count} pipes that have nothing`, () => {
      const rig = createRig(count);
      rig.receiveAll();
      rig.hear();
      rig.send(count - 1, "x", "y", "z");
      rig.hear();
      assert.deepEqual(rig.receiveAll(), ["x", "y", "z"]);
      rig.end();
    });

    it(`parks ${count} pipes, and each can wake it`, () => {
      const rig = createRig(count);
      assert.equal(rig.fq.park(), true);
      for (let i = 0; i < count; i++) {
        rig.send(i, "x");
        rig.hear();
        assert.equal(rig.receive(), "x");
        assert.equal(rig.receive(), undefined);
        assert.equal(rig.fq.park(), true);
      }
      rig.end();
    });
  }

  it("does not park while there is a message", () => {
    const rig = createRig(3);
    rig.send(1, "a");
    assert.equal(rig.fq.park(), false);
    assert.equal(rig.receive(), "a");
    assert.equal(rig.fq.park(), true);
    rig.end();
  });

  it("takes many at once, no more than asked for, in turn and from one pipe alike", () => {
    const rig = createRig(2);
    rig.send(0, "a", "c");
    rig.send(1, "b", "d", "e");
    const messages: Message[] = [];
    rig.fq.receiveMany(messages, 3);
    assert.deepEqual(messages.map(String), ["a", "b", "c"]);
    rig.fq.receiveMany(messages, 3);
    assert.equal(messages.length, 3);
    rig.fq.receiveMany(messages, 100);
    assert.deepEqual(messages.map(String), ["a", "b", "c", "d", "e"]);
    rig.end();
    const single = createRig(1);
    single.send(0, "a", "b", "c");
    const more: Message[] = [];
    single.fq.receiveMany(more, 2);
    assert.equal((single.pairs[0] as Pair).binder.queuedIn, 1);
    single.fq.receiveMany(more, 9);
    assert.deepEqual(more.map(String), ["a", "b", "c"]);
    single.end();
  });

  it("gives back room for what it took", () => {
    const rig = createRig(2);
    rig.send(0, "a", "b");
    rig.receive();
    assert.equal((rig.pairs[0] as Pair).binder.queuedIn, 1);
    rig.end();
  });

  it("hears no more of a pipe that was removed", () => {
    const rig = createRig(2);
    rig.send(0, "a");
    rig.send(1, "b");
    rig.fq.remove((rig.pairs[0] as Pair).binder);
    assert.deepEqual(rig.receiveAll(), ["b"]);
    rig.end();
  });
});

describe("draining", () => {
  it("comes first: so many messages, and then the pipe is told of", () => {
    const rig = createRig(3);
    rig.send(0, "a1", "a2");
    rig.send(1, "b1", "b2", "b3");
    const second = (rig.pairs[1] as Pair).binder;
    rig.fq.drain(second, 2);
    assert.equal(rig.fq.park(), false);
    assert.equal(rig.receive(), "b1");
    assert.deepEqual(rig.drained, []);
    assert.equal(rig.receive(), "b2");
    assert.deepEqual(rig.drained, [second]);
    assert.deepEqual(rig.receiveAll(), ["a1", "a2"]);
    rig.end();
  });

  it("of nothing is done at once", () => {
    const rig = createRig(2);
    const [first] = rig.pairs as [Pair];
    rig.fq.drain(first.binder, 0);
    assert.deepEqual(rig.drained, [first.binder]);
    assert.equal(rig.fq.park(), true);
    rig.end();
  });

  it("ends also if there is less than was said, and the others go on in the same call", () => {
    const rig = createRig(2);
    const [first] = rig.pairs as [Pair];
    rig.send(0, "a");
    rig.send(1, "b");
    rig.fq.drain(first.binder, 5);
    assert.equal(rig.receive(), "a");
    assert.equal(rig.receive(), "b");
    assert.deepEqual(rig.drained, [first.binder]);
    rig.end();
  });

  it("of several is one after the other, and ends with a removal", () => {
    const rig = createRig(3);
    for (const index of [0, 1, 2]) rig.send(index, `${index}a`, `${index}b`);
    const [first, second] = rig.pairs as [Pair, Pair];
    rig.fq.drain(second.binder, 2);
    rig.fq.drain(first.binder, 2);
    rig.fq.drain(first.binder, 2);
    assert.equal(rig.receive(), "1a");
    rig.fq.remove(second.binder);
    assert.deepEqual(rig.receiveAll(), ["0a", "0b", "2a", "2b"]);
    assert.deepEqual(rig.drained, [first.binder]);
    rig.end();
  });

  it("is in the way of nothing when many are taken at once", () => {
    const rig = createRig(2);
    rig.send(0, "a", "b");
    rig.send(1, "c", "d");
    rig.fq.drain((rig.pairs[1] as Pair).binder, 2);
    const messages: Message[] = [];
    rig.fq.receiveMany(messages, 100);
    assert.deepEqual(messages.map(String), ["c", "d", "a", "b"]);
    rig.end();
  });
});

describe("passing on", () => {
  /** Passes on what can be; the texts, and how many came together. */
  function passed(rig: ReturnType<typeof createRig>, most = 100, together = 1): string[] {
    const texts: string[] = [];
    rig.fq.pass(
      most,
      () => together,
      ({ messages }, pipe) => {
        texts.push(`${rig.pairs.findIndex(({ binder }) => binder === pipe)}×${messages}`);
        return true;
      },
    );
    return texts;
  }

  for (const count of [1, 4, 5, 6, 9]) {
    it(`finds a message in whichever of ${count} pipes it is`, () => {
      for (let index = 0; index < count; index++) {
        const rig = createRig(count);
        rig.send(index, "a");
        assert.deepEqual(passed(rig), [`${index}×1`]);
        rig.fq.releasePassed();
        rig.end();
      }
    });
  }

  it("takes from several in turn, and several at once from one that is alone", () => {
    const rig = createRig(2);
    for (const index of [0, 1]) rig.send(index, "a", "b");
    assert.deepEqual(passed(rig, 100, 9), ["0×1", "1×1", "0×1", "1×1"]);
    rig.fq.releasePassed();
    rig.end();
    const alone = createRig(1);
    alone.send(0, "a", "b", "c", "d");
    assert.deepEqual(passed(alone, 3, 2), ["0×2", "0×1"]);
    alone.fq.releasePassed();
    assert.equal(alone.receive(), "d");
    alone.end();
  });

  it("takes what is to be drained first; that it was is told when it is released", () => {
    const rig = createRig(2);
    rig.send(0, "a", "b", "c");
    rig.send(1, "d");
    const [{ binder }] = rig.pairs as [Pair];
    rig.fq.drain(binder, 2);
    assert.deepEqual(passed(rig, 100, 9), ["0×2", "1×1"]);
    assert.deepEqual(rig.drained, []);
    rig.fq.releasePassed();
    assert.deepEqual(rig.drained, [binder]);
    rig.end();
  });

  it("leaves a message that is not taken, and those of other pipes, where they are", () => {
    const rig = createRig(2);
    for (const index of [0, 1]) rig.send(index, "a");
    assert.equal(
      rig.fq.pass(
        100,
        () => 1,
        () => false,
      ),
      0,
    );
    assert.deepEqual(rig.receiveAll(), ["a", "a"]);
    rig.end();
  });
});
