// SPDX-License-Identifier: MIT

/**
 * play_pair — PAIR and CHANNEL. Each survivor has one that is bound, and one that is connected; at
 * the other ends are victims, one after the other. The calls of who has lost its peer settle, and
 * the next victim takes the place.
 */
import assert from "node:assert/strict";
import { Channel, Pair } from "threadmq";
import { pack, unpack } from "./bodies.ts";
import {
  expect,
  FROM_VICTIMS,
  Order,
  PATIENCE,
  type Part,
  type Play,
  type Player,
  tolerate,
} from "./player.ts";

/** In ms: so long one waits for a peer. */
const SHORT = 2;

type Kind = (options: object) => Pair | Channel;

function playOf(kind: Kind): Play {
  const stays = (player: Player) => stayOf(player, kind);
  const goes = (player: Player) => guestOf(player, kind);
  return { survivors: [stays, stays, stays], victims: [goes] };
}

export const pair: Play = playOf((options) => new Pair(options));
export const channel: Play = playOf((options) => new Channel(options));

interface End {
  readonly socket: Pair | Channel;
  /** How many messages were sent there, to all who came. */
  sent: number;
  readonly order: Order;
}

function stayOf(player: Player, kind: Kind): Part {
  const { context, number, random } = player;
  const ends = ["bound", "connected"].map((how): End => {
    const socket = kind({ context, sendHighWaterMark: 5, linger: 0 });
    if (how === "bound") socket.bindSync(`inproc://stay${number}`);
    else socket.connect(`inproc://guest${number}`);
    return { socket, sent: 0, order: new Order() };
  });
  let sent = 0;
  const send = async (end: End): Promise<boolean> => {
    try {
      await player.send(end.socket, pack(number, end.sent), {}, SHORT);
    } catch (error) {
      expect("EAGAIN")(error);
      return false; // Nobody is there, or there is no room.
    }
    end.sent++;
    player.sent(++sent);
    return true;
  };
  const receive = async ({ socket, order }: End): Promise<boolean> => {
    const message = await player.receive(socket, SHORT);
    if (message === undefined) return false;
    const from = unpack(message[0]);
    order.check(from.sender, from.number, true);
    player.count(FROM_VICTIMS);
    return true;
  };
  const close = () => {
    for (const { socket } of ends) socket.close();
  };
  return {
    async step() {
      const end = random.pick(ends);
      const act = random.next(2) === 0 ? send : receive;
      for (let more = random.next(20); more >= 0 && (await act(end)); more--);
    },
    async rest() {
      close(); // What lies there was for the dead.
      return true;
    },
  };
}

function guestOf(player: Player, kind: Kind): Part {
  const { context, number, place, random } = player;
  let socket = kind({ context, linger: 0 });
  const isBound = random.next(2) === 0;
  if (isBound) socket.bindSync(`inproc://guest${place}`);
  else socket.connect(`inproc://stay${place}`);
  const order = new Order();
  let sent = 0;
  const receive = async (): Promise<boolean> => {
    const message = await player.receive(socket);
    if (message === undefined) return false;
    const from = unpack(message[0]);
    assert.equal(from.sender, place);
    order.check(from.sender, from.number, false);
    return true;
  };
  return {
    async begin() {
      const end = performance.now() + PATIENCE;
      for (let begun = false; !begun; ) {
        assert.ok(performance.now() < end, `victim ${number} has taken its place`);
        try {
          begun = await receive();
        } catch (error) {
          expect("EADDRINUSE")(error); // The one before it was not yet missed.
          socket.close();
          socket = kind({ context, linger: 0 });
          tolerate("EADDRINUSE", () => socket.connect(`inproc://stay${place}`));
        }
      }
    },
    async step() {
      if (random.next(2) === 0) await receive();
      else {
        await player.send(socket, pack(number, sent));
        sent++;
      }
    },
  };
}
