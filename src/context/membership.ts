// SPDX-License-Identifier: MIT

import { type Host, MAX_INT, quietTimer, type Timer, ZmqError } from "../base/index.ts";
import {
  type CommandTarget,
  gotMemory,
  LOG,
  MEMORY,
  REAPED,
  STOP,
  Thread,
} from "../command/index.ts";
import {
  type Addr,
  type Arena,
  CONTEXT_STATE,
  type Keeper,
  load,
  MAX_SLOTS,
  MAX_SOCKETS,
  Pool,
  pause,
  SLOT_BLOCK,
  SLOT_CLAIM,
  SLOT_SOCKETS,
  SLOT_THREAD,
  slotAt,
  store,
  wait,
} from "../memory/index.ts";
import { Leases, Slab } from "../pipe/index.ts";
import { Log } from "./log.ts";
import { Reaper } from "./reaper.ts";
import type { Binder } from "./registry.ts";
import { isGone, isTaken, joinSlot, leaveSlot, leaveSlotOf, markEnded, VISITORS } from "./slots.ts";

/** What the context asks of a socket; its own thread calls. */
export interface ManagedSocket {
  close(): void;
  /** The context is terminated: all pending calls fail with ETERM, and the socket closes. */
  stop(): void;
  /** Memory has come free: waiting sends may try again. */
  memoryFreed(): void;
}

/** What is kept of those that are gone is looked through so often at most: there may be much. */
const LEAST_EXPIRY_MS = 20;
/** Who waits for visitors looks so often whether they have left, and not more often than that. */
const LOOK_MS = 1;
const MOST_LOOKS = 1000;
/** The same time where a thread may not block: a pause takes some ten nanoseconds. */
const PAUSES = 50_000;

/**
 * membership — one thread's part in a context: its slot, and the sockets it has opened.
 *
 * A thread becomes a member with its first socket, and leaves when it ends. An orderly end closes
 * its sockets and gives back all memory; what others still have to read of it stays, in pages that
 * then belong to the context itself.
 *
 * # Joining
 *
 * A thread that finds all slots taken, and some of them by threads that have died, becomes a member
 * for a moment, a visitor, in a slot that is kept for that: as such it does their leaving. Then it
 * joins in a slot that has come free. Who finds other visitors there waits for them.
 *
 * # Synchronisation
 *
 *   SYNC(stop)   the terminating thread's store of the state ⇒ a load by who opens a socket, which
 *                has counted itself first: either it sees the state, or it is counted and gets STOP
 *
 * # If a thread dies
 *
 * Any other member does its leaving (`#mourn`), from shared memory alone and under the lock of the
 * names: its sockets are counted out, its names are free, its pipes left, its blocks, pages and
 * slot given back. Who learns of it: the thread that had started it, by the runtime; and whoever
 * waits, blocked or in its event loop, by looking now and then.
 */
export class Membership implements CommandTarget {
  readonly arena: Arena;
  readonly thread: Thread;
  readonly registry: Reaper;
  readonly slab: Slab;
  readonly leases: Leases;
  readonly log: Log;
  readonly #sockets = new Set<ManagedSocket>();
  /** Ends of sockets that have closed, whose swaps are not empty yet. They do not count. */
  readonly lingering: Set<ManagedSocket> = new Set();
  readonly #block: Addr;
  readonly #number: number;
  readonly #cancelExit: () => void;
  readonly #cancelWatch: () => void;
  readonly #onLeft: () => void;
  #left = false;
  /** Called when no socket is left in a terminated context. */
  readonly onOver: Set<() => void> = new Set();

  /** When something that is kept is to be dropped. */
  #expiry: Timer | undefined;
  #expiryDue: number = Number.POSITIVE_INFINITY;

  /** @param slot Has been taken for this thread. */
  private constructor(arena: Arena, host: Host, slot: number, onLeft: () => void) {
    this.arena = arena;
    this.#onLeft = onLeft;
    const keeper: Keeper = {
      isGone: (other) => isGone(arena, other, host),
      repair: () => {},
    };
    const pool = new Pool(arena, slot, host.canBlock, keeper);
    this.thread = new Thread(arena, slot, pool, host, keeper);
    this.registry = new Reaper(this.thread, keeper.isGone);
    this.registry.onKept = (ms) => this.#keepFor(ms);
    this.slab = new Slab(host);
    this.leases = new Leases(this.thread);
    this.#block = slotAt(slot) + SLOT_BLOCK;
    pool.onRelease = (ours) => this.#postToAll(MEMORY, ours ? 0 : slot);
    pool.isFree = (other) => !isTaken(arena, other);
    this.thread.ownBlocks = () => [this.#block, ...this.registry.blocksOf(slot)];
    this.thread.signaler.onWatch = () => this.reapDead();
    this.#number = this.thread.register(this);
    this.thread.open(this.#block, this.#number);
    this.#cancelExit = host.onExit(() => this.leave());
    this.log = new Log(this.thread, this.registry, this.slab, this.#block);
    this.#tell();
    this.#cancelWatch = host.onThreadEnd((number) => {
      markEnded(arena, number);
      this.reapDead();
    });
    this.reapDead(); // Nobody else may have been there.
    this.dropExpired();
  }

  /**
   * Makes this thread a member.
   *
   * @param onLeft Is called when it is none any more.
   * @throws ZmqError EMFILE if all slots are taken, and none of them comes free.
   */
  static join(arena: Arena, host: Host, onLeft: () => void): Membership {
    for (let looks = 0; looks < MOST_LOOKS; ) {
      const slot = joinSlot(arena, host);
      if (slot !== 0) return new Membership(arena, host, slot, onLeft);
      const isDead = (other: number) => isGone(arena, other, host);
      if (!someSlot(isDead)) break;
      const visit = joinSlot(arena, host, VISITORS, MAX_SLOTS);
      if (visit !== 0) new Membership(arena, host, visit, () => {}).leave();
      else if (someSlot((other) => !isDead(other), VISITORS)) {
        looks++;
        aMoment(arena, host);
      } else break; // Nor can visitors come any more.
    }
    throw new ZmqError("EMFILE", {
      hint:
        `A context has room for ${VISITORS - 1} threads at a time: ` +
        "let some end, or give the others a context of their own.",
    });
  }

  /** As the registry's; a name whose binder has died is free. */
  bind(name: Uint8Array, endpoint: string, binder: Binder): Addr {
    return this.retry(() => this.registry.bind(name, endpoint, binder));
  }

  /** Does something of the registry's; again, if what was in its way may be gone. */
  retry<T>(what: () => T): T {
    try {
      return what();
    } catch (error) {
      const code = error instanceof ZmqError ? error.code : undefined;
      if (code === "EADDRINUSE")
        this.reapDead(); // Nobody may have told us.
      else if (code === "ENOMEM") this.dropExpired();
      else throw error;
      return what();
    }
  }

  /** Counts a new socket in. */
  add(socket: ManagedSocket): void {
    const { words } = this.arena;
    this.#count(1);
    const max = load(words, MAX_SOCKETS);
    if (openSockets(this.arena) > max) this.reapDead(); // Those of the dead are counted out.
    // SYNC(stop) observe: a socket that is opened from now on would not be closed.
    const stopped = this.#left || load(words, CONTEXT_STATE) !== 0;
    if (stopped || openSockets(this.arena) > max) {
      this.#countOut();
      if (stopped) throw terminated();
      throw new ZmqError("EMFILE", {
        hint: `The context's maxSockets is ${max}: close sockets that are not used, or raise it.`,
      });
    }
    this.#sockets.add(socket);
    this.thread.signaler.arm();
  }

  remove(socket: ManagedSocket): void {
    if (this.#sockets.delete(socket)) this.#countOut();
  }

  command(_block: Addr, bits: number): void {
    if ((bits & LOG) !== 0) this.log.flush();
    if ((bits & STOP) !== 0) {
      for (const socket of [...this.#sockets]) socket.stop();
      for (const end of [...this.lingering]) end.stop();
    }
    if ((bits & REAPED) !== 0) {
      this.#over();
      return;
    }
    if ((bits & MEMORY) !== 0) {
      this.dropExpired();
      this.leases.trim();
      this.thread.pool.trim(); // Who wants memory hears of what this gives back.
      this.log.memoryFreed();
      for (const each of [...this.#sockets, ...this.lingering]) each.memoryFreed();
    }
  }

  /** Terminates the context: every thread closes its sockets as soon as it hears of it. */
  terminate(): void {
    // SYNC(stop) publish: no socket is opened any more.
    store(this.arena.words, CONTEXT_STATE, 1);
    this.command(this.#block, STOP);
    if (this.#left) return; // Ours were the last sockets: all is done.
    this.#postToAll(STOP);
    if (openSockets(this.arena) === 0) this.#tellOver();
  }

  /** The orderly end of a thread, or of the context. */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#cancelExit();
    this.#cancelWatch();
    for (const socket of [...this.#sockets]) socket.close();
    clearTimeout(this.#expiry);
    const isOver = load(this.arena.words, CONTEXT_STATE) !== 0; // We may not have heard of it yet.
    for (const end of [...this.lingering]) isOver ? end.stop() : end.close();
    this.#handOver();
    this.log.event("thread.left", { slot: this.thread.slot });
    this.log.leave();
    this.thread.withdraw(this.#block);
    this.leases.leave();
    this.thread.pool.leave();
    this.thread.unregister(this.#number);
    this.thread.leave();
    leaveSlot(this.arena, this.thread.slot);
    this.#onLeft();
  }

  /** Lets the log tell of this thread, and of what the layers below see, who do not know it. */
  #tell(): void {
    const { log, arena, registry } = this;
    const { pages } = this.thread.pool;
    const memory = () => ({
      used: pages.usedBytes,
      size: arena.buffer.byteLength,
      max: arena.maxBytes,
    });
    pages.onGrown = () => log.later("arena.grown", { memory: memory() });
    pages.onScarce = () => log.later("arena.nearly-full", { memory: memory() });
    registry.onDropped = (endpoint, count, why) => {
      log.later("messages.dropped", { endpoint, count, why });
    };
    log.event("thread.attached", { slot: this.thread.slot });
  }

  /** What is kept of those that are gone is to be dropped in so many milliseconds. */
  #keepFor(ms: number): void {
    if (ms > MAX_INT || this.#left) return;
    const due = performance.now() + Math.max(ms, LEAST_EXPIRY_MS);
    if (due >= this.#expiryDue) return;
    clearTimeout(this.#expiry);
    this.#expiryDue = due;
    this.#expiry = quietTimer(() => this.dropExpired(), due - performance.now());
  }

  /** Drops what is no longer to be kept; and what still is, when that is over. */
  dropExpired(): void {
    clearTimeout(this.#expiry);
    this.#expiryDue = Number.POSITIVE_INFINITY;
    this.registry.dropAllExpired();
  }

  /** What is kept still is for others to drop. */
  #handOver(): void {
    let keeps = false;
    this.registry.onKept = (ms) => {
      keeps ||= ms <= MAX_INT;
    };
    this.registry.dropAllExpired();
    if (keeps) this.#postToAll(MEMORY, this.thread.slot);
  }

  /** The threads that have sockets open. */
  holders(): string[] {
    const { words } = this.arena;
    const names: string[] = [];
    for (let slot = 1; slot < MAX_SLOTS; slot++) {
      const at = slotAt(slot);
      const open = load(words, at + SLOT_SOCKETS); // A counter.
      if (open > 0) names.push(`${this.thread.host.nameOf(words[at + SLOT_THREAD])} (${open})`);
    }
    return names;
  }

  /** Does the leaving of all threads that are known to have died. */
  reapDead(): void {
    for (let slot = 1; slot < MAX_SLOTS; slot++) {
      if (!isTaken(this.arena, slot) || slot === this.thread.slot || this.#left) continue;
      if (isGone(this.arena, slot, this.thread.host)) this.#mourn(slot);
    }
  }

  #mourn(dead: number): void {
    const { arena, thread, registry } = this;
    const died = thread.host.nameOf(arena.words[slotAt(dead) + SLOT_THREAD]);
    const report = registry.reap(dead, () => {
      thread.withdrawFor(dead, slotAt(dead) + SLOT_BLOCK);
      thread.clearFor(dead);
      thread.pool.adopt(dead, (block) => registry.isLinked(block));
      gotMemory(arena, dead);
      store(arena.words, slotAt(dead) + SLOT_SOCKETS, 0); // A counter.
      thread.mourn();
      leaveSlotOf(arena, dead);
    });
    if (report === undefined) return;
    this.log.later("thread.died", { slot: dead, died, ...report });
    // SYNC(stop) observe: somebody waits for the last socket.
    if (load(arena.words, CONTEXT_STATE) !== 0 && openSockets(arena) === 0) this.#tellOver();
  }

  #countOut(): void {
    this.#count(-1);
    const { words } = this.arena;
    // SYNC(stop) observe: somebody waits for the last socket.
    if (load(words, CONTEXT_STATE) !== 0 && openSockets(this.arena) === 0) this.#tellOver();
  }

  /** Counts our own sockets. The state, or the others' sockets, are looked at after it. */
  #count(by: number): void {
    const at = slotAt(this.thread.slot) + SLOT_SOCKETS;
    store(this.arena.words, at, load(this.arena.words, at) + by); // A counter.
  }

  /** No socket is left in a terminated context: tells every thread. */
  #tellOver(): void {
    this.registry.dropOrphans();
    this.#postToAll(REAPED);
    this.#over();
  }

  /** Nothing is left to do in a terminated context: its memory shall not be held by us. */
  #over(): void {
    for (const tell of [...this.onOver]) tell();
    this.leave();
  }

  #postToAll(bits: number, but = 0): void {
    for (let slot = 1; slot < MAX_SLOTS; slot++) {
      if (slot !== but) this.thread.post(slotAt(slot) + SLOT_BLOCK, bits);
    }
  }
}

function someSlot(is: (slot: number) => boolean, first = 1): boolean {
  for (let slot = first; slot < MAX_SLOTS; slot++) if (is(slot)) return true;
  return false;
}

/** Lets visitors go on, who may then have left. Nobody wakes us: it is time that we want. */
function aMoment({ words }: Arena, { canBlock }: Host): void {
  const at = slotAt(VISITORS) + SLOT_CLAIM;
  if (canBlock) wait(words, at, load(words, at), LOOK_MS);
  else for (let i = 0; i < PAUSES; i++) pause();
}

export function terminated(address?: string): ZmqError {
  return new ZmqError("ETERM", {
    address,
    hint: "Its sockets are closed, and it opens no more: create a new Context.",
  });
}

/** What calls fail with once the thread they are made in has begun to end. */
export function threadEnded(address?: string): ZmqError {
  return new ZmqError("EBADF", {
    address,
    hint: "Its thread is about to end, and has closed its sockets: send and receive before that.",
  });
}

/** How many sockets are open, in all threads. */
export function openSockets(arena: Arena): number {
  let sum = 0;
  // A counter for each thread: so those of a thread that dies can be counted out.
  for (let slot = 1; slot < MAX_SLOTS; slot++)
    sum += load(arena.words, slotAt(slot) + SLOT_SOCKETS);
  return sum;
}
