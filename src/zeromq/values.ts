// SPDX-License-Identifier: MIT

import type { MessageLike, Part } from "../index.ts";

/** values — what programs give, as zeromq.js understands it, and what they are given back. */

const decoder = new TextDecoder();

/** Whatever is neither bytes nor `null` is sent as text: numbers, objects, SharedArrayBuffers. */
function toPart(value: unknown): Part {
  if (typeof value === "string" || value === null) return value;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value;
  return `${value}`;
}

/** A message as the library takes it. @throws TypeError for a symbol, which is no text. */
export function toParts(value: unknown): MessageLike {
  return Array.isArray(value) ? Array.from(value, toPart) : toPart(value);
}

/** The same message, which stays as it is whatever becomes of the buffers that were given. */
export function copied(message: MessageLike): MessageLike {
  if (Array.isArray(message)) return (message as readonly Part[]).map(copyOf);
  return copyOf(message as Part);
}

function copyOf(part: Part): Part {
  if (part === null || typeof part === "string") return part;
  return ArrayBuffer.isView(part) ? bytesOf(part).slice() : part.slice(0);
}

export function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** Texts of options are read as C strings: up to the first zero; none is null. */
export function toText(bytes: Uint8Array | null): string | null {
  if (bytes === null || bytes.length === 0 || (bytes.length === 1 && bytes[0] === 0)) return null;
  const end = bytes.indexOf(0);
  return decoder.decode(end < 0 ? bytes : bytes.slice(0, end));
}

/** The nearest whole number of 64 bits, with a sign or without. */
export function toLong(value: number, signed: boolean): number {
  if (Number.isNaN(value)) return 0;
  const [least, most] = signed ? [-(2 ** 63), 2 ** 63] : [0, 2 ** 64];
  return Math.min(Math.max(Math.trunc(value), least), most);
}
