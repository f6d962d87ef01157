// SPDX-License-Identifier: MIT

import type { Pipe } from "../pipe/index.ts";

/**
 * routes — which pipe an id leads to, for ROUTER.
 *
 * An id is bytes, or text, which is the same as its UTF-8. A key of a Map cannot be bytes, so a
 * character of it stands for each; text of ASCII is its own key.
 */
export class Routes {
  readonly #pipes = new Map<string, Pipe>();

  get(id: string | Uint8Array): Pipe | undefined {
    return this.#pipes.get(keyOf(id));
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

const encoder = new TextEncoder();

function keyOf(id: string | Uint8Array): string {
  let bytes = id;
  if (typeof bytes === "string") {
    let ascii = true;
    for (let i = 0; i < bytes.length && ascii; i++) ascii = bytes.charCodeAt(i) < 128;
    if (ascii) return bytes;
    bytes = encoder.encode(bytes);
  }
  let key = "";
  for (let i = 0; i < bytes.length; i++) key += String.fromCharCode(bytes[i] as number);
  return key;
}
