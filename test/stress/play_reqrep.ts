// SPDX-License-Identifier: MIT

/**
 * play_reqrep — REQ and REP. A request is answered by the answer to it, or it is said that whom it
 * went to is gone, and it is sent again; within the time that one waits at most.
 */
import assert from "node:assert/strict";
import { type Message, Reply, Request } from "threadmq";
import { pack, unpack } from "./bodies.ts";
import {
  AGAIN,
  expect,
  FIRST_VICTIM,
  FROM_VICTIMS,
  PATIENCE,
  type Part,
  type Play,
  type Player,
  tolerate,
} from "./player.ts";

/** What repliers that are survivors bind, and victims; and requesters that are survivors. */
const REPLIERS = [0, 3].map((number) => `inproc://replier${number}`);
const MORTALS = ["inproc://mortal0", "inproc://mortal1"];
/** What requesters bind that are victims. */
const ASKERS = [0, 1, 2].map((place) => `inproc://asker${place}`);
const requesters = [1, 2, 4].map((number) => `inproc://requester${number}`);

export const reqrep: Play = {
  survivors: [replier, requester, requester, replier, requester],
  victims: [mortalReplier, mortalReplier, requester, requester],
  leaves: true, // An answer may lie where a dead one was bound.
};

function replier(player: Player): Part {
  const reply = new Reply({ context: player.context, linger: 0 });
  reply.bindSync(`inproc://replier${player.number}`);
  for (const name of ASKERS) reply.connect(name);
  return repliesBy(player, reply);
}

function mortalReplier(player: Player): Part {
  const { context, random } = player;
  const reply = new Reply({ context, linger: 0 });
  tolerate("EADDRINUSE", () => reply.bindSync(random.pick(MORTALS)));
  for (const name of requesters) if (random.next(2) === 0) reply.connect(name);
  return repliesBy(player, reply);
}

function repliesBy(player: Player, reply: Reply): Part {
  const answer = async (): Promise<void> => {
    const request = await player.receive(reply);
    if (request === undefined) return;
    const { sender, number } = unpack(request[0]);
    if (player.isVictim) compute(player.random.next(1000));
    else if (player.random.next(50) === 0) compute(200);
    await player.send(reply, [pack(sender, number), pack(player.number, number + 1, 20)]);
  };
  return {
    step: answer,
    rest: () => answer().then(() => true),
    close: () => reply.close(),
  };
}

/** So many microseconds it has something else to do. */
function compute(microseconds: number): void {
  const end = performance.now() + microseconds / 1000;
  while (performance.now() < end);
}

function requester(player: Player): Part {
  const { context, isVictim } = player;
  const correlate = (player.variant & 1) === 1;
  // What nobody is bound to may stay so at the end.
  const request = new Request({ context, correlate, immediate: true, linger: 0 });
  if (isVictim && player.random.next(2) === 0) request.bindSync(ASKERS[player.place] as string);
  else for (const name of REPLIERS) request.connect(name);
  if (!isVictim) {
    request.bindSync(`inproc://requester${player.number}`);
    for (const name of MORTALS) request.connect(name);
  }
  let number = 0;
  return {
    async step() {
      await player.send(request, pack(player.number, number));
      for (;;) {
        const reply = await answerTo(player, request);
        if (reply !== undefined) {
          check(player, number, reply);
          break;
        }
        if (!isVictim) player.count(AGAIN);
        await player.send(request, pack(player.number, number));
      }
      number++;
      if (!isVictim) player.sent(number);
    },
    close: () => request.close(),
  };
}

/** Undefined if whom we have asked is gone. */
async function answerTo(player: Player, request: Request): Promise<Message | undefined> {
  try {
    const reply = await player.receive(request, PATIENCE);
    assert.ok(reply !== undefined, `a reply to ${player.number}, or that there will be none`);
    return reply;
  } catch (error) {
    return expect("EHOSTUNREACH")(error);
  }
}

function check(player: Player, number: number, [asked, from, ...rest]: Message): void {
  assert.deepEqual(
    unpack(asked),
    { sender: player.number, number },
    "the answer to what was asked",
  );
  assert.equal(unpack(from).number, number + 1);
  assert.equal(rest.length, 0);
  if (unpack(from).sender >= FIRST_VICTIM) player.count(FROM_VICTIMS);
}
