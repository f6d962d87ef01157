// SPDX-License-Identifier: MIT

/** links — sockets that are linked in the ways that many tests begin with. */
import type { Actor, Ground, Place } from "./ground.ts";
import type { Kind } from "./stage.ts";

export const NAME = "inproc://a";

/** Who makes the link, and who comes first. */
export const ORDERS = ["bind first", "connect first"] as const;
export type Order = (typeof ORDERS)[number];

/** Links two sockets. */
export async function link(binder: Actor, connecter: Actor, order: Order = "bind first") {
  if (order === "bind first") await binder.bind(NAME);
  await connecter.connect(NAME);
  if (order === "connect first") await binder.bind(NAME);
}

/** So many sockets of a type, which connect to the name. @param options Of each, by its number. */
export async function several(
  g: Ground,
  count: number,
  kind: Kind,
  place: Place = g.here,
  options: (index: number) => object = () => ({}),
): Promise<Actor[]> {
  const actors: Actor[] = [];
  for (let index = 0; index < count; index++) {
    const actor = await g.open(kind, options(index), place);
    await actor.connect(NAME);
    actors.push(actor);
  }
  return actors;
}

/** What was received is sent on, as it is: the envelope goes with it. */
export async function forward(from: Actor, to: Actor): Promise<void> {
  await to.call("send", await from.call("receive"));
}
