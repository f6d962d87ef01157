// SPDX-License-Identifier: MIT

/** Calls listeners by the name of an event: the part of Node's EventEmitter that is used. */
export interface Emitter {
  on(type: string, listener: (data: never) => void): unknown;
  off(type: string, listener: (data: never) => void): unknown;
  rawListeners(type: string): readonly unknown[];
}

/** What a program that was written for Node expects of it beyond messages. */
export interface Program {
  /** Warns in the way of the runtime; programs can listen to that. */
  warn(message: string): void;
  /** Runs `task` as a macrotask, and keeps the event loop until then. */
  defer(task: () => void): void;
  /** Keeps the event loop until what it returns is called. */
  hold(): () => void;
  newEmitter(): Emitter;
  /** The bytes of a text, as Node gives them to programs. */
  bytesOf(text: string): Buffer;
}

const LONG_MS = 2 ** 31 - 1;

/**
 * program — the part of Node that programs see through the API of zeromq.js.
 *
 * As in `node.ts`, Node's modules are asked for at run time; this one when it is first needed.
 */
export const program: Program = {
  warn(message: string): void {
    process.emitWarning(message);
  },

  defer(task: () => void): void {
    setImmediate(task);
  },

  hold(): () => void {
    const timer = setInterval(() => {}, LONG_MS);
    return () => clearInterval(timer);
  },

  newEmitter(): Emitter {
    const { EventEmitter } = process.getBuiltinModule("node:events");
    return new EventEmitter() as unknown as Emitter;
  },

  bytesOf(text: string): Buffer {
    return Buffer.from(text);
  },
};
