// SPDX-License-Identifier: MIT

/**
 * announcing — what a subscriber's end of a link tells the publisher's, and is told by it.
 *
 * Control records (pipe/reader.ts): one byte that says what, and then what it is about.
 *
 *   FORGET_ALL               what was said before no longer holds; what follows is said to this one
 *                            of the binders of the pipe (four bytes), and to no other
 *   WHEN_FULL                what is to become of messages that the pipe has no room for (a byte)
 *   SUBSCRIBE, UNSUBSCRIBE   a topic (SUB, XSUB) or a group (DISH)
 *   RETURNED                 one of several subscriptions to a topic was taken back
 *   COMPLETE                 all that is wanted has been said
 *
 * The other way go
 *
 *   GAP                      so many messages are missing here (eight bytes): they were dropped
 *   BEGIN                    from here on everything is sent
 *   KNOWN                    from here on what is wanted is sent
 *
 * A subscriber says all that it wants, between FORGET_ALL and COMPLETE, to each publisher that it
 * is linked with, and to the next one when that changes (which passes over what another before it
 * has left unread); and whatever it wants later, at once. It is in the pipe when `subscribe`
 * returns, and the publisher looks before each message that it sends: so nothing that is published
 * after that is missed.
 *
 * Until it has heard COMPLETE, a publisher does not know what is wanted, and sends everything; the
 * subscriber throws away what it does not want, up to KNOWN. So there is no moment in which a
 * message is lost because the subscriber's thread was not quick.
 */
export const UNSUBSCRIBE = 0;
export const SUBSCRIBE = 1;
export const GAP = 2;
export const COMPLETE = 3;
export const FORGET_ALL = 4;
export const WHEN_FULL = 5;
export const BEGIN = 6;
export const KNOWN = 7;
export const RETURNED = 8;
/** No binder has this number. */
export const NOBODY = 0xffff_ffff;

/** What becomes of messages for which a pipe has no room, in the order of their numbers. */
export const POLICIES = [
  "drop-newest",
  "drop-oldest",
  "latest-per-topic",
  "block",
  "disconnect",
] as const;
export type WhenFull = (typeof POLICIES)[number];

/** A control record about a topic, or a group. */
export function aboutTopic(what: number, topic: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + topic.length);
  bytes[0] = what;
  bytes.set(topic, 1);
  return bytes;
}

/** A control record about a number. */
export function aboutNumber(what: number, number: number): Uint8Array {
  const bytes = new Uint8Array(5);
  bytes[0] = what;
  new DataView(bytes.buffer).setUint32(1, number);
  return bytes;
}

/** The number that a control record is about. */
export function numberIn(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
}

/** A control record about missing messages. */
export function aboutGap(messages: number): Uint8Array {
  const bytes = new Uint8Array(1 + Float64Array.BYTES_PER_ELEMENT);
  bytes[0] = GAP;
  new DataView(bytes.buffer).setFloat64(1, messages);
  return bytes;
}

/** How many messages are missing before the next one, by a control record; 0: it tells no gap. */
export function lostBy(record: Uint8Array): number {
  if (record[0] !== GAP) return 0;
  return new DataView(record.buffer, record.byteOffset, record.length).getFloat64(1);
}
