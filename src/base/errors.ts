// SPDX-License-Identifier: MIT

/**
 * errors — what can go wrong, by the names and numbers of ZeroMQ.
 *
 * A number is the one a C program sees on Linux, so that a table of a ZeroMQ binding fits.
 */
const CODES = {
  ENOENT: [2, "No such endpoint"],
  EIO: [5, "Input or output error"],
  EBADF: [9, "Socket is closed"],
  EAGAIN: [11, "Operation was not possible or timed out"],
  ENOMEM: [12, "The context's memory is used up"],
  EACCES: [13, "Permission denied"],
  EINVAL: [22, "Invalid argument"],
  EMFILE: [24, "Too many open sockets or threads"],
  ENOSPC: [28, "No space left on the disk"],
  EBADMSG: [74, "The message cannot be decoded"],
  EMSGSIZE: [90, "Message too large"],
  EPROTONOSUPPORT: [93, "Protocol not supported"],
  ENOTSUP: [95, "Operation not supported"],
  EADDRINUSE: [98, "Address already in use"],
  EHOSTUNREACH: [113, "Host unreachable"],
  EFSM: [156384763, "Operation cannot be accomplished in current state"],
  ENOCOMPATPROTO: [156384764, "The protocol is not compatible with the socket type"],
  ETERM: [156384765, "Context was terminated"],
} as const;

/**
 * What a hint shows of a value that is refused. No code of the user's runs: who gave a number that
 * is none may have given an object that throws when it is asked for its text.
 */
export function shown(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (typeof value === "object" && value !== null) return "an object";
  return String(value).slice(0, 80);
}

/** The names of all errors that the library raises. */
export type ZmqErrorCode = keyof typeof CODES;

/** What an error may know beyond its code. */
export interface ZmqErrorDetail {
  /** The endpoint that was named, or the socket's last one. */
  address?: string | undefined;
  /** A sentence that says what to do. */
  hint?: string;
  /** Of `sendMany`: how many messages were accepted before the failure. */
  accepted?: number | undefined;
  /** The parts of a message that could not be decoded. */
  received?: readonly Uint8Array[] | undefined;
  /** What has led to it. */
  cause?: unknown;
}

/**
 * The one error class of the library.
 *
 * An asynchronous call always reports by rejection, a synchronous one by `throw`. An abort by an
 * `AbortSignal` is not a ZmqError: the call rejects with the signal's own reason.
 */
export class ZmqError extends Error {
  override readonly name = "ZmqError";
  /** The name of the error, as `zmq_errno` would give it: `"EAGAIN"`. */
  readonly code: ZmqErrorCode;
  /** Its number on Linux. ZeroMQ's own errors are numbered as in `zmq.h`. */
  readonly errno: number;
  /** The endpoint concerned, where there is one. */
  readonly address: string | undefined;
  /** What to do about it. It is part of `message` too. */
  readonly hint: string | undefined;
  /** Of `sendMany` and `sendManySync`: how many messages were accepted before the failure. */
  readonly accepted: number | undefined;
  /**
   * Of EBADMSG: the parts of the message as they came; of a SERVER, PEER or DISH then whom it came
   * from, or its group. It was received, and is not lost.
   */
  readonly received: readonly Uint8Array[] | undefined;

  constructor(code: ZmqErrorCode, detail: ZmqErrorDetail = {}) {
    const [errno, text] = CODES[code];
    const where = detail.address === undefined ? "" : ` (${detail.address})`;
    const { cause } = detail;
    const hint = detail.hint === undefined ? "" : `. ${detail.hint}`;
    super(`${text}${where}${hint}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.errno = errno;
    this.address = detail.address;
    this.hint = detail.hint;
    this.accepted = detail.accepted;
    this.received = detail.received;
  }
}

/** @throws ZmqError EINVAL if it is no whole number of this range. */
export function checkRange(name: string, value: unknown, least: number, most: number): void {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return;
  throw new ZmqError("EINVAL", {
    hint: `Give ${name} as a whole number from ${least} to ${most}; it was ${shown(value)}.`,
  });
}

/** @throws ZmqError EINVAL with this hint if what should be options is no object. */
export function checkObject(options: unknown, hint: string): void {
  if (typeof options === "object" && options !== null && !Array.isArray(options)) return;
  throw new ZmqError("EINVAL", { hint });
}
