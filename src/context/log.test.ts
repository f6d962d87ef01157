// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BIND, LOG, type Thread } from "../command/index.ts";
import { LEAVE_NONE, LOG_TOPICS, SLOT_BLOCK, slotAt } from "../memory/index.ts";
import { BINDER_BLOCK, Pipe, Slab } from "../pipe/index.ts";
import { assertFreed, createArena, createThread } from "../testing/index.ts";
import {
  LOG_ENDPOINT,
  Log,
  type LogFields,
  type LogRecord,
  type LogTopic,
  topicsThat,
} from "./log.ts";
import { SUB } from "./peers.ts";
import { Registry } from "./registry.ts";

const bit = (...topics: LogTopic[]): number =>
  topicsThat((topic) => topics.includes(new TextDecoder().decode(topic) as LogTopic));
const EVERYTHING = topicsThat(() => true);

/** A thread with a log, as a member of a context has one. */
class Teller {
  readonly thread: Thread;
  readonly registry: Registry;
  readonly log: Log;

  constructor(thread: Thread) {
    this.thread = thread;
    this.registry = new Registry(thread);
    const block = slotAt(thread.slot) + SLOT_BLOCK;
    this.log = new Log(thread, this.registry, new Slab(thread.host), block);
    const command = (_: number, bits: number) => bits === LOG && this.log.flush();
    thread.open(block, thread.register({ command }));
  }
}

/** What a socket does that listens. */
class Listener {
  readonly #teller: Teller;
  readonly #limit: number;
  readonly #name: Uint8Array;
  readonly pipes: Pipe[] = [];

  constructor(teller: Teller, topics: number, limit = 1000) {
    this.#teller = teller;
    this.#limit = limit;
    const { thread, registry } = teller;
    const object = thread.register({
      command: (block, bits) => {
        assert.equal(bits & BIND, BIND);
        this.pipes.push(this.#accept(block - BINDER_BLOCK));
      },
    });
    const binder = { slot: thread.slot, object, type: SUB, limit };
    this.#name = registry.listen(LOG_ENDPOINT, binder).name;
    registry.tune(this.#name, topics);
  }

  tune(topics: number): void {
    this.#teller.registry.tune(this.#name, topics);
  }

  #accept(at: number): Pipe {
    const { thread, registry } = this.#teller;
    registry.attach(at);
    const marks = { sendHighWaterMark: 0, receiveHighWaterMark: this.#limit };
    const events = { readActivated() {}, writeActivated() {}, peerChanged() {}, messagesLost() {} };
    return new Pipe(thread, at, "binder", LOG_ENDPOINT, marks, new Slab(thread.host), events);
  }

  read(): [LogTopic, LogRecord][] {
    this.#teller.thread.dispatch();
    const records: [LogTopic, LogRecord][] = [];
    for (const { reader } of this.pipes) {
      for (let message = reader?.read(); message; message = reader?.read()) {
        records.push([`${message[0]}` as LogTopic, JSON.parse(`${message[1]}`)]);
      }
      reader?.release();
    }
    return records;
  }

  close(): void {
    this.#teller.registry.unbind(this.#name);
    for (const pipe of this.pipes.splice(0)) {
      pipe.leave();
      this.#teller.registry.leave(pipe.at, "binder", 0);
    }
  }
}

function createRig(maxBytes = 1 << 26) {
  const arena = createArena({ maxBytes });
  const base = createThread(arena, 9).pool.pages.usedBytes;
  const [a, b] = [1, 2].map((slot) => new Teller(createThread(arena, slot))) as [Teller, Teller];
  const pools = [a.thread.pool, b.thread.pool];
  return {
    arena,
    base,
    a,
    b,
    /** Everybody hears what has come; then no name, no pipe and no memory is left. */
    end(...listeners: Listener[]) {
      for (const listener of listeners) listener.close();
      for (const { thread } of [a, b, a]) thread.dispatch();
      assert.equal(arena.words[LOG_TOPICS], 0);
      assert.equal(a.registry.listeners().size, 0);
      assertFreed(base, ...pools);
    },
  };
}

const told = (records: [LogTopic, LogRecord][]): LogTopic[] => records.map(([topic]) => topic);

describe("log", () => {
  it("tells a listener what it wants, from when it wants it, and no more", () => {
    const rig = createRig();
    const { a, b } = rig;
    b.log.event("thread.left", { slot: 2 });
    const listener = new Listener(a, bit("thread.left", "thread.died"));
    b.log.event("thread.left", { slot: 2 });
    b.log.event("thread.attached", { slot: 2 });
    b.log.event("thread.died", { slot: 3, died: "worker 3" });
    const records = listener.read();
    assert.deepEqual(told(records), ["thread.left", "thread.died"]);
    const [, record] = records[1] as [LogTopic, LogRecord];
    const { time, ...rest } = record;
    assert.ok(Math.abs(Date.now() - time) < 60_000);
    const expected = { thread: "a test", sequence: 2, dropped: 0, slot: 3, died: "worker 3" };
    assert.deepEqual(rest, expected);
    listener.tune(bit("thread.attached"));
    b.log.event("thread.left", { slot: 2 });
    b.log.event("thread.attached", { slot: 2 });
    assert.deepEqual(told(listener.read()), ["thread.attached"]);
    rig.end(listener);
  });

  it("makes no pipe to a listener that does not want what there is to tell", () => {
    const rig = createRig();
    const listeners = [new Listener(rig.a, 0), new Listener(rig.a, bit("thread.died"))];
    const used = rig.b.thread.pool.pages.usedBytes;
    for (let i = 0; i < 100; i++) rig.b.log.event("socket.opened", {});
    rig.a.thread.dispatch();
    assert.deepEqual(
      listeners.map(({ pipes }) => pipes.length),
      [0, 0],
    );
    assert.equal(rig.b.thread.pool.pages.usedBytes, used);
    rig.end(...listeners);
  });

  it("gives each listener its own records, within a thread and between threads", () => {
    const rig = createRig();
    const near = new Listener(rig.b, EVERYTHING);
    const far = new Listener(rig.a, EVERYTHING);
    rig.b.log.event("thread.left", {});
    assert.deepEqual(told(near.read()), ["thread.left"]);
    assert.deepEqual(told(far.read()), ["thread.left"]);
    near.close();
    rig.b.log.event("thread.left", {});
    assert.equal(far.read()[0]?.[1].sequence, 2);
    rig.end(far);
  });

  it("counts what a slow listener loses, and says so in the next record", () => {
    const rig = createRig();
    const slow = new Listener(rig.a, EVERYTHING, 3);
    const quick = new Listener(rig.a, EVERYTHING);
    for (let slot = 1; slot <= 10; slot++) rig.b.log.event("thread.left", { slot });
    const kept = slow.read().map(([, { slot }]) => slot);
    assert.deepEqual(kept, [1, 2, 3, 4]);
    rig.b.log.event("thread.left", { slot: 11 });
    rig.b.log.event("thread.left", { slot: 12 });
    const later = slow.read().map(([, { slot, dropped, sequence }]) => [slot, dropped, sequence]);
    assert.deepEqual(later, [
      [11, 6, 11],
      [12, 0, 12],
    ]);
    assert.equal(quick.read().length, 12);
    rig.end(slow, quick);
  });

  it("counts what is lost for lack of memory, and leaves what links need", () => {
    const rig = createRig(1 << 20);
    const listener = new Listener(rig.a, EVERYTHING);
    const { pool } = rig.b.thread;
    const blocks: number[] = [];
    for (let at = pool.allocate(2000); at !== 0; at = pool.allocate(2000)) blocks.push(at);
    for (let at = pool.allocate(100); at !== 0; at = pool.allocate(100)) blocks.push(at);
    for (let i = 0; i < 5; i++) rig.b.log.event("thread.left", {});
    assert.deepEqual(listener.read(), []);
    const link = pool.allocate(2000, LEAVE_NONE);
    assert.notEqual(link, 0);
    for (const at of [...blocks, link]) pool.free(at);
    rig.b.log.event("thread.died", {});
    const [[topic, { dropped, sequence }]] = listener.read() as [[LogTopic, LogRecord]];
    assert.deepEqual([topic, dropped, sequence], ["thread.died", 5, 6]);
    rig.end(listener);
  });

  it("tells later what happens where nothing can be written, under a lock for example", () => {
    const rig = createRig();
    const { a, b } = rig;
    const listener = new Listener(a, EVERYTHING);
    b.thread.pool.pages.lock.hold(() => b.log.later("arena.grown", {}));
    assert.deepEqual(listener.read(), []);
    assert.ok(b.thread.hasMail, "the thread will hear of it in its next call");
    b.thread.dispatch();
    assert.deepEqual(told(listener.read()), ["arena.grown"]);
    b.log.later("arena.grown", {});
    b.log.event("thread.left", {});
    assert.deepEqual(told(listener.read()), ["arena.grown", "thread.left"], "in that order");
    b.thread.dispatch();
    rig.end(listener);
  });

  it("writes what its own writing brings about after it", () => {
    const rig = createRig();
    const { a, b } = rig;
    const listener = new Listener(a, EVERYTHING);
    let grown = 0;
    b.thread.pool.pages.onGrown = () => {
      grown++;
      b.log.event("arena.grown", {});
    };
    const big: LogFields = { hint: "x".repeat(100_000) };
    for (let i = 0; i < 40; i++) b.log.event("thread.left", big);
    assert.ok(grown > 0);
    const records = listener.read();
    assert.equal(told(records).filter((topic) => topic === "arena.grown").length, grown);
    assert.deepEqual(
      records.map(([, { sequence }]) => sequence),
      Array.from({ length: 40 + grown }, (_, index) => index + 1),
    );
    rig.end(listener);
  });

  it("leaves what it has written to be read, and tells no more", () => {
    const rig = createRig();
    const listener = new Listener(rig.a, EVERYTHING);
    rig.b.log.later("thread.left", {});
    rig.b.log.leave();
    rig.b.log.event("thread.left", {});
    rig.b.log.later("thread.left", {});
    rig.b.thread.dispatch();
    assert.deepEqual(told(listener.read()), ["thread.left"]);
    rig.end(listener);
  });

  it("hears in the event loop that a listener is gone", { timeout: 10_000 }, async (t) => {
    const rig = createRig();
    const listener = new Listener(rig.a, EVERYTHING);
    rig.b.log.event("thread.left", {});
    assert.equal(listener.read().length, 1);
    const [near, far] = [rig.b.thread.pool, rig.a.thread.pool];
    const free = (): boolean => {
      for (const pool of [near, far, near]) pool.trim();
      return near.pages.usedBytes === rig.base;
    };
    listener.close();
    rig.a.thread.dispatch();
    assert.equal(free(), false);
    while (!free() && !t.signal.aborted) await new Promise(setImmediate);
    rig.end();
  });

  it("lets go of a listener that is gone, whether or not there is more to tell", () => {
    for (const more of [false, true]) {
      const rig = createRig();
      const listener = new Listener(rig.a, EVERYTHING);
      const other = new Listener(rig.a, bit("thread.died"));
      rig.b.log.event("thread.left", {});
      listener.close();
      if (more) rig.b.log.event("thread.died", {});
      rig.end(other);
    }
  });
});
