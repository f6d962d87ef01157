// SPDX-License-Identifier: MIT

import { type ReceivedPart, ZmqError } from "../base/index.ts";
import {
  BODY_HEAD,
  FLAGS,
  INLINE_BYTES,
  LENGTH,
  MORE,
  RECORD_HEAD,
  REFERENCE,
  recordWords,
  YpipeWriter,
} from "../queue/index.ts";

/** What one part of a message may be made of. Text is sent as UTF-8; `null` is an empty part. */
export type Part = string | ArrayBufferView | ArrayBuffer | SharedArrayBuffer | null;

/** A message as it is sent: one part, or several. */
export type MessageLike = Part | readonly Part[];

/** A message as it is received: one entry a part, at least one. The bytes are the receiver's. */
export type Message = ReceivedPart[];

const SHORT_TEXT = 64;
const SHORT_BYTES = 24;

const encoder = new TextEncoder();

/**
 * message — a queue of messages: puts the parts of each into records, all of them or none.
 *
 * Everything is copied: what the caller does with its buffers after the call is its own affair.
 */
export class MessageWriter extends YpipeWriter {
  /**
   * Writes a whole message.
   *
   * @returns false if there is no memory for it now; then nothing is written.
   * @throws ZmqError EINVAL if it is no message, EMSGSIZE if it could never be stored.
   */
  write(message: MessageLike): boolean {
    if (message instanceof Uint8Array && message.length <= INLINE_BYTES) {
      // The most frequent message by far, and one that needs no checks and nothing taken back.
      const length = message.length;
      const at = this.reserveWhole(recordWords(length));
      if (at === 0) return this.#noMemory(message);
      this.#put(at, message, length, 0);
      return true;
    }
    const parts = Array.isArray(message) ? (message as readonly Part[]) : [message as Part];
    checkParts(parts);
    this.mark();
    let written = false;
    try {
      written = this.#writeParts(parts);
    } finally {
      if (!written) this.rollback();
    }
    return written || this.#noMemory(message);
  }

  #writeParts(parts: readonly Part[]): boolean {
    const last = parts.length - 1;
    for (let index = 0; index <= last; index++) {
      if (!this.#writePart(parts[index] as Part, index < last ? MORE : 0)) return false;
    }
    return true;
  }

  #writePart(part: Part, more: number): boolean {
    if (typeof part === "string") return this.#writeText(part, more);
    if (part instanceof Uint8Array) return this.#writeBytes(part, more);
    if (part === null) return this.#writeBytes(new Uint8Array(0), more);
    if (ArrayBuffer.isView(part)) {
      return this.#writeBytes(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), more);
    }
    return this.#writeBytes(new Uint8Array(part), more);
  }

  #writeText(text: string, more: number): boolean {
    const length = text.length;
    if (length > SHORT_TEXT || !isAscii(text)) {
      return this.#writeBytes(encoder.encode(text), more);
    }
    const at = this.reserve(recordWords(length));
    if (at === 0) return false;
    const { words, bytes } = this.arena;
    words[at + LENGTH] = length;
    words[at + FLAGS] = more;
    for (let i = 0, to = (at + RECORD_HEAD) * 4; i < length; i++)
      bytes[to + i] = text.charCodeAt(i);
    return true;
  }

  #writeBytes(source: Uint8Array, more: number): boolean {
    const length = source.length;
    if (length > INLINE_BYTES) return this.#writeReference(source, more);
    const at = this.reserve(recordWords(length));
    if (at !== 0) this.#put(at, source, length, more);
    return at !== 0;
  }

  #put(at: number, source: Uint8Array, length: number, more: number): void {
    const { words, bytes } = this.arena;
    words[at + LENGTH] = length;
    words[at + FLAGS] = more;
    const to = (at + RECORD_HEAD) * 4;
    if (length > SHORT_BYTES) bytes.set(source, to);
    else for (let i = 0; i < length; i++) bytes[to + i] = source[i] as number;
  }

  #writeReference(source: Uint8Array, more: number): boolean {
    const length = source.length;
    const bodyWords = BODY_HEAD + Math.ceil(length / 4);
    if (bodyWords > this.pool.pages.largestRunWords) throw tooLarge(length);
    const body = this.pool.allocate(bodyWords);
    if (body === 0) return false;
    this.arena.words[body] = 1;
    this.arena.bytes.set(source, (body + BODY_HEAD) * 4);
    const at = this.reserve(recordWords(8));
    if (at === 0) {
      this.pool.free(body);
      return false;
    }
    const words = this.arena.words;
    words[at + LENGTH] = length;
    words[at + FLAGS] = more | REFERENCE;
    words[at + RECORD_HEAD] = body;
    return true;
  }

  /** False, for a message that has to wait for memory; throws for one that would wait for ever. */
  #noMemory(message: MessageLike): false {
    let bytes = 0;
    for (const part of Array.isArray(message) ? message : [message]) {
      if (typeof part === "string") bytes += encoder.encode(part).length;
      else bytes += part === null ? 0 : (part as ArrayBuffer).byteLength;
    }
    if (bytes > this.pool.pages.largestRunWords * 4) throw tooLarge(bytes);
    return false;
  }
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

function checkParts(parts: readonly unknown[]): void {
  if (parts.length === 0) {
    throw new ZmqError("EINVAL", {
      hint: "A message has at least one part; send null or an empty string for an empty one.",
    });
  }
  for (const part of parts) {
    if (typeof part === "string" || part === null || ArrayBuffer.isView(part)) continue;
    if (part instanceof ArrayBuffer || part instanceof SharedArrayBuffer) continue;
    const what = Array.isArray(part) ? "an array" : `a value of type ${typeof part}`;
    throw new ZmqError("EINVAL", {
      hint:
        "A part is a string, a Buffer, typed array or DataView, an ArrayBuffer or " +
        `SharedArrayBuffer, or null; this is ${what}. ` +
        "Convert it first, for example with JSON.stringify.",
    });
  }
}

function tooLarge(bytes: number): ZmqError {
  return new ZmqError("EMSGSIZE", {
    hint:
      `It has ${bytes} bytes, more than the context can ever hold. ` +
      "Send it in pieces, or create the context with a larger maxMemory.",
  });
}
