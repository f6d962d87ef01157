// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { BIND, type Thread } from "../command/index.ts";
import {
  type Addr,
  Arena,
  counted,
  LEAVE_NONE,
  LOG_LISTENERS,
  LOG_TOPICS,
  SLOT_DROPPED,
  slotAt,
} from "../memory/index.ts";
import {
  ABSENT,
  ASSIGNED,
  ATTACHED,
  BINDER_BLOCK,
  createPipe,
  destroyPipe,
  PIPE_OUT,
  Pipe,
  Slab,
} from "../pipe/index.ts";
import { LANE_LIMIT } from "../queue/index.ts";
import {
  allocateBeyond,
  assertFreed,
  checkAll,
  createArena,
  createThread,
} from "../testing/index.ts";
import { PUB, PULL, PUSH, SUB } from "./peers.ts";
import { Registry } from "./registry.ts";

const bytes = (name: string): Uint8Array => new TextEncoder().encode(name);
const MARKS = { sendHighWaterMark: 1000, receiveHighWaterMark: 1000 };

/** Connects and binds as sockets do, with nothing of a socket beyond that. */
class Party {
  readonly thread: Thread;
  readonly registry: Registry;
  readonly slab: Slab;
  /** The pipes that were assigned to us, in that order. */
  readonly pipes: Pipe[] = [];
  heardOfPeers = 0;
  readonly object: number;
  /** Whether a pipe is attached when it is heard of. */
  attaches = true;

  constructor(thread: Thread) {
    this.thread = thread;
    this.registry = new Registry(thread);
    this.slab = new Slab(thread.host);
    this.object = thread.register({
      command: (block, bits) => {
        assert.equal(bits & BIND, BIND);
        if (this.attaches) this.pipes.push(this.accept(block - BINDER_BLOCK));
      },
    });
  }

  accept(at: Addr): Pipe {
    this.registry.attach(at);
    return this.end(at, "binder");
  }

  end(at: Addr, side: "binder" | "connecter"): Pipe {
    return new Pipe(this.thread, at, side, "inproc://x", MARKS, this.slab, {
      readActivated: () => {},
      writeActivated: () => {},
      peerChanged: () => this.heardOfPeers++,
      messagesLost: () => {},
    });
  }

  bind(name: string, type: number = PULL, limit = 1000): void {
    const { slot } = this.thread;
    this.registry.bind(bytes(name), `inproc://${name}`, { slot, object: this.object, type, limit });
    this.thread.dispatch();
  }

  unbind(name: string): void {
    this.registry.unbind(bytes(name));
  }

  connect(name: string, ...texts: string[]): Pipe {
    const at = createPipe(this.thread, PUSH, { sends: true, receives: false });
    const pipe = this.end(at, "connecter");
    this.registry.connect(bytes(name), `inproc://${name}`, at);
    this.send(pipe, ...texts);
    return pipe;
  }

  send(pipe: Pipe, ...texts: string[]): void {
    for (const text of texts) assert.ok(pipe.writer?.write(text));
    pipe.writer?.flush();
  }

  read(pipe: Pipe, most = 1000): string[] {
    const texts: string[] = [];
    for (let message = pipe.reader?.read(); message; message = pipe.reader?.read()) {
      texts.push(message.join("|"));
      if (texts.length === most) break;
    }
    return texts;
  }

  leave(pipe: Pipe, lingerMs = -1): void {
    pipe.leave();
    this.registry.leave(pipe.at, pipe.side, lingerMs);
  }
}

function createRig() {
  const arena = createArena();
  const base = createThread(arena, 9).pool.pages.usedBytes;
  const [a, b, c] = [1, 2, 3].map((slot) => new Party(createThread(arena, slot))) as [
    Party,
    Party,
    Party,
  ];
  return {
    arena,
    a,
    b,
    c,
    dropped: (party: Party) => counted(arena, slotAt(party.thread.slot) + SLOT_DROPPED),
    limitOf: (pipe: Pipe) => arena.words[arena.words[pipe.at + PIPE_OUT] + LANE_LIMIT],
    /** Asserts that no name, no pipe and no memory is left. */
    end() {
      assert.deepEqual(a.registry.count(), { endpoints: 0, pipes: 0, queued: 0 });
      assertFreed(base, a.thread.pool, b.thread.pool, c.thread.pool);
    },
  };
}

describe("a name", () => {
  it("links who connects to who is bound, at once (I2)", () => {
    const rig = createRig();
    rig.b.bind("x");
    const out = rig.a.connect("x", "hello");
    assert.equal(out.peerState, ASSIGNED);
    rig.b.thread.dispatch();
    assert.equal(out.peerState, ATTACHED);
    const [end] = rig.b.pipes as [Pipe];
    assert.deepEqual(rig.b.read(end), ["hello"]);
    assert.deepEqual(rig.a.registry.count(), { endpoints: 1, pipes: 1, queued: 1 });
    rig.a.leave(out);
    rig.b.unbind("x");
    rig.b.leave(end);
    rig.end();
  });

  it("keeps pipes for who binds later, in the order of their connects (I1, I2)", () => {
    const rig = createRig();
    const outs = ["a", "b", "c"].map((text) => rig.a.connect("x", text));
    const other = rig.c.connect("x", "d");
    assert.equal(other.peerState, ABSENT);
    assert.deepEqual(rig.a.registry.count(), { endpoints: 1, pipes: 4, queued: 4 });
    rig.b.bind("x");
    assert.deepEqual(
      rig.b.pipes.flatMap((pipe) => rig.b.read(pipe)),
      ["a", "b", "c", "d"],
    );
    for (const out of outs) rig.a.leave(out);
    rig.c.leave(other);
    rig.b.unbind("x");
    for (const pipe of rig.b.pipes) rig.b.leave(pipe);
    rig.end();
  });

  it("that is a listener's is known to who tells, in memory that is new", () => {
    const rig = createRig();
    const teller = new Party(createThread(Arena.open(rig.a.thread.arena.buffer), 20));
    allocateBeyond(rig.a.thread.pool, 4000, teller.thread.arena);
    const binder = { slot: 1, object: rig.a.object, type: SUB, limit: 1 };
    const { name, entry } = rig.a.registry.listen("sys://log", binder);
    assert.ok(entry >= teller.thread.arena.words.length);
    rig.a.registry.tune(name, 5);
    assert.deepEqual([...teller.registry.listeners().values()], [5]);
  });

  it("that is a listener's is in no count, and what lies there is not kept", () => {
    const rig = createRig();
    const { b } = rig;
    const { slot } = b.thread;
    const binder = { slot, object: b.object, type: SUB, limit: 9 };
    const names = [1, 2].map(() => b.registry.listen("sys://log", binder).name);
    assert.notDeepEqual(names[0], names[1]);
    assert.equal(rig.arena.words[LOG_TOPICS], 0);
    b.registry.tune(names[0] as Uint8Array, 5);
    b.registry.tune(names[1] as Uint8Array, 6);
    assert.equal(rig.arena.words[LOG_TOPICS], 7);
    const [[serial]] = rig.a.registry.listeners() as unknown as [[number, number]];
    const at = createPipe(rig.a.thread, PUB, { sends: true, receives: false });
    const out = rig.a.end(at, "connecter");
    const changes = rig.arena.words[LOG_LISTENERS];
    assert.equal(rig.a.registry.connectListener(serial, at), true);
    rig.a.send(out, "hello");
    assert.deepEqual(rig.a.registry.count(), { endpoints: 0, pipes: 0, queued: 0 });
    for (const name of names) b.registry.unbind(name);
    assert.equal(rig.arena.words[LOG_LISTENERS], changes + 2);
    assert.equal(rig.arena.words[LOG_TOPICS], 0);
    assert.equal(rig.a.registry.listeners().size, 0);
    assert.equal(rig.a.registry.connectListener(serial, at), false);
    rig.a.leave(out); // Without a limit of time.
    assert.deepEqual([rig.dropped(rig.a), rig.dropped(b)], [0, 0]);
    rig.end();
  });

  it("tells of messages that are dropped, by the name they were sent to", () => {
    const rig = createRig();
    const told: unknown[] = [];
    rig.a.registry.onDropped = (...what) => told.push(what);
    const out = rig.a.connect("x", "1", "2");
    rig.a.leave(out, 0);
    assert.deepEqual(told, [["x", 2, "linger"]]);
    rig.a.leave(rig.a.connect("x"), 0);
    assert.equal(told.length, 1);
    rig.end();
  });

  it("belongs to one binder at a time", () => {
    const rig = createRig();
    rig.b.bind("x");
    assert.throws(() => rig.c.bind("x"), { code: "EADDRINUSE", address: "inproc://x" });
    assert.throws(() => rig.b.bind("x"), { code: "EADDRINUSE" });
    rig.c.bind("y");
    rig.b.unbind("x");
    rig.c.bind("x");
    rig.c.unbind("x");
    rig.c.unbind("y");
    rig.end();
  });

  it("refuses types that do not fit, and is as before then", () => {
    const rig = createRig();
    rig.b.bind("x", PUSH);
    const at = createPipe(rig.a.thread, PUSH, { sends: true, receives: false });
    const connect = () => rig.a.registry.connect(bytes("x"), "inproc://x", at);
    assert.throws(connect, { code: "ENOCOMPATPROTO", address: "inproc://x" });
    assert.deepEqual(rig.a.registry.count(), { endpoints: 1, pipes: 0, queued: 0 });
    destroyPipe(rig.arena, rig.a.thread.pool, at);
    rig.b.unbind("x");
    const out = rig.a.connect("x");
    assert.throws(() => rig.b.bind("x", PUSH), { code: "ENOCOMPATPROTO" });
    assert.equal(out.peerState, ABSENT);
    rig.b.bind("x", PULL);
    assert.equal(out.peerState, ATTACHED);
    rig.b.unbind("x");
    rig.b.leave(rig.b.pipes[0] as Pipe);
    rig.a.leave(out);
    rig.end();
  });

  it("is compared byte by byte", () => {
    const rig = createRig();
    const names = ["a", "ab", "abc", "A", "á", "a\u0301", "a ", "\u0000", "漢", "x".repeat(256)];
    for (const name of names) rig.b.bind(name);
    assert.equal(rig.a.registry.count().endpoints, names.length);
    for (const name of names) assert.throws(() => rig.c.bind(name), { code: "EADDRINUSE" });
    for (const name of names) rig.b.unbind(name);
    rig.end();
  });

  it("is one of thousands, which come and go in any order (I3)", () => {
    const rig = createRig();
    const names = Array.from({ length: 2000 }, (_, i) => `name ${i}`);
    for (const name of names) rig.b.bind(name);
    assert.equal(rig.a.registry.count().endpoints, 2000);
    const apart = (i: number) => (i * 7919) % 2000;
    for (let i = 0; i < 1000; i++) rig.b.unbind(names[apart(i)] as string);
    assert.equal(rig.a.registry.count().endpoints, 1000);
    for (let i = 1000; i < 2000; i++) {
      assert.throws(() => rig.c.bind(names[apart(i)] as string), { code: "EADDRINUSE" });
      rig.b.unbind(names[apart(i)] as string);
    }
    rig.end();
  });

  it("needs memory for a new entry, and says so", () => {
    const arena = createArena({ maxBytes: 28 * 16_384 });
    const party = new Party(createThread(arena, 1));
    while (party.thread.pool.allocate(16, LEAVE_NONE) !== 0);
    assert.throws(() => party.bind("x"), { code: "ENOMEM", address: "inproc://x" });
    assert.equal(party.registry.count().endpoints, 0);
  });
});

describe("rebinding", () => {
  it("gives the next binder what the last has not read", () => {
    const rig = createRig();
    const out = rig.a.connect("x", "1", "2", "3");
    rig.b.bind("x");
    const [end] = rig.b.pipes as [Pipe];
    assert.deepEqual(rig.b.read(end, 1), ["1"]);
    rig.b.unbind("x");
    rig.b.leave(end);
    assert.equal(out.peerState, ABSENT);
    assert.equal(rig.limitOf(out), -1);
    rig.a.send(out, "4");
    rig.c.bind("x");
    assert.deepEqual(rig.c.read(rig.c.pipes[0] as Pipe), ["2", "3", "4"]);
    rig.a.leave(out);
    rig.c.unbind("x");
    rig.c.leave(rig.c.pipes[0] as Pipe);
    rig.end();
  });

  it("while the last binder still drains gives the pipe on when it leaves (I2)", () => {
    const rig = createRig();
    const out = rig.a.connect("x", "1");
    rig.b.bind("x");
    const [end] = rig.b.pipes as [Pipe];
    rig.b.unbind("x");
    rig.b.registry.drain(end.at, "binder");
    rig.c.bind("x");
    assert.equal(rig.c.pipes.length, 0);
    rig.a.thread.dispatch();
    assert.ok(rig.a.heardOfPeers > 0);
    rig.b.leave(end);
    rig.c.thread.dispatch();
    assert.equal(rig.c.pipes.length, 1);
    assert.deepEqual(rig.c.read(rig.c.pipes[0] as Pipe), ["1"]);
    rig.a.leave(out);
    rig.c.unbind("x");
    rig.c.leave(rig.c.pipes[0] as Pipe);
    rig.end();
  });

  it("finds also what a binder was given and had not heard of", () => {
    const rig = createRig();
    rig.b.bind("x");
    const out = rig.a.connect("x", "1");
    rig.b.unbind("x");
    rig.b.thread.dispatch();
    assert.equal(rig.b.pipes.length, 0);
    assert.equal(out.peerState, ABSENT);
    assert.equal(rig.limitOf(out), -1);
    rig.a.heardOfPeers = 0;
    rig.a.thread.dispatch();
    assert.equal(rig.a.heardOfPeers, 1);
    rig.c.bind("x");
    assert.deepEqual(rig.c.read(rig.c.pipes[0] as Pipe), ["1"]);
    rig.c.unbind("x");
    rig.c.leave(rig.c.pipes[0] as Pipe);
    rig.a.leave(out, 0);
    rig.end();
  });

  it("tells the writer of the binder's watermark before the binder has attached", () => {
    const rig = createRig();
    const first = rig.a.connect("x");
    assert.equal(rig.limitOf(first), -1);
    rig.b.attaches = false;
    rig.b.bind("x", PULL, 17);
    assert.equal(rig.limitOf(first), 17);
    rig.b.registry.changeLimit(bytes("x"), 5);
    assert.equal(rig.limitOf(rig.a.connect("x")), 5);
    assert.equal(rig.limitOf(first), 5);
  });
});

describe("a connecter that leaves", () => {
  /** Sets the clock of the test. */
  function clockOf(t: { mock: { method: typeof import("node:test").mock.method } }) {
    const clock = { now: 2 ** 41 };
    t.mock.method(Date, "now", () => clock.now);
    return clock;
  }

  it("leaves what it sent to a binder that comes, without a linger for ever (I1)", (t) => {
    const clock = clockOf(t);
    const rig = createRig();
    rig.a.leave(rig.a.connect("x", "1", "2"), -1);
    assert.deepEqual(rig.a.registry.count(), { endpoints: 1, pipes: 1, queued: 2 });
    clock.now += 2 ** 31 + 5;
    rig.b.bind("x");
    const [end] = rig.b.pipes as [Pipe];
    assert.deepEqual(rig.b.read(end), ["1", "2"]);
    rig.b.leave(end);
    assert.equal(rig.dropped(rig.b), 0);
    rig.b.unbind("x");
    rig.end();
  });

  it("leaves nothing at all if it has sent nothing, or its linger is 0 (I3)", () => {
    const rig = createRig();
    rig.a.leave(rig.a.connect("x"), -1);
    rig.end();
    rig.a.leave(rig.a.connect("x", "1", "2", "3"), 0);
    assert.equal(rig.dropped(rig.a), 3);
    rig.end();
  });

  for (const start of [2 ** 41, 2 ** 41 + 2 ** 31 - 500, 2 ** 41 + 2 ** 32 - 500]) {
    it(`leaves it for as long as its linger says (the clock is at ${start})`, (t) => {
      const clock = clockOf(t);
      clock.now = start;
      const rig = createRig();
      rig.a.leave(rig.a.connect("x", "late"), 1000);
      clock.now += 999;
      rig.b.bind("x");
      assert.deepEqual(rig.b.read(rig.b.pipes[0] as Pipe), ["late"]);
      rig.b.leave(rig.b.pipes[0] as Pipe);
      rig.b.unbind("x");
      rig.a.leave(rig.a.connect("x", "too late"), 1000);
      const kept = rig.c.connect("x", "kept");
      clock.now += 1000;
      rig.b.pipes.length = 0;
      rig.b.bind("x");
      assert.deepEqual(
        rig.b.pipes.flatMap((pipe) => rig.b.read(pipe)),
        ["kept"],
      );
      assert.equal(rig.dropped(rig.b), 1);
      rig.c.leave(kept);
      rig.b.leave(rig.b.pipes[0] as Pipe);
      rig.b.unbind("x");
      rig.end();
    });
  }

  it("leaves it to its binder for as long as that takes, whatever its linger", () => {
    const rig = createRig();
    rig.b.bind("x");
    const out = rig.a.connect("x", "1");
    rig.a.leave(out, 0);
    rig.b.thread.dispatch();
    const [end] = rig.b.pipes as [Pipe];
    assert.deepEqual(rig.b.read(end), ["1"]);
    rig.b.unbind("x");
    rig.b.leave(end);
    assert.equal(rig.dropped(rig.a) + rig.dropped(rig.b), 0);
    rig.end();
  });

  it("is dropped with its pipe if its binder never attached it and its time is up", () => {
    const rig = createRig();
    rig.b.attaches = false;
    rig.b.bind("x");
    rig.a.leave(rig.a.connect("x", "1"), 0);
    assert.equal(rig.a.registry.count().pipes, 1);
    rig.b.unbind("x");
    assert.equal(rig.dropped(rig.b), 1);
    rig.end();
  });
});

describe("whatever is bound, connected and left", () => {
  type Op = "bind" | "unbind" | "connect" | "leaveConnecter" | "leaveBinder";
  const step = fc.record({
    op: fc.constantFrom<Op>("bind", "unbind", "connect", "leaveConnecter", "leaveBinder"),
    who: fc.nat(2),
    name: fc.constantFrom("x", "y"),
    pick: fc.nat(9),
  });
  type Step = { op: Op; who: number; name: string; pick: number };

  /** What there is, as a list of pipes says. */
  class Model {
    readonly rig = createRig();
    readonly parties = [this.rig.a, this.rig.b, this.rig.c];
    readonly bound = new Map<string, Party>();
    readonly out: { party: Party; pipe: Pipe }[] = [];
    sent = 0;
    received = 0;

    do({ op, who, name, pick }: Step): void {
      const party = this.parties[who] as Party;
      if (op === "bind") {
        if (this.bound.has(name)) assert.throws(() => party.bind(name), { code: "EADDRINUSE" });
        else party.bind(name);
        if (!this.bound.has(name)) this.bound.set(name, party);
      } else if (op === "unbind") {
        this.bound.get(name)?.unbind(name);
        this.bound.delete(name);
      } else if (op === "connect") {
        this.out.push({ party, pipe: party.connect(name, "message") });
        this.sent++;
      } else if (op === "leaveConnecter" && this.out.length > 0) {
        const [gone] = this.out.splice(pick % this.out.length, 1);
        gone?.party.leave(gone.pipe, pick % 2 === 0 ? -1 : 0);
      } else if (op === "leaveBinder" && party.pipes.length > 0) {
        const [gone] = party.pipes.splice(pick % party.pipes.length, 1) as [Pipe];
        if (pick % 3 > 0) this.received += party.read(gone).length;
        party.leave(gone);
      }
      if (pick < 5) for (const each of this.parties) each.thread.dispatch();
    }

    end(): void {
      for (const name of [...this.bound.keys()]) this.bound.get(name)?.unbind(name);
      for (const { party, pipe } of this.out) party.leave(pipe, 0);
      for (const party of this.parties) for (const pipe of party.pipes) party.leave(pipe);
      for (const name of ["x", "y"]) {
        // Nobody is left but messages that wait for a binder without an end: here it is.
        const last = new Party(createThread(this.rig.arena, 20));
        last.bind(name);
        for (const pipe of last.pipes) {
          this.received += last.read(pipe).length;
          last.leave(pipe);
        }
        last.unbind(name);
        last.thread.pool.leave();
      }
      const dropped = this.parties.map((party) => this.rig.dropped(party));
      const total = dropped.reduce((sum, count) => sum + count, 0);
      assert.equal(this.received + total, this.sent, "sent = received + dropped");
      this.rig.end();
    }
  }

  it("names and pipes end when their last user does, and no message is lost (I1, I2, I3)", () => {
    const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const model = new Model();
      for (const each of steps) model.do(each);
      model.end();
    });
    checkAll("registry", 200, property);
  });
});
