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

/** Publications of a batch. */
const BATCH = 256;

/** Buffers into which publications are written before they are sent: one, or those of a batch. */
export class Publications {
  readonly #bodies: Buffer[];
  readonly #topics: number;

  constructor({ size, subscriptions }: SubsArguments) {
    this.#bodies = Array.from({ length: BATCH }, () => Buffer.alloc(size, "topic-"));
    this.#topics = 2 * subscriptions;
  }

  numbered(number: number): Buffer {
    return this.#write(this.#bodies[0], number);
  }

  /** The next publications, of which the first has this number; not beyond `end`. */
  batch(first: number, end: number): Buffer[] {
    const bodies = this.#bodies.slice(0, end - first);
    for (const [i, body] of bodies.entries()) this.#write(body, first + i);
    return bodies;
  }

  #write(body: Buffer, number: number): Buffer {
    let topic = (number * STRIDE) % this.#topics;
    for (let i = TOPIC_BYTES - 1; i >= DIGITS_FROM; i--) {
      const rest = Math.floor(topic / 10);
      body[i] = 48 + topic - rest * 10;
      topic = rest;
    }
    body.writeInt32LE(number, TOPIC_BYTES);
    return body;
  }
}
