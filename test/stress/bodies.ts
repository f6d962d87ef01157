// SPDX-License-Identifier: MIT

/** bodies — messages that say whose they are, and from whose number their bytes follow. */
import assert from "node:assert/strict";

/** Now and then a long one: none, within a record, with a block of its own, of whole pages. */
const LENGTHS = [0, 3, 40, 64, 200, 1000, 5000, 40_000];
const HEAD_BYTES = 12;

export function lengthOf(number: number): number {
  const long = number % 97 === 0;
  return long ? (LENGTHS[(number / 97) % 8] as number) : (number * 7) % 120;
}

/** Head and body in one part: who sends it, its number, and the bytes. */
export function pack(sender: number, number: number, length: number = lengthOf(number)): Buffer {
  const part = Buffer.alloc(HEAD_BYTES + length, number);
  part.writeInt32LE(sender, 0);
  part.writeInt32LE(number, 4);
  part.writeInt32LE(length, 8);
  return part;
}

/** Says what a part is. Throws if it is broken. */
export function unpack(part: Buffer | undefined): { sender: number; number: number } {
  assert.ok(part !== undefined && part.length >= HEAD_BYTES, "a message has its head");
  const sender = part.readInt32LE(0);
  const number = part.readInt32LE(4);
  const length = part.readInt32LE(8);
  const whole = part.equals(pack(sender, number, length));
  assert.ok(whole, `message ${number} of ${sender} is broken`);
  return { sender, number };
}
