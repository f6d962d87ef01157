// SPDX-License-Identifier: MIT

import { ZmqError } from "../base/index.ts";
import type { Receiver } from "./receiving.ts";
import { Socket } from "./socket.ts";
import type { WaitOptions } from "./waiting.ts";
import { halvesOf } from "./ways.ts";

/** A socket that receives. */
export type Receives<In> = Socket & { receive(options?: WaitOptions): Promise<In> };

/** A socket that sends, as far as a stream is concerned. */
export interface Sends<Out, Call extends WaitOptions = WaitOptions> {
  send(message: Out, options?: Call): Promise<void>;
  sendMany(messages: Iterable<Out>, options?: Call): Promise<void>;
}

/**
 * What is written to a stream: a message, or with a codec a value. Where `send` is told whom it is
 * for, or which group it is of, a pair of both, as such a socket receives it: of a SERVER and a
 * PEER `[message, { routingId }]`, of a RADIO `[message, { group }]`.
 */
export type Chunk<Out, Call extends WaitOptions = WaitOptions> = WaitOptions extends Call
  ? Out
  : readonly [message: Out, about: Omit<Call, keyof WaitOptions>];

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
 * several receivers, are as without streams. A message is taken and given to the reader in one
 * step; a stream that is given up before, or that its reader has let go, leaves it in the socket.
 *
 * REQ and REP, whose calls take turns, are for loops: a stream asks for the next message too early.
 */

/** A stream that asks for a message. */
export interface Asking<In> {
  /** Whether there still is somebody who wants it. */
  wanted(): boolean;
  /** Gives it to him: he has it, or it waits in the stream till he comes for it, or he may not. */
  give(value: In): "given" | "waits" | "refused";
  /** The socket is closed. */
  end(): void;
}

/** Where a readable stream has its messages from. */
export class Source<In> {
  readonly #socket: Socket;
  readonly #receiver: Receiver<In>;
  readonly #gone = new AbortController();
  /** Puts the last message back, if it had to wait in the stream; perhaps it was read since. */
  #putBack: (() => void) | undefined;

  /** @throws ZmqError EINVAL if it is no socket that receives. */
  constructor(socket: Receives<In>) {
    const receiver = socket instanceof Socket ? halvesOf(socket).receiver : undefined;
    if (receiver === undefined) {
      throw new ZmqError("EINVAL", { hint: "Give a socket of this library that receives." });
    }
    this.#socket = socket;
    this.#receiver = receiver as Receiver<In>;
  }

  /** Takes the next message and gives it. If the stream is given up before, nothing is called. */
  async next(stream: Asking<In>): Promise<void> {
    const { signal } = this.#gone;
    if (signal.aborted) return;
    const taker = {
      wanted: () => stream.wanted(),
      take: (value: In, putBack: () => void): void => {
        const what = stream.give(value);
        this.#putBack = what === "waits" ? putBack : undefined;
        if (what === "refused") putBack();
      },
    };
    try {
      await this.#receiver.deliver(taker, { signal });
    } catch (error) {
      if (signal.aborted) return;
      if (!this.#socket.closed) throw error;
      stream.end();
    }
  }

  /** The stream is given up. @param waits Whether what it was given waits in it. */
  giveUp(reason: unknown, waits: boolean): void {
    this.#gone.abort(reason);
    const putBack = this.#putBack;
    this.#putBack = undefined;
    if (!waits || putBack === undefined) return;
    putBack();
    this.#receiver.pump(); // For those who follow: here it does come.
  }
}

/**
 * What a socket receives, as a stream: of messages, or with a codec of values.
 *
 * Of its errors each ends the stream; after an EBADMSG a new stream goes on with the next message.
 * `cancel` gives up the receive that waits. What comes when nobody has the stream locked stays in
 * the socket. Only if another reader has it by then, who has not read, does it wait in the stream,
 * for him; and if he cancels without having read, it is lost.
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
  const stream: ReadableStream<In> = new ReadableStream<In>(
    {
      pull: (controller) =>
        source.next({
          wanted: () => stream.locked,
          give(value) {
            controller.enqueue(value);
            return "given";
          },
          end: () => controller.close(),
        }),
      cancel: (reason) => source.giveUp(reason, false),
    },
    { highWaterMark: 0 },
  );
  return stream;
}

/**
 * Whether what is written to a stream of this socket is a pair.
 *
 * @throws ZmqError EINVAL if it is no socket that sends.
 */
export function takesPairs(socket: object): boolean {
  const sender = socket instanceof Socket ? halvesOf(socket).sender : undefined;
  if (sender === undefined) {
    throw new ZmqError("EINVAL", { hint: "Give a socket of this library that sends." });
  }
  return sender.saysWhom;
}

/** Sends what was written to a stream. @param inPairs Whether it is a pair (`takesPairs`). */
export function sendChunk(
  socket: Sends<unknown>,
  inPairs: boolean,
  chunk: unknown,
  signal: AbortSignal,
): Promise<void> {
  if (!inPairs) return socket.send(chunk, { signal });
  if (!Array.isArray(chunk) || chunk.length !== 2) {
    const hint =
      "Write pairs, as such a socket receives them: [part, { routingId }], or { group }.";
    return Promise.reject(new ZmqError("EINVAL", { hint }));
  }
  const [message, about] = chunk;
  return socket.send(message, { ...about, signal });
}

/**
 * A stream whose chunks a socket sends: messages, or with a codec values; of a SERVER, PEER or
 * RADIO pairs, of a message and whom it is for, or its group. So what is read from such a socket,
 * or a DISH, can be written as it is.
 *
 * A send that fails ends the stream with its error. `abort` gives up the send that waits, which is
 * then not accepted.
 *
 * @throws ZmqError EINVAL if it is no socket that sends.
 */
export function toWritableStream<Out, Call extends WaitOptions = WaitOptions>(
  socket: Sends<Out, Call>,
): WritableStream<Chunk<Out, Call>> {
  const inPairs = takesPairs(socket);
  return new WritableStream({
    write(message, stream) {
      const { signal } = stream as unknown as { signal: AbortSignal }; // The types lack it.
      return sendChunk(socket as Sends<unknown>, inPairs, message, signal);
    },
  });
}
