// SPDX-License-Identifier: MIT

/** leases — what is looked at in tests of leases. */
import type { Context, LeasedPart } from "threadmq";

/** Bytes of a part, each by its place and a number. */
export function bytes(length: number, number = 0): Buffer {
  const body = Buffer.allocUnsafeSlow(length);
  for (let i = 0; i < length; i++) body[i] = number + i + (i >> 8);
  return body;
}

export function isShared(part: LeasedPart): boolean {
  return part.buffer instanceof SharedArrayBuffer;
}

/** How much memory leases keep, and how much is in use, in bytes. */
export const leased = (context: Context): number => context.stats().memory.leased;
export const used = (context: Context): number => context.stats().memory.used;
