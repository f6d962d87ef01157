// SPDX-License-Identifier: MIT

import { assert, ZmqError } from "../base/index.ts";
import { type Membership, noMemory } from "../context/index.ts";
import {
  BINDER_BLOCK,
  createPipe,
  type Directions,
  dropPipe,
  PIPE_ENTRY,
  Pipe,
  type PipeEvents,
  type PipeOptions,
  type Side,
} from "../pipe/index.ts";
import { type Endpoint, parseEndpoint } from "./endpoint.ts";

/** What the transport asks of the socket it works for. */
export interface Linked extends PipeEvents {
  readonly type: number;
  readonly directions: Directions;
  /** The socket's number in its thread. */
  readonly object: number;
  readonly pipeOptions: PipeOptions;
  /** A pipe is there: to a name that we connected to, or from somebody who connected to ours. */
  attached(pipe: Pipe): void;
  /** We let go of the pipe: write no more, read what has arrived if it has a reader, then leave. */
  released(pipe: Pipe): void;
}

/**
 * inproc — a socket's links to others by names, between and within threads.
 *
 * Connecting makes a pipe and gives it to the name. Whether somebody is bound there, and when,
 * makes no difference to it (pipe/link.ts, context/registry.ts).
 */
export class Inproc {
  readonly #member: Membership;
  readonly #socket: Linked;
  readonly #binds = new Map<string, { endpoint: Endpoint; entry: number }>();
  readonly pipes: Set<Pipe> = new Set();

  constructor(member: Membership, socket: Linked) {
    this.#member = member;
    this.#socket = socket;
  }

  bind(address: string): void {
    const endpoint = parseEndpoint(address);
    const entry = this.#member.registry.bind(endpoint.name, address, {
      slot: this.#member.thread.slot,
      object: this.#socket.object,
      type: this.#socket.type,
      limit: this.#socket.pipeOptions.receiveHighWaterMark,
    });
    this.#binds.set(address, { endpoint, entry });
    this.#member.thread.dispatch(); // Those who waited for us are attached at once.
  }

  /** Gives the name back, and lets go of the pipes that came by it. */
  unbind(address: string): void {
    parseEndpoint(address);
    const bound = this.#binds.get(address);
    if (bound === undefined) throw noSuchEndpoint(address, "bound");
    this.#binds.delete(address);
    this.#member.registry.unbind(bound.endpoint.name);
    for (const pipe of this.#used("binder", address)) this.#release(pipe);
  }

  connect(address: string): void {
    const endpoint = parseEndpoint(address);
    const { thread, registry, slab } = this.#member;
    const socket = this.#socket;
    const at = createPipe(thread, socket.type, socket.directions);
    if (at === 0) throw noMemory(address);
    const pipe = new Pipe(thread, at, "connecter", address, socket.pipeOptions, slab, socket);
    try {
      registry.connect(endpoint.name, address, at, socket.pipeOptions.linger);
    } catch (error) {
      pipe.leave();
      dropPipe(thread, at);
      throw error;
    }
    this.pipes.add(pipe);
    socket.attached(pipe);
    thread.dispatch(); // If the binder is in this thread, it attaches its end at once.
  }

  /** Lets go of all pipes that were connected to the name. */
  disconnect(address: string): void {
    parseEndpoint(address);
    const mine = this.#used("connecter", address);
    if (mine.length === 0) throw noSuchEndpoint(address, "connected");
    for (const pipe of mine) this.#release(pipe);
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
    this.pipes.add(pipe);
    socket.attached(pipe);
    socket.peerChanged(pipe); // The connecter may have gone meanwhile.
  }

  /** The socket's own watermark has changed: pipes to come shall know. */
  changeLimit(limit: number): void {
    for (const { endpoint } of this.#binds.values()) {
      this.#member.registry.changeLimit(endpoint.name, limit);
    }
  }

  /**
   * Ends all that there is. What was sent is kept for `lingerMs` where nobody is bound.
   *
   * @param ends Whether our thread ends.
   */
  close(lingerMs: number, ends: boolean): void {
    const { registry } = this.#member;
    for (const { endpoint } of this.#binds.values()) registry.unbind(endpoint.name, ends);
    this.#binds.clear();
    for (const pipe of [...this.pipes]) this.leave(pipe, lingerMs, ends);
  }

  /** Leaves a pipe for good. */
  leave(pipe: Pipe, lingerMs: number, ends = false): void {
    if (!this.pipes.delete(pipe)) return;
    pipe.leave();
    this.#member.registry.leave(pipe.at, pipe.side, lingerMs, ends);
  }

  /** The pipes of one endpoint that are not being let go. */
  #used(side: Side, address: string): Pipe[] {
    const { pipes } = this;
    return [...pipes].filter((p) => p.side === side && p.endpoint === address && !p.draining);
  }

  /** Stops using a pipe: what has arrived is still read, and then it is left. */
  #release(pipe: Pipe): void {
    if (pipe.reader !== undefined) {
      pipe.draining = true;
      this.#member.registry.drain(pipe.at, pipe.side);
    }
    this.#socket.released(pipe);
  }
}

function noSuchEndpoint(address: string, how: string): ZmqError {
  return new ZmqError("ENOENT", { address, hint: `This socket is not ${how} to it.` });
}
