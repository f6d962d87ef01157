// SPDX-License-Identifier: MIT

/**
 * What is left when a socket goes, and who gets it: messages, memory, names.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Context, Pull, Push } from "threadmq";

import { runProgram } from "../support/child.ts";

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
