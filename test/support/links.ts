// SPDX-License-Identifier: MIT

/** links — sockets that are linked in the ways that many tests begin with. */
import assert from "node:assert/strict";
import type { Actor, Ground, Place } from "./ground.ts";
import { type Kind, PATIENCE } from "./stage.ts";

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

/**
 * A socket in another thread binds, asks and unbinds, again and again. One that has connected
 * answers: it has to find whoever is there now, however it looked while the last one was leaving.
 *
 * @param answer Lets that one receive what was asked, and send it back.
 */
export async function rebind(
  g: Ground,
  answers: Kind,
  asks: Kind,
  answer: (answering: Actor) => Promise<void>,
): Promise<void> {
  const answering = await g.open(answers);
  await answering.connect(NAME);
  const asking = await g.open(asks, {}, g.thread());
  for (let round = 0; round < 200; round++) {
    await asking.bind(NAME);
    await asking.send([["", `${round}`].slice(asks === "Dealer" ? 0 : 1)]);
    await answer(answering);
    assert.equal((await asking.receive(1)).join().replace("|", ""), `${round}`);
    await asking.call("unbindSync", NAME);
  }
}

/** What was received is sent on, as it is: the envelope goes with it. */
export async function forward(from: Actor, to: Actor): Promise<void> {
  const message = await from.call("receive", { timeout: PATIENCE });
  const isNumbered = !(message.at(-1) instanceof Uint8Array); // By a SERVER.
  await to.call("send", ...(isNumbered ? message : [message]));
}
