// SPDX-License-Identifier: MIT

/** cast — the plays, by pattern; and a thread that has a part in one. */
import { parentPort, workerData } from "node:worker_threads";
import { Context, type ContextHandle } from "threadmq";
import { Random } from "../support/random.ts";
import { channel, pair } from "./play_pair.ts";
import { proxiedPipeline, proxiedReqrep } from "./play_proxy.ts";
import { pubsub, pubsubLease, radio, xpubsub } from "./play_pubsub.ts";
import { reqrep } from "./play_reqrep.ts";
import { peer, router, server } from "./play_router.ts";
import { client, dealer, lease, scatter } from "./play_sharing.ts";
import {
  type Books,
  FINISHED,
  FIRST_VICTIM,
  type Play,
  Player,
  play,
  playOn,
  type Role,
  WAYS,
} from "./player.ts";

export const PLAYS: Readonly<Record<string, Play>> = {
  reqrep,
  router,
  dealer,
  client,
  server,
  peer,
  scatter,
  lease,
  pubsub,
  "pubsub-lease": pubsubLease,
  xpubsub,
  radio,
  pair,
  channel,
  "proxy-pipeline": proxiedPipeline,
  "proxy-reqrep": proxiedReqrep,
};

/** What a worker of this file is started with. */
export interface CastData {
  readonly role: "survivor" | "victim";
  readonly pattern: string;
  readonly variant: number;
  readonly handle: ContextHandle;
  readonly books: Books;
  readonly seed: number;
  /** Of a survivor. */
  readonly sender: number;
  /** Of a victim. */
  readonly number: number;
  readonly place: number;
}

async function act(data: CastData): Promise<void> {
  const { role, pattern, handle, number, place, seed } = data;
  const context = Context.from(handle);
  const random = new Random(seed);
  const { survivors, victims } = PLAYS[pattern] as Play;
  const say = (what: object) => parentPort?.postMessage(what);
  if (role === "victim") {
    const way = random.pick(WAYS);
    const player = new Player(context, random, {
      ...data,
      number: FIRST_VICTIM + number,
      place,
      way,
    });
    const part = random.pick(victims)(player);
    await part.begin?.();
    say({ ready: true });
    await playOn(part);
  }
  const way = WAYS[1 + ((data.sender + (data.variant >> 2)) & 1)] as Player["way"];
  const player = new Player(context, random, { ...data, number: data.sender, place: -1, way });
  const part = (survivors[data.sender] as Role)(player);
  say({ ready: true });
  await play(player, part, () => player.count(FINISHED));
  say({ longest: player.longest });
}

if (PLAYS[workerData?.pattern] !== undefined) await act(workerData);
