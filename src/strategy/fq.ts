// SPDX-License-Identifier: MIT

import type { Envelope, Lease, Message, Pipe, PipeReader, Stretch } from "../pipe/index.ts";
import { Rotation } from "./rotation.ts";

/** Whether a message is for whoever receives. */
export type Wants = (parts: readonly Uint8Array[], pipe: Pipe) => boolean;

/** Takes the next messages of a pipe as they lie; false if that cannot be. */
export type Move = (stretch: Stretch, from: Pipe) => boolean;

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
  /** Drained, but for that. */
  readonly #drained = new Set<Pipe>();
  /** Those whose messages were passed on and are not released. */
  readonly #passed: PipeReader[] = [];
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
    for (const pipe of this.#drained) this.#onDrained(pipe);
    this.#drained.clear();
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
    this.#drained.delete(pipe);
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
   * at each message, and waits itself. All are looked at before anything is moved, so that this
   * thread waits for their lines together.
   *
   * @param together How many may be moved at once: those of a pipe that is alone are.
   * @returns how many it has taken.
   */
  pass(most: number, together: () => number, move: Move): number {
    if (this.#draining.length > 0) return 0;
    const rotation = this.#rotation;
    for (let i = 0; i < rotation.active; i++) {
      const reader = (rotation.pipes[i] as Pipe).reader as PipeReader;
      if (reader.hasMessage && !reader.isAhead) return 0; // It is not in the lane.
    }
    let moved = 0;
    let isTight = rotation.active > 1;
    for (let idle = 0; idle < rotation.active && moved < most; ) {
      const pipe = rotation.pipes[rotation.current] as Pipe;
      const reader = pipe.reader as PipeReader;
      if (!reader.isAhead) {
        idle++;
        if (rotation.isCrowded && reader.sleep()) rotation.deactivate(pipe);
        else rotation.advance();
        continue;
      }
      const stretch = reader.stretch(isTight ? 1 : Math.min(together(), most - moved));
      if (stretch === undefined) return moved;
      if (move(stretch, pipe)) {
        if (reader.skip(stretch)) this.#passed.push(reader);
        moved += stretch.messages;
        idle = 0;
        rotation.advance();
      } else if (stretch.messages > 1) isTight = true;
      else return moved;
    }
    return moved;
  }

  /**
   * Gives the reader of the next message to `move`, which moves it to another lane, if it has large
   * bodies. All that was passed on is released.
   *
   * @param move Returns false if it has to wait, and undefined if it cannot.
   */
  move(move: (reader: PipeReader, bytes: number) => boolean | undefined): Moved {
    if (this.#draining.length > 0) return "other";
    const rotation = this.#rotation;
    for (let tries = rotation.active; tries > 0; tries--) {
      const reader = (rotation.pipes[rotation.current] as Pipe).reader as PipeReader;
      if (reader.hasMessage) {
        const bytes = reader.largeBytes;
        const isMoved = bytes === 0 ? undefined : move(reader, bytes);
        if (isMoved === undefined) return "other";
        if (isMoved) rotation.advance();
        return isMoved ? "moved" : "waits";
      }
      rotation.advance();
    }
    return "none";
  }

  /** What was given to `move` is safe. */
  releasePassed(): void {
    for (let reader = this.#passed.pop(); reader; reader = this.#passed.pop()) {
      this.#release(reader);
    }
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
    entry.left--;
    if (entry.left === 0 || message === undefined) {
      this.#draining.shift();
      this.#end(entry.pipe);
    }
    return message;
  }

  #release(reader: PipeReader): void {
    if (this.#unacknowledged === undefined) reader.release();
    else this.#unacknowledged.add(reader);
  }

  /** Everything was taken from a pipe. */
  #end(pipe: Pipe): void {
    if (this.#unacknowledged?.has(pipe.reader as PipeReader)) this.#drained.add(pipe);
    else this.#onDrained(pipe);
  }
}

function isWanted(pipe: Pipe, wants: Wants | undefined): boolean {
  const reader = pipe.reader as PipeReader;
  if (wants === undefined) return reader.hasMessage;
  const parts = reader.peek();
  return parts !== undefined && wants(parts, pipe);
}
