// SPDX-License-Identifier: MIT

import { PULL, PUSH } from "../context/index.ts";
import type { ReceiveOptions, SendOptions } from "./options.ts";
import { ReceivingSocket } from "./receiving.ts";
import { SendingSocket } from "./sending.ts";

/**
 * PUSH: gives each message to one of the linked PULLs, in turn (RFC 30, `ZMQ_PUSH`).
 *
 * Only peers that can take a message take part; when none can, `send` waits. Nothing is dropped,
 * and what a PULL has not received when it closes goes to the others.
 *
 * @example
 * ```ts
 * const push = new Push({ sendHighWaterMark: 100 });
 * await push.bind("inproc://work");
 * await push.send(["header", bytes]);
 * ```
 */
export class Push extends SendingSocket {
  constructor(options: SendOptions = {}) {
    const sends = ["sendHighWaterMark", "sendTimeout", "swap", "swapDirectory"] as const;
    super(PUSH, options, ["linger", "immediate", ...sends]);
  }
}

/**
 * PULL: receives from all linked PUSHes, one message from each in turn (RFC 30, `ZMQ_PULL`).
 *
 * @example
 * ```ts
 * const pull = new Pull();
 * pull.connect("inproc://work");
 * for await (const [header, bytes] of pull) console.log(`${header}`, bytes.length);
 * ```
 */
export class Pull extends ReceivingSocket {
  constructor(options: ReceiveOptions = {}) {
    super(PULL, options, [
      "linger",
      "immediate",
      "receiveHighWaterMark",
      "receiveTimeout",
      "acknowledge",
    ]);
  }
}
