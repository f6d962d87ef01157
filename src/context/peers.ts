// SPDX-License-Identifier: MIT

/**
 * peers — the socket types by their numbers in `zmq.h`, and which of them fit together (RFC 37).
 */
export const PAIR = 0;
export const PUB = 1;
export const SUB = 2;
export const REQ = 3;
export const REP = 4;
export const DEALER = 5;
export const ROUTER = 6;
export const PULL = 7;
export const PUSH = 8;
export const XPUB = 9;
export const XSUB = 10;
export const SERVER = 12;
export const CLIENT = 13;
export const RADIO = 14;
export const DISH = 15;
export const GATHER = 16;
export const SCATTER = 17;
export const PEER = 19;
export const CHANNEL = 20;

/** The number of a socket's type, as in `zmq.h`. */
export type SocketType =
  | typeof PAIR
  | typeof PUB
  | typeof SUB
  | typeof REQ
  | typeof REP
  | typeof DEALER
  | typeof ROUTER
  | typeof PULL
  | typeof PUSH
  | typeof XPUB
  | typeof XSUB
  | typeof SERVER
  | typeof CLIENT
  | typeof RADIO
  | typeof DISH
  | typeof GATHER
  | typeof SCATTER
  | typeof PEER
  | typeof CHANNEL;

const TABLE: Record<SocketType, { name: string; peers: readonly SocketType[] }> = {
  [PAIR]: { name: "PAIR", peers: [PAIR] },
  [PUB]: { name: "PUB", peers: [SUB, XSUB] },
  [SUB]: { name: "SUB", peers: [PUB, XPUB] },
  [REQ]: { name: "REQ", peers: [REP, ROUTER] },
  [REP]: { name: "REP", peers: [REQ, DEALER] },
  [DEALER]: { name: "DEALER", peers: [REP, DEALER, ROUTER] },
  [ROUTER]: { name: "ROUTER", peers: [REQ, DEALER, ROUTER] },
  [PULL]: { name: "PULL", peers: [PUSH] },
  [PUSH]: { name: "PUSH", peers: [PULL] },
  [XPUB]: { name: "XPUB", peers: [SUB, XSUB] },
  [XSUB]: { name: "XSUB", peers: [PUB, XPUB] },
  [SERVER]: { name: "SERVER", peers: [CLIENT] },
  [CLIENT]: { name: "CLIENT", peers: [SERVER] },
  [RADIO]: { name: "RADIO", peers: [DISH] },
  [DISH]: { name: "DISH", peers: [RADIO] },
  [GATHER]: { name: "GATHER", peers: [SCATTER] },
  [SCATTER]: { name: "SCATTER", peers: [GATHER] },
  [PEER]: { name: "PEER", peers: [PEER] },
  [CHANNEL]: { name: "CHANNEL", peers: [CHANNEL] },
};

/** How ZeroMQ calls a type. */
export function typeName(type: number): string {
  return TABLE[type as SocketType].name;
}

/** Whether sockets of two types may be linked. */
export function compatible(type: number, peer: number): boolean {
  return TABLE[type as SocketType].peers.includes(peer as SocketType);
}
