// SPDX-License-Identifier: MIT

import type { Part } from "../index.ts";
import { program } from "../platform/index.ts";
import { type Context, context as defaultContext, ground } from "./context.ts";
import {
  ADDRESS,
  BOOLEAN,
  type Check,
  checkArguments,
  codeOf,
  errnoError,
  IDENTIFIER,
  isObject,
  MESSAGE,
  NUMBER,
  OPTIONS,
  ROUTE,
  TEXT,
  translated,
  withLibrary,
} from "./errors.ts";
import { isSingle, type Library, openLibrary, type Route } from "./library.ts";
import { closed, Observer, opened } from "./observer.ts";
import {
  CONNECT_ROUTING_ID,
  DISH,
  defineOptions,
  EVENTS,
  type Form,
  isImmediate,
  LAST_ENDPOINT,
  type Option,
  OptionValues,
  RADIO,
  RECEIVE_TIMEOUT,
  SEND_TIMEOUT,
  SERVER,
  type SocketType,
  SUBSCRIBE,
  UNSUBSCRIBE,
  VERBOSE,
  VERBOSER,
} from "./options.ts";
import type { Message, Readable } from "./shapes.ts";
import { bytesOf, copied, toLong, toParts, toText } from "./values.ts";
import { NOT_YET, type Operation, Way } from "./way.ts";

const SOCKET_TYPE: Check = { ...NUMBER, message: "Socket type must be a number" };

const WAITS = "Socket option will not take effect until next connect/bind.";
const BLOCKED = "Socket is blocked by a bind or unbind operation";

type State = "open" | "blocked" | "closed";

/** What a proxy does with a socket, and a program may not. */
export interface Backstage {
  readonly library: Library;
  endpoints(): number;
  /** From now on all calls of the program throw EBUSY. */
  block(): void;
  close(): void;
}

/** A socket that the program has let go of is closed. One that waits for something is not. */
const dropped = new FinalizationRegistry((library: Library) => library.close());

let backstage: (socket: Socket) => Backstage;
let shared: Record<
  "send" | "receive" | "join" | "leave",
  (socket: Socket, args: unknown[]) => unknown
>;

/** Options that all sockets have. Those of the network are kept, and have no effect. */
export interface Socket {
  affinity: number;
  rate: number;
  recoveryInterval: number;
  /** `ZMQ_LINGER`: how long what was sent waits for a peer after the close, in milliseconds. */
  linger: number;
  reconnectInterval: number;
  backlog: number;
  reconnectMaxInterval: number;
  maxMessageSize: number;
  tcpKeepalive: number;
  tcpKeepaliveCount: number;
  tcpKeepaliveIdle: number;
  tcpKeepaliveInterval: number;
  tcpAcceptFilter: string | null;
  immediate: boolean;
  ipv6: boolean;
  plainServer: boolean;
  plainUsername: string | null;
  plainPassword: string | null;
  /** Not there: `capability.curve` is false. */
  curveServer: boolean;
  curvePublicKey: string | null;
  curveSecretKey: string | null;
  curveServerKey: string | null;
  /** Not there: `capability.gssapi` is false. */
  gssapiServer: boolean;
  gssapiPrincipal: string | null;
  gssapiServicePrincipal: string | null;
  gssapiPlainText: boolean;
  gssapiPrincipalNameType: "hostBased" | "userName" | "krb5Principal";
  gssapiServicePrincipalNameType: "hostBased" | "userName" | "krb5Principal";
  zapDomain: string | null;
  typeOfService: number;
  handshakeInterval: number;
  socksProxy: string | null;
  heartbeatInterval: number;
  heartbeatTimeToLive: number;
  heartbeatTimeout: number;
  connectTimeout: number;
  tcpMaxRetransmitTimeout: number;
  multicastMaxTransportDataUnit: number;
  vmciBufferSize: number;
  vmciBufferMinSize: number;
  vmciBufferMaxSize: number;
  vmciConnectTimeout: number;
  interface: string | null;
  zapEnforceDomain: boolean;
  loopbackFastPath: boolean;
  /** `ZMQ_TYPE`: the number of the socket's type. */
  readonly type: SocketType;
  /** `ZMQ_LAST_ENDPOINT`: what was last bound or connected, or null. */
  readonly lastEndpoint: string | null;
  readonly securityMechanism: null | "plain" | "curve" | "gssapi";
  readonly threadSafe: boolean;
}

/**
 * socket — a socket as zeromq.js has them, over one of the library.
 *
 * What is different from the library's: one send and one receive at a time, and whatever can be
 * known at the call is thrown by the call; a bind is over a turn of the event loop later, and the
 * socket is blocked until then; a call out of turn waits for its turn.
 *
 * # States
 *
 *   open ─── bind, unbind ──▶ blocked ─── next turn of the event loop ──▶ open
 *     │                          └─ close: remembered until then
 *     ├─── run of a proxy ────▶ blocked ─── end of the proxy ──▶ closed
 *     └─── close ──▶ closed
 */
export abstract class Socket {
  readonly #type: SocketType;
  readonly #library: Library;
  readonly #options: OptionValues;
  #context: Context | undefined;
  #observer: Observer | undefined;
  #state: State = "open";
  #closesLater = false;
  /** As in zeromq.js: how many binds were tried and connects made, less what was undone. */
  #endpoints = 0;
  #connectId: Uint8Array | undefined;
  readonly #sends: Way;
  readonly #receives: Way;

  static {
    backstage = (socket) => {
      if (!isObject(socket) || !(#library in socket)) throw new Error("Invalid argument");
      return {
        library: socket.#library,
        endpoints: () => socket.#endpoints,
        block: () => {
          socket.#checkOpen();
          socket.#state = "blocked";
        },
        close: () => socket.#close(),
      };
    };
    shared = {
      send: (socket, args) => socket.#send(args),
      receive: (socket, args) => socket.#receive(args),
      join: (socket, args) => socket.#eachGroup("join", args),
      leave: (socket, args) => socket.#eachGroup("leave", args),
    };
  }

  protected constructor(...args: [type: SocketType, options?: object]) {
    checkArguments(args, SOCKET_TYPE, OPTIONS);
    const [type, options] = args;
    this.#type = type | 0;
    let chosen = defaultContext;
    if (options !== undefined && "context" in options) {
      chosen = options.context as Context;
      Reflect.deleteProperty(options, "context");
    }
    const under = ground(chosen);
    this.#context = chosen;
    this.#options = new OptionValues(this.#type, under);
    this.#library = openLibrary(this.#type, under);
    const streak = { length: 0 };
    this.#sends = new Way(streak);
    this.#receives = new Way(streak);
    opened(this);
    dropped.register(this, this.#library);
    Object.seal(this);
    try {
      Object.assign(this, options);
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  /** Tells of the end of the socket. */
  get events(): Observer {
    this.#observer ??= new Observer(this);
    return this.#observer;
  }

  /** The context it was opened in, while it is open. */
  get context(): Context {
    return this.#context as Context;
  }

  get closed(): boolean {
    return this.#state === "closed";
  }

  /** Whether a message can be received at once. */
  get readable(): boolean {
    return this.#state !== "closed" && this.#library.readable === true;
  }

  /** Whether a message can be sent at once. */
  get writable(): boolean {
    return this.#state !== "closed" && this.#library.writable === true;
  }

  /** Closes the socket; during a bind or unbind, as soon as that is over. */
  close(...args: []): void {
    checkArguments(args);
    if (this.#state === "blocked") this.#closesLater = true;
    else this.#close();
  }

  /** Takes a name. Until it settles all other calls throw EBUSY. */
  bind(...args: [address: string]): Promise<void> {
    const address = this.#address(args);
    return this.#later(() => this.#library.bindSync(address), address, 1);
  }

  /** Takes a name at once. */
  bindSync(...args: [address: string]): void {
    const address = this.#address(args);
    this.#count(1); // Also if it fails, as in zeromq.js.
    withLibrary(() => this.#library.bindSync(address), address);
  }

  /** Gives a name back. Until it settles all other calls throw EBUSY. */
  unbind(...args: [address: string]): Promise<void> {
    const address = this.#address(args);
    return this.#later(() => this.#terminate(address), address, -1);
  }

  /** Gives a name back at once. */
  unbindSync(...args: [address: string]): void {
    const address = this.#address(args);
    this.#count(-1);
    withLibrary(() => this.#terminate(address), address);
  }

  /** Links to whoever is, or will be, bound to a name. */
  connect(...args: [address: string]): void {
    const address = this.#address(args);
    const routingId = this.#connectId;
    this.#connectId = undefined;
    const options = routingId === undefined ? [] : [{ routingId }];
    withLibrary(() => this.#library.connect(address, ...options), address);
    this.#count(1);
  }

  /** Ends the links made by `connect`. */
  disconnect(...args: [address: string]): void {
    const address = this.#address(args);
    withLibrary(() => this.#terminate(address), address);
    this.#count(-1);
  }

  protected getBoolOption(...args: [option: number]): boolean {
    return this.#get(args, "word") !== 0;
  }

  protected setBoolOption(...args: [option: number, value: boolean]): void {
    this.#set(args, BOOLEAN, "word", Number(args[1]));
  }

  protected getInt32Option(...args: [option: number]): number {
    return this.#get(args, "word") as number;
  }

  protected setInt32Option(...args: [option: number, value: number]): void {
    this.#set(args, NUMBER, "word", args[1] | 0);
  }

  protected getUint32Option(...args: [option: number]): number {
    return (this.#get(args, "word") as number) >>> 0;
  }

  protected setUint32Option(...args: [option: number, value: number]): void {
    this.#set(args, NUMBER, "word", args[1] | 0);
  }

  protected getInt64Option(...args: [option: number]): number {
    return toLong(this.#get(args, "long") as number, true);
  }

  protected setInt64Option(...args: [option: number, value: number]): void {
    this.#set(args, NUMBER, "long", toLong(args[1], true));
  }

  protected getUint64Option(...args: [option: number]): number {
    return toLong(this.#get(args, "long") as number, false);
  }

  protected setUint64Option(...args: [option: number, value: number]): void {
    this.#set(args, NUMBER, "long", toLong(args[1], false));
    if (args[1] > Number.MAX_SAFE_INTEGER) {
      const what = "Value is larger than Number.MAX_SAFE_INTEGER";
      program.warn(`${what} and may have been rounded inaccurately.`);
    }
  }

  protected getStringOption(...args: [option: number]): string | null {
    return toText(this.#get(args, "text") as Uint8Array | null);
  }

  protected setStringOption(...args: [option: number, value: string | Message | null]): void {
    const [, value] = args;
    const bytes = typeof value === "string" ? program.bytesOf(value) : value;
    this.#set(args, TEXT, "text", ArrayBuffer.isView(bytes) ? bytesOf(bytes).slice() : bytes);
  }

  #close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#endpoints = 0;
    this.#context = undefined;
    this.#observer = undefined;
    this.#library.close();
    this.#sends.wake();
    this.#receives.wake();
    closed(this);
  }

  #checkOpen(): void {
    if (this.#state === "blocked") throw errnoError("EBUSY", BLOCKED);
    if (this.#state === "closed") throw errnoError("EBADF");
  }

  #address(args: [address: string]): string {
    checkArguments(args, ADDRESS);
    this.#checkOpen();
    return args[0];
  }

  /** libzmq counts without looking, in 32 bits. */
  #count(change: number): void {
    this.#endpoints = (this.#endpoints + change) >>> 0;
  }

  /** Does it now, and says so when the event loop has had its turn. */
  #later(act: () => void, address: string, change: number): Promise<void> {
    let error: unknown;
    try {
      act();
    } catch (thrown) {
      error = translated(thrown, address);
    }
    this.#state = "blocked";
    return new Promise((resolve, reject) => {
      program.defer(() => {
        this.#state = "open";
        this.#count(change);
        if (this.#closesLater) this.#close();
        if (error === undefined) resolve();
        else reject(error);
      });
    });
  }

  /** To libzmq, unbinding and disconnecting are one: it looks for a bound name first. */
  #terminate(address: string): void {
    try {
      this.#library.unbindSync(address);
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error;
      this.#library.disconnect(address);
    }
  }

  #get(args: [option: number], form: Form): number | Uint8Array | null {
    checkArguments(args, IDENTIFIER);
    if (this.#state === "closed") throw errnoError("ENOTSOCK");
    const [id] = args;
    const value = this.#options.get(id, form);
    if (id === LAST_ENDPOINT) return program.bytesOf(this.#library.lastEndpoint ?? "");
    return id === EVENTS ? Number(this.readable) + 2 * Number(this.writable) : value;
  }

  #set(args: unknown[], check: Check, form: Form, value: number | Uint8Array | null): void {
    checkArguments(args, IDENTIFIER, check);
    const id = args[0] as number;
    const linked = this.#endpoints > 0 || this.#state !== "open";
    if (linked && !isImmediate(id)) program.warn(WAITS);
    if (this.#state === "closed") throw errnoError("ENOTSOCK");
    const option = this.#options.check(id, form, value);
    withLibrary(() => this.#tell(id, option, value));
    this.#options.put(id, value);
  }

  #tell(id: number, { name, accessor, told }: Option, value: number | Uint8Array | null): void {
    const library = this.#library as unknown as Record<string, unknown>;
    const bytes = typeof value === "number" || value === null ? NOTHING : value;
    if (id === SUBSCRIBE) this.#library.subscribe?.(bytes);
    else if (id === UNSUBSCRIBE) this.#library.unsubscribe?.(bytes);
    else if (id === CONNECT_ROUTING_ID) this.#connectId = bytes;
    else if (id === VERBOSE) library.verbosity = value === 0 ? null : "allSubs";
    else if (id === VERBOSER) library.verbosity = value === 0 ? null : "allSubsUnsubs";
    else if (told === true && name in library) {
      library[name] = accessor === "Bool" ? value !== 0 : value;
    }
  }

  #send(args: unknown[]): Promise<void> {
    const routed = this.#type === SERVER || this.#type === RADIO;
    if (routed) checkArguments(args, MESSAGE, ROUTE);
    else checkArguments(args, MESSAGE);
    this.#checkOpen();
    this.#sends.checkIdle("writing", "send");
    let message = toParts(args[0]);
    const route = routed ? this.#route(args[1] as Record<string, unknown>) : undefined;
    if (Array.isArray(message)) {
      if (message.length === 0) return Promise.resolve();
      if (message.length > 1 && isSingle(this.#type)) return Promise.reject(errnoError("EINVAL"));
      if (message.length === 1) message = message[0] as Part;
    }
    if (this.#library.trySend === undefined) return Promise.reject(errnoError("ENOTSUP"));
    const operation: Operation<void> = {
      attempt: () => (this.#library.trySend?.(message, route) === true ? undefined : NOT_YET),
      keep: () => {
        message = copied(message);
      },
      wait: (timeout) => this.#library.send?.(message, { ...route, timeout }) as Promise<void>,
    };
    return this.#sends.run(operation, this.#options.word(SEND_TIMEOUT), this.#receives);
  }

  #receive(args: unknown[]): Promise<object[]> {
    checkArguments(args);
    this.#checkOpen();
    this.#receives.checkIdle("reading", "receive");
    if (this.#library.receive === undefined) return Promise.reject(errnoError("ENOTSUP"));
    const operation: Operation<object[]> = {
      attempt: () => this.#library.tryReceive?.() ?? NOT_YET,
      keep: () => {},
      wait: (timeout) => this.#library.receive?.({ timeout }) as Promise<object[]>,
    };
    const received = this.#receives.run(
      operation,
      this.#options.word(RECEIVE_TIMEOUT),
      this.#sends,
    );
    return this.#type === DISH ? received.then(withGroup) : received;
  }

  /** Where a message goes. */
  #route({ routingId, group }: Record<string, unknown>): Route {
    if (this.#type === RADIO) {
      if (group === undefined) throw errnoError("EINVAL");
      return { group: groupOf(group) };
    }
    if (routingId === undefined || Number(routingId) >>> 0 === 0) throw errnoError("EINVAL");
    return { routingId: Number(routingId) >>> 0 };
  }

  #eachGroup(what: "join" | "leave", groups: unknown[]): void {
    for (const group of groups) {
      this.#checkOpen();
      const name = groupOf(group);
      if (this.#type !== DISH) throw errnoError("ENOTSUP");
      withLibrary(() => this.#library[what]?.(name));
    }
  }
}

const NOTHING = new Uint8Array(0);

/** What a DISH receives: its group is a buffer to zeromq.js, and a text to the library. */
function withGroup([part, { group }]: (object & { group?: string })[]): object[] {
  return [part as object, { group: program.bytesOf(group ?? "") }];
}

function groupOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (!ArrayBuffer.isView(value)) throw new TypeError("Value must be a string or buffer");
  return toText(bytesOf(value)) ?? "";
}

/** All sockets have these; what they are allowed is said by the declarations of their classes. */
Object.defineProperties(Socket.prototype, {
  ...Object.fromEntries(
    (["send", "receive", "join", "leave"] as const).map((name) => {
      const call = shared[name];
      function method(this: Socket, ...args: unknown[]): unknown {
        return call(this, args);
      }
      return [name, { value: method, configurable: true, writable: true }];
    }),
  ),
  [Symbol.asyncIterator]: { value: iterate, configurable: true, writable: true },
});

defineOptions(Socket.prototype);

/** Receives until the socket is closed. */
function iterate(this: Socket & Readable<object[]>): AsyncIterator<object[], undefined> {
  return {
    next: async () => {
      if (this.closed) return { done: true, value: undefined };
      try {
        return { done: false, value: await this.receive() };
      } catch (error) {
        const { code } = error as { code?: string };
        if (this.closed && code === "EAGAIN") return { done: true, value: undefined };
        throw error;
      }
    },
  };
}

/** What a proxy needs of a socket. @throws Error if it is none. */
export function backstageOf(socket: Socket): Backstage {
  return backstage(socket);
}
