// SPDX-License-Identifier: MIT

import type { Lease } from "../pipe/index.ts";
import { repeat } from "./waiting.ts";

/**
 * leasing — an iteration over leases, of which there is one at a time.
 *
 * @param receive The next one. @param closed Whether the socket is: then it ends.
 */
export function iterateLeases<M>(
  receive: () => Promise<Lease<M>>,
  closed: () => boolean,
): AsyncIterableIterator<Lease<M>> {
  let last: Lease<M> | undefined;
  const steps = repeat(async () => {
    last?.release();
    last = await receive();
    return last;
  }, closed);
  const end = steps.return as () => Promise<IteratorResult<Lease<M>>>;
  return Object.assign(steps, {
    return: () => {
      last?.release();
      return end();
    },
  });
}
