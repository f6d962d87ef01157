// SPDX-License-Identifier: MIT

import type { Message, MessageLike } from "../pipe/index.ts";
import { DuplexSocket } from "./duplex_socket.ts";
import { defineOptions } from "./options.ts";

/** A socket that a ROUTER at the other end calls by an id. */
export abstract class RoutedSocket<Out = MessageLike, In = Message> extends DuplexSocket<Out, In> {
  /** `ZMQ_ROUTING_ID`; see {@link RoutingOptions.routingId}. Empty: none. */
  get routingId(): Uint8Array {
    return this.option("routingId").slice();
  }

  set routingId(value: string | Uint8Array) {
    this.setOption("routingId", value as Uint8Array); // It is checked, and made bytes, there.
  }
}

/** One that may tell a ROUTER that it is there. */
export abstract class ProbingSocket<Out = MessageLike, In = Message> extends RoutedSocket<Out, In> {
  static {
    defineOptions(ProbingSocket.prototype, "probeRouter");
  }

  /** `ZMQ_PROBE_ROUTER`; see {@link ProbeOption.probeRouter}. For links to come. */
  declare probeRouter: boolean;
}
