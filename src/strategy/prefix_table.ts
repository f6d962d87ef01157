// SPDX-License-Identifier: MIT

/**
 * prefix_table — values by prefixes: a hash table that is asked once for each length there is.
 *
 *      "", "abc", "abd", "x"     lengths   0  1  3
 *
 *                                marks     [ · | m | · | m | m | · | m | · ]
 *                                texts     [   | t |   | t | t |   | t |   ]
 *                                values    [   | v |   | v | v |   | v |   ]
 *
 * What a topic begins with is found by hashing it byte by byte: at each length that some prefix
 * has, the hash so far is looked up. So that costs a step for each byte up to the longest prefix,
 * and for each length a look at one word of an array that stays in the cache; only for a prefix
 * that is found anything else is touched. A tree of a hundred thousand prefixes is larger than the
 * cache, and each step down is a miss or two: it took up to three times as long.
 *
 * Prefixes are kept as text of one byte a character, which engines keep in as many bytes. One that
 * is found is compared. Where many go on from one another (a, aa, aaa, ...), each would be compared
 * from its first byte on, which takes the square of their length. So of long ones is remembered
 * which other one they begin with: what a topic is known to begin with is not compared again.
 *
 * # Invariants
 *
 *   I1  A mark is a hash, made odd, for 0 is a free place. It is at its home, which the mark says,
 *       or behind it, with no free place between.
 *   I2  Places are a power of two, and at least half of them are free.
 *   I3  `lengths` are those of the texts, ascending.
 */

/** The multiplier of FNV-1a. */
const FACTOR = 0x01000193;
const LEAST_PLACES = 8;
/** So many bytes are made into text at a time. */
const PIECE = 4096;
/** So many bytes are compared again sooner than it is looked up that they need not be. */
const SHORT = 64;

export class PrefixTable<V> {
  /** Each table has its own, so that nobody can know which prefixes are in each other's way. */
  readonly #seed = (Math.random() * 2 ** 32) | 0;
  #marks = new Int32Array(LEAST_PLACES);
  #texts = free<string>(LEAST_PLACES);
  #values = free<V>(LEAST_PLACES);
  #size = 0;
  readonly #lengths: number[] = [];
  /** How many prefixes have each length. */
  readonly #counts = new Map<number, number>();
  /** With which texts those that are here begin, as far as it has been seen and is worth it. */
  readonly #starts = new Map<string, string>();

  /** How many prefixes have a value. */
  get size(): number {
    return this.#size;
  }

  /** The value of a prefix. */
  get(prefix: Uint8Array): V | undefined {
    const place = this.#placeOf(prefix);
    return place < 0 ? undefined : this.#values[place];
  }

  set(prefix: Uint8Array, value: V): void {
    const place = this.#placeOf(prefix);
    if (place >= 0) {
      this.#values[place] = value;
      return;
    }
    this.#size++;
    this.#resize();
    this.#put(markOf(hashOf(this.#seed, prefix, 0, prefix.length)), toText(prefix), value);
    const count = this.#counts.get(prefix.length) ?? 0;
    this.#counts.set(prefix.length, count + 1);
    if (count > 0) return;
    const after = this.#lengths.findIndex((length) => length > prefix.length);
    this.#lengths.splice(after < 0 ? this.#lengths.length : after, 0, prefix.length);
  }

  /** Takes a prefix out, if it has a value. */
  delete(prefix: Uint8Array): void {
    const place = this.#placeOf(prefix);
    if (place < 0) return;
    this.#starts.delete(this.#texts[place] as string);
    this.#free(place);
    this.#size--;
    this.#resize();
    const count = this.#counts.get(prefix.length) as number;
    if (count > 1) this.#counts.set(prefix.length, count - 1);
    else {
      this.#counts.delete(prefix.length);
      this.#lengths.splice(this.#lengths.indexOf(prefix.length), 1);
    }
  }

  /** Visits the values of all that a topic begins with, shortest first, until one says true. */
  match(topic: Uint8Array, visit: (value: V) => boolean): boolean {
    const lengths = this.#lengths;
    let hash = this.#seed;
    let before = 0;
    let start = "";
    for (let i = 0; i < lengths.length; i++) {
      const length = lengths[i] as number;
      if (length > topic.length) return false;
      hash = hashOf(hash, topic, before, length);
      before = length;
      const place = this.#find(markOf(hash), topic, length, start);
      if (place < 0) continue;
      const text = this.#texts[place] as string;
      if (start.length >= SHORT && this.#known(text, start) === 0) this.#starts.set(text, start);
      start = text;
      if (visit(this.#values[place] as V)) return true;
    }
    return false;
  }

  /** All prefixes and their values. Nothing is changed meanwhile. */
  *entries(): IterableIterator<[prefix: Uint8Array, value: V]> {
    for (const [at, text] of this.#texts.entries()) {
      if (text !== undefined) yield [toBytes(text), this.#values[at] as V];
    }
  }

  #placeOf(prefix: Uint8Array): number {
    const { length } = prefix;
    return this.#find(markOf(hashOf(this.#seed, prefix, 0, length)), prefix, length);
  }

  /**
   * Where a prefix, the first so many of these bytes, is; -1 if it is not there.
   *
   * @param start What they begin with, as far as it is known.
   */
  #find(mark: number, bytes: Uint8Array, length: number, start = ""): number {
    const marks = this.#marks;
    const last = marks.length - 1;
    for (let at = homeOf(mark) & last; marks[at] !== 0; at = (at + 1) & last) {
      if (marks[at] !== mark) continue;
      const text = this.#texts[at] as string;
      if (text.length === length && isText(text, bytes, this.#known(text, start))) return at;
    }
    return -1;
  }

  /** How many bytes of a text need not be compared with those that begin with `start`. */
  #known(text: string, start: string): number {
    return start.length >= SHORT && this.#starts.get(text) === start ? start.length : 0;
  }

  #put(mark: number, text: string, value: V): void {
    const marks = this.#marks;
    const last = marks.length - 1;
    let at = homeOf(mark) & last;
    while (marks[at] !== 0) at = (at + 1) & last;
    marks[at] = mark;
    this.#texts[at] = text;
    this.#values[at] = value;
  }

  /** Frees a place, and lets those behind move up that may (I1). */
  #free(place: number): void {
    const marks = this.#marks;
    const last = marks.length - 1;
    let hole = place;
    for (let at = (hole + 1) & last; marks[at] !== 0; at = (at + 1) & last) {
      const home = homeOf(marks[at] as number) & last;
      if (((at - home) & last) < ((at - hole) & last)) continue;
      marks[hole] = marks[at] as number;
      this.#texts[hole] = this.#texts[at];
      this.#values[hole] = this.#values[at];
      hole = at;
    }
    marks[hole] = 0;
    this.#texts[hole] = undefined;
    this.#values[hole] = undefined;
  }

  /** Makes as many places as there are to be. */
  #resize(): void {
    const before = this.#marks;
    let places = before.length;
    // By I2, and so that memory comes back.
    if (2 * this.#size > places) places *= 2;
    else if (8 * this.#size < places && places > LEAST_PLACES) places /= 2;
    if (places === before.length) return;
    const texts = this.#texts;
    const values = this.#values;
    this.#marks = new Int32Array(places);
    this.#texts = free(places);
    this.#values = free(places);
    for (const [at, text] of texts.entries()) {
      if (text !== undefined) this.#put(before[at] as number, text, values[at] as V);
    }
  }
}

function free<T>(places: number): (T | undefined)[] {
  return new Array<T | undefined>(places).fill(undefined);
}

function hashOf(before: number, bytes: Uint8Array, from: number, to: number): number {
  let hash = before;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ (bytes[i] as number), FACTOR);
  return hash;
}

function markOf(hash: number): number {
  return hash | 1;
}

/** Of the low bits alone, the upper ones of the bytes would hardly count. */
function homeOf(mark: number): number {
  return (mark >>> 1) ^ (mark >>> 16);
}

/** Whether these bytes, which are no fewer, are what a text is from some place on. */
function isText(text: string, bytes: Uint8Array, from: number): boolean {
  for (let i = from; i < text.length; i++) if (text.charCodeAt(i) !== bytes[i]) return false;
  return true;
}

function toText(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += PIECE) {
    text += String.fromCharCode(...bytes.subarray(at, at + PIECE));
  }
  return text;
}

function toBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
