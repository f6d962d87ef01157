// SPDX-License-Identifier: MIT

/** Senders and owners that die between a command's bit and its push. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type Addr,
  Arena,
  type Keeper,
  load,
  Pool,
  SLOT_HEAD,
  slotAt,
  store,
} from "../memory/index.ts";
import { allocateBeyond, createArena, FakeHost } from "../testing/index.ts";
import { ACTIVATE_READ, BIND, BLOCK_BITS, CLOSED, PIPE_TERM, TAKEN } from "./command.ts";
import { ASLEEP } from "./mailbox.ts";
import { Thread } from "./thread.ts";

const DEAD = 3;

function createRig() {
  const arena = createArena();
  const gone = new Set<number>();
  const keeper: Keeper = { isGone: (slot) => gone.has(slot), repair: () => {} };
  const create = (slot: number, its = arena) =>
    new Thread(its, slot, new Pool(its, slot, true), new FakeHost(), keeper);
  const [owner, mourner, dead] = [create(1), create(2), create(DEAD)] as const;
  const heard: [Addr, number][] = [];
  const number = owner.register({ command: (block, bits) => heard.push([block, bits]) });
  const blocks = [0, 1, 2].map(() => {
    const block = owner.pool.allocate(16);
    owner.pool.keep();
    owner.open(block, number);
    return block;
  }) as [Addr, Addr, Addr];
  owner.ownBlocks = () => blocks;
  return {
    arena,
    gone,
    create,
    owner,
    mourner,
    dead,
    heard,
    blocks,
    /** The dead thread sets the first bit of a block and pushes nothing. */
    begin(block: Addr, bits: number) {
      const head = load(arena.words, slotAt(1) + SLOT_HEAD);
      dead.post(block, bits);
      store(arena.words, slotAt(1) + SLOT_HEAD, head);
    },
  };
}

describe("a sender that dies between the bit and the push", () => {
  it("leaves a block that its owner finds when the death is told", () => {
    const rig = createRig();
    const [block] = rig.blocks;
    rig.begin(block, ACTIVATE_READ);
    rig.mourner.post(block, PIPE_TERM); // A bit was there: who set it is to push.
    rig.owner.dispatch();
    assert.deepEqual(rig.heard, []);
    rig.gone.add(DEAD);
    rig.mourner.mourn();
    assert.equal(rig.owner.hasMail, true);
    rig.owner.dispatch();
    assert.deepEqual(rig.heard, [[block, ACTIVATE_READ | PIPE_TERM]]);
    assert.equal(load(rig.arena.words, block + BLOCK_BITS), 0);
    rig.owner.dispatch();
    assert.equal(rig.heard.length, 1, "once");
    rig.mourner.post(block, PIPE_TERM);
    rig.owner.dispatch();
    assert.equal(rig.heard.length, 2, "it is as any other");
  });

  it("leaves one that it has assigned, where the arena has grown since its owner looked", () => {
    const rig = createRig();
    const { arena, dead } = rig;
    const owner = rig.create(4, Arena.open(arena.buffer));
    const heard: [Addr, number][] = [];
    const number = owner.register({ command: (at, bits) => heard.push([at, bits]) });
    const block = allocateBeyond(dead.pool, 16, owner.arena);
    owner.ownBlocks = () => {
      owner.arena.refresh(); // As who looks through lists.
      return [block];
    };
    store(arena.words, block + BLOCK_BITS, CLOSED);
    dead.assign(block, 4, number, BIND);
    store(arena.words, slotAt(4) + SLOT_HEAD, 0); // It has not pushed.
    rig.gone.add(DEAD);
    rig.mourner.mourn();
    owner.dispatch();
    assert.deepEqual(heard, [[block, BIND]]);
  });

  it("is not taken for one that has pushed, nor for one that is alive", () => {
    const rig = createRig();
    const [pushed, alive, quiet] = rig.blocks;
    rig.dead.post(pushed, ACTIVATE_READ);
    const head = slotAt(1) + SLOT_HEAD;
    const stack = load(rig.arena.words, head);
    rig.mourner.post(alive, ACTIVATE_READ);
    store(rig.arena.words, head, stack); // It is about to push.
    rig.gone.add(DEAD);
    rig.mourner.mourn();
    rig.owner.dispatch();
    assert.deepEqual(rig.heard, [[pushed, ACTIVATE_READ]]);
    assert.notEqual(load(rig.arena.words, alive + BLOCK_BITS), 0);
    assert.equal(load(rig.arena.words, quiet + BLOCK_BITS), 0);
  });

  it("wakes a sleeping owner by being mourned", () => {
    const rig = createRig();
    const head = slotAt(1) + SLOT_HEAD;
    assert.equal(rig.owner.mailbox.doze(), true);
    assert.equal(load(rig.arena.words, head), ASLEEP);
    rig.begin(rig.blocks[0], ACTIVATE_READ);
    rig.gone.add(DEAD);
    rig.mourner.mourn();
    assert.notEqual(load(rig.arena.words, head), ASLEEP);
    assert.equal(rig.owner.mailbox.doze(), false, "it does not sleep before it has looked");
    rig.owner.dispatch();
    assert.equal(rig.heard.length, 1);
    assert.equal(rig.owner.mailbox.doze(), true);
  });

  it("is not waited for by who withdraws the block", () => {
    const rig = createRig();
    const [block] = rig.blocks;
    rig.begin(block, ACTIVATE_READ);
    rig.gone.add(DEAD);
    rig.owner.withdraw(block);
    assert.equal(load(rig.arena.words, block + BLOCK_BITS), CLOSED);
    rig.owner.dispatch();
    assert.deepEqual(rig.heard, []);
  });
});

describe("an owner that dies", () => {
  const withdrawn = (rig: ReturnType<typeof createRig>, block: Addr) => {
    rig.mourner.withdrawFor(1, block);
    assert.equal(load(rig.arena.words, block + BLOCK_BITS), CLOSED);
    rig.mourner.post(block, PIPE_TERM);
    assert.equal(load(rig.arena.words, block + BLOCK_BITS), CLOSED, "nobody is there");
  };

  it("has its blocks withdrawn: those without mail, on the stack, taken, or never pushed", () => {
    const rig = createRig();
    const [quiet, stacked, taken] = rig.blocks;
    rig.mourner.post(taken, ACTIVATE_READ);
    const blocks: Addr[] = [];
    rig.owner.mailbox.take(blocks);
    assert.deepEqual(blocks, [taken]);
    assert.notEqual(load(rig.arena.words, taken + BLOCK_BITS) & TAKEN, 0);
    rig.mourner.post(stacked, ACTIVATE_READ);
    rig.gone.add(1);
    for (const block of [quiet, stacked, taken]) withdrawn(rig, block);
    rig.mourner.clearFor(1);
    assert.equal(load(rig.arena.words, slotAt(1) + SLOT_HEAD), 0);
  });

  it("together with who was about to post to it", () => {
    const rig = createRig();
    rig.begin(rig.blocks[0], ACTIVATE_READ);
    rig.gone.add(1);
    rig.gone.add(DEAD);
    withdrawn(rig, rig.blocks[0]);
  });
});
