// SPDX-License-Identifier: MIT

import { ZmqError } from "../base/index.ts";
import {
  isAttended,
  type MessageLike,
  type Part,
  type Pipe,
  type PipeReader,
  type PipeWriter,
  type Stretch,
} from "../pipe/index.ts";
import { Lb } from "../strategy/index.ts";
import { type Outgoing, Sender } from "./sending.ts";
import type { SocketCore } from "./socket.ts";
import type { WaitOptions } from "./waiting.ts";

/** A message of one part. */
export type OnePart = Part | readonly [Part];

export interface Balancing {
  /** Whether what a peer left unread goes to the others. Default true. */
  readonly returns?: boolean;
  /** Whether a message has one part. Default false. */
  readonly onePart?: boolean;
  /** Whether what is sent is for the peer that there is, and for nobody who comes after it. */
  readonly personal?: boolean;
}

/**
 * balancing — the sending half that shares its messages out: each goes to the next peer with room.
 *
 * What a peer left unread, because it has closed or died, goes to the others, in order, each
 * message once. If there is no other, it waits for the next. Where a message is meant for one peer
 * and no other (`returns` is false), or only the newest for each counts, it is dropped, and
 * counted.
 */
export class Balancer extends Sender<Outgoing> {
  protected readonly lb: Lb;
  /** Pipes whose binder has died and left something unread. */
  readonly #orphans = new Set<Pipe>();

  readonly #returns: boolean;
  readonly #onePart: boolean;
  override readonly personal: boolean;

  constructor(core: SocketCore, balancing: Balancing = {}) {
    super(core);
    const { returns = true, onePart = false, personal = false } = balancing;
    this.#returns = returns;
    this.#onePart = onePart;
    this.personal = personal;
    this.lb = new Lb(this.thread, () => core.options.balance === "least-loaded");
  }

  protected override prepare(message: MessageLike, options: WaitOptions | undefined): Outgoing {
    if (this.#onePart) checkOnePart(message);
    return super.prepare(message, options);
  }

  protected override put(message: Outgoing): boolean {
    this.#address();
    return this.lb.send(message);
  }

  protected write(message: Outgoing): boolean {
    this.#address();
    return this.lb.write(message);
  }

  override passRecords(stretch: Stretch, front: Uint8Array | undefined): boolean | undefined {
    this.#address();
    if (this.#onePart && (front !== undefined || !stretch.isSingle)) return undefined;
    const isPassed = this.lb.pass(stretch, front);
    if (isPassed === true) this.count(stretch.messages);
    return isPassed;
  }

  override get together(): number {
    return this.lb.together;
  }

  override moveFrom(reader: PipeReader): boolean | undefined {
    if (this.#onePart) return undefined;
    this.#address();
    const isMoved = this.lb.moveFrom(reader);
    if (isMoved === true) this.count(1);
    return isMoved;
  }

  flush(): void {
    this.lb.flush();
  }

  protected override park(): boolean {
    return this.lb.park();
  }

  protected override settle(): void {
    this.lb.settle();
  }

  protected override get busy(): boolean {
    return this.lb.returning;
  }

  get ready(): boolean {
    return this.lb.ready;
  }

  attached(pipe: Pipe): void {
    if (this.isUsable(pipe)) this.lb.attach(pipe);
    this.#reclaimOrphans();
    this.again();
  }

  changed(pipe: Pipe): void {
    if (!this.isUsable(pipe)) this.lb.remove(pipe);
    else if (!this.lb.has(pipe)) this.lb.attach(pipe);
    if (this.#returnsFrom(pipe) && pipe.orphaned && pipe.queuedOut > 0) this.#orphans.add(pipe);
    this.#reclaimOrphans();
    this.again();
  }

  removed(pipe: Pipe): void {
    this.lb.remove(pipe);
    this.#orphans.delete(pipe);
  }

  ended(pipe: Pipe, done: () => void): void {
    this.lb.remove(pipe);
    if (!this.#returnsFrom(pipe)) {
      this.core.dropped(pipe.queuedInLane, "peer left");
      done();
      return;
    }
    const reader = pipe.readBack(this.core.member.slab);
    const { writer } = pipe as { writer: PipeWriter };
    this.lb.reclaim({ reader, writer, stays: false, done });
    this.#reclaimOrphans();
    this.again();
  }

  activated(pipe: Pipe): void {
    this.lb.activated(pipe);
    this.again();
  }

  override memoryFreed(): void {
    this.lb.memoryFreed();
    super.memoryFreed();
    if (this.waits?.busy !== true) this.lb.giveUp();
  }

  override closed(): number {
    return this.lb.abandon();
  }

  /** What is sent now, if it is personal, is for those who are there now, or else for the next. */
  #address(): void {
    if (!this.personal) return;
    const { pipes } = this.lb;
    for (let i = 0; i < pipes.length; i++) (pipes[i] as Pipe).address(); // As a rule it is one.
  }

  /** Whether what is left unread in a pipe goes to others. */
  #returnsFrom(pipe: Pipe): boolean {
    return this.#returns && pipe.writer?.conflates === false;
  }

  /**
   * What a dead binder has left unread stays in the pipe for the next one of that name; unless
   * there is another peer, which shall not have to wait for that.
   */
  #reclaimOrphans(): void {
    for (const pipe of this.#orphans) {
      const isOther = (other: Pipe) => other !== pipe && isAttended(other.peerState);
      if (!this.lb.pipes.some(isOther)) return;
      this.#orphans.delete(pipe);
      const { registry, slab } = this.core.member;
      if (!pipe.orphaned || !registry.retract(pipe.at)) continue; // Somebody has come.
      this.lb.remove(pipe);
      const done = () => registry.leave(pipe.at, "binder", 0);
      const { writer } = pipe as { writer: PipeWriter };
      this.lb.reclaim({ reader: pipe.readBack(slab), writer, stays: true, done });
    }
  }
}

/** @throws ZmqError EINVAL if a message has several parts, or none. */
export function checkOnePart(message: MessageLike): void {
  if (!Array.isArray(message) || message.length === 1) return;
  const hint = "A message of this type of socket has one part: send them one by one, or joined.";
  throw new ZmqError("EINVAL", { hint });
}
