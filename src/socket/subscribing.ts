// SPDX-License-Identifier: MIT

import type { ZmqError } from "../base/index.ts";
import type { Thread } from "../command/index.ts";
import { ABSENT, ASSIGNED, ATTACHED, type Message, type Pipe } from "../pipe/index.ts";
import type { Wants } from "../strategy/index.ts";
import {
  aboutNumber,
  aboutTopic,
  COMPLETE,
  FORGET_ALL,
  GAP,
  numberIn,
  SUBSCRIBE,
  UNSUBSCRIBE,
} from "./announcing.ts";
import { Receiver } from "./receiving.ts";
import type { Sender } from "./sending.ts";
import type { SocketCore } from "./socket.ts";
import { Ways } from "./ways.ts";

/** What a subscriber wants: each topic, or group, counted. */
export interface Interests {
  /** True if it was not wanted before. */
  add(topic: Uint8Array): boolean;
  /** Takes back one `add`. True if it is wanted no longer; false also if it was not. */
  remove(topic: Uint8Array): boolean;
  /** Whether a message of this topic is wanted. */
  matches(topic: Uint8Array): boolean;
  /** All that is wanted. */
  topics(): Iterable<Uint8Array>;
}

/** How many messages were dropped immediately before a message. */
const missed = new WeakMap<object, number>();

/** How many messages were dropped, for lack of room, immediately before this one. */
export function missedBefore(message: object): number {
  return missed.get(message) ?? 0;
}

/** The receiving half: what is not wanted is not handed out, although it has come. */
export class Filter extends Receiver<Message> {
  readonly #wants: (topic: Uint8Array) => boolean;
  protected override readonly wants: Wants = ([topic]) => this.#wants(topic as Uint8Array);
  /** What has been dropped in a pipe since the last message of it that was handed out. */
  readonly #gaps = new Map<Pipe, number>();
  /** How many messages were dropped in all. */
  missed = 0;

  constructor(core: SocketCore, wants: (topic: Uint8Array) => boolean) {
    super(core);
    this.#wants = wants;
  }

  override attached(pipe: Pipe): void {
    if (pipe.reader !== undefined) {
      pipe.reader.onControl = (bytes) => {
        if (bytes[0] === GAP) this.#miss(pipe, numberIn(bytes));
      };
    }
    super.attached(pipe);
  }

  override removed(pipe: Pipe): void {
    this.#gaps.delete(pipe);
    super.removed(pipe);
  }

  protected override take(): Message | undefined {
    for (;;) {
      const message = this.fq.receive();
      if (message === undefined) return undefined;
      if (!this.#wants(message[0] as Uint8Array)) continue;
      if (this.#gaps.size > 0) this.#tell(message);
      this.count(1);
      return message;
    }
  }

  protected override takeMany(messages: Message[], max: number): void {
    while (messages.length < max) {
      const message = this.take();
      if (message === undefined) return;
      messages.push(message);
    }
  }

  #miss(pipe: Pipe, count: number): void {
    this.missed += count;
    this.#gaps.set(pipe, (this.#gaps.get(pipe) ?? 0) + count);
  }

  #tell(message: Message): void {
    const pipe = this.fq.last as Pipe;
    const gap = this.#gaps.get(pipe);
    if (gap === undefined) return;
    this.#gaps.delete(pipe);
    missed.set(message, gap);
  }
}

/** The halves of one who subscribes. */
export interface SubscribingHalves {
  readonly receiver: Receiver<unknown>;
  readonly sender?: Sender<unknown>;
}

/** Tells publishers what is wanted (announcing.ts). */
export class Subscribing extends Ways {
  readonly #interests: Interests;
  /** To which binder of a pipe everything was said. */
  readonly #told = new Map<Pipe, number>();
  /** How much was said in a pipe while nobody was there to hear it. */
  readonly #unheard = new Map<Pipe, number>();
  /** There was no memory to say something; and all threads were asked for some. */
  #wantsMemory = false;

  constructor(core: SocketCore, interests: Interests, halves: SubscribingHalves) {
    super(core, halves, { sends: true, receives: true });
    this.#interests = interests;
  }

  /** A topic, which is among the interests by now or is no longer, is told to all publishers. */
  announce(isWanted: boolean, topic: Uint8Array): void {
    const record = aboutTopic(isWanted ? SUBSCRIBE : UNSUBSCRIBE, topic);
    for (const [pipe, binding] of this.#told) {
      const unheard = pipe.peerState === ABSENT ? (this.#unheard.get(pipe) ?? 0) + 1 : 0;
      this.#unheard.set(pipe, unheard);
      const isKept = unheard < MOST_UNHEARD;
      if (pipe.binding === binding && this.#write(pipe, isKept ? record : FORGET) && isKept)
        continue;
      this.#told.delete(pipe); // Everything will be said again.
      if (pipe.peerState !== ABSENT) this.#sayAll(pipe);
    }
  }

  override attached(pipe: Pipe): void {
    this.#sayAll(pipe);
    super.attached(pipe);
  }

  override peerChanged(pipe: Pipe): void {
    super.peerChanged(pipe);
    if (this.core.pipes.has(pipe)) this.#sayAll(pipe);
  }

  override released(pipe: Pipe): void {
    this.#told.delete(pipe);
    super.released(pipe);
  }

  override detached(pipe: Pipe): void {
    this.#told.delete(pipe);
    this.#unheard.delete(pipe);
    super.detached(pipe);
  }

  override memoryFreed(): void {
    if (this.#wantsMemory) {
      this.#wantsMemory = false;
      this.thread.gotMemory();
      for (const pipe of this.core.pipes) this.#sayAll(pipe);
    }
    super.memoryFreed();
  }

  override closed(error: () => ZmqError, settle: boolean): number {
    if (this.#wantsMemory) this.thread.gotMemory();
    this.#wantsMemory = false;
    return super.closed(error, settle);
  }

  get thread(): Thread {
    return this.core.member.thread;
  }

  /** Says all that is wanted to whoever is at the other end, unless that was done. */
  #sayAll(pipe: Pipe): void {
    const { binding, peerState, writer, draining } = pipe;
    const isThere = peerState === ABSENT || peerState === ASSIGNED || peerState === ATTACHED;
    if (writer === undefined || draining || !isThere || this.#told.get(pipe) === binding) return;
    this.#told.delete(pipe);
    this.#unheard.delete(pipe);
    if (!writer.writeControl(FORGET)) return this.#starve();
    for (const topic of this.#interests.topics()) {
      if (!writer.writeControl(aboutTopic(SUBSCRIBE, topic))) return this.#starve();
    }
    if (this.#write(pipe, aboutNumber(COMPLETE, binding))) this.#told.set(pipe, binding);
  }

  /** Writes one record, and shows all. False if there is no memory. */
  #write({ writer }: Pipe, record: Uint8Array): boolean {
    const isWritten = writer?.writeControl(record) === true;
    writer?.flush();
    if (!isWritten) this.#starve();
    return isWritten;
  }

  #starve(): void {
    if (this.#wantsMemory) return;
    this.#wantsMemory = true;
    this.thread.wantMemory();
  }
}

/** So much is said where nobody hears it; then it is left until somebody comes. */
const MOST_UNHEARD = 10_000;
const FORGET: Uint8Array = Uint8Array.of(FORGET_ALL);
