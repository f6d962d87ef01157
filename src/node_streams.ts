// SPDX-License-Identifier: MIT

/**
 * threadmq/node-streams — sockets as Node's streams, in object mode.
 *
 * What is said of Web Streams holds here (socket/streams.ts): a stream borrows its socket, which
 * stays open however the stream ends; no message waits in a readable; an end is not told to other
 * threads. `destroy` gives up the calls that wait.
 *
 * @packageDocumentation
 */
import {
  Duplex,
  Readable,
  type ReadableOptions,
  Writable,
  type WritableOptions,
} from "node:stream";
import { type Receives, type Sends, ZmqError } from "./index.ts";

/**
 * What a socket receives: messages, or with a codec values; `null`, by which a stream says that it
 * is over, cannot be one of them. The stream ends when the socket is closed.
 *
 * @example
 * ```ts
 * await pipeline(toReadable(pull), new Transform(work), toWritable(push));
 * ```
 */
export function toReadable(socket: Receives<unknown>): Readable {
  const gone = new AbortController();
  return new Readable({ objectMode: true, ...reading(socket, gone), ...ending(gone) });
}

/**
 * Sends what is written: messages, or with a codec values. Writes that have gathered while one
 * waited, or while the stream was corked, are one `sendMany`.
 *
 * `finish` says that the socket has accepted everything; `drain` of the socket says more.
 */
export function toWritable(socket: Sends<unknown>): Writable {
  const gone = new AbortController();
  return new Writable({ objectMode: true, ...writing(socket, gone), ...ending(gone) });
}

/** Both, of a socket that does both. When the socket is closed, both sides are over. */
export function toDuplex(socket: Receives<unknown> & Sends<unknown>): Duplex {
  const gone = new AbortController();
  return new Duplex({
    objectMode: true,
    allowHalfOpen: false,
    readableHighWaterMark: 0,
    read: reading(socket, gone).read,
    ...writing(socket, gone),
    ...ending(gone),
  });
}

function reading(socket: Receives<unknown>, { signal }: AbortController) {
  return {
    highWaterMark: 0,
    read(this: Readable): void {
      const take = (value: unknown) => {
        if (value !== null) this.push(value);
        else this.destroy(new ZmqError("ENOTSUP", { hint: NULL_HINT }));
      };
      const fail = (error: unknown) => {
        if (signal.aborted) return;
        if (socket.closed) this.push(null);
        else this.destroy(error as Error);
      };
      socket.receive({ signal }).then(take, fail);
    },
  } satisfies ReadableOptions;
}

const NULL_HINT = "A stream of Node's cannot carry null: send something around it.";

function writing(socket: Sends<unknown>, { signal }: AbortController) {
  return {
    write(message: unknown, _encoding: unknown, done: (error?: Error) => void): void {
      socket.send(message, { signal }).then(() => done(), done);
    },
    writev(writes: { chunk: unknown }[], done: (error?: Error) => void): void {
      const messages = writes.map(({ chunk }) => chunk);
      socket.sendMany(messages, { signal }).then(() => done(), done);
    },
  } satisfies WritableOptions;
}

function ending(gone: AbortController) {
  return {
    destroy(error: Error | null, done: (error: Error | null) => void): void {
      gone.abort();
      done(error);
    },
  };
}
