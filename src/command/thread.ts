// SPDX-License-Identifier: MIT

import { assert, type Host } from "../base/index.ts";
import {
  type Addr,
  type Arena,
  add,
  exchange,
  MEMORY_WANTED,
  or,
  type Pool,
  SLOT_HEAD,
  slotAt,
  store,
} from "../memory/index.ts";
import { BLOCK_BITS, BLOCK_OBJECT, BLOCK_SLOT, CLOSED } from "./command.ts";
import { Mailbox, push } from "./mailbox.ts";
import { FOR_A_MESSAGE, Signaler } from "./signaler.ts";
import { Turn } from "./turn.ts";

/** What can receive commands: a socket, an end of a pipe, the thread itself. */
export interface CommandTarget {
  /** @param block The block that was posted. @param bits The commands; see command.ts. */
  command(block: Addr, bits: number): void;
}

/**
 * thread — what one thread has of a context: its slot, its mailbox, its objects.
 *
 * Commands arrive only while the thread is in a call of the library or in its event loop, never in
 * between: `dispatch` takes what has come and hands it to its targets. Targets are numbered, and a
 * number is used again only after its block was withdrawn.
 */
export class Thread {
  readonly arena: Arena;
  readonly slot: number;
  readonly pool: Pool;
  readonly host: Host;
  readonly mailbox: Mailbox;
  readonly signaler: Signaler;
  readonly turn: Turn;
  readonly #targets: (CommandTarget | undefined)[] = [];
  readonly #freeNumbers: number[] = [];
  /** Taken from the mailbox and not yet handed to its target. */
  readonly #inbox: Addr[] = [];
  /** Whether the inbox was left with something in it. */
  #undelivered = false;
  #memoryWants = 0;

  constructor(arena: Arena, slot: number, pool: Pool, host: Host) {
    this.arena = arena;
    this.slot = slot;
    this.pool = pool;
    this.host = host;
    this.mailbox = new Mailbox(arena, slotAt(slot) + SLOT_HEAD);
    this.signaler = new Signaler(arena, this.mailbox, host);
    this.turn = new Turn(host);
    this.signaler.onMail = (turned) => {
      if (turned) this.turn.begin();
      this.dispatch();
      if (this.#targets.length > this.#freeNumbers.length) this.signaler.arm();
    };
  }

  /** Gives a target a number. */
  register(target: CommandTarget): number {
    const number = this.#freeNumbers.pop() ?? this.#targets.length;
    this.#targets[number] = target;
    return number;
  }

  unregister(number: number): void {
    this.#targets[number] = undefined;
    this.#freeNumbers.push(number);
  }

  /** Opens a block for commands to `object` of this thread. */
  open(block: Addr, object: number): void {
    const words = this.arena.words;
    words[block + BLOCK_SLOT] = this.slot;
    words[block + BLOCK_OBJECT] = object;
    // SYNC(post) publish: whose block it is, for those who will post.
    store(words, block + BLOCK_BITS, 0);
  }

  /** Lets another object of this thread hear of a block that is open already. */
  redirect(block: Addr, object: number): void {
    this.arena.words[block + BLOCK_OBJECT] = object;
  }

  /** Posts commands to whoever has the block. Nobody there: they are not needed. */
  post(block: Addr, bits: number): void {
    const words = this.arena.words;
    // SYNC(post) publish: all that we did before, to whoever takes the bits.
    // SYNC(post) observe: whose block it is.
    if (or(words, block + BLOCK_BITS, bits) !== 0) return; // Under way already, or CLOSED.
    push(this.arena, slotAt(words[block + BLOCK_SLOT]) + SLOT_HEAD, block);
  }

  /** Assigns a closed block to an object of another thread, and posts. */
  assign(block: Addr, slot: number, object: number, bits: number): void {
    const words = this.arena.words;
    words[block + BLOCK_SLOT] = slot;
    words[block + BLOCK_OBJECT] = object;
    // SYNC(post) publish: as in post. Bits that were posted to a closed block are void.
    const was = exchange(words, block + BLOCK_BITS, bits);
    assert((was & CLOSED) !== 0, "only a closed block is assigned (command.ts I2)");
    push(this.arena, slotAt(slot) + SLOT_HEAD, block);
  }

  /**
   * Ends the receiving of commands for a block of this thread.
   *
   * If the block is under way, this waits for it: whoever posted is between two instructions.
   */
  withdraw(block: Addr): void {
    // SYNC(post) observe: what was posted and will not be looked at.
    const bits = exchange(this.arena.words, block + BLOCK_BITS, CLOSED);
    assert((bits & CLOSED) === 0, "a block is withdrawn once");
    if (bits === 0) return;
    for (;;) {
      this.mailbox.take(this.#inbox);
      const index = this.#inbox.indexOf(block);
      if (index >= 0) {
        this.#inbox.splice(index, 1);
        // What has come with it would not wake us any more: let the event loop hand it over.
        this.#undelivered = this.#inbox.length > 0;
        if (this.#undelivered) queueMicrotask(() => this.dispatch());
        return;
      }
    }
  }

  /** Whether a command has come that was not handed over. A hint, as the mailbox's. */
  get hasMail(): boolean {
    return this.#undelivered || this.mailbox.hasMail;
  }

  /** Hands every command that has come to its target. */
  dispatch(): void {
    const inbox = this.#inbox;
    this.#undelivered = false;
    this.mailbox.take(inbox);
    // A target may withdraw other blocks while it works: the inbox is never walked by index.
    for (let block = inbox.shift(); block !== undefined; block = inbox.shift()) {
      const words = this.arena.words;
      const target = this.#targets[words[block + BLOCK_OBJECT]];
      // SYNC(post) observe: all that the sender did before it posted.
      const bits = exchange(words, block + BLOCK_BITS, 0);
      assert(
        target !== undefined && (bits & CLOSED) === 0,
        "a command finds its target (command.ts I2)",
      );
      target.command(block, bits);
    }
  }

  /** Tries for as long as a busy wait is worth it, with pauses of some ten nanoseconds between. */
  spin(attempt: () => boolean, pauses: number = FOR_A_MESSAGE): boolean {
    return this.signaler.spin(() => {
      if (this.hasMail) this.dispatch();
      return attempt();
    }, pauses);
  }

  /**
   * Blocks this thread until `attempt` succeeds; false if the deadline passes before.
   *
   * @param attempt Tries to do what the caller wants. It is called often and must be cheap.
   * @param park Asks everyone concerned for a wake-up; false if it is worth trying again at once.
   * @param deadline As `performance.now()` counts.
   * @param pauses See `spin`.
   */
  waitFor(
    attempt: () => boolean,
    park: () => boolean,
    deadline: number,
    pauses: number = FOR_A_MESSAGE,
  ): boolean {
    for (;;) {
      if (this.hasMail) this.dispatch();
      if (attempt() || this.spin(attempt, pauses)) return true;
      // An attempt may have withdrawn a block, and taken what came with it.
      const asleep = park() && !this.#undelivered && this.mailbox.doze();
      const left = deadline - performance.now();
      if (left <= 0) return !asleep && attempt();
      if (asleep) this.signaler.block(left);
    }
  }

  /**
   * Asks every thread to give memory back. Until as many `gotMemory`, whoever frees posts MEMORY to
   * every thread.
   */
  wantMemory(): void {
    // A counter; who wants memory tries once more after it.
    if (this.#memoryWants++ === 0) add(this.arena.words, MEMORY_WANTED, 1);
    this.pool.onRelease();
  }

  gotMemory(): void {
    if (--this.#memoryWants === 0) add(this.arena.words, MEMORY_WANTED, -1); // A counter, as above.
  }
}
