// SPDX-License-Identifier: MIT

import type { Message } from "./message.ts";

/** Messages that had been in the hands of an application before, which did not acknowledge them. */
const redelivered = new WeakSet<object>();

export function markAsRedelivered(message: Message): void {
  redelivered.add(message);
}

/** Whether a message has been delivered before, to somebody who died or closed with it. */
export function isRedelivered(message: unknown): boolean {
  return redelivered.has(message as object);
}

/** A value was made of a message: what is known of the one is true of the other. */
export function standsFor(value: unknown, message: Message): void {
  if (typeof value === "object" && value !== null && isRedelivered(message)) redelivered.add(value);
}
