// SPDX-License-Identifier: MIT

/**
 * play_pubsub — PUB and SUB (which may receive by leases), XPUB and XSUB, RADIO and DISH.
 * Subscribers that live, of a publisher that lives and drops nothing for them, receive all that was
 * published after `subscribe` had returned, in order, each message once. Every sixteenth is large,
 * and so is shared by all.
 */
import assert from "node:assert/strict";
import { Dish, Publisher, Radio, Subscriber, XPublisher, XSubscriber } from "threadmq";
import { pack, unpack } from "./bodies.ts";
import { LeasingSubscriber } from "./leasing.ts";
import {
  expect,
  FIRST_VICTIM,
  FROM_VICTIMS,
  Order,
  type Part,
  type Play,
  type Player,
} from "./player.ts";

const LARGE = 65_536;
const TOPICS = ["t0", "t1"];
/** The publishers that are survivors. The first is bound, the other connects to subscribers. */
const PUBLISHERS = [0, 2];
const BOUND = "inproc://publisher0";
const SUBSCRIBERS = [1, 3].map((number) => `inproc://subscriber${number}`);
/** What victims bind that subscribe, and that publish. */
const HEARERS = [0, 1, 2].map((place) => `inproc://hearer${place}`);
const SPEAKERS = [0, 1, 2].map((place) => `inproc://speaker${place}`);

interface Kind {
  publisher(options: object): any;
  subscriber(options: object): any;
  /** A message, and the options of the call. */
  message(topic: string, part: Buffer): [message: unknown, options?: object];
  open(message: any[]): { topic: string; part: Buffer };
  subscribe(socket: any, topic: string): void;
  unsubscribe(socket: any, topic: string): void;
  /** Whether what was on its way is received although it is no longer subscribed to. */
  readonly isLate: boolean;
}

const byPrefix = {
  message: (topic: string, part: Buffer): [unknown] => [[topic, part]],
  open: ([topic, part]: any[]) => ({ topic: `${topic}`, part }),
};

const PUBSUB: Kind = {
  ...byPrefix,
  publisher: (options) => new Publisher(options),
  subscriber: (options) => new Subscriber(options),
  subscribe: (socket, topic) => socket.subscribe(topic),
  unsubscribe: (socket, topic) => socket.unsubscribe(topic),
  isLate: false,
};

const KINDS: Readonly<Record<"pubsub" | "pubsubLease" | "xpubsub" | "radio", Kind>> = {
  pubsub: PUBSUB,
  pubsubLease: { ...PUBSUB, subscriber: (options) => new LeasingSubscriber(options) },
  xpubsub: {
    ...byPrefix,
    publisher: (options) => new XPublisher(options),
    subscriber: (options) => new XSubscriber(options),
    subscribe: (socket, topic) => socket.sendSync(`\x01${topic}`),
    unsubscribe: (socket, topic) => socket.sendSync(`\x00${topic}`),
    isLate: true,
  },
  radio: {
    publisher: (options) => new Radio(options),
    subscriber: (options) => new Dish(options),
    message: (group, part) => [part, { group }],
    open: ([part, { group }]) => ({ topic: group, part }),
    subscribe: (socket, topic) => socket.join(topic),
    unsubscribe: (socket, topic) => socket.leave(topic),
    isLate: false,
  },
};

function playOf(kind: Kind): Play {
  const publisher = (player: Player) => publisherOf(player, kind);
  const subscriber = (player: Player) => subscriberOf(player, kind);
  const hearer = (player: Player) => hearerOf(player, kind);
  return {
    survivors: [publisher, subscriber, publisher, subscriber],
    victims: [hearer, hearer, publisher],
  };
}

export const pubsub: Play = playOf(KINDS.pubsub);
export const pubsubLease: Play = playOf(KINDS.pubsubLease);
export const xpubsub: Play = playOf(KINDS.xpubsub);
export const radio: Play = playOf(KINDS.radio);

function publisherOf(player: Player, kind: Kind): Part {
  const { context, isVictim, number, random, variant } = player;
  // Else it is the subscribers that want nothing dropped; they cannot have said so to who connects
  // to them before their thread has heard of it.
  const isBound = number === PUBLISHERS[0];
  const noDrop = isVictim ? random.next(2) === 0 : !isBound || (variant & 1) === 1;
  const socket = kind.publisher({ context, noDrop, sendHighWaterMark: 20, linger: 0 });
  if (isVictim && random.next(2) === 0) socket.bindSync(SPEAKERS[player.place]);
  else if (isVictim) for (const name of SUBSCRIBERS) socket.connect(name);
  else if (isBound) socket.bindSync(BOUND);
  else for (const name of [...SUBSCRIBERS, ...HEARERS]) socket.connect(name);
  const next = [0, 0];
  const wanted = new Map<string, boolean>();
  const hear = (): void => {
    if (!(socket instanceof XPublisher)) return;
    for (let one = socket.tryReceive(); one !== undefined; one = socket.tryReceive()) {
      const topic = `${one[0]?.subarray(1)}`;
      const isWanted = one[0]?.[0] === 1;
      assert.notEqual(isWanted, wanted.get(topic) ?? false, `${topic} is wanted: a change`);
      wanted.set(topic, isWanted);
    }
  };
  return {
    async step() {
      hear();
      const topic = random.next(TOPICS.length);
      const own = next[topic] as number;
      // First it says so: who subscribes meanwhile may get this one, and may not.
      if (!isVictim) player.sent(own + 1, topic);
      const part = own % 16 === 0 ? pack(number, own, LARGE) : pack(number, own);
      const [message, options] = kind.message(TOPICS[topic] as string, part);
      await player.send(socket, message, options);
      next[topic] = own + 1;
    },
    async rest() {
      hear();
      // What only the dead had wanted nobody wants any more.
      return [...wanted].every(([topic, isWanted]) => !isWanted || TOPICS.includes(topic));
    },
    close: () => socket.close(),
  };
}

/** What a subscriber has received of one topic of one publisher. */
class Stream {
  /** What was not begun to be sent when `subscribe` had returned is received. */
  since: number | undefined;
  /** If it is not subscribed to: what was not begun to be sent by then is not received. */
  until = 0;
  #last = -1;

  receive(what: string, number: number): void {
    assert.ok(this.since !== undefined || number < this.until, `${what} is subscribed to`);
    const last = this.#last;
    assert.ok(number > last, `${what}: ${number} came after ${last}`);
    const isNext = number === last + 1 || number <= (this.since ?? this.until);
    assert.ok(isNext, `${what}: ${number} came after ${last}, subscribed at ${this.since}`);
    this.#last = number;
  }

  end(what: string, sent: number): void {
    if (this.since === undefined || sent <= this.since) return;
    assert.equal(this.#last, sent - 1, `${what}: the last one is received`);
  }
}

function subscriberOf(player: Player, kind: Kind): Part {
  const { context, number, random } = player;
  const socket = kind.subscriber({ context, receiveHighWaterMark: 20, whenFull: "block" });
  socket.bindSync(`inproc://subscriber${number}`);
  for (const name of [BOUND, ...SPEAKERS]) socket.connect(name);
  const streams = PUBLISHERS.map(() => TOPICS.map(() => new Stream()));
  const ofVictims = new Order();
  const subscribe = (topic: number): void => {
    kind.subscribe(socket, TOPICS[topic] as string);
    for (const [index, publisher] of PUBLISHERS.entries()) {
      const stream = streams[index]?.[topic] as Stream;
      stream.since = player.sentBy(publisher, topic);
    }
  };
  const unsubscribe = (topic: number): void => {
    kind.unsubscribe(socket, TOPICS[topic] as string);
    for (const [index, publisher] of PUBLISHERS.entries()) {
      const stream = streams[index]?.[topic] as Stream;
      stream.since = undefined;
      stream.until = kind.isLate ? player.sentBy(publisher, topic) : 0;
    }
  };
  const receive = async (): Promise<void> => {
    const message = await player.receive<any[]>(socket);
    if (message === undefined) return;
    const { topic, part } = kind.open(message);
    const { sender, number: which } = unpack(part);
    if (sender >= FIRST_VICTIM) {
      player.count(FROM_VICTIMS);
      ofVictims.check(`${sender} ${topic}`, which, false);
      return;
    }
    const stream = streams[PUBLISHERS.indexOf(sender)]?.[TOPICS.indexOf(topic)];
    stream?.receive(`${topic} of ${sender} at ${number}`, which);
  };
  subscribe(0);
  let wantsBoth = false;
  return {
    async step() {
      await receive();
      if (random.next(30) > 0) return;
      if (wantsBoth) unsubscribe(1);
      else subscribe(1);
      wantsBoth = !wantsBoth;
    },
    rest: () => receive().then(() => true),
    close() {
      for (const [index, publisher] of PUBLISHERS.entries()) {
        for (const [topic, name] of TOPICS.entries()) {
          streams[index]?.[topic]?.end(`${name} of ${publisher}`, player.sentBy(publisher, topic));
        }
      }
      socket.close();
    },
  };
}

/** A victim that subscribes. */
function hearerOf(player: Player, kind: Kind): Part {
  const { context, number, place, random } = player;
  const receiveHighWaterMark = random.pick([1, 5, 100]);
  const policies = ["drop-newest", "drop-oldest", "latest-per-topic", "block", "disconnect"];
  const whenFull = random.pick(policies);
  const socket = kind.subscriber({ context, receiveHighWaterMark, whenFull, linger: 0 });
  socket.connect(BOUND);
  if (random.next(2) === 0) socket.bindSync(HEARERS[place]);
  // One that is too slow, and wants no gaps, is told so, be it before it has said what it wants.
  const told = expect(...(whenFull === "disconnect" ? ["EHOSTUNREACH", "EAGAIN"] : ["EAGAIN"]));
  const say = (call: typeof kind.subscribe, topic: string): void => {
    try {
      call(socket, topic);
    } catch (error) {
      told(error);
    }
  };
  say(kind.subscribe, random.pick(TOPICS));
  say(kind.subscribe, `v${number}`); // Nobody else wants that.
  // Some let what comes for them lie.
  const reads = random.next(4) > 0;
  const order = new Order();
  return {
    async step() {
      const message = reads ? await player.receive<any[]>(socket).catch(told) : undefined;
      if (message !== undefined) {
        const { topic, part } = kind.open(message);
        const { sender, number: which } = unpack(part);
        order.check(`${sender} ${topic}`, which, false);
      }
      if (!reads) await new Promise((resolve) => setTimeout(resolve, 1));
      if (random.next(50) > 0) return;
      say(kind.unsubscribe, `v${number}`);
      say(kind.subscribe, `v${number}`);
    },
  };
}
