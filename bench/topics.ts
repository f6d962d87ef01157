// SPDX-License-Identifier: MIT

/**
 * topics — what the programs of `subs` publish and subscribe to.
 *
 *      | topic-004711 | number | ... |       one part: 12 bytes, 4 bytes, filled up
 *
 * There are twice as many topics as subscriptions, and those with an even number are subscribed to.
 * Publications go through all topics by a stride that has no factor in common with their count: so
 * neighbours in turn are nowhere near each other in a table, and every second publication matches.
 * A topic that does not match differs from one that does in its last byte only, so that nobody can
 * dismiss it early. Long common beginnings are what libzmq's trie, byte by byte, keeps most
 * densely.
 */

import type { Arguments } from "./child.ts";

export const TOPIC_BYTES = 12;
const DIGITS_FROM = 6;
const STRIDE = 123_457;

export interface SubsArguments extends Arguments {
  subscriptions: number;
}

/** The arguments, with whole pairs of publications. */
export function pairs(args: Arguments): SubsArguments {
  const even = (count: number): number => count - (count % 2);
  const subscriptions = Number(process.argv[6]);
  return { ...args, count: even(args.count), warmup: even(args.warmup), subscriptions };
}

/** Of publications, those that arrive. */
export function arriving(args: Arguments): Arguments {
  return { ...args, count: args.count / 2, warmup: args.warmup / 2 };
}

/** All topics that are subscribed to. */
export function subscriptionsOf({ subscriptions }: SubsArguments): string[] {
  return Array.from(
    { length: subscriptions },
    (_, i) => `topic-${String(2 * i).padStart(TOPIC_BYTES - DIGITS_FROM, "0")}`,
  );
}

/** One buffer, into which each publication is written before it is sent. */
export class Publications {
  readonly #body: Buffer;
  readonly #word: Int32Array;
  readonly #topics: number;

  constructor({ size, subscriptions }: SubsArguments) {
    this.#body = Buffer.alloc(size);
    this.#body.write("topic-");
    this.#word = new Int32Array(this.#body.buffer, this.#body.byteOffset + TOPIC_BYTES, 1);
    this.#topics = 2 * subscriptions;
  }

  numbered(number: number): Buffer {
    let topic = (number * STRIDE) % this.#topics;
    for (let i = TOPIC_BYTES - 1; i >= DIGITS_FROM; i--) {
      const rest = Math.floor(topic / 10);
      this.#body[i] = 48 + topic - rest * 10;
      topic = rest;
    }
    this.#word[0] = number;
    return this.#body;
  }
}
