// SPDX-License-Identifier: MIT

import type { SocketType } from "../context/index.ts";
import type { Message, MessageLike } from "../pipe/index.ts";
import {
  type Codec,
  type OptionName,
  type ReceiveOptions,
  SENDS,
  type SendOptions,
} from "./options.ts";
import { ReceivingSocket } from "./receiving_socket.ts";
import type { Sender } from "./sending.ts";
import { SendingSocket } from "./sending_socket.ts";
import type { Socket, SocketCore } from "./socket.ts";
import type { WaitOptions } from "./waiting.ts";
import type { Ways } from "./ways.ts";

/** Options of sockets that do both. */
export interface DuplexOptions extends SendOptions, ReceiveOptions {}

/** What a socket that sends has beyond every socket. */
type Sending<Out, Call extends WaitOptions> = Omit<
  SendingSocket<Out, Call>,
  keyof Socket | "codec"
>;

// biome-ignore-start lint/correctness/noUnusedVariables: declarations that merge have the same.
// biome-ignore-start lint/suspicious/noUnsafeDeclarationMerging: what is declared is copied below.
export interface DuplexSocket<
  Out = MessageLike,
  In = Message,
  Call extends WaitOptions = WaitOptions,
  Body = In,
> extends Sending<Out, Call> {}

/** A socket that sends and receives: it has what a SendingSocket has, and a ReceivingSocket. */
export abstract class DuplexSocket<
  Out = MessageLike,
  In = Message,
  Call extends WaitOptions = WaitOptions,
  Body = In,
> extends ReceivingSocket<In, Body> {
  // biome-ignore-end lint/correctness/noUnusedVariables: as above.
  // biome-ignore-end lint/suspicious/noUnsafeDeclarationMerging: as above.
  /** @internal */
  readonly sendingHalf: Sender<unknown>;

  /** @param ways Makes the pattern, which has both halves. */
  protected constructor(
    type: SocketType,
    options: DuplexOptions,
    known: readonly OptionName[],
    ways: (core: SocketCore) => Ways,
  ) {
    super(type, options, [...SENDS, ...known], ways);
    this.sendingHalf = (this.pattern as Ways).sender as Sender<unknown>;
  }

  /** See {@link CodecOption.codec}; undefined if messages are what they are. */
  override get codec(): Codec<Out, Body> | undefined {
    return super.codec as Codec<Out, Body> | undefined;
  }
}

for (const name of Object.getOwnPropertyNames(SendingSocket.prototype)) {
  if (name === "constructor" || name === "codec") continue;
  const what = Object.getOwnPropertyDescriptor(SendingSocket.prototype, name);
  Object.defineProperty(DuplexSocket.prototype, name, what as PropertyDescriptor);
}
