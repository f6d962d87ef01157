// SPDX-License-Identifier: MIT

import type { Addr, Words } from "../memory/index.ts";
import {
  CHUNK_HEAD,
  END,
  FLAGS,
  LANE_FRONT,
  LANE_HANDED,
  LENGTH,
  MORE,
  REDELIVERED,
  recordSize,
} from "./layout.ts";
import { shownUpTo } from "./ypipe.ts";

/** Marks all messages from `front` up to what was handed out: they will be handed out again. */
export function markRedelivered(words: Words, lane: Addr): void {
  const handed = words[lane + LANE_HANDED];
  if (handed === 0) return;
  const end = shownUpTo(words, lane);
  let first = true;
  for (let at = words[lane + LANE_FRONT]; at !== handed && at !== end; ) {
    const flags = words[at + FLAGS];
    if ((flags & END) !== 0) {
      at = words[at + LENGTH] + CHUNK_HEAD;
      continue;
    }
    if (first) words[at + FLAGS] = flags | REDELIVERED;
    first = (flags & MORE) === 0;
    at += recordSize(words, at);
  }
  words[lane + LANE_HANDED] = 0;
}
