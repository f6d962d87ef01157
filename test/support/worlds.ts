// SPDX-License-Identifier: MIT

/** worlds — for each type of socket that receives: one such, and those who send to it. */
import {
  Channel,
  Client,
  type Context,
  Dealer,
  Dish,
  framed,
  Gather,
  json,
  Pair,
  Peer,
  Publisher,
  Pull,
  Push,
  Radio,
  Reply,
  Request,
  Router,
  Scatter,
  Server,
  Subscriber,
  XPublisher,
  XSubscriber,
} from "threadmq";

export interface World {
  /** The one that receives. */
  readonly socket: any;
  readonly senders: any[];
  /** Sends to it. */
  feed(sender: number, parts: readonly Uint8Array[]): void;
}

export interface Kind {
  /** What of a message is received before, behind, or beside it. */
  readonly shows?: "id" | "about";
  /** Messages have one part. */
  readonly onePart?: true;
  /** It has one peer. */
  readonly exclusive?: true;
  /** What comes before and after each message, if its calls take turns. */
  readonly turns?: { before(world: World): void; after(world: World): void };
  /** What else it may be told to do. */
  readonly can?: readonly ("conflate" | "miss" | "acknowledge" | "unsubscribe")[];
  /** Another of the same name, for those who were linked to one that has closed. */
  receiver(context: Context, options: object): any;
  sender(context: Context, options: object, index: number): any;
  /** Links them, if not by the name of the receiver. */
  link?(socket: any, sender: any): void;
  feed?(world: World, sender: number, parts: readonly Uint8Array[]): void;
}

export const NAME = "inproc://ways";

type Make = new (options: any) => any;

function of(Receiver: Make, Sender: Make, more: Partial<Kind> = {}): Kind {
  return {
    receiver: (context, options) => new Receiver({ context, ...options }),
    sender: (context, options) => new Sender({ context, ...options }),
    ...more,
  };
}

const nothing = () => {};

function subscribed(socket: any, sender: any): void {
  sender.connect(NAME);
  if (socket.topicsCount === 0) socket.subscribe();
}

export const KINDS: Readonly<Record<string, Kind>> = {
  PULL: of(Pull, Push, { can: ["conflate", "acknowledge"] }),
  GATHER: of(Gather, Scatter, { onePart: true, can: ["conflate"] }),
  PAIR: of(Pair, Pair, { exclusive: true }),
  CHANNEL: of(Channel, Channel, { exclusive: true, onePart: true }),
  DEALER: of(Dealer, Dealer, { can: ["conflate"] }),
  ROUTER: of(Router, Dealer, {
    shows: "id",
    sender: (context, options, index) => {
      return new Dealer({ context, routingId: `sender ${index}`, ...options });
    },
  }),
  REP: of(Reply, Dealer, {
    turns: { before: nothing, after: ({ socket }) => socket.sendSync("so it is") },
    feed: ({ senders }, index, parts) => senders[index].sendSync(["", ...parts]),
  }),
  REQ: of(Request, Router, {
    exclusive: true,
    turns: { before: ({ socket }) => socket.sendSync("is it so?"), after: nothing },
    feed({ senders: [router] }, _index, parts) {
      const [id] = router.receiveSync();
      router.sendSync([id, "", ...parts]);
    },
  }),
  CLIENT: of(Client, Server, {
    onePart: true,
    link(socket, sender) {
      sender.connect(NAME);
      // It is sent to all in turn, and each knows whom to answer by then.
      for (; sender.to === undefined; sender.to = sender.tryReceive()?.[1])
        socket.sendSync("hello");
    },
    feed: ({ senders }, index, parts) => senders[index].sendSync(parts, senders[index].to),
  }),
  SERVER: of(Server, Client, { onePart: true, shows: "about" }),
  PEER: of(Peer, Peer, {
    onePart: true,
    shows: "about",
    link(_socket, sender) {
      sender.to = { routingId: sender.connectPeer(NAME) };
    },
    feed: ({ senders }, index, parts) => senders[index].sendSync(parts, senders[index].to),
  }),
  SUB: of(Subscriber, Publisher, {
    link: subscribed,
    can: ["conflate", "miss", "unsubscribe"],
  }),
  XSUB: of(XSubscriber, XPublisher, { link: subscribed, can: ["miss"] }),
  XPUB: of(XPublisher, XSubscriber),
  DISH: of(Dish, Radio, {
    onePart: true,
    shows: "about",
    can: ["miss", "unsubscribe"],
    link(socket, sender) {
      sender.connect(NAME);
      if (!socket.joined) socket.join("all");
      socket.joined = true;
    },
    feed: ({ senders }, index, parts) => senders[index].sendSync(parts, { group: "all" }),
  }),
};

/** What messages are made of is JSON: behind the id of who has sent them, if that comes first. */
export function codecOf({ shows }: Kind): object {
  return shows === "id" ? framed(json()) : json();
}

export interface Setting {
  readonly senders?: number;
  readonly receiver?: object;
  readonly sender?: object;
}

export function open(context: Context, kind: Kind, setting: Setting): World {
  const socket = kind.receiver(context, { receiveTimeout: 3000, ...setting.receiver });
  socket.bindSync(NAME);
  const senders = Array.from({ length: setting.senders ?? 1 }, (_, index) => {
    const sender = kind.sender(context, setting.sender ?? {}, index);
    if (kind.link === undefined) sender.connect(NAME);
    else kind.link(socket, sender);
    return sender;
  });
  const world: World = {
    socket,
    senders,
    feed(index, parts) {
      if (kind.feed !== undefined) kind.feed(world, index, parts);
      else senders[index].sendSync(parts);
    },
  };
  return world;
}

export function close({ socket, senders }: World): void {
  for (const one of [...senders, socket]) one.close();
}
