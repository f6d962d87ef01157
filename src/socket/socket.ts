// SPDX-License-Identifier: MIT

import { ZmqError } from "../base/index.ts";
import { BIND, type CommandTarget } from "../command/index.ts";
import {
  Context,
  cloningRefusal,
  context as defaultContext,
  type LogReason,
  type ManagedSocket,
  type Membership,
  membershipOf,
  type SocketType,
  showAsJson,
  terminated,
  threadEnded,
  typeName,
} from "../context/index.ts";
import { type Directions, DRAINING, type Pipe, prepare, REFUSED } from "../pipe/index.ts";
import { Inproc, type Linked } from "../transport/index.ts";
import { type SocketEventReason, SocketEvents } from "./events.ts";
import {
  checkOption,
  checkSwap,
  defineOptions,
  EVERY,
  type OptionName,
  type OptionValues,
  readOptions,
  type SocketOptions,
} from "./options.ts";

const refuseCloning = cloningRefusal("Open a socket in the other thread, and connect it by name.");

/** What a socket has done, and what it holds. */
export interface SocketStats {
  /** Links to other sockets, those that wait for a bind included. */
  pipes: number;
  /** Messages that this socket has accepted for sending, and that it has received. */
  sent: number;
  received: number;
  /** Messages in its pipes and swaps that its peers have not received yet, and that it has not. */
  queuedOut: number;
  queuedIn: number;
  /**
   * Messages that nobody gets: it had accepted them, and its pattern has dropped them, or its
   * close, or they were lost in a swap; or they had come, were in no pipe any more, and were not
   * received when it was closed.
   */
  dropped: number;
  /** Calls that wait, but for `drain`. */
  pending: number;
}

/** What the pattern of a socket does with its pipes. One object for each socket. */
export interface Pattern {
  readonly directions: Directions;
  /** The socket is about to connect. @throws ZmqError EADDRINUSE. */
  connecting(endpoint: string, alias: Uint8Array | undefined): void;
  /** Why a pipe that has come to one of our names is refused (pipe/layout.ts); 0 if it is not. */
  admit(pipe: Pipe): number;
  attached(pipe: Pipe): void;
  /** Somebody whom we had connected to has no use for us. */
  refused(error: ZmqError): void;
  released(pipe: Pipe): void;
  readActivated(pipe: Pipe): void;
  writeActivated(pipe: Pipe): void;
  peerChanged(pipe: Pipe): void;
  /** The pipe is about to be left. */
  detached(pipe: Pipe): void;
  /** A pipe was left, and its swap, if it had one, is empty. */
  left(): void;
  /** The socket is about to leave its pipes: from now on calls fail with this error. */
  closing(error: () => ZmqError, settle: boolean): void;
  /** It has left them. Returns how many messages are lost. */
  closed(): number;
  memoryFreed(): void;
  /** An option has another value, and its pipes know. */
  optionSet(name: OptionName): void;
  /** So many messages that were swapped could not be read back. */
  messagesLost(count: number, error: ZmqError): void;
  /** Calls that wait; the setter says whether they keep the event loop alive. */
  readonly pending: number;
  referenced: boolean;
  readonly sent: number;
  readonly received: number;
  /** Messages that are in no pipe any more, and still to be received. */
  readonly aside: number;
}

/**
 * What a pattern gets of its socket. It has no getters: those of an object made by hand would give
 * each socket's a shape of its own, and every look at an option would be a slow one.
 */
export interface SocketCore {
  readonly member: Membership;
  readonly options: OptionValues;
  readonly pipes: ReadonlySet<Pipe>;
  /** The endpoint that errors name. */
  address(): string | undefined;
  /** How many messages lie in pipes that are left as soon as their swaps are empty. */
  lingering(): number;
  leave(pipe: Pipe): void;
  /** Lets go of a pipe, whichever end has made it; what has arrived is still read. */
  unlink(pipe: Pipe, why?: number): void;
  /** Leaves a pipe that we had connected, and connects anew: what lies in it is dropped. */
  renew(pipe: Pipe): void;
  /** So many messages, which the socket had accepted, are dropped. */
  dropped(count: number, why?: SocketEventReason): void;
}

/**
 * A socket. What it does with messages is its messaging pattern, which has a class of its own.
 *
 * It belongs to the thread that opened it. Any thread reaches its peers by name: `bind` takes a
 * name, `connect` links to whoever is, or will be, bound to it.
 */
export abstract class Socket {
  static {
    showAsJson(Socket.prototype);
    defineOptions(Socket.prototype, ...EVERY);
  }

  /** `ZMQ_LINGER`, in milliseconds; see {@link SocketOptions.linger}. */
  declare linger: number;
  /** `ZMQ_IMMEDIATE`; see {@link SocketOptions.immediate}. */
  declare immediate: boolean;

  readonly #type: SocketType;
  readonly #context: Context;
  readonly #member: Membership;
  readonly #options: OptionValues;
  readonly #inproc: Inproc;
  readonly #pattern: Pattern;
  readonly #managed: ManagedSocket;
  readonly #object: number;
  #lastEndpoint: string | null = null;
  /** Makes the error of every call after the close. */
  #closedBy: (() => ZmqError) | undefined;
  #dropped = 0;
  #events: SocketEvents | undefined;

  /** @throws ZmqError EINVAL for a bad option, EMFILE, ETERM. */
  protected constructor(
    type: SocketType,
    given: SocketOptions,
    known: readonly OptionName[],
    pattern: (core: SocketCore) => Pattern,
  ) {
    this.#options = readOptions(given, known, typeName(type));
    const context = given.context === undefined ? defaultContext : given.context;
    if (!(context instanceof Context)) {
      const hint = "Give context as a Context; from another thread, as Context.from(handle).";
      throw new ZmqError("EINVAL", { hint });
    }
    this.#type = type;
    this.#context = context;
    this.#member = membershipOf(context);
    this.#check(this.#options);
    const address = () => this.#lastEndpoint ?? undefined;
    this.#managed = {
      close: () => this.#close(() => threadEnded(address()), "thread left", false),
      stop: () => this.#close(() => terminated(address()), "terminated"),
      memoryFreed: () => {
        for (const pipe of this.#inproc.pipes) pipe.writer?.trim();
        this.#pattern.memoryFreed();
      },
    };
    this.#member.add(this.#managed);
    this.#object = this.#member.thread.register(this.#target());
    this.#inproc = new Inproc(this.#member, this.#linked());
    this.#pattern = pattern(this.#core());
    this.#inproc.log("socket.opened", {});
    refuseCloning(this);
  }

  /** @internal */
  get pattern(): Pattern {
    return this.#pattern;
  }

  /** `ZMQ_TYPE`: the number of the socket's type, as in `zmq.h`. */
  get type(): SocketType {
    return this.#type;
  }

  /** The context it was opened in. */
  get context(): Context {
    return this.#context;
  }

  /** Whether the socket is closed. */
  get closed(): boolean {
    return this.#closedBy !== undefined;
  }

  /** `ZMQ_LAST_ENDPOINT`: what was last bound or connected, or null. */
  get lastEndpoint(): string | null {
    return this.#lastEndpoint;
  }

  /**
   * Takes a name: `inproc://` or `sys://`, and 1 to 256 bytes. A socket may have several.
   *
   * @throws ZmqError EADDRINUSE, EINVAL, EPROTONOSUPPORT, ENOCOMPATPROTO if sockets of an unfit
   *   type wait there, ENOMEM, EBADF, ETERM.
   */
  async bind(endpoint: string): Promise<void> {
    this.bindSync(endpoint);
  }

  /** As {@link bind}, at once. */
  bindSync(endpoint: string): void {
    this.enter();
    this.#step(() => this.#inproc.bind(endpoint));
    this.#lastEndpoint = endpoint;
  }

  /**
   * Gives a name back, and lets go of the links that came by it: nothing more is sent there, what
   * has arrived can still be received, and those who had connected wait for the next bind; their
   * sends too, until what had arrived is received.
   *
   * @throws ZmqError ENOENT if the socket is not bound to it; and as for `bind`.
   */
  async unbind(endpoint: string): Promise<void> {
    this.unbindSync(endpoint);
  }

  /** As {@link unbind}, at once. */
  unbindSync(endpoint: string): void {
    this.enter();
    this.#step(() => this.#inproc.unbind(endpoint));
  }

  /**
   * Links to whoever is bound to a name, now or later, and again after a change of who that is. To
   * `sys://log` the library is bound; a Subscriber hears there what happens in all threads.
   *
   * @throws ZmqError ENOCOMPATPROTO if the socket there is of an unfit type, ENOMEM, EINVAL,
   *   EPROTONOSUPPORT, EBADF, ETERM.
   */
  connect(endpoint: string): void {
    this.link(endpoint);
  }

  /** @param alias How our ROUTER is to call whoever is there. */
  protected link(endpoint: string, alias?: Uint8Array): Pipe | undefined {
    this.enter();
    this.#pattern.connecting(endpoint, alias);
    const pipe = this.#step(() => this.#inproc.connect(endpoint, alias));
    this.#lastEndpoint = endpoint;
    return pipe;
  }

  /**
   * Ends the links made by `connect`: what was sent is still received there, what has arrived here
   * can still be received.
   *
   * @throws ZmqError ENOENT if the socket is not connected to it; and as for `connect`.
   */
  disconnect(endpoint: string): void {
    this.enter();
    this.#step(() => this.#inproc.disconnect(endpoint));
  }

  /**
   * Closes the socket. When it returns, its names are free and nothing more is accepted for it;
   * calls that wait have failed with EBADF. Closing twice is nothing.
   */
  close(): void {
    const hint = "Open a new one to go on.";
    const error = () => new ZmqError("EBADF", { address: this.#lastEndpoint ?? undefined, hint });
    this.#close(error, "closed");
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** What happens to the socket from the first use of this on: {@link SocketEvents}. */
  get events(): SocketEvents {
    if (this.#events === undefined) {
      this.#events = new SocketEvents(this.#member.thread, this.#inproc.pipes);
      if (this.closed) this.#events.close();
    }
    return this.#events;
  }

  /** Lets calls that wait keep the event loop alive (the default). An idle socket never does. */
  ref(): this {
    this.#pattern.referenced = true;
    return this;
  }

  /** Lets the thread end although calls wait. */
  unref(): this {
    this.#pattern.referenced = false;
    return this;
  }

  /** What the socket has done, and what it holds now. */
  stats(): SocketStats {
    if (!this.closed) this.#member.thread.dispatch();
    let queuedOut = this.#inproc.lingering;
    let queuedIn = 0;
    for (const pipe of this.#inproc.pipes) {
      this.#drop(pipe.takePassed(), "peer left");
      queuedOut += pipe.queuedOut;
      queuedIn += pipe.queuedIn;
    }
    const { sent, received, aside, pending } = this.#pattern;
    queuedIn += aside;
    const pipes = this.#inproc.pipes.size;
    return { pipes, sent, received, queuedOut, queuedIn, dropped: this.#dropped, pending };
  }

  /** What JSON shows of a socket. */
  toJSON(): object {
    return { type: typeName(this.#type), lastEndpoint: this.#lastEndpoint, closed: this.closed };
  }

  /** Reads an option, for the classes that have it. */
  protected option<Name extends OptionName>(name: Name): OptionValues[Name] {
    return this.#options[name];
  }

  /** Where the system puts what is temporary. */
  protected get temporaryDirectory(): string {
    return this.#member.thread.host.files.temporaryDirectory;
  }

  /** Checks and sets an option, and lets it take effect on the links that there are. */
  protected setOption<Name extends OptionName>(name: Name, value: OptionValues[Name]): void {
    const kept = checkOption(name, value) as OptionValues[Name];
    this.#check({ [name]: kept });
    this.#options[name] = kept;
    if (this.closed) return;
    this.#member.thread.dispatch(); // The links that have come meanwhile are concerned too.
    if (!this.closed) this.#step(() => this.#optionSet(name, value));
  }

  #optionSet(name: OptionName, value: unknown): void {
    for (const pipe of [...this.#inproc.pipes]) {
      if (name === "sendHighWaterMark" && pipe.writer) pipe.writer.highWaterMark = value as number;
      if (name === "linger") pipe.linger = value as number;
      if (name === "receiveHighWaterMark" && pipe.reader && !pipe.draining) {
        pipe.reader.highWaterMark = value as number;
      }
      this.#pattern.writeActivated(pipe);
      if (name === "immediate") this.#pattern.peerChanged(pipe);
    }
    if (name === "receiveHighWaterMark" || name === "conflate") this.#inproc.changeLimit();
    this.#pattern.optionSet(name);
  }

  /** Does something to links as a whole: who waits goes on when it is over. */
  #step<T>(what: () => T): T {
    return this.#member.thread.steps.run(what);
  }

  /** What cannot be seen from the values alone. @throws ZmqError EINVAL, EACCES, EMSGSIZE. */
  #check(given: Partial<OptionValues>): void {
    const { host, pool } = this.#member.thread;
    checkSwap(given, this.#options, host.files);
    if (given.welcomeMessage) prepare(given.welcomeMessage, pool);
  }

  /** @internal Begins a call: hears what has come. @throws ZmqError EBADF, ETERM. */
  enter(): void {
    const { thread } = this.#member;
    if (thread.hasMail) thread.dispatch();
    if (this.#closedBy !== undefined) throw this.#closedBy();
  }

  /** @param settle False at the end of a thread: nobody is there to hear of pending calls. */
  #close(error: () => ZmqError, why: LogReason, settle = true): void {
    if (this.closed) return;
    this.#closedBy = error;
    this.#pattern.closing(error, settle);
    this.#step(() => {
      for (const pipe of this.#inproc.pipes) this.#pattern.detached(pipe);
      const returned = this.#pattern.closed(); // That may drop others too.
      this.#drop(returned, "closed");
      this.#inproc.close(this.#options.linger, why);
      this.#inproc.log("socket.closed", { why });
      this.#member.thread.unregister(this.#object);
      this.#member.remove(this.#managed);
    });
  }

  /** Which topics of `sys://log` are wanted, for the classes that can hear it. */
  protected tune(topics: number): void {
    this.#inproc.tune(topics);
  }

  #leave(pipe: Pipe): void {
    this.#step(() => {
      this.#pattern.detached(pipe);
      this.#inproc.leave(pipe, this.#options.linger);
    });
  }

  /** Lets go of a pipe, and what lies there unread; and connects another in its place. */
  #renew(pipe: Pipe): void {
    // Who only reads on what had arrived still does.
    if (pipe.peerState !== DRAINING) this.#drop(pipe.queuedInLane, "peer left");
    this.#pattern.detached(pipe);
    this.#inproc.leave(pipe, 0);
    try {
      this.#inproc.connect(pipe.endpoint, pipe.peerId);
    } catch (error) {
      this.#pattern.refused(error as ZmqError); // Somebody else is bound there, or no memory.
    }
  }

  #target(): CommandTarget {
    return {
      command: (block, bits) => {
        if ((bits & BIND) !== 0) this.#inproc.accept(block);
      },
    };
  }

  #linked(): Linked {
    return {
      type: this.type,
      object: this.#object,
      pipeOptions: this.#options,
      directions: () => this.#pattern.directions,
      referenced: () => this.#pattern.referenced,
      admit: (pipe) => this.#pattern.admit(pipe),
      attached: (pipe) => this.#pattern.attached(pipe),
      detached: (pipe) => this.#pattern.detached(pipe),
      released: (pipe) => this.#pattern.released(pipe),
      readActivated: (pipe) => this.#pattern.readActivated(pipe),
      writeActivated: (pipe) => this.#pattern.writeActivated(pipe),
      peerChanged: (pipe) => {
        this.#events?.peerChanged(pipe);
        this.#drop(pipe.takePassed(), "peer left");
        if (pipe.peerState !== REFUSED) this.#pattern.peerChanged(pipe);
        else if (!pipe.draining && !this.#inproc.isConnecting(pipe)) {
          this.#pattern.refused(this.#inproc.refused(pipe));
        }
      },
      left: () => this.#pattern.left(),
      messagesLost: (_pipe, count, error) => {
        this.#drop(count, "unreadable");
        this.#pattern.messagesLost(count, error);
      },
      dropped: (count) => this.#drop(count, undefined),
      told: (topic, fields) => this.#events?.tell(topic, fields),
    };
  }

  #drop(count: number, why: SocketEventReason | undefined): void {
    if (count === 0) return;
    this.#dropped += count;
    this.#events?.emit("drop", why === undefined ? { count } : { count, why });
  }

  #core(): SocketCore {
    return {
      member: this.#member,
      options: this.#options,
      pipes: this.#inproc.pipes,
      address: () => this.#lastEndpoint ?? undefined,
      lingering: () => this.#inproc.lingering,
      leave: (pipe) => this.#leave(pipe),
      unlink: (pipe, why) => this.#step(() => this.#inproc.unlink(pipe, why)),
      renew: (pipe) => this.#step(() => this.#renew(pipe)),
      dropped: (count, why) => this.#drop(count, why),
    };
  }
}
