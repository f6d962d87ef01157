// SPDX-License-Identifier: MIT

/**
 * Watermarks of every type that sends: within one thread and between threads, by promises, by
 * blocking calls, and by attempts.
 *
 *   1. At each level of a queue, and after each number of receives, exactly so many more messages
 *      are accepted as are missing to the sum of both marks.
 *   2. A change of either mark counts at once, up and down, at each level.
 *   3. Who is full can send again as soon as one message was received.
 *
 * Whether a message was accepted is what the call says; or, where what has no room is dropped, the
 * count of those. The message is then missing, and the others arrive in order.
 */
import assert from "node:assert/strict";
import { describe } from "node:test";
import {
  type Actor,
  DISTANCES,
  far,
  type Ground,
  type Place,
  play,
  zmq,
} from "../support/ground.ts";
import { NAME } from "../support/links.ts";
import { type Kind, WAYS, type Way } from "../support/stage.ts";

const SEND = 2;
const RECEIVE = 3;

/** A link, in the direction that is looked at. */
interface Line {
  readonly from: Actor;
  readonly to: Actor;
  /** What a call of `send` gets, for a text. */
  readonly call: (text: string) => readonly [message: unknown, options?: object];
  /** Called before each message: makes it the sender's turn. */
  readonly ready?: () => Promise<void>;
}

type Meeting = Pick<Line, "call" | "ready">;

interface Type {
  readonly from: Kind;
  readonly to: Kind;
  readonly options?: object;
  /** Options of the other end. */
  readonly others?: object;
  /** Whether what has no room is dropped. */
  readonly drops?: boolean;
  /**
   * Whether there is room again only when all that had come was received: an XPUB reads at once,
   * for there may be subscriptions.
   */
  readonly whole?: boolean;
  /** What is done once both are linked. @param number What the connect has said. */
  readonly meet?: (
    line: Pick<Line, "from" | "to">,
    number: number | undefined,
    binds: "from" | "to",
  ) => Promise<Meeting>;
}

const twoParts = async (): Promise<Meeting> => ({ call: (text) => [[text, "part"]] });
const onePart = async (): Promise<Meeting> => ({ call: (text) => [text] });
const toX = async (): Promise<Meeting> => ({ call: (text) => [["X", text]] });
const toSubscriber = async ({ to }: Pick<Line, "to">): Promise<Meeting> => {
  await to.call("subscribe", "");
  return twoParts();
};
const toGroup = async ({ to }: Pick<Line, "to">): Promise<Meeting> => {
  await to.call("join", "g");
  return { call: (text) => [text, { group: "g" }] };
};
/** The other end says something first, and is known by its number from then on. */
const toNumber: Type["meet"] = async ({ from, to }, number) => {
  await to.call("send", "hello", number === undefined ? {} : { routingId: number });
  const [, { routingId }] = await from.call("receive");
  return { call: (text) => [text, { routingId }] };
};
const toPeer: Type["meet"] = async (line, number, binds) => {
  if (binds === "from") return (toNumber as NonNullable<Type["meet"]>)(line, number, binds);
  return { call: (text) => [text, { routingId: number }] };
};
/** Before each reply there is a request. */
const reply: Type["meet"] = async ({ from, to }) => ({
  call: (text) => [text],
  ready: async () => {
    await to.send([["", "request"]]);
    await from.receive(1);
  },
});

const X = { routingId: "X" };
const NO_DROP = { noDrop: true };
const TYPES: readonly Type[] = [
  { from: "Push", to: "Pull" },
  { from: "Scatter", to: "Gather", meet: onePart },
  { from: "Pair", to: "Pair" },
  { from: "Channel", to: "Channel", meet: onePart },
  { from: "Dealer", to: "Dealer" },
  { from: "Dealer", to: "Router" },
  { from: "Request", to: "Router", options: { relaxed: true } },
  { from: "Reply", to: "Dealer", drops: true, meet: reply },
  { from: "Router", to: "Dealer", others: X, drops: true, meet: toX },
  { from: "Router", to: "Dealer", options: { mandatory: true }, others: X, meet: toX },
  { from: "Client", to: "Server", meet: onePart },
  { from: "Server", to: "Client", meet: toNumber },
  { from: "Peer", to: "Peer", meet: toPeer },
  { from: "Publisher", to: "Subscriber", drops: true, meet: toSubscriber },
  { from: "Publisher", to: "Subscriber", options: NO_DROP, meet: toSubscriber },
  { from: "Publisher", to: "Subscriber", others: { whenFull: "block" }, meet: toSubscriber },
  {
    from: "XPublisher",
    to: "XSubscriber",
    drops: true,
    meet: async ({ to }) => {
      await to.send(["\x01"]);
      return twoParts();
    },
  },
  { from: "XPublisher", to: "Subscriber", options: NO_DROP, meet: toSubscriber },
  { from: "XSubscriber", to: "XPublisher", drops: true, whole: true },
  { from: "Radio", to: "Dish", drops: true, meet: toGroup },
  { from: "Radio", to: "Dish", options: NO_DROP, meet: toGroup },
];

/** Who binds: who sends, or who receives. */
const BINDERS = ["from", "to"] as const;

async function open(g: Ground, type: Type, place: Place, binds: "from" | "to"): Promise<Line> {
  const from = await g.open(type.from, { sendHighWaterMark: SEND, ...type.options });
  const to = await g.open(type.to, { receiveHighWaterMark: RECEIVE, ...type.others }, place);
  const [binder, connecter] = binds === "from" ? [from, to] : [to, from];
  await binder.bind(NAME);
  const number = await connecter.call(type.to === "Peer" ? "connectPeer" : "connect", NAME);
  return { from, to, ...(await (type.meet ?? twoParts)({ from, to }, number, binds)) };
}

/** Sends a message; whether it was accepted. */
async function offer(line: Line, { drops = false }: Type, text: string, way: Way) {
  await line.ready?.();
  const [message, options = {}] = line.call(text);
  const droppedBefore = (await line.from.call("stats")).dropped;
  let isSent = true;
  if (way === "try") isSent = await line.from.call("trySend", message, options);
  else {
    const method = way === "sync" ? "sendSync" : "send";
    await line.from.call(method, message, { ...options, timeout: 0 }).catch((error) => {
      zmq("EAGAIN")(error);
      isSent = false;
    });
  }
  if (!drops) return isSent;
  assert.ok(isSent, "it never waits");
  return (await line.from.call("stats")).dropped === droppedBefore;
}

/** A queue, and what is to be in it. */
class Queue {
  readonly #line: Line;
  readonly #type: Type;
  readonly #way: Way;
  readonly #waiting: string[] = [];
  #last = 0;

  constructor(line: Line, type: Type, way: Way) {
    this.#line = line;
    this.#type = type;
    this.#way = way;
  }

  /** Offers so many messages: the first of them are accepted, and the rest is not. */
  async accepts(count: number, of: number, when: string): Promise<void> {
    for (let n = 0; n < of; n++) {
      const text = `message ${++this.#last}`;
      const isAccepted = await offer(this.#line, this.#type, text, this.#way);
      assert.equal(isAccepted, n < count, `${when}: message ${n + 1} of ${count}`);
      if (isAccepted) this.#waiting.push(text);
    }
  }

  async receive(count: number): Promise<void> {
    if (count > 0) this.#got(await this.#line.to.receive(count, this.#way));
  }

  async empty(): Promise<void> {
    this.#got(await this.#line.to.drain());
    assert.deepEqual(this.#waiting, [], "all was received");
  }

  /** By whatever it is surrounded: a routing id's four bytes may be any, so a text is longer. */
  #got(messages: string[]): void {
    const texts = messages.map((message) => /message \d+/.exec(message)?.[0]);
    assert.deepEqual(texts, this.#waiting.splice(0, texts.length));
  }
}

function nameOf({ from, to, options, others }: Type): string {
  const given = Object.keys({ ...options, ...others }).filter((key) => key !== "routingId");
  return [`${from} to ${to}`, ...given].join(", ");
}

const CHANGES = [
  [1, 1],
  [1, RECEIVE],
  [SEND, 1],
  [4, RECEIVE],
  [SEND, 6],
  [1, 6],
  [0, RECEIVE],
  [SEND, 0],
] as const;

for (const distance of DISTANCES) {
  for (const way of WAYS) {
    describe(`${distance}, by ${way}`, () => {
      for (const type of TYPES) {
        for (const binds of BINDERS) {
          play(`1: exact at every level, ${nameOf(type)}, ${type[binds]} bound`, async (g) => {
            const queue = new Queue(await open(g, type, far(g, distance), binds), type, way);
            for (let level = 0; level <= SEND + RECEIVE; level++) {
              for (let taken = 0; taken <= level; taken++) {
                if (type.whole && taken % level !== 0) continue;
                await queue.accepts(level, level, "to the level");
                await queue.receive(taken);
                const room = SEND + RECEIVE - level + taken;
                await queue.accepts(room, room + 2, `level ${level}, ${taken} taken`);
                await queue.empty();
              }
            }
          });
        }

        play(`2, 3: each change counts at once, ${nameOf(type)}`, async (g) => {
          const line = await open(g, type, far(g, distance), "to");
          const queue = new Queue(line, type, way);
          for (const [send, receive] of CHANGES) {
            for (let level = 0; level <= SEND + RECEIVE; level++) {
              await line.from.set("sendHighWaterMark", SEND);
              await line.to.set("receiveHighWaterMark", RECEIVE);
              await queue.accepts(level, level, "to the level");
              await line.from.set("sendHighWaterMark", send);
              await line.to.set("receiveHighWaterMark", receive);
              const limit = send * receive === 0 ? 10 : send + receive;
              const room = Math.max(0, limit - level);
              const most = send * receive === 0 ? room : room + 1;
              await queue.accepts(room, most, `level ${level}, then ${send} and ${receive}`);
              if (most > room && level <= limit && !type.whole) {
                await queue.receive(1);
                await queue.accepts(1, 2, "one was received");
              }
              await queue.empty();
            }
          }
        });
      }
    });
  }
}
