// SPDX-License-Identifier: MIT

import { ZmqError } from "../base/index.ts";
import type { Receiver } from "./receiving.ts";
import { Socket } from "./socket.ts";
import type { WaitOptions } from "./waiting.ts";
import { halvesOf } from "./ways.ts";

/** A socket that receives. */
export type Receives<In> = Socket & { receive(options?: WaitOptions): Promise<In> };

/** A socket that sends, as far as a stream is concerned. */
export interface Sends<Out> {
  send(message: Out, options?: WaitOptions): Promise<void>;
  sendMany(messages: Iterable<Out>, options?: WaitOptions): Promise<void>;
}

/**
 * streams — sockets as Web Streams. For those of Node there is the entry `threadmq/node-streams`.
 *
 * A stream borrows its socket. However the stream ends, the socket stays open, and another stream,
 * or other calls, may go on with it; whoever opened the socket closes it. Between threads there is
 * no end of a stream: a writable's `close` says only that the socket has accepted everything
 * (`drain` says more), and a readable ends when its own socket is closed, as an iteration does.
 *
 * No message waits in a stream: a readable takes one from its socket when it is asked for one, and
 * a writable is ready when the socket has accepted the last. So watermarks, and who gets what of
 * several receivers, are as without streams. A message that was taken for a stream which is given
 * up in that moment goes back to the socket, and is the next that it gives.
 *
 * REQ and REP, whose calls take turns, are for loops: a stream asks for the next message too early.
 */

/** Where a readable stream has its messages from. */
export class Source<In> {
  readonly #socket: Socket;
  readonly #receiver: Receiver<In>;
  readonly #gone = new AbortController();
  /** Puts back the message that was taken and is, as far as is known, in nobody's hands yet. */
  #putBack: (() => void) | undefined;
  /** Whether the stream has it: there it waits, or has been read. */
  #given = false;

  /** @throws ZmqError EINVAL if it is no socket that receives. */
  constructor(socket: Receives<In>) {
    const receiver = socket instanceof Socket ? halvesOf(socket).receiver : undefined;
    if (receiver === undefined) {
      throw new ZmqError("EINVAL", { hint: "Give a socket of this library that receives." });
    }
    this.#socket = socket;
    this.#receiver = receiver as Receiver<In>;
  }

  /**
   * Takes the next message. If the stream is given up meanwhile, nothing is called.
   *
   * @param give Returns false if the message only waits in the stream.
   * @param end Called if the socket is closed.
   */
  async next(give: (value: In) => boolean, end: () => void): Promise<void> {
    const { signal } = this.#gone;
    let taken: { value: In } | undefined;
    try {
      const take = (value: In, putBack: () => void): void => {
        taken = { value };
        this.#putBack = putBack;
        this.#given = false;
      };
      await this.#receiver.deliver(take, { signal });
    } catch (error) {
      if (signal.aborted) return;
      if (!this.#socket.closed) throw error;
      end();
    }
    if (taken === undefined || signal.aborted) return;
    if (give(taken.value)) this.#putBack = undefined;
    this.#given = true;
  }

  /** The stream is given up. @param waits Whether what it was given waits in it. */
  giveUp(reason: unknown, waits: boolean): void {
    this.#gone.abort(reason);
    if (!this.#given || waits) this.#putBack?.();
    this.#putBack = undefined;
  }
}

/**
 * What a socket receives, as a stream: of messages, or with a codec of values.
 *
 * Of its errors each ends the stream; after an EBADMSG a new stream goes on with the next message.
 * `cancel` gives up the receive that waits. Only what came for a `read` whose reader has let go of
 * the stream before waits in the stream, for the next reader.
 *
 * @example
 * ```ts
 * const words = toReadableStream(pull).pipeThrough(new TransformStream(counting));
 * await words.pipeTo(toWritableStream(push));
 * ```
 *
 * @throws ZmqError EINVAL if it is no socket that receives.
 */
export function toReadableStream<In>(socket: Receives<In>): ReadableStream<In> {
  const source = new Source(socket);
  return new ReadableStream<In>(
    {
      pull(stream) {
        const give = (value: In): true => {
          stream.enqueue(value);
          return true;
        };
        return source.next(give, () => stream.close());
      },
      cancel: (reason) => source.giveUp(reason, false),
    },
    { highWaterMark: 0 },
  );
}

/**
 * A stream whose chunks a socket sends: messages, or with a codec values.
 *
 * A send that fails ends the stream with its error. `abort` gives up the send that waits, which is
 * then not accepted.
 */
export function toWritableStream<Out>(socket: Sends<Out>): WritableStream<Out> {
  return new WritableStream({
    write(message, stream) {
      const { signal } = stream as unknown as { signal: AbortSignal }; // The types lack it.
      return socket.send(message, { signal });
    },
  });
}
