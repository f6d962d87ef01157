// SPDX-License-Identifier: MIT

import { Radix } from "./radix.ts";

/**
 * subscriptions — who wants what: of each topic, or group, the pipes that asked for it.
 *
 *   Subscriptions   a topic is wanted by who has subscribed to one of its prefixes
 *   Groups          a message of a group is wanted by who has joined it
 *
 * A pipe is in a set once, however often it asks. What stands for a pipe is any object of the
 * caller's. Most sets have one member, and then there is no set.
 */

/** What became of a subscription that was taken back; "remaining": others have it still. */
export type Removal = "last" | "remaining" | "not found";

type Wanted<T> = T | Set<T>;

interface Table<K, V> {
  readonly size: number;
  get(key: K): V | undefined;
  set(key: K, value: V): unknown;
  delete(key: K): unknown;
  entries(): Iterable<[K, V]>;
}

class Wishes<K, T extends object> {
  protected readonly table: Table<K, Wanted<T>>;
  /** How many wishes each has. */
  readonly #counts = new Map<T, number>();

  constructor(table: Table<K, Wanted<T>>) {
    this.table = table;
  }

  /** How many different things are wanted. */
  get count(): number {
    return this.table.size;
  }

  /** Adds a wish. True if nobody had it. */
  add(key: K, who: T): boolean {
    const wanted = this.table.get(key);
    if (wanted === undefined) this.table.set(key, who);
    else if (wanted instanceof Set) {
      if (wanted.has(who)) return false;
      wanted.add(who);
    } else {
      if (wanted === who) return false;
      this.table.set(key, new Set([wanted, who]));
    }
    this.#counts.set(who, (this.#counts.get(who) ?? 0) + 1);
    return wanted === undefined;
  }

  /** Takes a wish back. */
  remove(key: K, who: T): Removal {
    const wanted = this.table.get(key);
    if (wanted === undefined || !holds(wanted, who)) return "not found";
    this.#countDown(who);
    if (wanted instanceof Set && wanted.size > 1) {
      wanted.delete(who);
      return "remaining";
    }
    this.table.delete(key);
    return "last";
  }

  /**
   * Takes back all that one has wished.
   *
   * @param gone Called for everything that nobody else wants; or, with `all`, for all of it.
   */
  removeAll(who: T, gone: (key: K) => void = () => {}, all = false): void {
    let left = this.#counts.get(who) ?? 0;
    if (left === 0) return;
    const keys: K[] = [];
    for (const [key, wanted] of this.table.entries()) {
      if (!holds(wanted, who)) continue;
      keys.push(key);
      if (--left === 0) break;
    }
    for (const key of keys) if (this.remove(key, who) === "last" || all) gone(key);
  }

  #countDown(who: T): void {
    const count = this.#counts.get(who) as number;
    if (count === 1) this.#counts.delete(who);
    else this.#counts.set(who, count - 1);
  }
}

export class Subscriptions<T extends object> extends Wishes<Uint8Array, T> {
  readonly #radix: Radix<Wanted<T>>;
  /** While a topic is matched: the first set on its way, and everybody, if there is another. */
  #found: Wanted<T> | undefined;
  readonly #everybody = new Set<T>();

  constructor() {
    const radix = new Radix<Wanted<T>>();
    super(radix);
    this.#radix = radix;
  }

  /** Visits everybody who wants a topic, each once. */
  match(topic: Uint8Array, visit: (who: T) => void): void {
    this.#radix.match(topic, this.#collect);
    const found = this.#found;
    if (found === undefined) return;
    this.#found = undefined;
    const everybody = this.#everybody;
    if (everybody.size > 0) {
      everybody.forEach(visit);
      everybody.clear();
    } else if (found instanceof Set) found.forEach(visit);
    else visit(found);
  }

  readonly #collect = (wanted: Wanted<T>): boolean => {
    if (this.#found === undefined) this.#found = wanted;
    else {
      if (this.#everybody.size === 0) addTo(this.#everybody, this.#found);
      addTo(this.#everybody, wanted);
    }
    return false;
  };
}

export class Groups<T extends object> extends Wishes<string, T> {
  constructor() {
    super(new Map());
  }

  /** Visits everybody who has joined a group. */
  match(group: string, visit: (who: T) => void): void {
    const wanted = this.table.get(group);
    if (wanted === undefined) return;
    if (wanted instanceof Set) wanted.forEach(visit);
    else visit(wanted);
  }
}

function holds<T>(wanted: Wanted<T>, who: T): boolean {
  return wanted instanceof Set ? wanted.has(who) : wanted === who;
}

function addTo<T>(set: Set<T>, wanted: Wanted<T>): void {
  if (wanted instanceof Set) for (const who of wanted) set.add(who);
  else set.add(wanted);
}
