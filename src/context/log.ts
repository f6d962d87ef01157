// SPDX-License-Identifier: MIT

import { LOG, type Thread } from "../command/index.ts";
import { type Addr, LEAVE_A_MOVE, LOG_LISTENERS, LOG_TOPICS, load } from "../memory/index.ts";
import {
  createPipe,
  dropPipe,
  isAttended,
  Pipe,
  type PipeEvents,
  type PipeWriter,
  type Slab,
} from "../pipe/index.ts";
import { PUB } from "./peers.ts";
import type { DropReason, Registry } from "./registry.ts";

/**
 * log — what one thread tells on `sys://log`.
 *
 * A socket that listens has a hidden name in the registry. A thread that has something to tell
 * which a listener wants connects a pipe of its own there, and writes: so each pipe has one writer
 * and one reader as all pipes have, and nobody is between the two.
 *
 *      thread 1: Log ───── pipe ─────▶ ┐
 *                                      ├ Subscriber, in any thread
 *      thread 2: Log ───── pipe ─────▶ ┘
 *
 * Nobody wants a topic: then telling is one load of a word, and no record is made. Somebody does:
 * if the listeners have changed, their list is read anew. Whether they have is seen when there is
 * something to tell; so whoever has subscribed gets all that happens from then on.
 *
 * The log never waits. What has no room in a listener's pipe, or no memory, is lost to that
 * listener: it is counted, and the next record says how many were lost before it.
 *
 * The topics, what each means, and the fields of its records are in docs/LOG.md.
 *
 * # Where events may be told
 *
 * `event` writes at once. It takes the lock of the names and allocates; so it is for places where
 * no lock is held and no message is half written. Elsewhere, `later` only remembers the event and
 * sends this thread the command LOG.
 *
 * # What is not told
 *
 * Events of the pipes between logs and listeners: they would tell of themselves without end.
 *
 * # If a thread dies
 *
 * Its pipes to listeners end as all pipes of a dead thread do. If it was a listener, its name goes,
 * and the topics it wanted may stay in the word until the listeners next change: that costs a look
 * at a list, and nothing is written.
 */
const TOPICS = [
  "socket.opened",
  "socket.closed",
  "socket.bound",
  "socket.unbound",
  "socket.connected",
  "socket.disconnected",
  "pipe.attached",
  "pipe.detached",
  "pipe.full",
  "pipe.relieved",
  "swap.used",
  "swap.drained",
  "thread.attached",
  "thread.left",
  "thread.died",
  "peer.incompatible",
  "arena.grown",
  "arena.nearly-full",
  "messages.dropped",
] as const;

/** What the library tells of on `sys://log`: the first part of a message there. */
export type LogTopic = (typeof TOPICS)[number];

/** Why something has ended; see docs/LOG.md. */
export type LogReason =
  | "closed"
  | "terminated"
  | "thread left"
  | "thread died"
  | "disconnected"
  | "unbound"
  | "peer left"
  | "refused"
  | "full"
  | "memory"
  | DropReason;

/** The second part of a message of `sys://log`, as JSON. What is optional depends on the topic. */
export interface LogRecord {
  /** When it happened, in milliseconds since 1970. */
  time: number;
  /** The thread that tells it: `"main thread"`, `"worker 3"`. */
  thread: string;
  /** Counts what that thread has had to tell to this listener, from 1. A gap is a loss. */
  sequence: number;
  /** How many records were lost immediately before this one, for lack of room or memory. */
  dropped: number;
  /** The socket that it happened to, by its number in its thread. */
  socket?: { type: string; number: number };
  endpoint?: string;
  /** The link, by a number that both its ends tell. */
  pipe?: number;
  /** Which end of the link tells it. */
  side?: "binder" | "connecter";
  /** The type of the socket at the other end. */
  peer?: string;
  /** Whether nobody is bound to the endpoint yet. */
  pending?: boolean;
  why?: LogReason;
  /** Messages in the pipe, or the swap. */
  queued?: number;
  /** Messages that are lost. */
  count?: number;
  /** Which place a thread has in the context. */
  slot?: number;
  /** The thread that died; of how many names, and links, its leaving was done. */
  died?: string;
  names?: number;
  pipes?: number;
  /** What to do about it. */
  hint?: string;
  /** Shared memory in bytes: what is in use, what has been taken so far, what may be taken. */
  memory?: { used: number; size: number; max: number };
}

/** What an event has to say beyond what every record has. */
export type LogFields = Omit<LogRecord, "time" | "thread" | "sequence" | "dropped">;

/** Where the library's events are. */
export const LOG_ENDPOINT = "sys://log";

/** A listener has room for its own watermark of records from each thread, and for this one. */
const MARKS = { sendHighWaterMark: 1, receiveHighWaterMark: 0 };

const ONE_WAY = { sends: true, receives: false };
/** What is left for links that carry messages is not for ours. */
const SILENT = { leave: LEAVE_A_MOVE, silent: true };

const BITS = new Map<LogTopic, number>(TOPICS.map((topic, index) => [topic, 1 << index]));
const NAMES = TOPICS.map((topic) => new TextEncoder().encode(topic));

/** The topics that a subscription matches, a bit each. */
export function topicsThat(matches: (topic: Uint8Array) => boolean): number {
  return NAMES.reduce((bits, name, index) => (matches(name) ? bits | (1 << index) : bits), 0);
}

interface Event {
  readonly topic: LogTopic;
  readonly fields: LogFields;
  readonly time: number;
}

/** A listener, and our pipe to it if there is one. */
interface Link {
  topics: number;
  pipe: Pipe | undefined;
  sequence: number;
  dropped: number;
}

export class Log {
  readonly #thread: Thread;
  readonly #registry: Registry;
  readonly #slab: Slab;
  readonly #block: Addr;
  /** By the serial numbers of the listeners. */
  readonly #links = new Map<number, Link>();
  #listeners = 0;
  readonly #events: Event[] = [];
  #writing = false;
  #left = false;

  /** @param block The thread's own block, which hears LOG. */
  constructor(thread: Thread, registry: Registry, slab: Slab, block: Addr) {
    this.#thread = thread;
    this.#registry = registry;
    this.#slab = slab;
    this.#block = block;
  }

  /** Tells an event, where no lock is held and no message is half written. Never throws. */
  event(topic: LogTopic, fields: LogFields): void {
    if (this.#note(topic, fields)) this.flush();
  }

  /** Tells an event from anywhere, when this thread next hears commands. */
  later(topic: LogTopic, fields: LogFields): void {
    if (this.#note(topic, fields)) this.#thread.post(this.#block, LOG);
  }

  /** Writes what was told later. */
  flush(): void {
    if (this.#writing) return; // What is told by our own doing is written after it.
    this.#writing = true;
    try {
      for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift()) {
        this.#tell(event);
      }
    } finally {
      this.#writing = false;
    }
  }

  /** The thread leaves the context: what was written is still read. */
  leave(): void {
    this.flush();
    this.#left = true;
    for (const serial of this.#links.keys()) this.#drop(serial);
  }

  /** Remembers an event if anybody wants it. */
  #note(topic: LogTopic, fields: LogFields): boolean {
    // SYNC(listen) observe: what is wanted, and that the listeners have changed if they have.
    const wanted = load(this.#thread.arena.words, LOG_TOPICS) & (BITS.get(topic) as number);
    if (wanted === 0 || this.#left) return false;
    this.#events.push({ topic, fields, time: Date.now() });
    return true;
  }

  #tell({ topic, fields, time }: Event): void {
    this.#look();
    const bit = BITS.get(topic) as number;
    const thread = this.#thread.host.threadName;
    for (const [serial, link] of this.#links) {
      if ((link.topics & bit) === 0) continue;
      const { dropped } = link;
      link.dropped++; // Until it is written.
      const sequence = ++link.sequence;
      const writer = this.#writer(serial, link);
      if (writer?.hasRoom !== true) continue;
      const record: LogRecord = { time, thread, sequence, dropped, ...fields };
      if (!writer.write([topic, JSON.stringify(record)])) continue;
      writer.flush();
      link.dropped = 0;
    }
  }

  /** Reads the list of the listeners anew, if it has changed. */
  #look(): void {
    // SYNC(listen) observe: as in #note; the list itself is read under the lock.
    const changed = load(this.#thread.arena.words, LOG_LISTENERS);
    if (changed === this.#listeners) return;
    this.#listeners = changed;
    const listeners = this.#registry.listeners();
    for (const serial of this.#links.keys()) if (!listeners.has(serial)) this.#drop(serial);
    for (const [serial, topics] of listeners) {
      const link = this.#links.get(serial);
      if (link !== undefined) link.topics = topics;
      else this.#links.set(serial, { topics, pipe: undefined, sequence: 0, dropped: 0 });
    }
  }

  /** Our end of the pipe to a listener; undefined if there is no memory, or he is gone. */
  #writer(serial: number, link: Link): PipeWriter | undefined {
    if (link.pipe !== undefined) return link.pipe.writer;
    const thread = this.#thread;
    const at = createPipe(thread, PUB, ONE_WAY, SILENT);
    if (at === 0) return undefined;
    const events: PipeEvents = {
      readActivated: () => {},
      writeActivated: () => {},
      messagesLost: () => {},
      peerChanged: ({ peerState }) => {
        if (!isAttended(peerState)) this.#drop(serial);
      },
    };
    const pipe = new Pipe(thread, at, "connecter", LOG_ENDPOINT, MARKS, this.#slab, events);
    if (this.#registry.connectListener(serial, at)) {
      link.pipe = pipe;
      thread.signaler.arm(); // Should the listener go, we are to hear of it.
      return pipe.writer;
    }
    pipe.leave();
    dropPipe(thread, at);
    return undefined;
  }

  /** Memory is wanted. */
  memoryFreed(): void {
    for (const { pipe } of this.#links.values()) pipe?.writer?.trim();
  }

  /** Lets go of a listener. */
  #drop(serial: number): void {
    const pipe = this.#links.get(serial)?.pipe;
    this.#links.delete(serial);
    if (pipe === undefined) return;
    pipe.leave();
    this.#registry.leave(pipe.at, pipe.side, 0);
  }
}
