// SPDX-License-Identifier: MIT

import type { ZmqError } from "threadmq";

/** The code of the error that a call throws; where it has none, what it says of itself. */
export function failure(call: () => void): string | undefined {
  try {
    call();
  } catch (error) {
    return (error as ZmqError).code ?? `${(error as Error).stack}`;
  }
  return undefined;
}
