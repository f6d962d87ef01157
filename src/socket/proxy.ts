// SPDX-License-Identifier: MIT

import { checkObject, ZmqError } from "../base/index.ts";
import { FOR_A_MESSAGE, type Thread } from "../command/index.ts";
import { membershipOf, REP } from "../context/index.ts";
import type { Direction } from "./direction.ts";
import type { Passage, Receiver } from "./receiving.ts";
import type { Sender } from "./sending.ts";
import { Socket } from "./socket.ts";
import { Waiting } from "./waiting.ts";
import { halvesOf } from "./ways.ts";

/** What has come through on one side of a proxy. */
export interface ProxyTraffic {
  messages: number;
  bytes: number;
}

/** What a proxy has done. */
export interface ProxyStats {
  front: { received: ProxyTraffic; sent: ProxyTraffic };
  back: { received: ProxyTraffic; sent: ProxyTraffic };
  /** Messages that the other side's type cannot send, or that were for a peer that is gone. */
  dropped: number;
  /** Messages of which the capture socket has got no copy, because it had no room. */
  uncaptured: number;
}

export interface ProxyOptions {
  /** Gets a copy of each message that is passed on, while it has room. It never holds one up. */
  capture?: Socket;
  /**
   * Hears `PAUSE`, `RESUME`, `TERMINATE` and `STATISTICS`, as that of `zmq_proxy_steerable`.
   *
   * The last is answered, if the socket sends messages of several parts, by eight numbers of 64
   * bits, as the machine has them: messages and bytes received and sent by the front, and by the
   * back. A REP answers the others too, with an empty part.
   */
  control?: Socket;
}

/**
 * How many messages are shown, and released, together while more are there. A reader that is faster
 * than we are sleeps in between: the fewer the batches, the fewer the wake-ups.
 */
const GATHERED = 512;
const GATHERED_BYTES: number = 1 << 20;

/**
 * Messages from one socket to another.
 *
 * A message is passed on as the records that it lies in, from lane to lane, where that can be:
 * where nobody looks into it, its bodies lie in the records, and what is put before it or taken
 * away is a routing id. Any other is received, and sent.
 *
 * Records are shown where they go to before they are released where they come from. So if the
 * thread dies, none is lost; those that it was about to release may come twice. What was received
 * and not sent is lost with the thread.
 */
class Flow {
  readonly from: Receiver<unknown>;
  readonly to: Sender<unknown>;
  readonly traffic: ProxyTraffic = { messages: 0, bytes: 0 };
  readonly sent: ProxyTraffic = { messages: 0, bytes: 0 };
  /** The next message cannot go, whatever the other side says: for lack of memory, or its peer. */
  #isStuck = false;
  /** Back to where it came from: whether that has room is known when it has come. */
  readonly #isLoop: boolean;
  dropped = 0;
  uncaptured = 0;

  constructor(from: Receiver<unknown>, to: Sender<unknown>, isLoop: boolean) {
    this.#isLoop = isLoop;
    this.from = from;
    this.to = to;
  }

  /** Moves some of what can be moved. Returns how many messages that was. */
  move(capture: Sender<unknown> | undefined): number {
    const { from, to } = this;
    this.#isStuck = false;
    let moved = 0;
    let passed = 0;
    if (!from.goes) return 0;
    const mostBytes = this.traffic.bytes + GATHERED_BYTES;
    while (moved < GATHERED && this.traffic.bytes < mostBytes && (this.#isLoop || to.goes)) {
      if (capture === undefined && !this.#isLoop) {
        const count = from.passRecords(to, GATHERED - moved, this.#passage);
        passed += count;
        moved += count;
        if (this.#isStuck) break;
        if (count > 0) continue;
        // What has come just now can be passed on the next time; what cannot be is moved then, or
        // received, by who releases with it all that came before.
        if (passed > 0) break;
        const what = from.move(to, this.#passage);
        if (what === "moved") {
          moved++;
          continue;
        }
        this.#isStuck = what === "waits";
        if (what !== "other") break;
      }
      const message = from.takePassing();
      if (message === undefined) break;
      if (!this.#pass(message)) {
        from.putBack(message);
        this.#isStuck = true;
        break;
      }
      if (capture !== undefined && !copy(message, capture)) this.uncaptured++;
      moved++;
    }
    this.#show();
    if (capture !== undefined) capture.flush();
    return moved;
  }

  /** What was passed on is where it goes to, and no longer where it came from. */
  #show(): void {
    this.to.flush();
    this.from.passedOn();
  }

  readonly #passage: Passage = {
    passed: (messages, bytes) => {
      add(this.traffic, messages, bytes);
      add(this.sent, messages, bytes);
    },
    waits: () => {
      this.#isStuck = true;
    },
  };

  /** Whether something could be moved, as far as is known. */
  get goes(): boolean {
    return !this.#isStuck && this.from.goes && this.to.goes;
  }

  /** Asks for a wake-up when something can be moved; false if that may be now. */
  park(): boolean {
    if (this.#isStuck) return this.to.parkFollower();
    if (!this.from.goes) return this.from.parkFollower();
    // It has come since we looked: unless there is no room for it, it is to be moved.
    return !this.#isLoop && !this.to.goes && this.to.parkFollower();
  }

  #pass(message: readonly unknown[]): boolean {
    const bytes = countBytes(message);
    try {
      if (!this.to.pass(message)) return false;
      add(this.sent, 1, bytes);
    } catch (error) {
      if (!(error instanceof ZmqError)) throw error;
      this.dropped++;
    }
    add(this.traffic, 1, bytes);
    return true;
  }
}

function add(traffic: ProxyTraffic, messages: number, bytes: number): void {
  traffic.messages += messages;
  traffic.bytes += bytes;
}

function countBytes(message: readonly unknown[]): number {
  let bytes = 0;
  for (const part of message) if (part instanceof Uint8Array) bytes += part.length;
  return bytes;
}

/** Sends a copy of the parts. False if there is no room for it, or it cannot be sent there. */
function copy(message: readonly unknown[], to: Sender<unknown>): boolean {
  try {
    const parts = message.filter((part) => part instanceof Uint8Array);
    return to.goes && to.pass(parts);
  } catch (error) {
    if (error instanceof ZmqError) return false;
    throw error;
  }
}

/**
 * Passes messages on between two sockets of this thread, in both directions if they can do both
 * (`zmq_proxy`): ROUTER and DEALER, XSUB and XPUB, PULL and PUSH; or one socket back to itself.
 *
 * A message is taken only when the other side has room for it, and put back if there is no memory;
 * so a proxy that is terminated has lost nothing, and whoever sends waits for whoever receives.
 * While it runs, the sockets are not to be used otherwise. At the end they stay open.
 *
 * @example
 * ```ts
 * const proxy = new Proxy(router, dealer);
 * const ended = proxy.run();
 * proxy.terminate();
 * await ended;
 * ```
 */
// biome-ignore lint/suspicious/noShadowRestrictedNames: it is ZeroMQ's word.
export class Proxy {
  readonly frontEnd: Socket;
  readonly backEnd: Socket;
  readonly #sockets: Socket[];
  readonly #forth: Flow | undefined;
  readonly #back: Flow | undefined;
  readonly #flows: Flow[];
  readonly #capture: Sender<unknown> | undefined;
  readonly #control: Socket | undefined;
  /** Where its commands come from. */
  readonly #commands: Receiver<unknown> | undefined;
  readonly #thread: Thread;
  readonly #waiting: Waiting;
  #running = false;
  #paused = false;
  #terminated = false;

  /**
   * @throws ZmqError EINVAL if neither can send what the other receives, if `capture` does not send
   *   or `control` does not receive, or if not all are sockets of one context; EBADF, ETERM.
   */
  constructor(front: Socket, back: Socket, options: ProxyOptions = {}) {
    checkObject(options, "Give the options of a proxy as an object: { capture, control }.");
    const { capture, control, ...rest } = options;
    for (const name of Object.keys(rest)) {
      throw invalid(`A proxy has no option ${name}; it has capture and control.`);
    }
    this.frontEnd = front;
    this.backEnd = back;
    this.#sockets = [front, back];
    for (const socket of [capture, control]) if (socket !== undefined) this.#sockets.push(socket);
    for (const socket of this.#sockets) {
      if (!(socket instanceof Socket)) throw invalid("Give sockets of this library.");
      if (socket.context !== front.context) throw invalid("Give sockets of one context.");
      socket.enter();
    }
    this.#forth = flow(front, back);
    this.#back = front === back ? undefined : flow(back, front);
    this.#flows = [this.#forth, this.#back].filter((each) => each !== undefined);
    if (this.#flows.length === 0) {
      throw invalid("One of the sockets must receive, and the other send.");
    }
    this.#capture = capture === undefined ? undefined : halvesOf(capture).sender;
    if (capture !== undefined && this.#capture === undefined) {
      throw invalid("Give capture as a socket that sends.");
    }
    this.#control = control;
    this.#commands = control === undefined ? undefined : halvesOf(control).receiver;
    if (control !== undefined && this.#commands === undefined) {
      throw invalid("Give control as a socket that receives.");
    }
    this.#thread = membershipOf(front.context).thread;
    this.#waiting = new Waiting(this.#thread, () => this.#park(), FOR_A_MESSAGE, true);
  }

  /** Whether messages are held up, by `pause`. */
  get paused(): boolean {
    return this.#paused;
  }

  /**
   * Passes messages on, beside everything else that the thread does, until `terminate`.
   *
   * @throws ZmqError by rejection: EINVAL if it runs already, EBADF if a socket is closed, ETERM.
   */
  async run(): Promise<void> {
    this.#begin();
    try {
      await this.#waiting.run(() => this.#attempt(true), FOR_EVER);
    } finally {
      this.#end();
    }
  }

  /** As {@link run}, in a thread that does nothing else: only the control socket ends it. */
  runSync(): void {
    this.#begin();
    try {
      this.#waiting.runSync(() => this.#attempt(false), FOR_EVER);
    } finally {
      this.#end();
    }
  }

  /** Passes nothing on until `resume`. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#waiting.pump();
  }

  /** Ends `run`. What has not been passed on is still to be received. */
  terminate(): void {
    if (!this.#running) return;
    this.#terminated = true;
    this.#waiting.pump();
  }

  stats(): ProxyStats {
    const side = (received: Flow | undefined, sent: Flow | undefined) => {
      return { received: trafficOf(received?.traffic), sent: trafficOf(sent?.sent) };
    };
    const both = this.#back ?? (this.frontEnd === this.backEnd ? this.#forth : undefined);
    let dropped = 0;
    let uncaptured = 0;
    for (const each of this.#flows) {
      dropped += each.dropped;
      uncaptured += each.uncaptured;
    }
    const [front, back] = [side(this.#forth, both), side(both, this.#forth)];
    return { front, back, dropped, uncaptured };
  }

  #begin(): void {
    if (this.#running) throw invalid("It runs already.");
    for (const socket of this.#sockets) socket.enter();
    this.#running = true;
    this.#terminated = false;
    for (const each of this.#directions()) each.follow(this.#waiting);
  }

  #end(): void {
    this.#running = false;
    for (const each of this.#directions()) each.unfollow(this.#waiting);
  }

  #directions(): Set<Direction> {
    const directions = new Set<Direction>();
    for (const { from, to } of this.#flows) directions.add(from).add(to);
    for (const each of [this.#commands, this.#capture])
      if (each !== undefined) directions.add(each);
    return directions;
  }

  /** @param rests Whether it lets the event loop have its turn when that is due. */
  #attempt(rests: boolean): true | undefined {
    for (let wasBusy = false; ; wasBusy = true) {
      this.#obey();
      for (const socket of this.#sockets) if (socket.closed) socket.enter(); // Which throws.
      if (this.#terminated) return true;
      let moved = 0;
      if (!this.#paused) for (const each of this.#flows) moved += each.move(this.#capture);
      if (moved === 0) {
        // More may come at once; who blocks the thread spins anyway.
        if (wasBusy && rests && this.#thread.spin(this.#canMove)) continue;
        return undefined;
      }
      if (rests && this.#thread.turn.due()) {
        this.#waiting.rest();
        return undefined;
      }
      if (this.#thread.hasMail) this.#thread.dispatch();
    }
  }

  readonly #canMove = (): boolean => {
    return !this.#paused && this.#flows.some((each) => each.goes);
  };

  #park(): boolean {
    let isParked = this.#commands?.parkFollower() ?? true;
    if (this.#paused) return isParked;
    for (const each of this.#flows) if (!each.park()) isParked = false;
    return isParked;
  }

  /** Does what the control socket says. */
  #obey(): void {
    const control = this.#control;
    const commands = this.#commands;
    if (control === undefined || commands === undefined) return;
    const { sender } = halvesOf(control);
    while (commands.goes) {
      const command = commands.takePassing();
      if (command === undefined) return;
      const text = `${command.at(-1)}`;
      if (text === "PAUSE") this.#paused = true;
      else if (text === "RESUME") this.#paused = false;
      else if (text === "TERMINATE") this.#terminated = true;
      if (sender === undefined) continue;
      // Where that cannot be, whoever asks does not listen, or takes one part and no more.
      if (text === "STATISTICS") copy(numbersOf(this.stats()), sender);
      else if (control.type === REP) copy([new Uint8Array(0)], sender);
      sender.flush();
    }
  }
}

const FOR_EVER = { timeout: -1, signal: undefined, address: undefined };

/** What goes one way, if the types are such. */
function flow(from: Socket, to: Socket): Flow | undefined {
  const { receiver } = halvesOf(from);
  const { sender } = halvesOf(to);
  if (receiver === undefined || sender === undefined) return undefined;
  return new Flow(receiver, sender, from === to);
}

function trafficOf(traffic: ProxyTraffic | undefined): ProxyTraffic {
  return traffic === undefined ? { messages: 0, bytes: 0 } : { ...traffic };
}

function numbersOf({ front, back }: ProxyStats): Uint8Array[] {
  return [front.received, front.sent, back.received, back.sent].flatMap(({ messages, bytes }) => {
    return [messages, bytes].map((count) => {
      return new Uint8Array(BigUint64Array.of(BigInt(count)).buffer);
    });
  });
}

function invalid(hint: string): ZmqError {
  return new ZmqError("EINVAL", { hint });
}
