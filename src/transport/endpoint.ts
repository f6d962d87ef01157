// SPDX-License-Identifier: MIT

import { MAX_NAME_BYTES, ZmqError } from "../base/index.ts";

/** An endpoint, checked. Its name is the whole of it as UTF-8; names are compared by bytes. */
export interface Endpoint {
  readonly address: string;
  readonly name: Uint8Array;
}

/** `sys://` is as `inproc://`, but for `sys://log`, which is the library's own. */
const SCHEMES = ["inproc://", "sys://"];

/** @throws ZmqError EINVAL or EPROTONOSUPPORT, saying what an endpoint looks like. */
export function parseEndpoint(address: unknown): Endpoint {
  if (typeof address !== "string" || address.indexOf("://") < 1) {
    throw new ZmqError("EINVAL", {
      address: typeof address === "string" ? address : undefined,
      hint: 'An endpoint is a string such as "inproc://work".',
    });
  }
  const scheme = SCHEMES.find((known) => address.startsWith(known));
  if (scheme === undefined) {
    throw new ZmqError("EPROTONOSUPPORT", {
      address,
      hint: "Threads are linked by inproc://, and sys://log tells what happens; there is no other.",
    });
  }
  const name = new TextEncoder().encode(address);
  const length = name.length - scheme.length;
  if (length === 0 || length > MAX_NAME_BYTES) {
    throw new ZmqError("EINVAL", {
      address: address.slice(0, 80),
      hint: `A name after ${scheme} has 1 to ${MAX_NAME_BYTES} bytes; this one has ${length}.`,
    });
  }
  return { address, name };
}
