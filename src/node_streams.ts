// SPDX-License-Identifier: MIT

/**
 * threadmq/node-streams — sockets as Node's streams, in object mode.
 *
 * What is said of Web Streams holds here (socket/streams.ts): a stream borrows its socket, which
 * stays open however the stream ends; no message waits in a readable that flows or is piped; an end
 * is not told to other threads. `destroy` gives up the calls that wait.
 *
 * One that does not flow (`readable` and `read`, `for await`, or paused while it asked) says that
 * it has something before that is read: so there one message can wait in the stream. If the stream
 * is destroyed then, it goes back to the socket, which gives it next, and it does not count as
 * received; if the socket is closed before that, it is dropped, and counts so. With `acknowledge`
 * another socket gets it, unless another call of this one has acknowledged it meanwhile.
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
import { Source, sendChunk, takesPairs } from "./socket/index.ts";

/**
 * What a socket receives: messages, or with a codec values. The stream ends when the socket is
 * closed. A `null`, by which a stream of Node's says that it is over, destroys it with ENOTSUP, and
 * is the socket's next.
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
 * Sends what is written: messages, or with a codec values; of a SERVER, PEER or RADIO pairs, of a
 * message and whom it is for, or its group. Writes that have gathered while one waited, or while
 * the stream was corked, are one `sendMany`, if they are no pairs.
 *
 * `finish` says that the socket has accepted everything; `drain` of the socket says more.
 *
 * @throws ZmqError EINVAL if it is no socket that sends.
 */
export function toWritable(socket: Sends<unknown>): Writable {
  const gone = new AbortController();
  return new Writable({
    objectMode: true,
    ...writing(socket, gone),
    ...ending({ gone }),
  });
}

/**
 * Both, of a socket that does both. When the socket is closed, both sides are over.
 *
 * @throws ZmqError EINVAL if it is no socket that does.
 */
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
  // One after the other, each after the event loop had its turn if that is due: a stream that flows
  // asks for the next message before it has returned from the last.
  let before = Promise.resolve();
  return {
    highWaterMark: 0,
    read(this: Readable): void {
      const give = (value: unknown) => {
        if (value === null) {
          this.destroy(new ZmqError("ENOTSUP", { hint: NULL_HINT }));
          return "refused";
        }
        this.push(value);
        return this.readableLength === 0 ? "given" : "waits";
      };
      const asking = { wanted: () => true, give, end: () => this.push(null) };
      const fail = (error: Error) => void this.destroy(error);
      before = before.then(() => source.next(asking)).catch(fail);
    },
  } satisfies ReadableOptions;
}

const NULL_HINT =
  "A stream of Node's cannot carry null: it is the socket's next, receive it there.";

function writing(socket: Sends<unknown>, { signal }: AbortController): WritableOptions {
  const inPairs = takesPairs(socket);
  const one: WritableOptions = {
    write(chunk: unknown, _encoding: unknown, done: (error?: Error) => void): void {
      sendChunk(socket, inPairs, chunk, signal).then(() => done(), done);
    },
  };
  if (inPairs) return one;
  return {
    ...one,
    writev(writes: { chunk: unknown }[], done: (error?: Error) => void): void {
      const messages = writes.map(({ chunk }) => chunk);
      socket.sendMany(messages, { signal }).then(() => done(), done);
    },
  };
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
