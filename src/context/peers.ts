// SPDX-License-Identifier: MIT

/**
 * peers — the socket types by their numbers in `zmq.h`, and which of them fit together (RFC 37).
 */
export const PUB = 1;
export const SUB = 2;
export const PULL = 7;
export const PUSH = 8;

export type SocketType = typeof PUB | typeof SUB | typeof PULL | typeof PUSH;

const NAMES: Record<SocketType, string> = {
  [PUB]: "PUB",
  [SUB]: "SUB",
  [PULL]: "PULL",
  [PUSH]: "PUSH",
};
const PEERS: Record<SocketType, readonly SocketType[]> = {
  [PUB]: [SUB],
  [SUB]: [PUB],
  [PULL]: [PUSH],
  [PUSH]: [PULL],
};

/** How ZeroMQ calls a type. */
export function typeName(type: number): string {
  return NAMES[type as SocketType];
}

/** Whether sockets of two types may be linked. */
export function compatible(type: number, peer: number): boolean {
  return PEERS[type as SocketType].includes(peer as SocketType);
}
