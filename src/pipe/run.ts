// SPDX-License-Identifier: MIT

import type { Host, ReceivedPart } from "../base/index.ts";
import { type Addr, type Arena, copyWords } from "../memory/index.ts";
import { FLAGS, LENGTH, MORE, RECORD_HEAD, REDELIVERED, recordWords } from "../queue/index.ts";
import type { Envelope } from "./envelope.ts";
import type { Message } from "./message.ts";
import { markAsRedelivered } from "./redelivered.ts";
import type { Slab } from "./slab.ts";

/** How much is copied at a time: a hundred messages of 64 bytes, a part of a first-level cache. */
const MOST_WORDS = 2048;

/**
 * run — records of a lane, copied to the slab, from which messages are handed out one by one.
 *
 * What it cannot hand out is for the reader to take from the lane: a control record, a body with a
 * block of its own, the way to the next chunk, or a message that is not all here.
 */
export class Run {
  readonly #slab: Slab;
  readonly #Part: Host["Part"];
  /** The memory that the copy is in: the slab may have other by now. */
  #buffer: ArrayBuffer;
  #words: Int32Array<ArrayBuffer>;
  /** Where the next record is there, and where the last one ends. */
  #next = 0;
  #end = 0;
  /** Add it to a place there for the address of the record in the lane. */
  #shift = 0;

  constructor(slab: Slab, Part: Host["Part"]) {
    this.#slab = slab;
    this.#Part = Part;
    this.#buffer = slab.buffer;
    this.#words = slab.words;
  }

  /** Whether nothing is left in it. */
  get isOver(): boolean {
    return this.#next >= this.#end;
  }

  /** The address of the next record in the lane. */
  get position(): Addr {
    return this.#next + this.#shift;
  }

  /** What is left is not handed out. */
  forget(): void {
    this.#next = this.#end;
  }

  /** Copies the records, of `size` words, that begin at `from`; or as much as it can hold. */
  copy({ words }: Arena, from: Addr, size: number): void {
    const slab = this.#slab;
    const length = Math.min(size, MOST_WORDS);
    slab.ensure(length);
    const to = slab.position;
    copyWords(slab.words, to, words, from, length);
    slab.position = to + length;
    if (this.#words !== slab.words) {
      this.#buffer = slab.buffer;
      this.#words = slab.words;
    }
    this.#next = to;
    this.#end = to + length;
    this.#shift = from - to;
  }

  /** Takes the next message; undefined if it cannot be handed out. */
  read(): Message | undefined {
    const words = this.#words;
    const at = this.#next;
    const length = words[at + LENGTH];
    const next = at + recordWords(length);
    if (words[at + FLAGS] !== 0 || next > this.#end) return this.#readParts();
    this.#next = next;
    return [new this.#Part(this.#buffer, (at + RECORD_HEAD) * 4, length)];
  }

  /** Appends up to `most` messages, as far as they can be handed out. Returns how many. */
  readMany(messages: Message[], most: number): number {
    const words = this.#words;
    const buffer = this.#buffer;
    const Part = this.#Part;
    const end = this.#end;
    let count = 0;
    for (let at = this.#next; count < most && at < end; count++) {
      const length = words[at + LENGTH];
      const next = at + recordWords(length);
      if (words[at + FLAGS] !== 0 || next > end) {
        const message = this.#readParts();
        if (message === undefined) break;
        messages.push(message);
        at = this.#next;
      } else {
        messages.push([new Part(buffer, (at + RECORD_HEAD) * 4, length)]);
        at = next;
        this.#next = next;
      }
    }
    return count;
  }

  /**
   * The same of a message that has an envelope, which is put there; without it, if there is none.
   */
  readBehind(envelope: Envelope): Message | undefined {
    const words = this.#words;
    let at = this.#next;
    for (let more = true; more && at + RECORD_HEAD <= this.#end; at = this.#after(at)) {
      more = (words[at + FLAGS] & MORE) !== 0;
      if (more && words[at + LENGTH] === 0) return this.#readParts(this.#after(at), envelope);
    }
    return this.#readParts();
  }

  /**
   * A message of several parts, or one that was delivered before.
   *
   * @param from Where its own parts begin; what is before them is the envelope's.
   */
  #readParts(from: number = this.#next, envelope?: Envelope): Message | undefined {
    const words = this.#words;
    const first = this.#next;
    let next = first;
    let count = 0;
    for (let more = true; more; ) {
      if (next + RECORD_HEAD > this.#end) return undefined;
      if (next >= from) count++;
      const flags = words[next + FLAGS];
      next += recordWords(words[next + LENGTH]);
      if ((flags & ~(MORE | REDELIVERED)) !== 0 || next > this.#end) return undefined;
      more = (flags & MORE) !== 0;
    }
    const message = this.#partsFrom(from, count);
    envelope?.copy(words, first, from - first);
    if ((words[first + FLAGS] & REDELIVERED) !== 0) markAsRedelivered(message);
    this.#next = next;
    return message;
  }

  /** So many parts. The first three by a literal: an array that grows takes room for many more. */
  #partsFrom(first: number, count: number): Message {
    if (count === 1) return [this.#partAt(first)];
    const second = this.#after(first);
    if (count === 2) return [this.#partAt(first), this.#partAt(second)];
    let at = this.#after(second);
    const message = [this.#partAt(first), this.#partAt(second), this.#partAt(at)];
    while (message.length < count) {
      at = this.#after(at);
      message.push(this.#partAt(at));
    }
    return message;
  }

  #partAt(at: number): ReceivedPart {
    const length = this.#words[at + LENGTH];
    if (length === 0) return this.#slab.empty;
    return new this.#Part(this.#buffer, (at + RECORD_HEAD) * 4, length);
  }

  #after(at: number): number {
    return at + recordWords(this.#words[at + LENGTH]);
  }
}
