// SPDX-License-Identifier: MIT

import type { Envelope, Lease, Message, Pipe, PipeReader, Stretch } from "../pipe/index.ts";
import { Rotation } from "./rotation.ts";

/** So many pipes are looked at together, before one of them is taken from. */
const LOOKED_AT = 4;

/** Whether a message is for whoever receives. */
export type Wants = (parts: readonly Uint8Array[], pipe: Pipe) => boolean;

/** Takes the next messages of a pipe as they lie; false if that cannot be. */
export type Move = (stretch: Stretch, from: Pipe) => boolean;

/** Moves the next message of a reader; false if it has to wait, undefined if it cannot be moved. */
type MoveLarge = (reader: PipeReader, bytes: number) => boolean | undefined;

/** What has become of the next message, if there is one; `other`: it is to be received, if any. */
export type Moved = "moved" | "waits" | "none" | "other";

/** A pipe from which so many messages are still to be taken. */
interface Draining {
  readonly pipe: Pipe;
  left: number;
}

/**
 * fq — fair queueing: takes one message from each pipe that has one, in turn.
 *
 * A pipe that is found empty stays in the rotation while there are few, because looking is cheaper
 * than to sleep and be woken; `park` puts them all to sleep when the thread is going to.
 *
 * A pipe that will get no more, because its writer is gone or our end is leaving, is drained first:
 * so many messages are taken, and then `onDrained` is told.
 *
 * Messages that are to be acknowledged are released by `acknowledge`, and not before; so is a pipe
 * that was drained, for its messages would be lost with it.
 */
export class Fq {
  readonly #rotation = new Rotation();
  readonly #draining: Draining[] = [];
  readonly #onDrained: (pipe: Pipe) => void;
  /** Those whose messages are not acknowledged yet; undefined if none need be. */
  readonly #unacknowledged: Set<PipeReader> | undefined;
  /** Those whose messages were passed on and are not released. */
  readonly #passed: PipeReader[] = [];
  /** Drained, but for either. */
  readonly #ending = new Set<Pipe>();
  /** Where the last message came from. */
  last: Pipe | undefined;
  /** How often messages were acknowledged. */
  acknowledged = 0;

  constructor(onDrained: (pipe: Pipe) => void, acknowledges = false) {
    this.#onDrained = onDrained;
    this.#unacknowledged = acknowledges ? new Set() : undefined;
  }

  /** All messages that were handed out are their receiver's now. */
  acknowledge(): void {
    const readers = this.#unacknowledged;
    if (readers === undefined || readers.size === 0) return;
    this.acknowledged++;
    for (const reader of readers) reader.release();
    readers.clear();
    this.#endDrained();
  }

  attach(pipe: Pipe): void {
    this.#rotation.add(pipe);
  }

  /** The pipe, which was asleep, has messages. */
  activated(pipe: Pipe): void {
    this.#rotation.activate(pipe);
  }

  /** Takes `left` more messages from the pipe, and then no more. */
  drain(pipe: Pipe, left: number): void {
    if (!this.#rotation.has(pipe)) return;
    this.#rotation.remove(pipe);
    if (left === 0) this.#end(pipe);
    else this.#draining.push({ pipe, left });
  }

  /** The pipe is no longer ours. */
  remove(pipe: Pipe): void {
    this.#rotation.remove(pipe);
    this.#ending.delete(pipe);
    this.#unacknowledged?.delete(pipe.reader as PipeReader);
    const index = this.#draining.findIndex((entry) => entry.pipe === pipe);
    if (index >= 0) this.#draining.splice(index, 1);
  }

  /**
   * The next message, or undefined.
   *
   * @param lease As of a reader: gets its large bodies.
   * @param envelope Likewise: gets its envelope, where that is worth it.
   */
  receive(lease?: Lease, envelope?: Envelope): Message | undefined {
    if (this.#draining.length > 0) return this.#receiveDraining(lease);
    const rotation = this.#rotation;
    for (let tries = rotation.active; tries > 0; tries--) {
      const pipe = rotation.pipes[rotation.current] as Pipe;
      const reader = pipe.reader as PipeReader;
      const message = envelope === undefined ? reader.read(lease) : reader.readBehind(envelope);
      if (message !== undefined) {
        this.last = pipe;
        this.#release(reader);
        rotation.advance();
        return message;
      }
      if (rotation.isCrowded && reader.sleep()) rotation.deactivate(pipe);
      else rotation.advance();
    }
    return undefined;
  }

  /** Appends up to `max` messages; as many as there are. */
  receiveMany(messages: Message[], max: number): void {
    const rotation = this.#rotation;
    while (messages.length < max) {
      if (rotation.active === 1 && this.#draining.length === 0) {
        // From one pipe all at once: its room is given back once.
        const pipe = rotation.pipes[0] as Pipe;
        const reader = pipe.reader as PipeReader;
        const before = messages.length;
        while (messages.length < max) {
          if (reader.readRun(messages, max - messages.length) > 0) continue;
          const message = reader.read();
          if (message === undefined) break;
          messages.push(message);
        }
        if (messages.length === before) return;
        this.last = pipe;
        this.#release(reader);
        return;
      }
      const message = this.receive();
      if (message === undefined) return;
      messages.push(message);
    }
  }

  /**
   * Appends up to `most` messages that lie behind the last one, if that has come from the only pipe
   * that is awake. Nothing that its other end tells lies between them.
   *
   * @returns how many.
   */
  receiveRun(messages: Message[], most: number): number {
    const rotation = this.#rotation;
    const { last } = this;
    if (rotation.active !== 1 || rotation.pipes[0] !== last || this.#draining.length > 0) return 0;
    const reader = last?.reader as PipeReader;
    const count = reader.readRun(messages, most);
    if (count > 0) this.#release(reader);
    return count;
  }

  /**
   * Gives up to `most` messages to `move`, as the records that they are, until it takes no more, or
   * one comes that is to be received. When they are safe, they are to be released.
   *
   * Each pipe is looked at once: who follows a writer step by step has it wait for the cache line
   * at each message, and waits itself. Some are looked at before anything is moved, so that this
   * thread waits for their lines together.
   *
   * @param together How many may be moved at once: those of a pipe that is alone, or drained, are.
   * @returns how many it has taken.
   */
  pass(most: number, together: () => number, move: Move): number {
    let moved = this.#passDraining(most, together, move);
    if (this.#draining.length > 0) return moved;
    const rotation = this.#rotation;
    const { pipes } = rotation;
    for (let i = Math.min(rotation.active, LOOKED_AT) - 1; i >= 0; i--) {
      ((pipes[i] as Pipe).reader as PipeReader).run(); // Only a look.
    }
    let unseen = rotation.active;
    for (let left = rotation.active; left > 0 && moved < most; ) {
      const pipe = pipes[rotation.current] as Pipe;
      const reader = pipe.reader as PipeReader;
      const isNew = unseen-- > 0;
      const has = reader.isAhead || (isNew && reader.hasMessage);
      const count = rotation.active > 1 ? 1 : Math.min(together(), most - moved);
      const passed = has ? this.#passNext(pipe, count, move) : 0;
      if (passed > 0) {
        moved += passed;
        left = rotation.active;
        rotation.advance();
        continue;
      }
      if (has && reader.hasMessage) return moved; // It waits, or is to be received.
      left--;
      if (isNew && rotation.isCrowded && reader.sleep()) rotation.deactivate(pipe);
      else rotation.advance();
    }
    return moved;
  }

  #passDraining(most: number, together: () => number, move: Move): number {
    let moved = 0;
    for (let entry = this.#draining[0]; entry && moved < most; entry = this.#draining[0]) {
      const count = Math.min(together(), entry.left, most - moved);
      const passed = this.#passNext(entry.pipe, count, move);
      if (passed === 0) break;
      moved += passed;
      this.#drained(entry, passed);
    }
    return moved;
  }

  /** Gives the next messages of a pipe to `move`: at most so many, or one. Says how many went. */
  #passNext(pipe: Pipe, most: number, move: Move): number {
    const reader = pipe.reader as PipeReader;
    const stretch = reader.stretch(most);
    if (stretch === undefined) return 0;
    if (!move(stretch, pipe)) return stretch.messages > 1 ? this.#passNext(pipe, 1, move) : 0;
    if (reader.skip(stretch)) this.#passed.push(reader);
    return stretch.messages;
  }

  /**
   * Gives the reader of the next message to `move`, which moves it to another lane, if it has large
   * bodies. All that was passed on is released.
   *
   * @param move Returns false if it has to wait, and undefined if it cannot.
   */
  move(move: MoveLarge): Moved {
    const entry = this.#draining[0];
    if (entry !== undefined) {
      const what = moveNext(entry.pipe.reader as PipeReader, move);
      if (what === "moved") this.#drained(entry, 1);
      return what;
    }
    const rotation = this.#rotation;
    for (let tries = rotation.active; tries > 0; tries--) {
      const reader = (rotation.pipes[rotation.current] as Pipe).reader as PipeReader;
      const what = reader.hasMessage ? moveNext(reader, move) : "none";
      if (what === "none" || what === "moved") rotation.advance();
      if (what !== "none") return what;
    }
    return "none";
  }

  /** What was given to `move` is safe. */
  releasePassed(): void {
    for (let reader = this.#passed.pop(); reader; reader = this.#passed.pop()) {
      this.#release(reader);
    }
    if (this.#unacknowledged === undefined) this.#endDrained();
  }

  /**
   * Whether there is a message that is wanted. Those that are not, and come before one that is, are
   * thrown away.
   *
   * @param wants Looks at the parts. If it is not given, all are wanted.
   */
  has(wants?: Wants): boolean {
    for (let entry = this.#draining[0]; entry !== undefined; entry = this.#draining[0]) {
      if (isWanted(entry.pipe, wants)) return true;
      this.#takeDraining(entry);
    }
    const rotation = this.#rotation;
    for (let index = 0; index < rotation.active; index++) {
      const pipe = rotation.pipes[index] as Pipe;
      const reader = pipe.reader as PipeReader;
      while (reader.hasMessage) {
        if (isWanted(pipe, wants)) return true;
        reader.discard();
        this.#release(reader);
      }
    }
    return false;
  }

  /** Asks every pipe to be woken by its next message; false if there is one now. */
  park(): boolean {
    if (this.#draining.length > 0) return false;
    const rotation = this.#rotation;
    while (rotation.active > 0) {
      const pipe = rotation.pipes[0] as Pipe;
      if (!(pipe.reader as PipeReader).sleep()) return false;
      rotation.deactivate(pipe);
    }
    return true;
  }

  #receiveDraining(lease: Lease | undefined): Message | undefined {
    return this.#takeDraining(this.#draining[0] as Draining, lease) ?? this.receive(lease);
  }

  /** The next of the messages that are still to be taken, if it is there. */
  #takeDraining(entry: Draining, lease?: Lease): Message | undefined {
    const reader = entry.pipe.reader as PipeReader;
    const message = reader.read(lease);
    if (message !== undefined) {
      this.last = entry.pipe;
      this.#release(reader);
    }
    this.#drained(entry, message === undefined ? entry.left : 1);
    return message;
  }

  /** So many more were taken, or will not come. */
  #drained(entry: Draining, messages: number): void {
    entry.left -= messages;
    if (entry.left > 0) return;
    this.#draining.shift();
    this.#end(entry.pipe);
  }

  #release(reader: PipeReader): void {
    if (this.#unacknowledged === undefined) reader.release();
    else this.#unacknowledged.add(reader);
  }

  /** Everything was taken from a pipe. */
  #end(pipe: Pipe): void {
    const reader = pipe.reader as PipeReader;
    const isKept = this.#passed.includes(reader) || this.#unacknowledged?.has(reader) === true;
    if (isKept) this.#ending.add(pipe);
    else this.#onDrained(pipe);
  }

  /** What was taken from those that were drained is released. */
  #endDrained(): void {
    for (const pipe of this.#ending) {
      this.#ending.delete(pipe);
      this.#onDrained(pipe);
    }
  }
}

/** Moves the next message of a reader, if it has large bodies. */
function moveNext(reader: PipeReader, move: MoveLarge): Moved {
  const bytes = reader.largeBytes;
  const isMoved = bytes === 0 ? undefined : move(reader, bytes);
  if (isMoved === undefined) return "other";
  return isMoved ? "moved" : "waits";
}

function isWanted(pipe: Pipe, wants: Wants | undefined): boolean {
  const reader = pipe.reader as PipeReader;
  if (wants === undefined) return reader.hasMessage;
  const parts = reader.peek();
  return parts !== undefined && wants(parts, pipe);
}
