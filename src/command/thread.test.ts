// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type Addr,
  type Arena,
  add,
  DEATHS,
  load,
  MEMORY_WANTED,
  or,
  Pool,
  SLOT_HEAD,
  slotAt,
} from "../memory/index.ts";
import {
  assertFreed,
  createArena,
  createThread,
  FakeHost,
  inWorker,
  type Roles,
  startRole,
} from "../testing/index.ts";
import {
  ACTIVATE_READ,
  ACTIVATE_WRITE,
  BIND,
  BLOCK_BITS,
  BLOCK_SLOT,
  CLOSED,
  PIPE_TERM,
} from "./command.ts";
import { push } from "./mailbox.ts";
import { gotMemory, MemoryWish, Thread } from "./thread.ts";

const PATIENCE_MS = 10_000;

/** What a target heard. */
interface Heard {
  number: number;
  block: Addr;
  bits: number;
}

/** A thread with a target that writes down what it hears. */
function listen(thread: Thread, onCommand: (heard: Heard) => void = () => {}) {
  const heard: Heard[] = [];
  const number: number = thread.register({
    command(block, bits) {
      heard.push({ number, block, bits });
      onCommand({ number, block, bits });
    },
  });
  return { number, heard };
}

/** A thread; slot 2 pushes what it had begun to post, and dies, just when that one asks for it. */
function besideOneThatDies(arena: Arena) {
  /** What it has still to push. */
  const under: Addr[] = [];
  const keeper = {
    isGone(slot: number): boolean {
      for (const block of under.splice(0)) push(arena, slotAt(1) + SLOT_HEAD, block);
      return slot === 2;
    },
    repair() {},
  };
  const thread = new Thread(arena, 1, new Pool(arena, 1, true), new FakeHost(), keeper);
  /** As slot 2, which has set the first bit and not pushed. */
  const begin = (block: Addr) => {
    or(arena.words, block + BLOCK_BITS, ACTIVATE_READ | (2 << 8));
    under.push(block);
  };
  return { thread, begin, under };
}

function closedBlock(thread: Thread): Addr {
  const block = thread.pool.allocate(4);
  thread.arena.words[block + BLOCK_BITS] = CLOSED;
  return block;
}

const roles: Roles = {
  /** Pushes a block once its owner has begun to withdraw it. */
  pushLate(arena, [block]) {
    while ((load(arena.words, block + BLOCK_BITS) & CLOSED) === 0);
    push(arena, slotAt(arena.words[block + BLOCK_SLOT]) + SLOT_HEAD, block);
  },

  /** Counts up and says so, again and again, and hears when the other has seen it. */
  ping(arena, [mine, theirs, count, rounds]) {
    return pingPong(arena, { slot: 1, mine, theirs, count, rounds, begins: true });
  },

  pong(arena, [mine, theirs, count, rounds]) {
    return pingPong(arena, { slot: 2, mine, theirs, count, rounds, begins: false });
  },
};

interface Game {
  slot: number;
  mine: Addr;
  theirs: Addr;
  count: Addr;
  rounds: number;
  begins: boolean;
}

/** The two take turns to add one; each turn is told by a command alone. Returns commands heard. */
function pingPong(arena: Arena, { slot, mine, theirs, count, rounds, begins }: Game): unknown {
  const thread = createThread(arena, slot);
  const { heard, number } = listen(thread);
  thread.open(mine, number);
  add(arena.words, count + 1, 1); // Both are there.
  while (load(arena.words, count + 1) < 2);
  const parity = begins ? 0 : 1;
  for (let round = 0; round < rounds; round++) {
    const turn = 2 * round + parity;
    const came = thread.waitFor(
      () => load(arena.words, count) === turn,
      () => true,
      performance.now() + PATIENCE_MS,
    );
    if (!came) return `round ${round}: nothing came; the count is ${load(arena.words, count)}`;
    add(arena.words, count, 1);
    thread.post(theirs, ACTIVATE_READ);
  }
  return heard.every(({ bits, block }) => bits === ACTIVATE_READ && block === mine);
}

if (!inWorker(roles)) {
  describe("a command", () => {
    it("finds its target, with all that was said since it last heard (command.ts I1)", () => {
      const arena = createArena();
      const sender = createThread(arena, 1);
      const receiver = createThread(arena, 2);
      const base = receiver.pool.pages.usedBytes;
      const { heard, number } = listen(receiver);
      const block = closedBlock(receiver);
      receiver.open(block, number);
      sender.post(block, ACTIVATE_READ);
      sender.post(block, ACTIVATE_READ);
      sender.post(block, PIPE_TERM);
      assert.equal(receiver.mailbox.hasMail, true);
      receiver.dispatch();
      assert.deepEqual(heard, [{ number, block, bits: ACTIVATE_READ | PIPE_TERM }]);
      assert.equal(load(arena.words, block + BLOCK_BITS), 0);
      assert.equal(receiver.mailbox.hasMail, false);
      receiver.dispatch();
      assert.equal(heard.length, 1);
      sender.post(block, ACTIVATE_WRITE);
      receiver.dispatch();
      assert.deepEqual(heard[1], { number, block, bits: ACTIVATE_WRITE });
      receiver.withdraw(block);
      receiver.pool.free(block);
      assertFreed(base, receiver.pool, sender.pool);
    });

    it("comes in the order of the first that was said to each block", () => {
      const arena = createArena();
      const thread = createThread(arena, 1);
      const { heard, number } = listen(thread);
      const blocks = [0, 1, 2].map(() => closedBlock(thread)) as [Addr, Addr, Addr];
      for (const block of blocks) thread.open(block, number);
      for (const index of [2, 0, 2, 1, 0]) thread.post(blocks[index] as Addr, BIND);
      thread.dispatch();
      assert.deepEqual(
        heard.map(({ block }) => block),
        [blocks[2], blocks[0], blocks[1]],
      );
    });

    it("is void if nobody is there (command.ts I2)", () => {
      const arena = createArena();
      const thread = createThread(arena, 1);
      const { heard, number } = listen(thread);
      const block = closedBlock(thread);
      thread.post(block, STALE);
      assert.equal(thread.mailbox.hasMail, false);
      thread.open(block, number);
      thread.dispatch();
      assert.deepEqual(heard, []);
      thread.post(block, ACTIVATE_READ);
      thread.dispatch();
      assert.deepEqual(heard, [{ number, block, bits: ACTIVATE_READ }]);
    });

    const STALE = PIPE_TERM;

    it("goes with the assignment of a closed block, without what was void (command.ts I2)", () => {
      const arena = createArena();
      const sender = createThread(arena, 1);
      const receiver = createThread(arena, 2);
      const { heard, number } = listen(receiver);
      const block = closedBlock(sender);
      sender.post(block, STALE);
      sender.assign(block, 2, number, BIND);
      assert.throws(() => sender.assign(block, 2, number, BIND), /only a closed block is assigned/);
      arena.words[block + BLOCK_BITS] = BIND;
      receiver.dispatch();
      assert.deepEqual(heard, [{ number, block, bits: BIND }]);
    });

    it("finds the object that the block was redirected to", () => {
      const thread = createThread(createArena(), 1);
      const first = listen(thread);
      const second = listen(thread);
      const block = closedBlock(thread);
      thread.open(block, first.number);
      thread.post(block, BIND);
      thread.redirect(block, second.number);
      thread.dispatch();
      assert.deepEqual([first.heard.length, second.heard.length], [0, 1]);
    });

    it("that is posted by a target while it hears is heard in the same call", () => {
      const thread = createThread(createArena(), 1);
      let again = 3;
      const { heard, number } = listen(thread, ({ block }) => {
        if (again-- > 0) thread.post(block, BIND);
      });
      const block = closedBlock(thread);
      thread.open(block, number);
      thread.post(block, BIND);
      thread.dispatch();
      thread.dispatch();
      thread.dispatch();
      thread.dispatch();
      assert.equal(heard.length, 4);
      assert.equal(thread.mailbox.hasMail, false);
    });
  });

  describe("a sender that pushes and dies while we ask whether it has died", () => {
    it("has its command heard once, and not again (command.ts I1)", () => {
      const { thread, begin } = besideOneThatDies(createArena());
      const { heard, number } = listen(thread);
      const block = closedBlock(thread);
      thread.ownBlocks = () => [block];
      thread.open(block, number);
      begin(block);
      add(thread.arena.words, DEATHS, 1);
      thread.dispatch();
      thread.dispatch();
      assert.deepEqual(heard, [{ number, block, bits: ACTIVATE_READ }]);
    });

    it("leaves nothing on the mailbox of who withdraws (command.ts I2)", () => {
      const { thread, begin } = besideOneThatDies(createArena());
      const block = closedBlock(thread);
      thread.open(block, listen(thread).number);
      begin(block);
      thread.withdraw(block);
      assert.equal(load(thread.arena.words, block + BLOCK_BITS), CLOSED);
      assert.equal(thread.mailbox.hasMail, false);
    });
  });

  describe("withdrawing for a thread that has died", () => {
    it("leaves nothing on its mailbox that could be freed too early (command.ts I2)", () => {
      const arena = createArena();
      const dead = createThread(arena, 1);
      const blocks = [0, 1].map(() => closedBlock(dead)) as [Addr, Addr];
      for (const block of blocks) dead.open(block, listen(dead).number);
      const mourner = createThread(arena, 3);
      for (const block of blocks) mourner.post(block, PIPE_TERM);
      mourner.withdrawFor(1, blocks[1]);
      assert.equal(load(arena.words, slotAt(1) + SLOT_HEAD), 0);
      mourner.withdrawFor(1, blocks[0]);
      for (const block of blocks) assert.equal(load(arena.words, block + BLOCK_BITS), CLOSED);
    });

    it("waits for a sender that the dead thread was waiting for (command.ts I2)", () => {
      const arena = createArena();
      const { thread: mourner, begin, under } = besideOneThatDies(arena);
      const block = closedBlock(mourner);
      mourner.open(block, listen(mourner).number);
      begin(block);
      or(arena.words, block + BLOCK_BITS, CLOSED); // So far its own withdrawing has come.
      mourner.withdrawFor(1, block);
      assert.deepEqual(under, [], "it has come");
      assert.equal(load(arena.words, slotAt(1) + SLOT_HEAD), 0, "and is taken");
    });
  });

  describe("a thread that has left", () => {
    it("takes no mail of who has the slot after it", () => {
      const arena = createArena();
      const gone = createThread(arena, 1);
      gone.leave();
      const next = createThread(arena, 1);
      const { heard, number } = listen(next);
      const block = closedBlock(next);
      next.open(block, number);
      next.post(block, BIND);
      gone.dispatch();
      next.dispatch();
      assert.equal(heard.length, 1);
    });
  });

  describe("withdrawing a block", () => {
    it("takes it out of the mail, and leaves the others in their order (command.ts I1, I2)", () => {
      const thread = createThread(createArena(), 1);
      const { heard, number } = listen(thread);
      const blocks = [0, 1, 2, 3].map(() => closedBlock(thread));
      for (const block of blocks) {
        thread.open(block, number);
        thread.post(block, BIND);
      }
      thread.withdraw(blocks[1] as Addr);
      thread.withdraw(blocks[3] as Addr);
      thread.dispatch();
      assert.deepEqual(
        heard.map(({ block }) => block),
        [blocks[0], blocks[2]],
      );
      assert.equal(load(thread.arena.words, (blocks[1] as Addr) + BLOCK_BITS), CLOSED);
      thread.post(blocks[1] as Addr, BIND);
      assert.equal(thread.mailbox.hasMail, false);
    });

    it("is possible while another of the same mail is heard, and of itself", () => {
      const thread = createThread(createArena(), 1);
      const blocks: Addr[] = [];
      const { heard, number } = listen(thread, ({ block }) => {
        if (block !== blocks[0]) return;
        thread.withdraw(blocks[0] as Addr);
        thread.withdraw(blocks[1] as Addr);
      });
      for (let i = 0; i < 3; i++) {
        blocks.push(closedBlock(thread));
        thread.open(blocks[i] as Addr, number);
        thread.post(blocks[i] as Addr, BIND);
      }
      thread.dispatch();
      assert.deepEqual(
        heard.map(({ block }) => block),
        [blocks[0], blocks[2]],
      );
    });

    it("waits for it if it is under way (command.ts I1, I2)", async () => {
      const arena = createArena();
      const thread = createThread(arena, 1);
      const { heard, number } = listen(thread);
      const block = closedBlock(thread);
      thread.open(block, number);
      or(arena.words, block + BLOCK_BITS, BIND); // A sender between its two instructions.
      const sender = startRole(import.meta.url, "pushLate", arena, block);
      await sender.running;
      thread.withdraw(block);
      assert.equal(thread.mailbox.hasMail, false);
      thread.dispatch();
      assert.deepEqual(heard, []);
      await sender.result;
    });

    it("of a block without mail is at once", () => {
      const thread = createThread(createArena(), 1);
      const block = closedBlock(thread);
      thread.open(block, listen(thread).number);
      thread.withdraw(block);
      assert.equal(load(thread.arena.words, block + BLOCK_BITS), CLOSED);
    });
  });

  describe("the number of a target", () => {
    it("is used again once it is given back, and not before", () => {
      const thread = createThread(createArena(), 1);
      const [a, b] = [listen(thread).number, listen(thread).number];
      assert.notEqual(a, b);
      thread.unregister(a);
      assert.equal(listen(thread).number, a);
      assert.notEqual(listen(thread).number, a);
    });
  });

  describe("waiting", () => {
    it("ends when the attempt succeeds, and not before what has come was heard", () => {
      const thread = createThread(createArena(), 1);
      const { heard, number } = listen(thread);
      const block = closedBlock(thread);
      thread.open(block, number);
      thread.post(block, BIND);
      assert.ok(
        thread.waitFor(
          () => heard.length > 0,
          () => false,
          Number.POSITIVE_INFINITY,
        ),
      );
    });

    it("ends at its deadline, with one more try if there was no need to park", () => {
      const thread = createThread(createArena(), 1);
      let tries = 0;
      let parks = 0;
      const park = () => ++parks > 2;
      assert.equal(
        thread.waitFor(() => ++tries < 0, park, performance.now() - 1),
        false,
      );
      assert.deepEqual([tries, parks], [2, 1]);
    });

    it("misses no command of another thread, for a long time", async () => {
      const arena = createArena();
      const thread = createThread(arena, 9);
      const base = thread.pool.pages.usedBytes;
      const [mine, theirs] = [closedBlock(thread), closedBlock(thread)];
      const count = thread.pool.allocate(16);
      arena.words.fill(0, count, count + 16);
      const crew = [
        startRole(import.meta.url, "ping", arena, mine, theirs, count, 5000),
        startRole(import.meta.url, "pong", arena, theirs, mine, count, 5000),
      ];
      assert.deepEqual(await Promise.all(crew.map(({ result }) => result)), [true, true]);
      assert.equal(load(arena.words, count), 10_000);
      for (const block of [mine, theirs, count]) thread.pool.free(block);
      assertFreed(base, thread.pool);
    });
  });

  describe("wanting memory", () => {
    it("is said once a thread, told each time, and ends with the last who wants", () => {
      const arena = createArena();
      const [one, two] = [createThread(arena, 1), createThread(arena, 2)];
      const wanted = (): boolean => load(arena.words, MEMORY_WANTED) !== 0;
      let told = 0;
      one.pool.onRelease = () => told++;
      one.wantMemory();
      one.wantMemory();
      two.wantMemory();
      assert.equal(told, 2);
      one.gotMemory();
      two.gotMemory();
      assert.ok(wanted(), "the first one wants it still");
      one.gotMemory();
      assert.ok(!wanted());
    });

    it("is asked for once by each who wishes, however often he says so", () => {
      const arena = createArena();
      const thread = createThread(arena, 1);
      const wanted = (): boolean => load(arena.words, MEMORY_WANTED) !== 0;
      const [one, two] = [new MemoryWish(thread), new MemoryWish(thread)];
      one.end();
      assert.deepEqual(
        [one.begin(), one.begin(), two.begin(), wanted()],
        [true, false, true, true],
      );
      one.end();
      one.end();
      assert.ok(wanted(), "the other wants it still");
      two.end();
      assert.ok(!wanted());
      assert.equal(one.begin(), true, "it may begin again");
      one.end();
    });

    it("ends with a thread that has died", () => {
      const arena = createArena();
      createThread(arena, 2).wantMemory();
      assert.equal(load(arena.words, MEMORY_WANTED), 1);
      gotMemory(arena, 2);
      assert.equal(load(arena.words, MEMORY_WANTED), 0);
    });
  });
}
