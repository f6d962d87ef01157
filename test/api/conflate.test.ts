// SPDX-License-Identifier: MIT

/**
 * Conflation: the reader always gets the newest complete message, several parts included, also
 * after the writer has closed or died; memory stays bounded; either side's option suffices (K1).
 */
import assert from "node:assert/strict";
import { describe } from "node:test";
import * as threadmq from "threadmq";
import {
  type Actor,
  DISTANCES,
  far,
  type Ground,
  type Place,
  play,
  zmq,
} from "../support/ground.ts";
import type { Kind } from "../support/stage.ts";

const NAME = "inproc://newest";
const PAIRS: readonly [Kind, Kind][] = [
  ["Push", "Pull"],
  ["Scatter", "Gather"],
  ["Dealer", "Dealer"],
];

interface Layout {
  readonly sends: Kind;
  readonly receives: Kind;
  /** Which end has the option. */
  readonly option: "sender" | "receiver" | "both";
  readonly binder: "sender" | "receiver";
  readonly first: "bind" | "connect";
}

const LAYOUTS: Layout[] = PAIRS.flatMap(([sends, receives]) =>
  (["sender", "receiver", "both"] as const).flatMap((option) =>
    (["sender", "receiver"] as const).flatMap((binder) =>
      (["bind", "connect"] as const).map((first) => ({ sends, receives, option, binder, first })),
    ),
  ),
);

/** Both ends, linked. */
async function link(g: Ground, layout: Layout, place: Place): Promise<[Actor, Actor]> {
  const { sends, receives, option, binder, first } = layout;
  const sender = await g.open(sends, { conflate: option !== "receiver" });
  const receiver = await g.open(receives, { conflate: option !== "sender" }, place);
  const [b, c] = binder === "sender" ? [sender, receiver] : [receiver, sender];
  if (first === "bind") await b.bind(NAME);
  await c.connect(NAME);
  if (first === "connect") await b.bind(NAME);
  return [sender, receiver];
}

const PLAIN = { sends: "Push", receives: "Pull", binder: "receiver", first: "bind" } as const;
const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i));

for (const distance of DISTANCES) {
  describe(distance, () => {
    play("K1: the newest of twenty, whoever has the option, binds, and is first", async (g) => {
      const place = far(g, distance);
      for (const layout of LAYOUTS) {
        const [sender, receiver] = await link(g, layout, place);
        await sender.send(numbers(20), "sync");
        assert.deepEqual(await receiver.receive(1), ["19"], JSON.stringify(layout));
        assert.deepEqual(await receiver.drain(), []);
        await sender.close();
        await receiver.close();
        const { dropped } = g.conserved();
        assert.equal(dropped % 19, 0, "what was replaced is dropped, and counted");
      }
    });

    play("K1: whole messages only, with large parts", async (g) => {
      const [push, pull] = await link(g, { ...PLAIN, option: "receiver" }, far(g, distance));
      const parts = (n: number) => [`head ${n}`, "x".repeat(100_000 + n), "", `tail ${n}`];
      for (let n = 0; n < 10; n++) await push.send([parts(n)]);
      assert.deepEqual(await pull.receive(1), [parts(9).join("|")]);
      assert.equal((await push.call("stats")).dropped, 9);
    });

    play("K1: the newest is there after the sender has closed", async (g) => {
      for (const binder of ["sender", "receiver"] as const) {
        const layout = { ...PLAIN, option: "sender", binder } as const;
        const [push, pull] = await link(g, layout, far(g, distance));
        await push.send(numbers(5));
        await push.close();
        assert.deepEqual(await pull.receive(1), ["4"]);
        await pull.close();
      }
    });

    play("watermarks do not count, and memory stays as it is", async (g) => {
      const [push] = await link(g, { ...PLAIN, option: "receiver" }, far(g, distance));
      await push.set("sendHighWaterMark", 1);
      const body = "x".repeat(50_000);
      await push.send([body, body, body], "sync");
      const { used } = g.context.stats().memory;
      await push.send(Array(500).fill(body), "sync");
      assert.equal(g.context.stats().memory.used, used);
      assert.equal((await push.call("stats")).queuedOut, 1);
    });

    play("one who waits for a message gets each newest one", async (g) => {
      const [push, pull] = await link(g, { ...PLAIN, option: "receiver" }, far(g, distance));
      for (let i = 0; i < 200; i++) {
        const coming = pull.receive(1); // It sleeps, or is about to.
        await push.send([`${i}`]);
        assert.deepEqual(await coming, [`${i}`]);
      }
      const drained = push.call("drain", { timeout: 10_000 });
      await drained;
      await push.send(["last"]);
      const waits = push.call("drain", { timeout: 10_000 });
      assert.deepEqual(await pull.receive(1), ["last"]);
      await waits;
    });

    play(
      "what was queued for nobody is conflated when one comes who wants the newest",
      async (g) => {
        const push = await g.push();
        await push.connect(NAME);
        await push.send(numbers(10));
        assert.equal((await push.call("stats")).queuedOut, 10);
        const pull = await g.pull({ conflate: true }, far(g, distance));
        await pull.bind(NAME);
        await push.send(["newer", "newest"]);
        assert.deepEqual(await pull.receive(1), ["newest"]);
        assert.deepEqual(await pull.drain(), []);
        assert.equal(g.conserved().dropped, 11);
      },
    );

    play(
      "when the next binder wants all, it gets the newest of before, and all since",
      async (g) => {
        const push = await g.push();
        await push.connect(NAME);
        const place = far(g, distance);
        const first = await g.pull({ conflate: true }, place);
        await first.bind(NAME);
        await push.send(numbers(3));
        await first.close();
        await push.send(numbers(5)); // What waits for the next one waits as before.
        assert.equal((await push.call("stats")).queuedOut, 1);
        const second = await g.pull({}, place);
        await second.bind(NAME);
        const rest = push.send(["a", "b", "c"]);
        assert.deepEqual(await second.receive(4), ["4", "a", "b", "c"]);
        await rest;
      },
    );
  });
}

play("K1: the newest is there after the sender's thread was killed, at any moment", async (g) => {
  for (let round = 0; round < 10; round++) {
    const pull = await g.pull({ conflate: true });
    await pull.bind(NAME);
    const thread = g.thread();
    await thread.run(({ threadmq, context, props }) => {
      const push = new threadmq.Push({ context });
      push.connect("inproc://newest");
      props.push = push;
      push.sendSync(["0", "0"]);
    });
    // It sends, and says how far it is for certain, until it is killed.
    const told = new Int32Array(new SharedArrayBuffer(8));
    const busy = thread.run(({ props }, words: Int32Array) => {
      for (let n = 1; ; n++) {
        props.push.sendSync([String(n), "x".repeat(n % 5000), String(n)]);
        Atomics.store(words, 0, n);
        Atomics.notify(words, 0);
      }
    }, told);
    busy.catch(() => {});
    Atomics.wait(told, 0, 0, 10_000);
    await thread.kill();
    const [message] = await pull.receive(1);
    const parts = String(message).split("|");
    assert.equal(parts[0], parts.at(-1), "in one piece");
    const n = Number(parts[0]);
    const least = Atomics.load(told, 0);
    assert.ok(n === least || n === least + 1, `${n} is the newest: ${least} was sent`);
    assert.deepEqual(await pull.drain(), []);
    await pull.close();
  }
});

play("of a name that is bound, too, it changes for links to come", async (g) => {
  const pull = new threadmq.Pull({ context: g.context, conflate: true });
  pull.bindSync(NAME);
  pull.conflate = false;
  const told = new Int32Array(new SharedArrayBuffer(4));
  const thread = g.thread();
  await thread.run(() => {}); // It is there.
  const sent = thread.run(
    ({ threadmq, context }, name, words: Int32Array) => {
      const push = new threadmq.Push({ context });
      push.connect(name);
      for (let n = 0; n < 3; n++) push.sendSync(String(n));
      Atomics.store(words, 0, 1);
      Atomics.notify(words, 0);
    },
    NAME,
    told,
  );
  await null;
  Atomics.wait(told, 0, 0, 10_000); // Nobody has attached the link meanwhile.
  const got = await pull.receiveMany();
  await sent;
  assert.deepEqual(got.map(String), ["0", "1", "2"]);
  pull.close();
});

play("readers that are killed take no more than what they had: the next one goes on", async (g) => {
  const push = await g.push({ conflate: true });
  await push.connect(NAME);
  let sent = 0;
  for (let round = 0; round < 10; round++) {
    const thread = g.thread();
    await thread.run(({ threadmq, context, props }) => {
      const pull = new threadmq.Pull({ context });
      pull.bindSync("inproc://newest");
      props.pull = pull;
    });
    const told = new Int32Array(new SharedArrayBuffer(8));
    const busy = thread.run(({ props }, words: Int32Array) => {
      for (const [part] of props.pull) {
        Atomics.store(words, 0, Number(String(part)));
        Atomics.notify(words, 0);
      }
    }, told);
    busy.catch(() => {});
    const before = sent;
    while (Atomics.load(told, 0) <= before) await push.send([String(++sent)]);
    const kill = thread.kill();
    for (let i = 0; i < 50; i++) await push.send([String(++sent)]);
    await kill;
    await push.send([String(++sent)]);
    const last = await g.pull();
    await last.bind(NAME);
    assert.deepEqual(await last.receive(1), [String(sent)]);
    assert.deepEqual(await last.drain(), []);
    await last.close();
  }
});

play("two senders: the newest of each", async (g) => {
  const pull = await g.pull({ conflate: true });
  await pull.bind(NAME);
  const pushes = [await g.push(), await g.push()] as const;
  for (const push of pushes) await push.connect(NAME);
  for (const [index, push] of pushes.entries()) {
    await push.send(numbers(10).map((n) => `${index}: ${n}`));
  }
  assert.deepEqual((await pull.receive(2)).sort(), ["0: 9", "1: 9"]);
  assert.deepEqual(await pull.drain(), []);
});

for (const option of ["publisher", "subscriber"] as const) {
  play(
    `PUB and SUB, the ${option} has the option: the newest of what was subscribed to`,
    async (g) => {
      const { Publisher, Subscriber } = threadmq;
      const { context } = g;
      using publisher = new Publisher({ context, conflate: option === "publisher" });
      publisher.bindSync(NAME);
      using wants = new Subscriber({ context, conflate: option === "subscriber" });
      using wantsAll = new Subscriber({ context });
      for (const [subscriber, topic] of [
        [wants, "a"],
        [wantsAll, ""],
      ] as const) {
        subscriber.connect(NAME);
        subscriber.subscribe(topic);
      }
      const body = Buffer.alloc(50_000, "x");
      const { used } = context.stats().memory;
      for (let i = 0; i < 100; i++) {
        await publisher.send(["a", String(i), body]);
        await publisher.send(["b", String(i), "small"]);
      }
      if (option === "publisher") assert.ok(context.stats().memory.used < used + 10 * body.length);
      const [topic, number, large] = await wants.receive();
      assert.deepEqual([`${topic}`, `${number}`, large?.length], ["a", "99", body.length]);
      assert.equal(wants.tryReceive(), undefined);
      const [other, first] = await wantsAll.receive();
      const expected = option === "publisher" ? ["b", "99"] : ["a", "0"];
      assert.deepEqual([`${other}`, `${first}`], expected);
      g.conserved();
    },
  );
}

for (const option of ["publisher", "subscriber"] as const) {
  for (const distance of DISTANCES) {
    describe(`PUB and SUB, the ${option} has the option, ${distance}: what is readable`, () => {
      /** A PUB, a SUB of "a" and "b", and whether a Poller says that a message can be received. */
      async function open(g: Ground) {
        const place = far(g, distance);
        const pub = await g.open("Publisher", { conflate: option === "publisher" }, place);
        await pub.bind(NAME);
        const { Subscriber, Poller } = threadmq;
        const sub = new Subscriber({ context: g.context, conflate: option === "subscriber" });
        sub.connect(NAME);
        sub.subscribe("a", "b");
        const poller = new Poller();
        poller.add(sub);
        const isReadable = (): boolean => {
          const { readable } = sub;
          assert.equal(poller.poll().length, Number(readable));
          return readable;
        };
        const receive = () => sub.tryReceive()?.join("|");
        return { pub, sub, isReadable, receive };
      }

      play("J4: not what was unsubscribed from meanwhile", async (g) => {
        const { pub, sub, isReadable, receive } = await open(g);
        for (const looks of [true, false]) {
          await pub.send(["a1", "a2"]);
          if (looks) assert.equal(isReadable(), true);
          sub.unsubscribe("a");
          assert.equal(isReadable(), false);
          assert.equal(receive(), undefined);
          await pub.send(["b"]);
          assert.equal(isReadable(), true);
          assert.equal(receive(), "b");
          sub.subscribe("a");
        }
        sub.close();
      });

      play("K1: when a newer one comes before it is received, that is received", async (g) => {
        const { pub, sub, isReadable, receive } = await open(g);
        const body = "x".repeat(10_000);
        for (let i = 0; i < 5; i++) {
          await pub.send([["a", `${i}`, body]]);
          assert.equal(isReadable(), true);
        }
        assert.equal(g.conserved().queued, 1);
        assert.equal(receive(), `a|4|${body}`);
        assert.equal(isReadable(), false);
        assert.deepEqual(g.conserved(), { sent: 5, received: 1, queued: 0, dropped: 4 });
        await pub.send(["a"]);
        assert.equal(isReadable(), true);
        sub.unsubscribe("a");
        await pub.send(["b"]);
        assert.equal(isReadable(), true);
        assert.equal(receive(), "b");
        sub.close();
      });

      play("what was readable is received after either has let go, or is dropped", async (g) => {
        for (const end of ["disconnect", "publisher closes", "close"] as const) {
          const { pub, sub, isReadable, receive } = await open(g);
          const before = g.conserved();
          await pub.send(["a"]);
          assert.equal(isReadable(), true);
          if (end === "disconnect") sub.disconnect(NAME);
          else if (end === "publisher closes") await pub.close();
          else sub.close();
          if (end !== "close") assert.equal(receive(), "a", end);
          await pub.close();
          sub.close();
          const { received, dropped } = g.conserved();
          const isDropped = Number(end === "close");
          assert.deepEqual([received - before.received, dropped], [1 - isDropped, isDropped]);
        }
      });
    });
  }
}

play("what a peer has not received when it goes is not given to another", async (g) => {
  const push = await g.push({ conflate: true });
  await push.bind(NAME);
  const [one, other] = [await g.pull(), await g.pull()];
  await one.connect(NAME);
  await push.send(["for one"]);
  await other.connect(NAME);
  await one.close();
  await push.send(["for the other"]);
  assert.deepEqual(await other.receive(1), ["for the other"]);
  assert.deepEqual(await other.drain(), []);
  assert.equal((await push.call("stats")).dropped, 1);
});

play("with acknowledge, the newest comes back unless there is a newer one", async (g) => {
  for (const newer of [false, true]) {
    const push = await g.push({ conflate: true });
    await push.connect(NAME);
    const thread = g.thread();
    const first = await g.pull({ acknowledge: true }, thread);
    await first.bind(NAME);
    await push.send(["1", "2"]);
    assert.deepEqual(await first.receive(1), ["2"]);
    if (newer) await push.send(["3"]);
    await thread.kill();
    const second = await g.pull();
    await second.bind(NAME);
    assert.deepEqual(await second.receive(1), [newer ? "3" : "2"]);
    await second.close();
    await push.close();
  }
});

play(
  "the option can be read, is refused where it makes no sense, and counts for links to come",
  async (g) => {
    const kinds = ["Push", "Pull", "Dealer", "Scatter", "Gather", "Subscriber"] as const;
    for (const kind of kinds) {
      const socket = await g.open(kind);
      assert.equal(await socket.get("conflate"), false);
      await socket.set("conflate", true);
      assert.equal(await socket.get("conflate"), true);
      await assert.rejects(g.open(kind, { conflate: "yes" }), zmq("EINVAL"));
    }
    const [push, pull] = [await g.push(), await g.pull()];
    await pull.bind(NAME);
    await push.connect(NAME);
    await push.set("conflate", true);
    await pull.set("receiveHighWaterMark", 10);
    await push.send(numbers(3));
    assert.deepEqual(await pull.receive(3), numbers(3), "this link was there");
  },
);
