// SPDX-License-Identifier: MIT

import type { ReceivedPart } from "../base/index.ts";
import type { Thread } from "../command/index.ts";
import type { Addr } from "../memory/index.ts";
import {
  BODY_HEAD,
  FLAGS,
  LENGTH,
  MORE,
  RECORD_HEAD,
  REDELIVERED,
  REFERENCE,
  recordSize,
  SHARED,
  YpipeReader,
} from "../queue/index.ts";
import type { Lease } from "./leases.ts";
import type { Message } from "./message.ts";
import { markAsRedelivered } from "./redelivered.ts";
import type { Slab } from "./slab.ts";

/**
 * parts — a queue that messages are read from where they lie: what a received part is made of.
 *
 * A part is a copy, in the slab if it is small and else in memory of its own; or, of a large body,
 * a view of shared memory that a lease has until it is released (leases.ts).
 */
export class MessageReader extends YpipeReader {
  protected readonly thread: Thread;
  protected readonly slab: Slab;
  /** Whether a message that is handed out is the reader's only once it is acknowledged. */
  protected readonly acknowledges: boolean;

  constructor(thread: Thread, lane: Addr, slab: Slab, acknowledges: boolean) {
    super(thread.arena, thread.pool, lane);
    this.thread = thread;
    this.slab = slab;
    this.acknowledges = acknowledges;
  }

  /** Copies the message whose records begin at `from`, but for what the lease gets. */
  protected copyParts(from: Addr, lease?: Lease): Message {
    const { words } = this.arena;
    const message: Message = [this.#copyOne(from, lease)]; // `push` would make room for 17.
    for (let at = from; (words[at + FLAGS] & MORE) !== 0; ) {
      at += recordSize(words, at);
      message.push(this.#copyOne(at, lease));
    }
    if ((words[from + FLAGS] & REDELIVERED) !== 0) markAsRedelivered(message);
    return message;
  }

  #copyOne(at: Addr, lease: Lease | undefined): ReceivedPart {
    const { words } = this.arena;
    if ((words[at + FLAGS] & REFERENCE) !== 0) return this.#takeBody(at, lease);
    return this.#copy(at + RECORD_HEAD, words[at + LENGTH]);
  }

  /** The body that a record refers to: a copy, or leased. */
  #takeBody(at: Addr, lease: Lease | undefined): ReceivedPart {
    const { arena } = this;
    const length = arena.words[at + LENGTH];
    const flags = arena.words[at + FLAGS];
    const body = arena.words[at + RECORD_HEAD];
    arena.reach(body + BODY_HEAD + ((length - 1) >> 2));
    if (lease === undefined) return this.#copy(body + BODY_HEAD, length);
    const isShared = (flags & SHARED) !== 0;
    if (!this.acknowledges) return lease.table.take(lease, body, length, isShared);
    if (!isShared) {
      arena.words[body] = 1; // The lane's, which gives it up like any other.
      arena.words[at + FLAGS] = flags | SHARED;
    }
    return lease.table.share(lease, body, length);
  }

  #copy(from: Addr, length: number): ReceivedPart {
    return this.slab.part(this.arena.bytes.subarray(from * 4, from * 4 + length));
  }
}
