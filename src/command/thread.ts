// SPDX-License-Identifier: MIT

import { assert, type Host } from "../base/index.ts";
import {
  type Addr,
  type Arena,
  add,
  DEATHS,
  exchange,
  incarnationOf,
  type Keeper,
  load,
  MAX_SLOTS,
  MEMORY_WANTED,
  NOBODY_DIES,
  or,
  type Pool,
  SLOT_HEAD,
  SLOT_WANTS,
  slotAt,
  store,
  swapIf,
} from "../memory/index.ts";
import { BLOCK_BITS, BLOCK_OBJECT, BLOCK_SLOT, CLOSED, COMMANDS, TAKEN } from "./command.ts";
import { Mailbox, push } from "./mailbox.ts";
import { FOR_A_MESSAGE, Signaler } from "./signaler.ts";
import { Steps } from "./steps.ts";
import { Turn } from "./turn.ts";

/** The bits of a block that name who has posted first. */
const NAME = 0x1fff_ff00;
const NAME_SLOT = 8;
/** Who waits for a block that is under way asks every so often whether its sender is alive. */
const LOOKS = 64;
/** A thread that is blocked looks at the others so often: nobody may tell it that one died. */
const WATCH_MS = 250;

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
 *
 * # If a thread dies
 *
 * Another's: it may have set the first bit of a block of ours and not pushed it. Who mourns it
 * counts it in DEATHS and nudges all mailboxes; each thread then looks through its own blocks for
 * one that carries the name of a thread that is gone and has not arrived (command.ts). Who
 * withdraws a block does not wait for such a thread.
 *
 * Ours: what lies in the mailbox was meant for ends that are left on our behalf.
 */
export class Thread {
  readonly arena: Arena;
  readonly slot: number;
  readonly pool: Pool;
  readonly host: Host;
  readonly mailbox: Mailbox;
  readonly signaler: Signaler;
  readonly turn: Turn;
  readonly steps: Steps = new Steps();
  readonly #targets: (CommandTarget | undefined)[] = [];
  readonly #freeNumbers: number[] = [];
  /** Taken from the mailbox and not yet handed to its target. */
  readonly #inbox: Addr[] = [];
  /** Whether the inbox was left with something in it. */
  #undelivered = false;
  #left = false;
  #memoryWants = 0;
  /** What it leaves with the first bit of a block. */
  readonly #name: number;
  readonly #keeper: Keeper;
  /** All blocks that may be posted to this thread. Replaced by who knows them. */
  ownBlocks: () => Addr[] = () => [];

  constructor(arena: Arena, slot: number, pool: Pool, host: Host, keeper: Keeper = NOBODY_DIES) {
    this.arena = arena;
    this.#name = nameOf(arena, slot);
    this.#keeper = keeper;
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
    const first = bits | this.#name;
    // SYNC(post) publish: all that we did before, to whoever takes the bits.
    // SYNC(post) observe: whose block it is.
    let seen = swapIf(words, block + BLOCK_BITS, 0, first);
    while (seen !== 0 && (seen & CLOSED) === 0) {
      // Under way already, or just taken.
      // SYNC(post) publish: as above.
      const found = swapIf(words, block + BLOCK_BITS, seen, seen | bits);
      if (found === seen) return;
      // SYNC(post) publish: as above.
      seen = found === 0 ? swapIf(words, block + BLOCK_BITS, 0, first) : found;
    }
    if (seen === 0) push(this.arena, slotAt(words[block + BLOCK_SLOT]) + SLOT_HEAD, block);
  }

  /** Assigns a closed block to an object of another thread, and posts. */
  assign(block: Addr, slot: number, object: number, bits: number): void {
    const words = this.arena.words;
    words[block + BLOCK_SLOT] = slot;
    words[block + BLOCK_OBJECT] = object;
    // SYNC(post) publish: as in post.
    const was = exchange(words, block + BLOCK_BITS, bits | this.#name);
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
    const bits = or(this.arena.words, block + BLOCK_BITS, CLOSED);
    assert((bits & CLOSED) === 0, "a block is withdrawn once");
    if (bits === 0) return;
    for (let look = 1; ; look++) {
      // Asked before we look: it may push until it dies.
      const isLast = look % LOOKS === 0 && this.#isGone(bits);
      this.mailbox.take(this.#inbox);
      const index = this.#inbox.indexOf(block);
      if (index >= 0) this.#inbox.splice(index, 1);
      else if (!isLast) continue;
      store(this.arena.words, block + BLOCK_BITS, CLOSED); // Nobody else writes it.
      // What has come with it would not wake us any more: let the event loop hand it over.
      this.#undelivered = this.#inbox.length > 0;
      if (this.#undelivered) queueMicrotask(() => this.dispatch());
      return;
    }
  }

  /** The same for a block of a thread that is dead, on its behalf. It may be done again. */
  withdrawFor(dead: number, block: Addr): void {
    const { words } = this.arena;
    const mailbox = new Mailbox(this.arena, slotAt(dead) + SLOT_HEAD);
    const taken: Addr[] = [];
    mailbox.take(taken); // In any case: what is withdrawn may be freed, so nothing leads to it.
    // SYNC(post) observe: what was posted and will not be looked at.
    const bits = or(words, block + BLOCK_BITS, CLOSED);
    if ((bits & COMMANDS) !== 0 && (bits & TAKEN) === 0) {
      for (let look = 1, isLast = false; !isLast && !taken.includes(block); look++) {
        isLast = look % LOOKS === 0 && this.#isGone(bits);
        mailbox.take(taken);
      }
    }
    store(words, block + BLOCK_BITS, CLOSED); // Nobody else writes it.
  }

  /** The mailbox of a dead thread is as new, when all its blocks have been withdrawn. */
  clearFor(dead: number): void {
    new Mailbox(this.arena, slotAt(dead) + SLOT_HEAD).clear();
  }

  /** A thread has died, and all its ends have been left: every thread shall look around. */
  mourn(): void {
    const { words } = this.arena;
    // SYNC(death) publish: it pushes no more.
    add(words, DEATHS, 1);
    for (let slot = 1; slot < MAX_SLOTS; slot++) {
      new Mailbox(this.arena, slotAt(slot) + SLOT_HEAD).nudge();
    }
  }

  /** Whether a command has come that was not handed over. A hint, as the mailbox's. */
  get hasMail(): boolean {
    return this.#undelivered || this.mailbox.hasMail;
  }

  /** This thread leaves the context: the slot may soon be another's, whose mail is not ours. */
  leave(): void {
    this.#left = true;
    this.signaler.disarm();
  }

  /** Hands every command that has come to its target, in one step. */
  dispatch(): void {
    if (this.#left) return; // The event loop had been asked to call it.
    this.steps.begin();
    try {
      this.#dispatch();
    } finally {
      this.steps.end();
    }
  }

  #dispatch(): void {
    const inbox = this.#inbox;
    this.#undelivered = false;
    this.mailbox.take(inbox);
    this.#lookAround();
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
      target.command(block, bits & COMMANDS);
    }
  }

  /** If a thread has died: adds to the inbox what it was about to push. */
  #lookAround(): void {
    // SYNC(death) observe: what was not pushed will not be.
    const deaths = load(this.arena.words, DEATHS);
    if (deaths === this.mailbox.deaths) return;
    this.mailbox.deaths = deaths;
    for (const block of this.ownBlocks()) {
      const { words } = this.arena; // Not before: a block may lie where the arena has grown since.
      // SYNC(post) observe: only who has posted first.
      const bits = load(words, block + BLOCK_BITS);
      if ((bits & COMMANDS) === 0 || (bits & (TAKEN | CLOSED)) !== 0 || !this.#isGone(bits))
        continue;
      // It is gone, perhaps since a moment ago: what has not arrived by now was not pushed.
      this.mailbox.take(this.#inbox);
      const before = or(words, block + BLOCK_BITS, TAKEN); // SYNC(post) is of who takes the bits.
      if ((before & TAKEN) === 0) this.#inbox.push(block);
    }
  }

  /** Whether the thread that has posted first is dead. */
  #isGone(bits: number): boolean {
    const slot = (bits >> NAME_SLOT) & 255;
    return nameOf(this.arena, slot) !== (bits & NAME) || this.#keeper.isGone(slot);
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
      // What waits for the event loop's turn would have none.
      const wentOn = this.turn.goOn();
      // An attempt may have withdrawn a block, and taken what came with it.
      const asleep = !wentOn && park() && !this.#undelivered && this.mailbox.doze();
      const left = deadline - performance.now();
      if (left <= 0) return !asleep && attempt();
      if (asleep && !this.signaler.block(Math.min(left, WATCH_MS))) this.signaler.onWatch();
    }
  }

  /**
   * Asks every thread to give memory back. Until as many `gotMemory`, whoever frees posts MEMORY to
   * every thread.
   */
  wantMemory(): void {
    if (this.#memoryWants++ === 0) wantMemory(this.arena, this.slot);
    this.askForMemory();
  }

  /** Asks every thread, once, to give memory back. */
  askForMemory(): void {
    this.pool.onRelease(true);
  }

  gotMemory(): void {
    if (--this.#memoryWants === 0) gotMemory(this.arena, this.slot);
  }
}

/** Somebody who may come to wait for memory, and asks for it once. */
export class MemoryWish {
  readonly #thread: Thread;
  #isAsking = false;

  constructor(thread: Thread) {
    this.#thread = thread;
  }

  /** Whether it asks. */
  get isAsking(): boolean {
    return this.#isAsking;
  }

  /** Memory is missing, or it is not. Saying so twice is saying it once. */
  set(isMissing: boolean): void {
    if (isMissing) this.begin();
    else this.end();
  }

  /** Memory is missing. False if that was said before. */
  begin(): boolean {
    if (this.#isAsking) return false;
    this.#isAsking = true;
    this.#thread.wantMemory();
    return true;
  }

  /** It is not, or not any more. */
  end(): void {
    if (!this.#isAsking) return;
    this.#isAsking = false;
    this.#thread.gotMemory();
  }
}

/** The name that a thread leaves in blocks: its slot, and which thread of that slot it is. */
function nameOf(arena: Arena, slot: number): number {
  return (slot << NAME_SLOT) | ((incarnationOf(arena, slot) & 0x1fff) << 16);
}

function wantMemory(arena: Arena, slot: number): void {
  // Flags; who wants memory tries once more after it.
  store(arena.words, slotAt(slot) + SLOT_WANTS, 1);
  store(arena.words, MEMORY_WANTED, 1);
}

/** A thread, perhaps a dead one, does not wait for memory any more. */
export function gotMemory(arena: Arena, slot: number): void {
  const { words } = arena;
  // Flags, as above. Who sets its own after we looked also sets the common one after we cleared it.
  store(words, slotAt(slot) + SLOT_WANTS, 0);
  if (anyWants(arena)) return;
  store(words, MEMORY_WANTED, 0);
  if (anyWants(arena)) store(words, MEMORY_WANTED, 1);
}

function anyWants(arena: Arena): boolean {
  for (let slot = 1; slot < MAX_SLOTS; slot++) {
    if (load(arena.words, slotAt(slot) + SLOT_WANTS) !== 0) return true; // A flag.
  }
  return false;
}
