// SPDX-License-Identifier: MIT

/**
 * Whichever way messages are sent, the same arrives at the same peers, and both ends count the
 * same: as by `trySend`, and where the peer is one, what was sent.
 */
import assert from "node:assert/strict";
import { describe } from "node:test";
import {
  Channel,
  Client,
  type Context,
  Dealer,
  Dish,
  Gather,
  json,
  Pair,
  Peer,
  Publisher,
  Pull,
  Push,
  Radio,
  Reply,
  Request,
  Router,
  Scatter,
  Server,
  Subscriber,
  XPublisher,
  XSubscriber,
} from "threadmq";
import { type Ground, play, zmq } from "../support/ground.ts";
import { SENDING, type WayToSend } from "../support/ways.ts";

const NAME = "inproc://ways";
const body = (size: number, fill = size) => Buffer.alloc(size, 2 + (fill % 250));
const ONE_PART = [0, 1, 24, 25, 64, 4096, 4097, 70_000, 64, 24, 0].map((size) => [body(size)]);
const MIXED = [
  ...ONE_PART,
  ...[0, 1, 25, 4096, 4097].map((size) => [body(size), body(0), body(4097 - size)]),
  Array.from({ length: 20 }, (_, index) => body(index)),
];
const small = (count: number) => Array.from({ length: count }, (_, i) => [Buffer.from(`m${i}`)]);
const values = [0, 24, 4096, 70_000, 3].map((size) => ({ text: "x".repeat(size) }));

/** Which any codec understands. */
const HELLO = '"hello"';

type Make = new (options: any) => any;

interface Kind {
  readonly Sender: Make;
  readonly Sink: Make;
  /** Messages have one part. */
  readonly onePart?: true;
  /** It has one peer; or each message says which. */
  readonly exclusive?: true;
  /** What a call is told, of which proxies know nothing. */
  readonly told?: (world: World) => object;
  /** What is before the body of a message. */
  readonly before?: (world: World) => unknown[];
  /** What to do when nobody has room, or nobody is there. */
  readonly mute: "waits" | "drops";
  readonly can?: readonly ("conflate" | "subscribe")[];
  /** Links them, if not by a name alone. */
  readonly link?: (socket: any, sink: any) => void;
  /** What a REQ and a REP do around each message. */
  readonly turns?: { before(world: World): void; after(world: World): void };
  /** How many parts a sink receives before the body. */
  readonly envelope?: number;
}

interface World {
  readonly socket: any;
  readonly sinks: any[];
}

const subscribes = (_socket: any, sink: any) => sink.subscribe();
const nothing = () => {};

const KINDS: Readonly<Record<string, Kind>> = {
  PUSH: { Sender: Push, Sink: Pull, mute: "waits", can: ["conflate"] },
  SCATTER: { Sender: Scatter, Sink: Gather, mute: "waits", onePart: true, can: ["conflate"] },
  PAIR: { Sender: Pair, Sink: Pair, mute: "waits", exclusive: true },
  CHANNEL: { Sender: Channel, Sink: Channel, mute: "waits", exclusive: true, onePart: true },
  DEALER: { Sender: Dealer, Sink: Dealer, mute: "waits", can: ["conflate"] },
  CLIENT: { Sender: Client, Sink: Server, mute: "waits", onePart: true },
  SERVER: {
    Sender: Server,
    Sink: Client,
    mute: "waits",
    onePart: true,
    exclusive: true,
    link(socket, sink) {
      sink.sendSync(HELLO);
      [, socket.to] = socket.receiveSync();
    },
    told: ({ socket }) => socket.to,
  },
  PEER: {
    Sender: Peer,
    Sink: Peer,
    mute: "waits",
    onePart: true,
    exclusive: true,
    link(socket, sink) {
      sink.sendSync(HELLO, { routingId: sink.number });
      [, socket.to] = socket.receiveSync();
    },
    told: ({ socket }) => socket.to,
  },
  ROUTER: {
    Sender: Router,
    Sink: Dealer,
    mute: "drops",
    exclusive: true,
    link(socket, sink) {
      sink.sendSync(HELLO);
      [socket.to] = socket.receiveSync();
    },
    before: ({ socket }) => [socket.to],
  },
  PUB: { Sender: Publisher, Sink: Subscriber, mute: "drops", link: subscribes, can: ["conflate"] },
  XPUB: { Sender: XPublisher, Sink: Subscriber, mute: "drops", link: subscribes },
  XSUB: { Sender: XSubscriber, Sink: XPublisher, mute: "drops", can: ["subscribe"] },
  RADIO: {
    Sender: Radio,
    Sink: Dish,
    mute: "drops",
    onePart: true,
    link: (_socket, sink) => sink.join("all"),
    told: () => ({ group: "all" }),
  },
  REQ: {
    Sender: Request,
    Sink: Reply,
    mute: "waits",
    turns: {
      before: nothing,
      after: ({ socket }) => socket.receiveSync(),
    },
  },
  REP: {
    Sender: Reply,
    Sink: Dealer,
    mute: "drops",
    exclusive: true,
    envelope: 1,
    turns: {
      before({ socket, sinks: [sink] }) {
        sink.sendSync(["", HELLO]);
        socket.receiveSync();
      },
      after: nothing,
    },
  },
};

/** The sender binds; its peers come one after the other. */
function open(context: Context, kind: Kind, { sinks = 1, sender = {}, sink = {} }: Scene): World {
  const socket = new kind.Sender({ context, sendTimeout: 3000, ...sender });
  if ("receiveTimeout" in socket) socket.receiveTimeout = 3000;
  socket.bindSync(NAME);
  const all = Array.from({ length: sinks }, () => join(context, kind, socket, sink));
  return { socket, sinks: all };
}

function join(context: Context, kind: Kind, socket: any, options: object): any {
  const sink = new kind.Sink({ context, receiveTimeout: 3000, ...options });
  if (sink instanceof Peer) (sink as any).number = sink.connectPeer(NAME);
  else sink.connect(NAME);
  kind.link?.(socket, sink);
  return sink;
}

interface Scene {
  readonly claim: string;
  readonly fits?: (kind: Kind) => boolean;
  readonly ways?: (way: WayToSend) => boolean;
  readonly sinks?: number;
  readonly sender?: object;
  readonly sink?: object;
  readonly messages: (kind: Kind) => readonly unknown[];
  readonly play?: (player: Player) => Promise<void>;
  /** What arrives, if not all that was sent; undefined: what it is by `trySend`. */
  readonly expected?: (kind: Kind) => readonly (readonly Uint8Array[])[] | undefined;
}

/** One run of a scene. */
class Player {
  readonly world: World;
  readonly kind: Kind;
  readonly scene: Scene;
  readonly way: WayToSend;
  readonly context: Context;
  /** What each of the peers has got. */
  readonly arrived: string[][] = [];

  constructor(context: Context, kind: Kind, scene: Scene, way: WayToSend) {
    this.context = context;
    this.kind = kind;
    this.scene = scene;
    this.way = way;
    this.world = open(context, kind, scene);
  }

  async send(messages: readonly unknown[]): Promise<void> {
    const { kind, way, world } = this;
    const before = kind.before?.(world) ?? [];
    const full = messages.map((message) => {
      if (before.length > 0) return [...before, ...(message as unknown[])];
      return message;
    });
    await way.send(world.socket, full, kind.told?.(world));
  }

  async run(): Promise<void> {
    const { scene, kind, world } = this;
    const messages = scene.messages(kind);
    if (scene.play !== undefined) await scene.play(this);
    else if (kind.turns === undefined) await this.send(messages);
    else {
      for (const message of messages) {
        kind.turns.before(world);
        await this.send([message]);
        this.collect();
        kind.turns.after(world);
      }
    }
    this.collect();
  }

  /** Receives all that there is. */
  collect(): void {
    for (const [index, sink] of this.world.sinks.entries()) {
      this.arrived[index] ??= [];
      for (let message = sink.tryReceive(); message !== undefined; ) {
        this.arrived[index].push(this.#textOf(message));
        if (sink instanceof Reply) {
          sink.sendSync(HELLO);
          break; // Till the next request.
        }
        message = sink.tryReceive();
      }
    }
  }

  #textOf(message: any[]): string {
    const { envelope = 0 } = this.kind;
    return textOf(message.slice(envelope).filter((part) => part instanceof Uint8Array));
  }
}

function textOf(parts: readonly Uint8Array[]): string {
  return parts.map((part) => `${part.length}:${Buffer.from(part).toString("latin1")}`).join("|");
}

const whole = ({ onePart }: Kind) => (onePart ? ONE_PART : MIXED);
const noTurns = ({ turns }: Kind) => turns === undefined;
const can = (what: string) => (kind: Kind) =>
  (kind.can as string[] | undefined)?.includes(what) === true;

const SCENES: readonly Scene[] = [
  { claim: "messages of every shape", messages: whole },
  {
    claim: "several peers",
    sinks: 3,
    fits: ({ exclusive }) => exclusive === undefined,
    messages: whole,
    expected: () => undefined,
  },
  {
    claim: "values, by a codec",
    sender: { codec: json() },
    fits: ({ before }) => before === undefined,
    ways: ({ raw }) => raw === undefined,
    messages: () => values,
    expected: () => values.map((value) => [Buffer.from(JSON.stringify(value))]),
  },
  {
    claim: "into a swap",
    fits: (kind) => noTurns(kind) && kind !== KINDS.XSUB,
    sender: { sendHighWaterMark: 2, swap: 8 << 20 },
    sink: { receiveHighWaterMark: 1 },
    messages: whole,
  },
  {
    claim: "without room, where that drops messages",
    fits: (kind) => kind.mute === "drops" && noTurns(kind),
    sender: { sendHighWaterMark: 2 },
    sink: { receiveHighWaterMark: 1 },
    messages: () => small(10),
    expected: () => undefined,
  },
  {
    claim: "only the newest",
    fits: can("conflate"),
    sender: { conflate: true },
    messages: () => small(5),
    expected: () => small(5).slice(-1),
  },
  {
    claim: "calls that wait for a peer",
    fits: ({ mute, told }) => mute === "waits" && told === undefined,
    ways: ({ now }) => now === undefined,
    sinks: 0,
    messages: (kind) => (kind.turns === undefined ? whole(kind) : small(1)),
    async play(player) {
      const { kind, world, context, scene } = player;
      const sent = player.send(scene.messages(kind));
      world.sinks.push(join(context, kind, world.socket, {}));
      await sent;
      player.collect();
      if (world.socket instanceof Request) await world.socket.receive();
    },
  },
  {
    claim: "calls that wait for room",
    fits: (kind) => kind.mute === "waits" && noTurns(kind),
    ways: ({ now }) => now === undefined,
    sender: { sendHighWaterMark: 2 },
    sink: { receiveHighWaterMark: 1 },
    messages: whole,
    async play(player) {
      const { kind, world, scene } = player;
      const messages = scene.messages(kind);
      const sent = player.send(messages);
      while ((player.arrived[0]?.length ?? 0) < messages.length) {
        player.collect();
        await new Promise((resolve) => setImmediate(resolve));
      }
      await sent;
      assert.equal(world.socket.stats().pending, 0);
    },
  },
  {
    claim: "what is no message, between others",
    ways: (way) => way.raw === undefined && way !== SENDING["send at once"],
    fits: (kind) => noTurns(kind) && kind.before === undefined,
    messages: () => [...small(2), [5], ...small(2)],
    async play(player) {
      await assert.rejects(player.send(player.scene.messages(player.kind)), zmq("EINVAL"));
    },
    expected: () => small(2),
  },
  {
    claim: "subscriptions between messages",
    fits: can("subscribe"),
    messages: () => ["\x01a", "x", "\x01b", "\x00a", "y", ["\x01c", "z"]].map(toBytes),
    expected: () => ["\x01a", "x", "\x01b", "\x00a", "y", "\x01c", "z"].map(toBytes),
  },
];

function toBytes(message: string | string[]): Buffer[] {
  return [message].flat().map((part) => Buffer.from(part));
}

async function runs(g: Ground, kind: Kind, scene: Scene): Promise<void> {
  let first: { arrived: string[][]; stats: object[] } | undefined;
  for (const [name, way] of Object.entries(SENDING)) {
    if (way.tells === false && kind.told !== undefined) continue;
    if (scene.ways?.(way) === false) continue;
    const player = new Player(g.context, kind, scene, way);
    const { socket, sinks } = player.world;
    try {
      await player.run();
      const { arrived } = player;
      const sent = scene.messages(kind) as readonly Uint8Array[][];
      const expected = scene.expected === undefined ? sent : scene.expected(kind);
      if (expected !== undefined) assert.deepEqual(arrived, [expected.map(textOf)]);
      const stats = [socket, ...sinks].map((one) => one.stats());
      first ??= { arrived, stats };
      assert.deepEqual(arrived, first.arrived);
      assert.deepEqual(stats, first.stats);
    } catch (error) {
      (error as Error).message = `by ${name}: ${(error as Error).message}`;
      throw error;
    } finally {
      for (const one of [...sinks, socket]) one.close();
    }
  }
}

for (const [type, kind] of Object.entries(KINDS)) {
  describe(`${type}: every way of sending does the same`, () => {
    for (const scene of SCENES) {
      if (scene.fits?.(kind) !== false) play(scene.claim, (g) => runs(g, kind, scene));
    }
  });
}

describe("REQ", () => {
  const calls = ["send", "sendMany", "sendMany of a generator"] as const;
  for (const call of calls) {
    play(`who waits for the reply to a ${call} that waits gets it`, async (g) => {
      const { context } = g;
      using request = new Request({ context, immediate: true });
      request.connect(NAME);
      const sent = SENDING[call]?.send(request, ["is it so?"]);
      const reply = request.receive({ timeout: 3000 });
      using replier = new Reply({ context });
      replier.bindSync(NAME);
      assert.equal(`${await replier.receive()}`, "is it so?");
      await replier.send("so it is");
      assert.equal(`${await reply}`, "so it is");
      await sent;
    });

    play(`relaxed: what a ${call} gives up it gives up also when it had to wait`, async (g) => {
      const { context } = g;
      using request = new Request({ context, relaxed: true, correlate: true, immediate: true });
      request.connect(NAME);
      const sent = SENDING[call]?.send(request, ["first", "second"]);
      using replier = new Reply({ context });
      replier.bindSync(NAME);
      await sent;
      for (const text of ["first", "second"]) {
        assert.equal(`${await replier.receive()}`, text);
        await replier.send(`${text}, yes`);
      }
      assert.equal(`${await request.receive({ timeout: 3000 })}`, "second, yes");
    });
  }
});
