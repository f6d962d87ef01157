// SPDX-License-Identifier: MIT

/**
 * play_router — those that know whom they send to: ROUTER with DEALER, SERVER with CLIENT, PEER
 * with PEER. Hubs send everything back to whom it came from. What the living have sent each other
 * comes in order, each message once; a message to the dead is an EHOSTUNREACH, or dropped.
 */
import assert from "node:assert/strict";
import { Client, type Context, Dealer, Peer, Router, Server, type Socket } from "threadmq";
import { pack, unpack } from "./bodies.ts";
import {
  expect,
  FIRST_VICTIM,
  FROM_VICTIMS,
  Order,
  PATIENCE,
  type Part,
  type Play,
  type Player,
} from "./player.ts";

const HUBS = ["inproc://hub0", "inproc://hub2"];
/** So many messages of a survivor may be on their way to one hub and back. */
const WINDOW = 20;

/** How one kind of hub, and those around it, are made and called. */
interface Fabric {
  hub(player: Player): any;
  spoke(context: Context, id: string): any;
  /** Links a spoke with a hub; returns what its messages are to be sent with. */
  link(spoke: any, name: string): object;
  /** Whom a message of a hub's came from, and what it says. */
  open(message: any[]): { from: unknown; part: Buffer };
  /** A message to one who has sent to a hub, and the options of the call. */
  address(from: unknown, part: Buffer): [message: unknown, options: object];
}

const numbered = {
  open: (message: any[]) => ({ from: message[1].routingId, part: message[0] }),
  address: (from: unknown, part: Buffer): [unknown, object] => [part, { routingId: from }],
};

function connect(spoke: Socket, name: string): object {
  spoke.connect(name);
  return {};
}

/** Half of the rounds are mandatory, half hand an id over to who comes with it. */
const isMandatory = (player: Player): boolean => (player.variant & 1) === 1;

const FABRICS: Readonly<Record<"router" | "server" | "peer", Fabric>> = {
  router: {
    hub: (player) => {
      const { context, variant } = player;
      return new Router({ context, mandatory: isMandatory(player), handover: (variant & 2) > 0 });
    },
    spoke: (context, routingId) => new Dealer({ context, routingId, linger: 0 }),
    link: connect,
    open: ([from, part]) => ({ from, part }),
    address: (from, part) => [[from, part], {}],
  },
  server: {
    ...numbered,
    hub: ({ context }) => new Server({ context }),
    spoke: (context) => new Client({ context, linger: 0 }),
    link: connect,
  },
  peer: {
    ...numbered,
    hub: ({ context }) => new Peer({ context }),
    spoke: (context) => new Peer({ context, linger: 0 }),
    link: (spoke: Peer, name) => ({ routingId: spoke.connectPeer(name) }),
  },
};

function playOf(kind: keyof typeof FABRICS): Play {
  const fabric = FABRICS[kind];
  const drops = (player: Player) => kind === "router" && !isMandatory(player);
  const hub = (player: Player) => hubOf(player, fabric, drops(player));
  const spoke = (player: Player) => spokeOf(player, fabric);
  return { survivors: [hub, spoke, hub, spoke], victims: [spoke] };
}

export const router: Play = playOf("router");
export const server: Play = playOf("server");
export const peer: Play = playOf("peer");

function hubOf(player: Player, fabric: Fabric, drops: boolean): Part {
  const socket = fabric.hub(player);
  socket.sendHighWaterMark = 2 * WINDOW;
  socket.bindSync(`inproc://hub${player.number}`);
  const order = new Order();
  const victims: { sender: number; from: unknown }[] = [];
  const give = async (sender: number, from: unknown, part: Buffer): Promise<void> => {
    const [message, options] = fabric.address(from, part);
    try {
      await player.send(socket, message, options);
    } catch (error) {
      expect("EHOSTUNREACH")(error);
      assert.ok(sender >= FIRST_VICTIM && !drops, `survivor ${sender} can be reached`);
    }
  };
  const serve = async (): Promise<void> => {
    const received = await player.receive<any[]>(socket);
    if (received === undefined) return;
    const { from, part } = fabric.open(received);
    const { sender, number } = unpack(part);
    order.check(sender, number, true);
    if (sender >= FIRST_VICTIM) {
      player.count(FROM_VICTIMS);
      if (number === 0) victims.push({ sender, from });
    }
    await give(sender, from, part);
  };
  return {
    async step() {
      await serve();
      if (victims.length === 0 || player.random.next(5) > 0) return;
      const { sender, from } = player.random.pick(victims.slice(-6));
      await give(sender, from, pack(player.number, 0)); // Most of them are dead.
    },
    rest: () => serve().then(() => true),
    close: () => socket.close(),
  };
}

interface Line {
  readonly socket: any;
  readonly options: object;
  sent: number;
  back: number;
}

function spokeOf(player: Player, fabric: Fabric): Part {
  const { context, isVictim, random } = player;
  // A victim may have the id of the one before it, which is dead.
  const id = isVictim && random.next(2) === 0 ? `place${player.place}` : `spoke${player.number}`;
  const lines = HUBS.map((name): Line => {
    const socket = fabric.spoke(context, id);
    return { socket, options: fabric.link(socket, name), sent: 0, back: 0 };
  });
  // Some let what comes for them lie.
  const reads = !isVictim || random.next(4) > 0;
  const refused = async (call: Promise<unknown>): Promise<void> => {
    // Whoever was there before may have left something unread, and has its id so long.
    await call.catch(isVictim ? expect("EADDRINUSE", "EAGAIN", "EHOSTUNREACH") : undefined);
  };
  const send = async (line: Line): Promise<void> => {
    await player.send(line.socket, pack(player.number, line.sent), line.options);
    line.sent++;
    if (!isVictim) player.sent(lines.reduce((sum, { sent }) => sum + sent, 0));
  };
  const receive = async (line: Line, timeout?: number): Promise<void> => {
    const message = await player.receive<any[]>(line.socket, timeout);
    if (message === undefined) {
      assert.ok(timeout === undefined, `what ${player.number} has sent comes back`);
      return;
    }
    const { sender, number } = unpack(message[0]);
    if (isVictim) return; // It also gets what was for the one before it.
    assert.deepEqual({ sender, number }, { sender: player.number, number: line.back });
    line.back++;
  };
  const step = async (line: Line): Promise<void> => {
    const room = isVictim || line.sent - line.back < WINDOW;
    if (room && random.next(3) > 0) await refused(send(line));
    else if (isVictim && reads) await refused(receive(line));
    else if (line.back < line.sent) await receive(line, PATIENCE);
  };
  return {
    step: () => step(random.pick(lines)),
    async rest() {
      for (const line of lines) while (line.back < line.sent) await receive(line, PATIENCE);
      return true;
    },
    close() {
      for (const { socket } of lines) socket.close();
    },
  };
}
