// SPDX-License-Identifier: MIT

import { type ReceivedPart, ZmqError } from "../base/index.ts";
import type { Message, Part } from "../pipe/index.ts";
import type { Codec } from "./options.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * codec — messages that are values: of one part, or behind a topic or an id.
 *
 * A codec is two functions without a state, so one may serve many sockets. It stands between the
 * application and the pattern: what REQ and REP put around a message it never sees, a ROUTER's ids
 * and a publisher's topics it does (`framed`). Of what a SERVER, a PEER or a DISH receives it sees
 * the body, and of what an XPUB does not the subscriptions, which no codec has written.
 *
 * `json` makes messages of one part: the JSON text of a value, as UTF-8.
 *
 * @example
 * ```ts
 * const push = new Push<Job>({ codec: json() });
 * await push.send({ file: "a.txt", line: 5 });
 * ```
 */
export function json<Out, In = Out>(): Codec<Out, In> {
  return {
    encode(value) {
      const text = JSON.stringify(value) as string | undefined;
      if (text !== undefined) return text;
      const hint = `Give a value that JSON has; this is of type ${typeof value}.`;
      throw new ZmqError("EINVAL", { hint });
    },
    decode: (message) => JSON.parse(decoder.decode(onlyPart(message))),
  };
}

/**
 * The part of a message that has one: for codecs of such messages.
 *
 * @throws ZmqError EBADMSG if it has several.
 */
export function onlyPart(message: Message): ReceivedPart {
  if (message.length === 1) return message[0] as ReceivedPart;
  const hint = `The codec is for messages of one part; this one has ${message.length}: see framed.`;
  throw new ZmqError("EBADMSG", { hint });
}

/**
 * A codec for values with parts before them: a topic, for PUB and SUB; an id, for ROUTER; an empty
 * part, for a DEALER that talks to REPs; or with `2` both, for a ROUTER that talks to REQs.
 *
 * @param codec For the value. @param frames How many parts stand before it.
 *
 * @example
 * ```ts
 * const router = new Router({ codec: framed(json<Job>()) });
 * for await (const [id, job] of router) await router.send([id, work(job)]);
 * ```
 */
export function framed<Out, In>(
  codec: Codec<Out, In>,
  frames?: 1,
): Codec<[frame: Part, value: Out], [frame: ReceivedPart, value: In]>;
export function framed<Out, In>(
  codec: Codec<Out, In>,
  frames: 2,
): Codec<
  [first: Part, second: Part, value: Out],
  [first: ReceivedPart, second: ReceivedPart, value: In]
>;
export function framed(codec: Codec<unknown>, frames = 1): Codec<unknown[]> {
  return {
    encode(values) {
      if (!Array.isArray(values) || values.length !== frames + 1) {
        const before = frames === 1 ? "a part" : `${frames} parts`;
        const hint = `Give an array: ${before}, and the value.`;
        throw new ZmqError("EINVAL", { hint });
      }
      const encoded = codec.encode(values[frames]);
      return (values.slice(0, frames) as Part[]).concat(encoded as Part | Part[]);
    },
    decode(message) {
      const value = codec.decode(message.slice(frames));
      return [...message.slice(0, frames), value];
    },
  };
}

/** Of a message that is a part and something behind it: the value of the part, and that. */
export function decodeBody(codec: Codec<unknown>, [body, about]: readonly unknown[]): unknown {
  const value = codec.decode([body as ReceivedPart]);
  return value === undefined ? undefined : [value, about];
}
