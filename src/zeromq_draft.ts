// SPDX-License-Identifier: MIT

/**
 * The draft sockets, by the names and rules of `zeromq/draft`.
 *
 * @packageDocumentation
 */
export { Client, Datagram, Dish, Gather, Radio, Scatter, Server } from "./zeromq/index.ts";
