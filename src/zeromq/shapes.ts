// SPDX-License-Identifier: MIT

/**
 * shapes — what TypeScript sees: messages, the two directions, and the options of a class.
 *
 * A program that compiles against the declarations of zeromq.js compiles against these.
 */

/** One part of a received message. */
export type Message = Buffer;

/** What may be sent as one part. Numbers are sent as text, and `null` is an empty part. */
export type MessageLike =
  | ArrayBufferView
  | ArrayBuffer
  | SharedArrayBuffer
  | string
  | number
  | null;

/** Sockets that send messages `M`, with further arguments `O`. */
export interface Writable<
  M extends MessageLike | MessageLike[] = MessageLike | MessageLike[],
  O extends [...object[]] = [],
> {
  /** `ZMQ_MULTICAST_HOPS`: of the network only; it is kept. */
  multicastHops: number;
  /** `ZMQ_SNDBUF`: of the network only; it is kept. */
  sendBufferSize: number;
  /** `ZMQ_SNDHWM`: how many messages may wait for any one peer. 0 is no limit. */
  sendHighWaterMark: number;
  /** `ZMQ_SNDTIMEO`: how long a send waits, in milliseconds. -1 is for ever. */
  sendTimeout: number;
  /**
   * Sends a message: one part or an array of parts, which arrive all or not at all.
   *
   * One send may be in progress at a time; the next one throws EBUSY.
   */
  send(message: M, ...options: O): Promise<void>;
}

type ReceiveType<T> = T extends { receive(): Promise<infer U> } ? U : never;

/** Sockets that receive messages `M`. */
export interface Readable<M extends object[] = Message[]> {
  /** `ZMQ_RCVBUF`: of the network only; it is kept. */
  receiveBufferSize: number;
  /** `ZMQ_RCVHWM`: how many messages may wait here of any one peer. 0 is no limit. */
  receiveHighWaterMark: number;
  /** `ZMQ_RCVTIMEO`: how long a receive waits, in milliseconds. -1 is for ever. */
  receiveTimeout: number;
  /**
   * Receives a message: an array with one entry for each part.
   *
   * One receive may be in progress at a time; the next one throws EBUSY.
   */
  receive(): Promise<M>;
  /** Receives until the socket is closed. */
  [Symbol.asyncIterator](): AsyncIterator<ReceiveType<this>, undefined>;
}

type IfEquals<X, Y, A, B = never> =
  (<T>() => T extends X ? 1 : 2) extends <T>() => T extends Y ? 1 : 2 ? A : B;

type Expand<T> = T extends infer O ? { [K in keyof O]: O[K] } : never;

/** The names of what can be set: neither methods nor what is read-only. */
type WritableKeys<T> = {
  [P in keyof T]-?: T[P] extends (...args: never[]) => unknown
    ? never
    : IfEquals<{ [Q in P]: T[P] }, { -readonly [Q in P]: T[P] }, P>;
}[keyof T];

/** What of a class can be given to its constructor. */
export type Options<T, E = object> = Expand<Partial<E & Pick<T, WritableKeys<T>>>>;
