// SPDX-License-Identifier: MIT

/** listening — sockets that hear `sys://log`, and what they have heard. */
import type { LogRecord } from "threadmq";
import type { Actor, Ground, Place } from "./ground.ts";

export const LOG = "sys://log";

export type Told = { topic: string } & Partial<LogRecord>;

export async function listen(
  g: Ground,
  prefixes: string[],
  options: object = {},
  place: Place = g.here,
): Promise<Actor> {
  const log = await g.open("Subscriber", options, place);
  await log.connect(LOG);
  await log.call("subscribe", ...prefixes);
  return log;
}

export function parse(message: string): Told {
  const bar = message.indexOf("|");
  return { topic: message.slice(0, bar), ...JSON.parse(message.slice(bar + 1)) };
}

/** What the log has told, without what every record has. */
export async function told(log: Actor): Promise<Told[]> {
  return (await log.drain()).map((message) => {
    const { time, thread, sequence, dropped, ...rest } = parse(message);
    return rest;
  });
}

/** The next records that come from any thread. */
export async function hear(log: Actor, count = 1): Promise<Told[]> {
  return (await log.receive(count)).map(parse);
}
