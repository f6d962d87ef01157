// SPDX-License-Identifier: MIT

import { type Context, Push } from "threadmq";

const TEXT = "h".repeat(3000);

/**
 * Takes all the memory of a context that messages may have. One link takes half of what there is:
 * so by one link after the other, until an empty one finds none.
 *
 * @returns what gives it back.
 */
export function hog(context: Context): () => void {
  const hogs: Push[] = [];
  for (let isRoom = true; isRoom; ) {
    const push = new Push({ context, sendHighWaterMark: 0, linger: 0 });
    push.connect("inproc://hog");
    isRoom = push.trySend(TEXT);
    while (push.trySend(TEXT));
    hogs.push(push);
  }
  return () => {
    for (const push of hogs) push.close();
  };
}
