// SPDX-License-Identifier: MIT

/**
 * Subscriptions, and who hears of them: no slow joiner (J3), whoever binds and whoever comes first
 * (B1); to each publisher that comes anew they are said again (C1); none is lost or counted (F3).
 */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { Subscriber } from "threadmq";
import {
  type Actor,
  DISTANCES,
  far,
  type Ground,
  play,
  type Thread,
  zmq,
} from "../support/ground.ts";
import { NAME, several } from "../support/links.ts";
import { Random } from "../support/random.ts";
import { type Kind, PATIENCE } from "../support/stage.ts";

const PAIRS: readonly (readonly [publisher: Kind, subscriber: Kind])[] = [
  ["Publisher", "Subscriber"],
  ["Publisher", "XSubscriber"],
  ["XPublisher", "Subscriber"],
  ["XPublisher", "XSubscriber"],
];

function subscribe(kind: Kind, sub: Actor, ...topics: string[]): Promise<void> {
  if (kind === "Subscriber") return sub.call("subscribe", ...topics);
  return sub.send(topics.map((topic) => `\x01${topic}`));
}

/** Every order of three steps of which only the order counts. */
const STEPS = [
  ["bind", "connect", "subscribe"],
  ["bind", "subscribe", "connect"],
  ["connect", "bind", "subscribe"],
  ["connect", "subscribe", "bind"],
  ["subscribe", "bind", "connect"],
  ["subscribe", "connect", "bind"],
] as const;

for (const distance of DISTANCES) {
  describe(`J3, ${distance}`, () => {
    for (const binder of ["the publisher", "the subscriber"] as const) {
      for (const steps of STEPS) {
        for (const [publisher, subscriber] of PAIRS) {
          play(
            `${steps.join(", ")}, publish: ${publisher}, ${subscriber}; ${binder} binds`,
            async (g) => {
              const pub = await g.open(publisher);
              const sub = await g.open(subscriber, {}, far(g, distance));
              const [binds, connects] = binder === "the publisher" ? [pub, sub] : [sub, pub];
              for (const step of steps) {
                await pub.send(["A too early, but for the link", "B"]);
                if (step === "bind") await binds.bind(NAME);
                else if (step === "connect") await connects.connect(NAME);
                else await subscribe(subscriber, sub, "A", "AB");
              }
              await sub.drain(); // What came early comes, or not.
              await pub.send(["A1", "B", "AB2"]);
              assert.deepEqual(await sub.receive(2), ["A1", "AB2"]);
              assert.deepEqual(await sub.drain(), []);
            },
          );
        }
      }
    }
  });

  describe(`C1, ${distance}`, () => {
    for (const end of ["closes", "unbinds", "is terminated"] as const) {
      play(`the publisher ${end}: the next hears all subscriptions, and no others`, async (g) => {
        const sub = await g.open("Subscriber", {}, far(g, distance));
        await sub.call("subscribe", "A", "B", "C");
        await sub.call("unsubscribe", "C");
        await sub.connect(NAME);
        for (let round = 0; round < 4; round++) {
          const thread = g.thread();
          const xpub = await g.open("XPublisher", {}, end === "closes" ? g.here : thread);
          await xpub.bind(NAME);
          // Every other one says nothing, and reads nothing: a quick rebind.
          if (round % 2 === 0) {
            await xpub.send([`A${round}`, `C${round}`, `B${round}`]);
            assert.deepEqual(await sub.receive(2), [`A${round}`, `B${round}`]);
            assert.deepEqual((await xpub.drain()).sort(), ["\x01A", "\x01B"]);
            await sub.call("subscribe", `D${round}`);
            await sub.call("unsubscribe", `D${round}`);
            if (end !== "is terminated") {
              assert.deepEqual(await xpub.drain(), [`\x01D${round}`, `\0D${round}`]);
            }
          }
          if (end === "closes") await xpub.close();
          else if (end === "unbinds") await xpub.call("unbindSync", NAME);
          else await thread.kill();
        }
      });
    }

    play(
      "the subscriber that is bound is another: the XPUB hears what that one wants",
      async (g) => {
        const xpub = await g.open("XPublisher", {}, far(g, distance));
        await xpub.connect(NAME);
        for (const topic of ["A", "B", "C"]) {
          const sub = await g.open("Subscriber");
          await sub.call("subscribe", topic, "all");
          await sub.bind(NAME);
          await xpub.send(["A", "B", "C", "all"]);
          assert.deepEqual(await sub.receive(2), [topic, "all"]);
          const heard = await xpub.receive(2);
          assert.deepEqual(heard.sort(), [`\x01${topic}`, "\x01all"].sort());
          await sub.close();
          assert.deepEqual((await xpub.receive(2)).sort(), [`\0${topic}`, "\0all"].sort());
        }
        assert.deepEqual(await xpub.drain(), []);
      },
    );

    play("what was unsubscribed while nobody was bound is not wanted", async (g) => {
      const sub = await g.open("Subscriber", {}, far(g, distance));
      await sub.connect(NAME);
      await sub.call("subscribe", "A", "B");
      await sub.call("unsubscribe", "A");
      const xpub = await g.open("XPublisher");
      await xpub.bind(NAME);
      await xpub.send(["A", "B"]);
      assert.deepEqual(await sub.receive(1), ["B"]);
      assert.equal(await xpub.get("topicsCount"), 1);
    });
  });

  describe(`F3, ${distance}`, () => {
    for (const when of ["before the bind", "after the bind"] as const) {
      play(`40,000 subscriptions ${when}, with the least watermarks: none is lost`, async (g) => {
        const marks = { sendHighWaterMark: 1, receiveHighWaterMark: 1 };
        const xpub = await g.open("XPublisher", marks);
        if (when === "after the bind") await xpub.bind(NAME);
        const place = far(g, distance);
        const sub = await g.open("Subscriber", { receiveHighWaterMark: 1 }, place);
        await sub.connect(NAME);
        const topics = Array.from({ length: 40_000 }, (_, i) => `topic ${i};`);
        for (let i = 0; i < topics.length; i += 20_000) {
          await sub.call("subscribe", ...topics.slice(i, i + 20_000));
        }
        if (when === "before the bind") await xpub.bind(NAME);
        await sub.call("stats"); // It hears that somebody is there, and says all.
        assert.equal(await xpub.get("topicsCount"), topics.length);
        assert.deepEqual(g.conserved(), { sent: 0, received: 0, queued: 0, dropped: 0 });
        for (const i of [0, 9_999, 10_000, 10_001, 39_999]) {
          await xpub.send([`topic ${i};`]);
          assert.deepEqual(await sub.receive(1), [`topic ${i};`]);
        }
        for (let i = 0; i < topics.length; i += 20_000) {
          await sub.call("unsubscribe", ...topics.slice(i, i + 20_000));
        }
        assert.equal(await xpub.get("topicsCount"), 0);
      });
    }
  });

  describe(`B1, ${distance}`, () => {
    for (const [publisher, subscriber] of PAIRS) {
      for (const binder of ["the publisher", "the subscriber"] as const) {
        play(`${publisher}, ${subscriber}, ${binder} binds: the watermarks add up`, async (g) => {
          for (const order of ["bind first", "connect first"]) {
            const pub = await g.open(publisher, { sendHighWaterMark: 3 });
            const place = far(g, distance);
            const sub = await g.open(subscriber, { receiveHighWaterMark: 4 }, place);
            const [binds, connects] = binder === "the publisher" ? [pub, sub] : [sub, pub];
            if (order === "bind first") await binds.bind(NAME);
            await connects.connect(NAME);
            if (order === "connect first") await binds.bind(NAME);
            await subscribe(subscriber, sub, "");
            await pub.fill("x", 20);
            assert.equal((await sub.drain()).length, 7, order);
            await pub.close();
            await sub.close();
          }
        });
      }
    }
  });
}

describe("B3", () => {
  const MISFITS: readonly (readonly [Kind, Kind])[] = [
    ["Publisher", "Publisher"],
    ["Publisher", "Pull"],
    ["XPublisher", "Publisher"],
    ["Subscriber", "Push"],
    ["Subscriber", "XSubscriber"],
    ["Subscriber", "Radio"],
    ["Dish", "Publisher"],
    ["Dish", "Dish"],
    ["Radio", "XSubscriber"],
  ];
  for (const [a, b] of MISFITS) {
    play(`${a} and ${b} do not fit: whoever completes the link is told`, async (g) => {
      for (const [first, second] of [
        [a, b],
        [b, a],
      ] as const) {
        const binds = await g.open(first, {}, g.thread());
        await binds.bind(NAME);
        const connects = await g.open(second);
        await assert.rejects(connects.call("connect", NAME), zmq("ENOCOMPATPROTO", NAME));
        await binds.close();
        await connects.connect(NAME);
        const late = await g.open(first, {}, g.thread());
        await assert.rejects(late.call("bindSync", NAME), zmq("ENOCOMPATPROTO", NAME));
        await late.close();
        await connects.close();
      }
    });
  }
});

describe("a subscriber closed before the bind", () => {
  play("leaves nothing: an XPUB with a welcome binds, and hears nothing", async (g: Ground) => {
    const subs = await several(g, 5, "Subscriber", g.thread());
    for (const sub of subs) await sub.call("subscribe", "A");
    for (const sub of subs) await sub.close();
    const xpub = await g.open("XPublisher", { welcomeMessage: "W" });
    await xpub.bind(NAME);
    await xpub.send(["A"]);
    assert.deepEqual(await xpub.drain(), []);
    assert.equal(await xpub.get("topicsCount"), 0);
  });
});

const ROUNDS = 3000;
/** Where the machine has other things to do, fewer must do. */
const LONG_ENOUGH_MS = 4000;

/** What both threads know of each other, in shared words. */
const ROUND = 0;
const NUMBER = 1;
const STOP = 2;
const LINKED = 3;
const END = 4;
const DONE = 5;

/** How a round of the race goes. */
interface Plan {
  readonly pubBinds: boolean;
  /** After how many messages the publisher makes its end of the link. */
  readonly linksAt: number;
  readonly batch: number;
  readonly subscribesFirst: boolean;
  readonly delays: readonly number[];
}

/** Publishes numbers in another thread, as fast as it can, until it is stopped. */
function race(thread: Thread, words: Int32Array, plans: readonly Plan[]): Promise<void> {
  return thread.run(
    ({ threadmq, context }, words, plans, [ROUND, NUMBER, STOP, LINKED, END, DONE]) => {
      for (const [index, { pubBinds, linksAt, batch }] of plans.entries()) {
        const round = index + 1;
        while (Atomics.load(words, ROUND) < round) Atomics.wait(words, ROUND, index);
        const pub = new threadmq.Publisher({ context, sendHighWaterMark: 0, linger: 0 });
        let number = 0;
        const next = () => {
          Atomics.store(words, NUMBER, number);
          return `${number++}`;
        };
        function* several() {
          for (let i = 0; i < batch; i++) yield next();
        }
        for (let isLinked = false; Atomics.load(words, STOP) < round; ) {
          if (!isLinked && number >= linksAt) {
            if (pubBinds) pub.bindSync("inproc://race");
            else pub.connect("inproc://race");
            isLinked = true;
            Atomics.store(words, LINKED, round);
          }
          if (batch === 1) pub.sendSync(next());
          else pub.sendManySync(several());
        }
        pub.close();
        Atomics.store(words, END, number);
        Atomics.store(words, DONE, round);
      }
    },
    words,
    plans,
    [ROUND, NUMBER, STOP, LINKED, END, DONE] as const,
  );
}

function spin(until: () => boolean): void {
  const deadline = performance.now() + PATIENCE;
  while (!until()) assert.ok(performance.now() < deadline, "the other thread comes");
}

describe("J3, a race", () => {
  play("of what is published after subscribe() has returned nothing is missed", async (g, t) => {
    const random = new Random();
    t.diagnostic(`THREADMQ_SEED=${random.seed}`);
    const plans = Array.from({ length: ROUNDS }, () => planned(random));
    const words = new Int32Array(new SharedArrayBuffer(24));
    const thread = g.thread();
    await thread.run(() => {}); // It has begun: from now on we block this thread.
    const over = race(thread, words, plans);
    const begin = performance.now();
    let rounds = 0;
    try {
      for (const [index, plan] of plans.entries()) {
        if (performance.now() - begin > LONG_ENOUGH_MS) break;
        listen(g, words, plan, index + 1);
        rounds++;
      }
    } finally {
      for (const word of [ROUND, STOP]) Atomics.store(words, word, ROUNDS + 1);
      Atomics.notify(words, ROUND);
      await over;
      t.diagnostic(`${rounds} rounds`);
    }
  });
});

function planned(random: Random): Plan {
  const flip = () => random.next(2) === 0;
  return {
    pubBinds: flip(),
    linksAt: flip() ? 0 : random.next(40),
    batch: flip() ? 1 : 1 + random.next(30),
    subscribesFirst: flip(),
    delays: [0, 1, 2].map(() => (flip() ? 0 : random.next(3000))),
  };
}

/** The listener's part of a round. */
function listen(g: Ground, words: Int32Array, plan: Plan, round: number): void {
  const { pubBinds, subscribesFirst, delays } = plan;
  const pause = (which: number) => {
    for (let i = delays[which] as number; i > 0; i--) Atomics.load(words, 0);
  };
  Atomics.store(words, NUMBER, -1);
  Atomics.store(words, ROUND, round);
  Atomics.notify(words, ROUND);
  const sub = new Subscriber({ context: g.context, receiveHighWaterMark: 0 });
  pause(0);
  if (subscribesFirst) sub.subscribe("");
  pause(1);
  if (pubBinds) sub.connect("inproc://race");
  else sub.bindSync("inproc://race");
  if (!subscribesFirst) sub.subscribe();
  spin(() => Atomics.load(words, LINKED) === round);
  // The message of that number may be on its way already; the next is not.
  const from = Atomics.load(words, NUMBER) + 1;
  pause(2);
  Atomics.store(words, STOP, round);
  spin(() => Atomics.load(words, DONE) === round);
  const end = Atomics.load(words, END);
  // Some of what was published before may be there too: a publisher that did not know what we want
  // had sent it, and may have stopped to.
  for (let last = -1, expected = from; expected < end; ) {
    const got = Number(`${sub.receiveSync({ timeout: PATIENCE })}`);
    assert.ok(got > last, `${got} after ${last}`);
    last = got;
    if (got < from) continue;
    assert.equal(got, expected, `round ${round}, ${JSON.stringify(plan)}`);
    expected++;
  }
  sub.close();
}
