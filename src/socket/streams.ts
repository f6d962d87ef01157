// SPDX-License-Identifier: MIT

import type { WaitOptions } from "./waiting.ts";

/** A socket that receives, as far as a stream is concerned. */
export interface Receives<In> {
  readonly closed: boolean;
  receive(options?: WaitOptions): Promise<In>;
}

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
 * several receivers, are as without streams.
 *
 * REQ and REP, whose calls take turns, are for loops: a stream asks for the next message too early.
 */

/**
 * What a socket receives, as a stream: of messages, or with a codec of values.
 *
 * Of its errors each ends the stream; after an EBADMSG a new stream goes on with the next message.
 * `cancel` gives up the receive that waits.
 *
 * @example
 * ```ts
 * const words = toReadableStream(pull).pipeThrough(new TransformStream(counting));
 * await words.pipeTo(toWritableStream(push));
 * ```
 */
export function toReadableStream<In>(socket: Receives<In>): ReadableStream<In> {
  const gone = new AbortController();
  return new ReadableStream<In>(
    {
      async pull(stream) {
        try {
          stream.enqueue(await socket.receive({ signal: gone.signal }));
        } catch (error) {
          if (gone.signal.aborted) return;
          if (!socket.closed) throw error;
          stream.close();
        }
      },
      cancel: (reason) => gone.abort(reason),
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
