// SPDX-License-Identifier: MIT

import { ZmqError } from "../base/index.ts";
import { CHANNEL, PAIR } from "../context/index.ts";
import { ATTACHED, HAS_PEER, type MessageLike } from "../pipe/index.ts";
import {
  Balancer,
  type CodecOption,
  type CodecUnlessMessage,
  type DuplexOptions,
  DuplexSocket,
  FairReceiver,
  type OnePart,
  type Received,
  type SocketCore,
  Ways,
} from "../socket/index.ts";

/**
 * What PAIR and CHANNEL do: both ways, with one peer and no more. Who comes second is refused, and
 * told so.
 */
class Exclusive extends Ways {
  constructor(core: SocketCore, onePart: boolean) {
    const sender = new Balancer(core, { returns: false, onePart, personal: true });
    super(core, { sender, receiver: new FairReceiver(core) });
  }

  override connecting(address: string): void {
    if (!this.#taken) return;
    const hint = "This socket has a peer, or waits for one, and takes no more: disconnect first.";
    throw new ZmqError("EADDRINUSE", { address, hint });
  }

  override admit(): number {
    return this.#taken ? HAS_PEER : 0;
  }

  get #taken(): boolean {
    for (const { draining, side, peerState } of this.core.pipes) {
      // A connecter that has gone, or only reads what had come, does not come back.
      if (!draining && (side === "connecter" || peerState === ATTACHED)) return true;
    }
    return false;
  }
}

/** Options of a PAIR. */
export interface PairOptions<Out = MessageLike, In = Received<Out>>
  extends DuplexOptions,
    CodecOption<Out, In> {}

/**
 * PAIR: sends to, and receives from, the one socket it is linked with (RFC 31, `ZMQ_PAIR`).
 *
 * Without a peer `send` waits. Whoever comes second gets an EADDRINUSE.
 *
 * @example
 * ```ts
 * const pair = new Pair();
 * pair.connect("inproc://ready");
 * await pair.send("ready");
 * ```
 */
export class Pair<Out = MessageLike, In = Received<Out>> extends DuplexSocket<Out, In> {
  constructor(...[options = {}]: CodecUnlessMessage<PairOptions<Out, In>>) {
    super(PAIR, options, ["codec"], (core) => new Exclusive(core, false));
  }
}

/** CHANNEL: a PAIR whose messages have one part (RFC 52, `ZMQ_CHANNEL`). */
export class Channel<Out = OnePart, In = Received<Out>> extends DuplexSocket<Out, In> {
  constructor(...[options = {}]: CodecUnlessMessage<PairOptions<Out, In>>) {
    super(CHANNEL, options, ["codec"], (core) => new Exclusive(core, true));
  }
}
