// SPDX-License-Identifier: MIT

/** A writer with a swap: when messages go there, and when and how they come back. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { counted, load, MEMORY_WANTED, SLOT_DROPPED, slotAt } from "../memory/index.ts";
import { LANE_READ, LANE_SWAPPED, WAITS } from "../queue/index.ts";
import {
  assertFreed,
  checkAll,
  createArena,
  createPair,
  createThread,
  FakeFiles,
  FakeHost,
} from "../testing/index.ts";
import { PIPE_OUT } from "./layout.ts";
import type { MessageLike } from "./message.ts";
import { swappedIn } from "./swapped.ts";
import { queuedIn } from "./writer.ts";

function createRig({ mark = 4, swap = 1 << 30, maxBytes = 1 << 26 } = {}) {
  const arena = createArena({ maxBytes });
  const host = new FakeHost();
  const files = new FakeFiles();
  host.files = files;
  const sender = createThread(arena, 1, host);
  const receiver = createThread(arena, 2);
  const base = sender.pool.pages.usedBytes;
  const pair = createPair(sender, receiver, {
    sendHighWaterMark: mark,
    receiveHighWaterMark: -1,
    swap,
  });
  const { writer, reader } = pair;
  const lane = arena.words[pair.at + PIPE_OUT];
  return {
    ...pair,
    arena,
    files,
    sender,
    receiver,
    lane,
    /** Sends as lb does. */
    send(message: MessageLike): boolean {
      const sent = (writer.hasRoom && writer.write(message)) || writer.store(message);
      writer.flush();
      return sent;
    },
    take(most = 1_000_000): string[] {
      const texts: string[] = [];
      while (texts.length < most) {
        const message = reader.read();
        if (message === undefined) break;
        texts.push(message.join("|"));
        reader.release();
      }
      return texts;
    },
    /** The sending thread hears what has come. */
    hear(): string[] {
      sender.dispatch();
      const heard = pair.heard.splice(0);
      if (heard.includes("write")) writer.drainSwap();
      return heard;
    },
    get waits(): boolean {
      return (load(arena.words, lane + LANE_READ) & WAITS) !== 0;
    },
    end() {
      pair.close();
      assertFreed(base, sender.pool, receiver.pool);
      assert.ok(
        files.files.every(({ isOpen }) => !isOpen),
        "all files are closed",
      );
    },
  };
}

const upTo = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));

describe("a writer with a swap", () => {
  it("fills the lane first, then the swap, and the reader gets all in order", () => {
    const rig = createRig();
    for (const text of upTo(20)) assert.ok(rig.send(text));
    assert.equal(queuedIn(rig.arena.words, rig.lane), 4);
    assert.equal(rig.writer.swapped, 16);
    assert.equal(rig.writer.queued, 20);
    const got: string[] = [];
    while (got.length < 20) {
      got.push(...rig.take());
      rig.hear();
    }
    assert.deepEqual(got, upTo(20));
    assert.equal(rig.writer.swapped, 0);
    rig.end();
  });

  it("shows what it has stored by flush, and not before", () => {
    const rig = createRig({ mark: 1 });
    rig.send("0");
    assert.equal(rig.writer.hasRoom, false);
    assert.deepEqual(rig.take(), ["0"]);
    assert.ok(rig.writer.store("1"));
    assert.deepEqual(rig.take(), []);
    assert.ok(rig.writer.store("2"));
    rig.writer.flush();
    assert.deepEqual(rig.take(), ["1"]);
    rig.hear();
    assert.deepEqual(rig.take(), ["2"]);
    rig.end();
  });

  it("lets nothing pass what it has stored for lack of memory alone", () => {
    const rig = createRig({ mark: 0, maxBytes: 1 << 20 });
    const large = "x".repeat(10_000);
    let count = 0;
    while (rig.writer.write(large)) count++;
    assert.ok(rig.writer.hasRoom && rig.writer.store("first"));
    assert.equal(rig.writer.hasRoom, false);
    rig.writer.flush();
    assert.equal(rig.take(count).length, count);
    assert.ok(rig.send("second"));
    rig.hear();
    assert.deepEqual(rig.take(), ["first", "second"]);
    rig.end();
  });

  it("sends nothing past the swap while that holds anything, though the lane has room", () => {
    const rig = createRig();
    for (const text of upTo(20)) rig.send(text);
    assert.equal(rig.take(4).length, 4);
    assert.ok(rig.send("20"), "what was first in the swap has the room");
    assert.equal(rig.writer.hasRoom, false);
    assert.deepEqual(rig.take(), ["4", "5", "6", "7"]);
    rig.end();
  });

  it("is always woken for room while the swap holds anything, and asks for it by itself", () => {
    const rig = createRig();
    for (const text of upTo(5)) rig.send(text);
    assert.equal(rig.waits, true);
    rig.take(3);
    assert.deepEqual(rig.hear(), ["write"]);
    assert.equal(rig.writer.swapped, 0);
    for (const text of upTo(30)) rig.send(text);
    for (let left = 30; left > 0 && rig.writer.swapped > 0; left--) {
      assert.ok(rig.waits || rig.sender.hasMail, "either we wait or we are told");
      rig.take(1);
      rig.hear();
    }
    assert.equal(rig.writer.swapped, 0);
    rig.end();
  });

  it("says in shared memory how many messages are in the swap", () => {
    const rig = createRig();
    for (const text of upTo(10)) rig.send(text);
    assert.equal(swappedIn(rig.arena.words, rig.lane), 6);
    rig.take();
    rig.hear();
    assert.equal(rig.arena.words[rig.lane + LANE_SWAPPED], 2);
    rig.end();
  });

  it("P4: a full swap is the ordinary mute state, and room in it comes back", () => {
    const rig = createRig({ swap: 3 * 40 });
    assert.equal(upTo(20).filter((text) => rig.send(text)).length, 7, "4 and 3");
    assert.equal(rig.send("x"), false);
    assert.equal(rig.writer.hasRoom, false);
    assert.equal(rig.writer.wait(), true);
    rig.take(3);
    assert.deepEqual(rig.hear(), ["write"]);
    for (const text of ["7", "8", "9"]) assert.ok(rig.send(text));
    assert.equal(rig.send("10"), false);
    rig.end();
  });

  it("a message larger than the whole swap waits for room in memory", () => {
    const rig = createRig({ swap: 1000 });
    const large = "L".repeat(1000);
    for (const text of upTo(4)) rig.send(text);
    assert.equal(rig.send(large), false);
    rig.take();
    assert.equal(rig.send(large), true);
    assert.deepEqual(rig.take(), [large]);
    rig.end();
  });

  it("bodies of every size come back, large ones in blocks of their own", () => {
    const rig = createRig({ mark: 1 });
    const messages = [1, 24, 25, 4096, 4097, 300_000].map((length) => "x".repeat(length));
    for (const message of messages) assert.ok(rig.send(["head", message, ""]));
    const got: string[] = [];
    while (rig.writer.queued > 0) {
      got.push(...rig.take());
      rig.hear();
    }
    assert.deepEqual(
      got,
      messages.map((message) => `head|${message}|`),
    );
    rig.end();
  });

  it("where memory is used up, messages go to the swap; freed memory brings them back", () => {
    const rig = createRig({ mark: 0, maxBytes: 1 << 20 });
    const body = "b".repeat(20_000);
    const sent: string[] = [];
    while (rig.writer.swapped < 10) {
      assert.ok(rig.send(body));
      sent.push(body);
    }
    assert.equal(load(rig.arena.words, MEMORY_WANTED), 1, "and asks for some");
    assert.equal(
      rig.writer.hasRoom,
      false,
      "there is room for a small one, but it is not its turn",
    );
    for (const text of upTo(3)) assert.ok(rig.send(text));
    sent.push(...upTo(3));
    const got: string[] = [];
    while (got.length < sent.length) {
      const some = rig.take();
      assert.ok(some.length > 0, `${got.length} of ${sent.length}`);
      got.push(...some);
      rig.writer.drainSwap(); // As on the command MEMORY.
    }
    assert.ok(
      got.every((text, index) => text === sent[index]),
      "in order",
    );
    assert.equal(load(rig.arena.words, MEMORY_WANTED), 0);
    rig.end();
  });

  it("asks before each message comes back, and waits for memory if that has found none", () => {
    const rig = createRig({ mark: 1 });
    for (const text of upTo(4)) rig.send(text);
    const asked: number[] = [];
    let isShort = true;
    rig.writer.onRefill = (left) => {
      asked.push(left);
      return !isShort && rig.writer.writeControl(Uint8Array.of(left));
    };
    const got: string[] = [];
    rig.reader.onControl = ([left]) => got.push(`${left} left`);
    got.push(...rig.take());
    rig.hear();
    assert.equal(rig.writer.swapped, 3);
    assert.equal(load(rig.arena.words, MEMORY_WANTED), 1);
    isShort = false;
    while (rig.writer.swapped > 0 || rig.writer.queued > 0) {
      rig.writer.drainSwap();
      for (const text of rig.take()) got.push(text);
    }
    assert.deepEqual(got, ["0", "3 left", "1", "2 left", "2", "1 left", "3"]);
    assert.deepEqual(asked, [3, 3, 2, 1]);
    assert.equal(load(rig.arena.words, MEMORY_WANTED), 0);
    rig.end();
  });

  it("wants no memory any more when it leaves", () => {
    const rig = createRig({ mark: 0, maxBytes: 1 << 20 });
    while (rig.writer.swapped < 3) rig.send("b".repeat(20_000));
    assert.equal(load(rig.arena.words, MEMORY_WANTED), 1);
    rig.writer.leave();
    assert.equal(load(rig.arena.words, MEMORY_WANTED), 0);
    rig.take();
    rig.end();
  });

  it("pours out all that there is memory for, whatever the watermark says", () => {
    const rig = createRig();
    for (const text of upTo(100)) rig.send(text);
    rig.writer.pourSwap();
    assert.equal(rig.writer.swapped, 0);
    assert.deepEqual(rig.take(), upTo(100));
    rig.end();
  });

  it("P5: what cannot be read back is counted as dropped, told, and the rest comes", () => {
    const rig = createRig();
    const body = "b".repeat(100_000);
    for (const text of upTo(20)) assert.ok(rig.send([text, body]));
    rig.files.isBad = (position) => position === 1 << 18;
    const got: string[] = [];
    const heard: string[] = [];
    while (rig.writer.queued > 0) {
      got.push(...rig.take().map((text) => text.split("|")[0] as string));
      heard.push(...rig.hear().filter((each) => each.startsWith("lost")));
    }
    const lost = Number(heard[0]?.split(" ")[1]);
    assert.deepEqual(heard, [`lost ${lost} EIO`]);
    assert.ok(lost > 0 && lost <= 4);
    assert.equal(got.length, 20 - lost);
    assert.deepEqual(
      got,
      upTo(20).filter((text) => got.includes(text)),
    );
    assert.equal(counted(rig.arena, slotAt(1) + SLOT_DROPPED), lost);
    rig.end();
  });

  it("P5: it is told that the swap is empty when the rest cannot be moved to another lane", () => {
    const rig = createRig();
    const other = createPair(rig.sender, rig.receiver);
    const told: boolean[] = [];
    rig.writer.onSwap = (used) => told.push(used);
    const body = "b".repeat(100_000);
    for (const text of upTo(20)) assert.ok(rig.send([text, body]));
    rig.files.isBad = () => true;
    while (rig.writer.swapped > 0) assert.ok(rig.writer.moveSwapped(other.writer));
    assert.deepEqual(told, [true, false]);
    assert.ok(counted(rig.arena, slotAt(1) + SLOT_DROPPED) > 0, "the rest is lost");
    while (other.reader.read() !== undefined) other.reader.release();
    other.close();
    rig.take();
    rig.end();
  });

  it("the swap may be turned off, and its limit changed, while it holds messages", () => {
    const options = { sendHighWaterMark: 2, receiveHighWaterMark: -1, swap: 1000 };
    const rig = createRig({ mark: 2, swap: 1000 });
    for (const text of upTo(5)) rig.send(text);
    const owner = rig.connecter as unknown as { swap: number };
    Object.defineProperty(owner, "swap", { get: () => options.swap });
    options.swap = 0;
    assert.equal(rig.send("no"), false);
    options.swap = 10_000;
    assert.ok(rig.send("5"));
    const got: string[] = [];
    while (rig.writer.queued > 0) {
      got.push(...rig.take());
      rig.hear();
    }
    assert.deepEqual(got, upTo(6));
    rig.end();
  });

  it("is a plain queue, whatever is sent, taken and heard in whichever order", () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ send: fc.nat(9000), parts: fc.nat(3) }) },
      { weight: 3, arbitrary: fc.record({ take: fc.nat(6) }) },
      { weight: 2, arbitrary: fc.constant("hear" as const) },
    );
    const marks = fc.constantFrom(1, 2, 5);
    const swaps = fc.constantFrom(300, 5000, 1 << 20);
    const steps = fc.array(step, { maxLength: 100 });
    const property = fc.property(marks, swaps, steps, (mark, swap, all) => {
      const rig = createRig({ mark, swap });
      const list: string[] = [];
      let number = 0;
      for (const each of all) {
        if (each === "hear") rig.hear();
        else if ("take" in each) {
          const got = rig.take(each.take);
          assert.deepEqual(got, list.splice(0, got.length));
        } else {
          const message = [`${number++}`, ...Array(each.parts).fill("p".repeat(each.send))];
          if (rig.send(message)) list.push(message.join("|"));
        }
        assert.equal(rig.writer.queued, list.length);
        assert.ok(rig.writer.swapped === 0 || rig.waits || rig.sender.hasMail);
      }
      while (list.length > 0) {
        const got = rig.take();
        assert.deepEqual(got, list.splice(0, got.length));
        rig.hear();
      }
      rig.end();
    });
    checkAll("writer_swap", 300, property);
  });
});
