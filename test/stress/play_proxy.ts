// SPDX-License-Identifier: MIT

/**
 * play_proxy — proxies between those who send and those who receive: PUSH, PULL and PUSH, PULL; and
 * REQ, ROUTER and DEALER, REP. One proxy lives; others are killed, and so are those at both ends.
 *
 * What a proxy passes on is lost with nobody: what it was about to release when it died comes
 * twice, at most 512 messages; not so what has a part over 4096 bytes, which it moves. A request of
 * that size a ROUTER has received, and the proxy may take it with it. A request that was in the
 * hands of the killed is not answered, and sent again.
 */
import assert from "node:assert/strict";
import {
  type Context,
  Dealer,
  Proxy as MqProxy,
  Pull,
  Push,
  Reply,
  Request,
  Router,
} from "threadmq";
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
  PROXIES,
  UNANSWERED,
} from "./player.ts";

/** The proxy that lives has this number, and those that are killed that of their place. */
const LIVING = 3;
const ALL = [0, 1, 2, LIVING];
const fronts = ALL.map((number) => `inproc://front${number}`);
const backs = ALL.map((number) => `inproc://back${number}`);
const SOURCES = [1, 2];
const MARK = 20;
/** What a proxy may have passed on and not released (socket/proxy.ts). */
const GATHERED = 512;
/** So long a request may be on its way; then it is sent again. */
const ANSWERED_MS = 2000;

export const proxiedPipeline: Play = {
  survivors: [sink, source, source, pipelineProxy],
  victims: [sink, source, pipelineProxy, pipelineProxy],
  verdict,
};

export const proxiedReqrep: Play = {
  survivors: [replier, requester, requester, requestProxy],
  victims: [replier, requester, requestProxy],
  leaves: true, // An answer may lie where a dead proxy was bound.
  verdict: verdictOfRequests,
};

type Ends = [front: Pull | Router, back: Push | Dealer];

function pipelineProxy(player: Player): Part {
  const { context } = player;
  const front = new Pull({ context, receiveHighWaterMark: MARK });
  return proxyOf(player, [front, new Push({ context, sendHighWaterMark: MARK })]);
}

function requestProxy(player: Player): Part {
  const { context } = player;
  return proxyOf(player, [new Router({ context }), new Dealer({ context, linger: 0 })]);
}

function proxyOf(player: Player, [front, back]: Ends): Part {
  const { isVictim, place, way } = player;
  const number = isVictim ? place : LIVING;
  front.bindSync(fronts[number] as string);
  back.bindSync(backs[number] as string);
  if (isVictim) player.count(PROXIES);
  const between = new MqProxy(front, back);
  const running = isVictim && way === "sync" ? undefined : between.run();
  let isLast = false;
  return {
    async step() {
      if (running === undefined) between.runSync();
      await new Promise((resolve) => setTimeout(resolve, 5));
    },
    async rest() {
      // Now it takes what waits for the names of victims, too.
      if (!isLast) for (const name of fronts.slice(0, LIVING)) front.bindSync(name);
      isLast = true;
      return true;
    },
    close() {
      running?.catch(expect("EBADF"));
      for (const socket of [front, back]) socket.close();
    },
  };
}

/** Its sockets are short-lived: what one that has closed has sent is drained by the proxies. */
function source(player: Player): Part {
  const { context, isVictim, number, random } = player;
  const open = (): Push => {
    const socket = new Push({ context, sendHighWaterMark: MARK, linger: isVictim ? 0 : -1 });
    for (const name of fronts) socket.connect(name);
    return socket;
  };
  let socket = open();
  let sent = 0;
  return {
    async step() {
      if (!isVictim && random.next(30) === 0) {
        socket.close();
        socket = open();
      }
      await player.send(socket, pack(number, sent));
      sent++;
      if (!isVictim) player.sent(sent);
    },
    rest: () => socket.drain({ timeout: PATIENCE }).then(() => true),
    close: () => socket.close(),
  };
}

function sink(player: Player): Part {
  const { context, isVictim, random } = player;
  const receiveHighWaterMark = isVictim ? random.pick([1, 5, 100]) : MARK;
  const socket = new Pull({ context, receiveHighWaterMark });
  // What lies between two that are dead is lost with them: so a victim receives from the living.
  for (const name of isVictim ? [backs[LIVING] as string] : backs) socket.connect(name);
  const take = async (): Promise<void> => {
    player.reach(1);
    const message = await player.receive(socket);
    if (message === undefined) return;
    const { sender, number } = unpack(message[0]);
    if (sender >= FIRST_VICTIM) player.count(FROM_VICTIMS);
    else player.mark(sender, number);
    player.reach(0);
  };
  return { step: take, rest: () => take().then(() => true), close: () => socket.close() };
}

/** Nothing is lost but what the killed had in their hands, and little comes twice. */
function verdict(player: Player, hands: number): number {
  const most = player.counted(PROXIES) * GATHERED;
  let twice = 0;
  let missing = 0;
  for (const sender of SOURCES) {
    for (let number = 0; number < player.sentBy(sender); number++) {
      const marks = player.marks(sender, number);
      if (marks > 1) twice += marks - 1;
      if (marks === 0) missing++;
    }
  }
  assert.ok(missing <= hands, `${missing} are missing, ${hands} were in the hands of the killed`);
  assert.ok(twice <= most, `${twice} came twice, and ${most} may`);
  return missing;
}

function replier(player: Player): Part {
  const reply = new Reply({ context: player.context, linger: 0 });
  for (const name of backs) reply.connect(name);
  const answer = async (): Promise<void> => {
    player.reach(1);
    const request = await player.receive(reply);
    if (request === undefined) return;
    await player.send(reply, request);
    player.reach(0);
  };
  return { step: answer, rest: () => answer().then(() => true), close: () => reply.close() };
}

function requester(player: Player): Part {
  const { isVictim } = player;
  const request = requestOf(player.context);
  let number = 0;
  return {
    async step() {
      await player.send(request, pack(player.number, number));
      while (!(await isAnswered(player, request, number))) {
        if (!isVictim) player.count(AGAIN);
        await player.send(request, pack(player.number, number));
      }
      number++;
      if (!isVictim) player.sent(number);
    },
    close: () => request.close(),
  };
}

function requestOf(context: Context): Request {
  // Which of those behind a proxy is gone is known to nobody: what is not answered is given up.
  const options = { correlate: true, relaxed: true, immediate: true, linger: 0 };
  const request = new Request({ context, ...options });
  for (const name of fronts) request.connect(name);
  return request;
}

/** False if the request is to be sent again: the proxy is gone, or there was no answer in time. */
async function isAnswered(player: Player, request: Request, number: number): Promise<boolean> {
  try {
    const reply = await player.receive(request, ANSWERED_MS);
    if (reply === undefined) {
      if (!player.isVictim) player.count(UNANSWERED);
      return false;
    }
    assert.deepEqual(unpack(reply[0]), { sender: player.number, number }, "its own answer");
    return true;
  } catch (error) {
    expect("EHOSTUNREACH")(error);
    return false;
  }
}

/** What was not answered was in the hands of a killed replier, or, if it was large, of a proxy. */
function verdictOfRequests(player: Player, hands: number): number {
  const unanswered = player.counted(UNANSWERED);
  const most = hands + player.counted(PROXIES);
  assert.ok(unanswered <= most, `${unanswered} requests were not answered, and ${most} may be`);
  return unanswered;
}
