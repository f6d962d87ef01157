// SPDX-License-Identifier: MIT

/**
 * threadmq/msgpack — values as MessagePack. Beside what JSON has it keeps bytes, dates, big
 * integers, maps, sets, errors, undefined in objects, and objects that refer to each other.
 *
 * It needs the package `msgpackr`, which is not installed with the library: `npm install msgpackr`.
 * No other entry loads it.
 *
 * @packageDocumentation
 */
import { Packr } from "msgpackr";
import { ZmqError } from "./index.ts";
import { type Codec, onlyPart } from "./socket/index.ts";

/** What makes bytes of values, and values of bytes: a `Packr` of msgpackr is one. */
export interface Packer {
  pack(value: unknown): Uint8Array;
  unpack(bytes: Uint8Array): unknown;
}

/**
 * A codec for messages of one part: the MessagePack of a value. `framed` of the main entry puts
 * a topic or an id before it.
 *
 * @param packer One of your own, with msgpackr's options. Default: its structured clone.
 *
 * @example
 * ```ts
 * const pull = new Pull<Frame>({ codec: msgpack() });
 * ```
 */
export function msgpack<Out, In = Out>(
  packer: Packer = new Packr({ structuredClone: true }),
): Codec<Out, In> {
  return {
    encode(value) {
      // They have no MessagePack, and would be an EBADMSG at the receiver.
      if (value === undefined || typeof value === "function" || typeof value === "symbol") {
        throw new ZmqError("EINVAL", {
          hint: `MessagePack has no ${typeof value}: send null, or what it has.`,
        });
      }
      return packer.pack(value);
    },
    decode: (message) => packer.unpack(onlyPart(message)) as In,
  };
}
