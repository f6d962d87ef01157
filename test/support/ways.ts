// SPDX-License-Identifier: MIT

/** ways — all the ways of receiving and of sending, and what can be seen of what has come. */
import { once } from "node:events";
import type { Readable } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import {
  Poller,
  // biome-ignore lint/suspicious/noShadowRestrictedNames: it is ZeroMQ's word.
  Proxy,
  Pull,
  Push,
  toReadableStream,
  toWritableStream,
} from "threadmq";
import { toReadable, toWritable } from "threadmq/node-streams";

/** What a test sees of a message: its parts, and all else that its socket knows of it. */
export interface Seen {
  readonly parts: string[];
  /** Of a SERVER, a PEER, a DISH. */
  readonly about: string;
  readonly missed: number;
  readonly redelivered: boolean;
}

/** How a message is looked at, while it is there. */
export type Look = (message: any) => void;

export interface WayToReceive {
  /** Receives so many messages, and no more. */
  take(socket: any, count: number, look: Look): Promise<void> | void;
  /** Whether it is for sockets whose calls take turns, too. */
  readonly turns?: false;
  /** Whether it gives messages as they were before they were decoded. */
  readonly raw?: true;
  /** Whether it tells only the parts. */
  readonly bare?: true;
  /** Whether it cannot wait, or keeps those from sending that it waits for. */
  readonly now?: true;
}

const PATIENT = { timeout: 5000 };

/** By a call that gives one message. */
function one(call: (socket: any) => unknown, now?: true): WayToReceive {
  return {
    ...(now && { now }),
    async take(socket, count, look) {
      for (let left = count; left > 0; left--) look(await call(socket));
    },
  };
}

/** By a call that gives many, at most so many at a time; or, at last, as many as there are. */
function many(call: "receiveMany" | "receiveManySync", most: number): WayToReceive {
  return {
    ...(call === "receiveManySync" && { now: true }),
    async take(socket, count, look) {
      for (let left = count; left > 0; ) {
        const messages = await socket[call](Math.min(most, left), PATIENT);
        for (const message of messages) look(message);
        left -= messages.length;
      }
    },
  };
}

function leased(call: (socket: any) => unknown, now?: true): WayToReceive {
  return {
    ...(now && { now }),
    raw: true,
    async take(socket, count, look) {
      for (let left = count; left > 0; left--) {
        const lease = (await call(socket)) as { message: unknown; release(): void };
        look(lease.message);
        lease.release();
      }
    },
  };
}

/** By an iteration; the step behind the last is not asked for. */
async function iterated(steps: any, count: number, look: Look): Promise<void> {
  if (count === 0) return;
  let left = count;
  for await (const message of steps) {
    look(message);
    if (--left === 0) break;
  }
}

/** What goes through a proxy is received behind it, as parts. */
async function throughProxy(socket: any, count: number, look: Look): Promise<void> {
  const { context } = socket;
  using out = new Push({ context });
  using sink = new Pull({ context });
  const name = `inproc://behind-${Math.random()}`;
  out.bindSync(name);
  sink.connect(name);
  const proxy = new Proxy(socket, out);
  const ended = proxy.run();
  for (let left = count; left > 0; left--) look(await sink.receive(PATIENT));
  proxy.terminate();
  await ended;
}

/** Each in the order in which they are tried first. */
export const RECEIVING: Readonly<Record<string, WayToReceive>> = {
  tryReceive: one((socket) => socket.tryReceive(), true),
  receive: one((socket) => socket.receive()),
  "receive with options": one((socket) => socket.receive(PATIENT)),
  receiveSync: one((socket) => socket.receiveSync(), true),
  "receiveMany of 1": many("receiveMany", 1),
  "receiveMany of some": many("receiveMany", 3),
  "receiveMany of all": many("receiveMany", 1000),
  "receiveManySync of some": many("receiveManySync", 3),
  "receiveManySync of all": many("receiveManySync", 1000),
  // More than there are: there is no more than was asked for.
  "receiveMany of more": {
    async take(socket, count, look) {
      for (let left = count; left > 0; ) {
        const messages = await socket.receiveMany(left + 10, PATIENT);
        for (const message of messages) look(message);
        left -= messages.length;
      }
    },
  },
  "for await": { take: (socket, count, look) => iterated(socket, count, look) },
  "for of": {
    now: true,
    take(socket, count, look) {
      let left = count;
      for (const message of socket) {
        look(message);
        if (--left === 0) break;
      }
    },
  },
  tryReceiveLease: leased((socket) => socket.tryReceiveLease(), true),
  receiveLease: leased((socket) => socket.receiveLease()),
  receiveLeaseSync: leased((socket) => socket.receiveLeaseSync(), true),
  leases: {
    raw: true,
    take: (socket, count, look) => {
      return iterated(socket.leases(), count, ({ message }) => look(message));
    },
  },
  "one way after the other": {
    now: true,
    async take(socket, count, look) {
      const calls = [
        () => [socket.tryReceive()],
        () => socket.receiveMany(2),
        async () => [await socket.receive()],
        () => socket.receiveManySync(2),
      ];
      for (let left = count, i = 0; left > 0; i++) {
        const isLast = left === 1;
        const messages = isLast ? [socket.receiveSync()] : await calls[i % calls.length]?.();
        for (const message of messages) look(message);
        left -= messages.length;
      }
    },
  },
  "as a poller says": {
    async take(socket, count, look) {
      using poller = new Poller();
      poller.add(socket, { readable: true });
      for (let left = count; left > 0; left--) {
        await poller.wait(PATIENT);
        look(socket.tryReceive());
      }
    },
  },
  "a Web stream": {
    turns: false,
    async take(socket, count, look) {
      const reader = toReadableStream<unknown>(socket).getReader();
      for (let left = count; left > 0; left--) look((await reader.read()).value);
      await reader.cancel();
    },
  },
  "a stream of Node's that flows": {
    turns: false,
    async take(socket, count, look) {
      const stream: Readable = toReadable(socket);
      let left = count;
      stream.on("data", (message) => {
        look(message);
        if (--left === 0) stream.destroy();
      });
      await once(stream, "close");
    },
  },
  "a stream of Node's by steps": {
    turns: false,
    async take(socket, count, look) {
      const stream: Readable = toReadable(socket);
      await iterated(stream, count, look);
      if (!stream.closed) await once(stream, "close");
    },
  },
  "a proxy": { turns: false, raw: true, bare: true, take: throughProxy },
};

/** Takes a message out and puts it back, as a stream does that is given up. */
export async function putBack(socket: any): Promise<void> {
  const stream: Readable = toReadable(socket);
  await once(stream, "readable");
  stream.destroy();
  await once(stream, "close");
}

export interface WayToSend {
  send(socket: any, messages: readonly unknown[], options?: object): Promise<void> | void;
  /** Whether it can say what a call is told: whom a message is for. */
  readonly tells?: false;
  /** Whether messages are sent as they are, without a codec. */
  readonly raw?: true;
  /** Whether it cannot wait, or keeps those from reading that it waits for. */
  readonly now?: true;
}

/** As they are written to a stream. */
function chunks(messages: readonly unknown[], options?: object): readonly unknown[] {
  return options === undefined ? messages : messages.map((message) => [message, options]);
}

async function piped(socket: any, messages: readonly unknown[], corked: boolean): Promise<void> {
  const stream = toWritable(socket);
  if (corked) stream.cork();
  for (const message of messages) stream.write(message);
  if (corked) stream.uncork();
  stream.end();
  await once(stream, "finish");
}

function* each<T>(messages: readonly T[]): Generator<T> {
  yield* messages;
}

export const SENDING: Readonly<Record<string, WayToSend>> = {
  trySend: {
    now: true,
    send(socket, messages, options) {
      for (const message of messages) socket.trySend(message, options);
    },
  },
  send: {
    async send(socket, messages, options) {
      for (const message of messages) await socket.send(message, options);
    },
  },
  "send with options": {
    async send(socket, messages, options) {
      for (const message of messages) await socket.send(message, { ...options, ...PATIENT });
    },
  },
  "send at once": {
    async send(socket, messages, options) {
      await Promise.all(messages.map((message) => socket.send(message, options)));
    },
  },
  sendSync: {
    now: true,
    send(socket, messages, options) {
      for (const message of messages) socket.sendSync(message, options);
    },
  },
  sendMany: {
    send: (socket, messages, options) => socket.sendMany(messages, options),
  },
  sendManySync: {
    now: true,
    send: (socket, messages, options) => socket.sendManySync(messages, options),
  },
  "sendMany of a generator": {
    send: (socket, messages, options) => socket.sendMany(each(messages), options),
  },
  "sendManySync of a generator": {
    now: true,
    send: (socket, messages, options) => socket.sendManySync(each(messages), options),
  },
  "sendMany of one by one": {
    async send(socket, messages, options) {
      for (const message of messages) await socket.sendMany([message], options);
    },
  },
  "as a poller says": {
    async send(socket, messages, options) {
      using poller = new Poller();
      poller.add(socket, { writable: true });
      for (const message of messages) {
        await poller.wait(PATIENT);
        socket.trySend(message, options);
      }
    },
  },
  "a Web stream": {
    async send(socket, messages, options) {
      const writer = toWritableStream<unknown>(socket).getWriter();
      for (const chunk of chunks(messages, options)) await writer.write(chunk);
      await writer.close();
    },
  },
  "a stream of Node's": {
    send: (socket, messages, options) => {
      return piped(socket, chunks(messages, options), false);
    },
  },
  "a stream of Node's that was corked": {
    send: (socket, messages, options) => {
      return piped(socket, chunks(messages, options), true);
    },
  },
  "a proxy": {
    tells: false,
    raw: true,
    async send(socket, messages) {
      const { context } = socket;
      using source = new Push({ context });
      using front = new Pull({ context });
      const name = `inproc://before-${Math.random()}`;
      front.bindSync(name);
      source.connect(name);
      source.sendManySync(messages as Uint8Array[]);
      const proxy = new Proxy(front, socket);
      const ended = proxy.run();
      while (proxy.stats().front.received.messages < messages.length) await turn();
      proxy.terminate();
      await ended;
    },
  },
};
