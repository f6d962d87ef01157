// SPDX-License-Identifier: MIT

import { CLIENT, DGRAM, DISH, defineOptions, GATHER, RADIO, SCATTER, SERVER } from "./options.ts";
import type { SocketOptions } from "./patterns.ts";
import type { Message, MessageLike, Readable, Writable } from "./shapes.ts";
import { Socket } from "./socket.ts";

/** draft — the classes of `zeromq/draft`. Their messages have one part. */

interface ServerRoutingOptions {
  routingId: number;
}

/** SERVER: sends to a CLIENT by its number, and receives from all. */
export class Server extends Socket {
  static {
    defineOptions(Server.prototype, SERVER);
  }

  constructor(options?: SocketOptions<Server>) {
    super(SERVER, options);
  }
}
export interface Server
  extends Readable<[Message, ServerRoutingOptions]>,
    Writable<MessageLike, [ServerRoutingOptions]> {}

/** CLIENT: sends to SERVERs in turn, and receives from all. */
export class Client extends Socket {
  static {
    defineOptions(Client.prototype, CLIENT);
  }

  constructor(options?: SocketOptions<Client>) {
    super(CLIENT, options);
  }
}
export interface Client extends Readable<[Message]>, Writable<MessageLike> {}

interface RadioGroupOptions {
  group: Message | string;
}

/** RADIO: sends to all linked DISHes that have joined a group. */
export class Radio extends Socket {
  static {
    defineOptions(Radio.prototype, RADIO);
  }

  constructor(options?: SocketOptions<Radio>) {
    super(RADIO, options);
  }
}
export interface Radio extends Writable<MessageLike, [RadioGroupOptions]> {}

interface DishGroupOptions {
  group: Message;
}

/** DISH: receives what is sent to the groups it has joined. */
export class Dish extends Socket {
  static {
    defineOptions(Dish.prototype, DISH);
  }

  constructor(options?: SocketOptions<Dish>) {
    super(DISH, options);
  }
}
export interface Dish extends Readable<[Message, DishGroupOptions]> {
  /** Joins groups. */
  join(...values: (Message | string)[]): void;
  /** Leaves groups. */
  leave(...values: (Message | string)[]): void;
}

/** GATHER: receives from all linked SCATTERs, fairly. */
export class Gather extends Socket {
  static {
    defineOptions(Gather.prototype, GATHER);
  }

  constructor(options?: SocketOptions<Gather>) {
    super(GATHER, options);
  }
}
export interface Gather extends Readable<[Message]> {
  /** `ZMQ_CONFLATE`. It cannot be read. */
  conflate: boolean;
}

/** SCATTER: gives each message to one of the linked GATHERs, in turn. */
export class Scatter extends Socket {
  static {
    defineOptions(Scatter.prototype, SCATTER);
  }

  constructor(options?: SocketOptions<Scatter>) {
    super(SCATTER, options);
  }
}
export interface Scatter extends Writable<MessageLike> {
  /** `ZMQ_CONFLATE`. It cannot be read. */
  conflate: boolean;
}

/** DGRAM: of the network only. It can be made, and linked to nobody. */
export class Datagram extends Socket {
  static {
    defineOptions(Datagram.prototype, DGRAM);
  }

  constructor(options?: SocketOptions<Datagram>) {
    super(DGRAM, options);
  }
}
export interface Datagram
  extends Readable<[Message, Message]>,
    Writable<[MessageLike, MessageLike]> {}
