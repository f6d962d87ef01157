// SPDX-License-Identifier: MIT

import { type Host, ZmqError } from "../base/index.ts";
import { type CommandTarget, MEMORY, REAPED, STOP, Thread } from "../command/index.ts";
import {
  type Addr,
  type Arena,
  add,
  CONTEXT_STATE,
  load,
  MAX_SLOTS,
  MAX_SOCKETS,
  Pool,
  SLOT_BLOCK,
  SOCKETS,
  slotAt,
  store,
} from "../memory/index.ts";
import { Slab } from "../pipe/index.ts";
import { Registry } from "./registry.ts";
import { isLive, joinSlot, leaveSlot } from "./slots.ts";

/** What the context asks of a socket; its own thread calls. */
export interface ManagedSocket {
  close(): void;
  /** The context is terminated: all pending calls fail with ETERM, and the socket closes. */
  stop(): void;
  /** Memory has come free: waiting sends may try again. */
  memoryFreed(): void;
}

/**
 * membership — one thread's part in a context: its slot, and the sockets it has opened.
 *
 * A thread becomes a member with its first socket, and leaves when it ends. An orderly end closes
 * its sockets and gives back all memory; what others still have to read of it stays, in pages that
 * then belong to the context itself.
 *
 * # Synchronisation
 *
 *   SYNC(stop)   the terminating thread's store of the state ⇒ a load by who opens a socket, which
 *                has counted itself first: either it sees the state, or it is counted and gets STOP
 */
export class Membership implements CommandTarget {
  readonly arena: Arena;
  readonly thread: Thread;
  readonly registry: Registry;
  readonly slab: Slab;
  readonly #sockets = new Set<ManagedSocket>();
  /** Ends of sockets that have closed, whose swaps are not empty yet. They do not count. */
  readonly lingering: Set<ManagedSocket> = new Set();
  readonly #block: Addr;
  readonly #number: number;
  readonly #cancelExit: () => void;
  readonly #onLeft: () => void;
  #left = false;
  /** Called when no socket is left in a terminated context. */
  readonly reaped: Set<() => void> = new Set();

  constructor(arena: Arena, host: Host, onLeft: () => void) {
    this.arena = arena;
    this.#onLeft = onLeft;
    const slot = joinSlot(arena);
    const pool = new Pool(arena, slot, host.canBlock);
    this.thread = new Thread(arena, slot, pool, host);
    this.registry = new Registry(this.thread);
    this.slab = new Slab(host);
    this.#block = slotAt(slot) + SLOT_BLOCK;
    pool.onRelease = () => this.#postToAll(MEMORY);
    pool.isFree = (other) => !isLive(arena, other);
    this.#number = this.thread.register(this);
    this.thread.open(this.#block, this.#number);
    this.#cancelExit = host.onExit(() => this.leave());
  }

  /** Counts a new socket in. */
  add(socket: ManagedSocket): void {
    const { words } = this.arena;
    const before = add(words, SOCKETS, 1); // A counter; the state is looked at after it.
    const max = load(words, MAX_SOCKETS);
    // SYNC(stop) observe: a socket that is opened from now on would not be closed.
    const stopped = this.#left || load(words, CONTEXT_STATE) !== 0;
    if (stopped || before >= max) {
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
    if ((bits & STOP) !== 0) {
      for (const socket of [...this.#sockets]) socket.stop();
      for (const end of [...this.lingering]) end.stop();
    }
    if ((bits & REAPED) !== 0) {
      this.#allReaped();
      return;
    }
    if ((bits & MEMORY) !== 0) {
      this.registry.dropAllExpired();
      this.thread.pool.trim(); // Who wants memory hears of what this gives back.
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
    if (load(this.arena.words, SOCKETS) === 0) this.#reap(); // A counter.
  }

  /** The orderly end of a thread, or of the context. */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#cancelExit();
    for (const socket of [...this.#sockets]) socket.close();
    const isOver = load(this.arena.words, CONTEXT_STATE) !== 0; // We may not have heard of it yet.
    for (const end of [...this.lingering]) isOver ? end.stop() : end.close();
    this.thread.withdraw(this.#block);
    this.thread.pool.leave();
    this.thread.unregister(this.#number);
    this.thread.signaler.disarm();
    leaveSlot(this.arena, this.thread.slot);
    this.#onLeft();
  }

  #countOut(): void {
    const { words } = this.arena;
    const before = add(words, SOCKETS, -1); // A counter; the state is looked at after it.
    // SYNC(stop) observe: somebody waits for the last socket.
    if (before === 1 && load(words, CONTEXT_STATE) !== 0) this.#reap();
  }

  /** No socket is left in a terminated context: tells every thread. */
  #reap(): void {
    this.registry.dropOrphans();
    this.#postToAll(REAPED);
    this.#allReaped();
  }

  /** Nothing is left to do in a terminated context: its memory shall not be held by us. */
  #allReaped(): void {
    for (const tell of [...this.reaped]) tell();
    this.leave();
  }

  #postToAll(bits: number): void {
    for (let slot = 1; slot < MAX_SLOTS; slot++) this.thread.post(slotAt(slot) + SLOT_BLOCK, bits);
  }
}

export function terminated(address?: string): ZmqError {
  return new ZmqError("ETERM", {
    address,
    hint: "Its sockets are closed, and it opens no more: create a new Context.",
  });
}
