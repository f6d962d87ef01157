// SPDX-License-Identifier: MIT

/**
 * config — the numbers that are choices, each with its reason.
 */

/** `ZMQ_SNDHWM`, `ZMQ_RCVHWM`: the default of libzmq since 3.x. */
export const DEFAULT_HIGH_WATER_MARK = 1000;

/** `ZMQ_MAX_SOCKETS`: the default of libzmq. */
export const DEFAULT_MAX_SOCKETS = 1023;

/** The largest whole number that an option or a timeout takes, as in C, and as a timer here. */
export const MAX_INT: number = 2 ** 31 - 1;

/** The largest value that `spin` takes, in microseconds. */
export const MAX_SPIN = 1_000_000;

/** The largest value that `maxSockets` takes, as in libzmq. */
export const MAX_SOCKETS_LIMIT = 65_535;

/** A new arena: enough for dozens of pipes, and small enough that a test may open a hundred. */
export const INITIAL_MEMORY: number = 1 << 20;

/**
 * The default limit of an arena. ECMA-262 recommends that portable programs ask for at most 1 GiB,
 * and what is not used costs address space only.
 */
export const DEFAULT_MAX_MEMORY: number = 1 << 30;

/** The limit of the limit: byte offsets are kept within 31 bits, which V8 computes untagged. */
export const MAX_MEMORY_LIMIT: number = 2 ** 31 - (1 << 16);

/** How long a name after `inproc://` may be, in bytes of UTF-8. The manual of libzmq says 256. */
export const MAX_NAME_BYTES = 256;

/**
 * The longest busy wait before a thread sleeps, in microseconds.
 *
 * A sleeping thread takes 50 to 75 µs to answer, a spinning one less than one. About as long as the
 * sleep itself costs is the classic bound: one never pays more than twice the best choice.
 */
export const DEFAULT_SPIN_MICROSECONDS = 50;

/**
 * How many operations of a thread may succeed without a wait before the clock is looked at, and how
 * long they may take before the event loop gets its turn. One millisecond keeps timers on time and
 * costs one turn of the loop in thousands of messages.
 */
export const FAIRNESS_CHECK_OPERATIONS = 64;
export const FAIRNESS_MILLISECONDS = 1;

/** `receiveMany` without a maximum: enough to pay for the call, and still in the cache. */
export const DEFAULT_RECEIVE_MANY = 512;

/** `sendMany` shows its messages to the reader every so many, so that both sides work at once. */
export const FLUSH_EVERY = 64;

/** `ZMQ_SWAP` at the most, in bytes: how many messages are in a swap is counted in one word. */
export const MAX_SWAP: number = 2 ** 36;
