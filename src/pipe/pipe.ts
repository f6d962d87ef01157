// SPDX-License-Identifier: MIT

import type { ZmqError } from "../base/index.ts";
import {
  ACTIVATE_READ,
  ACTIVATE_WRITE,
  BLOCK_BITS,
  CLOSED,
  type CommandTarget,
  PIPE_TERM,
  type Thread,
} from "../command/index.ts";
import {
  type Addr,
  type Arena,
  LEAVE_NONE,
  load,
  type Pool,
  SLOT_MAKING,
  slotAt,
  store,
  WORD_BYTES,
} from "../memory/index.ts";
import { createYpipe, destroyYpipe, LANE_LIMIT, LANE_WORDS } from "../queue/index.ts";
import { address, isStale } from "./addressee.ts";
import {
  BINDER_BLOCK,
  CONNECTER_BLOCK,
  PIPE_ADDRESSEE,
  PIPE_BINDING,
  PIPE_IN,
  PIPE_LANES,
  PIPE_LINGER,
  PIPE_ORPHANED,
  PIPE_OUT,
  PIPE_PASSED,
  PIPE_PERSONAL,
  PIPE_ROUTING,
  PIPE_SILENT,
  PIPE_SINCE,
  PIPE_STATE,
  PIPE_TYPE,
  pipeWords,
} from "./layout.ts";
import {
  ABSENT,
  blockOf,
  type EndState,
  laneOf,
  PENDING,
  peerOf,
  type Side,
  stateOf,
} from "./link.ts";
import { PipeReader } from "./reader.ts";
import type { Slab } from "./slab.ts";
import { NEWEST, NO_READER, PipeWriter, type WriterOwner } from "./writer.ts";

/** What the owner of an end hears of it; always in its own thread. */
export interface PipeEvents {
  /** There are messages in a pipe that was asleep. */
  readActivated(pipe: Pipe): void;
  /** There is room in a pipe that was full. */
  writeActivated(pipe: Pipe): void;
  /** The other end has left, is leaving, or has come. */
  peerChanged(pipe: Pipe): void;
  /** Messages in the pipe's swap could not be read back; the context counts them as dropped. */
  messagesLost(pipe: Pipe, count: number, error: ZmqError): void;
}

/** What the socket has set that an end belongs to. What is swapped may change at any time. */
export interface PipeOptions {
  readonly sendHighWaterMark: number;
  readonly receiveHighWaterMark: number;
  /** How long what was sent is kept for a binder to come, in ms; -1 is for ever. */
  readonly linger?: number;
  /** Whether messages are only received when they are acknowledged. */
  readonly acknowledge?: boolean;
  /** Whether only the newest message counts, in both directions. */
  readonly conflate?: boolean;
  readonly swap?: number;
  readonly swapDirectory?: string;
  readonly routingId?: Uint8Array;
}

/**
 * pipe — one end of a link between two sockets.
 *
 *        connecter                                              binder
 *      ┌──────────┐    out  ═══════ lane ═══════▶  in        ┌──────────┐
 *      │  Pipe    │                                          │  Pipe    │
 *      └──────────┘    in   ◀═══════ lane ═══════  out       └──────────┘
 *            ╰──────── activate_read, activate_write, pipe_term ─────╯
 *
 * A lane is there only if both socket types use it: PUSH and PULL have one between them. The pipe
 * is made by the connecter and outlives its binders (link.ts).
 */
export class Pipe implements CommandTarget, WriterOwner {
  readonly thread: Thread;
  readonly at: Addr;
  readonly side: Side;
  /** What the socket called it: `inproc://…`. */
  readonly endpoint: string;
  readonly reader: PipeReader | undefined;
  readonly writer: PipeWriter | undefined;
  /** How the socket calls the other end: a ROUTER by an id, a SERVER by a number. */
  peerId: Uint8Array | undefined;
  peerNumber = 0;
  /** Which of the binders of the pipe the socket has called so, where it knows them apart. */
  peerBinding = 0;
  /** The socket has let go of it, and only reads what had arrived. */
  draining = false;
  /** Who hears of it: the socket, or, once that has closed, who empties the swap. */
  events: PipeEvents;
  readonly #options: PipeOptions;
  readonly #number: number;
  /** The lane that this end writes, or 0. */
  readonly #outward: Addr;
  /** Whether we connect, and what is written is for whoever is bound then, and for no other. */
  readonly #isPersonal: boolean;
  #addressee: number;
  /** How many of our messages were passed over, as far as we have said. */
  #passed = 0;
  #left = false;
  /** These do not change any more: we are the binder, or have left, and nothing is ours to read. */
  #binding: number | undefined;
  #origin: number | undefined;
  /** The binder that is known to have sent the last message released: then so do all after it. */
  #sender: number | undefined;

  /** Takes one end of the pipe at `at`, and opens its block. */
  constructor(
    thread: Thread,
    at: Addr,
    side: Side,
    endpoint: string,
    options: PipeOptions,
    slab: Slab,
    events: PipeEvents,
  ) {
    this.thread = thread;
    this.at = at;
    this.side = side;
    this.endpoint = endpoint;
    this.events = events;
    this.#options = options;
    const words = thread.arena.words;
    const isPersonal = words[at + PIPE_PERSONAL] !== 0;
    this.#isPersonal = isPersonal && side === "connecter";
    this.#addressee = load(words, at + PIPE_ADDRESSEE); // Ours to change, if we connect.
    this.#outward = laneOf(words, at, side);
    const inward = laneOf(words, at, peerOf(side));
    const { sendHighWaterMark } = options;
    if (this.#outward !== 0) {
      this.writer = new PipeWriter(thread, this.#outward, this.peerBlock, sendHighWaterMark, this);
      if (words[at + PIPE_SILENT] !== 0) this.writer.silence();
    }
    if (inward !== 0) {
      this.reader = new PipeReader(thread, inward, this.peerBlock, slab, options);
      if (words[at + PIPE_SILENT] !== 0) this.reader.silence();
      this.reader.highWaterMark = options.receiveHighWaterMark;
    }
    this.#number = thread.register(this);
    if (side === "connecter") thread.open(this.block, this.#number);
    else {
      thread.redirect(this.block, this.#number);
      this.#binding = this.binding;
      if (isPersonal) this.reader?.restrict(at, this.#binding);
    }
  }

  /** Where commands to this end are posted. */
  get block(): Addr {
    return this.at + blockOf(this.side);
  }

  /** Where commands to the other end are posted. */
  get peerBlock(): Addr {
    return this.at + blockOf(peerOf(this.side));
  }

  /** Where the other end is. */
  get peerState(): EndState {
    return stateOf(this.thread.arena, this.at, peerOf(this.side));
  }

  command(_block: Addr, bits: number): void {
    // What one handler does may close the socket; the others then have nothing to look at.
    if ((bits & PIPE_TERM) !== 0) this.events.peerChanged(this);
    if ((bits & ACTIVATE_READ) !== 0 && !this.#left) {
      this.reader?.trim();
      this.events.readActivated(this);
    }
    if ((bits & ACTIVATE_WRITE) !== 0 && !this.#left) {
      this.writer?.trimAgain();
      this.events.writeActivated(this);
    }
  }

  /** How long what a connecter has sent is kept, should it die (layout.ts). */
  set linger(milliseconds: number) {
    if (this.side === "connecter") this.thread.arena.words[this.at + PIPE_LINGER] = milliseconds;
  }

  /** Whether the last binder of this connecter's end has died, and none has come after it. */
  get orphaned(): boolean {
    if (this.side !== "connecter" || this.peerState !== ABSENT) return false;
    return this.thread.arena.words[this.at + PIPE_ORPHANED] !== 0;
  }

  /**
   * The number of the binder that is there, or else of the one to come. What was told to one is to
   * be told again to the next.
   */
  get binding(): number {
    return this.#binding ?? load(this.thread.arena.words, this.at + PIPE_BINDING);
  }

  /** The number of the binder that has sent us the last message released; an older one's may do. */
  get origin(): number {
    const { reader, binding } = this;
    if (this.#origin !== undefined) return this.#origin;
    if (reader === undefined || this.side === "binder") return binding;
    if (binding === this.#sender) return binding;
    const { words } = this.thread.arena;
    const isOurs = this.isBehind(load(words, this.at + PIPE_SINCE));
    if (this.binding !== binding) return this.origin;
    if (isOurs) this.#sender = binding;
    return isOurs ? binding : binding - 1;
  }

  /** Whether the last message that came out was sent after so many others, as the lane counts. */
  isBehind(since: number): boolean {
    const { reader } = this;
    return reader !== undefined && ((reader.received - since) | 0) > 0;
  }

  /** The routing id that the connecter was given; empty if none. */
  get connecterId(): Uint8Array {
    const { arena } = this.thread;
    const at = arena.words[this.at + PIPE_ROUTING];
    return at === 0 ? NO_ID : readBytes(arena, at);
  }

  /**
   * What is written next is for the binder that is there, or else for the one to come; where other
   * messages could be, too, this is nothing (addressee.ts).
   *
   * @param binding For that one alone.
   * @returns false if that one is gone.
   */
  address(binding?: number): boolean {
    if (!this.#isPersonal) return true;
    // A count: who reads by an older one does not read any more (link.ts).
    const now = load(this.thread.arena.words, this.at + PIPE_BINDING);
    if (binding !== undefined && binding !== now) return false;
    if (now !== this.#addressee) this.#turnTo(now);
    return true;
  }

  /** Whether the one for whom we have written last is gone. */
  get isOver(): boolean {
    if (!this.#isPersonal) return false;
    // A number only: what that one has done is of no interest.
    return load(this.thread.arena.words, this.at + PIPE_BINDING) !== this.#addressee;
  }

  /** Whether we have written something that lies there for a binder who is gone. */
  get isStale(): boolean {
    return this.#isPersonal && isStale(this.thread.arena.words, this.at);
  }

  /** Passes over what we have written for others than the addressee. Nobody else reads here. */
  passOver(slab: Slab): void {
    const reader = this.readBack(slab);
    reader.restrict(this.at, this.#addressee);
    reader.passOver();
  }

  /** How many of our messages were passed over since this was last asked. */
  takePassed(): number {
    if (!this.#isPersonal) return 0;
    const before = this.#passed;
    this.#passed = load(this.thread.arena.words, this.at + PIPE_PASSED); // Only a count.
    return (this.#passed - before) | 0;
  }

  /** How many messages lie in the lane that this end reads. */
  get queuedIn(): number {
    return this.reader?.queued ?? 0;
  }

  /** How many messages lie in the lane that this end writes, and in its swap. */
  get queuedOut(): number {
    return this.writer?.queued ?? 0;
  }

  /** Of `queuedOut`, what lies in the lane: the rest is in the swap, which outlives our leaving. */
  get queuedInLane(): number {
    return this.queuedOut - (this.writer?.swapped ?? 0);
  }

  get conflate(): boolean {
    return this.#options.conflate ?? false;
  }

  get swap(): number {
    return this.#options.swap ?? 0;
  }

  get swapDirectory(): string {
    return this.#options.swapDirectory ?? "";
  }

  messagesLost(count: number, error: ZmqError): void {
    this.events.messagesLost(this, count, error);
  }

  /** Takes the reader's role of the lane that this end writes; nobody else has it. */
  readBack(slab: Slab): PipeReader {
    return new PipeReader(this.thread, this.#outward, this.peerBlock, slab);
  }

  #turnTo(binding: number): void {
    const { writer } = this;
    this.#addressee = binding;
    if (writer !== undefined) address(this.thread.arena.words, this.at, binding, writer.restart());
  }

  /** Gives up the roles and the block. The state is moved by the caller, who tells the peer. */
  leave(): void {
    this.#left = true;
    this.reader?.leave();
    this.#origin = this.origin;
    this.#binding = this.binding;
    this.writer?.leave();
    this.thread.withdraw(this.block);
    this.thread.unregister(this.#number);
  }
}

const NO_ID = new Uint8Array(0);

/** Bytes that lie behind their length. */
export function readBytes(arena: Arena, at: Addr): Uint8Array {
  const from = (at + 1) * WORD_BYTES;
  return new Uint8Array(arena.bytes.slice(from, from + arena.words[at])); // Not shared.
}

/** Puts bytes behind their length. */
export function putBytes(arena: Arena, at: Addr, bytes: Uint8Array): void {
  arena.words[at] = bytes.length;
  arena.bytes.set(bytes, (at + 1) * WORD_BYTES);
}

/** The watermark that a socket reads by, as its peers see it. */
export function limitOf({ conflate, receiveHighWaterMark }: PipeOptions): number {
  return conflate === true ? NEWEST : receiveHighWaterMark;
}

/** Which way a socket type sends messages. */
export interface Directions {
  readonly sends: boolean;
  readonly receives: boolean;
  /** Whether what it sends is for whoever is bound then, and for nobody who comes after. */
  readonly personal?: boolean;
}

/**
 * Makes a pending pipe for a socket that connects; 0 if there is no memory.
 *
 * @param options.leave How many pages are to stay free (memory/pages.ts).
 * @param options.silent Whether what it carries is in no count of messages.
 * @param options.routingId Of the socket that connects.
 */
export function createPipe(
  thread: Thread,
  type: number,
  directions: Directions,
  options: { leave?: number; silent?: boolean; routingId?: Uint8Array | undefined } = {},
): Addr {
  const { arena, pool } = thread;
  const { sends, receives, personal = false } = directions;
  const { leave = LEAVE_NONE, silent = false, routingId = NO_ID } = options;
  const size = pipeWords(Number(sends) + Number(receives), routingId.length);
  const at = pool.allocate(size, leave);
  if (at === 0) return 0;
  arena.words.fill(0, at, at + size);
  arena.words[at + CONNECTER_BLOCK + BLOCK_BITS] = CLOSED;
  arena.words[at + BINDER_BLOCK + BLOCK_BITS] = CLOSED;
  // Should we die before it is connected, it is found here.
  arena.words[slotAt(thread.slot) + SLOT_MAKING] = at;
  pool.keep();
  let lane = at + PIPE_LANES;
  for (const [wanted, where] of [
    [sends, PIPE_OUT],
    [receives, PIPE_IN],
  ] as const) {
    if (!wanted) continue;
    arena.words[at + where] = lane;
    if (!createYpipe(arena, pool, lane, leave)) {
      dropPipe(thread, at);
      return 0;
    }
    arena.words[lane + LANE_LIMIT] = NO_READER;
    lane += LANE_WORDS;
  }
  const words = arena.words;
  if (routingId.length > 0) {
    words[at + PIPE_ROUTING] = lane;
    putBytes(arena, lane, routingId);
  }
  words[at + PIPE_TYPE] = type;
  words[at + PIPE_SILENT] = Number(silent);
  words[at + PIPE_PERSONAL] = Number(personal && sends);
  // SYNC(link) publish: nobody else knows of the pipe yet; the lists of the names will tell.
  store(words, at + PIPE_STATE, PENDING);
  return at;
}

/** Frees a pipe that was made and is not connected. */
export function dropPipe(thread: Thread, at: Addr): void {
  const { arena, pool, slot } = thread;
  destroyPipe(arena, pool, at, () => {
    arena.words[slotAt(slot) + SLOT_MAKING] = 0;
  });
}

/**
 * Frees a pipe that both ends have left. It may be done again, should we die in the middle.
 *
 * @param forget Takes the pipe out of where it is noted, when nothing but its own block is left.
 */
export function destroyPipe(
  arena: Arena,
  pool: Pool,
  at: Addr,
  forget: () => void = () => {},
): void {
  for (const where of [PIPE_OUT, PIPE_IN]) {
    const lane = arena.words[at + where];
    if (lane !== 0) destroyYpipe(arena, pool, lane);
  }
  pool.hold(at);
  forget();
  pool.free(at);
}
