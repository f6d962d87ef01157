// SPDX-License-Identifier: MIT

import { PrefixTable } from "./prefix_table.ts";

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

/** Who wants something: one, or several. */
export type Wanted<T> = T | ReadonlySet<T>;

/** Who wants what: topics, or groups. */
export abstract class Wishes<T extends object> {
  protected readonly table: PrefixTable<T | Set<T>> = new PrefixTable();
  /** How many wishes each has. */
  readonly #counts = new Map<T, number>();

  /** Changes whenever who wants something does: what `find` has said holds no longer. */
  changes = 0;

  /** Everybody who wants a message of a topic; undefined if nobody does. */
  abstract find(topic: Uint8Array): Wanted<T> | undefined;

  /** How many different things are wanted. */
  get count(): number {
    return this.table.size;
  }

  /** Adds a wish. True if nobody had it. */
  add(topic: Uint8Array, who: T): boolean {
    this.changes++;
    const wanted = this.table.get(topic);
    if (wanted === undefined) this.table.set(topic, who);
    else if (wanted instanceof Set) {
      if (wanted.has(who)) return false;
      wanted.add(who);
    } else {
      if (wanted === who) return false;
      this.table.set(topic, new Set([wanted, who]));
    }
    this.#counts.set(who, (this.#counts.get(who) ?? 0) + 1);
    return wanted === undefined;
  }

  /** Takes a wish back. */
  remove(topic: Uint8Array, who: T): Removal {
    const wanted = this.table.get(topic);
    if (wanted === undefined || !holds(wanted, who)) return "not found";
    this.changes++;
    this.#countDown(who);
    if (wanted instanceof Set && wanted.size > 1) {
      wanted.delete(who);
      return "remaining";
    }
    this.table.delete(topic);
    return "last";
  }

  /**
   * Takes back all that one has wished, in the order of the bytes.
   *
   * @param gone Called for everything that nobody else wants; or, with `all`, for all of it.
   */
  removeAll(who: T, gone: (topic: Uint8Array) => void = () => {}, all = false): void {
    let left = this.#counts.get(who) ?? 0;
    if (left === 0) return;
    const topics: Uint8Array[] = [];
    for (const [topic, wanted] of this.table.entries()) {
      if (!holds(wanted, who)) continue;
      topics.push(topic);
      if (--left === 0) break;
    }
    for (const topic of topics.sort(inOrder)) {
      if (this.remove(topic, who) === "last" || all) gone(topic);
    }
  }

  #countDown(who: T): void {
    const count = this.#counts.get(who) as number;
    if (count === 1) this.#counts.delete(who);
    else this.#counts.set(who, count - 1);
  }
}

export class Subscriptions<T extends object> extends Wishes<T> {
  /** While a topic is matched: the first set on its way; everybody, if there is another. */
  #found: Wanted<T> | undefined;
  readonly #everybody = new Set<T>();

  override find(topic: Uint8Array): Wanted<T> | undefined {
    this.#found = undefined;
    if (this.#everybody.size > 0) this.#everybody.clear();
    this.table.match(topic, this.#collect);
    return this.#found;
  }

  readonly #collect = (wanted: Wanted<T>): boolean => {
    const everybody = this.#everybody;
    if (this.#found === undefined) this.#found = wanted;
    else {
      if (this.#found !== everybody) {
        addTo(everybody, this.#found);
        this.#found = everybody;
        this.changes++; // It is the same set for another topic.
      }
      addTo(everybody, wanted);
    }
    return false;
  };
}

export class Groups<T extends object> extends Wishes<T> {
  override find(group: Uint8Array): Wanted<T> | undefined {
    return this.table.get(group);
  }
}

function holds<T>(wanted: Wanted<T>, who: T): boolean {
  return wanted instanceof Set ? wanted.has(who) : wanted === who;
}

function inOrder(a: Uint8Array, b: Uint8Array): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return (a[at] ?? -1) - (b[at] ?? -1);
}

function addTo<T>(set: Set<T>, wanted: Wanted<T>): void {
  if (wanted instanceof Set) for (const who of wanted) set.add(who);
  else set.add(wanted as T);
}
