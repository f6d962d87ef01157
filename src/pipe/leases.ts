// SPDX-License-Identifier: MIT

import { type LeasedPart, type PartConstructor, ZmqError } from "../base/index.ts";
import type { Thread } from "../command/index.ts";
import {
  type Addr,
  type Arena,
  type Pool,
  SLOT_LEASED,
  SLOT_LEASES,
  SLOT_TAKING,
  SLOT_TAKING_FRONT,
  slotAt,
  WORD_BYTES,
  type Words,
} from "../memory/index.ts";
import { BODY_HEAD, LANE_FRONT } from "../queue/index.ts";
import type { Message } from "./message.ts";

/**
 * leases — large bodies that a receiver looks at where they lie, and gives back.
 *
 *      take       a body of a message that is being received: from now on it is the slot's, and not
 *                 the lane's
 *      share      the same where the lane keeps it until the message is acknowledged: both own it
 *      release    it is freed, or our part of it given up; in any order, whenever the user wants
 *
 * # Roles
 *
 * Only the thread of a slot writes its table, or whoever mourns it.
 *
 * # Memory
 *
 * What a slot has leased stands in tables, blocks of the pool that lead from one to the next:
 *
 *      leases of the slot ──▶ +--------+--------+--------+--------+--------+--------+- -
 *                             | next   |        | body   | words  | body   | words  |
 *                             +--------+--------+--------+--------+--------+--------+- -
 *                                                 entry             entry
 *
 *      body = 0              the entry is free
 *      body | SHARED         others own the body, too: an ownership is given up (memory/owners.ts)
 *      body | TAKEN          its message is being received
 *
 * While a message is being received that has bodies to be leased, `taking` is the lane that it lies
 * in, and `front` where that lane's `front` was before.
 *
 * # Invariants
 *
 *   I1  A body in an entry is the slot's. If it is TAKEN, then it is so if and only if the lane
 *       that is being taken from has moved its front; until then it is the lane's.
 *   I2  If an entry is TAKEN, `taking` is a lane.
 *   I3  A lane that moves its front past bodies that were leased does not free them. In that step
 *       it passes no other blocks.
 *
 * So one plain store, of `front`, hands over all large bodies of a message, and nothing is marked
 * in the lane: a message is in the lane whole, or is received.
 *
 * # If a thread dies
 *
 * Whoever mourns it settles what was TAKEN (I1), and then frees all that it had leased, entry by
 * entry, and the tables (`settleLeases`). That comes before its lanes are left, because another may
 * then move their fronts. An entry is emptied when its body is in the hand of whoever frees it, or
 * with the count of its owners; so at any step it is known what is to be freed still.
 *
 * Who sends, or has sent and is gone, has no part in this: a body that it has shown is not its own.
 */
const SHARED = 1;
const TAKEN = 2;
const BITS: number = SHARED | TAKEN;

/** As large as the first chunk of a pipe, so that both lie on one page. */
const TABLE_WORDS = 128;
const TABLE_NEXT = 0;
const TABLE_HEAD = 2;
const ENTRY_WORDS = 2;
/** How much memory a body takes. */
const ENTRY_SIZE = 1;
const YOUNG = 64;

class Given {
  constructor(part: object) {
    // biome-ignore lint/correctness/noConstructorReturn: what is derived adds a field to it.
    return part;
  }
}

/** Gives a part a field that nobody sees, by which it keeps its lease from being collected. */
class View extends Given {
  readonly #lease: Lease;

  constructor(part: object, lease: Lease) {
    super(part);
    this.#lease = lease;
  }

  /** Nobody asks; but a field that nobody can read counts as a mistake with the compiler. */
  static is(part: object): boolean {
    return #lease in part;
  }
}

/**
 * A received message whose large parts are not copies, but views of shared memory. It is to be
 * released, after which its parts must not be used: their memory will hold other messages.
 *
 * It is this thread's own, and does not depend on the socket it was received by. Closing that, or
 * the end of the sender, leaves it as it is; the end of this thread or of the context releases it.
 * Until then it takes room from all others (`maxMemory`).
 *
 * A lease that is forgotten is released when it is collected as garbage, sooner or later. That is a
 * safety net: views that are made of its parts, by `subarray` for example, do not hold it.
 *
 * @example
 * ```ts
 * using lease = await pull.receiveLease();
 * const [header, image] = lease.message;
 * ```
 */
export class Lease<M = LeasedPart[]> {
  readonly #table: Leases;
  /** Where its bodies stand. */
  #entries: Addr[] | undefined;
  #message: M | undefined;
  #released = false;

  /** @internal */
  constructor(table: Leases) {
    this.#table = table;
  }

  /**
   * What `receive` would have given: parts up to 4096 bytes are the receiver's own, and longer ones
   * are to be used only until the release. Do not write to them: others may receive the same.
   *
   * @throws ZmqError EINVAL if it is released.
   */
  get message(): M {
    if (!this.#released) return this.#message as M;
    const hint =
      "The lease is released, and its memory another's: copy before that what is to stay.";
    throw new ZmqError("EINVAL", { hint });
  }

  /** Whether it is released. */
  get released(): boolean {
    return this.#released;
  }

  /** Gives the memory back. Doing so twice is nothing. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#message = undefined;
    this.drop();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  /** @internal The thread's leases. */
  get table(): Leases {
    return this.#table;
  }

  /** @internal Where the bodies of its message stand. */
  get entries(): readonly Addr[] {
    return this.#entries ?? [];
  }

  /** @internal */
  add(entry: Addr): void {
    if (this.#entries === undefined) this.#entries = [entry];
    else this.#entries.push(entry);
  }

  /** @internal This message is leased; undefined if there is none. */
  of(message: unknown): this | undefined {
    if (message === undefined) return undefined;
    this.#message = message as M;
    if (this.#entries !== undefined) this.#table.watch(this);
    return this;
  }

  /** @internal What was taken is given back. The message it is of was not handed out, or was. */
  drop(): void {
    const entries = this.#entries;
    if (entries === undefined) return;
    this.#entries = undefined;
    this.#table.giveBack(entries);
  }
}

/** The leases of one thread. */
export class Leases {
  readonly #arena: Arena;
  readonly #pool: Pool;
  readonly #slot: number;
  readonly #at: Addr;
  readonly #Part: PartConstructor;
  /** The entries that are free, in all tables. */
  readonly #free: Addr[] = [];
  /** How many are not. */
  #used = 0;
  #left = false;
  readonly #forgotten = new FinalizationRegistry<readonly Addr[]>((entries) =>
    this.giveBack(entries),
  );
  /** The newest leases. Nearly all are released soon; to register one costs more than all else. */
  readonly #young = new Array<Lease<unknown> | undefined>(YOUNG);
  #next = 0;
  /** The entries of those that are registered. */
  readonly #old = new Set<readonly Addr[]>();

  constructor({ arena, pool, slot, host }: Thread) {
    this.#arena = arena;
    this.#pool = pool;
    this.#slot = slot;
    this.#at = slotAt(slot);
    this.#Part = host.Part;
  }

  /** Makes room for so many bodies more. False if there is no memory for it. */
  reserve(bodies: number): boolean {
    while (this.#free.length < bodies) if (!this.#grow()) return false;
    return true;
  }

  /** Begins to take bodies of a lane's next message. */
  begin(lane: Addr): void {
    const { words } = this.#arena;
    words[this.#at + SLOT_TAKING_FRONT] = words[lane + LANE_FRONT];
    words[this.#at + SLOT_TAKING] = lane; // Last: with it the note holds (I1).
  }

  /** Takes a body, for which there is room. @param shared Whether others own it, too. */
  take(lease: Lease, body: Addr, length: number, shared: boolean): Message[number] {
    const entry = this.#enter(lease, length);
    this.#arena.words[entry] = body | (shared ? BITS : TAKEN);
    return this.#view(lease, body, length);
  }

  /** The lane has moved its front: what was taken is ours. */
  end(lease: Lease): void {
    const { words } = this.#arena;
    for (const entry of lease.entries) words[entry] &= ~TAKEN;
    words[this.#at + SLOT_TAKING] = 0;
  }

  /** Takes a part in a body that counts its owners, for which there is room. */
  share(lease: Lease, body: Addr, length: number): Message[number] {
    this.#pool.own(body, this.#enter(lease, length), body | SHARED);
    return this.#view(lease, body, length);
  }

  /** Gives back what stands in these entries. */
  giveBack(entries: readonly Addr[]): void {
    if (this.#left) return;
    if (this.#old.size > 0 && this.#old.delete(entries)) this.#forgotten.unregister(entries);
    for (const entry of entries) {
      this.#arena.words[this.#at + SLOT_LEASED] -= this.#arena.words[entry + ENTRY_SIZE];
      giveUp(this.#arena, this.#pool, entry);
      this.#free.push(entry);
    }
    this.#used -= entries.length;
  }

  /** Should a lease be collected when it is not young any more, what it has is given back. */
  watch(lease: Lease<unknown> | undefined): void {
    const before = this.#young[this.#next];
    this.#young[this.#next] = lease;
    this.#next = (this.#next + 1) % YOUNG;
    if (before === undefined || before.released) return;
    const { entries } = before;
    this.#old.add(entries);
    this.#forgotten.register(before, entries, entries);
  }

  /** Memory is wanted: gives back the tables, if nothing stands in them. No lease is young. */
  trim(): void {
    for (let left = YOUNG; left > 0; left--) this.watch(undefined);
    if (this.#used > 0 || this.#free.length === 0) return;
    this.#free.length = 0;
    freeTables(this.#arena, this.#pool, this.#at);
  }

  /** Gives back everything: the thread leaves. */
  leave(): void {
    this.#left = true;
    settleLeases(this.#arena, this.#pool, this.#slot);
  }

  #enter(lease: Lease, length: number): Addr {
    const { words } = this.#arena;
    const entry = this.#free.pop() as Addr;
    const size = BODY_HEAD + Math.ceil(length / WORD_BYTES);
    words[entry + ENTRY_SIZE] = size;
    words[this.#at + SLOT_LEASED] += size;
    this.#used++;
    lease.add(entry);
    return entry;
  }

  #view(lease: Lease, body: Addr, length: number): Message[number] {
    const from = (body + BODY_HEAD) * WORD_BYTES;
    const buffer = this.#arena.buffer as unknown as ArrayBuffer; // A LeasedPart, to be exact.
    const part = new this.#Part(buffer, from, length);
    new View(part, lease);
    return part;
  }

  #grow(): boolean {
    const table = this.#pool.allocate(TABLE_WORDS);
    if (table === 0) return false;
    const { words } = this.#arena;
    words.fill(0, table, table + TABLE_WORDS);
    words[table + TABLE_NEXT] = words[this.#at + SLOT_LEASES];
    words[this.#at + SLOT_LEASES] = table;
    this.#pool.keep();
    for (const entry of entriesOf(table)) this.#free.push(entry);
    return true;
  }
}

function entriesOf(table: Addr): Addr[] {
  const entries: Addr[] = [];
  const end = table + TABLE_WORDS;
  for (let entry = table + TABLE_HEAD; entry < end; entry += ENTRY_WORDS) entries.push(entry);
  return entries;
}

/** Frees the body of an entry, or gives up our part of it. */
function giveUp(arena: Arena, pool: Pool, entry: Addr): void {
  const { words } = arena;
  const body = words[entry] & ~BITS;
  if ((words[entry] & SHARED) !== 0) pool.release(body, 1, entry, 0);
  else {
    pool.hold(arena.reach(body));
    words[entry] = 0;
    pool.free(body);
  }
}

function freeTables(arena: Arena, pool: Pool, at: Addr): void {
  const { words } = arena;
  for (let table = words[at + SLOT_LEASES]; table !== 0; table = words[at + SLOT_LEASES]) {
    pool.hold(table);
    words[at + SLOT_LEASES] = words[table + TABLE_NEXT];
    pool.free(table);
  }
}

/**
 * Gives back all that the thread of a slot had leased: our own, or a dead one, before its lanes are
 * left. It may be done again.
 */
export function settleLeases(arena: Arena, pool: Pool, slot: number): void {
  arena.refresh();
  const { words } = arena;
  const at = slotAt(slot);
  const lane = words[at + SLOT_TAKING];
  const isOurs = lane !== 0 && words[lane + LANE_FRONT] !== words[at + SLOT_TAKING_FRONT];
  const tables: Addr[] = [];
  for (let table = words[at + SLOT_LEASES]; table !== 0; table = words[table + TABLE_NEXT]) {
    tables.push(table);
  }
  const entries = tables.flatMap(entriesOf);
  for (const entry of entries) {
    if ((words[entry] & TAKEN) !== 0) words[entry] = isOurs ? words[entry] & ~TAKEN : 0;
  }
  words[at + SLOT_TAKING] = 0;
  for (const entry of entries) if (words[entry] !== 0) giveUp(arena, pool, entry);
  words[at + SLOT_LEASED] = 0;
  freeTables(arena, pool, at);
}

/** Whether a block is what a dead thread had leased, or a table of its leases. */
export function isLeased(words: Words, slot: number, block: Addr): boolean {
  for (let table = words[slotAt(slot) + SLOT_LEASES]; table !== 0; ) {
    if (table === block) return true;
    if (entriesOf(table).some((entry) => (words[entry] & ~BITS) === block)) return true;
    table = words[table + TABLE_NEXT];
  }
  return false;
}
