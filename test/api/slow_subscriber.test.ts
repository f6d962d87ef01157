// SPDX-License-Identifier: MIT

/**
 * What becomes of publications for which a subscriber has no room: each policy (J1), how the
 * subscriber sees a gap (J2), that a send fails if and only if it must (J4); the swap of a
 * publisher; and what `sys://log` says.
 */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { type Message, Publisher, Subscriber, type SubscriberOptions, XSubscriber } from "threadmq";
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
import { hear, listen, told } from "../support/listening.ts";
import { PATIENCE } from "../support/stage.ts";

type Policy = NonNullable<SubscriberOptions["whenFull"]>;

/** A PUB, and a SUB that wants all; between them fit 4 messages, and 3 may be set aside. */
async function pair(g: Ground, whenFull: Policy, place: Place = g.here, options: object = {}) {
  const pub = await g.open("Publisher", { sendHighWaterMark: 3, ...options });
  await pub.bind(NAME);
  const sub = await g.open("Subscriber", { receiveHighWaterMark: 1, whenFull }, place);
  await sub.connect(NAME);
  await sub.call("subscribe");
  return { pub, sub };
}

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `${from + i}`);
}

/** Receives, and publishes nothing new, until nothing comes any more: what was set aside, too. */
async function settle(pub: Actor, sub: Actor): Promise<string[]> {
  const got: string[] = await sub.drain();
  for (;;) {
    await pub.call("stats"); // It hears that there is room.
    const more = await sub.drain();
    if (more.length === 0) return got;
    got.push(...more);
  }
}

for (const distance of DISTANCES) {
  describe(`J1, ${distance}`, () => {
    play("drop-newest: the oldest are delivered, all others are dropped", async (g) => {
      const { pub, sub } = await pair(g, "drop-newest", far(g, distance));
      await pub.send(numbers(0, 10));
      assert.deepEqual(g.conserved(), { sent: 10, received: 0, queued: 4, dropped: 6 });
      assert.deepEqual(await settle(pub, sub), numbers(0, 4));
      await pub.send(["next"]);
      assert.deepEqual(await sub.receive(1), ["next"]);
      assert.equal((await sub.call("stats")).missed, 6);
      assert.equal((await pub.call("stats")).dropped, 6);
    });

    play("drop-oldest: what is in the pipe, and then the newest, are delivered", async (g) => {
      const { pub, sub } = await pair(g, "drop-oldest", far(g, distance));
      await pub.send(numbers(0, 10));
      assert.deepEqual(g.conserved(), { sent: 10, received: 0, queued: 7, dropped: 3 });
      assert.deepEqual(await settle(pub, sub), [...numbers(0, 4), ...numbers(7, 10)]);
      assert.deepEqual(g.conserved(), { sent: 10, received: 7, queued: 0, dropped: 3 });
      assert.equal((await sub.call("stats")).missed, 3);
    });

    play("latest-per-topic: of what is not in the pipe, the last of each topic", async (g) => {
      const { pub, sub } = await pair(g, "latest-per-topic", far(g, distance));
      await pub.send(numbers(0, 4));
      const topics = ["a", "é", "a", "b", "é", "a"];
      await pub.send(topics.map((topic, i) => [topic, `${i}`]));
      assert.deepEqual(g.conserved(), { sent: 10, received: 0, queued: 7, dropped: 3 });
      assert.deepEqual(await settle(pub, sub), [...numbers(0, 4), "b|3", "é|4", "a|5"]);
      await pub.send(numbers(0, 4));
      await pub.send(["a", "b", "c", "d"]); // Three are kept: the oldest goes.
      assert.deepEqual(await settle(pub, sub), [...numbers(0, 4), "b", "c", "d"]);
      assert.equal(g.conserved().dropped, 4);
    });

    play("block: goes to nobody, or waits, or fails when the time is up", async (g) => {
      const { pub, sub } = await pair(g, "block", far(g, distance));
      const other = await g.open("Subscriber", { receiveHighWaterMark: 100 });
      await other.connect(NAME);
      await other.call("subscribe", "");
      assert.equal(await pub.fill("", 100), 4);
      await assert.rejects(pub.call("sendSync", "x", { timeout: 5 }), zmq("EAGAIN"));
      await assert.rejects(pub.call("send", "x", { timeout: 5 }), zmq("EAGAIN"));
      assert.deepEqual(await other.drain(), numbers(0, 4));
      const waiting = pub.send(numbers(4, 30));
      assert.deepEqual(await sub.receive(30), numbers(0, 30));
      await waiting;
      assert.deepEqual(await other.drain(), numbers(4, 30));
      assert.equal(g.conserved().dropped, 0);
    });

    play("block: when the one who is full leaves, who waits goes on", async (g) => {
      const { pub, sub } = await pair(g, "block", far(g, distance));
      await pub.fill("", 100);
      const waiting = pub.send(["last"]);
      await sub.close();
      await waiting;
      assert.equal(g.conserved().dropped, 4);
    });

    play("disconnect: the slow one is let go of, and told so once", async (g) => {
      const { pub, sub } = await pair(g, "disconnect", far(g, distance));
      const other = await g.open("Subscriber", { receiveHighWaterMark: 100 });
      await other.connect(NAME);
      await other.call("subscribe", "");
      await pub.send(numbers(0, 10));
      assert.deepEqual(await other.drain(), numbers(0, 10));
      await assert.rejects(sub.call("receive"), zmq("EHOSTUNREACH"));
      assert.deepEqual(await sub.drain(), numbers(0, 4), "what had arrived is received");
      assert.equal((await sub.call("stats")).pipes, 0);
      await sub.connect(NAME);
      await pub.send(["again"]);
      assert.deepEqual(await sub.drain(), ["again"]);
      const { sent, received } = g.conserved();
      assert.deepEqual([sent, received], [10 + 5 + 2, 10 + 4 + 1]);
    });

    play("each subscriber has its own; a change counts at once", async (g) => {
      const place = far(g, distance);
      const { pub, sub } = await pair(g, "drop-newest", place);
      const other = await g.open(
        "Subscriber",
        { receiveHighWaterMark: 1, whenFull: "drop-oldest" },
        place,
      );
      await other.connect(NAME);
      await other.call("subscribe");
      await pub.send(numbers(0, 10));
      assert.deepEqual(await settle(pub, sub), numbers(0, 4));
      assert.deepEqual(await settle(pub, other), [...numbers(0, 4), ...numbers(7, 10)]);
      await sub.set("whenFull", "drop-oldest");
      await other.set("whenFull", "drop-newest");
      await pub.send(numbers(0, 10));
      assert.deepEqual(await settle(pub, sub), [...numbers(0, 4), ...numbers(7, 10)]);
      assert.deepEqual(await settle(pub, other), numbers(0, 4));
    });

    play("J4: with noDrop a send fails if, and only if, one who wants it is full", async (g) => {
      const { pub, sub } = await pair(g, "drop-newest", far(g, distance), { noDrop: true });
      await sub.call("unsubscribe");
      await sub.call("subscribe", "A");
      for (let round = 0; round < 5; round++) {
        assert.equal(await pub.fill("A", 100), 4);
        for (let free = 1; free <= 4; free++) {
          assert.equal(await pub.call("trySend", "B"), true, "nobody wants it");
          await sub.receive(free);
          assert.equal(await pub.fill("A", 100), free, "no more, and no less");
        }
        await sub.drain();
      }
      assert.equal(g.conserved().dropped, 0);
    });
  });

  for (const whenFull of ["drop-newest", "drop-oldest", "latest-per-topic"] as const) {
    play(`J2, ${distance}, ${whenFull}: received + missed = published`, async (g) => {
      const place = far(g, distance);
      const { pub, sub } = await pair(g, whenFull, place);
      let published = 0;
      let received = 0;
      for (let round = 0; round < 30; round++) {
        const count = (round * 7) % 13;
        await pub.send(Array.from({ length: count }, (_, i) => `${(round + i) % 5}`));
        published += count;
        if (round % 3 === 0) received += (await settle(pub, sub)).length;
        else received += (await sub.drain()).length;
      }
      received += (await settle(pub, sub)).length;
      const { missed } = await sub.call("stats");
      assert.equal(received + missed, published);
      assert.ok(missed > 0);
      assert.equal(g.conserved().dropped, missed);
    });
  }
}

describe("J2: missedBefore", () => {
  play("says at which place how many are missing", async (g) => {
    const pub = new Publisher({ context: g.context, sendHighWaterMark: 1 });
    pub.bindSync(NAME);
    const sub = new Subscriber({ context: g.context, receiveHighWaterMark: 2 });
    sub.connect(NAME);
    sub.subscribe();
    const gaps = (messages: Message[]) => messages.map((m) => `${m} ${sub.missedBefore(m)}`);
    pub.sendManySync(["0", "1", "2", "3", "4"]);
    assert.deepEqual(gaps([sub.receiveSync()]), ["0 0"]);
    pub.sendManySync(["5", "6", "7"]);
    assert.deepEqual(gaps(sub.receiveManySync()), ["1 0", "2 0", "5 2"]);
    pub.sendSync("8");
    assert.deepEqual(gaps(sub.receiveManySync()), ["8 2"]);
    assert.equal(sub.stats().missed, 4);
    sub.close();
    pub.close();
  });

  play("XSUB: likewise; and its whenFull can be changed, for links that there are", async (g) => {
    const pub = new Publisher({ context: g.context, sendHighWaterMark: 1 });
    pub.bindSync(NAME);
    const sub = new XSubscriber({ context: g.context, receiveHighWaterMark: 2 });
    assert.equal(sub.whenFull, "drop-newest");
    sub.connect(NAME);
    sub.sendSync("\x01");
    pub.sendManySync(["0", "1", "2", "3", "4"]);
    const gaps = (messages: Message[]) => messages.map((m) => `${m} ${sub.missedBefore(m)}`);
    assert.deepEqual(gaps(sub.receiveManySync()), ["0 0", "1 0", "2 0"]);
    pub.sendSync("5");
    assert.deepEqual(gaps(sub.receiveManySync()), ["5 2"]);
    assert.equal(sub.stats().missed, 2);

    assert.throws(() => {
      sub.whenFull = "never" as "block";
    }, zmq("EINVAL"));
    sub.whenFull = "block";
    assert.equal(sub.whenFull, "block");
    pub.sendManySync(["6", "7", "8"]);
    assert.equal(pub.trySend("9"), false);
    assert.equal(sub.receiveManySync().length, 3);
    assert.equal(sub.stats().missed, 2);
    sub.close();
    sub.whenFull = "disconnect"; // It can be changed after the close, as every option.
    assert.equal(sub.whenFull, "disconnect");
    pub.close();
  });

  play("what is missing last is seen although nothing comes after it", async (g) => {
    const { pub, sub } = await pair(g, "drop-newest", g.thread());
    await pub.send(numbers(0, 9));
    await sub.drain();
    await pub.call("stats"); // It hears of the room.
    assert.equal(await sub.call("tryReceive"), undefined);
    assert.equal((await sub.call("stats")).missed, 5);
  });
});

describe("the swap of a publisher", () => {
  for (const distance of DISTANCES) {
    play(`${distance}: takes what has no room, in order; nothing is lost`, async (g) => {
      const { pub, sub } = await pair(g, "drop-newest", far(g, distance), { swap: 1 << 20 });
      const messages = Array.from({ length: 2000 }, (_, i) => `${i} `.padEnd(1 + (i % 300), "x"));
      await pub.send(messages);
      assert.equal(g.conserved().dropped, 0);
      assert.deepEqual(await settle(pub, sub), messages);
      assert.deepEqual(g.conserved(), { sent: 2000, received: 2000, queued: 0, dropped: 0 });
      await pub.send(["next"]);
      assert.deepEqual(await sub.drain(), ["next"]);
    });
  }

  for (const whenFull of ["drop-newest", "drop-oldest", "latest-per-topic"] as const) {
    play(`when it is full, too: ${whenFull}`, async (g) => {
      // A message takes 24 + 8 + 8 bytes there.
      const { pub, sub } = await pair(g, whenFull, g.thread(), { swap: 5 * 40 });
      await pub.send(numbers(0, 20));
      const queued = whenFull === "drop-newest" ? 4 + 5 : 4 + 5 + 3;
      assert.deepEqual(g.conserved(), { sent: 20, received: 0, queued, dropped: 20 - queued });
      const last = whenFull === "drop-newest" ? [] : numbers(17, 20);
      assert.deepEqual(await settle(pub, sub), [...numbers(0, 9), ...last]);
      assert.equal((await sub.call("stats")).missed, 20 - queued);
      await pub.send(numbers(0, 9)); // All is as in the beginning.
      assert.deepEqual(await settle(pub, sub), numbers(0, 9));
    });
  }

  play("block: a send waits when the swap is full, too, and all is received", async (g) => {
    const { pub, sub } = await pair(g, "block", g.thread(), { swap: 5 * 40 });
    assert.equal(await pub.fill("", 100), 4 + 5);
    const waiting = pub.send(numbers(9, 200));
    assert.deepEqual(await sub.receive(200), numbers(0, 200));
    await waiting;
    assert.equal(g.conserved().dropped, 0);
  });

  for (const kind of ["Publisher", "XPublisher"] as const) {
    play(
      `${kind}: an XSUB gets what was swapped for it if it asks for it, or is given it`,
      async (g) => {
        const decides = kind === "XPublisher";
        const options = {
          sendHighWaterMark: 1,
          swap: 1 << 20,
          ...(decides ? { manual: true } : {}),
        };
        const pub = await g.open(kind, options);
        const thread = g.thread();
        const xsub = await g.open("XSubscriber", { receiveHighWaterMark: 1 }, thread);
        await xsub.call("subscribe", "A");
        await xsub.bind(NAME);
        const words = new Int32Array(new SharedArrayBuffer(8));
        const busy = thread.run((_, words: Int32Array) => {
          Atomics.store(words, 0, 1);
          Atomics.notify(words, 0);
          Atomics.wait(words, 1, 0);
        }, words);
        Atomics.wait(words, 0, 0, PATIENCE);
        await pub.connect(NAME);
        await pub.send(["A0", "B0", "A1", "B1", "A2", "B2"]); // What it wants is not known.
        assert.equal(g.conserved().queued, 6);
        Atomics.store(words, 1, 1);
        Atomics.notify(words, 1);
        await busy;
        await xsub.get("readable"); // It has heard of the link, and asks for what it wants.
        if (decides) {
          assert.deepEqual(await pub.receive(1), ["\x01A"]);
          await pub.call("subscribe", "C");
        }
        await pub.send(["A3", "B3", "C3", "A4", "B4", "C4"]);
        const since = decides ? ["C3", "C4"] : ["A3", "A4"];
        assert.deepEqual(await settle(pub, xsub), ["A0", "A1", "A2", ...since]);
        assert.equal(g.conserved().dropped, 0);
      },
    );
  }

  play(
    "a slow one keeps no other from its messages, and what it has left is dropped",
    async (g) => {
      const { pub, sub } = await pair(g, "drop-newest", g.thread(), { swap: 1 << 20 });
      const quick = await g.open("Subscriber", { receiveHighWaterMark: 0 });
      await quick.connect(NAME);
      await quick.call("subscribe");
      await pub.send(numbers(0, 100));
      assert.equal((await quick.drain()).length, 100);
      await sub.close();
      await pub.send(["to one"]);
      assert.deepEqual(g.conserved(), { sent: 201, received: 100, queued: 1, dropped: 100 });
      assert.equal((await pub.call("stats")).dropped, 100);
    },
  );
});

describe("sys://log: messages.dropped", () => {
  for (const end of ["there is room again", "it is left"] as const) {
    play(`is told once, when ${end}`, async (g) => {
      const log = await listen(g, ["messages."]);
      const { pub, sub } = await pair(g, "drop-newest");
      await pub.send(numbers(0, 10));
      assert.deepEqual(await log.drain(), []);
      if (end === "it is left") await sub.close();
      else await settle(pub, sub);
      const records = await hear(log);
      const { topic, endpoint, count, why } = records[0] as (typeof records)[0];
      const lost = { topic, endpoint, count, why };
      assert.deepEqual(lost, { topic: "messages.dropped", endpoint: NAME, count: 6, why: "full" });
      await pub.call("stats");
      // What lay in the pipe goes with it.
      const more = (await told(log)).map((record) => [record.count, record.why]);
      assert.deepEqual(more, end === "it is left" ? [[4, "closed"]] : []);
    });
  }

  play(
    "what lacks memory is told as such",
    async (g) => {
      const log = await listen(g, ["messages."]);
      const { pub, sub } = await pair(g, "drop-newest", g.here, { sendHighWaterMark: 0 });
      const body = "x".repeat(300_000);
      let sent = 0;
      while (g.conserved().dropped === 0) sent += Number(await pub.call("trySend", body));
      assert.equal((await sub.drain()).length, sent - 1);
      await pub.send(["small"]);
      assert.deepEqual(await sub.receive(1), ["small"]);
      const [record] = await hear(log);
      assert.deepEqual([record?.count, record?.why], [1, "memory"]);
      assert.equal((await sub.call("stats")).missed, 1);
    },
    { context: { maxMemory: 2 << 20 } },
  );
});
