// SPDX-License-Identifier: MIT

/**
 * Watermarks: the number of messages that are accepted and unread never exceeds what is documented,
 * and a send succeeds whenever it is lower (F1); a change counts at once (F2); and the depth of a
 * queue can be read, exactly (F5).
 */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { Push } from "threadmq";
import { type Actor, DISTANCES, far, type Ground, type Place, play } from "../support/ground.ts";
import { Random } from "../support/random.ts";

const NAME = "inproc://a";

async function pair(
  g: Ground,
  place: Place,
  send: number,
  receive: number,
  binder = "Pull",
): Promise<[Actor, Actor]> {
  const pull = await g.pull({ receiveHighWaterMark: receive }, place);
  const push = await g.push({ sendHighWaterMark: send });
  const [b, c] = binder === "Pull" ? [pull, push] : [push, pull];
  await b.bind(NAME);
  await c.connect(NAME);
  return [push, pull];
}

const limitOf = (send: number, receive: number) =>
  send === 0 || receive === 0 ? 0 : send + receive;

for (const distance of DISTANCES) {
  describe(distance, () => {
    for (const binder of ["Push", "Pull"] as const) {
      play(`F1: exact at every fill level, ${binder} bound`, async (g) => {
        const [push, pull] = await pair(g, far(g, distance), 3, 4, binder);
        for (let level = 0; level <= 7; level++) {
          for (let take = 0; take <= level; take++) {
            assert.equal(await push.fill("", level), level);
            assert.equal((await pull.receive(take)).length, take);
            assert.equal(
              await push.fill("", 100),
              7 - level + take,
              `level ${level}, take ${take}`,
            );
            assert.equal((await push.call("stats")).queuedOut, 7, "F5");
            assert.equal((await pull.drain()).length, 7);
            assert.equal((await push.call("stats")).queuedOut, 0, "F5");
            assert.equal((await pull.call("stats")).queuedIn, 0, "F5");
          }
        }
      });
    }

    play(
      "F1: full, one received in the other thread, and exactly one more send succeeds",
      async (g) => {
        const [push, pull] = await pair(g, far(g, distance), 5, 5);
        assert.equal(await push.fill(), 10);
        for (let i = 0; i < 200; i++) {
          assert.equal((await pull.receive(1)).length, 1);
          assert.equal(await push.call("trySend", "one more"), true, `no stale EAGAIN, ${i}`);
          assert.equal(await push.call("trySend", "too much"), false);
        }
      },
    );

    play("F2: each change of either mark counts at once, at every fill level", async (g) => {
      const [push, pull] = await pair(g, far(g, distance), 2, 2);
      const marks = [1, 2, 3, 5, 0];
      for (const send of marks) {
        for (const receive of marks) {
          for (const level of [0, 1, 2]) {
            await push.set("sendHighWaterMark", 2);
            await pull.set("receiveHighWaterMark", 2);
            assert.equal(await push.fill("", level), level);
            await push.set("sendHighWaterMark", send);
            await pull.set("receiveHighWaterMark", receive);
            const limit = limitOf(send, receive) || 50;
            assert.equal(await push.fill("", 50 - level), limit - level, `${send}+${receive}`);
            assert.equal((await pull.drain()).length, limit);
          }
        }
      }
    });

    play("F2: raising either mark wakes a send that waits", async (g) => {
      const [push, pull] = await pair(g, far(g, distance), 1, 1);
      await push.fill();
      for (let i = 0; i < 20; i++) {
        const sent = push.call("send", "waits", { timeout: 10_000 });
        const [who, mark] =
          i % 2 === 0 ? [push, "sendHighWaterMark"] : [pull, "receiveHighWaterMark"];
        await who.set(mark, 2 + (i >> 1));
        await sent;
      }
      const sent = Promise.all([push.call("send", "waits"), push.call("send", "waits")]);
      await pull.set("receiveHighWaterMark", 0);
      await sent;
      assert.equal((await pull.drain()).length, 24);
    });

    play(
      "F2: a mark lowered under a full queue: nothing is lost, and it holds when drained to it",
      async (g) => {
        const [push, pull] = await pair(g, far(g, distance), 5, 5);
        assert.equal(await push.fill(), 10);
        await push.set("sendHighWaterMark", 1);
        for (let left = 9; left >= 6; left--) {
          assert.equal((await pull.receive(1)).length, 1);
          assert.equal(await push.call("trySend", "too much"), false, `${left} are left`);
        }
        await pull.receive(1);
        assert.equal(await push.fill("", 10), 1);
      },
    );

    play(
      "B1: a connecting PUSH without a binder has its own mark, then the sum, then its own",
      async (g) => {
        const place = far(g, distance);
        const push = await g.push({ sendHighWaterMark: 3 });
        await push.connect(NAME);
        assert.equal(await push.fill(), 3);
        const pull = await g.pull({ receiveHighWaterMark: 4 }, place);
        await pull.bind(NAME);
        assert.equal(await push.fill(), 4);
        await pull.receive(2);
        await pull.close();
        assert.equal(await push.fill(), 0, "5 are queued, its own mark is 3");
        const next = await g.pull({ receiveHighWaterMark: 6 }, place);
        await next.bind(NAME);
        assert.equal(await push.fill(), 4);
        assert.equal((await next.drain()).length, 9);
      },
    );

    play("F1: the mark is that of each peer, not of the socket", async (g) => {
      const place = far(g, distance);
      const push = await g.push({ sendHighWaterMark: 2 });
      await push.bind(NAME);
      for (const mark of [1, 2, 3]) {
        await (await g.pull({ receiveHighWaterMark: mark }, place)).connect(NAME);
      }
      assert.equal(await push.fill(), 3 + 4 + 5);
    });

    play("F1: a mark changed before the link is made counts for it", async (g) => {
      const pull = await g.pull({}, far(g, distance));
      await pull.bind(NAME);
      await pull.set("receiveHighWaterMark", 2);
      const push = await g.push({ sendHighWaterMark: 1 });
      await push.connect(NAME);
      assert.equal(await push.fill(), 3);
    });
  });
}

play("F1: random sends, receives and changes of marks against a count", async (g, t) => {
  const random = new Random();
  t.diagnostic(`THREADMQ_SEED=${random.seed}`);
  const push = await g.push({ sendHighWaterMark: 3 });
  const pull = await g.pull({ receiveHighWaterMark: 3 });
  await pull.bind(NAME);
  await push.connect(NAME);
  let queued = 0;
  let [send, receive] = [3, 3];
  for (let step = 0; step < 5000; step++) {
    const action = random.next(10);
    if (action < 5) {
      const limit = limitOf(send, receive);
      const fits = limit === 0 || queued < limit;
      assert.equal(await push.call("trySend", "x"), fits, `step ${step}: ${queued} of ${limit}`);
      if (fits) queued++;
    } else if (action < 9) {
      const got = await pull.call("tryReceive");
      assert.equal(got !== undefined, queued > 0, `step ${step}`);
      if (got !== undefined) queued--;
    } else if (random.next(2) === 0) {
      send = random.next(5);
      await push.set("sendHighWaterMark", send);
    } else {
      receive = random.next(5);
      await pull.set("receiveHighWaterMark", receive);
    }
    assert.equal((await push.call("stats")).queuedOut, queued, "F5");
  }
});

play("L1: a sender that sleeps at every watermark is always woken", async (g) => {
  const thread = g.thread();
  for (const [send, receive] of [
    [1, 1],
    [1, 2],
    [2, 3],
    [7, 1],
  ] as const) {
    const name = `inproc://${send}-${receive}`;
    const received = thread.run(
      async ({ threadmq, context }, address, mark) => {
        const pull = new threadmq.Pull({ context, receiveHighWaterMark: mark });
        pull.bindSync(address);
        let sum = 0;
        for (let i = 0; i < 3000; i++)
          sum += Number(i % 2 ? await pull.receive() : pull.receiveSync());
        pull.close();
        return sum;
      },
      name,
      receive,
    );
    const push = new Push({ context: g.context, sendHighWaterMark: send, sendTimeout: 10_000 });
    push.connect(name);
    for (let i = 0; i < 3000; i++) i % 3 === 0 ? push.sendSync(`${i}`) : await push.send(`${i}`);
    assert.equal(await received, (3000 * 2999) / 2);
    push.close();
  }
});
