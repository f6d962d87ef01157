// SPDX-License-Identifier: MIT

/**
 * threadmq/node-streams — sockets as Node's streams, in object mode.
 *
 * What is said of Web Streams holds here (socket/streams.ts): a stream borrows its socket, which
 * stays open however the stream ends; no message waits in a readable; an end is not told to other
 * threads. `destroy` gives up the calls that wait; a message that is in nobody's hands by then goes
 * back to the socket.
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
import { Source } from "./socket/index.ts";

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
  const source = new Source(socket);
  return new Readable({
    objectMode: true,
    ...reading(source),
    ...ending({ source }),
  });
}

/**
 * Sends what is written: messages, or with a codec values. Writes that have gathered while one
 * waited, or while the stream was corked, are one `sendMany`.
 *
 * `finish` says that the socket has accepted everything; `drain` of the socket says more.
 */
export function toWritable(socket: Sends<unknown>): Writable {
  const gone = new AbortController();
  return new Writable({
    objectMode: true,
    ...writing(socket, gone),
    ...ending({ gone }),
  });
}

/** Both, of a socket that does both. When the socket is closed, both sides are over. */
export function toDuplex(socket: Receives<unknown> & Sends<unknown>): Duplex {
  const source = new Source(socket);
  const gone = new AbortController();
  return new Duplex({
    objectMode: true,
    allowHalfOpen: false,
    readableHighWaterMark: 0,
    read: reading(source).read,
    ...writing(socket, gone),
    ...ending({ source, gone }),
  });
}

function reading(source: Source<unknown>) {
  return {
    highWaterMark: 0,
    read(this: Readable): void {
      const give = (value: unknown): boolean => {
        if (value === null) this.destroy(new ZmqError("ENOTSUP", { hint: NULL_HINT }));
        else this.push(value);
        return this.readableLength === 0;
      };
      const fail = (error: Error) => this.destroy(error);
      source.next(give, () => this.push(null)).catch(fail);
    },
  } satisfies ReadableOptions;
}

const NULL_HINT = "A stream of Node's cannot carry null: take it from the socket itself.";

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

function ending({ source, gone }: { source?: Source<unknown>; gone?: AbortController }) {
  return {
    destroy(this: object, error: Error | null, done: (error: Error | null) => void): void {
      source?.giveUp(error, (this as Readable).readableLength > 0);
      gone?.abort();
      done(error);
    },
  };
}
