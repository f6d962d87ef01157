// SPDX-License-Identifier: MIT

/**
 * socket — what every socket is made of, and what works with any of them.
 *
 *   options            what can be set, and the defaults
 *   codec              messages that are values
 *   waiting            the calls that wait, first come first served
 *   aborting           what gives them up
 *   socket             bind, connect, close, options
 *   direction          what sending and receiving have in common
 *   sending            the sending half: the calls; where a message goes is the pattern's
 *     balancing        to the next peer with room
 *     routing          to the one that is named
 *   receiving          the receiving half
 *   leasing            an iteration over messages that are not copied
 *   ways               the halves together: what becomes of a pipe
 *   sending_socket     the classes that users see, one for each combination of halves
 *   receiving_socket
 *   duplex_socket
 *   routed_socket      with an id
 *   events             what happens to a socket
 *   poller             waits for any of many sockets
 *   proxy              passes messages on between two sockets
 *   streams            sockets as Web Streams
 *
 * What of this users get is said in src/index.ts; the rest is for the patterns, and the entries.
 */

export { Balancer, checkOnePart, type OnePart } from "./balancing.ts";
export { decodeBody, framed, json, onlyPart } from "./codec.ts";
export { type DuplexOptions, DuplexSocket } from "./duplex_socket.ts";
export {
  type SocketEvent,
  type SocketEventListener,
  type SocketEventReason,
  SocketEvents,
  type SocketEventType,
} from "./events.ts";
export {
  type AcknowledgeOption,
  type Balance,
  type BalanceOption,
  type Codec,
  type CodecOption,
  type CodecUnlessMessage,
  type ConflateOption,
  checkRoutingId,
  defineOptions,
  type OptionName,
  type ProbeOption,
  type PublishOptions,
  type Received,
  type ReceivedBody,
  type ReceiveOptions,
  type RoutingOptions,
  type SendOptions,
  type SocketOptions,
  type SubscribeOptions,
  type Verbosity,
} from "./options.ts";
export { type PollEvent, Poller, type PollOptions } from "./poller.ts";
export { Proxy, type ProxyOptions, type ProxyStats, type ProxyTraffic } from "./proxy.ts";
export { FairReceiver, Receiver } from "./receiving.ts";
export { ReceivingSocket } from "./receiving_socket.ts";
export { ProbingSocket, RoutedSocket } from "./routed_socket.ts";
export { type Routed, Routing } from "./routing.ts";
export { type Outgoing, Sender } from "./sending.ts";
export { SendingSocket } from "./sending_socket.ts";
export { Socket, type SocketCore, type SocketStats } from "./socket.ts";
export {
  type Chunk,
  type Receives,
  type Sends,
  Source,
  sendChunk,
  takesPairs,
  toReadableStream,
  toWritableStream,
} from "./streams.ts";
export type { WaitOptions } from "./waiting.ts";
export { type Halves, Ways } from "./ways.ts";
