// SPDX-License-Identifier: MIT

/**
 * A context whose memory is used up: a send waits or fails as at a high watermark, goes on when
 * memory comes free, and what was accepted is not lost.
 */
import assert from "node:assert/strict";
import { Context, Pull, Push } from "threadmq";
import type { Place } from "../support/ground.ts";
import { type Ground, play, zmq } from "../support/ground.ts";
import { hog } from "../support/hog.ts";
import { WAYS } from "../support/stage.ts";

const TIGHT = { context: { maxMemory: 2 << 20 } };

/** Two large messages at least, five at most, fit into the context. */
const LARGE = "L".repeat(300_000);

async function unlimited(g: Ground, place: Place) {
  const pull = await g.pull({ receiveHighWaterMark: 0 }, place);
  await pull.bind("inproc://a");
  const push = await g.push({ sendHighWaterMark: 0 });
  await push.connect("inproc://a");
  return { push, pull };
}

for (const size of [10, 3000, 20_000, 300_000]) {
  play(
    `messages of ${size} bytes: full is EAGAIN, one received makes room again`,
    async (g) => {
      const { push, pull } = await unlimited(g, g.here);
      const text = "x".repeat(size);
      const before = g.context.stats().memory.used;
      for (let round = 0; round < 3; round++) {
        const count = await push.fill(text, 1_000_000);
        assert.ok(count >= 2 && count < 1_000_000, `${count} fit`);
        await assert.rejects(push.call("sendSync", text, { timeout: 0 }), zmq("EAGAIN"));
        await assert.rejects(push.call("send", text, { timeout: 5 }), zmq("EAGAIN"));
        const got = await pull.drain();
        assert.deepEqual(got.length, count);
        for (const [i, message] of got.entries()) assert.equal(message, `${text}${i}`);
      }
      assert.equal(await push.call("trySend", text), true);
      await pull.drain();
      await push.close();
      await pull.close();
      const { used, max } = g.context.stats().memory;
      assert.ok(used <= before, `${used} bytes of ${max} are in use at the end, ${before} before`);
    },
    TIGHT,
  );
}

for (const way of WAYS) {
  play(
    `a send waits until another thread has received, by ${way}; nothing is lost`,
    async (g) => {
      const thread = g.thread();
      const { push, pull } = await unlimited(g, thread);
      const messages = Array.from({ length: 60 }, (_, i) => `${LARGE}${i}`);
      if (way === "sync") {
        // This thread will block: the other must have been told before.
        const received = pull.receive(60);
        await push.send(messages, way);
        assert.deepEqual(await received, messages);
      } else {
        const sent = push.send(messages, way);
        assert.deepEqual(await pull.receive(60), messages);
        await sent;
      }
    },
    TIGHT,
  );
}

for (const [size, how] of [
  ...[10, 300, 3000, 4096, 30_000].map((size) => [size, "at once"] as const),
  // So that more is moved while it is received: each may leave as many as there is room for.
  ...[3000, 4096, 30_000].map((size) => [size, "one by one"] as const),
]) {
  play(
    `${size} bytes, ${how}: in a full context others can come, and get what one has left`,
    async (g) => {
      const bound = await g.push({ sendHighWaterMark: 0 });
      await bound.bind("inproc://a");
      const join = async (place: Place) => {
        const pull = await g.pull({ receiveHighWaterMark: 0 }, place);
        await pull.connect("inproc://a");
        return pull;
      };
      const first = await join(g.here);
      const text = "x".repeat(size);
      const count = await bound.fill(text, 1_000_000);
      const giveBack = hog(g.context);
      const got: string[] = [];
      await first.close();
      for (const place of [g.thread(), g.here, g.here]) {
        const pull = await join(place);
        const share = Math.floor(count / 8);
        const most = how === "at once" ? share : 1;
        for (let left = share; left > 0; left -= most) got.push(...(await pull.receive(most)));
        await pull.close();
      }
      const last = await join(g.here);
      got.push(...(await last.receive(count - got.length)));
      for (const [i, message] of got.entries()) assert.equal(message, `${text}${i}`);
      giveBack();
    },
    TIGHT,
  );
}

play(
  "senders of several threads share what there is, and all come through",
  async (g) => {
    const pull = await g.pull({ receiveHighWaterMark: 0 });
    await pull.bind("inproc://a");
    const threads = [g.thread(), g.thread(), g.thread()];
    const sent = threads.map((thread, index) =>
      thread.run(
        async ({ threadmq, context }, tag, size) => {
          const push = new threadmq.Push({ context, sendHighWaterMark: 0 });
          push.connect("inproc://a");
          for (let i = 0; i < 40; i++) {
            const message = [`${tag}/${i}`, "x".repeat(size)];
            if (i % 2 === 0) await push.send(message);
            else push.sendSync(message, { timeout: 20_000 });
          }
          push.close();
        },
        index,
        LARGE.length,
      ),
    );
    const next = [0, 0, 0];
    for (const message of await pull.receive(120)) {
      const [, tag, i] = /^(\d)\/(\d+)\|x+$/.exec(message) ?? [];
      assert.equal(Number(i), next[Number(tag)]++, `in order from ${tag}`);
    }
    await Promise.all(sent);
  },
  TIGHT,
);

play(
  "N1: a message of several parts that does not fit leaves nothing behind",
  async (g) => {
    const { push, pull } = await unlimited(g, g.here);
    const count = await push.fill(LARGE, 100);
    for (let i = 0; i < 50; i++) {
      assert.equal(await push.call("trySend", ["first", LARGE, LARGE]), false);
    }
    assert.equal((await pull.drain()).length, count);
    assert.equal(await push.fill(LARGE, 100), count, "as much fits as before");
    await pull.drain();
    await push.send([["a", "b"]]);
    assert.deepEqual(await pull.drain(), ["a|b"]);
  },
  TIGHT,
);

play(
  "a send that waits for memory can be aborted, closed, and goes on by a close elsewhere",
  async (g) => {
    const push = new Push({ context: g.context, sendHighWaterMark: 0 });
    push.connect("inproc://never");
    while (push.trySend(LARGE));
    const aborted = assert.rejects(push.send(LARGE, { signal: AbortSignal.timeout(5) }), {
      name: "TimeoutError",
    });
    const other = new Push({ context: g.context });
    await aborted;
    const closed = assert.rejects(push.send(LARGE), zmq("EBADF"));
    push.linger = 0;
    const waits = other.send(LARGE).then(() => true);
    push.close();
    await closed;
    other.connect("inproc://a");
    assert.equal(await waits, true);
    other.close();
  },
  TIGHT,
);

play(
  "bind, connect and open fail with ENOMEM, and work when memory is there again",
  async (g) => {
    const { push, pull } = await unlimited(g, g.here);
    const pulls: Pull[] = [];
    await push.fill("x".repeat(200), 1_000_000);
    const giveBack = hog(g.context);
    let code = "";
    for (let i = 0; i < 5000 && code === ""; i++) {
      try {
        const one = new Pull({ context: g.context });
        pulls.push(one);
        one.connect(`inproc://${"n".repeat(200)}${i}`);
      } catch (error) {
        code = (error as { code: string }).code;
      }
    }
    assert.match(code, /^(?:ENOMEM|EMFILE)$/);
    assert.equal(code, "ENOMEM");
    for (const one of pulls) one.close();
    await pull.drain();
    await push.send(["after"]);
    assert.deepEqual(await pull.drain(), ["after"]);
    giveBack();
  },
  TIGHT,
);

play(
  "maxMemory: the arena grows up to it, and not past it",
  async (g) => {
    const { push, pull } = await unlimited(g, g.thread());
    await push.fill("x".repeat(100_000), 1000);
    const giveBack = hog(g.context);
    const { used, size, max } = g.context.stats().memory;
    assert.ok(used <= size && size <= max && max <= 8 << 20, JSON.stringify({ used, size, max }));
    assert.ok(size > 6 << 20, "it did grow");
    assert.ok((await pull.drain()).length > 30, "the other thread sees its half");
    giveBack();
  },
  { context: { maxMemory: 8 << 20 } },
);

play(
  "two contexts do not share memory or names",
  async (g) => {
    const other = new Context({ maxMemory: 2 << 20 });
    const { push } = await unlimited(g, g.here);
    await push.fill(LARGE, 100);
    const [a, b] = [new Push({ context: other }), new Pull({ context: other })];
    b.bindSync("inproc://a");
    a.connect("inproc://a");
    a.sendSync("elsewhere");
    assert.equal(`${b.tryReceive()}`, "elsewhere");
    await other.terminate();
  },
  TIGHT,
);
