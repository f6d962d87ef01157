// SPDX-License-Identifier: MIT

/**
 * Who gets which message: round robin, fair queueing, what a closing PULL leaves behind, many to
 * one and one to many. Each message is received exactly once.
 */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { Pull, Push } from "threadmq";
import { type Actor, DISTANCES, far, play } from "../support/ground.ts";

const NAME = "inproc://a";
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `${from + i}`);

async function connected(count: number, open: () => Promise<Actor>): Promise<Actor[]> {
  const actors: Actor[] = [];
  for (let i = 0; i < count; i++) {
    actors.push(await open());
    await actors.at(-1)?.connect(NAME);
  }
  return actors;
}

for (const distance of DISTANCES) {
  describe(distance, () => {
    play("G1: round robin is exact over any number of peers, in all calls", async (g) => {
      const place = far(g, distance);
      for (const peers of [1, 2, 3, 5, 9]) {
        const push = await g.push();
        await push.bind(NAME);
        const pulls = await connected(peers, () => g.pull({}, place));
        await push.send(numbers(peers * 2 + 1), "try");
        await push.send(numbers(peers * 2, peers * 2 + 1), "sync");
        await push.send(numbers(peers - 1, peers * 4 + 1), "promise");
        const rounds = numbers(peers * 5);
        for (const [i, pull] of pulls.entries()) {
          const mine = rounds.filter((_, k) => k % peers === i);
          assert.deepEqual(await pull.receive(mine.length), mine, `${i} of ${peers}`);
          await pull.close();
        }
        await push.close();
      }
    });

    play("G1: a full peer is skipped and has its turn again when there is room", async (g) => {
      const place = far(g, distance);
      const push = await g.push({ sendHighWaterMark: 1 });
      await push.bind(NAME);
      const [small, large] = [
        await g.pull({ receiveHighWaterMark: 1 }, place),
        await g.pull({}, place),
      ];
      await small.connect(NAME);
      await large.connect(NAME);
      await push.send(numbers(10));
      assert.deepEqual(await small.receive(2), ["0", "2"]);
      await push.send(numbers(4, 10));
      assert.equal((await small.receive(2)).length, 2, "it takes part again");
      assert.equal((await large.drain()).length, 10);
    });

    for (const binder of ["Push", "Pull"] as const) {
      play(
        `unread messages of a closing PULL go to the others, once each, ${binder} bound`,
        async (g) => {
          const place = far(g, distance);
          const push = await g.push();
          const leaver = await g.pull({}, place);
          const stayer = await g.pull({}, place);
          if (binder === "Push") {
            await push.bind(NAME);
            await leaver.connect(NAME);
            await stayer.connect(NAME);
          } else {
            await leaver.bind("inproc://leaver");
            await stayer.bind("inproc://stayer");
            await push.set("immediate", true);
            await push.connect("inproc://leaver");
            await push.connect("inproc://stayer");
          }
          await push.send(numbers(20));
          assert.deepEqual(await leaver.receive(3), ["0", "2", "4"]);
          await leaver.close();
          if (binder === "Pull")
            await (await g.pull({}, place)).bind("inproc://leaver").then(() => {});
          await push.send(["last"]);
          if (binder === "Push") {
            const got = await stayer.receive(18);
            const odd = numbers(20).filter((n) => Number(n) % 2 === 1);
            assert.deepEqual(
              got.filter((n) => Number(n) % 2 === 1),
              odd,
              "its own, in order",
            );
            const left = numbers(20).filter((n) => Number(n) % 2 === 0 && Number(n) > 4);
            assert.deepEqual(
              got.filter((n) => Number(n) % 2 === 0),
              left,
              "those left behind, in order",
            );
            assert.ok(got.includes("last"));
          }
          assert.equal(g.conserved().dropped, 0);
        },
      );
    }

    play(
      "unread messages of the last PULL wait for the next one, before any new ones",
      async (g) => {
        const place = far(g, distance);
        const push = await g.push();
        await push.bind(NAME);
        const first = await g.pull({}, place);
        await first.connect(NAME);
        await push.send(numbers(10));
        assert.deepEqual(await first.receive(2), numbers(2));
        await first.close();
        g.conserved();
        assert.equal(await push.call("trySend", "too early"), false);
        const second = await g.pull({}, place);
        await second.connect(NAME);
        await push.send(["10"]);
        assert.deepEqual(await second.receive(9), numbers(9, 2));
      },
    );

    play("returned messages and narrow peers: nothing is lost, and the order holds", async (g) => {
      const place = far(g, distance);
      const push = await g.push({ sendHighWaterMark: 5 });
      await push.bind(NAME);
      const got: string[] = [];
      await (await g.pull({ receiveHighWaterMark: 5 }, place)).connect(NAME);
      const all = await push.fill("");
      assert.equal(all, 10);
      for (let round = 0; round < 10; round++) {
        const pull = await g.pull({ receiveHighWaterMark: 1 + (round % 3) }, place);
        await pull.connect(NAME);
        got.push(...(await pull.drain()));
        await push.call("trySend", "later"); // Room or not: the thread hears of what was returned.
        await pull.close();
      }
      g.conserved();
    });

    play("a closing PUSH drops what it could give to nobody, and says how much", async (g) => {
      const push = await g.push();
      await push.bind(NAME);
      const pull = await g.pull({}, far(g, distance));
      await pull.connect(NAME);
      await push.send(numbers(5));
      assert.deepEqual(await pull.receive(1), ["0"]);
      await pull.close();
      assert.equal(await push.call("trySend", "x"), false);
      await push.close();
      assert.equal((await push.call("stats")).dropped, 4);
      assert.deepEqual(g.conserved(), { sent: 5, received: 1, queued: 0, dropped: 4 });
    });
  });
}

play(
  "fan-in: one PUSH floods, the other's messages wait for one of each peer at most",
  async (g) => {
    const pull = new Pull({ context: g.context });
    pull.bindSync(NAME);
    const flood = new Push({ context: g.context, sendHighWaterMark: 0 });
    flood.connect(NAME);
    const quiet = new Push({ context: g.context });
    quiet.connect(NAME);
    for (let i = 0; i < 5000; i++) flood.sendSync("flood");
    for (let round = 0; round < 50; round++) {
      quiet.sendSync("quiet");
      const two = [`${pull.tryReceive()}`, `${pull.tryReceive()}`];
      assert.ok(two.includes("quiet"), `round ${round}`);
    }
    quiet.sendManySync(numbers(100));
    const batch = pull.receiveManySync(202).map(String);
    assert.equal(batch.filter((m) => m !== "flood").length, 100, "receiveMany takes turns too");
    for (const socket of [pull, flood, quiet]) socket.close();
  },
);

play("fan-in: a thread floods, another's messages get through", async (g) => {
  const flooding = g.thread();
  await flooding.run(({ threadmq, context, props }) => {
    props.push = new threadmq.Push({ context });
    props.push.connect("inproc://a");
  });
  const quiet = await g.push({}, g.thread());
  const pull = new Pull({ context: g.context });
  pull.bindSync(NAME);
  await quiet.connect(NAME);
  const flood = flooding.run(({ props }) => {
    let sent = 0;
    try {
      for (;;) props.push.sendSync(`f${sent++}`, { timeout: 10_000 });
    } catch (error) {
      return (error as { code: string }).code;
    }
  });
  for (let i = 0; i < 20; i++) {
    await quiet.send([`q${i}`]); // It lies in the queue from here on.
    const two = [`${await pull.receive()}`, `${await pull.receive()}`];
    // Each peer has one message a turn; a flood that pauses only makes it sooner.
    assert.ok(two.includes(`q${i}`), `${i}: ${two}`);
  }
  await g.context.terminate({ timeout: 10_000 });
  assert.equal(await flood, "ETERM");
});

play("100 PUSHes in 4 threads to one PULL: all once, in order from each", async (g) => {
  const threads = Array.from({ length: 4 }, () => g.thread());
  const pull = new Pull({ context: g.context });
  pull.bindSync(NAME);
  const sums = threads.map((thread, t) =>
    thread.run(async ({ threadmq, context }, base) => {
      const pushes = Array.from({ length: 25 }, () => {
        const push = new threadmq.Push({ context, sendHighWaterMark: 10 });
        push.connect("inproc://a");
        return push;
      });
      let sum = 0;
      for (let i = 0; i < 60; i++) {
        const sends = pushes.map((push, p) => {
          const body = Buffer.alloc((i * 37 + p) % 300, i);
          for (const byte of body) sum += byte;
          return push.send([`${base + p}`, `${i}`, body]);
        });
        await Promise.all(sends);
      }
      for (const push of pushes) push.close();
      return sum;
    }, t * 25),
  );
  const next = new Array(100).fill(0);
  let sum = 0;
  for (let count = 0; count < 6000; ) {
    for (const [from, i, body] of await pull.receiveMany(100, { timeout: 10_000 })) {
      assert.equal(Number(i), next[Number(from)]++, `in order from ${from}`);
      for (const byte of body as Buffer) sum += byte;
      count++;
    }
  }
  assert.equal(
    sum,
    (await Promise.all(sums)).reduce((a, b) => a + b, 0),
    "the bytes are the same",
  );
  assert.equal(pull.tryReceive(), undefined);
  pull.close();
});

play(
  "one PUSH to 8 PULLs in threads: all once, in order at each, an equal share if none lags",
  async (g) => {
    const threads = Array.from({ length: 8 }, () => g.thread());
    const push = new Push({ context: g.context, sendHighWaterMark: 0 });
    push.bindSync(NAME);
    const open = (thread: (typeof threads)[0]) =>
      thread.run(({ threadmq, context, props }) => {
        props.pull = new threadmq.Pull({ context });
        props.pull.connect("inproc://a");
      });
    await Promise.all(threads.map(open));
    const received = threads.map((thread, i) =>
      thread.run(async ({ props }, way) => {
        const got: number[] = [];
        while (got.length < 500) {
          if (way === 0) got.push(Number(await props.pull.receive()));
          else if (way === 1) got.push(Number(props.pull.receiveSync({ timeout: 10_000 })));
          else got.push(...(await props.pull.receiveMany(16)).map(Number));
        }
        props.pull.close();
        return got;
      }, i % 3),
    );
    await push.sendMany(numbers(4000));
    const shares = await Promise.all(received);
    for (const [i, share] of shares.entries()) {
      assert.deepEqual(
        share,
        Array.from({ length: 500 }, (_, k) => (share[0] as number) + 8 * k),
        `${i}`,
      );
    }
    assert.deepEqual(
      shares.flat().sort((a, b) => a - b),
      Array.from({ length: 4000 }, (_, i) => i),
    );
    push.close();
  },
);
