// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load, MEMORY_WANTED } from "../memory/index.ts";
import { Slab } from "../pipe/index.ts";
import { assertFreed, createArena, createPair, createThread, type Pair } from "../testing/index.ts";
import { Lb } from "./lb.ts";

/** A load balancer over so many pipes, each of which takes `room` messages. */
function createRig(count: number, room: number, maxBytes = 1 << 26, leastLoaded = false) {
  const arena = createArena({ maxBytes });
  const sender = createThread(arena, 1);
  const receiver = createThread(arena, 2);
  const base = sender.pool.pages.usedBytes;
  const lb = new Lb(sender, () => leastLoaded);
  const marks = { sendHighWaterMark: room, receiveHighWaterMark: -1 };
  const pairs = Array.from({ length: count }, () => createPair(sender, receiver, marks));
  for (const { connecter } of pairs) lb.attach(connecter);
  return {
    arena,
    sender,
    receiver,
    lb,
    pairs,
    send: (...texts: (string | number)[]) => texts.map((text) => lb.send(String(text))),
    /** Tells the balancer of every pipe that said it has room. */
    hear() {
      sender.dispatch();
      for (const { connecter, heard } of pairs) {
        if (heard.splice(0).includes("write")) lb.activated(connecter);
      }
    },
    end() {
      for (const pair of pairs) pair.close();
      assertFreed(base, sender.pool, receiver.pool);
    },
  };
}

/** Takes all that a pipe shows, or at most so many. */
function drain({ reader }: Pair, most = 10_000): string[] {
  const texts: string[] = [];
  while (texts.length < most) {
    const message = reader.read();
    if (message === undefined) break;
    texts.push(message.join("|"));
  }
  reader.release();
  return texts;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe("load balancing", () => {
  for (const count of [1, 2, 3, 4, 5, 9]) {
    it(`gives each of ${count} pipes its turn, strictly`, () => {
      const rig = createRig(count, 100);
      rig.send(...upTo(4 * count));
      for (const [index, pair] of rig.pairs.entries()) {
        assert.deepEqual(
          drain(pair),
          [0, 1, 2, 3].map((round) => String(round * count + index)),
        );
      }
      rig.end();
    });
  }

  for (const count of [1, 2, 4, 5, 7, 12]) {
    it(`uses all the room of ${count} pipes, and not more`, () => {
      const rig = createRig(count, 3);
      assert.ok(rig.send(...upTo(3 * count)).every((sent) => sent));
      assert.deepEqual(rig.send("more"), [false]);
      assert.deepEqual(rig.send("more"), [false]);
      for (const pair of rig.pairs) assert.equal(drain(pair).length, 3);
      assert.ok(
        rig.send(...upTo(3 * count)).every((sent) => sent),
        "found without being told",
      );
      assert.deepEqual(rig.send("more"), [false]);
      rig.end();
    });

    it(`skips those of ${count} pipes that are full`, () => {
      const rig = createRig(count, 2);
      rig.send(...upTo(2 * count));
      const last = rig.pairs.at(-1) as Pair;
      drain(last);
      assert.deepEqual(rig.send("a", "b", "c"), [true, true, false]);
      assert.deepEqual(drain(last), ["a", "b"]);
      rig.end();
    });
  }

  it("shows what was written when it is flushed, in every pipe", () => {
    const rig = createRig(3, 100);
    for (const text of upTo(7)) assert.ok(rig.lb.write(String(text)));
    assert.deepEqual(
      rig.pairs.map((pair) => drain(pair).length),
      [0, 0, 0],
    );
    rig.lb.flush();
    assert.deepEqual(
      rig.pairs.map((pair) => drain(pair)),
      [
        ["0", "3", "6"],
        ["1", "4"],
        ["2", "5"],
      ],
    );
    rig.end();
  });

  it("has nothing to write to without pipes", () => {
    const rig = createRig(0, 1);
    assert.deepEqual(rig.send("a"), [false]);
    assert.equal(rig.lb.park(), true);
    rig.end();
  });

  it("gives a pipe that was removed nothing, and shows what it had", () => {
    const rig = createRig(3, 100);
    const [first] = rig.pairs as [Pair];
    rig.lb.write("a");
    rig.lb.remove(first.connecter);
    assert.equal(rig.lb.has(first.connecter), false);
    assert.deepEqual(drain(first), ["a"]);
    rig.send(...upTo(10));
    assert.deepEqual(drain(first), []);
    rig.end();
  });

  it("parks all pipes while they are full, and is woken by one", () => {
    const rig = createRig(6, 2);
    assert.equal(rig.lb.park(), false, "there is room");
    rig.send(...upTo(12));
    assert.equal(rig.lb.park(), true);
    rig.hear();
    drain(rig.pairs[3] as Pair);
    rig.hear();
    assert.deepEqual(rig.send("a", "b", "c"), [true, true, false]);
    assert.deepEqual(drain(rig.pairs[3] as Pair), ["a", "b"]);
    rig.end();
  });

  it("does not park if room came since it was looked for", () => {
    const rig = createRig(2, 1);
    rig.send("a", "b", "c");
    drain(rig.pairs[1] as Pair);
    assert.equal(rig.lb.park(), false);
    rig.end();
  });
});

describe("the least loaded pipe is the next", () => {
  const createLeast = (count: number, room: number) => createRig(count, room, 1 << 26, true);
  const queued = ({ pairs }: ReturnType<typeof createRig>) => pairs.map((p) => p.writer.queued);

  for (const count of [1, 2, 3, 4, 5, 9, 100]) {
    it(`of ${count} that are equal, each in turn`, () => {
      const rig = createLeast(count, 100);
      for (let round = 1; round <= 3; round++) {
        const seen = new Set<unknown>();
        for (let i = 0; i < count; i++) {
          rig.send("x");
          seen.add(rig.lb.last);
        }
        assert.equal(seen.size, count, "nobody twice");
        assert.deepEqual(queued(rig), Array(count).fill(round));
      }
      for (const pair of rig.pairs) drain(pair);
      const served = upTo(2 * count).map(() => {
        rig.send("x");
        const { last } = rig.lb;
        const pair = rig.pairs.find(({ connecter }) => connecter === last);
        drain(pair as Pair);
        return last;
      });
      assert.equal(new Set(served.slice(0, count)).size, count, "also if all are idle each time");
      assert.deepEqual(served.slice(count), served.slice(0, count), "in the same order");
      rig.end();
    });
  }

  it("an idle one gets everything until it has as many as the others", () => {
    const rig = createLeast(6, 100);
    rig.send(...upTo(60));
    const [, , idle, , half] = rig.pairs as Pair[];
    drain(idle as Pair);
    drain(half as Pair, 5);
    rig.send(...upTo(5));
    assert.deepEqual(queued(rig), [10, 10, 5, 10, 5, 10]);
    rig.send(...upTo(10));
    assert.deepEqual(queued(rig), Array(6).fill(10));
    rig.end();
  });

  it("counts what is not shown yet, and never passes a watermark", () => {
    const rig = createLeast(5, 3);
    for (let i = 0; i < 15; i++) assert.ok(rig.lb.write("x"));
    assert.deepEqual(queued(rig), Array(5).fill(3));
    assert.equal(rig.lb.write("x"), false);
    assert.equal(rig.lb.park(), true);
    const free = rig.pairs[3] as Pair;
    drain(free, 2);
    rig.hear();
    assert.ok(rig.lb.write("x"));
    assert.equal(rig.lb.last, free.connecter);
    rig.lb.flush();
    rig.end();
  });

  it("a pipe that leaves, or comes, changes nothing for the others", () => {
    const rig = createLeast(4, 100);
    rig.send(...upTo(8));
    const [gone] = rig.pairs as [Pair];
    rig.lb.remove(gone.connecter);
    drain(gone);
    rig.send(...upTo(3));
    assert.deepEqual(queued(rig), [0, 3, 3, 3]);
    rig.lb.attach(gone.connecter);
    rig.send(...upTo(3));
    assert.deepEqual(queued(rig), [3, 3, 3, 3]);
    rig.end();
  });
});

describe("returned messages", () => {
  /** The peer of the first pipe leaves what it has not read. */
  function leave(rig: ReturnType<typeof createRig>) {
    const [first] = rig.pairs as [Pair];
    rig.lb.remove(first.connecter);
    const state = { done: 0 };
    const reader = first.connecter.readBack(new Slab(rig.sender.host));
    rig.lb.reclaim({ reader, writer: first.writer, stays: false, done: () => state.done++ });
    return state;
  }

  it("go to the other pipes in turn", () => {
    const rig = createRig(3, 100);
    rig.send(...upTo(9));
    const state = leave(rig);
    assert.equal(state.done, 1);
    const [, second, third] = rig.pairs as [Pair, Pair, Pair];
    const got = [...drain(second), ...drain(third)];
    assert.deepEqual(got.sort(), upTo(9).map(String));
    assert.equal((rig.pairs[0] as Pair).connecter.queuedOut, 0);
    rig.end();
  });

  it("go before anything new, and nothing new is accepted until they have gone", () => {
    const rig = createRig(2, 4);
    rig.send(...upTo(8));
    const state = leave(rig);
    const second = rig.pairs[1] as Pair;
    assert.deepEqual(rig.send("new"), [false]);
    assert.equal(state.done, 0);
    const got = drain(second);
    assert.deepEqual(rig.send("new"), [false], "the returned ones fill it again");
    got.push(...drain(second));
    assert.equal(state.done, 1);
    assert.deepEqual(rig.send("new"), [true]);
    got.push(...drain(second));
    assert.deepEqual(got, ["1", "3", "5", "7", "0", "2", "4", "6", "new"]);
    rig.end();
  });

  it("go on from one that has left to the next, in the order they were sent", () => {
    const rig = createRig(3, 4);
    const [first, second, third] = rig.pairs as [Pair, Pair, Pair];
    for (const { connecter } of [second, third]) rig.lb.remove(connecter);
    rig.send(...upTo(4));
    const state = { done: 0 };
    const leave = (pair: Pair) => {
      rig.lb.remove(pair.connecter);
      const reader = pair.connecter.readBack(new Slab(rig.sender.host));
      rig.lb.reclaim({ reader, writer: pair.writer, stays: false, done: () => state.done++ });
    };
    leave(first);
    second.connecter.writer?.write("own");
    second.connecter.writer?.write("own");
    rig.lb.attach(second.connecter);
    rig.lb.settle();
    assert.deepEqual(drain(second, 2), ["own", "own"]);
    assert.equal(state.done, 0, "two of four have gone");
    leave(second);
    rig.lb.attach(third.connecter);
    rig.lb.settle();
    assert.deepEqual(drain(third), upTo(4).map(String));
    assert.equal(state.done, 2);
    rig.end();
  });

  it("are moved as they are: many parts, large bodies, whatever they are", () => {
    const rig = createRig(2, 100);
    const [first, second] = rig.pairs as [Pair, Pair];
    rig.lb.remove(second.connecter);
    const large = "L".repeat(50_000);
    for (const message of [["a", "", "c"], [large, "x", large], "", ["y".repeat(4096), null]]) {
      assert.ok(rig.lb.send(message));
    }
    rig.lb.attach(second.connecter);
    const used = rig.sender.pool.pages.usedBytes;
    rig.lb.remove(first.connecter);
    const reader = first.connecter.readBack(new Slab(rig.sender.host));
    rig.lb.reclaim({ reader, writer: first.writer, stays: false, done: () => {} });
    assert.ok(rig.sender.pool.pages.usedBytes - used <= 65_536, "no body is copied");
    assert.deepEqual(drain(second), ["a||c", `${large}|x|${large}`, "", `${"y".repeat(4096)}|`]);
    rig.end();
  });

  it("are dropped and counted when they are abandoned", () => {
    const rig = createRig(2, 4);
    rig.send(...upTo(8));
    const state = leave(rig);
    drain(rig.pairs[1] as Pair, 1);
    assert.equal(rig.lb.abandon(), 4);
    assert.equal(state.done, 1);
    assert.equal(rig.lb.abandon(), 0);
    assert.deepEqual(rig.send("new"), [true]);
    rig.end();
  });
});

describe("without memory", () => {
  const body = new Uint8Array(20_000);

  function fill(rig: ReturnType<typeof createRig>): number {
    let sent = 0;
    while (rig.lb.send(body)) sent++;
    return sent;
  }

  it("a sender asks for some once, then parks, and is done when it gets it", () => {
    const rig = createRig(2, 0, 1 << 20);
    assert.ok(fill(rig) > 5);
    assert.equal(rig.lb.park(), false, "first it tries again");
    assert.equal(rig.lb.send(body), false);
    assert.equal(rig.lb.park(), true, "then it waits");
    assert.equal(load(rig.arena.words, MEMORY_WANTED), 1);
    for (const pair of rig.pairs) drain(pair);
    rig.sender.pool.trim();
    assert.equal(rig.lb.send(body), true);
    assert.equal(load(rig.arena.words, MEMORY_WANTED), 0);
    rig.end();
  });

  it("a sender wants none any more when its pipes are gone or full, or it could send", () => {
    const rig = createRig(2, 0, 1 << 20);
    fill(rig);
    rig.lb.park();
    const [first, second] = rig.pairs as [Pair, Pair];
    rig.lb.remove(first.connecter);
    rig.lb.remove(second.connecter);
    assert.equal(rig.lb.send(body), false);
    for (const pair of rig.pairs) drain(pair);
    rig.sender.pool.trim();
    rig.lb.attach(second.connecter);
    assert.equal(rig.lb.send(body), true);
    assert.equal(load(rig.arena.words, MEMORY_WANTED), 0, "or every free would tell everybody");
    rig.end();
  });
});
