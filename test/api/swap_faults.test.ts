// SPDX-License-Identifier: MIT

/**
 * Swap to disk: disks that fail, what holds a process, and those of the nine faults of ZeroMQ 2.1's
 * swap that can be seen only from outside. (1, 2, 4 and 5 are in src/pipe/swap.test.ts, 6 is in
 * swap.test.ts.)
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { describe, test } from "node:test";
import { Context, Pull, Push } from "#src/index.ts";
import { host } from "#src/platform/index.ts";
import { FakeFiles } from "#src/testing/index.ts";
import { runProgram } from "../support/child.ts";
import { type Ground, play, SMALL, zmq } from "../support/ground.ts";

const NAME = "inproc://swap";
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `${from + i}`);

/** A PUSH and a context whose swaps are in memory, and fail when they are told to. */
function onFakeDisk(body: (files: FakeFiles, push: Push, context: Context) => void): void {
  const files = new FakeFiles();
  const { files: real } = host;
  Object.assign(host, { files });
  try {
    const context = new Context(SMALL);
    const push = new Push({ context, sendHighWaterMark: 1, swap: 1 << 30 });
    push.connect(NAME);
    body(files, push, context);
    push.close();
    const { sent, received, queued, dropped } = context.stats().messages;
    assert.equal(sent, received + queued + dropped, "H1");
  } finally {
    Object.assign(host, { files: real });
  }
}

const body = Buffer.alloc(10_000, 1);
/** What a PULL gets until there is nothing. */
function drain(context: Context, count = Number.POSITIVE_INFINITY): number[] {
  const pull = new Pull({ context, receiveHighWaterMark: 1 });
  pull.bindSync(NAME);
  const got: number[] = [];
  while (got.length < count) {
    const message = pull.tryReceive();
    if (message === undefined) {
      context.stats(); // Lets the other end, which is in this thread, hear what has come.
      if (context.stats().messages.queued === 0) break;
      continue;
    }
    assert.deepEqual(message[1], body);
    got.push(Number(`${message[0]}`));
  }
  pull.close();
  return got;
}

describe("a disk that fails", () => {
  test("P5: a full one is ENOSPC for that message; others stay, and the socket is usable", () => {
    onFakeDisk((files, push, context) => {
      const sent: number[] = [];
      for (let i = 0; i < 200; i++) {
        files.writesLeft = i >= 100 && i < 120 ? 0 : Number.POSITIVE_INFINITY;
        try {
          push.sendSync([`${i}`, body]);
          sent.push(i);
        } catch (error) {
          zmq("ENOSPC")(error);
        }
      }
      assert.ok(sent.length < 200 && sent.length > 180, `${sent.length} sent`);
      assert.equal(push.stats().sent, sent.length);
      assert.deepEqual(drain(context), sent);
    });
  });

  test("P5: a full one is ENOSPC by rejection; of a batch it says how many went", async () => {
    const failures: Promise<unknown>[] = [];
    onFakeDisk((files, push, context) => {
      const messages = numbers(100).map((number) => [number, body]);
      files.writesLeft = 1;
      assert.throws(
        () => push.sendManySync(messages),
        (error: any) => zmq("ENOSPC")(error) && error.accepted === push.stats().sent,
      );
      for (const number of numbers(30))
        failures.push(push.send([number, body]).then(() => "sent", zmq("ENOSPC")));
      drain(context);
    });
    assert.ok((await Promise.all(failures)).includes(true));
  });

  test("P5: what cannot be read back is EIO for the next call, once, and counted", () => {
    onFakeDisk((files, push, context) => {
      for (let i = 0; i < 200; i++) push.sendSync([`${i}`, body]);
      files.isBad = (position) => position === 3 << 18;
      const got = drain(context);
      assert.ok(got.length < 200 && got.length >= 170, `${got.length} received`);
      assert.deepEqual(
        got,
        got.toSorted((a, b) => a - b),
      );
      assert.equal(push.stats().dropped, 200 - got.length);
      assert.equal(context.stats().messages.dropped, 200 - got.length);
      const lost = `lost: ${200 - got.length}.`;
      assert.throws(
        () => push.trySend("new"),
        (error: any) => {
          return zmq("EIO", NAME)(error) && error.hint.includes(lost);
        },
      );
      assert.equal(push.trySend("new"), true);
    });
  });

  test("P5: what comes back garbled is never handed out", () => {
    onFakeDisk((files, push, context) => {
      for (let i = 0; i < 200; i++) push.sendSync([`${i}`, body]);
      const bytes = files.files[0]?.bytes as Uint8Array;
      for (let at = 1000; at < bytes.length; at += 300_000) bytes[at] = (bytes[at] as number) ^ 4;
      const got = drain(context);
      assert.ok(got.length > 0 && got.length < 200);
      assert.equal(push.stats().dropped, 200 - got.length);
      assert.throws(() => push.sendSync("x"), zmq("EIO"));
    });
  });

  test("a close after a loss is a close: its errors are EBADF", () => {
    onFakeDisk((files, push, context) => {
      for (let i = 0; i < 200; i++) push.sendSync([`${i}`, body]);
      files.isBad = () => true;
      drain(context);
      push.close();
      assert.throws(() => push.trySend("x"), zmq("EBADF"));
      assert.throws(() => push.trySend("x"), zmq("EBADF"));
    });
  });
});

/** A bound PUSH with two PULLs; both have watermark 1. */
async function twoPulls(g: Ground) {
  const push = await g.push({ sendHighWaterMark: 1, swap: 1 << 26 });
  await push.bind(NAME);
  const pulls = [];
  for (const place of [g.thread(), g.thread()]) {
    const pull = await g.pull({ receiveHighWaterMark: 1 }, place);
    await pull.connect(NAME);
    pulls.push(pull);
  }
  await push.call("stats"); // It has heard of both.
  return { push, pulls };
}

describe("what was wrong with the swap of ZeroMQ 2.1, and is not here", () => {
  play(
    "fault 3: the parts of a message stay together, over several peers that spill",
    async (g) => {
      const { push, pulls } = await twoPulls(g);
      const messages = numbers(200).map((number) => [number, "b", `${number}c`, ""]);
      await push.send(messages);
      const got: string[] = [];
      for (const pull of pulls) got.push(...(await pull.receive(100)));
      assert.deepEqual(got.sort(), messages.map((message) => message.join("|")).sort());
    },
  );

  play("fault 7: one slow peer stalls nobody: the other gets all that it takes", async (g) => {
    const { push, pulls } = await twoPulls(g);
    const [slow, quick] = pulls as [(typeof pulls)[0], (typeof pulls)[0]];
    await push.send(numbers(100));
    const first = await quick.receive(50);
    const got: string[] = [];
    for (const number of numbers(500, 1000)) {
      await push.send([number]);
      got.push(...(await quick.receive(1)));
    }
    assert.deepEqual(got, numbers(500, 1000), "each at once, though the slow one reads nothing");
    assert.deepEqual(
      [...first, ...(await slow.receive(50))].map(Number).sort((a, b) => a - b),
      numbers(100).map(Number),
    );
  });

  play("fault 8: files of two threads are two files, and nothing is left of them", async (g) => {
    const threads = [g.thread(), g.thread(), g.thread()];
    const senders = await Promise.all(
      threads.map((thread) => g.push({ sendHighWaterMark: 1, swap: 1 << 26 }, thread)),
    );
    const messages = (tag: number) =>
      numbers(300).map((n) => [`${tag}/${n}`, `${tag}`.repeat(5000)]);
    const receivers = await Promise.all(senders.map(() => g.pull({ receiveHighWaterMark: 1 })));
    for (const [tag, sender] of senders.entries()) await sender.connect(`${NAME}/${tag}`);
    await Promise.all(senders.map((sender, tag) => sender.send(messages(tag), "sync")));
    for (const [tag, receiver] of receivers.entries()) {
      await receiver.bind(`${NAME}/${tag}`);
      assert.deepEqual(
        await receiver.receive(300),
        messages(tag).map((m) => m.join("|")),
      );
    }
    const mine = readdirSync(tmpdir()).filter((name) =>
      name.startsWith(`threadmq-${process.pid}-`),
    );
    assert.deepEqual(
      mine.filter((name) => name.endsWith(".swap")),
      [],
    );
  });

  play(
    "fault 9: nobody has it who does not ask for it: without, a full pipe is full",
    async (g) => {
      const push = await g.push({ sendHighWaterMark: 2 });
      assert.equal(await push.get("swap"), 0);
      await push.connect(NAME);
      await push.send(numbers(2));
      assert.equal(await push.call("trySend", "x"), false);
      await push.set("swap", 1000);
      assert.equal(await push.call("trySend", "2"), true);
      const pull = await g.pull({}, g.thread());
      await pull.bind(NAME);
      assert.deepEqual(await pull.receive(3), numbers(3));
    },
  );
});

const HEAD = `
  import { context, Pull, Push } from "threadmq";
  import { Worker } from "node:worker_threads";
  const options = { sendHighWaterMark: 1, swap: 1 << 26 };
  const inWorker = (lines) => new Worker(
    "(async () => { const { Pull, Push } = await import('threadmq');" +
    "const options = { sendHighWaterMark: 1, swap: 1 << 26 };" + lines + "})()", { eval: true });
  const fill = (push) => { for (let i = 0; i < 500; i++) push.sendSync(String(i)); };
`;
const FILL = "for (let i = 0; i < 500; i++) push.sendSync(String(i)); push.close();";

describe("a process", () => {
  const ends: Record<string, string> = {
    "a peer that never comes": `
      const push = new Push(options); push.connect("inproc://a"); fill(push); push.close();`,
    "a peer in the same thread that never reads": `
      const pull = new Pull({ receiveHighWaterMark: 1 }); pull.bindSync("inproc://a");
      const push = new Push(options); push.connect("inproc://a"); fill(push); push.close();`,
    "the swap of a socket that is open": `
      const push = new Push(options); push.connect("inproc://a"); fill(push);`,
    "a PUSH that was unref'd": `
      const pull = new Pull({ receiveHighWaterMark: 1 }); pull.bindSync("inproc://a");
      inWorker(\`const push = new Push(options).unref(); push.connect("inproc://a"); ${FILL}\`);`,
  };
  for (const [name, lines] of Object.entries(ends)) {
    test(`is not held by ${name}`, async () => {
      const outcome = await runProgram(HEAD + lines);
      assert.deepEqual(outcome, { code: 0, signal: null, stdout: "", stderr: "" });
    });
  }

  test("is held by a swap while a peer in another thread reads", async () => {
    const { code, stdout, stderr } = await runProgram(`${HEAD}
      const worker = inWorker(\`
        const pull = new Pull({ receiveHighWaterMark: 1 }); pull.bindSync("inproc://a");
        (await import("node:worker_threads")).parentPort.postMessage("bound");
        for (;;) pull.receiveSync();\`);
      await new Promise((resolve) => worker.once("message", resolve));
      worker.unref();
      const push = new Push(options); push.connect("inproc://a");
      fill(push); push.close();
      process.on("exit", () => console.log(context.stats().messages.queued));`);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.ok(Number(stdout) <= 2, `${stdout} of 500 had not come, not even into memory`);
  });

  test("a worker that ends by itself brings its swap to a peer that reads", async () => {
    const { code, stdout, stderr } = await runProgram(`${HEAD}
      const pull = new Pull({ receiveHighWaterMark: 1 }); pull.bindSync("inproc://a");
      inWorker(\`const push = new Push(options); push.connect("inproc://a"); ${FILL}\`);
      let sum = 0;
      for (let i = 0; i < 500; i++) sum += Number(String(await pull.receive()));
      console.log(sum);`);
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "124750\n", stderr: "" });
  });
});
