// SPDX-License-Identifier: MIT

import { MAX_NAME_BYTES, ZmqError } from "../base/index.ts";

/** An endpoint, checked: what comes after `inproc://`, as UTF-8; names are compared by bytes. */
export interface Endpoint {
  readonly address: string;
  readonly name: Uint8Array;
}

const SCHEME = "inproc://";

/** @throws ZmqError EINVAL or EPROTONOSUPPORT, saying what an endpoint looks like. */
export function parseEndpoint(address: unknown): Endpoint {
  if (typeof address !== "string" || !address.includes("://")) {
    throw new ZmqError("EINVAL", {
      address: typeof address === "string" ? address : undefined,
      hint: 'An endpoint is a string such as "inproc://work".',
    });
  }
  if (!address.startsWith(SCHEME)) {
    throw new ZmqError("EPROTONOSUPPORT", {
      address,
      hint: `Threads are linked by ${SCHEME}; there is no other transport.`,
    });
  }
  const name = new TextEncoder().encode(address.slice(SCHEME.length));
  if (name.length === 0 || name.length > MAX_NAME_BYTES) {
    throw new ZmqError("EINVAL", {
      address: address.slice(0, 80),
      hint: `A name after ${SCHEME} has 1 to ${MAX_NAME_BYTES} bytes; this one has ${name.length}.`,
    });
  }
  return { address, name };
}
