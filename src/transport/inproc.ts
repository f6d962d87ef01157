// SPDX-License-Identifier: MIT

import { assert, ZmqError } from "../base/index.ts";
import {
  type Binder,
  compatible,
  LOG_ENDPOINT,
  type LogFields,
  type LogReason,
  type LogTopic,
  type Membership,
  noMemory,
  PUB,
  typeName,
} from "../context/index.ts";
import {
  ABSENT,
  BINDER_BLOCK,
  createPipe,
  type Directions,
  dropPipe,
  HAS_PEER,
  LET_GO,
  limitOf,
  PIPE_ENTRY,
  PIPE_REFUSED,
  PIPE_TYPE,
  Pipe,
  type PipeEvents,
  type PipeOptions,
  REFUSED,
  SAME_ID,
  type Side,
} from "../pipe/index.ts";
import { type Endpoint, parseEndpoint } from "./endpoint.ts";
import { Lingering } from "./lingering.ts";

/** What the transport asks of the socket it works for. */
export interface Linked extends PipeEvents {
  readonly type: number;
  directions(): Directions;
  /** The socket's number in its thread. */
  readonly object: number;
  readonly pipeOptions: PipeOptions;
  /** Whether what waits keeps the event loop alive. */
  referenced(): boolean;
  /** Why a pipe that has come to one of our names is refused; 0 if it is not. */
  admit(pipe: Pipe): number;
  /** A pipe is there: to a name that we connected to, or from somebody who connected to ours. */
  attached(pipe: Pipe): void;
  /** A pipe is about to be left. */
  detached(pipe: Pipe): void;
  /** We let go of the pipe: write no more, read what has arrived if it has a reader, then leave. */
  released(pipe: Pipe): void;
  /** A pipe was left for good, and nothing of it is in a swap any more. */
  left(): void;
  /** So many messages, which the socket had accepted, are dropped. */
  dropped(count: number): void;
  /** The log was told something of the socket. */
  told(topic: LogTopic, fields: LogFields): void;
}

/**
 * inproc — a socket's links to others by names, between and within threads.
 *
 * Connecting makes a pipe and gives it to the name. Whether somebody is bound there, and when,
 * makes no difference to it (pipe/link.ts, context/registry.ts).
 *
 * Connecting to `sys://log` is the other way round: the socket is bound to a hidden name, and those
 * who have something to tell connect to it (context/log.ts).
 */
export class Inproc {
  readonly #member: Membership;
  readonly #socket: Linked;
  readonly #binds = new Map<string, { endpoint: Endpoint; entry: number }>();
  readonly pipes: Set<Pipe> = new Set();
  /** Why we leave a pipe, if it is not that its peer has left. */
  readonly #reasons = new Map<Pipe, LogReason>();
  #connecting: Pipe | undefined;
  /** Pipes that have come to us, and that we leave for good: why, as in pipe/layout.ts. */
  readonly #refusals = new Map<Pipe, number>();
  /** Which topics of the log the socket wants, a bit each. */
  #topics = 0;
  /** Pipes that the socket has left, but for what is in their swaps. */
  readonly #lingering = new Set<Lingering>();

  constructor(member: Membership, socket: Linked) {
    this.#member = member;
    this.#socket = socket;
  }

  bind(address: string): void {
    const endpoint = parseEndpoint(address);
    if (address === LOG_ENDPOINT) {
      const hint = "The library itself is bound to it: connect a Subscriber, to hear what happens.";
      throw new ZmqError("EADDRINUSE", { address, hint });
    }
    try {
      const entry = this.#member.bind(endpoint.name, address, this.#binder());
      this.#binds.set(address, { endpoint, entry });
    } catch (error) {
      throw this.#refused(address, error);
    }
    this.log("socket.bound", { endpoint: address });
    this.#member.thread.dispatch(); // Those who waited for us are attached at once.
  }

  /** Gives the name back, and lets go of the pipes that came by it. */
  unbind(address: string): void {
    parseEndpoint(address);
    if (address === LOG_ENDPOINT) throw noSuchEndpoint(address, "bound");
    this.#unbind(address, "bound");
    this.log("socket.unbound", { endpoint: address });
    for (const pipe of this.#used("binder", address)) this.#release(pipe, "unbound");
  }

  /** @param alias How our ROUTER is to call whoever is there. */
  connect(address: string, alias?: Uint8Array): Pipe | undefined {
    const endpoint = parseEndpoint(address);
    if (address === LOG_ENDPOINT) {
      this.#listen();
      return undefined;
    }
    const { thread, registry, slab } = this.#member;
    const socket = this.#socket;
    const { routingId } = socket.pipeOptions;
    const at = this.#member.retry(() => {
      const made = createPipe(thread, socket.type, socket.directions(), { routingId });
      if (made === 0) throw noMemory(address);
      return made;
    });
    const pipe = new Pipe(thread, at, "connecter", address, socket.pipeOptions, slab, socket);
    pipe.peerId = alias;
    try {
      const { linger } = socket.pipeOptions;
      this.#member.retry(() => registry.connect(endpoint.name, address, at, linger));
    } catch (error) {
      pipe.leave();
      dropPipe(thread, at);
      throw this.#refused(address, error);
    }
    this.#add(pipe);
    this.log("socket.connected", { endpoint: address, pending: pipe.peerState === ABSENT });
    socket.attached(pipe);
    this.#connecting = pipe;
    // If the binder is in this thread, it attaches its end at once, or refuses.
    thread.dispatch();
    this.#connecting = undefined;
    if (pipe.peerState !== REFUSED || !this.pipes.has(pipe)) return pipe;
    throw this.refused(pipe);
  }

  /** Whether a pipe is just being connected: then `connect` itself looks at it. */
  isConnecting(pipe: Pipe): boolean {
    return pipe === this.#connecting;
  }

  /** Lets go of a pipe that the binder has refused. Returns the error that says so. */
  refused(pipe: Pipe): ZmqError {
    const why = this.#member.arena.words[pipe.at + PIPE_REFUSED];
    this.#reasons.set(pipe, "refused");
    this.#socket.dropped(pipe.queuedInLane);
    pipe.draining = true; // What had arrived is still read.
    this.#socket.released(pipe);
    const hint = REFUSALS[why];
    const code = why === LET_GO ? "EHOSTUNREACH" : "EADDRINUSE";
    return new ZmqError(code, { address: pipe.endpoint, hint });
  }

  /** Lets go of all pipes that were connected to the name. */
  disconnect(address: string): void {
    parseEndpoint(address);
    if (address === LOG_ENDPOINT) {
      this.#unbind(address, "connected");
      for (const pipe of this.#used("binder", address)) this.#release(pipe, "disconnected");
      return;
    }
    const mine = this.#used("connecter", address);
    if (mine.length === 0) throw noSuchEndpoint(address, "connected");
    this.log("socket.disconnected", { endpoint: address });
    for (const pipe of mine) this.#release(pipe, "disconnected");
  }

  /**
   * Lets go of one pipe. If it has come to one of our names it does not come again.
   *
   * @param why What its connecter is told (pipe/layout.ts).
   */
  unlink(pipe: Pipe, why: number = LET_GO): void {
    if (pipe.draining) return;
    if (pipe.side === "binder") this.#refusals.set(pipe, why);
    this.#release(pipe, "disconnected");
  }

  /** Which topics of the log the socket wants from now on. */
  tune(topics: number): void {
    this.#topics = topics;
    const listening = this.#binds.get(LOG_ENDPOINT);
    if (listening !== undefined) this.#member.registry.tune(listening.endpoint.name, topics);
  }

  /** Tells the log what has happened to the socket. */
  log(topic: LogTopic, fields: LogFields): void {
    const { type, object } = this.#socket;
    const socket = { type: typeName(type), number: object };
    this.#member.log.event(topic, { socket, ...fields });
    this.#socket.told(topic, fields);
  }

  /** A pipe was assigned to one of our names: takes the binder's end of it. */
  accept(block: number): void {
    const { thread, registry, slab } = this.#member;
    const at = thread.arena.reach(block - BINDER_BLOCK);
    const socket = this.#socket;
    registry.attach(at);
    const entry = thread.arena.words[at + PIPE_ENTRY];
    const bound = [...this.#binds.values()].find((bind) => bind.entry === entry);
    assert(bound !== undefined, "a pipe is assigned to a name that is bound");
    const { address } = bound.endpoint;
    const pipe = new Pipe(thread, at, "binder", address, socket.pipeOptions, slab, socket);
    let refusal = socket.admit(pipe);
    if (refusal !== 0) {
      this.#member.reapDead(); // Whose place it would take may be dead, and nobody has told us.
      refusal = socket.admit(pipe);
    }
    this.#add(pipe);
    if (refusal !== 0) {
      this.#refusals.set(pipe, refusal);
      this.leave(pipe, 0);
      return;
    }
    pipe.reader?.passOver(); // Its room is for what comes for us.
    const peer = typeName(thread.arena.words[at + PIPE_TYPE]);
    this.#logPipe("pipe.attached", pipe, { peer, queued: pipe.queuedIn });
    socket.attached(pipe);
    socket.peerChanged(pipe); // The connecter may have gone meanwhile.
  }

  /** What peers see as the socket's watermark has changed: pipes to come shall know. */
  changeLimit(): void {
    const limit = limitOf(this.#socket.pipeOptions);
    for (const { endpoint } of this.#binds.values()) {
      this.#member.registry.changeLimit(endpoint.name, limit);
    }
  }

  /** Ends all that there is. What was sent is kept for `lingerMs` where nobody is bound. */
  close(lingerMs: number, why: LogReason): void {
    for (const address of [...this.#binds.keys()]) {
      this.#unbind(address, "bound", why === "thread left");
      if (address !== LOG_ENDPOINT) this.log("socket.unbound", { endpoint: address });
    }
    for (const pipe of [...this.pipes]) {
      this.#reasons.set(pipe, why);
      this.leave(pipe, lingerMs);
    }
  }

  /** Leaves a pipe for good, as soon as what is in its swap has gone to a peer that can come. */
  leave(pipe: Pipe, lingerMs: number): void {
    if (!this.pipes.delete(pipe)) return;
    const swapped = pipe.writer?.swapped ?? 0;
    const isRefused = pipe.peerState === REFUSED || this.#refusals.has(pipe);
    if (swapped > 0 && lingerMs !== 0 && !isRefused) this.#linger(pipe, lingerMs);
    else {
      this.#socket.dropped(swapped);
      this.#leave(pipe, lingerMs);
    }
  }

  /** How many messages lie in pipes, and swaps, that the socket has left. */
  get lingering(): number {
    let messages = 0;
    for (const { pipe } of this.#lingering) messages += pipe.queuedOut;
    return messages;
  }

  #linger(pipe: Pipe, ms: number): void {
    const lingering = new Lingering(this.#member, pipe, {
      ms,
      holds: this.#socket.referenced(),
      dropped: (count) => this.#socket.dropped(count),
      done: (leftMs) => {
        this.#lingering.delete(lingering);
        this.#leave(pipe, leftMs);
      },
    });
    this.#lingering.add(lingering);
    lingering.begin();
  }

  #leave(pipe: Pipe, lingerMs: number): void {
    const queued = pipe.queuedIn + pipe.queuedOut;
    this.#socket.dropped(pipe.takePassed());
    const refusal = this.#refusals.get(pipe);
    const why = refusal === undefined ? (this.#reasons.get(pipe) ?? "peer left") : "refused";
    pipe.leave();
    const { registry } = this.#member;
    if (refusal !== undefined) registry.refuse(pipe.at, refusal);
    else registry.leave(pipe.at, pipe.side, lingerMs, why === "thread left");
    this.#reasons.delete(pipe);
    this.#refusals.delete(pipe);
    this.#logPipe("pipe.detached", pipe, { why, queued });
    this.#socket.left();
  }

  /** Becomes a listener of the log. Doing so twice is nothing. */
  #listen(): void {
    const { type } = this.#socket;
    if (!compatible(type, PUB)) {
      const hint = `A ${typeName(type)} cannot hear the log: connect a Subscriber.`;
      const error = new ZmqError("ENOCOMPATPROTO", { address: LOG_ENDPOINT, hint });
      throw this.#refused(LOG_ENDPOINT, error);
    }
    if (this.#binds.has(LOG_ENDPOINT)) return;
    const { name, entry } = this.#member.registry.listen(LOG_ENDPOINT, this.#binder());
    this.#binds.set(LOG_ENDPOINT, { endpoint: { address: LOG_ENDPOINT, name }, entry });
    this.tune(this.#topics);
  }

  /** The socket, as the registry knows those who bind. */
  #binder(): Binder {
    const { type, object, pipeOptions } = this.#socket;
    const { slot } = this.#member.thread;
    const { routingId } = pipeOptions;
    return { slot, object, type, limit: limitOf(pipeOptions), routingId };
  }

  /** Gives a name back. @param ends Whether our thread ends. @throws ZmqError ENOENT. */
  #unbind(address: string, how: string, ends = false): void {
    const bound = this.#binds.get(address);
    if (bound === undefined) throw noSuchEndpoint(address, how);
    this.#binds.delete(address);
    this.#member.registry.unbind(bound.endpoint.name, ends);
  }

  #add(pipe: Pipe): void {
    this.pipes.add(pipe);
    if (pipe.writer === undefined) return;
    pipe.writer.onFull = (full) => {
      this.#logPipe(full ? "pipe.full" : "pipe.relieved", pipe, { queued: pipe.queuedOut });
    };
    pipe.writer.onDrop = (count) => this.#socket.dropped(count);
    pipe.writer.onSwap = (used) => {
      this.#logPipe(used ? "swap.used" : "swap.drained", pipe, { queued: pipe.queuedOut });
    };
  }

  #logPipe(topic: LogTopic, pipe: Pipe, fields: LogFields): void {
    const { endpoint, side } = pipe;
    // The log does not tell of itself.
    if (endpoint !== LOG_ENDPOINT) this.log(topic, { endpoint, pipe: pipe.at, side, ...fields });
  }

  /** The error of a bind or connect; that types do not fit is told. */
  #refused(address: string, error: unknown): unknown {
    if (error instanceof ZmqError && error.code === "ENOCOMPATPROTO") {
      this.log("peer.incompatible", { endpoint: address, hint: error.hint ?? "" });
    }
    return error;
  }

  /** The pipes of one endpoint that are not being let go. */
  #used(side: Side, address: string): Pipe[] {
    const { pipes } = this;
    return [...pipes].filter((p) => p.side === side && p.endpoint === address && !p.draining);
  }

  /** Stops using a pipe: what has arrived is still read, and then it is left. */
  #release(pipe: Pipe, why: LogReason): void {
    this.#reasons.set(pipe, why);
    if (pipe.reader !== undefined) {
      pipe.draining = true;
      this.#member.registry.drain(pipe.at, pipe.side);
    }
    this.#socket.released(pipe);
  }
}

const REFUSALS: Record<number, string> = {
  [HAS_PEER]: "The socket there has a peer, and takes no more: wait until that has closed.",
  [SAME_ID]: "The socket there has a peer with the same routingId: choose another.",
  [LET_GO]: "The socket there has ended the link: connect anew if you need it.",
};

function noSuchEndpoint(address: string, how: string): ZmqError {
  return new ZmqError("ENOENT", { address, hint: `This socket is not ${how} to it.` });
}
