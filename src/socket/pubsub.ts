// SPDX-License-Identifier: MIT

import { ZmqError } from "../base/index.ts";
import { SUB, topicsThat } from "../context/index.ts";
import { bytesOf, type Message } from "../pipe/index.ts";
import { Prefixes, type Wants } from "../strategy/index.ts";
import type { ReceiveOptions } from "./options.ts";
import { Receiver } from "./receiving.ts";
import { ReceivingSocket } from "./receiving_socket.ts";
import { Ways } from "./ways.ts";

/** What a topic may begin with. Text is compared as UTF-8. */
export type Prefix = string | ArrayBufferView;

/** The receiving half of SUB: what is not subscribed to is not handed out. */
class Filter extends Receiver<Message> {
  readonly prefixes = new Prefixes();
  protected override readonly wants: Wants = ([topic]) => {
    return this.prefixes.matches(topic as Uint8Array);
  };

  protected override take(): Message | undefined {
    for (;;) {
      const message = this.fq.receive();
      if (message === undefined) return undefined;
      if (!this.prefixes.matches(message[0] as Uint8Array)) continue;
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
}

/**
 * SUB: receives from all linked PUBs, fairly, the messages whose first part begins with a prefix
 * that it has subscribed to (RFC 29, `ZMQ_SUB`).
 *
 * Without a subscription it receives nothing. In this version there is one publisher: the library,
 * which tells on `sys://log` what happens in all threads.
 *
 * @example
 * ```ts
 * const log = new Subscriber();
 * log.connect("sys://log");
 * log.subscribe("thread.", "pipe.full");
 * for await (const [topic, json] of log) console.log(`${topic}`, JSON.parse(`${json}`));
 * ```
 */
export class Subscriber extends ReceivingSocket {
  readonly #prefixes: Prefixes;

  constructor(options: ReceiveOptions = {}) {
    super(SUB, options, [], (core) => new Ways(core, { receiver: new Filter(core) }));
    this.#prefixes = (this.receivingHalf as Filter).prefixes;
  }

  /**
   * `ZMQ_SUBSCRIBE`: receives from now on also what begins with one of these; without any, all.
   *
   * Subscriptions are counted: who subscribes twice to the same must unsubscribe twice.
   *
   * @throws ZmqError EINVAL if it is no prefix, EBADF, ETERM.
   */
  subscribe(...prefixes: Prefix[]): void {
    this.#change(prefixes, (prefix) => this.#prefixes.add(prefix));
  }

  /**
   * `ZMQ_UNSUBSCRIBE`: takes subscriptions back; without any, the one to all. What has arrived by
   * them alone is no longer received. To take back what was not there is nothing.
   *
   * @throws ZmqError EINVAL if it is no prefix, EBADF, ETERM.
   */
  unsubscribe(...prefixes: Prefix[]): void {
    this.#change(prefixes, (prefix) => this.#prefixes.remove(prefix));
  }

  /** Changes all or, if one of them is no prefix, nothing. */
  #change(prefixes: Prefix[], change: (prefix: Uint8Array) => void): void {
    this.enter();
    for (const prefix of prefixes.length === 0 ? [EVERYTHING] : prefixes.map(toBytes)) {
      change(prefix);
    }
    this.tune(topicsThat((topic) => this.#prefixes.matches(topic)));
  }
}

const EVERYTHING = new Uint8Array(0);
const encoder = new TextEncoder();

function toBytes(prefix: unknown): Uint8Array {
  if (typeof prefix === "string") return encoder.encode(prefix);
  if (ArrayBuffer.isView(prefix)) return bytesOf(prefix);
  throw new ZmqError("EINVAL", {
    hint: "A prefix is a string, or a Buffer, typed array or DataView.",
  });
}
