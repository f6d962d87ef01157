// SPDX-License-Identifier: MIT

/** Threads that die with names and pipes, and in the middle of a section. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BIND, Thread } from "../command/index.ts";
import {
  type Addr,
  Arena,
  type Keeper,
  NAMES_DOOMED,
  NAMES_LOCK,
  NOBODY_DIES,
  Pool,
  SLOT_LEASES,
  SLOT_MAKING,
  slotAt,
  store,
} from "../memory/index.ts";
import {
  ABSENT,
  ASSIGNED,
  ATTACHED,
  BINDER_BLOCK,
  createPipe,
  Leases,
  move,
  PIPE_ENTRY,
  PIPE_OUT,
  Pipe,
  Slab,
  stateOf,
} from "../pipe/index.ts";
import { LANE_HELD } from "../queue/index.ts";
import { allocateBeyond, assertFreed, createArena, FakeHost } from "../testing/index.ts";
import { FIRST, LAST, SLOT } from "./names.ts";
import { PULL, PUSH } from "./peers.ts";
import { Reaper } from "./reaper.ts";

const X = new TextEncoder().encode("x");
const MARKS = { sendHighWaterMark: 1000, receiveHighWaterMark: 1000 };
const PUSH_WAY = { sends: true, receives: false };

/** A thread that binds and connects. */
class Party {
  readonly thread: Thread;
  readonly registry: Reaper;
  readonly pipes: Pipe[] = [];
  readonly object: number;
  heard = 0;
  /** What its ends were told, in order. */
  readonly told: string[] = [];

  constructor(arena: Arena, slot: number, keeper: Keeper) {
    const host = new FakeHost();
    this.thread = new Thread(arena, slot, new Pool(arena, slot, true, keeper), host, keeper);
    this.registry = new Reaper(this.thread, keeper.isGone);
    this.object = this.thread.register({
      command: (block, bits) => {
        assert.equal(bits & BIND, BIND);
        this.registry.attach(block - BINDER_BLOCK);
        this.pipes.push(this.end(block - BINDER_BLOCK, "binder"));
      },
    });
  }

  end(at: Addr, side: "binder" | "connecter"): Pipe {
    return new Pipe(this.thread, at, side, "inproc://x", MARKS, new Slab(this.thread.host), {
      readActivated: () => this.told.push("read"),
      writeActivated: () => this.told.push("write"),
      messagesLost: () => {},
      peerChanged: () => {
        this.heard++;
        this.told.push("peer");
      },
    });
  }

  bind(): void {
    const { slot } = this.thread;
    this.registry.bind(X, "inproc://x", { slot, object: this.object, type: PULL, limit: 1000 });
    this.thread.dispatch();
  }

  connect(lingerMs = -1, ...texts: string[]): Pipe {
    const pipe = this.end(createPipe(this.thread, PUSH, PUSH_WAY), "connecter");
    this.registry.connect(X, "inproc://x", pipe.at, lingerMs);
    for (const text of texts) assert.ok(pipe.writer?.write(text));
    pipe.writer?.flush();
    return pipe;
  }

  leave(pipe: Pipe): void {
    pipe.leave();
    this.registry.leave(pipe.at, pipe.side, 0);
  }

  read(): string[] {
    const texts: string[] = [];
    for (const { reader } of this.pipes) {
      for (let message = reader?.read(); message; message = reader?.read())
        texts.push(`${message}`);
    }
    return texts;
  }
}

/** Slot 1 dies, slot 2 lives on, and so does slot 3. */
function createRig() {
  const arena = createArena();
  const gone = new Set<number>();
  const keeper: Keeper = { isGone: (slot) => gone.has(slot), repair: () => {} };
  const [dead, alive, other] = [1, 2, 3].map((slot) => new Party(arena, slot, keeper)) as [
    Party,
    Party,
    Party,
  ];
  const base = alive.thread.pool.pages.usedBytes;
  return {
    arena,
    dead,
    alive,
    other,
    /** What `reap` reports. */
    reap() {
      gone.add(1);
      return alive.registry.reap(1, () => {
        alive.thread.clearFor(1);
        alive.thread.pool.adopt(1, (block) => alive.registry.isLinked(block));
        gone.delete(1); // The slot is free.
      });
    },
    /** The dead thread has the lock of the names, and will never let go. */
    breakOff() {
      gone.add(1);
      store(arena.words, NAMES_LOCK, 1 + 1);
    },
    end() {
      assert.deepEqual(alive.registry.count(), { endpoints: 0, pipes: 0, queued: 0 });
      assertFreed(base, alive.thread.pool, other.thread.pool);
    },
  };
}

describe("who had died with", () => {
  it("a name: it is free, and who was connected waits for the next", () => {
    const rig = createRig();
    rig.dead.bind();
    const out = rig.alive.connect(-1, "1", "2");
    rig.dead.thread.dispatch();
    assert.deepEqual(rig.reap(), { names: 1, pipes: 1 });
    rig.alive.thread.dispatch();
    assert.ok(rig.alive.heard > 0);
    assert.equal(out.peerState, ABSENT);
    assert.equal(out.orphaned, true);
    rig.other.bind();
    assert.deepEqual(rig.other.read(), ["1", "2"]);
    rig.alive.leave(out);
    rig.other.registry.unbind(X);
    rig.other.leave(rig.other.pipes[0] as Pipe);
    rig.end();
  });

  it("a name it was given a pipe for, and had not heard of it", () => {
    const rig = createRig();
    rig.dead.bind();
    const out = rig.alive.connect(-1, "1");
    assert.deepEqual(rig.reap(), { names: 1, pipes: 1 });
    assert.equal(out.peerState, ABSENT);
    rig.alive.leave(out);
    rig.end();
  });

  for (const [lingerMs, kept] of [
    [-1, true],
    [60_000, true],
    [0, false],
  ] as const) {
    it(`a pipe that waits for a bind, linger ${lingerMs}: kept ${kept} (registry.ts I3)`, () => {
      const rig = createRig();
      rig.dead.connect(lingerMs, "1");
      assert.deepEqual(rig.reap(), { names: 0, pipes: 1 });
      const { endpoints, pipes } = rig.alive.registry.count();
      assert.deepEqual([endpoints, pipes], kept ? [1, 1] : [0, 0]);
      rig.other.bind();
      assert.deepEqual(rig.other.read(), kept ? ["1"] : []);
      rig.other.registry.unbind(X);
      for (const pipe of rig.other.pipes) rig.other.leave(pipe);
      rig.end();
    });
  }

  it("both ends of empty pipes: they go, and their name (registry.ts I1, I3)", () => {
    const rig = createRig();
    rig.dead.bind();
    rig.dead.connect();
    rig.dead.connect();
    rig.dead.thread.dispatch();
    assert.deepEqual(rig.reap(), { names: 1, pipes: 4 });
    rig.end();
  });

  it("a pipe that it had retracted", () => {
    const rig = createRig();
    const out = rig.dead.connect(0, "1");
    assert.equal(rig.dead.registry.retract(out.at), true);
    assert.deepEqual(rig.reap(), { names: 0, pipes: 2 });
    rig.end();
  });

  it("a pipe that it was making", () => {
    const rig = createRig();
    assert.notEqual(createPipe(rig.dead.thread, PUSH, PUSH_WAY), 0);
    assert.deepEqual(rig.reap(), { names: 0, pipes: 0 });
    assert.equal(rig.arena.words[slotAt(1) + SLOT_MAKING], 0);
    rig.end();
  });

  it("a pipe, whose other end is as quick as can be: it hears first that the peer is gone", () => {
    const rig = createRig();
    const { thread } = rig.alive;
    rig.dead.bind();
    const out = rig.alive.connect(-1, "1");
    rig.dead.thread.dispatch();
    thread.dispatch();
    rig.alive.told.length = 0;
    thread.post = (block, bits) => {
      Thread.prototype.post.call(thread, block, bits);
      thread.dispatch();
    };
    rig.reap();
    assert.deepEqual(rig.alive.told, ["peer", "read", "write"]);
    rig.alive.leave(out);
    rig.end();
  });

  it("nothing at all", () => {
    const rig = createRig();
    assert.deepEqual(rig.reap(), { names: 0, pipes: 0 });
    assert.equal(
      rig.alive.registry.reap(1, () => assert.fail()),
      undefined,
      "somebody did it",
    );
    rig.end();
  });
});

describe("a section that was broken off", () => {
  it("in bind, before pipes were assigned: they are, and then left (registry.ts I2)", () => {
    const rig = createRig();
    const out = rig.alive.connect(-1, "1");
    const entry = rig.arena.words[out.at + PIPE_ENTRY];
    rig.arena.words[entry + SLOT] = 1;
    rig.breakOff();
    rig.alive.registry.count(); // Whoever comes next repairs.
    rig.reap();
    assert.equal(out.peerState, ABSENT);
    rig.other.bind();
    assert.deepEqual(rig.other.read(), ["1"]);
    rig.alive.leave(out);
    rig.other.registry.unbind(X);
    rig.other.leave(rig.other.pipes[0] as Pipe);
    rig.end();
  });

  it("in connect, before `last` was moved: the next connects behind it (registry.ts I1)", () => {
    const rig = createRig();
    const [first, second] = [rig.alive.connect(), rig.dead.connect(-1, "theirs")];
    const entry = rig.arena.words[first.at + PIPE_ENTRY];
    rig.arena.words[entry + LAST] = first.at;
    rig.arena.words[slotAt(1) + SLOT_MAKING] = second.at;
    rig.breakOff();
    const third = rig.other.connect(-1, "last");
    rig.reap();
    assert.equal(rig.arena.words[slotAt(1) + SLOT_MAKING], 0);
    rig.alive.bind();
    assert.deepEqual(rig.alive.read(), ["theirs", "last"]);
    rig.alive.registry.unbind(X);
    for (const pipe of rig.alive.pipes) rig.alive.leave(pipe);
    rig.alive.leave(first);
    rig.other.leave(third);
    rig.end();
  });

  it("in connect to who is bound, assigned and not told: it is told", () => {
    const rig = createRig();
    rig.alive.bind();
    const out = rig.dead.connect(-1, "1");
    // Back to where the binder's block is closed, and not on its way.
    rig.alive.thread.withdraw(out.at + BINDER_BLOCK);
    assert.equal(out.peerState, ASSIGNED);
    rig.breakOff();
    rig.alive.registry.count();
    rig.alive.thread.dispatch();
    assert.deepEqual(rig.alive.read(), ["1"]);
    rig.reap();
    rig.alive.registry.unbind(X);
    for (const pipe of rig.alive.pipes) rig.alive.leave(pipe);
    rig.end();
  });

  it("in leave, of the last end: the pipe goes, and its name (registry.ts I1, I3)", () => {
    const rig = createRig();
    const out = rig.dead.connect();
    out.leave();
    move(rig.arena, out.at, "connecter", "leave");
    rig.breakOff();
    assert.deepEqual(rig.alive.registry.count(), { endpoints: 0, pipes: 0, queued: 0 });
    rig.reap();
    rig.end();
  });

  it("in leave, before the peer was told: it is told to look", () => {
    const rig = createRig();
    rig.alive.bind();
    const out = rig.dead.connect(-1, "1");
    rig.alive.thread.dispatch();
    const [end] = rig.alive.pipes as [Pipe];
    assert.equal(stateOf(rig.arena, end.at, "binder"), ATTACHED);
    out.leave();
    move(rig.arena, out.at, "connecter", "leave");
    rig.alive.heard = 0;
    rig.breakOff();
    rig.alive.registry.count();
    rig.alive.thread.dispatch();
    assert.equal(rig.alive.heard, 1);
    assert.deepEqual(rig.alive.read(), ["1"]);
    rig.reap();
    rig.alive.registry.unbind(X);
    rig.alive.leave(end);
    rig.end();
  });

  it("in the leaving of a dead one, when another is bound: what was unsaid is told", () => {
    const rig = createRig();
    rig.other.bind();
    const out = rig.alive.connect(-1, "1");
    rig.other.thread.dispatch();
    const [end] = rig.other.pipes as [Pipe];
    // The first binder has let go of the name, and drains; the second is there when it dies.
    rig.other.registry.drain(out.at, "binder");
    rig.other.registry.unbind(X);
    rig.alive.bind();
    rig.alive.thread.dispatch();
    end.leave();
    move(rig.arena, out.at, "binder", "leave");
    rig.alive.told.length = 0;
    rig.breakOff();
    rig.alive.registry.count();
    rig.alive.thread.dispatch();
    assert.deepEqual(rig.alive.told.slice(0, 3), ["peer", "read", "write"]);
    assert.deepEqual(rig.alive.read(), ["1"]);
    rig.reap();
    rig.alive.registry.unbind(X);
    for (const pipe of rig.alive.pipes) rig.alive.leave(pipe);
    rig.alive.leave(out);
    rig.end();
  });

  for (const unlinked of [false, true]) {
    it(`in the end of a pipe, which is ${unlinked ? "" : "not "}unlinked: it is freed`, () => {
      const rig = createRig();
      const [gone, kept] = [rig.dead.connect(0, "1"), rig.alive.connect(0, "2")];
      const entry = rig.arena.words[gone.at + PIPE_ENTRY];
      gone.leave();
      move(rig.arena, gone.at, "connecter", "leave");
      rig.arena.words[NAMES_DOOMED] = gone.at;
      if (unlinked) rig.arena.words[entry + FIRST] = kept.at;
      rig.breakOff();
      assert.deepEqual(rig.alive.registry.count(), { endpoints: 1, pipes: 1, queued: 1 });
      assert.equal(rig.arena.words[NAMES_DOOMED], 0);
      rig.reap();
      rig.alive.leave(kept);
      rig.end();
    });
  }

  it("in a name's end, when it has no use any more: it is dropped (registry.ts I3)", () => {
    const rig = createRig();
    rig.dead.bind();
    const pipe = rig.alive.connect();
    const entry = rig.arena.words[pipe.at + PIPE_ENTRY];
    rig.dead.thread.dispatch();
    rig.alive.leave(pipe);
    rig.dead.leave(rig.dead.pipes[0] as Pipe);
    rig.arena.words[entry + SLOT] = 0;
    rig.breakOff();
    assert.equal(rig.alive.registry.count().endpoints, 0);
    rig.reap();
    rig.end();
  });
});

describe("whether a block is linked is known", () => {
  /** Slot 3 is found to be dead while slot 2 looks, and until then has made the arena grow. */
  function createRig() {
    const arena = createArena();
    let dies: (() => void) | undefined;
    const keeper: Keeper = {
      isGone: (slot) => {
        if (slot !== 3) return false;
        dies?.();
        dies = undefined;
        return true;
      },
      repair: () => {},
    };
    const dying = new Party(arena, 3, keeper);
    const mourner = new Party(Arena.open(arena.buffer), 2, keeper);
    return {
      arena,
      dying,
      /** Of a block: and what the other does at last. */
      isLinked(block: Addr, size: number, last: () => void): boolean {
        dies = () => {
          allocateBeyond(dying.thread.pool, size, mourner.thread.arena);
          last();
        };
        const isLinked = mourner.registry.isLinked(block);
        assert.equal(dies, undefined);
        return isLinked;
      },
    };
  }

  it("where another who dies had written more", () => {
    const { arena, dying, isLinked } = createRig();
    const pipe = dying.connect();
    const message = new Uint8Array(5000);
    assert.ok(pipe.writer?.write(message));
    const body = arena.words[arena.words[pipe.at + PIPE_OUT] + LANE_HELD] as Addr;
    assert.ok(isLinked(body, 2032, () => assert.ok(pipe.writer?.write(message))));
  });

  it("where a living writer shows more to a reader who is dead", () => {
    const { arena, dying, isLinked } = createRig();
    const writer = new Party(arena, 4, NOBODY_DIES);
    dying.bind();
    const pipe = writer.connect(-1, "first");
    dying.thread.dispatch();
    const { pool } = writer.thread;
    const chunk = pool.allocate(2032); // The fourth; the second and the third will lie past it.
    pool.putBack(chunk);
    const last = () => {
      for (let i = 0; i < 500; i++) assert.ok(pipe.writer?.write("another"));
      pipe.writer?.flush();
    };
    assert.ok(isLinked(chunk, 4000, last));
  });

  it("where another who dies had leased more", () => {
    const { arena, dying, isLinked } = createRig();
    const leases = new Leases(dying.thread);
    assert.ok(leases.reserve(1));
    const table = arena.words[slotAt(3) + SLOT_LEASES] as Addr;
    assert.ok(isLinked(table, 128, () => assert.ok(leases.reserve(100))));
  });
});
