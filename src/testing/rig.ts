// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import type { Host, HostFiles, KeepAlive } from "../base/index.ts";
import { BLOCK_BITS, CLOSED, Thread } from "../command/index.ts";
import { type Addr, Arena, MAX_SLOTS, Pool, SLOT_BLOCK, slotAt } from "../memory/index.ts";
import { host } from "../platform/index.ts";

/** rig — an arena with threads in it that are all this one, so that a test decides who is next. */
export interface ArenaSize {
  /** How large it is at first. By default as small as can be. */
  initialBytes?: number;
  maxBytes?: number;
}

/** An arena whose slots have closed blocks, as a context makes it. Nobody spins. */
export function createArena({ initialBytes = 0, maxBytes = 1 << 26 }: ArenaSize = {}): Arena {
  const arena = Arena.create(initialBytes, maxBytes);
  for (let slot = 0; slot < MAX_SLOTS; slot++) {
    arena.words[slotAt(slot) + SLOT_BLOCK + BLOCK_BITS] = CLOSED;
  }
  return arena;
}

/** A thread of the context, with a pool of its own. */
export function createThread(arena: Arena, slot: number, fake: Host = new FakeHost()): Thread {
  return new Thread(arena, slot, new Pool(arena, slot, true), fake);
}

/**
 * A block that lies past the views of an arena: all there is before it, for blocks of that size, is
 * taken, so that what comes next lies there too.
 */
export function allocateBeyond(pool: Pool, size: number, { words }: Arena): Addr {
  let block = pool.allocate(size);
  while (block < words.length) {
    assert.notEqual(block, 0, "the arena can grow");
    block = pool.allocate(size);
  }
  pool.keep();
  return block;
}

/** Asserts that, once all threads have trimmed, so many bytes of the arena are in use. */
export function assertFreed(expected: number, ...pools: Pool[]): void {
  for (const pool of [...pools, ...pools]) pool.trim();
  assert.equal(pools[0]?.pages.usedBytes, expected, "all memory is back");
}

/** A host whose event loop is turned by hand. */
export class FakeHost implements Host {
  readonly Part: Host["Part"] = host.Part;
  readonly canBlock = true;
  cores = 2;
  readonly threadName = "a test";
  readonly nameOf: Host["nameOf"] = String;
  readonly thread: Host["thread"] = { claim: 1, birth: 0, number: 0, parent: -1 };
  /** The claims of threads that have ended. */
  readonly ended: Set<number> = new Set();
  files: HostFiles = host.files;
  readonly deferred: (() => void)[] = [];
  /** Whether the event loop is kept alive. */
  held = false;

  allocate(bytes: number): ArrayBuffer {
    return host.allocate(bytes);
  }

  allocateShared(bytes: number): ArrayBuffer {
    return host.allocateShared(bytes);
  }

  defer(task: () => void): void {
    this.deferred.push(task);
  }

  keepAlive(): KeepAlive {
    return {
      ref: () => {
        this.held = true;
      },
      unref: () => {
        this.held = false;
      },
    };
  }

  onExit(): () => void {
    return () => {};
  }

  hasEnded(claim: number): boolean {
    return this.ended.has(claim);
  }

  onThreadEnd(): () => void {
    return () => {};
  }

  published(): unknown {
    return undefined;
  }

  publish(): void {}
}
