// SPDX-License-Identifier: MIT

/**
 * patterns — the socket types: what each does with messages and peers.
 *
 *   pipeline      PUSH and PULL, SCATTER and GATHER
 *   pair          PAIR and CHANNEL
 *   router        DEALER and ROUTER
 *   reqrep        REQ and REP
 *   server        CLIENT, SERVER and PEER
 *   publishing    to all that want it, and who that is
 *   subscribing   what is wanted, and that publishers know it
 *     pubsub      PUB and SUB
 *     xpubsub     XPUB and XSUB
 *     radio       RADIO and DISH
 */
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
export {
  Publisher,
  type PublisherOptions,
  Subscriber,
  type SubscriberOptions,
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
export { Reply, type ReplyOptions, Request, type RequestOptions } from "./reqrep.ts";
export { Dealer, type DealerOptions, Router, type RouterOptions } from "./router.ts";
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
export type { Prefix } from "./subscribing.ts";
export {
  XPublisher,
  type XPublisherOptions,
  XSubscriber,
  type XSubscriberOptions,
} from "./xpubsub.ts";
