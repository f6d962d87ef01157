// SPDX-License-Identifier: MIT

/**
 * Whichever way a message is received, it is the same message, in the same order, with the same
 * that its socket knows of it; and the socket counts the same.
 *
 * Each type of socket is put into each scene once for each way. What is to come of it is known
 * beforehand, but for the counts: those are as by `tryReceive`.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { describe } from "node:test";
import { type Context, Reply, Request, Subscriber, XPublisher } from "threadmq";
import { toReadable } from "threadmq/node-streams";
import { type Ground, play, zmq } from "../support/ground.ts";
import { putBack, RECEIVING, type Seen, type WayToReceive } from "../support/ways.ts";
import { close, codecOf, KINDS, type Kind, NAME, open, type World } from "../support/worlds.ts";

/** Around what is copied byte by byte, lies in a record, or has a block of its own. */
const SIZES = [0, 1, 24, 25, 64, 4096, 4097, 70_000];

const body = (size: number, fill: number) => Buffer.alloc(size, 2 + (fill % 250));

const ONE_PART: readonly Buffer[][] = [...SIZES, 24, 64, 64, 4097, 4097, 1, 0, 64].map(
  (size, index) => [body(size, index)],
);

const MIXED: readonly Buffer[][] = [
  ...ONE_PART,
  ...[0, 1, 25, 4096, 4097].map((size) => [body(size, 7), body(0, 0), body(4097 - size, 9)]),
  [body(0, 0), body(0, 0)],
  Array.from({ length: 20 }, (_, index) => body(index, index)),
];

const small = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => [Buffer.from(`message ${from + index}`)]);

const values = [64, 3, 5000, 1, 4096, 0, 70_000, 12].map((size, number) => {
  return [Buffer.from(JSON.stringify({ number, text: "x".repeat(size) }))];
});

function textOf(part: Uint8Array): string {
  if (part.length <= 64) return Buffer.from(part).toString("latin1");
  return `${part.length} bytes ${createHash("sha1").update(part).digest("hex")}`;
}

/** Which messages are used, how the sockets are opened, and what happens. */
interface Scene {
  readonly claim: string;
  readonly fits?: (kind: Kind) => boolean;
  readonly ways?: (way: WayToReceive) => boolean;
  readonly senders?: number;
  readonly receiver?: object;
  readonly sender?: object;
  readonly codec?: true;
  readonly messages: (kind: Kind) => readonly (readonly Buffer[])[];
  /** If not: all are sent, and then received. */
  readonly play?: (player: Player) => Promise<void>;
  /** What is received, if not all of them. */
  readonly expected?: (kind: Kind) => Partial<Seen>[];
}

/** One run of a scene. */
class Player {
  world: World;
  readonly kind: Kind;
  readonly scene: Scene;
  readonly way: WayToReceive;
  readonly context: Context;
  readonly seen: Seen[] = [];

  constructor(context: Context, kind: Kind, scene: Scene, way: WayToReceive) {
    this.context = context;
    this.kind = kind;
    this.scene = scene;
    this.way = way;
    const codec = scene.codec === undefined ? {} : { codec: codecOf(kind) };
    this.world = open(context, kind, { ...scene, receiver: { ...scene.receiver, ...codec } });
  }

  get messages(): readonly (readonly Buffer[])[] {
    return this.scene.messages(this.kind);
  }

  /** Sends each of these by the next of the senders. */
  feed(messages: readonly (readonly Buffer[])[]): void {
    const { senders } = this.world;
    for (const [index, parts] of messages.entries()) this.world.feed(index % senders.length, parts);
  }

  /** Receives until it has seen so many. Some ways give more, if there are more. */
  async take(total: number): Promise<void> {
    const { socket } = this.world;
    const count = total - this.seen.length;
    if (count <= 0) return;
    await this.way.take(socket, count, (message) => this.seen.push(this.#see(message)));
  }

  async run(): Promise<void> {
    const { kind, scene, world, messages } = this;
    if (scene.play !== undefined) return scene.play(this);
    if (kind.turns === undefined) {
      this.feed(messages);
      return this.take(messages.length);
    }
    for (const [index, message] of messages.entries()) {
      kind.turns.before(world);
      this.feed([message]);
      await this.take(index + 1);
      kind.turns.after(world);
    }
  }

  #see(message: any): Seen {
    const { kind, way, scene } = this;
    const { socket } = this.world;
    assert.notEqual(message, undefined, "there is a message");
    const isTold = kind.shows === "about" && way.bare === undefined;
    const isValue = scene.codec !== undefined && way.raw === undefined;
    if (isTold) assert.equal(message.length, 2);
    const inside = isTold ? message[0] : message;
    let parts: Uint8Array[] = isTold ? [inside] : inside;
    if (isValue) {
      const [id, value] = kind.shows === "id" ? message : [undefined, inside];
      const bytes = Buffer.from(JSON.stringify(value));
      parts = id === undefined ? [bytes] : [id, bytes];
    }
    for (const part of parts) assert.ok(part instanceof Uint8Array, "a part is bytes");
    const isKnown = way.bare === undefined;
    return {
      parts: parts.map(textOf),
      about: isTold ? JSON.stringify(message[1]) : "",
      missed: isKnown ? (socket.missedBefore?.(message) ?? 0) : 0,
      redelivered: isKnown && (socket.isRedelivered?.(message) ?? false),
    };
  }
}

function any(): boolean {
  return true;
}

const whole = ({ onePart }: Kind) => (onePart ? ONE_PART : MIXED);
const noTurns = ({ turns }: Kind) => turns === undefined;
const can = (what: string) => (kind: Kind) =>
  (kind.can as string[] | undefined)?.includes(what) === true;

/** The first ones were received, and not acknowledged. */
function inOtherHands(claim: string, what: Pick<Scene, "messages" | "codec">): Scene {
  const [handed, kept] = [4, 2];
  return {
    ...what,
    claim,
    fits: can("acknowledge"),
    receiver: { acknowledge: true },
    async play(player) {
      const { world, messages, kind, context, scene } = player;
      player.feed(messages);
      const first = world.socket;
      first.receiveManySync(handed - kept);
      first.receiveManySync(kept); // Asking for these acknowledges those before.
      first.close();
      const codec = scene.codec === undefined ? {} : { codec: codecOf(kind) };
      const socket = kind.receiver(context, { acknowledge: true, ...codec });
      socket.bindSync(NAME);
      player.world = { ...world, socket };
      await player.take(messages.length - handed + kept);
    },
    expected(kind) {
      const left = seenOf(what.messages(kind).slice(handed - kept));
      return left.map((seen, index) => ({ ...seen, redelivered: index < kept }));
    },
  };
}

/** The room is for four; three are sent without. */
function between(claim: string, what: Pick<Scene, "messages" | "codec">): Scene {
  return {
    ...what,
    claim,
    fits: can("miss"),
    receiver: { receiveHighWaterMark: 2 },
    sender: { sendHighWaterMark: 2 },
    async play(player) {
      const { messages } = player;
      player.feed([...messages.slice(0, 4), ...messages.slice(0, 3)]);
      await player.take(4);
      player.feed(messages.slice(4));
      await player.take(messages.length);
    },
    expected: (kind) => {
      const all = seenOf(what.messages(kind));
      return all.map((seen, index) => ({ ...seen, missed: index === 4 ? 3 : 0 }));
    },
  };
}

const SCENES: readonly Scene[] = [
  { claim: "messages of every shape", messages: whole },
  {
    claim: "calls that wait for them",
    ways: ({ now }) => now === undefined,
    messages: whole,
    async play(player) {
      const { kind, world, messages } = player;
      const { turns } = kind;
      for (const some of turns === undefined ? [messages] : messages.map((one) => [one])) {
        turns?.before(world);
        const taken = player.take(player.seen.length + some.length);
        player.feed(some);
        await taken;
        turns?.after(world);
      }
    },
  },
  {
    claim: "several senders",
    senders: 3,
    fits: ({ exclusive }) => exclusive === undefined,
    messages: (kind) => [...small(7), ...whole(kind)],
  },
  {
    claim: "bodies that another has, too",
    fits: can("miss"),
    messages: whole,
    async play(player) {
      const { kind, world, context, messages } = player;
      using other = kind.receiver(context, {});
      const [sender] = world.senders;
      other.bindSync("inproc://other");
      sender.connect("inproc://other");
      if (other.join !== undefined) other.join("all");
      else other.subscribe();
      player.feed(messages);
      await player.take(messages.length);
      assert.equal(other.receiveManySync(1000).length, messages.length);
    },
  },
  { claim: "values, by a codec", codec: true, messages: () => values },
  {
    claim: "a message that was put back",
    fits: noTurns,
    messages: whole,
    async play(player) {
      player.feed(player.messages);
      await putBack(player.world.socket);
      if (player.way.bare === undefined) await player.take(3); // A proxy would take all.
      if (player.seen.length <= 3) await putBack(player.world.socket);
      await player.take(player.messages.length);
    },
  },
  {
    claim: "a value that was put back",
    codec: true,
    fits: noTurns,
    messages: () => values,
    async play(player) {
      player.feed(player.messages);
      await putBack(player.world.socket);
      await player.take(player.messages.length);
    },
  },
  {
    claim: "from a swap",
    // An XPUB hears of messages, which here is one call later.
    fits: (kind) => noTurns(kind) && kind !== KINDS.XPUB,
    receiver: { receiveHighWaterMark: 1 },
    sender: { sendHighWaterMark: 2, swap: 8 << 20 },
    messages: whole,
  },
  {
    claim: "with acknowledgement",
    fits: can("acknowledge"),
    receiver: { acknowledge: true },
    messages: whole,
  },
  inOtherHands("of which another had some in hand that has closed", { messages: () => MIXED }),
  inOtherHands("values, likewise", { codec: true, messages: () => values }),
  {
    claim: "the newest, and no other",
    fits: can("conflate"),
    receiver: { conflate: true },
    messages: () => small(4),
    async play(player) {
      for (const size of [64, 5000]) {
        player.feed([...small(3), [body(size, size)]]);
        await player.take(player.seen.length + 1);
      }
    },
    expected: () => seenOf([[body(64, 64)], [body(5000, 5000)]]),
  },
  between("what was dropped in between", { messages: () => small(8) }),
  between("what was dropped between values", { codec: true, messages: () => values }),
  {
    claim: "what is not wanted any more is not received",
    fits: can("unsubscribe"),
    messages: () => small(4),
    async play(player) {
      const { world } = player;
      const { socket } = world;
      const [sender] = world.senders;
      const isDish = socket.join !== undefined;
      if (isDish) socket.join("some");
      else socket.subscribe("other");
      for (let i = 0; i < 6; i++) {
        if (isDish) sender.sendSync(`message ${i}`, { group: i % 2 === 0 ? "all" : "some" });
        else sender.sendSync(i % 2 === 0 ? `other ${i}` : `message ${i}`);
      }
      if (isDish) socket.leave("some");
      else socket.unsubscribe();
      await player.take(3);
    },
    expected: (kind) => {
      const what = kind.shows === "about" ? "message" : "other";
      return seenOf([0, 2, 4].map((i) => [Buffer.from(`${what} ${i}`)]));
    },
  },
  {
    claim: "what a codec does not understand is told once, between those that it does",
    codec: true,
    fits: noTurns,
    ways: ({ bare }) => bare === undefined, // It is passed on.
    messages: () => values,
    async play(player) {
      player.feed([...values.slice(0, 4), [Buffer.from("{")], ...values.slice(4)]);
      await player.take(4);
      assert.ok(player.world.socket.readable);
      assert.throws(() => player.world.socket.tryReceive(), zmq("EBADMSG"));
      await player.take(values.length);
    },
  },
];

/** What is to be seen of messages. */
function seenOf(messages: readonly (readonly Uint8Array[])[]): Partial<Seen>[] {
  return messages.map((parts) => ({ parts: parts.map(textOf), missed: 0, redelivered: false }));
}

/** Which sender each has come from, by what the socket says of it. */
function sendersOf(kind: Kind, seen: readonly Seen[]): string[] {
  return seen.map(({ parts, about }) => (kind.shows === "id" ? (parts[0] as string) : about));
}

/** Without what says whom they have come from. */
function withoutSenders(kind: Kind, seen: readonly Seen[]): Partial<Seen>[] {
  return seen.map(({ parts, missed, redelivered }) => {
    return { parts: kind.shows === "id" ? parts.slice(1) : parts, missed, redelivered };
  });
}

function check({ kind, scene, way, seen, world }: Player): void {
  const expected = scene.expected?.(kind) ?? seenOf(scene.messages(kind));
  const actual = withoutSenders(kind, seen);
  const isInOrder = world.senders.length === 1;
  const told = expected.map((one) => (way.bare ? { ...one, missed: 0, redelivered: false } : one));
  if (isInOrder) assert.deepEqual(actual, told);
  else {
    const sorted = (all: Partial<Seen>[]) => all.map((one) => JSON.stringify(one)).sort();
    assert.deepEqual(sorted(actual), sorted(told));
  }
  if (kind.shows === undefined || (kind.shows === "about" && way.bare)) return;
  const names = new Set(sendersOf(kind, seen));
  const isGroup = world.socket.join !== undefined;
  assert.equal(names.size, isGroup ? 1 : world.senders.length, `${[...names]}`);
  if (isGroup) assert.deepEqual([...names], ['{"group":"all"}']);
}

async function runs(g: Ground, kind: Kind, scene: Scene): Promise<void> {
  let counts: object | undefined;
  for (const [name, way] of Object.entries(RECEIVING)) {
    if (kind.turns !== undefined && way.turns === false) continue;
    if (scene.ways?.(way) === false) continue;
    const player = new Player(g.context, kind, scene, way);
    try {
      await player.run();
      check(player);
      const { socket, senders } = player.world;
      if (kind.turns === undefined) assert.equal(socket.tryReceive(), undefined);
      socket.acknowledge?.();
      const stats = [socket, ...senders].map((one) => one.stats());
      counts ??= stats;
      assert.deepEqual(stats, counts);
      assert.equal(socket.stats().queuedIn, 0);
    } catch (error) {
      (error as Error).message = `by ${name}: ${(error as Error).message}`;
      throw error;
    } finally {
      close(player.world);
    }
  }
}

for (const [type, kind] of Object.entries(KINDS)) {
  describe(`${type}: every way of receiving gives the same`, () => {
    for (const scene of SCENES) {
      if ((scene.fits ?? any)(kind)) play(scene.claim, (g) => runs(g, kind, scene));
    }
  });
}

describe("what was taken already is the next", () => {
  play(
    "an XPUB decides for whose message was received last: if that was put back, too",
    async (g) => {
      const { context } = g;
      using publisher = new XPublisher({ context, manual: true });
      publisher.bindSync(NAME);
      const [one, other] = ["a", "b"].map((topic) => {
        const subscriber = new Subscriber({ context });
        subscriber.connect(NAME);
        subscriber.subscribe(topic);
        assert.ok(publisher.readable);
        return subscriber;
      }) as [Subscriber, Subscriber];
      const stream = toReadable(publisher);
      await once(stream, "readable");
      assert.equal(`${publisher.tryReceive()}`, "\x01b");
      stream.destroy();
      await once(stream, "close");
      assert.equal(`${publisher.tryReceive()}`, "\x01a");
      publisher.subscribe("a");
      publisher.sendSync("a1");
      assert.equal(`${one.tryReceive()}`, "a1");
      for (const subscriber of [one, other]) subscriber.close();
    },
  );

  for (const way of ["tryReceive", "receive", "receiveMany of all", "leases", "as a poller says"]) {
    play(`a request, and a reply, that were put back: by ${way}`, async (g) => {
      const { context } = g;
      using reply = new Reply({ context });
      using request = new Request({ context });
      reply.bindSync(NAME);
      request.connect(NAME);
      for (const text of ["first", "second"]) {
        const seen: string[] = [];
        const look = (message: unknown) => void seen.push(`${message}`);
        await request.send(text);
        await putBack(reply);
        await RECEIVING[way]?.take(reply, 1, look);
        await reply.send(`${text}, yes`);
        await putBack(request);
        await RECEIVING[way]?.take(request, 1, look);
        assert.deepEqual(seen, [text, `${text}, yes`]);
      }
      assert.throws(() => request.tryReceive(), zmq("EFSM"));
    });
  }
});
