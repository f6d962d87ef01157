// SPDX-License-Identifier: MIT

import type { ZmqError } from "../base/index.ts";
import { type Directions, GONE, type Pipe } from "../pipe/index.ts";
import { Mishap } from "./direction.ts";
import type { OptionName } from "./options.ts";
import type { Receiver } from "./receiving.ts";
import type { Sender } from "./sending.ts";
import type { Pattern, SocketCore } from "./socket.ts";

/** The halves of a pattern. What they send and receive is between them and their socket. */
export interface Halves {
  readonly sender?: Sender<unknown>;
  readonly receiver?: Receiver<unknown>;
}

/** The halves that a socket's class lets be used: a PUB does not receive, although it listens. */
export function halvesOf(socket: object): { [Name in keyof Halves]: Halves[Name] | undefined } {
  const { sendingHalf: sender, receivingHalf: receiver } = socket as {
    sendingHalf?: Sender<unknown>;
    receivingHalf?: Receiver<unknown>;
  };
  return { sender, receiver };
}

/**
 * ways — a socket's pattern, of a sending and a receiving half, or of one of them.
 *
 * What happens to a pipe concerns both halves. A pipe is left when both are done with it: what has
 * arrived is read, and what its other end left unread is settled.
 */
export class Ways implements Pattern {
  readonly directions: Directions;
  protected readonly core: SocketCore;
  /** Which binder of a pipe was sent an empty message. */
  readonly #probed = new WeakMap<Pipe, number>();
  readonly sender: Sender<unknown> | undefined;
  readonly receiver: Receiver<unknown> | undefined;

  /** @param directions Which ways the links have lanes, if not as the halves say. */
  constructor(core: SocketCore, { sender, receiver }: Halves, directions?: Directions) {
    this.core = core;
    this.sender = sender;
    this.receiver = receiver;
    this.directions = directions ?? {
      sends: sender !== undefined,
      receives: receiver !== undefined,
      personal: sender?.personal ?? false,
    };
  }

  connecting(_endpoint: string, _alias: Uint8Array | undefined): void {}

  admit(_pipe: Pipe): number {
    return 0;
  }

  attached(pipe: Pipe): void {
    this.#probe(pipe);
    this.receiver?.attached(pipe);
    this.sender?.attached(pipe);
  }

  /** Nothing is sent into a pipe any more: who is at its other end is gone, or we are going. */
  protected forget(_pipe: Pipe): void {}

  released(pipe: Pipe): void {
    this.forget(pipe);
    this.sender?.removed(pipe);
    this.#drain(pipe, () => this.core.leave(pipe));
  }

  readActivated(pipe: Pipe): void {
    this.receiver?.activated(pipe);
  }

  writeActivated(pipe: Pipe): void {
    this.sender?.activated(pipe);
  }

  peerChanged(pipe: Pipe): void {
    if (pipe.draining) return;
    if (pipe.side === "connecter" || pipe.peerState !== GONE) {
      this.#passOver(pipe);
      this.#probe(pipe);
      this.sender?.changed(pipe);
      return;
    }
    this.end(pipe, () => this.core.leave(pipe)); // Nothing can come any more.
  }

  /** Takes what has arrived in a pipe, and settles what its other end left unread; then `leave`. */
  protected end(pipe: Pipe, leave: () => void): void {
    pipe.draining = true;
    let halves = 2;
    const done = () => {
      halves--;
      if (halves === 0) leave();
    };
    this.#drain(pipe, done);
    if (this.sender === undefined || pipe.writer === undefined) done();
    else this.sender.ended(pipe, done);
  }

  detached(pipe: Pipe): void {
    this.forget(pipe);
    this.sender?.removed(pipe);
    this.receiver?.removed(pipe);
  }

  left(): void {
    this.sender?.again();
  }

  closing(error: () => ZmqError, settle: boolean): void {
    this.receiver?.end(error, settle);
    this.sender?.end(error, settle);
  }

  closed(): number {
    return (this.sender?.closed() ?? 0) + (this.receiver?.closed() ?? 0);
  }

  refused(error: ZmqError): void {
    const mishap = new Mishap(error);
    if (this.pending > 0) mishap.take(); // Then those who wait are told.
    for (const half of [this.sender, this.receiver]) {
      half?.failWaiting(error);
      half?.tell(mishap);
    }
  }

  memoryFreed(): void {
    this.sender?.memoryFreed();
  }

  optionSet(_name: OptionName): void {}

  messagesLost(count: number, error: ZmqError): void {
    this.sender?.messagesLost(count, error);
  }

  get pending(): number {
    return (this.sender?.pending ?? 0) + (this.receiver?.pending ?? 0);
  }

  get referenced(): boolean {
    return (this.sender ?? this.receiver)?.referenced === true;
  }

  set referenced(referenced: boolean) {
    if (this.sender !== undefined) this.sender.referenced = referenced;
    if (this.receiver !== undefined) this.receiver.referenced = referenced;
  }

  get sent(): number {
    return this.sender?.passed ?? 0;
  }

  get received(): number {
    return this.receiver?.passed ?? 0;
  }

  get aside(): number {
    return this.receiver?.aside ?? 0;
  }

  /** `ZMQ_PROBE_ROUTER`: an empty message lets a ROUTER know that we are there. */
  #probe(pipe: Pipe): void {
    if (!this.core.options.probeRouter || pipe.writer === undefined) return;
    const { binding } = pipe;
    if (this.#probed.get(pipe) === binding) return;
    this.#probed.set(pipe, binding);
    // Where there is no room there is a message, which will do.
    pipe.address();
    if (pipe.writer.hasRoom && pipe.writer.write("")) pipe.writer.flush();
  }

  /** What a binder that is gone has left unread is for no other, if the pipe is such a one. */
  #passOver(pipe: Pipe): void {
    const { registry, slab } = this.core.member;
    pipe.address(); // What is in the swap may be for one who is gone, too.
    if (!pipe.isStale || !registry.retract(pipe.at)) return; // Who has come does it.
    pipe.passOver(slab);
    this.core.dropped(pipe.takePassed(), "peer left");
    registry.leave(pipe.at, "binder", 0);
  }

  /** Reads what has arrived, and then no more; then `done`. */
  #drain(pipe: Pipe, done: () => void): void {
    if (this.receiver === undefined || pipe.reader === undefined) done();
    else this.receiver.drain(pipe, done);
  }
}
