// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  type Addr,
  counted,
  load,
  MEMORY_WANTED,
  SLOT_DROPPED,
  SLOT_RECEIVED,
  SLOT_SENT,
  slotAt,
} from "../memory/index.ts";
import { type MessageLike, type Pipe, type PipeReader, swappedIn } from "../pipe/index.ts";
import {
  assertFreed,
  checkAll,
  createArena,
  createPair,
  createThread,
  FakeFiles,
  FakeHost,
  type Pair,
} from "../testing/index.ts";
import { aboutNumber, GAP, KNOWN, lostBy, numberIn, type WhenFull } from "./announcing.ts";
import { Dist, type DistOwner } from "./dist.ts";
import type { Outlet } from "./outlet.ts";

const LARGE = "x".repeat(20_000);

interface RigOptions {
  whenFull?: WhenFull;
  noDrop?: boolean;
  maxBytes?: number;
  aside?: number;
  swap?: number;
}

/** Notes what it is told of the pipes, which are called by their numbers. */
function tellsTo(told: string[], pairs: readonly Pair[], sendHighWaterMark: number): DistOwner {
  const nameOf = (pipe: Pipe) => pairs.findIndex(({ connecter }) => connecter === pipe);
  return {
    sendHighWaterMark,
    dropped: (pipe, count, why) => told.push(`${nameOf(pipe)} ${why} ${count}`),
    lost: (pipe, count, why) => told.push(`${nameOf(pipe)} lost ${count}: ${why}`),
    tooSlow: (pipe) => told.push(`${nameOf(pipe)} slow`),
  };
}

/** Gives a message to all that match, and shows it. */
function send(dist: Dist, message: MessageLike): boolean {
  const given = dist.write(message);
  dist.flush();
  return given;
}

/** What the writer tells: `(2)` that two are missing, `<2>` the number 2. */
function controlsOf(reader: PipeReader): string[] {
  const list: string[] = [];
  reader.onControl = (bytes) => {
    list.push(bytes[0] === GAP ? `(${lostBy(bytes)})` : `<${numberIn(bytes)}>`);
  };
  return list;
}

/** A distribution over so many pipes, each of which takes `room` messages. */
function createRig(count: number, room: number, options: RigOptions = {}) {
  const { whenFull = "drop-newest", noDrop = false, maxBytes = 1 << 26 } = options;
  const arena = createArena({ maxBytes });
  const host = new FakeHost();
  host.files = new FakeFiles();
  const sender = createThread(arena, 1, host);
  const receiver = createThread(arena, 2);
  const base = sender.pool.pages.usedBytes;
  const { aside = room, swap = 0 } = options;
  const marks = { sendHighWaterMark: room, receiveHighWaterMark: -1, swap };
  const pairs = Array.from({ length: count }, () => createPair(sender, receiver, marks));
  const told: string[] = [];
  const dist = new Dist(sender, tellsTo(told, pairs, aside));
  dist.noDrop = noDrop;
  const outlets = pairs.map(({ connecter }) => dist.attach(connecter));
  for (const outlet of outlets) dist.setWhenFull(outlet, whenFull);
  const heard = pairs.map(({ reader }) => controlsOf(reader));
  return {
    arena,
    sender,
    receiver,
    dist,
    pairs,
    outlets,
    told,
    /** Sends to all. */
    send: (...messages: MessageLike[]) =>
      messages.map((message) => {
        dist.matchAll();
        return send(dist, message);
      }),
    /** Tells the reader of a pipe a number. */
    tell: (index: number, number: number) => outlets[index]?.tell(aboutNumber(KNOWN, number)),
    /** Takes all that a pipe shows, or at most so many; and what was told in between. */
    take(index: number, most = 10_000): string {
      const list = heard[index] as string[];
      const { reader } = pairs[index] as Pair;
      for (let i = 0; i < most; i++) {
        const message = reader.read();
        if (message === undefined) break;
        list.push(message.map(brief).join("|"));
      }
      reader.release();
      return list.splice(0).join(" ");
    },
    /** Hears of every pipe that said it has room. */
    hear() {
      sender.dispatch();
      for (const { connecter, heard } of pairs) {
        if (heard.splice(0).includes("write")) dist.activated(connecter);
      }
    },
    /** Sent is received, queued or dropped. */
    assertBooks() {
      const count = (slot: number, counter: number) => counted(arena, slotAt(slot) + counter);
      const queued = pairs.reduce(
        (sum, { writer, reader }) => sum + reader.queued + swappedIn(arena.words, writer.lane),
        0,
      );
      const out = count(2, SLOT_RECEIVED) + queued + count(1, SLOT_DROPPED);
      assert.equal(count(1, SLOT_SENT), out, "the books balance");
    },
    end() {
      for (const { connecter } of pairs) dist.remove(connecter);
      for (const pair of pairs) pair.close();
      assertFreed(base, sender.pool, receiver.pool);
      assert.equal(load(arena.words, MEMORY_WANTED), 0);
    },
  };
}

function brief(part: Uint8Array): string {
  return part.length > 100 ? `${String.fromCharCode(part[0] as number)}*` : `${part}`;
}

const upTo = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`);

describe("distribution", () => {
  for (const count of [1, 2, 8, 64]) {
    it(`gives each message to all of ${count} pipes, large ones and several parts too`, () => {
      const rig = createRig(count, 100);
      const messages = ["a", ["b", LARGE, "c"], LARGE, ["d", "e"]];
      assert.ok(rig.send(...messages).every(Boolean));
      for (let i = 0; i < count; i++) assert.equal(rig.take(i), "a b|x*|c x* d|e");
      rig.assertBooks();
      rig.end();
    });
  }

  it("to nobody is done at once", () => {
    const rig = createRig(2, 1, { noDrop: true });
    for (let i = 0; i < 5; i++) assert.equal(send(rig.dist, "a"), true, "nobody matches");
    assert.deepEqual([rig.take(0), rig.take(1)], ["", ""]);
    assert.throws(() => send(rig.dist, []), { code: "EINVAL" });
    rig.end();
  });

  it("gives a message to those that match, once, or to all others", () => {
    const rig = createRig(5, 100);
    const { dist, outlets } = rig;
    const all = [0, 1, 2, 3, 4];
    for (let set = 0; set < 32; set++) {
      const chosen = all.filter((i) => (set & (1 << i)) !== 0);
      for (const inverted of [false, true]) {
        dist.unmatch();
        for (const i of [...chosen, ...chosen]) dist.match(outlets[i] as Outlet);
        if (inverted) dist.invert();
        send(dist, `${set}`);
        const got = all.filter((i) => rig.take(i) === `${set}`);
        assert.deepEqual(got, inverted ? all.filter((i) => !chosen.includes(i)) : chosen);
      }
    }
    rig.end();
  });

  it("shows what was written when it is flushed, and what was written to who goes", () => {
    const rig = createRig(3, 100);
    rig.dist.matchAll();
    for (const text of ["a", "b"]) rig.dist.write(text);
    assert.equal(rig.take(0), "");
    rig.dist.remove((rig.pairs[1] as Pair).connecter);
    assert.equal(rig.dist.has((rig.pairs[1] as Pair).connecter), false);
    send(rig.dist, "c");
    assert.deepEqual([rig.take(0), rig.take(1), rig.take(2)], ["a b c", "a b", "a b c"]);
    rig.end();
  });

  it("a pipe that is full loses the message, and no other does; its reader is told", () => {
    const rig = createRig(2, 3);
    rig.send(...upTo(3));
    assert.equal(rig.take(1), "0 1 2");
    rig.send("3", "4");
    assert.deepEqual(rig.told.splice(0), ["0 full 1", "0 full 1"]);
    assert.equal(rig.outlets[0]?.dropped, 2);
    rig.assertBooks();
    assert.equal(rig.take(0), "0 1 2");
    assert.equal(rig.take(1), "3 4");
    rig.send("5", "6");
    assert.equal(rig.take(0), "(2) 5 6");
    assert.equal(rig.take(1), "5 6");
    rig.assertBooks();
    rig.end();
  });

  it("a pipe without memory loses the message, and is told; nobody waits", () => {
    const rig = createRig(2, 0, { maxBytes: 1 << 20 });
    const hog = rig.receiver.pool;
    const hogged: Addr[] = [];
    for (let at = hog.allocate(4000); at !== 0; at = hog.allocate(4000)) hogged.push(at);
    const got = ["", ""];
    let sent = 0;
    for (; !rig.told.includes("1 memory 1"); sent++) {
      assert.deepEqual(rig.send("0123456789"), [true]);
      got[0] += `${rig.take(0)} `;
    }
    assert.deepEqual(rig.send(LARGE), [true]);
    rig.assertBooks();
    for (const at of hogged) hog.free(at);
    hog.trim();
    for (const i of [0, 1]) got[i] += `${rig.take(i)} `;
    rig.send("end");
    for (const i of [0, 1]) {
      const all = `${got[i]}${rig.take(i)}`.split(" ").filter(Boolean);
      const missing = all.map((text) => Number(/\((\d+)\)/.exec(text)?.[1] ?? 0));
      const received = missing.filter((gap) => gap === 0).length;
      assert.equal(received + missing.reduce((sum, gap) => sum + gap), sent + 2);
      assert.equal(all.at(-1), "end");
    }
    rig.assertBooks();
    rig.end();
  });

  it("with noDrop, waits as long as one that matches is full, and nobody has the message", () => {
    const rig = createRig(3, 2, { noDrop: true });
    const { dist } = rig;
    assert.deepEqual(rig.send("a", "b", "c"), [true, true, false]);
    assert.equal(rig.take(0), "a b");
    assert.equal(rig.take(1), "a b");
    assert.deepEqual(rig.send("c"), [false]);
    assert.equal(dist.park(), true);
    rig.hear();
    assert.deepEqual(rig.send("c"), [false], "nobody has read");
    assert.equal(dist.park(), true);
    assert.equal(rig.take(2, 1), "a");
    rig.sender.dispatch();
    assert.ok((rig.pairs[2] as Pair).heard.includes("write"), "it is woken");
    assert.deepEqual(rig.send("c"), [true]);
    assert.deepEqual([rig.take(0), rig.take(1), rig.take(2)], ["c", "c", "b c"]);
    dist.unmatch();
    dist.match(rig.outlets[0] as Outlet);
    for (let i = 0; i < 2; i++) assert.equal(send(dist, "d"), true);
    assert.equal(send(dist, "d"), false);
    dist.unmatch();
    dist.match(rig.outlets[1] as Outlet);
    assert.equal(send(dist, "e"), true, "who is full does not match");
    assert.deepEqual(rig.told, []);
    rig.assertBooks();
    rig.end();
  });

  it("parks on one pipe that is full, and on none that has room by now, or is gone", () => {
    const rig = createRig(2, 1, { noDrop: true });
    assert.deepEqual(rig.send("a", "b"), [true, false]);
    assert.equal(rig.dist.park(), true);
    rig.take(1);
    assert.equal(rig.dist.park(), false, "the last of those that were full");
    assert.deepEqual(rig.send("b"), [false]);
    assert.equal(rig.dist.park(), true, "the other");
    rig.take(0);
    assert.equal(rig.dist.park(), false);
    assert.deepEqual(rig.send("b", "c"), [true, false]);
    rig.dist.remove((rig.pairs[1] as Pair).connecter);
    assert.equal(rig.dist.park(), false, "it is gone");
    assert.deepEqual(rig.send("c"), [false]);
    rig.end();
  });

  it("a pipe that blocks makes all wait for it, others do not", () => {
    const rig = createRig(2, 1);
    rig.dist.setWhenFull(rig.outlets[1] as Outlet, "block");
    assert.deepEqual(rig.send("a", "b"), [true, false]);
    rig.take(1);
    assert.deepEqual(rig.send("b"), [true]);
    assert.deepEqual(rig.told, ["0 full 1"]);
    assert.deepEqual([rig.take(0), rig.take(1)], ["a", "b"]);
    rig.end();
  });

  it("with noDrop, what has no memory is set aside, and nothing is lost", () => {
    const rig = createRig(2, 0, { maxBytes: 1 << 20, noDrop: true });
    let sent = 0;
    while (rig.send(`${sent}${LARGE}`)[0]) sent++;
    assert.equal(rig.dist.aside, 2);
    assert.equal(rig.dist.park(), true);
    assert.notEqual(load(rig.arena.words, MEMORY_WANTED), 0);
    let got = 0;
    for (let rounds = 0; rounds < 4; rounds++) {
      for (const i of [0, 1]) got += rig.take(i).split(" ").filter(Boolean).length;
      rig.sender.pool.trim();
      rig.dist.memoryFreed();
    }
    assert.equal(got, 2 * sent);
    assert.deepEqual(rig.told, []);
    assert.deepEqual(rig.send("end"), [true]);
    rig.assertBooks();
    rig.end();
  });
});

describe("a slow pipe", () => {
  it("that drops the oldest gets the newest, in order, as it makes room", () => {
    const rig = createRig(1, 4, { whenFull: "drop-oldest", aside: 3 });
    rig.send(...upTo(10));
    assert.deepEqual(rig.told, ["0 full 1", "0 full 1", "0 full 1"]); // 4, 5 and 6
    assert.equal(rig.dist.aside, 3);
    rig.assertBooks();
    assert.equal(rig.take(0, 2), "0 1");
    rig.hear();
    assert.equal(rig.dist.aside, 1, "woken when half is free");
    assert.equal(rig.take(0, 3), "2 3 (3) 7");
    rig.send("10");
    assert.equal(rig.dist.aside, 0, "or when the next is sent");
    assert.equal(rig.take(0), "8 9 10");
    rig.assertBooks();
    rig.end();
  });

  it("that wants the latest of each topic gets that", () => {
    const rig = createRig(1, 2, { whenFull: "latest-per-topic", aside: 3 });
    for (const [topic, value] of ["a1", "b1", "a2", "b2", "c1", "a3", "b3", "d1", "b4"]) {
      rig.send([topic as string, value as string]);
    }
    assert.equal(rig.dist.aside, 3);
    assert.equal(rig.take(0), "a|1 b|1");
    rig.hear();
    // a2 and b2 were replaced, c1 was the oldest when d1 came, and b3 was replaced.
    assert.equal(rig.take(0), "(4) a|3 d|1");
    rig.hear();
    assert.equal(rig.take(0), "b|4");
    rig.assertBooks();
    rig.end();
  });

  it("takes a text and its bytes for one topic", () => {
    const rig = createRig(1, 1, { whenFull: "latest-per-topic", aside: 5 });
    for (const topic of ["x", "a", Buffer.from("a"), Buffer.from("é"), "é"]) {
      rig.send([topic, `${topic.length}`]);
    }
    assert.equal(rig.dist.aside, 2);
    rig.end();
  });

  it("that is to be left when it is full is told of, and loses the message", () => {
    const rig = createRig(2, 1, { whenFull: "disconnect" });
    rig.send("a");
    rig.take(0);
    rig.send("b");
    assert.deepEqual(rig.told, ["1 full 1", "1 slow"]);
    assert.equal(rig.take(0), "b");
    rig.assertBooks();
    rig.end();
  });

  it("that is left loses what was set aside, and that is counted", () => {
    const rig = createRig(2, 1, { whenFull: "drop-oldest", aside: 10 });
    rig.send("a", "b", LARGE);
    const pipe = (rig.pairs[0] as Pair).connecter;
    rig.dist.remove(pipe);
    assert.deepEqual(rig.told, ["0 closed 2", "0 lost 2: closed"]);
    rig.assertBooks();
    assert.equal(rig.dist.aside, 2, "the other's");
    rig.end();
  });

  it("is given large messages that were set aside whole", () => {
    const rig = createRig(2, 1, { whenFull: "drop-oldest", aside: 10 });
    rig.send("a", ["b", LARGE], LARGE);
    let got = "";
    for (let i = 0; i < 6; i++) {
      got += rig.take(0);
      rig.take(1);
      rig.hear();
    }
    assert.equal(got, "ab|x*x*");
    rig.assertBooks();
    rig.end();
  });

  for (const [whenFull, aside] of [
    ["drop-oldest", "<3> b <4> c <5> b <6> end"],
    ["latest-per-topic", "<3> <4> (1) c <5> b <6> end"],
  ] as const) {
    it(`is told each thing between the same messages, swapped or set aside: ${whenFull}`, () => {
      const rig = createRig(1, 1, { whenFull, aside: 10, swap: 2 * 40 });
      rig.send("lane");
      for (const [i, text] of ["swap", "too", "b", "c", "b"].entries()) {
        rig.tell(0, i + 1);
        rig.send(text);
      }
      rig.tell(0, 6);
      const got: string[] = [];
      for (let i = 0; i < 6; i++) {
        got.push(rig.take(0));
        rig.hear();
      }
      rig.send("end");
      got.push(rig.take(0));
      assert.equal(got.filter(Boolean).join(" "), `lane <1> swap <2> too ${aside}`);
      rig.assertBooks();
      rig.end();
    });
  }

  it("whatever is sent, told and read: order is kept, and each gap is told", () => {
    const policy = fc.constantFrom<WhenFull>("drop-newest", "drop-oldest", "block");
    const step = fc.oneof(
      fc.record({ size: fc.constantFrom(1, 1, 1, 9000) }),
      fc.record({ reads: fc.nat(2), most: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ tells: fc.nat(2) }),
      fc.constant({ hears: true }),
    );
    type Read = { reads: number; most: number };
    type Step = { size: number } | Read | { tells: number } | { hears: boolean };
    const check = (policies: WhenFull[], swap: number, steps: Step[]): void => {
      const rig = createRig(3, 2, { aside: 2, swap });
      for (const [i, one] of policies.entries()) {
        rig.dist.setWhenFull(rig.outlets[i] as Outlet, one);
      }
      const got: string[] = ["", "", ""];
      let sent = 0;
      for (const one of steps) {
        if ("size" in one && rig.send([`${sent}`, "y".repeat(one.size)])[0]) sent++;
        else if ("reads" in one) got[one.reads] += ` ${rig.take(one.reads, one.most)}`;
        else if ("tells" in one) rig.tell(one.tells, sent);
        else if ("hears" in one) rig.hear();
        rig.assertBooks();
      }
      for (let i = 0; i < 6; i++) {
        for (const pipe of [0, 1, 2]) got[pipe] += ` ${rig.take(pipe)}`;
        rig.hear();
      }
      assert.equal(rig.dist.aside, 0);
      for (const [i, text] of got.entries()) {
        let next = 0;
        let behind = 0;
        for (const one of text.split(" ").filter(Boolean)) {
          const [, gap, told] = /^\((\d+)\)|<(\d+)>$/.exec(one) ?? [];
          if (gap !== undefined) next += Number(gap);
          else if (told !== undefined) behind = Number(told);
          else assert.equal(one.split("|")[0], `${next++}`, `pipe ${i}: ${text}`);
          const isInOrder =
            told === undefined ? gap !== undefined || next > behind : next <= behind;
          assert.ok(isInOrder, `pipe ${i}: ${one} in ${text}`);
        }
        if (policies[i] === "block") assert.equal(rig.outlets[i]?.dropped, 0);
        assert.ok(next <= sent);
      }
      rig.end();
    };
    const policies = fc.tuple(policy, policy, policy);
    const swap = fc.constantFrom(0, 200);
    checkAll("dist", 200, fc.property(policies, swap, fc.array(step, { maxLength: 60 }), check));
  });
});
