// SPDX-License-Identifier: MIT

/**
 * What was sent to one binder of a name is received by that one or dropped, and by no other: of
 * those who say whom a message is for, or talk with one peer. Within a thread and between threads.
 */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  type Actor,
  DISTANCES,
  far,
  type Ground,
  type Place,
  play,
  type Thread,
} from "../support/ground.ts";
import type { Kind } from "../support/stage.ts";

const NAME = "inproc://a";

/** A connecter, a binder, and how the one speaks to the other. */
interface Talk {
  readonly connecter: Kind;
  readonly binder: Kind;
  readonly optionsOf?: (round: number) => object;
  /** What it returns is how the connecter calls the binder, if anything. */
  readonly connect?: (connecter: Actor) => Promise<unknown>;
  /** Lets the connecter know how to call the binder. */
  readonly meet?: (connecter: Actor, binder: Actor) => Promise<number>;
  /** @param whom What `meet` has returned, or else `connect`. */
  say(connecter: Actor, binder: Actor, texts: string[], round: number, whom: number): Promise<void>;
  /** Whether what is sent while nobody is bound is for the next binder. */
  readonly waits: boolean;
}

const plainly: Talk["say"] = (connecter, _binder, texts) => connecter.send(texts);
const numbered: Talk["say"] = (connecter, _binder, texts, _round, routingId) =>
  connecter.send(texts, "promise", { routingId });

const TALKS: Readonly<Record<string, Talk>> = {
  PAIR: { connecter: "Pair", binder: "Pair", say: plainly, waits: true },
  CHANNEL: { connecter: "Channel", binder: "Channel", say: plainly, waits: true },
  "ROUTER, by the binder's id": {
    connecter: "Router",
    binder: "Dealer",
    optionsOf: (round) => ({ routingId: `d${round}` }),
    say: (router, _binder, texts, round) => router.send(texts.map((text) => [`d${round}`, text])),
    waits: false,
  },
  "ROUTER, by one id that all binders have": {
    connecter: "Router",
    binder: "Dealer",
    optionsOf: () => ({ routingId: "d" }),
    say: (router, _binder, texts) => router.send(texts.map((text) => ["d", text])),
    waits: false,
  },
  "ROUTER, by an id of its own choice": {
    connecter: "Router",
    binder: "Dealer",
    connect: (router) => router.call("connect", NAME, { routingId: "them" }),
    say: (router, _binder, texts) => router.send(texts.map((text) => ["them", text])),
    waits: true,
  },
  SERVER: {
    connecter: "Server",
    binder: "Client",
    meet: async (server, client) => {
      await client.send(["hello"]);
      return Number((await server.receive(1))[0]?.split("|")[1]);
    },
    say: numbered,
    waits: true,
  },
  PEER: {
    connecter: "Peer",
    binder: "Peer",
    connect: (peer) => peer.call("connectPeer", NAME),
    say: numbered,
    waits: true,
  },
  REP: {
    connecter: "Reply",
    binder: "Dealer",
    say: async (reply, dealer, texts) => {
      for (const text of texts) {
        await dealer.send([["", "which?"]]);
        await reply.receive(1);
        await reply.send([text]);
      }
    },
    waits: false,
  },
};

/** How a binder goes, and what it can still receive then. */
type Going = "closes" | "unbinds" | "dies";
const GOINGS: readonly Going[] = ["closes", "unbinds", "dies"];

const numbers = (round: number, count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => `${round}:${from + i}`);

/** What a binder receives of the text that was said, without an envelope or a number. */
const bare = (texts: string[]) => texts.map((text) => /\d+:\w+/.exec(text)?.[0] ?? text);

async function go(binder: Actor, going: Going): Promise<void> {
  if (going === "unbinds") await binder.call("unbindSync", NAME);
  else if (going === "dies") await (binder.place as Thread).kill();
  else await binder.close();
}

/** Waits until the connecter has heard that a binder is gone who had left something unread. */
async function hear(g: Ground, connecter: Actor): Promise<void> {
  while ((await connecter.call("stats")).queuedOut > 0) {
    await delay(1, undefined, { signal: g.signal });
  }
}

const ROUNDS = 3;
const SAID = 6;

async function rebindOften(g: Ground, talk: Talk, place: Place, going: Going): Promise<void> {
  g.context.stats(); // With that this thread is a member, and hears of deaths.
  const connecter = await g.open(talk.connecter, {}, place);
  let whom = Number(await (talk.connect?.(connecter) ?? connecter.connect(NAME)));
  let lost = 0;
  let waiting: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const home = going === "dies" ? g.thread() : g.here;
    const binder = await g.open(talk.binder, talk.optionsOf?.(round) ?? {}, home);
    await binder.bind(NAME);
    whom = (await talk.meet?.(connecter, binder)) ?? whom;
    await talk.say(connecter, binder, numbers(round, SAID), round, whom);
    const read = round % 3;
    const got = bare(await binder.receive(read + waiting.length));
    assert.deepEqual(got, [...waiting, ...numbers(round, read)], `round ${round}`);
    await go(binder, going);
    if (going === "unbinds") {
      const rest = bare(await binder.receive(SAID - read));
      assert.deepEqual(rest, numbers(round, SAID - read, read), "what had arrived");
      assert.deepEqual(await binder.drain(), []);
    } else {
      lost += SAID - read;
      await hear(g, connecter);
    }
    waiting = [];
    if (!talk.waits) continue;
    waiting = [`${round}:next`];
    await talk.say(connecter, binder, waiting, round, whom);
  }
  const last = await g.open(talk.binder, talk.optionsOf?.(ROUNDS) ?? {});
  await last.bind(NAME);
  assert.deepEqual(bare(await last.receive(waiting.length)), waiting);
  assert.deepEqual(await last.drain(), []);
  const { dropped, queued } = g.conserved();
  assert.deepEqual({ dropped, queued }, { dropped: lost, queued: 0 });
  assert.equal((await connecter.call("stats")).dropped, lost, "the connecter's own count");
}

for (const distance of DISTANCES) {
  describe(distance, () => {
    for (const [name, talk] of Object.entries(TALKS)) {
      for (const going of GOINGS) {
        play(`${name}: a binder ${going}: what it had not received no other does`, async (g) => {
          await rebindOften(g, talk, far(g, distance), going);
        });
      }
    }
  });
}

/** Keeps a thread from hearing anything for a while. */
function keepBusy(place: Place, ms: number): Promise<unknown> {
  const body = (_: unknown, time: number) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, time);
  };
  return place.do({ what: "run", args: [`${body}`, ms] });
}

describe("the next binder comes before the connecter has heard", () => {
  for (const [name, talk] of Object.entries(TALKS)) {
    for (const going of ["closes", "dies"] as const) {
      play(`${name}: a binder ${going}`, async (g) => {
        const place = g.thread();
        const connecter = await g.open(talk.connecter, {}, place);
        let whom = Number(await (talk.connect?.(connecter) ?? connecter.connect(NAME)));
        const home = going === "dies" ? g.thread() : g.here;
        const first = await g.open(talk.binder, talk.optionsOf?.(0) ?? {}, home);
        await first.bind(NAME);
        whom = (await talk.meet?.(connecter, first)) ?? whom;
        await talk.say(connecter, first, numbers(0, SAID), 0, whom);
        const second = await g.open(talk.binder, talk.optionsOf?.(1) ?? {});
        const busy = keepBusy(place, 150);
        await go(first, going);
        await second.bind(NAME);
        assert.deepEqual(await second.drain(), []);
        assert.equal(g.conserved().dropped, SAID);
        await busy;
        await talk.say(connecter, second, numbers(1, 2), 1, whom);
        assert.deepEqual(bare(await second.receive(2)), numbers(1, 2));
        assert.equal((await connecter.call("stats")).dropped, SAID);
      });
    }
  }
});

play("what is dead takes no room of what is not, also while nobody is bound", async (g) => {
  const pair = await g.open("Pair", { sendHighWaterMark: 2 });
  await pair.connect(NAME);
  const first = await g.open("Pair", { receiveHighWaterMark: 2 });
  await first.bind(NAME);
  assert.equal(await pair.fill("dead"), 4);
  await first.close();
  assert.equal((await pair.call("stats")).queuedOut, 0);
  assert.equal(await pair.fill("kept"), 2);
  const second = await g.open("Pair");
  await second.bind(NAME);
  assert.deepEqual(await second.drain(), ["kept0", "kept1"]);
});

play("what is dead takes no room, also before the next binder has heard of the link", async (g) => {
  const pair = await g.open("Pair", { sendHighWaterMark: 2 });
  await pair.connect(NAME);
  const first = await g.open("Pair", { receiveHighWaterMark: 2 });
  await first.bind(NAME);
  assert.equal(await pair.fill("dead"), 4);
  await first.call("unbindSync", NAME); // But it has the link as long as it has something to read.
  const place = g.thread();
  const second = await g.open("Pair", { receiveHighWaterMark: 3 }, place);
  await second.bind(NAME);
  const busy = keepBusy(place, 200);
  await first.close();
  assert.equal(await pair.fill("kept"), 5);
  await busy;
  assert.deepEqual(await second.drain(), ["kept0", "kept1", "kept2", "kept3", "kept4"]);
});

play("a swap that lingers: what is in it for one who is gone is dropped", async (g) => {
  const pair = await g.open("Pair", { sendHighWaterMark: 1, swap: 1 << 20, linger: -1 });
  await pair.connect(NAME);
  const place = g.thread();
  const binder = await g.open("Pair", { receiveHighWaterMark: 1 }, place);
  await binder.bind(NAME);
  await pair.send(numbers(0, 20));
  await pair.close();
  assert.deepEqual(await binder.receive(5), numbers(0, 5));
  await binder.close();
  while (g.context.stats().pipes > 0) await delay(1, undefined, { signal: g.signal });
  assert.equal(g.conserved().queued, 0);
});

play("bodies of their own are freed with the messages that nobody gets", async (g) => {
  const pair = await g.open("Pair", {}, g.thread());
  await pair.connect(NAME);
  const body = "x".repeat(100_000);
  for (let round = 0; round < 50; round++) {
    const binder = await g.open("Pair");
    await binder.bind(NAME);
    await pair.send([body, `${round}`, body, "end"]);
    if (round % 2 === 0) assert.deepEqual(await binder.receive(2), [body, `${round}`]);
    await binder.close();
  }
  const { used } = g.context.stats().memory;
  assert.ok(used < 2 << 20, `${used} bytes are in use`);
});

play("the swap: what was for one binder is not brought to the next", async (g) => {
  for (const home of [g.here, g.thread()]) {
    const pair = await g.open("Pair", { sendHighWaterMark: 2, swap: 1 << 20 }, home);
    await pair.connect(NAME);
    for (let round = 0; round < 4; round++) {
      const binder = await g.open("Pair", { receiveHighWaterMark: 2 });
      await binder.bind(NAME);
      await pair.send(numbers(round, 50));
      assert.deepEqual(await binder.receive(3), numbers(round, 3));
      await binder.close();
    }
    const last = await g.open("Pair");
    await last.bind(NAME);
    await pair.send(numbers(9, 50));
    assert.deepEqual(await last.receive(50), numbers(9, 50));
    assert.deepEqual(await last.drain(), []);
    assert.equal((await pair.call("stats")).dropped, 4 * 47);
    await pair.close();
    await last.close();
  }
});

play("conflate: a DEALER does not receive what was for the one before", async (g) => {
  for (const place of [g.here, g.thread()]) {
    const router = await g.open("Router", {}, place);
    await router.call("connect", NAME, { routingId: "them" });
    const say = (texts: string[]) => router.send(texts.map((text) => ["them", text]));
    for (let round = 0; round < 4; round++) {
      const binder = await g.open("Dealer", { conflate: round % 3 !== 2 });
      await binder.bind(NAME);
      assert.deepEqual(await binder.drain(), [], `before round ${round}`);
      await say(numbers(round, 3));
      const got = await binder.drain();
      assert.equal(got.at(-1), `${round}:2`);
      await say(numbers(round, 2, 3));
      const busy = place === g.here ? undefined : keepBusy(place, 100);
      await binder.close();
      const next = await g.open("Dealer", { conflate: round % 2 === 0 });
      await next.bind(NAME);
      assert.deepEqual(await next.drain(), [], `after round ${round}`);
      await busy;
      await say(numbers(round + 100, 2));
      assert.equal((await next.drain()).at(-1), `${round + 100}:1`);
      await next.close();
    }
    await router.close();
  }
});

play("REQ: the reply to another's request is not taken for one to its own", async (g) => {
  const reply = await g.open("Reply", {}, g.thread());
  await reply.connect(NAME);
  for (let round = 0; round < 20; round++) {
    const request = await g.open("Request");
    await request.bind(NAME);
    await request.send([`${round}`]);
    assert.deepEqual(await reply.receive(1), [`${round}`]);
    await reply.send([`${round}`]);
    if (round % 2 === 1) assert.deepEqual(await request.receive(1), [`${round}`]);
    await request.close();
  }
});

play("a connecter that has gone: what is for nobody is not kept", async (g) => {
  const pair = await g.open("Pair", { linger: -1 });
  await pair.connect(NAME);
  const binder = await g.open("Pair");
  await binder.bind(NAME);
  await pair.send(numbers(0, 3));
  await pair.close();
  await binder.receive(1);
  await binder.close();
  const { pipes, messages } = g.context.stats();
  assert.deepEqual({ pipes, queued: messages.queued }, { pipes: 0, queued: 0 });
  assert.equal(messages.dropped, 2);
});

play("a connecter that has gone: the first binder still gets all of it", async (g) => {
  const pair = await g.open("Pair", { linger: -1 });
  await pair.connect(NAME);
  await pair.send(numbers(0, 3));
  await pair.close();
  const binder = await g.open("Pair");
  await binder.bind(NAME);
  assert.deepEqual(await binder.receive(3), numbers(0, 3));
});
