// SPDX-License-Identifier: MIT

import * as zmq from "../index.ts";
import type { Ground } from "./context.ts";
import { errnoError, withLibrary } from "./errors.ts";
import {
  CLIENT,
  DEALER,
  DGRAM,
  DISH,
  GATHER,
  PAIR,
  PUB,
  PULL,
  PUSH,
  RADIO,
  REP,
  REQ,
  ROUTER,
  SCATTER,
  SERVER,
  type SocketType,
  STREAM,
  SUB,
  XPUB,
  XSUB,
} from "./options.ts";

/** Where a message of SERVER or RADIO goes. */
export interface Route {
  routingId?: number;
  group?: string;
}

/** What is used of the library's sockets, each of which has a part of it. */
export interface Library {
  readonly lastEndpoint: string | null;
  /** Whether a message can be sent at once. */
  readonly writable?: boolean;
  /** Whether one can be received at once. */
  readonly readable?: boolean;
  bindSync(address: string): void;
  unbindSync(address: string): void;
  connect(address: string, options?: { routingId: Uint8Array }): void;
  disconnect(address: string): void;
  close(): void;
  trySend?(message: zmq.MessageLike, route?: Route): boolean;
  send?(message: zmq.MessageLike, options: Route & zmq.WaitOptions): Promise<void>;
  tryReceive?(): object[] | undefined;
  receive?(options: zmq.WaitOptions): Promise<object[]>;
  subscribe?(prefix: Uint8Array): void;
  unsubscribe?(prefix: Uint8Array): void;
  join?(group: string): void;
  leave?(group: string): void;
}

type LibraryClass = new (options: { context: zmq.Context; linger: number }) => Library;

/** The library's classes, by the number of their type. */
const CLASSES: Readonly<Record<SocketType, unknown>> = {
  [PAIR]: zmq.Pair,
  [PUB]: zmq.Publisher,
  [SUB]: zmq.Subscriber,
  [REQ]: zmq.Request,
  [REP]: zmq.Reply,
  [DEALER]: zmq.Dealer,
  [ROUTER]: zmq.Router,
  [PULL]: zmq.Pull,
  [PUSH]: zmq.Push,
  [XPUB]: zmq.XPublisher,
  [XSUB]: zmq.XSubscriber,
  [STREAM]: zmq.Pull,
  [SERVER]: zmq.Server,
  [CLIENT]: zmq.Client,
  [RADIO]: zmq.Radio,
  [DISH]: zmq.Dish,
  [GATHER]: zmq.Gather,
  [SCATTER]: zmq.Scatter,
  [DGRAM]: zmq.Pull,
};

/** Whether messages of that type have one part only. */
export function isSingle(type: SocketType): boolean {
  return type >= SERVER && type <= SCATTER;
}

/** Opens a socket of the library. @throws Error EINVAL if there is no such type, EMFILE. */
export function openLibrary(type: SocketType, { library, blocky }: Ground): Library {
  const Class = CLASSES[type] as LibraryClass | undefined;
  if (Class === undefined) throw errnoError("EINVAL");
  const socket = withLibrary(() => new Class({ context: library, linger: blocky ? -1 : 0 }));
  return type === STREAM || type === DGRAM ? new Unlinked(socket) : socket;
}

/**
 * STREAM and DGRAM, which are of the network: there is nobody they could be linked to. It counts
 * among the sockets of its context, and a receive waits as it would in vain.
 */
class Unlinked implements Library {
  readonly #socket: Library;
  readonly lastEndpoint = null;
  readonly writable = true;

  constructor(socket: Library) {
    this.#socket = socket;
  }

  bindSync(address: string): void {
    this.#refuse(address);
    this.#socket.bindSync(address);
  }

  unbindSync(address: string): void {
    this.#socket.unbindSync(address);
  }

  connect(address: string): void {
    this.#refuse(address);
    this.#socket.connect(address);
  }

  disconnect(address: string): void {
    this.#socket.disconnect(address);
  }

  close(): void {
    this.#socket.close();
  }

  trySend(): boolean {
    throw errnoError("EHOSTUNREACH");
  }

  receive(options: zmq.WaitOptions): Promise<object[]> {
    return (this.#socket.receive as NonNullable<Library["receive"]>)(options);
  }

  /** All other addresses are refused by the library itself. */
  #refuse(address: string): void {
    if (!/^(?:inproc|sys):\/\//.test(address)) return;
    throw Object.assign(errnoError("ENOCOMPATPROTO"), { address });
  }
}
