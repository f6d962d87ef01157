// SPDX-License-Identifier: MIT

/**
 * play_sharing — those that share their messages out: DEALER, CLIENT, SCATTER, and PUSH to PULLs
 * that receive by leases. What a victim has not received goes to others: each message is received
 * once, or was in the hands of the killed.
 */
import assert from "node:assert/strict";
import { Client, Dealer, Gather, Push, Router, Scatter, Server } from "threadmq";
import { pack, unpack } from "./bodies.ts";
import { LeasingPull } from "./leasing.ts";
import {
  FIRST_VICTIM,
  FROM_VICTIMS,
  Order,
  PATIENCE,
  type Part,
  type Play,
  type Player,
  tolerate,
} from "./player.ts";

const SENDERS = [1, 2, 3];
const MORTALS = ["inproc://mortal0", "inproc://mortal1"];
const MARK = 20;

interface Kind {
  from(options: object): any;
  to(player: Player, options: object): any;
  /** What a message of the receiver's says. */
  partOf(message: any[]): Buffer;
  /** An answer to a message of the receiver's; undefined if there is none. */
  answer?(message: any[], part: Buffer): [message: unknown, options?: object];
  /** How long the body of a message is, if not as of all others. */
  lengthOf?(number: number): number;
}

const KINDS: Readonly<Record<"dealer" | "client" | "scatter" | "lease", Kind>> = {
  dealer: {
    from: (options) => new Dealer(options),
    to: ({ variant }, options) =>
      (variant & 1) === 0 ? new Dealer(options) : new Router({ ...options, mandatory: true }),
    partOf: (message) => message.at(-1),
    answer: (message, part) => [[...message.slice(0, -1), part]],
  },
  client: {
    from: (options) => new Client(options),
    to: (_player, options) => new Server(options),
    partOf: ([part]) => part,
    answer: ([, from], part) => [part, from],
  },
  scatter: {
    from: (options) => new Scatter(options),
    to: (_player, options) => new Gather(options),
    partOf: ([part]) => part,
  },
  lease: {
    from: (options) => new Push(options),
    to: (_player, options) => new LeasingPull(options),
    partOf: ([part]) => part,
    lengthOf: (number) => (number % 3 === 0 ? 100 : 5000 + (number % 5) * 10_000),
  },
};

function playOf(kind: Kind): Play {
  const taker = (player: Player) => takerOf(player, kind);
  const giver = (player: Player) => giverOf(player, kind);
  return { survivors: [taker, giver, giver, giver], victims: [taker], verdict };
}

export const dealer: Play = playOf(KINDS.dealer);
export const client: Play = playOf(KINDS.client);
export const scatter: Play = playOf(KINDS.scatter);
export const lease: Play = playOf(KINDS.lease);

function giverOf(player: Player, kind: Kind): Part {
  const { context, number } = player;
  // A small swap: what a victim has left there goes to others before anything new is accepted.
  const swap = number === 3 ? 10_000 : 0;
  const socket = kind.from({ context, sendHighWaterMark: MARK, swap });
  socket.bindSync(`inproc://giver${number}`);
  for (const name of MORTALS) socket.connect(name);
  const order = new Order();
  let sent = 0;
  const hear = (): void => {
    if (kind.answer === undefined) return;
    for (let one = socket.tryReceive(); one !== undefined; one = socket.tryReceive()) {
      const answer = unpack(one.at(-1));
      order.check(answer.sender, answer.number, false);
      if (answer.sender >= FIRST_VICTIM) player.count(FROM_VICTIMS);
    }
  };
  return {
    async step() {
      hear();
      await player.send(socket, pack(number, sent, kind.lengthOf?.(sent)));
      player.sent(++sent);
    },
    async rest() {
      await socket.drain({ timeout: PATIENCE });
      hear();
      return true;
    },
    close: () => socket.close(),
  };
}

function takerOf(player: Player, kind: Kind): Part {
  const { context, isVictim, number, random } = player;
  const receiveHighWaterMark = isVictim ? random.pick([1, 5, 100]) : MARK;
  const socket = kind.to(player, { context, receiveHighWaterMark, linger: 0 });
  const bind = () => socket.bindSync(random.pick(MORTALS));
  // One link with each of them, lest what goes by the one overtakes what goes by the other.
  if (!isVictim || random.next(2) === 0 || !tolerate("EADDRINUSE", bind)) {
    for (const sender of SENDERS) socket.connect(`inproc://giver${sender}`);
  }
  let answers = 0;
  const take = async (): Promise<void> => {
    player.reach(1);
    const message = await player.receive<any[]>(socket);
    if (message === undefined) return;
    const what = unpack(kind.partOf(message));
    player.mark(what.sender, what.number);
    player.reach(0);
    if (!isVictim || kind.answer === undefined) return;
    const [answer, options] = kind.answer(message, pack(number, answers));
    if (socket.trySend(answer, options)) answers++;
  };
  let isLast = false;
  return {
    step: take,
    async rest() {
      // Now it takes what waits for the names of victims, too.
      if (!isLast) for (const name of MORTALS) socket.bindSync(name);
      isLast = true;
      await take();
      return true;
    },
    close: () => socket.close(),
  };
}

function verdict(player: Player, hands: number): number {
  let missing = 0;
  for (const sender of SENDERS) {
    for (let number = 0; number < player.sentBy(sender); number++) {
      const marks = player.marks(sender, number);
      assert.ok(marks <= 1, `message ${number} of ${sender} was received ${marks} times`);
      if (marks === 0) missing++;
    }
  }
  assert.ok(missing <= hands, `${missing} are missing, ${hands} were in the hands of the killed`);
  return missing;
}
