// SPDX-License-Identifier: MIT

/**
 * socket — what the user holds.
 *
 *   options            what can be set, and the defaults
 *   codec              messages that are values
 *   waiting            the calls that wait, first come first served
 *   socket             bind, connect, close, options
 *   direction          what sending and receiving have in common
 *   sending            the sending half: the calls; where a message goes is the pattern's
 *     balancing        to the next peer with room
 *     routing          to the one that is named
 *   publishing         to all that want it, and who that is
 *   receiving          the receiving half
 *   leasing            an iteration over messages that are not copied
 *   subscribing        what is wanted, and that publishers know it
 *   announcing         how they are told
 *   ways               the halves together: what becomes of a pipe
 *   sending_socket     the classes that users see, one for each combination of halves
 *   receiving_socket
 *   duplex_socket
 *   routed_socket      with an id
 *   pipeline           PUSH and PULL, SCATTER and GATHER
 *   pair               PAIR and CHANNEL
 *   router             DEALER and ROUTER
 *   reqrep             REQ and REP
 *   server             CLIENT, SERVER and PEER
 *   pubsub             PUB, SUB, XPUB and XSUB
 *   radio              RADIO and DISH
 *   events             what happens to a socket
 *   poller             waits for any of many sockets
 *   proxy              passes messages on between two sockets
 *   streams            sockets as Web Streams
 */

export type { WhenFull } from "../strategy/index.ts";
export type { OnePart } from "./balancing.ts";
export { framed, json, onlyPart } from "./codec.ts";
export { type DuplexOptions, DuplexSocket } from "./duplex_socket.ts";
export {
  type SocketEvent,
  type SocketEventListener,
  type SocketEventReason,
  SocketEvents,
  type SocketEventType,
} from "./events.ts";
export type {
  AcknowledgeOption,
  Balance,
  BalanceOption,
  Codec,
  CodecOption,
  ConflateOption,
  ProbeOption,
  PublishOptions,
  Received,
  ReceiveOptions,
  RoutingOptions,
  SendOptions,
  SocketOptions,
  SubscribeOptions,
  Verbosity,
} from "./options.ts";
export { Channel, Pair, type PairOptions } from "./pair.ts";
export {
  Gather,
  type GatherOptions,
  Pull,
  type PullOptions,
  Push,
  type PushOptions,
  Scatter,
} from "./pipeline.ts";
export { type PollEvent, Poller, type PollOptions } from "./poller.ts";
export { Proxy, type ProxyOptions, type ProxyStats, type ProxyTraffic } from "./proxy.ts";
export {
  type Prefix,
  Publisher,
  type PublisherOptions,
  Subscriber,
  type SubscriberOptions,
  XPublisher,
  type XPublisherOptions,
  XSubscriber,
  type XSubscriberOptions,
} from "./pubsub.ts";
export {
  Dish,
  type DishOptions,
  type Group,
  type GroupMessage,
  type GroupSendOptions,
  type LeasedGroupMessage,
  Radio,
  type RadioOptions,
} from "./radio.ts";
export { ReceivingSocket } from "./receiving_socket.ts";
export { Reply, type ReplyOptions, Request, type RequestOptions } from "./reqrep.ts";
export { ProbingSocket, RoutedSocket } from "./routed_socket.ts";
export { Dealer, type DealerOptions, Router, type RouterOptions } from "./router.ts";
export { SendingSocket } from "./sending_socket.ts";
export {
  Client,
  type ClientOptions,
  type LeasedNumberedMessage,
  type NumberedMessage,
  type NumberedSendOptions,
  Peer,
  type PeerNumber,
  Server,
  type ServerOptions,
} from "./server.ts";
export { Socket, type SocketStats } from "./socket.ts";
export { type Receives, type Sends, toReadableStream, toWritableStream } from "./streams.ts";
export type { WaitOptions } from "./waiting.ts";
