// SPDX-License-Identifier: MIT

import type { Thread } from "../command/index.ts";
import type {
  MessageLike,
  Pipe,
  PipeReader,
  PipeWriter,
  Prepared,
  Stretch,
} from "../pipe/index.ts";
import { Rotation } from "./rotation.ts";
import { Shortage } from "./shortage.ts";
import { Unshown } from "./unshown.ts";

/** What lies unread in a pipe that nobody reads any more: in its lane, and then in its swap. */
export interface Returned {
  readonly reader: PipeReader;
  readonly writer: PipeWriter;
  /** Whether what is left stays in the pipe, should we give up; else it is lost. */
  readonly stays: boolean;
  /** Called when it is given to others, or given up. */
  readonly done: () => void;
}

/**
 * lb — load balancing: gives each message to the next pipe that can take it, in turn.
 *
 * A pipe that is full is skipped, and has its turn again when there is room. `write` fails only if
 * no pipe has room at this moment, by counts read at this moment: those that were full before are
 * looked at once more.
 *
 * # The least loaded
 *
 * The turn is blind to how fast a peer is. If `leastLoaded` says so, a message goes to the pipe
 * with the fewest messages that were not received yet, by turn among equals: with one look at a
 * count for each pipe, up to the first that is empty. Whoever acknowledges has not received what it
 * is still working on. Once given to a pipe a message stays there, whoever becomes idle first.
 *
 * # Swap
 *
 * Where nobody has room in memory, and the socket has a swap, the message goes to the swap of the
 * next pipe that takes it. Shared memory that is used up is such a case too: the swap is there to
 * keep a sender going. A message that fits into no swap finds the socket mute as ever.
 *
 * # Returned messages
 *
 * What a peer left unread, `reclaim` gives to the other peers. Those messages were accepted first,
 * so they go first: while any is left nothing new is accepted.
 */
export class Lb {
  readonly #thread: Thread;
  readonly #rotation = new Rotation();
  /** If there is one pipe and no other: the turn is always its. With many sockets, that counts. */
  #only: PipeWriter | undefined;
  /** Where the last message went that was sent or written. */
  last: Pipe | undefined;
  readonly #unshown = new Unshown();
  /** What was returned last goes first: it may have gone out before the rest of another lane. */
  readonly #returned: Returned[] = [];
  /** Whose turn it is to take a message into its swap. */
  #swapTurn = 0;
  readonly #memory: Shortage;
  readonly #leastLoaded: () => boolean;

  /** @param leastLoaded Whether the pipe with the fewest messages is the next. */
  constructor(thread: Thread, leastLoaded: () => boolean = () => false) {
    this.#thread = thread;
    this.#memory = new Shortage(thread);
    this.#leastLoaded = leastLoaded;
  }

  attach(pipe: Pipe): void {
    this.#rotation.add(pipe);
    this.#count();
    pipe.writer?.drainSwap();
  }

  has(pipe: Pipe): boolean {
    return this.#rotation.has(pipe);
  }

  /** The pipe, which was full, may have room. */
  activated(pipe: Pipe): void {
    if (!this.#rotation.has(pipe)) return;
    this.#rotation.activate(pipe);
    pipe.writer?.drainSwap();
  }

  /** There may be memory for what is in the swaps. */
  memoryFreed(): void {
    this.#memory.freed();
    for (const pipe of [...this.#rotation.pipes]) pipe.writer?.drainSwap();
  }

  /** The pipe takes no more. */
  remove(pipe: Pipe): void {
    this.flush(); // What was written to it is still accepted.
    this.#rotation.remove(pipe);
    this.#count();
  }

  /**
   * Whether a message would be taken at this moment. How much memory it needs is not known before:
   * after one has found none, others are thought to find some when some has come free.
   */
  get ready(): boolean {
    if (!this.#isOpen()) return false;
    const next = this.#next();
    if (next === undefined) this.#memory.over();
    else if (!this.#memory.starves) return true;
    return this.#rotation.pipes.some((pipe) => pipe.writer?.hasSwapFor("") === true);
  }

  /** Gives a message to the next pipe and shows it. False if none can take it. */
  send(message: MessageLike | Prepared): boolean {
    const writer = this.#give(message);
    if (writer === undefined) return false;
    writer.flush();
    return true;
  }

  /** Gives a message to the next pipe; `flush` shows it. False if none can take it. */
  write(message: MessageLike | Prepared): boolean {
    const writer = this.#give(message);
    if (writer === undefined) return false;
    this.#unshown.add(writer);
    return true;
  }

  /**
   * Gives messages that lie as records of the arena to the next pipe; `flush` shows them.
   *
   * @param stretch Several only where they are `together`.
   * @param front A part that is to come before the message, if one is: then it is one.
   * @returns false if they have to wait; undefined if no pipe takes them so, or so many.
   */
  pass(stretch: Stretch, front: Uint8Array | undefined): boolean | undefined {
    if (!this.#isOpen()) return false;
    const writer = this.#next();
    if (writer === undefined) return this.#swaps() ? undefined : false;
    if (writer.conflates) return undefined;
    if (this.#copy(stretch, front, writer)) {
      this.#succeeded(writer);
      return true;
    }
    if (stretch.messages > 1 || this.#swaps()) return undefined;
    return this.#copyElsewhere(stretch, front, writer) || this.#failed(writer);
  }

  #copyElsewhere(stretch: Stretch, front: Uint8Array | undefined, first: PipeWriter): boolean {
    const copy = (one: PipeWriter) => !one.conflates && this.#copy(stretch, front, one);
    return this.#elsewhere(first, copy) !== undefined;
  }

  #copy(
    { at, size, messages }: Stretch,
    front: Uint8Array | undefined,
    writer: PipeWriter,
  ): boolean {
    const { words } = this.#thread.arena;
    const isWritten =
      front === undefined
        ? writer.writeRecords(words, at, size, messages)
        : messages === 1 && writer.writeBehind(front, words, at, size);
    if (isWritten) this.#unshown.add(writer);
    return isWritten;
  }

  /**
   * Moves the next message of a reader to the next pipe, and shows it.
   *
   * @returns false if there is no memory for that; undefined if no pipe takes it so.
   */
  moveFrom(reader: PipeReader): boolean | undefined {
    if (!this.#isOpen()) return undefined;
    const writer = this.#next();
    if (writer === undefined || writer.conflates) return undefined;
    if (!reader.moveTo(writer)) return writer.swaps ? undefined : this.#failed(writer);
    this.#succeeded(writer);
    return true;
  }

  /** How many messages may go together, as far as is known: to one pipe, if there is no other. */
  get together(): number {
    const only = this.#only;
    return only === undefined || only.conflates ? 1 : Math.max(1, only.room);
  }

  /** Shows all that was written. */
  flush(): void {
    this.#unshown.flush();
  }

  /** Asks every pipe to be woken when it has room; false if it is worth trying again at once. */
  park(): boolean {
    this.flush();
    if (!this.#parkFull()) return false;
    return !this.#memory.isMissing || !this.#memory.begin(); // What others gave back may be enough.
  }

  /** Asks those that are full; all, if memory is not what is missing. False if one has room. */
  #parkFull(): boolean {
    const rotation = this.#rotation;
    for (let index = rotation.active - 1; index >= 0; index--) {
      const pipe = rotation.pipes[index] as Pipe;
      const writer = pipe.writer as PipeWriter;
      if (this.#memory.isMissing && writer.hasRoom) continue;
      if (!writer.wait()) return false;
      rotation.deactivate(pipe);
    }
    return true;
  }

  /** The pipes that take part. */
  get pipes(): readonly Pipe[] {
    return this.#rotation.pipes;
  }

  /** Whether there are messages that were returned and not given to another yet. */
  get returning(): boolean {
    return this.#returned.length > 0;
  }

  /** Gives what lies unread in a pipe that nobody reads any more to the others; then `done`. */
  reclaim(returned: Returned): void {
    this.#returned.unshift(returned);
    this.settle();
  }

  /** Gives away what was returned, or makes sure that we hear when that can go on. */
  settle(): void {
    while (!this.pump() && !this.park());
  }

  /** Nobody waits any more: memory is not wanted. */
  giveUp(): void {
    if (this.#returned.length === 0) this.#memory.over();
  }

  /** Whether new messages are taken: what was returned has been given away. */
  #isOpen(): boolean {
    return this.#returned.length === 0 || this.pump();
  }

  /** Gives away returned messages; false if some are left. */
  pump(): boolean {
    for (let entry = this.#returned[0]; entry !== undefined; entry = this.#returned[0]) {
      if (!this.#giveBack(entry)) return false;
      this.#returned.shift();
      entry.done();
    }
    return true;
  }

  /**
   * Ends the giving away; what is left is dropped. Returns how many messages that are; those in
   * swaps are counted when their pipes are left.
   */
  abandon(): number {
    this.#memory.over();
    let dropped = 0;
    for (let entry = this.#returned.shift(); entry !== undefined; entry = this.#returned.shift()) {
      if (!entry.stays) dropped += entry.reader.queued;
      entry.done();
    }
    return dropped;
  }

  /** Gives the messages of one pipe to the others; false if some are left. */
  #giveBack({ reader, writer: from }: Returned): boolean {
    while (reader.ready || from.swapped > 0) {
      const writer = this.#next();
      if (writer === undefined) return this.#failed(writer);
      if (!(reader.ready ? reader.moveTo(writer) : from.moveSwapped(writer))) {
        return this.#failed(writer);
      }
      this.#succeeded(writer);
    }
    return true;
  }

  #give(message: MessageLike | Prepared): PipeWriter | undefined {
    if (!this.#isOpen()) return undefined;
    return this.#put(message);
  }

  /** Writes to the next pipe with room. */
  #put(message: MessageLike | Prepared): PipeWriter | undefined {
    const writer = this.#next();
    if (writer?.write(message) === true) {
      this.last = this.#rotation.pipes[this.#rotation.current];
      this.#succeeded(writer);
      return writer;
    }
    return this.#putElsewhere(message, writer);
  }

  /** In a function of its own: else every message would pay for the one that it makes. */
  #putElsewhere(
    message: MessageLike | Prepared,
    first: PipeWriter | undefined,
  ): PipeWriter | undefined {
    const write = (one: PipeWriter) => one.write(message);
    const other = this.#elsewhere(first, write) ?? this.#store(message);
    if (other === undefined) this.#failed(first);
    return other;
  }

  /** One pipe has found no memory: perhaps only because it has its share, and others have not. */
  #elsewhere(
    first: PipeWriter | undefined,
    write: (writer: PipeWriter) => boolean,
  ): PipeWriter | undefined {
    if (first === undefined || this.#only !== undefined) return undefined;
    for (const pipe of this.#rotation.pipes) {
      const writer = pipe.writer as PipeWriter;
      if (writer === first || !writer.hasRoom || !write(writer)) continue;
      this.last = pipe;
      this.#succeeded(first);
      return writer;
    }
    return undefined;
  }

  /** Stores in the next swap with room. */
  #store(message: MessageLike | Prepared): PipeWriter | undefined {
    const { pipes } = this.#rotation;
    if (!this.#swaps()) return undefined;
    for (let tries = pipes.length; tries > 0; tries--) {
      if (++this.#swapTurn >= pipes.length) this.#swapTurn = 0;
      const pipe = pipes[this.#swapTurn] as Pipe;
      const writer = pipe.writer as PipeWriter;
      if (!writer.store(message)) continue;
      this.last = pipe;
      return writer;
    }
    return undefined;
  }

  /** Whether messages may go to a swap: as of the first, so of all. */
  #swaps(): boolean {
    return this.#rotation.pipes[0]?.writer?.swaps === true;
  }

  #succeeded(writer: PipeWriter): void {
    if (this.#memory.isMissing) this.#memory.over();
    if (writer !== this.#only) this.#rotation.advance();
  }

  /** A message could not be written, to the pipe that had room, if there was one. */
  #failed(writer: PipeWriter | undefined): false {
    // If no pipe has room, memory is not what is waited for.
    const memory = this.#memory;
    if (writer !== undefined) {
      if (!memory.isMissing) this.#thread.askForMemory(); // Also for those who do not wait.
      memory.found();
    } else memory.over();
    return false;
  }

  /** The next pipe with room, if there is one. It is then the current one. */
  #next(): PipeWriter | undefined {
    if (this.#only?.hasRoom === true) return this.#only;
    if (this.#leastLoaded()) return this.#nextLeast();
    const rotation = this.#rotation;
    for (let tries = rotation.active; tries > 0; tries--) {
      const pipe = rotation.pipes[rotation.current] as Pipe;
      const writer = pipe.writer as PipeWriter;
      if (writer.hasRoom) return writer;
      if (rotation.isCrowded && writer.wait()) rotation.deactivate(pipe);
      else rotation.advance();
    }
    for (let index = rotation.active; index < rotation.pipes.length; index++) {
      const pipe = rotation.pipes[index] as Pipe;
      const writer = pipe.writer as PipeWriter;
      if (!writer.hasRoom) continue;
      rotation.activate(pipe);
      rotation.current = rotation.active - 1;
      return writer;
    }
    return undefined;
  }

  /** The same by the number of messages that wait there. */
  #nextLeast(): PipeWriter | undefined {
    const rotation = this.#rotation;
    const { pipes } = rotation;
    let found: Pipe | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < pipes.length && least > 0; i++) {
      const pipe = pipes[(rotation.current + i) % pipes.length] as Pipe;
      const writer = pipe.writer as PipeWriter;
      const queued = writer.queued;
      if (queued >= least || !writer.hasRoom) continue;
      least = queued;
      found = pipe;
    }
    if (found !== undefined) rotation.turnTo(found);
    return found?.writer;
  }

  #count(): void {
    const { pipes } = this.#rotation;
    this.#only = pipes.length === 1 ? (pipes[0]?.writer as PipeWriter) : undefined;
  }
}
