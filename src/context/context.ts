// SPDX-License-Identifier: MIT

import {
  checkObject,
  checkRange,
  DEFAULT_MAX_MEMORY,
  DEFAULT_MAX_SOCKETS,
  DEFAULT_SPIN_MICROSECONDS,
  INITIAL_MEMORY,
  MAX_INT,
  MAX_SOCKETS_LIMIT,
  MAX_SPIN,
  ZmqError,
} from "../base/index.ts";
import { BLOCK_BITS, CLOSED } from "../command/index.ts";
import {
  Arena,
  CONTEXT_SLOT,
  CONTEXT_STATE,
  counted,
  load,
  MAX_SLOTS,
  MAX_SOCKETS,
  SLOT_BLOCK,
  SLOT_DROPPED,
  SLOT_LEASED,
  SLOT_RECEIVED,
  SLOT_SENT,
  SPIN,
  slotAt,
  store,
  WORD_BYTES,
} from "../memory/index.ts";
import { host } from "../platform/index.ts";
import { Membership, openSockets, terminated } from "./membership.ts";
import { isTaken } from "./slots.ts";

/** Options of a new context. */
export interface ContextOptions {
  /**
   * `ZMQ_MAX_SOCKETS`: how many sockets may be open at a time, in all threads; 1 to 65,535. Default
   * 1023.
   */
  maxSockets?: number;
  /**
   * How large the shared memory may grow, in bytes: 409,600 to 2,147,418,112. Default 1 GiB; it
   * begins with 1 MiB. With the least, one message may take four pages of 16 KiB, and there is room
   * for one link; parts above 4 KiB begin a half page or whole pages of their own.
   *
   * A link in which more waits unread than is still free gets none: one alone may take half.
   */
  maxMemory?: number;
  /**
   * The longest busy wait of a thread before it sleeps, in microseconds, up to 1,000,000. Default
   * 50; 0 is off.
   *
   * A sleeping thread takes 50 to 75 µs to answer, a spinning one less than one. Threads spin only
   * while it has lately paid, and never on a machine with one core.
   */
  spin?: number;
}

/** Where a context's shared memory is; to be passed to other threads. */
export interface ContextHandle {
  readonly threadmq: SharedArrayBuffer;
}

/** What a context has in use, over all threads. */
export interface ContextStats {
  /**
   * Shared memory, in bytes: what is in use, what has been taken so far, what may be taken. Of what
   * is in use, `leased` is kept by leases that are not released; what two have counts twice.
   */
  memory: { used: number; size: number; max: number; leased: number };
  /** How many threads take part: those that have opened a socket, or asked for this. */
  threads: number;
  sockets: number;
  /** Names that are bound, or that somebody has connected to. */
  endpoints: number;
  /** Links between two sockets, those that wait for a bind included. */
  pipes: number;
  /**
   * Messages: `sent` = `received` + `queued` + `dropped`, when no thread is in a call. Received is
   * here what was taken out of its pipe for good, whatever its socket has done with it.
   */
  messages: { sent: number; received: number; queued: number; dropped: number };
}

/** The name under which the default context is published to all threads of the process. */
const PUBLISHED = "threadmq";

let membership: (context: Context) => Membership;

const refuseCloning = cloningRefusal(
  "Pass `context.handle`, and take it with `Context.from` in the other thread.",
);

/**
 * A context: the names, sockets and pipes that belong together, across threads.
 *
 * Sockets that are opened without one are in the default context, which every thread of the process
 * finds by itself. A context of one's own is passed on by its handle.
 *
 * @example
 * ```ts
 * const context = new Context({ maxSockets: 100 });
 * const worker = new Worker(url, { workerData: context.handle });
 * // in the worker: const context = Context.from(workerData);
 * ```
 */
export class Context {
  readonly #open: () => Arena;
  #arena: Arena | undefined;

  static {
    membership = (context) => {
      if (context.closed) throw terminated();
      return context.#member;
    };
    showAsJson(Context.prototype);
  }

  /** @throws ZmqError EINVAL if an option is out of range. */
  constructor(options: ContextOptions = {}) {
    const given = options instanceof Opening ? options : undefined;
    this.#open = given?.open ?? (() => create(options));
    if (given === undefined) remember(this, this.#shared.id);
    refuseCloning(this);
  }

  /** The context behind a handle. In one thread the same memory is always the same context. */
  static from(handle: ContextHandle): Context {
    const arena = Arena.open((handle as Partial<ContextHandle> | null | undefined)?.threadmq);
    const known = contexts.get(arena.id)?.deref();
    if (known !== undefined) return known;
    const context = new Context(new Opening(() => arena) as ContextOptions);
    remember(context, arena.id);
    return context;
  }

  /** What another thread needs to join: pass it as `workerData` or by `postMessage`. */
  get handle(): ContextHandle {
    return { threadmq: this.#shared.buffer };
  }

  /** `ZMQ_MAX_SOCKETS`: how many sockets may be open at a time, in all threads. */
  get maxSockets(): number {
    return load(this.#shared.words, MAX_SOCKETS);
  }

  set maxSockets(value: number) {
    checkRange("maxSockets", value, 1, MAX_SOCKETS_LIMIT);
    store(this.#shared.words, MAX_SOCKETS, value);
  }

  /** The longest busy wait of a thread, in microseconds. 0 is off. */
  get spin(): number {
    return load(this.#shared.words, SPIN);
  }

  set spin(value: number) {
    checkRange("spin", value, 0, MAX_SPIN);
    store(this.#shared.words, SPIN, value);
  }

  /** Whether the context is terminated. */
  get closed(): boolean {
    return load(this.#shared.words, CONTEXT_STATE) !== 0;
  }

  /**
   * Ends the context: every socket of every thread is closed, their pending calls fail with ETERM,
   * and so do all later ones.
   *
   * @param options.timeout How long to wait for the other threads, in milliseconds. Default -1, no
   *   limit. A thread closes its sockets when it is next in its event loop or in a blocking call.
   * @returns when no socket is left.
   * @throws ZmqError EAGAIN if the time is up; the context is terminated all the same. EINVAL.
   */
  async terminate(options: { timeout?: number } = {}): Promise<void> {
    checkObject(options, "Give the options of a call as an object: { timeout }.");
    const timeout = options.timeout ?? -1;
    checkRange("timeout", timeout, -1, MAX_INT);
    const arena = this.#shared;
    if (this.closed && openSockets(arena) === 0) return;
    const member = this.#member;
    member.terminate();
    if (openSockets(arena) > 0) await this.#over(member, timeout);
  }

  /** What JSON shows of a context. */
  toJSON(): object {
    return { maxSockets: this.maxSockets, closed: this.closed };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.terminate();
  }

  /** What is in use now, over all threads. */
  stats(): ContextStats {
    const arena = this.#shared;
    const member = this.#member;
    member.thread.dispatch();
    member.leases.trim();
    member.thread.pool.trim();
    const { endpoints, pipes, queued } = member.registry.count();
    let threads = 0;
    let leased = 0;
    const messages = { sent: 0, received: 0, queued, dropped: 0 };
    for (let slot = CONTEXT_SLOT; slot < MAX_SLOTS; slot++) {
      if (isTaken(arena, slot)) threads++;
      const at = slotAt(slot);
      messages.sent += counted(arena, at + SLOT_SENT);
      messages.received += counted(arena, at + SLOT_RECEIVED);
      messages.dropped += counted(arena, at + SLOT_DROPPED);
      leased += arena.words[at + SLOT_LEASED] * WORD_BYTES;
    }
    const memory = {
      used: member.thread.pool.pages.usedBytes,
      size: arena.buffer.byteLength,
      max: arena.maxBytes,
      leased,
    };
    const sockets = openSockets(arena);
    if (this.closed && sockets === 0) member.leave(); // It was made for this call only.
    return { memory, threads, sockets, endpoints, pipes, messages };
  }

  get #member(): Membership {
    const arena = this.#shared;
    let member = memberships.get(arena.id);
    if (member === undefined) {
      const { id } = arena;
      member = Membership.join(arena, host, () => memberships.delete(id));
      memberships.set(id, member);
    }
    return member;
  }

  get #shared(): Arena {
    this.#arena ??= this.#open();
    return this.#arena;
  }

  #over(member: Membership, timeout: number): Promise<void> {
    const { signaler } = member.thread;
    return new Promise((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const settle = (finish: () => void) => {
        clearTimeout(timer);
        member.onOver.delete(done);
        signaler.unhold();
        finish();
      };
      const done = () => settle(resolve);
      member.onOver.add(done);
      signaler.hold();
      signaler.arm();
      if (openSockets(this.#shared) === 0) done();
      else if (timeout >= 0) {
        timer = setTimeout(() => {
          const left = openSockets(this.#shared);
          const hint = `Still open: ${left} socket(s), of ${member.holders().join(", ")}.`;
          settle(() => reject(new ZmqError("EAGAIN", { hint })));
        }, timeout);
      }
    });
  }
}

/** How a context finds an arena that is there already. */
class Opening {
  readonly open: () => Arena;
  constructor(open: () => Arena) {
    this.open = open;
  }
}

/** The contexts that this thread knows, and those it is a member of, by the id of their arenas. */
const contexts = new Map<string, WeakRef<Context>>();
const forget = new FinalizationRegistry((id: string) => contexts.delete(id));
const memberships = new Map<string, Membership>();

function remember(context: Context, id: string): void {
  contexts.set(id, new WeakRef(context));
  forget.register(context, id);
}

function create(options: ContextOptions): Arena {
  checkObject(options, "Give the options of a context as an object.");
  const { maxSockets = DEFAULT_MAX_SOCKETS, maxMemory = DEFAULT_MAX_MEMORY } = options;
  const { spin = DEFAULT_SPIN_MICROSECONDS, ...rest } = options;
  for (const name of Object.keys(rest)) {
    if (name === "maxSockets" || name === "maxMemory") continue;
    throw new ZmqError("EINVAL", {
      hint: `A context has no option ${name}; it has maxSockets, maxMemory, spin.`,
    });
  }
  checkRange("maxSockets", maxSockets, 1, MAX_SOCKETS_LIMIT);
  checkRange("spin", spin, 0, MAX_SPIN);
  const arena = Arena.create(INITIAL_MEMORY, maxMemory);
  arena.words[MAX_SOCKETS] = maxSockets;
  arena.words[SPIN] = spin;
  for (let slot = 0; slot < MAX_SLOTS; slot++) {
    arena.words[slotAt(slot) + SLOT_BLOCK + BLOCK_BITS] = CLOSED;
  }
  return arena;
}

/**
 * The default context: the first thread that loads the library publishes it, and all threads
 * started after that find it.
 */
function openDefault(): Context {
  const published = host.published(PUBLISHED) as ContextHandle | undefined;
  if (published === undefined) {
    const context = new Context();
    host.publish(PUBLISHED, context.handle);
    return context;
  }
  try {
    return Context.from(published);
  } catch (error) {
    // Another copy of the library has published a layout that is not ours. That is an error of the
    // first use, not of the import.
    return new Context(
      new Opening(() => {
        throw error;
      }) as ContextOptions,
    );
  }
}

/** The default context of the process. */
export const context: Context = openDefault();

/** This thread's part in a context. */
export function membershipOf(of: Context): Membership {
  return membership(of);
}

/**
 * Makes passing an object to another thread an error that says what to do: structured cloning would
 * make a dead copy of it, silently.
 *
 * It is to be made once for all objects of a kind, and not for each: only with the same getter have
 * they the same shape, and an engine that knows it is much faster with them.
 */
export function cloningRefusal(hint: string): (object: object) => void {
  const get = (): never => {
    throw new ZmqError("ENOTSUP", { hint: `It belongs to the ${host.threadName}. ${hint}` });
  };
  return (object) => Object.defineProperty(object, "thread", { enumerable: true, get });
}

/**
 * Lets a console show of the objects of a class what JSON shows of them, rather than the property
 * above. The name is a convention of several runtimes; others pass it over.
 */
export function showAsJson(prototype: { toJSON(): object }): void {
  Object.defineProperty(prototype, Symbol.for("nodejs.util.inspect.custom"), {
    value(
      this: { toJSON(): object },
      _depth: number,
      options: object,
      inspect: (value: object, options: object) => string,
    ): string {
      const { name } = this.constructor;
      try {
        return `${name} ${inspect(this.toJSON(), options)}`;
      } catch (error) {
        return `${name} { ${(error as Error).message} }`; // A context of another layout.
      }
    },
  });
}
