// SPDX-License-Identifier: MIT

/**
 * peers — the socket types by their numbers in `zmq.h`, and which of them fit together (RFC 37).
 */
export const PULL = 7;
export const PUSH = 8;

export type SocketType = typeof PULL | typeof PUSH;

const NAMES: Record<SocketType, string> = { [PULL]: "PULL", [PUSH]: "PUSH" };
const PEERS: Record<SocketType, readonly SocketType[]> = { [PULL]: [PUSH], [PUSH]: [PULL] };

/** How ZeroMQ calls a type. */
export function typeName(type: number): string {
  return NAMES[type as SocketType];
}

/** Whether sockets of two types may be linked. */
export function compatible(type: number, peer: number): boolean {
  return PEERS[type as SocketType].includes(peer as SocketType);
}
