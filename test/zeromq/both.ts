// SPDX-License-Identifier: MIT

/**
 * both — the same scenario with zeromq.js and with ours.
 *
 * A scenario tells what it has seen; with both modules it must have seen the same. What it makes
 * by `open` is closed at its end, however that comes about.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import * as ours from "threadmq/zeromq";
import * as oursDraft from "threadmq/zeromq/draft";
import * as theirs from "zeromq";
import * as theirsDraft from "zeromq/draft.js";

export type Zmq = Omit<typeof theirs, "default"> & Omit<typeof theirsDraft, "default">;

/** Both have the same declarations, by name; but their classes are not each other's. */
export const OURS = { ...ours, ...oursDraft } as unknown as Zmq;
export const THEIRS: Zmq = { ...theirs, ...theirsDraft };

export interface Closable {
  close(): void;
}

export interface Scene {
  readonly zmq: Zmq;
  /** Remembers a socket, which is closed at the end. */
  open<S extends Closable>(socket: S): S;
  /** A name that no other scenario has. */
  address(): string;
}

let names = 0;

async function play<T>(zmq: Zmq, scenario: (scene: Scene) => T | Promise<T>): Promise<T> {
  const sockets: Closable[] = [];
  const open = <S extends Closable>(socket: S): S => {
    sockets.push(socket);
    return socket;
  };
  try {
    return await scenario({ zmq, open, address: () => `inproc://${++names}` });
  } finally {
    for (const socket of sockets) socket.close();
  }
}

/** With both modules the scenario sees the same; and, if given, that is what it has to see. */
export function same<T>(
  title: string,
  scenario: (scene: Scene) => T | Promise<T>,
  expected?: unknown,
): void {
  test(title, async () => {
    const first = names;
    const theirs = await play(THEIRS, scenario);
    names = first; // The contexts differ, and names are in what is seen.
    assert.deepEqual(...different(await play(OURS, scenario), theirs));
    if (expected !== undefined) assert.deepEqual(theirs, expected);
  });
}

/** Of long tables, what differs: a message that one can read. */
function different(ours: unknown, theirs: unknown): [unknown, unknown] {
  if (typeof ours !== "object" || typeof theirs !== "object" || Array.isArray(ours)) {
    return [ours, theirs];
  }
  const [left, right] = [{ ...ours }, { ...theirs }] as Record<string, unknown>[];
  for (const key of Object.keys(left as object)) {
    if (key in (right as object) && isDeepStrictEqual(left?.[key], right?.[key])) {
      delete left?.[key];
      delete right?.[key];
    }
  }
  return [left, right];
}

/** A scenario that zeromq.js cannot stand, or sees otherwise: see docs/ZEROMQJS.md. */
export function only(title: string, scenario: (scene: Scene) => void | Promise<void>): void {
  test(title, () => play(OURS, scenario));
}

/** An error, as programs can see it. */
export function shape(error: unknown): object {
  const { message, code, errno, address } = error as Error & Record<string, unknown>;
  const { name } = (error as object).constructor;
  return { name, message, code, errno, address, keys: Object.keys(error as object) };
}

/** How a call ends: by a value, by an error at once, or by a rejection. */
export async function outcome(call: () => unknown): Promise<object> {
  let result: unknown;
  try {
    result = call();
  } catch (error) {
    return { threw: shape(error) };
  }
  if (!(result instanceof Promise)) return { returned: result };
  try {
    return { resolved: await result };
  } catch (error) {
    return { rejected: shape(error) };
  }
}

/** Whether a promise is settled when the event loop has had some turns. */
export async function state(promise: Promise<unknown>): Promise<string> {
  let seen = "pending";
  promise.then(
    () => {
      seen = "resolved";
    },
    () => {
      seen = "rejected";
    },
  );
  for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve));
  return seen;
}

/** The text of a message's parts. */
export function texts(message: readonly unknown[]): string[] {
  return message.map(String);
}
