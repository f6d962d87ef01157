// SPDX-License-Identifier: MIT

/**
 * Swap to disk (`ZMQ_SWAP`), from outside: order, fullness, peers that go, closing, files.
 *
 * "Fault n" is the n-th of what was wrong with the swap of ZeroMQ 2.1; see also
 * src/pipe/swap.test.ts.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Context, Push, Request } from "threadmq";
import { type Actor, DISTANCES, far, Ground, play, SMALL, Thread, zmq } from "../support/ground.ts";
import { hog } from "../support/hog.ts";
import { PATIENCE, WAYS } from "../support/stage.ts";

const NAME = "inproc://swap";
const SWAP = 1 << 26;
/** So much lies in memory before the disk is touched; see src/pipe/swap.ts. */
const IN_MEMORY = 3 << 18;
const hasProc = existsSync("/proc/self/fd");
const needsProc = { skip: hasProc ? false : "needs /proc" };

let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "threadmq-swap-"));
});

after(() => rmSync(folder, { recursive: true, force: true }));

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `${from + i}`);
/** Messages of some size, each with its number. */
const large = (count: number, bytes = 4000) =>
  numbers(count).map((number) => [number, "b".repeat(bytes)]);
const joined = (messages: readonly (readonly string[])[]) => messages.map((m) => m.join("|"));

/** How many swap files this process has open. */
function openFiles(): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return /threadmq-\d+-[0-9a-f]+\.swap/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false;
    }
  }).length;
}

/** Waits until it is so; a test that fails does not come back. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** A PUSH with watermark 1 and a swap, connected to the name; a PULL likewise without one. */
function push(g: Ground, options: object = {}, place = g.here): Promise<Actor> {
  return g.push({ sendHighWaterMark: 1, swap: SWAP, ...options }, place);
}

function pull(g: Ground, place = g.here): Promise<Actor> {
  return g.pull({ receiveHighWaterMark: 1 }, place);
}

for (const distance of DISTANCES) {
  describe(distance, () => {
    for (const way of WAYS) {
      play(`all that was swapped arrives, in order, once, ${way}`, async (g) => {
        const sender = await push(g);
        const receiver = await pull(g, far(g, distance));
        await sender.connect(NAME);
        const messages = large(400);
        await sender.send(messages, way);
        assert.deepEqual(g.conserved(), { sent: 400, received: 0, queued: 400, dropped: 0 });
        assert.equal((await sender.call("stats")).queuedOut, 400);
        await receiver.bind(NAME);
        assert.deepEqual(await receiver.receive(400, way), joined(messages));
        assert.equal((await sender.call("stats")).queuedOut, 0);
      });
    }

    play("the sender need not do anything: what was swapped comes by its event loop", async (g) => {
      const sender = await push(g, {}, far(g, distance));
      const receiver = await pull(g);
      await receiver.bind(NAME);
      await sender.connect(NAME);
      await sender.send(numbers(300), "sync");
      assert.deepEqual(await receiver.receive(300), numbers(300));
    });

    play("multi-part messages and large bodies come back whole", async (g) => {
      const sender = await push(g);
      const receiver = await pull(g, far(g, distance));
      await sender.connect(NAME);
      const messages = [0, 1, 4096, 4097, 100_000, 1_000_000].map((length) => [
        "",
        "x".repeat(length),
        "é",
        "y".repeat(length >> 1),
        "",
      ]);
      await sender.send(messages);
      await receiver.bind(NAME);
      assert.deepEqual(await receiver.receive(messages.length), joined(messages));
    });

    play("P4: a full swap is the ordinary mute state, in all calls", async (g) => {
      const sender = await push(g, { swap: 5 * 40 });
      await sender.connect(NAME);
      for (const number of numbers(6)) assert.equal(await sender.call("trySend", number), true);
      assert.equal(await sender.call("trySend", "no"), false);
      await assert.rejects(sender.call("send", "no", { timeout: 0 }), zmq("EAGAIN"));
      await assert.rejects(sender.call("send", "no", { timeout: 20 }), zmq("EAGAIN"));
      await assert.rejects(
        async () => sender.call("sendSync", "no", { timeout: 20 }),
        zmq("EAGAIN"),
      );
      const late = sender.call("send", "6");
      const receiver = await pull(g, far(g, distance));
      await receiver.bind(NAME);
      assert.deepEqual(await receiver.receive(7), numbers(7));
      await late;
    });

    play("close() loses nothing: the swap goes on emptying itself", async (g) => {
      const sender = await push(g, {}, far(g, distance));
      const receiver = await pull(g);
      await receiver.bind(NAME);
      await sender.connect(NAME);
      const messages = large(300);
      await sender.send(messages, "sync");
      await sender.close();
      assert.equal(await sender.get("closed"), true);
      assert.deepEqual(g.conserved(), { sent: 300, received: 0, queued: 300, dropped: 0 });
      assert.equal((await sender.call("stats")).queuedOut, 300);
      assert.deepEqual(await receiver.receive(300), joined(messages));
      await until(() => g.context.stats().pipes === 0);
      const { sent, queuedOut, dropped } = await sender.call("stats");
      assert.deepEqual({ sent, queuedOut, dropped }, { sent: 300, queuedOut: 0, dropped: 0 });
    });

    play("a PUSH that was bound gives its name back at once, and its swap later", async (g) => {
      const sender = await push(g);
      const receiver = await pull(g, far(g, distance));
      await sender.bind(NAME);
      await receiver.connect(NAME);
      await sender.send(numbers(50));
      await sender.close();
      const next = await push(g);
      await next.bind(NAME);
      await next.connect("inproc://elsewhere");
      assert.deepEqual(await receiver.receive(50), numbers(50));
      await receiver.call("tryReceive");
      await next.send(["new"], "try");
      assert.equal(g.context.stats().sockets, 2);
    });

    for (const call of ["disconnect", "unbind"] as const) {
      play(`${call} loses nothing either`, async (g) => {
        const sender = await push(g);
        const receiver = await pull(g, far(g, distance));
        if (call === "disconnect") {
          await receiver.bind(NAME);
          await sender.connect(NAME);
        } else {
          await sender.bind(NAME);
          await receiver.connect(NAME);
        }
        await sender.call("stats"); // It has heard of the link.
        await sender.send(numbers(40));
        await sender.call(`${call}${call === "unbind" ? "Sync" : ""}`, NAME);
        assert.equal((await sender.call("stats")).queuedOut, 40);
        assert.deepEqual(await receiver.receive(40), numbers(40));
      });
    }

    play(
      "what a PULL leaves behind goes to the others: the lane first, then the swap",
      async (g) => {
        const sender = await push(g);
        const leaver = await pull(g, far(g, distance));
        await sender.bind(NAME);
        await leaver.connect(NAME);
        await sender.send(numbers(200));
        assert.deepEqual(await leaver.receive(3), numbers(3));
        await leaver.close();
        const heir = await pull(g, far(g, distance));
        await heir.connect(NAME);
        assert.deepEqual(await heir.receive(197), numbers(197, 3));
        await sender.send(["new"]);
        assert.deepEqual(await heir.receive(1), ["new"]);
      },
    );

    play("a PUSH that has connected keeps its swap for the next who binds", async (g) => {
      const sender = await push(g);
      const first = await pull(g, far(g, distance));
      await first.bind(NAME);
      await sender.connect(NAME);
      await sender.send(numbers(100));
      const got = await first.receive(10);
      await first.close();
      const second = await pull(g, far(g, distance));
      await second.bind(NAME);
      got.push(...(await second.receive(90)));
      assert.deepEqual(got, numbers(100));
    });

    play("P3: one pipe that spills changes nothing for the others", async (g) => {
      const sender = await push(g);
      const slow = await pull(g, far(g, distance));
      const quick = await pull(g, far(g, distance));
      await sender.bind(NAME);
      await slow.connect(NAME);
      await sender.send(numbers(100));
      await quick.connect(NAME);
      await until(() => g.context.stats().pipes === 2);
      const got: string[] = [];
      for (const number of numbers(100, 100)) {
        await sender.send([number]);
        got.push(...(await quick.receive(1)));
      }
      assert.deepEqual(got, numbers(100, 100), "who has room in memory goes first");
      assert.deepEqual(await slow.receive(100), numbers(100));
    });

    play("two PULLs that both spill get each message once, each in order", async (g) => {
      const sender = await push(g);
      const pulls = [await pull(g, far(g, distance)), await pull(g, far(g, distance))];
      await sender.bind(NAME);
      for (const each of pulls) await each.connect(NAME);
      await until(() => g.context.stats().pipes === 2);
      await sender.call("stats");
      await sender.send(numbers(200));
      const got: number[][] = [];
      for (const each of pulls) got.push((await each.receive(100)).map(Number));
      for (const mine of got) {
        assert.deepEqual(
          mine,
          mine.toSorted((a, b) => a - b),
        );
      }
      assert.equal(new Set(got.flat()).size, 200);
    });
  });
}

describe("a message for one peer and no other, when that peer goes", () => {
  for (const [type, peer, options, before] of [
    ["Pair", "Pair", {}, []],
    ["Router", "Dealer", { routingId: "x" }, ["x"]],
    ["Publisher", "Subscriber", {}, []],
  ] as const) {
    play(`${type}: is dropped, and counted once, in memory or in the swap`, async (g) => {
      const sender = await g.open(type, { sendHighWaterMark: 1, swap: SWAP });
      const receiver = await g.open(peer, { receiveHighWaterMark: 1, ...options });
      await sender.bind(NAME);
      await receiver.connect(NAME);
      if (peer === "Subscriber") await receiver.call("subscribe", "");
      await sender.send(numbers(10).map((number) => [...before, number]));
      await receiver.close();
      const { queuedOut, dropped } = await sender.call("stats");
      assert.deepEqual({ queuedOut, dropped }, { queuedOut: 0, dropped: 10 });
      assert.equal(g.context.stats().messages.dropped, 10);
    });
  }
});

describe("linger", () => {
  play("0: what is in the swap is dropped at the close, and counted", async (g) => {
    const sender = await push(g, { linger: 0 });
    const receiver = await pull(g);
    await receiver.bind(NAME);
    await sender.connect(NAME);
    await sender.send(numbers(30));
    await sender.close();
    assert.equal((await sender.call("stats")).dropped, 28);
    assert.deepEqual(await receiver.drain(), ["0", "1"], "what has reached the peer is the peer's");
    assert.deepEqual(g.conserved(), { sent: 30, received: 2, queued: 0, dropped: 28 });
  });

  play("some milliseconds: then the rest is dropped, if nobody has come", async (g) => {
    const sender = await push(g, { linger: 30 });
    await sender.connect(NAME);
    await sender.send(large(300));
    await sender.close();
    assert.deepEqual(g.conserved(), { sent: 300, received: 0, queued: 300, dropped: 0 });
    // The timer holds nothing: something else must.
    const held = setInterval(() => {}, 1000);
    await until(() => g.context.stats().messages.dropped === 300);
    clearInterval(held);
    assert.equal((await sender.call("stats")).dropped, 299, "one was in the lane");
    assert.equal(g.context.stats().pipes, 0);
  });

  play("-1: who comes later gets all of it", async (g) => {
    const sender = await push(g);
    await sender.connect(NAME);
    await sender.send(numbers(100));
    await sender.close();
    const receiver = await pull(g);
    await receiver.bind(NAME);
    assert.deepEqual(await receiver.receive(100), numbers(100));
  });

  play("a peer that has gone for good ends it", async (g) => {
    const sender = await push(g);
    const receiver = await pull(g);
    await sender.bind(NAME);
    await receiver.connect(NAME);
    await sender.send(numbers(30));
    await sender.close();
    await receiver.close();
    await until(() => g.context.stats().messages.dropped === 30);
    assert.equal((await sender.call("stats")).dropped, 28, "the rest was the peer's");
    assert.equal(g.context.stats().pipes, 0);
  });

  play("at the end of its thread, what shared memory has room for is put there", async (g) => {
    const thread = g.thread();
    const sender = await push(g, {}, thread);
    const receiver = await pull(g);
    await receiver.bind(NAME);
    await sender.connect(NAME);
    await sender.send(numbers(500));
    await thread.end();
    assert.deepEqual(g.conserved(), { sent: 500, received: 0, queued: 500, dropped: 0 });
    assert.deepEqual(await receiver.receive(500), numbers(500));
  });

  play(
    "and what it has no room for is dropped, and counted",
    async (g) => {
      const thread = g.thread();
      const sender = await push(g, {}, thread);
      await sender.connect(NAME);
      await sender.send(large(500, 50_000));
      await thread.end();
      const { queued, dropped } = g.conserved();
      assert.equal(queued + dropped, 500);
      assert.ok(dropped > 0 && queued > 10, `${queued} queued`);
      const receiver = await pull(g);
      await receiver.bind(NAME);
      assert.deepEqual(
        (await receiver.receive(queued)).map((text) => text.split("|")[0]),
        numbers(queued),
      );
    },
    { context: { maxMemory: 4 << 20 } },
  );
});

describe("terminate", () => {
  test("drops and counts what is in swaps, of open sockets and of closed ones", async () => {
    const context = new Context(SMALL);
    const options = { context, sendHighWaterMark: 1, swap: SWAP };
    for (const close of [false, true]) {
      const push = new Push(options);
      push.connect(NAME);
      for (const message of large(300)) push.sendSync(message);
      if (close) push.close();
    }
    if (hasProc) assert.equal(openFiles(), 2);
    assert.equal(context.stats().messages.queued, 600);
    await context.terminate();
    const { messages, pipes } = context.stats();
    assert.deepEqual(messages, { sent: 600, received: 0, queued: 0, dropped: 600 });
    assert.equal(pipes, 0);
    if (hasProc) assert.equal(openFiles(), 0);
  });

  test("also in another thread", needsProc, async () => {
    const g = new Ground(new Context(SMALL), new AbortController().signal);
    const thread = g.thread();
    const [open, closed] = [await push(g, {}, thread), await push(g, {}, thread)];
    for (const each of [open, closed]) {
      await each.connect(NAME);
      await each.send(large(300), "sync");
    }
    await closed.close();
    await until(() => openFiles() === 2);
    await g.context.terminate();
    await until(() => openFiles() === 0);
    const { messages } = g.context.stats();
    assert.deepEqual(messages, { sent: 600, received: 0, queued: 0, dropped: 600 });
    await thread.end();
  });
});

describe("files", () => {
  play("P8: they have no name while they are open, and are closed with the swap", async (g) => {
    const sender = await push(g, { swapDirectory: folder });
    assert.equal(await sender.get("swapDirectory"), folder);
    await sender.connect(NAME);
    await sender.send(large(400));
    assert.deepEqual(readdirSync(folder), []);
    if (hasProc) assert.equal(openFiles(), 1);
    await sender.set("linger", 0);
    await sender.close();
    if (hasProc) assert.equal(openFiles(), 0);
  });

  test("P8: a thread that is killed leaves no descriptor and no file", needsProc, async () => {
    const thread = new Thread(new Context(SMALL));
    await thread.run(
      ({ threadmq, context }, swapDirectory, name) => {
        const swap = 2 ** 26;
        const push = new threadmq.Push({ context, sendHighWaterMark: 1, swap, swapDirectory });
        push.connect(name);
        const body = new Uint8Array(4000);
        for (let i = 0; i < 400; i++) push.sendSync(body);
      },
      folder,
      NAME,
    );
    assert.equal(openFiles(), 1);
    await thread.worker.terminate();
    assert.equal(openFiles(), 0);
    assert.deepEqual(readdirSync(folder), []);
  });

  play("P8: a leftover of a dead process is removed by the next swap", async (g) => {
    const { pid } = (await import("node:child_process")).spawnSync(process.execPath, ["-v"]);
    const leftover = join(folder, `threadmq-${pid}-00ff00ff00ff00ff.swap`);
    writeFileSync(leftover, "x");
    const sender = await push(g, { swapDirectory: folder, linger: 0 });
    assert.ok(existsSync(leftover), "looking at the directory removes nothing");
    await sender.connect(NAME);
    await sender.send(large(400));
    assert.equal(existsSync(leftover), false);
  });

  play("P7: little is no reason to touch the disk", async (g) => {
    const sender = await push(g, { swapDirectory: folder, linger: 0 });
    await sender.connect(NAME);
    const count = Math.floor((IN_MEMORY - (1 << 18)) / 4100);
    await sender.send(large(count));
    if (hasProc) assert.equal(openFiles(), 0);
    await sender.send(large(300));
    if (hasProc) assert.equal(openFiles(), 1);
  });
});

describe("options", () => {
  play("swapDirectory: the system's by default, and again by an empty string", async (g) => {
    const sender = await g.push();
    assert.equal(await sender.get("swapDirectory"), tmpdir());
    await sender.set("swapDirectory", folder);
    assert.equal(await sender.get("swapDirectory"), folder);
    await sender.set("swapDirectory", "");
    assert.equal(await sender.get("swapDirectory"), tmpdir());
    assert.equal(await (await g.push({ swapDirectory: folder })).get("swapDirectory"), folder);
    for (const value of [1, null, true, {}]) {
      await assert.rejects(sender.set("swapDirectory", value), zmq("EINVAL"), String(value));
      await assert.rejects(g.push({ swapDirectory: value }), zmq("EINVAL"), String(value));
    }
  });

  play("fault 6, P6: a directory that will not do is refused when it is given", async (g) => {
    const missing = join(folder, "missing");
    await assert.rejects(g.push({ swapDirectory: missing }), zmq("EINVAL"));
    await assert.rejects(g.push({ swapDirectory: missing, swap: 1000 }), zmq("EINVAL"));
    const sender = await g.push();
    await assert.rejects(sender.set("swapDirectory", missing), zmq("EINVAL"));
    assert.equal(await sender.get("swapDirectory"), tmpdir());
    if (existsSync("/proc/self")) {
      await assert.rejects(sender.set("swapDirectory", "/proc"), zmq("EACCES"));
    }
    assert.equal(g.context.stats().sockets, 1, "a socket that was refused is not counted");
  });

  play("swap: may be raised, lowered and turned off while it holds messages", async (g) => {
    const sender = await push(g, { swap: 0 });
    await sender.connect(NAME);
    await sender.send(["0"]);
    const waiting = sender.call("send", "1");
    await sender.set("swap", 80);
    await waiting;
    assert.equal(await sender.call("trySend", "2"), true);
    assert.equal(await sender.call("trySend", "3"), false);
    await sender.set("swap", 120);
    assert.equal(await sender.call("trySend", "3"), true);
    await sender.set("swap", 0);
    assert.equal(await sender.call("trySend", "4"), false);
    const receiver = await pull(g);
    await receiver.bind(NAME);
    assert.deepEqual(await receiver.receive(4), numbers(4));
    await sender.send(["4"]);
    assert.deepEqual(await receiver.receive(1), ["4"]);
  });

  for (const bytes of [0, 8, 100]) {
    play(`P9: the limit is exact, for messages of ${bytes} bytes`, async (g) => {
      const each = 24 + 8 + Math.ceil(bytes / 8) * 8;
      for (const [limit, expected] of [
        [10 * each - 1, 9],
        [10 * each, 10],
        [10 * each + 1, 10],
      ] as const) {
        const sender = await push(g, { swap: limit, linger: 0 });
        await sender.connect(NAME);
        const message = "m".repeat(bytes);
        let count = 0;
        while (await sender.call("trySend", message)) count++;
        assert.equal(count, 1 + expected, `swap: ${limit}`);
        await sender.close();
      }
    });
  }

  play("a message larger than the swap waits for room in memory", async (g) => {
    const sender = await push(g, { swap: 1000 });
    const receiver = await pull(g);
    await sender.connect(NAME);
    await sender.send(["0", "1"]);
    const body = "L".repeat(2000);
    const waiting = sender.call("send", body);
    await receiver.bind(NAME);
    assert.deepEqual(await receiver.receive(3), ["0", "1", body]);
    await waiting;
  });

  play(
    "when shared memory is used up, the swap keeps a sender going",
    async (g) => {
      const sender = await push(g, { sendHighWaterMark: 0 });
      const receiver = await g.pull({ receiveHighWaterMark: 0 });
      await receiver.bind(NAME);
      await sender.connect(NAME);
      const messages = large(100, 50_000);
      await sender.send(messages, "sync");
      assert.ok(g.context.stats().memory.used <= 1 << 20);
      assert.deepEqual(await receiver.receive(100), joined(messages));
      await sender.send(["after"]);
      assert.deepEqual(await receiver.receive(1), ["after"]);
    },
    { context: { maxMemory: 1 << 20 } },
  );

  play(
    "memory that another link gives back brings swapped messages in, though nobody calls",
    async (g) => {
      const thread = g.thread();
      const sender = await push(g, { sendHighWaterMark: 0 }, thread);
      const receiver = await g.pull({ receiveHighWaterMark: 0 });
      await receiver.bind(NAME);
      await sender.connect(NAME);
      await sender.send(["first"]);
      assert.deepEqual(await receiver.receive(1), ["first"]);
      const giveBack = hog(g.context);
      await sender.send(large(20, 30_000), "sync");
      assert.equal(await receiver.call("tryReceive"), undefined, "there is no memory for any");
      giveBack();
      assert.deepEqual(await receiver.receive(20), joined(large(20, 30_000)));
    },
    { context: { maxMemory: 1 << 20 } },
  );
});

/** So many rounds: in one of some thousand an answer was there before `send` had returned. */
const ROUNDS = 10_000;

play("a REQ gets the answer to a request that was swapped, however soon it comes", async (g) => {
  const options = { relaxed: true, correlate: true, sendHighWaterMark: 1, swap: SWAP };
  const req = new Request({ context: g.context, ...options });
  req.bindSync(NAME);
  const answering = g.thread().run(({ threadmq, context }, name) => {
    const router = new threadmq.Router({ context, receiveHighWaterMark: 1 });
    router.connect(name);
    for (let isOver = false; !isOver; ) {
      const request = router.receiveSync();
      router.sendSync(request);
      isOver = `${request.at(-1)}` === "the end";
    }
  }, NAME);
  try {
    for (let round = 0; round < ROUNDS; round++) {
      for (const request of ["given up", "given up", `${round}`]) req.sendSync(request);
      assert.equal(`${req.receiveSync({ timeout: PATIENCE })}`, `${round}`);
    }
  } finally {
    req.sendSync("the end");
    await answering;
  }
});
