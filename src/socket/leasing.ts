// SPDX-License-Identifier: MIT

import type { Lease } from "../pipe/index.ts";
import { type Held, repeat } from "./waiting.ts";

/**
 * leasing — an iteration over leases, of which there is one at a time.
 *
 * @param receive The next one. @param closed Whether the socket is: then it ends.
 */
export function iterateLeases<M>(
  receive: (held: Held) => Promise<Lease<M>>,
  closed: () => boolean,
): AsyncIterableIterator<Lease<M>> {
  let isOver = false;
  /** Those of the steps before: one, unless several steps were asked for at a time. */
  const given = new Set<Lease<M>>();
  const release = () => {
    for (const lease of given) lease.release();
    given.clear();
  };
  const steps = repeat(async (held) => {
    release();
    const lease = await receive(held);
    if (!isOver) given.add(lease); // Else it is whose step this was.
    return lease;
  }, closed);
  const end = steps.return as () => Promise<IteratorResult<Lease<M>>>;
  return Object.assign(steps, {
    return: () => {
      isOver = true;
      release();
      return end();
    },
  });
}
