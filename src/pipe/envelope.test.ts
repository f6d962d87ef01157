// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FLAGS, REDELIVERED, recordWords } from "../queue/index.ts";
import { assertFreed, createArena, createPair, createThread } from "../testing/index.ts";
import { Envelope } from "./envelope.ts";
import { type Message, type Prepared, prepare } from "./message.ts";
import { keep } from "./records.ts";
import { isRedelivered } from "./redelivered.ts";

const textOf = (part: Uint8Array) => Buffer.from(part).toString();
const text = (message: Message | undefined) => message?.map(textOf);

function createRig() {
  const arena = createArena();
  const sender = createThread(arena, 1);
  const receiver = createThread(arena, 2);
  const base = sender.pool.pages.usedBytes;
  const pair = createPair(sender, receiver, { sendHighWaterMark: 0 });
  return {
    ...pair,
    sender,
    write(message: string[]) {
      assert.ok(pair.writer.write(message));
      pair.writer.flush();
    },
    /** The next message was in somebody's hand before. */
    mark() {
      assert.ok(pair.reader.ready);
      arena.words[pair.reader.front + FLAGS] |= REDELIVERED;
    },
    /** Sends back what was received, behind the envelope. */
    echo(envelope: Envelope, message: Message) {
      assert.ok(pair.writer.write(prepare(message, sender.pool, envelope)));
      pair.writer.flush();
    },
    end() {
      pair.close();
      assertFreed(base, sender.pool, receiver.pool);
    },
  };
}

describe("an envelope", () => {
  it("is of the parts that it was given, and tells whether one of them is large", () => {
    const envelope = new Envelope();
    for (const sizes of [[0], [5, 0], [4096, 0], [3, 4097, 0], [1, 0], [70_000, 0, 9]]) {
      const parts = sizes.map((size) => new Uint8Array(size).fill(size));
      envelope.set(parts);
      assert.deepEqual(envelope.parts, parts);
      assert.equal(
        envelope.isLarge,
        sizes.some((size) => size > 4096),
      );
    }
    envelope.clear();
    assert.deepEqual(envelope.parts, []);
  });

  it("is read off a message, which is marked if it was delivered before; the reply is not", () => {
    const rig = createRig();
    const envelope = new Envelope();
    for (const large of ["", "x".repeat(5000)]) {
      for (const labels of [[], ["a"], ["a", "bcd"]]) {
        for (const isMarked of [false, true]) {
          rig.write([...labels, "", "body", large]);
          if (isMarked) rig.mark();
          envelope.set([new Uint8Array(5000)]); // As the one before had.
          envelope.clear();
          const message = rig.reader.readBehind(envelope) as Message;
          assert.equal(isRedelivered(message), isMarked);
          if (large !== "") {
            // Not all of it lies in the lane: it is for the pattern to take the envelope off.
            assert.equal(envelope.size, 0);
            envelope.set(message.splice(0, labels.length + 1));
          }
          assert.deepEqual(envelope.parts.map(textOf), [...labels, ""]);
          assert.equal(envelope.isLarge, false);
          assert.deepEqual(text(message), ["body", large]);
          rig.echo(envelope, message);
          const reply = rig.reader.read() as Message;
          assert.deepEqual(text(reply), [...labels, "", "body", large]);
          assert.equal(isRedelivered(reply), false);
          rig.reader.release();
        }
      }
    }
    rig.end();
  });

  it("counts in the size of a message, in a lane and with all bodies inside", () => {
    const rig = createRig();
    const labels = [new Uint8Array(3000), new Uint8Array(5), new Uint8Array(0)];
    const [body, large] = [new Uint8Array(20), new Uint8Array(5000)];
    const words = (parts: Uint8Array[]) => parts.reduce((n, p) => n + recordWords(p.length), 0);
    const small = prepare([body], rig.sender.pool, Envelope.of(...labels)) as Prepared;
    assert.deepEqual(small.check().all, [...labels, body]);
    assert.equal(small.size, words([...labels, body]));
    assert.equal(keep(small).size, words([...labels, body]));
    for (const front of [labels, [large, ...labels]]) {
      const message = prepare([body, large], rig.sender.pool, Envelope.of(...front)) as Prepared;
      assert.deepEqual(message.check().all, [...front, body, large]);
      assert.equal(keep(message).size, words([...front, body, large]));
    }
    rig.end();
  });

  it("is not there where a message has no empty part, or nothing behind it", () => {
    const rig = createRig();
    const envelope = new Envelope();
    for (const parts of [["a"], [""], ["a", "b"], ["a", ""], ["a", "x".repeat(5000), ""]]) {
      rig.write(parts);
      envelope.clear();
      assert.deepEqual(text(rig.reader.readBehind(envelope)), parts);
      assert.equal(envelope.size, 0);
      rig.reader.release();
    }
    assert.equal(rig.reader.readBehind(envelope), undefined);
    rig.end();
  });
});
