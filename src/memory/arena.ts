// SPDX-License-Identifier: MIT

import { assert, isShared, MAX_MEMORY_LIMIT, ZmqError } from "../base/index.ts";
import type { Addr, Words } from "./atomics.ts";
import {
  ID_HIGH,
  ID_LOW,
  LAYOUT,
  LAYOUT_VERSION,
  MAGIC,
  MAGIC_VALUE,
  MAX_BYTES,
  MAX_PAGES,
  PAGE_BYTES,
  PAGE_TABLE,
  PAGE_WORDS,
  WORD_BYTES,
} from "./layout.ts";

/** Twelve of them are kept for links, and for moving what one of them holds (pages.ts). */
const LEAST_PAGES = 16;

/**
 * arena — the memory that all threads of a context share.
 *
 * A SharedArrayBuffer that grows in place. Views that track its length are 5 to 40 times slower on
 * V8 than views of fixed length, so each thread has fixed ones, `words` and `bytes`, and makes new
 * ones when an address lies past them. Another thread may have grown the arena at any time; hence
 * the one rule of this library about addresses:
 *
 *   An address that was read from shared memory goes through `reach` before it is used.
 *
 * And `words` is taken after that: `words[reach(at)]` looks where it may not be yet.
 * A view once taken stays good for what it covers: growth moves nothing.
 */
export class Arena {
  readonly buffer: SharedArrayBuffer;
  words: Words;
  bytes: Uint8Array<SharedArrayBuffer>;

  private constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.words = new Int32Array(buffer, 0, buffer.byteLength >>> 2);
    this.bytes = new Uint8Array(buffer, 0, buffer.byteLength);
  }

  /** A new arena, of `initialBytes` now and never more than `maxBytes`. */
  static create(initialBytes: number, maxBytes: number): Arena {
    const isWhole = Number.isInteger(maxBytes); // Else it may be no number at all.
    const maxPages = isWhole ? Math.floor(maxBytes / PAGE_BYTES) : 0;
    const first = firstPage(Math.min(maxPages, MAX_MEMORY_LIMIT / PAGE_BYTES));
    const least = (first + LEAST_PAGES) * PAGE_BYTES;
    if (!isWhole || maxBytes < least || maxBytes > MAX_MEMORY_LIMIT) {
      throw new ZmqError("EINVAL", {
        hint: `Give maxMemory as a whole number of bytes from ${least} to ${MAX_MEMORY_LIMIT}.`,
      });
    }
    const bytes = Math.min(Math.max(initialBytes, least), maxPages * PAGE_BYTES);
    const buffer = new SharedArrayBuffer(bytes, { maxByteLength: maxPages * PAGE_BYTES });
    const arena = new Arena(buffer);
    const words = arena.words;
    const id = new Uint32Array(2);
    id.set([Math.random() * 2 ** 32, Math.random() * 2 ** 32]);
    words[LAYOUT] = LAYOUT_VERSION;
    words[ID_LOW] = id[0];
    words[ID_HIGH] = id[1];
    words[MAX_PAGES] = maxPages;
    words[MAX_BYTES] = maxPages * PAGE_BYTES;
    words[MAGIC] = MAGIC_VALUE;
    return arena;
  }

  /** The arena in a buffer that another thread made. */
  static open(buffer: unknown): Arena {
    if (!isShared(buffer) || buffer.byteLength < PAGE_TABLE * WORD_BYTES) {
      throw new ZmqError("EINVAL", {
        hint: "This is not a context's handle: pass on what `context.handle` gave.",
      });
    }
    const arena = new Arena(buffer);
    const words = arena.words;
    if (words[MAGIC] !== MAGIC_VALUE || words[LAYOUT] !== LAYOUT_VERSION) {
      throw new ZmqError("ENOCOMPATPROTO", {
        hint:
          "The context was made by another version of threadmq " +
          `(its layout is ${words[LAYOUT]}, ours ${LAYOUT_VERSION}): ` +
          "let all threads load the same version.",
      });
    }
    return arena;
  }

  /** Names the arena: the same in every thread, different for two arenas. */
  get id(): string {
    const hex = (at: Addr) => (this.words[at] >>> 0).toString(16).padStart(8, "0");
    return hex(ID_HIGH) + hex(ID_LOW);
  }

  get maxBytes(): number {
    return this.words[MAX_BYTES];
  }

  /** Makes sure that the views cover `at`, an address read from shared memory. Returns it. */
  reach(at: Addr): Addr {
    if (at >= this.words.length) this.refresh();
    assert(at >>> 0 < this.words.length, "an address lies in the arena");
    return at;
  }

  /** Makes the arena `bytes` long, under the lock of the pages. False if the machine refuses. */
  grow(bytes: number): boolean {
    try {
      this.buffer.grow(bytes);
    } catch {
      return false;
    }
    this.refresh();
    return true;
  }

  /** Takes views of all there is now. */
  refresh(): void {
    const length = this.buffer.byteLength;
    if (length === this.bytes.length) return;
    this.words = new Int32Array(this.buffer, 0, length >>> 2);
    this.bytes = new Uint8Array(this.buffer, 0, length);
  }
}

/** The number of the first page that is not taken up by header, slots and page table. */
export function firstPage(maxPages: number): number {
  return Math.ceil((PAGE_TABLE + maxPages) / PAGE_WORDS);
}

/**
 * Adds to one of a slot's 64-bit counters (layout.ts), and notes in a word that it is counted; only
 * the thread that owns the slot may. Nothing is called between the two: an engine
 * stops a thread where functions begin and end.
 *
 * @param at Which counter; 0: none, it is only noted.
 */
export function countAndNote(arena: Arena, at: Addr, by: number, note: Addr, value: number): void {
  const words = arena.words;
  if (at === 0) {
    words[note] = value;
    return;
  }
  const low = (words[at] + by) | 0;
  words[at] = low;
  words[note] = value;
  if (low >>> 0 < by) words[at + 1]++;
}

/** Sets two words, of which one says that the other is set; nothing is called between, as above. */
export function noteBoth(
  arena: Arena,
  one: Addr,
  first: number,
  other: Addr,
  second: number,
): void {
  const words = arena.words;
  words[one] = first;
  words[other] = second;
}

/** Adds one to each of two counters of a slot; nothing is called between, as above. */
export function countBoth(arena: Arena, one: Addr, other: Addr): void {
  const words = arena.words;
  const first = (words[one] + 1) | 0;
  const second = (words[other] + 1) | 0;
  words[one] = first;
  words[other] = second;
  if (first === 0) words[one + 1]++;
  if (second === 0) words[other + 1]++;
}

/** As many words as are copied faster so than by `set`, which wants a view to be made. */
const FEW_WORDS = 48;

/**
 * Copies an even number of words. By eights, because for each step of a loop an engine asks anew
 * what it has before it.
 */
export function copyWords(
  to: Int32Array,
  at: number,
  from: Int32Array,
  first: number,
  size: number,
): void {
  if (size > FEW_WORDS) {
    to.set(from.subarray(first, first + size), at);
    return;
  }
  // `| 0` says that these are words, and not numbers that may be any.
  let a = at | 0;
  let b = first | 0;
  const end = (first + size) | 0;
  for (const last = (end - 8) | 0; b <= last; a = (a + 8) | 0, b = (b + 8) | 0) {
    to[a] = from[b] as number;
    to[(a + 1) | 0] = from[(b + 1) | 0] as number;
    to[(a + 2) | 0] = from[(b + 2) | 0] as number;
    to[(a + 3) | 0] = from[(b + 3) | 0] as number;
    to[(a + 4) | 0] = from[(b + 4) | 0] as number;
    to[(a + 5) | 0] = from[(b + 5) | 0] as number;
    to[(a + 6) | 0] = from[(b + 6) | 0] as number;
    to[(a + 7) | 0] = from[(b + 7) | 0] as number;
  }
  for (; b < end; a = (a + 2) | 0, b = (b + 2) | 0) {
    to[a] = from[b] as number;
    to[(a + 1) | 0] = from[(b + 1) | 0] as number;
  }
}

/** Reads such a counter. Another thread may be adding to it: the value may be a little old. */
export function counted(arena: Arena, at: Addr): number {
  return (arena.words[at + 1] >>> 0) * 2 ** 32 + (arena.words[at] >>> 0);
}
