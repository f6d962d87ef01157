// SPDX-License-Identifier: MIT

import type { Thread } from "../command/index.ts";
import type { Addr } from "../memory/index.ts";
import type { PipeEvents, PipeReader, PipeWriter } from "../pipe/index.ts";
import { BINDER_BLOCK, createPipe, destroyPipe, move, Pipe, Slab } from "../pipe/index.ts";

/** pair — a pipe from one thread to another, with both its ends. */
export interface PairOptions {
  sendHighWaterMark?: number;
  receiveHighWaterMark?: number;
  swap?: number;
  /** Which end wants only the newest message. */
  conflate?: "writer" | "reader" | undefined;
  /** Called before the ends are made, with the address of the pipe. */
  prepare?: (at: Addr) => void;
  slab?: Slab;
}

export interface Pair {
  readonly at: Addr;
  readonly connecter: Pipe;
  readonly binder: Pipe;
  readonly writer: PipeWriter;
  readonly reader: PipeReader;
  /**
   * What the ends heard: `"read"` the binder, `"write"` the connecter, `"peer"` either; of messages
   * that were lost `"lost 3 EIO"`.
   */
  readonly heard: string[];
  /** Both ends leave, and the pipe is freed. */
  close(): void;
}

const PUSH = 8;

/** Makes a pipe whose connecter only sends; both ends are there. */
export function createPair(sender: Thread, receiver: Thread, options: PairOptions = {}): Pair {
  const { sendHighWaterMark = 1000, receiveHighWaterMark = 1000, swap = 0, prepare } = options;
  const slab = options.slab ?? new Slab(receiver.host);
  const { arena } = sender;
  const at = createPipe(sender, PUSH, { sends: true, receives: false });
  if (at === 0) throw new Error("no memory for a pipe");
  prepare?.(at);
  const heard: string[] = [];
  const events: PipeEvents = {
    readActivated: () => heard.push("read"),
    writeActivated: () => heard.push("write"),
    peerChanged: () => heard.push("peer"),
    messagesLost: (_pipe, count, { code }) => heard.push(`lost ${count} ${code}`),
  };
  const marks = { sendHighWaterMark, receiveHighWaterMark, swap };
  const marksOf = (end: "writer" | "reader") => ({ ...marks, conflate: options.conflate === end });
  const [own, other] = [marksOf("writer"), marksOf("reader")];
  const connecter = new Pipe(sender, at, "connecter", "inproc://pair", own, slab, events);
  move(arena, at, "binder", "assign");
  receiver.arena.refresh();
  receiver.open(at + BINDER_BLOCK, 0);
  move(arena, at, "binder", "attach");
  const binder = new Pipe(receiver, at, "binder", "inproc://pair", other, slab, events);
  return {
    at,
    connecter,
    binder,
    writer: connecter.writer as PipeWriter,
    reader: binder.reader as PipeReader,
    heard,
    close() {
      connecter.leave();
      binder.leave();
      destroyPipe(arena, sender.pool, at);
    },
  };
}
