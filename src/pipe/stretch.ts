// SPDX-License-Identifier: MIT

import type { Addr, Words } from "../memory/index.ts";
import { FLAGS, LENGTH, MORE, recordWords } from "../queue/index.ts";

/**
 * Fifty messages of 64 bytes: behind so many words none is added. The more, the less each costs;
 * but what does not fit into the rest of a chunk begins a new one, and leaves that rest empty.
 */
const MOST_WORDS = 1024;

/**
 * stretch — whole messages that lie one behind the other in a lane, to be passed on as they lie
 * there: each is as any other, with all its bodies inside.
 */
export class Stretch {
  at: Addr = 0;
  /** How many words they take together. */
  size = 0;
  messages = 0;
  /** Whether each has one part. */
  isSingle = true;
  /** How many bytes their bodies have. */
  bytes = 0;

  /**
   * Measures how far that goes.
   *
   * @param to Where what was shown ends, in one piece.
   * @param most How many messages it may be.
   * @returns false if the first one is not such a message.
   */
  measure(words: Words, from: Addr, to: Addr, most: number): boolean {
    let end = from;
    let messages = 0;
    let parts = 0;
    let bytes = 0;
    while (end < to && messages < most && end - from < MOST_WORDS) {
      let at = end;
      let count = 0;
      let inside = 0;
      let flags = MORE;
      for (; flags === MORE; count++) {
        flags = words[at + FLAGS];
        const length = words[at + LENGTH];
        inside += length;
        at += recordWords(length);
      }
      if (flags !== 0) break;
      end = at;
      parts += count;
      bytes += inside;
      messages++;
    }
    this.at = from;
    this.size = end - from;
    this.messages = messages;
    this.isSingle = parts === messages;
    this.bytes = bytes;
    return messages > 0;
  }
}
