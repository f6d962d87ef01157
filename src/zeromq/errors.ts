// SPDX-License-Identifier: MIT

import { ZmqError } from "../index.ts";

/**
 * errors — what a program written for zeromq.js is thrown: a plain Error with `errno`, `code` and,
 * where an endpoint was named, `address`; and a TypeError for arguments of a wrong kind.
 *
 * The texts are those of zeromq.js, which are libzmq's and the system's but for a few. What the
 * library itself has to say, its hint, is found in `cause`.
 */
const ERRORS: Readonly<Record<string, readonly [errno: number, text: string]>> = {
  ENOENT: [2, "No such endpoint"],
  EBADF: [9, "Socket is closed"],
  EAGAIN: [11, "Operation was not possible or timed out"],
  ENOMEM: [12, "Cannot allocate memory"],
  EBUSY: [16, "Socket is busy"],
  EINVAL: [22, "Invalid argument"],
  EMFILE: [24, "Too many open file descriptors"],
  ENOTSOCK: [88, "Socket operation on non-socket"],
  EMSGSIZE: [90, "Message too long"],
  EPROTONOSUPPORT: [93, "Protocol not supported"],
  ENOTSUP: [95, "Operation not supported"],
  EADDRINUSE: [98, "Address already in use"],
  EHOSTUNREACH: [113, "Host unreachable"],
  EFSM: [156384763, "Operation cannot be accomplished in current state"],
  ENOCOMPATPROTO: [156384764, "The protocol is not compatible with the socket type"],
  ETERM: [156384765, "Context was terminated"],
};

/** An error of the system or of ZeroMQ. */
export interface ErrnoError extends Error {
  code: string;
  errno: number;
}

/** @param message Instead of the usual text. */
export function errnoError(code: string, message?: string): ErrnoError {
  const [errno, text] = ERRORS[code] as readonly [number, string];
  return Object.assign(new Error(message ?? text), { errno, code });
}

/** What a call of the library has thrown, as zeromq.js would throw it. */
export function translated(error: unknown, address?: string): unknown {
  if (!(error instanceof ZmqError)) return error;
  const [errno, text] = ERRORS[error.code] ?? [error.errno, error.message];
  const place = address === undefined ? {} : { address };
  return Object.assign(new Error(text, { cause: error }), { errno, code: error.code, ...place });
}

/** Does something with the library. @throws What it throws, translated. */
export function withLibrary<T>(act: () => T, address?: string): T {
  try {
    return act();
  } catch (error) {
    throw translated(error, address);
  }
}

/** The code of an error, if it is one of the library. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof ZmqError ? error.code : undefined;
}

/** What an argument has to be, and what is said if it is not. */
export interface Check {
  accepts(value: unknown): boolean;
  readonly message: string;
}

/** @throws TypeError for the first argument that is not as it should be, or if there are more. */
export function checkArguments(given: readonly unknown[], ...checks: readonly Check[]): void {
  for (let index = 0; index < checks.length; index++) {
    const check = checks[index] as Check;
    if (!check.accepts(given[index])) throw new TypeError(check.message);
  }
  if (given.length <= checks.length) return;
  const wanted = `${checks.length} argument${checks.length === 1 ? "" : "s"}`;
  throw new TypeError(`Expected ${wanted} but received ${given.length}`);
}

export function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

export const OPTIONS: Check = {
  accepts: (value) => isObject(value) || value === undefined,
  message: "Options must be an object",
};
export const ROUTE: Check = { accepts: isObject, message: "Options must be an object" };
export const ADDRESS: Check = {
  accepts: (value) => typeof value === "string",
  message: "Address must be a string",
};
export const MESSAGE: Check = {
  accepts: (value) => value !== undefined,
  message: "Message must be present",
};
export const IDENTIFIER: Check = {
  accepts: (value) => typeof value === "number",
  message: "Identifier must be a number",
};
export const NUMBER: Check = {
  accepts: (value) => typeof value === "number",
  message: "Option value must be a number",
};
export const BOOLEAN: Check = {
  accepts: (value) => typeof value === "boolean",
  message: "Option value must be a boolean",
};
export const TEXT: Check = {
  accepts: (value) => typeof value === "string" || value === null || ArrayBuffer.isView(value),
  message: "Option value must be a string or buffer",
};
