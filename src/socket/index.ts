// SPDX-License-Identifier: MIT

/**
 * socket — what the user holds.
 *
 *   options     what can be set, and the defaults
 *   waiting     the calls that wait, first come first served
 *   socket      bind, connect, close, options
 *   sending     the sending half: send, sendSync, trySend, sendMany
 *   receiving   the receiving half
 *   pipeline    PUSH and PULL
 *   pubsub      SUB
 */
export type { ReceiveOptions, SendOptions, SocketOptions } from "./options.ts";
export { Pull, Push } from "./pipeline.ts";
export { type Prefix, Subscriber } from "./pubsub.ts";
export { ReceivingSocket } from "./receiving.ts";
export { SendingSocket } from "./sending.ts";
export { Socket, type SocketStats } from "./socket.ts";
export type { WaitOptions } from "./waiting.ts";
