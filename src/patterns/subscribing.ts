// SPDX-License-Identifier: MIT

import { ZmqError } from "../base/index.ts";
import { MemoryWish, type Thread } from "../command/index.ts";
import {
  ABSENT,
  bytesOf,
  checkControl,
  isAttended,
  type Lease,
  type Message,
  type Pipe,
} from "../pipe/index.ts";
import { type Halves, type OptionName, Receiver, type SocketCore, Ways } from "../socket/index.ts";
import {
  aboutNumber,
  aboutTopic,
  BEGIN,
  COMPLETE,
  FORGET_ALL,
  type Interests,
  KNOWN,
  lostBy,
  NOBODY,
  POLICIES,
  RETURNED,
  SUBSCRIBE,
  UNSUBSCRIBE,
  type Wants,
  WHEN_FULL,
} from "../strategy/index.ts";

/** What a topic may begin with. Text is compared as UTF-8. */
export type Prefix = string | ArrayBufferView;

/** How many messages were dropped immediately before a message. */
const missed = new WeakMap<object, number>();

/** How many messages were dropped, for lack of room, immediately before this one. */
export function missedBefore(message: object): number {
  return missed.get(message) ?? 0;
}

/** The receiving half: what is not wanted is not handed out, although it has come. */
export class Filter extends Receiver<Message> {
  readonly #interests: Interests;
  /** Whether a publisher may be right that we want what we have not asked for: XSUB. */
  readonly #trusts: boolean;
  /** Pipes whose publishers send what is wanted, and nothing else. */
  readonly #known = new Set<Pipe>();
  protected override readonly wants: Wants = (parts, pipe) => {
    return this.#trustsIn(pipe) || this.#isWanted(parts[0] as Uint8Array);
  };
  /** What has been dropped in a pipe since the last message of it that was handed out. */
  readonly #gaps = new Map<Pipe, number>();
  /** How many messages were dropped in all. */
  missed = 0;

  constructor(core: SocketCore, interests: Interests, trusts = false) {
    super(core);
    this.#interests = interests;
    this.#trusts = trusts;
  }

  override attached(pipe: Pipe): void {
    if (pipe.reader !== undefined) {
      pipe.reader.onControl = (bytes) => {
        if (bytes[0] === KNOWN) this.#known.add(pipe);
        else if (bytes[0] === BEGIN) this.#known.delete(pipe);
        else this.#miss(pipe, lostBy(bytes));
      };
    }
    super.attached(pipe);
  }

  override removed(pipe: Pipe): void {
    this.#gaps.delete(pipe);
    this.#known.delete(pipe);
    super.removed(pipe);
  }

  protected override take(lease?: Lease): Message | undefined {
    for (;;) {
      const message = this.fq.receive(lease);
      if (message === undefined) return undefined;
      if (!this.wants(message, this.fq.last as Pipe)) continue;
      if (this.#gaps.size > 0) this.#tell(message);
      this.count(1);
      return this.opened(message);
    }
  }

  /** What is handed out of a message that is wanted: it, or the same, made into something else. */
  protected opened(message: Message): Message {
    return message;
  }

  /** Behind a message that is wanted, all that lies there at once: nothing is told in between. */
  protected override takeMany(messages: Message[], max: number): void {
    while (messages.length < max) {
      const message = this.take();
      if (message === undefined) return;
      messages.push(message);
      const from = messages.length;
      if (this.fq.receiveRun(messages, max - from) > 0) this.#sift(messages, from);
    }
  }

  /** Of the messages from an index on, those stay that are wanted. */
  #sift(messages: Message[], from: number): void {
    const pipe = this.fq.last as Pipe;
    const wantsAll = this.#wantsAll() || this.#trustsIn(pipe);
    let to = from;
    for (let i = from; i < messages.length; i++) {
      const message = messages[i] as Message;
      if (wantsAll || this.#isWanted(message[0] as Uint8Array)) {
        messages[to++] = this.opened(message);
      }
    }
    if (to < messages.length) messages.length = to;
    this.count(to - from);
  }

  #trustsIn(pipe: Pipe): boolean {
    return this.#trusts && this.#known.has(pipe);
  }

  #wantsAll(): boolean {
    return this.#interests.all && !this.core.options.invertMatching;
  }

  #isWanted(topic: Uint8Array): boolean {
    return this.#interests.matches(topic) !== this.core.options.invertMatching;
  }

  #miss(pipe: Pipe, count: number): void {
    if (count === 0) return;
    this.missed += count;
    this.#gaps.set(pipe, (this.#gaps.get(pipe) ?? 0) + count);
  }

  protected override decoded(value: unknown, message: Message): void {
    const gap = missed.get(message);
    if (gap !== undefined && typeof value === "object" && value !== null) missed.set(value, gap);
  }

  #tell(message: Message): void {
    const pipe = this.fq.last as Pipe;
    const gap = this.#gaps.get(pipe);
    if (gap === undefined) return;
    this.#gaps.delete(pipe);
    missed.set(message, gap);
  }
}

/** Tells publishers what is wanted (announcing.ts). */
export class Subscribing extends Ways {
  readonly #interests: Interests;
  /** To which binder of a pipe everything was said. */
  readonly #told = new Map<Pipe, number>();
  /** What there was no memory for: it is said when there is some, before anything else. */
  readonly #unsaid = new Map<Pipe, Uint8Array[]>();
  /** How much was said in a pipe while nobody heard it. */
  readonly #unheard = new Map<Pipe, number>();
  readonly #wish: MemoryWish;

  constructor(core: SocketCore, interests: Interests, halves: Halves) {
    super(core, halves, { sends: true, receives: true });
    this.#interests = interests;
    this.#wish = new MemoryWish(this.#thread);
  }

  /** @throws ZmqError EMSGSIZE if a topic is so long that nobody can ever be told of it. */
  check(topic: Uint8Array): void {
    checkControl(aboutTopic(SUBSCRIBE, topic), this.#thread.pool);
  }

  /** A topic, which is among the interests by now or is no longer, is told to all publishers. */
  announce(isWanted: boolean, topic: Uint8Array): void {
    this.#say(aboutTopic(isWanted ? SUBSCRIBE : UNSUBSCRIBE, topic));
  }

  /** A topic that is wanted still was unsubscribed from. */
  announceReturned(topic: Uint8Array): void {
    this.#say(aboutTopic(RETURNED, topic));
  }

  override optionSet(name: OptionName): void {
    if (name === "whenFull") this.#say(this.#whenFull);
  }

  #say(record: Uint8Array): void {
    for (const [pipe, binding] of [...this.#told]) {
      const isHeard = pipe.peerState !== ABSENT && !this.#unsaid.has(pipe);
      const unheard = isHeard ? 0 : (this.#unheard.get(pipe) ?? 0) + 1;
      this.#unheard.set(pipe, unheard);
      if (pipe.binding === binding && unheard < MOST_UNHEARD) {
        this.#write(pipe, [record]);
        continue;
      }
      this.#told.delete(pipe); // Everything will be said again.
      this.#unsaid.delete(pipe);
      if (pipe.peerState !== ABSENT) this.#sayAll(pipe);
      else if (pipe.binding === binding) this.#write(pipe, [FORGET]);
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

  override memoryFreed(): void {
    for (const pipe of [...this.#unsaid.keys()]) this.#write(pipe, []);
    super.memoryFreed();
  }

  get #thread(): Thread {
    return this.core.member.thread;
  }

  /** Says all that is wanted to whoever is at the other end, unless that was done. */
  #sayAll(pipe: Pipe): void {
    const { binding, peerState, writer, draining } = pipe;
    const isThere = peerState === ABSENT || isAttended(peerState);
    if (writer === undefined || draining || !isThere || this.#told.get(pipe) === binding) return;
    const records = [aboutNumber(FORGET_ALL, binding), this.#whenFull];
    for (const topic of this.#interests) records.push(aboutTopic(SUBSCRIBE, topic));
    records.push(Uint8Array.of(COMPLETE));
    this.forget(pipe);
    this.#told.set(pipe, binding);
    this.#write(pipe, records);
  }

  protected override forget(pipe: Pipe): void {
    this.#told.delete(pipe);
    this.#unheard.delete(pipe);
    this.#unsaid.delete(pipe);
    this.#wantMemory();
  }

  get #whenFull(): Uint8Array {
    return Uint8Array.of(WHEN_FULL, POLICIES.indexOf(this.core.options.whenFull));
  }

  /** Writes what is left unsaid and these records, as far as there is memory, and shows it. */
  #write(pipe: Pipe, records: readonly Uint8Array[]): void {
    const { writer } = pipe;
    const rest = (this.#unsaid.get(pipe) ?? []).concat(records);
    let written = 0;
    while (written < rest.length && writer?.writeControl(rest[written] as Uint8Array)) written++;
    writer?.flush();
    if (written < rest.length) this.#unsaid.set(pipe, rest.slice(written));
    else this.#unsaid.delete(pipe);
    this.#wantMemory();
  }

  /** Lets all threads know whether memory is missing. */
  #wantMemory(): void {
    this.#wish.set(this.#unsaid.size > 0);
  }
}

/** So much is said where nobody hears it; then it is left until somebody comes. */
const MOST_UNHEARD = 10_000;
const FORGET: Uint8Array = aboutNumber(FORGET_ALL, NOBODY);

const EVERYTHING = new Uint8Array(0);
const encoder = new TextEncoder();

/** All prefixes as bytes of our own. @throws ZmqError EINVAL if one of them is none. */
export function toTopics(prefixes: readonly unknown[]): Uint8Array[] {
  return prefixes.length === 0 ? [EVERYTHING] : prefixes.map(toBytes);
}

function toBytes(prefix: unknown): Uint8Array {
  if (typeof prefix === "string") return encoder.encode(prefix);
  if (ArrayBuffer.isView(prefix)) return bytesOf(prefix).slice();
  throw new ZmqError("EINVAL", {
    hint: "A prefix is a string, or a Buffer, typed array or DataView.",
  });
}
