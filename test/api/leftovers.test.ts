// SPDX-License-Identifier: MIT

/**
 * What is left when a socket goes, and who gets it: messages, memory, names.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { Context, Pull, Push, Subscriber } from "threadmq";

import { runProgram } from "../support/child.ts";
import { PATIENCE } from "../support/stage.ts";

const text = (message: Buffer[] | undefined) => message?.map(String).join();

describe("messages of a socket that is gone", () => {
  test("C1: a binder that comes while the last one drains gets what that one leaves", () => {
    const context = new Context();
    const [a, b] = [new Pull({ context }), new Pull({ context })];
    a.bindSync("inproc://x");
    const push = new Push({ context });
    push.connect("inproc://x");
    push.sendManySync(["1", "2", "3"]);
    push.close();
    assert.equal(text(a.tryReceive()), "1"); // Now it knows that no more will come.
    a.unbindSync("inproc://x");
    b.bindSync("inproc://x");
    a.close();
    assert.deepEqual([text(b.tryReceive()), text(b.tryReceive())], ["2", "3"]);
    assert.equal(context.stats().pipes, 0);
    b.close();
  });

  test("linger: what nobody came for in time does not use memory up", async () => {
    const context = new Context({ maxMemory: 1 << 20 });
    for (let round = 0; round < 3000; round++) {
      const push = new Push({ context, linger: 0 });
      push.connect(`inproc://${round % 7}`);
      push.trySend("late");
      push.close();
    }
    const { pipes, messages } = context.stats();
    assert.equal(pipes, 0);
    assert.equal(messages.dropped, 3000);
    await context.terminate();
  });
});

describe("what lingers", () => {
  /** Sends one message to each of so many names that nobody binds, from sockets that close. */
  function leave(context: Context, count: number, linger: number): void {
    for (let number = 0; number < count; number++) {
      const push = new Push({ context, linger });
      push.connect(`inproc://job/${number}`);
      push.trySend(`${number}`);
      push.close();
    }
  }

  /** Waits until no more than so many links are left, and says how many messages were dropped. */
  async function allDropped(context: Context, left = 0): Promise<number> {
    while (context.stats().pipes > left) await new Promise((resolve) => setTimeout(resolve, 1));
    const { endpoints, messages } = context.stats();
    assert.equal(endpoints, left);
    return messages.dropped;
  }

  test("is dropped when its time is up, and told, although nobody asks for it", async () => {
    const context = new Context();
    const log = new Subscriber({ context });
    log.connect("sys://log");
    log.subscribe("messages.dropped");
    const patient = new Push({ context, linger: 600_000 });
    patient.connect("inproc://patient");
    patient.trySend("later");
    patient.close();
    leave(context, 50, 5);
    assert.equal(await allDropped(context, 1), 50);
    const [, record] = await log.receive({ timeout: PATIENCE });
    assert.equal(JSON.parse(`${record}`).why, "linger");
    log.close();
    await context.terminate();
  });

  test("makes room for new names and links as soon as that is so", async () => {
    const context = new Context({ maxMemory: 1 << 20 });
    for (let round = 0; round < 20; round++) {
      leave(context, 200, 1);
      const late = performance.now() + 2;
      while (performance.now() < late); // The event loop has no turn.
    }
    assert.equal(await allDropped(context), 20 * 200);
    await context.terminate();
  });

  /** A thread that sends ten messages to `inproc://late` by a socket that lingers, and ends so. */
  async function sendAndEnd(context: Context, options: object, end: string): Promise<void> {
    const worker = new Worker(
      `import { parentPort, workerData } from "node:worker_threads";
      const { Context, Push } = await import("threadmq");
      const push = new Push({ context: Context.from(workerData.handle), ...workerData.options });
      push.connect("inproc://late");
      for (let number = 0; number < 10; number++) push.sendSync("late");
      parentPort.postMessage("sent");
      ${end}`,
      { eval: true, workerData: { handle: context.handle, options } },
    );
    await once(worker, "message");
    if (end !== "push.close();") await worker.terminate();
    else await once(worker, "exit");
  }

  const ENDS = { ends: "push.close();", dies: "setInterval(() => {}, 1000);" };
  for (const [how, end] of Object.entries(ENDS)) {
    test(`of a thread that ${how} is dropped by another that is there`, async () => {
      const context = new Context();
      const here = new Pull({ context });
      await sendAndEnd(context, { linger: 50 }, end);
      assert.equal(await allDropped(context), 10);
      here.close();
      await context.terminate();
    });

    test(`of a thread that ${how}, also if its reader goes after that`, async () => {
      const context = new Context();
      const reader = new Pull({ context });
      reader.bindSync("inproc://late");
      await sendAndEnd(context, { linger: 300 }, end);
      reader.close();
      assert.equal(await allDropped(context), 10);
      await context.terminate();
    });
  }

  test("in a swap, of a thread that ends, is dropped by another", async () => {
    const context = new Context();
    const here = new Pull({ context });
    const options = { linger: 50, swap: 1 << 20, sendHighWaterMark: 3 };
    await sendAndEnd(context, options, ENDS.ends);
    assert.equal(await allDropped(context), 10);
    here.close();
    await context.terminate();
  });
});

describe("memory", () => {
  test("a send that waits for memory goes on when its own thread receives", async () => {
    const context = new Context({ maxMemory: 1 << 20 });
    const pull = new Pull({ context, receiveHighWaterMark: 0 });
    const push = new Push({ context, sendHighWaterMark: 0 });
    pull.bindSync("inproc://x");
    push.connect("inproc://x");
    const body = Buffer.alloc(30_000);
    let sent = 0;
    while (push.trySend(body)) sent++;
    const late = push.send(body, { timeout: 60_000 });
    let received = 0;
    while (pull.tryReceive() !== undefined) received++;
    await late;
    while (pull.tryReceive() !== undefined) received++;
    assert.equal(received, sent + 1);
    await context.terminate();
  });

  test("I1: a blocking send that waits for memory gives up when its time is up", async () => {
    const context = new Context({ maxMemory: 1 << 20 });
    const pull = new Pull({ context, receiveHighWaterMark: 0 });
    const push = new Push({ context, sendHighWaterMark: 0 });
    pull.bindSync("inproc://x");
    push.connect("inproc://x");
    const body = Buffer.alloc(50_000);
    while (push.trySend(body));
    assert.throws(() => push.sendSync(body, { timeout: 50 }), { code: "EAGAIN" });
    await context.terminate();
  });

  test("a part whose buffer is transferred does not take its neighbours along", () => {
    const context = new Context();
    const [pull, push] = [new Pull({ context }), new Push({ context })];
    pull.bindSync("inproc://x");
    push.connect("inproc://x");
    push.sendManySync(["one", "two", "three"]);
    const [first] = pull.receiveSync() as [Buffer<ArrayBuffer>];
    try {
      structuredClone(first, { transfer: [first.buffer] });
    } catch {
      // Refused: better still.
    }
    assert.equal(text(pull.receiveSync()), "two");
    assert.equal(text(pull.receiveSync()), "three");
    push.close();
    pull.close();
  });
});

test("a receive with a timeout, unref'd, does not hold the process", async () => {
  const { code } = await runProgram(`
    import { Pull } from "threadmq";
    const pull = new Pull().unref();
    pull.bindSync("inproc://x");
    pull.receive({ timeout: 600_000 });
  `);
  assert.equal(code, 0);
});
