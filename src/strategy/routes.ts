// SPDX-License-Identifier: MIT

import type { Pipe } from "../pipe/index.ts";

/**
 * routes — which pipe an id leads to, for ROUTER.
 *
 * An id is bytes, or text, which is the same as its UTF-8. A key of a Map cannot be bytes, so a
 * character of it stands for each; text of ASCII is its own key. Of an id that a ROUTER has made up
 * (a zero, and four bytes) the four bytes are the key, as a number, which is found much sooner.
 */
export class Routes {
  readonly #pipes = new Map<Key, Pipe>();

  get(id: string | Uint8Array): Pipe | undefined {
    return this.#pipes.get(keyOf(id));
  }

  /** As `get`, for an id that lies among other bytes. */
  getAt(bytes: Uint8Array, from: number, length: number): Pipe | undefined {
    return this.#pipes.get(keyAt(bytes, from, length));
  }

  set(id: Uint8Array, pipe: Pipe): void {
    this.#pipes.set(keyOf(id), pipe);
  }

  /** The id no longer leads to this pipe; perhaps it leads to another. */
  delete(id: Uint8Array, pipe: Pipe): void {
    const key = keyOf(id);
    if (this.#pipes.get(key) === pipe) this.#pipes.delete(key);
  }
}

/** How long an id is that was made up. */
const MADE_UP = 5;
const encoder = new TextEncoder();

type Key = string | number;

function keyOf(id: string | Uint8Array): Key {
  if (typeof id !== "string") return keyAt(id, 0, id.length);
  let isOwn = id.charCodeAt(0) !== 0;
  for (let i = 0; i < id.length && isOwn; i++) isOwn = id.charCodeAt(i) < 128;
  if (isOwn) return id;
  const bytes = encoder.encode(id);
  return keyAt(bytes, 0, bytes.length);
}

function keyAt(bytes: Uint8Array, from: number, length: number): Key {
  if (length === MADE_UP && bytes[from] === 0) {
    const high = ((bytes[from + 1] as number) << 8) | (bytes[from + 2] as number);
    return (high << 16) | ((bytes[from + 3] as number) << 8) | (bytes[from + 4] as number);
  }
  let key = "";
  for (let i = from; i < from + length; i++) key += String.fromCharCode(bytes[i] as number);
  return key;
}
