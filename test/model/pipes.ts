// SPDX-License-Identifier: MIT

/** pipes — a name, who is bound to it, and a pipe connected to it: what models begin with. */
import type { Addr } from "#src/memory/index.ts";
import type { Pipe, PipeEvents } from "#src/pipe/index.ts";
import type { Env } from "../support/explorer/explorer.ts";

export const PULL = 7;
export const PUSH = 8;
export const ADDRESS = "inproc://x";
export const NAME: Uint8Array = new TextEncoder().encode("x");

/** The slots of the two ends: the connecter sends, the binder receives. */
export const CONNECTER = 1;
export const BINDER = 2;

const noEvents: PipeEvents = {
  readActivated() {},
  writeActivated() {},
  peerChanged() {},
  messagesLost() {},
};

/**
 * Connects a pipe to a name that somebody binds to. It is assigned, and BIND is posted.
 *
 * @param personal Whether what is sent is for one binder, and for no other.
 */
export function connect(
  env: Env,
  sendMark: number,
  receiveMark: number,
  name = NAME,
  personal = false,
  [from, to] = [CONNECTER, BINDER],
): Addr {
  const { SLOT_HEAD, slotAt, NAMES_LOCK, PAGES_LOCK } = env.code.memory;
  const { LANE_C, LANE_LIMIT, LANE_READ, LANE_WAKE_AT } = env.code.queue;
  const { PIPE_LANES, PIPE_STATE, CONNECTER_BLOCK, BINDER_BLOCK, createPipe } = env.code.pipe;
  const binder = { slot: to, object: 0, type: PULL, limit: receiveMark };
  new env.code.registry.Registry(env.as(to).thread).bind(name, ADDRESS, binder);
  const connecter = env.as(from);
  const { thread } = connecter;
  const at = createPipe(thread, PUSH, { sends: true, receives: false, personal });
  openEnd(connecter, at, "connecter", sendMark);
  new env.code.registry.Registry(thread).connect(name, ADDRESS, at);
  thread.dispatch(); // It has heard of the binder.

  for (const slot of [from, to]) env.name(slotAt(slot) + SLOT_HEAD, `head of ${slot}`);
  env.name(NAMES_LOCK, "lock of the names");
  env.name(PAGES_LOCK, "lock of the pages");
  env.name(at + PIPE_STATE, "state");
  env.name(at + CONNECTER_BLOCK, "connecter's block");
  env.name(at + BINDER_BLOCK, "binder's block");
  const lane = at + PIPE_LANES;
  const words = { c: LANE_C, wakeAt: LANE_WAKE_AT };
  for (const [name, word] of Object.entries({ ...words, limit: LANE_LIMIT, read: LANE_READ })) {
    env.name(lane + word, name);
  }
  return at;
}

/** The watermark of a reader that wants only the newest message. */
export const NEWEST = -2;

/** Takes an end of the pipe, as its socket does. */
export function openEnd(
  env: Env,
  at: Addr,
  side: "connecter" | "binder",
  mark: number,
  events: PipeEvents = noEvents,
  acknowledge = false,
): Pipe {
  const { Pipe, Slab } = env.code.pipe;
  const conflate = mark === NEWEST;
  const marks = { sendHighWaterMark: mark, receiveHighWaterMark: mark };
  const options = { ...marks, conflate, acknowledge };
  return new Pipe(env.thread, at, side, ADDRESS, options, new Slab(env.host), events);
}

/** Takes the binder's end, for which BIND has come. */
export function accept(env: Env, mark: number, events?: PipeEvents, acknowledge = false): Pipe {
  let pipe: Pipe | undefined;
  const { BIND } = env.code.command;
  env.thread.register({
    command: (block, bits) => {
      if ((bits & BIND) === 0) return;
      const at = block - env.code.pipe.BINDER_BLOCK;
      new env.code.registry.Registry(env.thread).attach(at);
      pipe = openEnd(env, at, "binder", mark, events, acknowledge);
    },
  });
  env.thread.dispatch();
  if (pipe === undefined) throw new Error("BIND has not come");
  return pipe;
}

export function send(pipe: Pipe, ...values: number[]): void {
  for (const value of values) pipe.writer?.write(new Uint8Array([value]));
  pipe.writer?.flush();
}

export function receive(pipe: Pipe): number | undefined {
  return pipe.reader?.read()?.[0]?.[0];
}
