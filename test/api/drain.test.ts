// SPDX-License-Identifier: MIT

/** push.drain() settles when all that was sent has been received, and not before. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Context, Pull, Push } from "threadmq";
import { DEATHS, die } from "../support/deaths.ts";
import { play, SMALL, text, zmq } from "../support/ground.ts";
import { PATIENCE } from "../support/stage.ts";

function open(options: object = {}): { context: Context; push: Push; pull: Pull } {
  const context = new Context(SMALL);
  const push = new Push({ context, ...options });
  const pull = new Pull({ context });
  pull.bindSync("inproc://x");
  push.connect("inproc://x");
  return { context, push, pull };
}

/** Whether a promise has settled, after the event loop had its turn. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let over = false;
  const note = () => {
    over = true;
  };
  promise.then(note, note);
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  return over;
}

describe("drain", () => {
  test("is done at once if nothing was sent, or all was received", async () => {
    const { push, pull } = open();
    await push.drain({ timeout: 0 });
    push.sendSync("1");
    pull.receiveSync();
    await push.drain({ timeout: 0 });
  });

  test("waits for the last message, of all peers", async () => {
    const { context, push, pull } = open();
    const other = new Pull({ context });
    other.bindSync("inproc://y");
    push.connect("inproc://y");
    push.sendManySync(["1", "2", "3", "4"]);
    const over = push.drain({ timeout: PATIENCE });
    pull.receiveManySync(2);
    assert.equal(await settled(over), false);
    other.receiveSync();
    assert.equal(await settled(over), false);
    other.receiveSync();
    await over;
  });

  test("does not wait for who was let go: what it has not received is its own", async () => {
    const { push, pull } = open();
    push.sendSync("1");
    const over = push.drain({ timeout: PATIENCE });
    push.disconnect("inproc://x");
    await over;
    assert.equal(String(pull.receiveSync()), "1");
  });

  test("waits for the swap of who was let go", async () => {
    const { push, pull } = open({ swap: 1 << 20, sendHighWaterMark: 1 });
    const count = 2000; // More than the two watermarks let into the lane.
    push.sendManySync(Array.from({ length: count }, (_, number) => `${number}`));
    push.disconnect("inproc://x");
    const over = push.drain({ timeout: PATIENCE });
    assert.equal(await settled(over), false);
    for (let number = 0; number < count; number++) {
      assert.equal(String(await pull.receive({ timeout: PATIENCE })), String(number));
    }
    await over;
  });

  test("waits for names that nobody is bound to", async () => {
    const context = new Context(SMALL);
    const push = new Push({ context });
    push.connect("inproc://late");
    push.sendSync("1");
    await assert.rejects(push.drain({ timeout: 0 }), zmq("EAGAIN", "inproc://late"));
    const over = push.drain({ timeout: PATIENCE });
    const pull = new Pull({ context });
    pull.bindSync("inproc://late");
    assert.equal(await settled(over), false);
    assert.equal(String(pull.receiveSync()), "1");
    await over;
  });

  test("waits for sends that wait", async () => {
    const { push, pull } = open({ sendHighWaterMark: 1 });
    pull.receiveHighWaterMark = 1;
    while (push.trySend("a"));
    const sends = [push.send("b"), push.send("c")];
    const over = push.drain({ timeout: PATIENCE });
    const got: (string | undefined)[] = [];
    while (got.length < 4) {
      assert.equal(await settled(over), false, `after ${got.length}`);
      got.push(text(await pull.receive({ timeout: PATIENCE })));
    }
    await Promise.all(sends);
    await over;
    assert.deepEqual(got, ["a", "a", "b", "c"]);
  });

  test("waits until a receiver that acknowledges has done so", async () => {
    const { context, push, pull } = open();
    pull.close();
    const careful = new Pull({ context, acknowledge: true });
    careful.bindSync("inproc://x");
    push.sendSync("1");
    const over = push.drain({ timeout: PATIENCE });
    careful.receiveSync();
    assert.equal(await settled(over), false);
    careful.acknowledge();
    await over;
  });

  test("is done when the link that it waits for is let go of", async () => {
    const { push } = open();
    push.sendSync("1");
    const over = push.drain({ timeout: PATIENCE });
    assert.equal(await settled(over), false);
    push.disconnect("inproc://x");
    assert.equal(await settled(over), true);
  });

  test("waits for the swap of a link that was let go of", async () => {
    const { push, pull } = open({ sendHighWaterMark: 1, swap: 1000 });
    pull.receiveHighWaterMark = 1;
    push.sendManySync(["1", "2", "3", "4"]);
    push.disconnect("inproc://x");
    const over = push.drain({ timeout: PATIENCE });
    assert.equal(await settled(over), false);
    for (const each of ["1", "2", "3", "4"]) {
      assert.equal(text(await pull.receive({ timeout: PATIENCE })), each);
    }
    await over;
    assert.equal(push.stats().queuedOut, 0);
  });

  test("gives up when its time is up: the call's, or the socket's", async () => {
    const { push } = open({ sendTimeout: 10 });
    push.sendSync("1");
    await assert.rejects(push.drain(), zmq("EAGAIN"));
    await assert.rejects(push.drain({ timeout: 5 }), zmq("EAGAIN"));
    await assert.rejects(push.drain({ timeout: 0 }), zmq("EAGAIN"));
    await assert.rejects(push.drain({ timeout: -2 }), zmq("EINVAL"));
  });

  test("is aborted by a signal, with its reason", async () => {
    const { push, pull } = open();
    push.sendSync("1");
    const reason = new Error("enough");
    await assert.rejects(push.drain({ signal: AbortSignal.abort(reason) }), reason);
    const controller = new AbortController();
    const over = push.drain({ signal: controller.signal });
    const other = push.drain({ timeout: PATIENCE });
    controller.abort(reason);
    await assert.rejects(over, reason);
    pull.receiveSync();
    await other;
  });

  test("fails when the socket is closed, and the context terminated, while it waits", async () => {
    const { push } = open();
    push.sendSync("1");
    const over = assert.rejects(push.drain(), zmq("EBADF"));
    push.close();
    await over;
    await assert.rejects(push.drain(), zmq("EBADF"));
    const { context, push: second } = open();
    second.sendSync("1");
    const ended = assert.rejects(second.drain(), zmq("ETERM"));
    await context.terminate();
    await ended;
  });

  test("several wait together, beside a send that waits for room", async () => {
    const { push, pull } = open({ sendHighWaterMark: 2 });
    pull.receiveHighWaterMark = 2;
    while (push.trySend("a"));
    const drains = [push.drain({ timeout: PATIENCE }), push.drain({ timeout: PATIENCE })];
    const sent = push.send("b", { timeout: PATIENCE });
    for (let i = 0; i < 5; i++) await pull.receive({ timeout: PATIENCE });
    await Promise.all([sent, ...drains]);
  });
});

play("drain waits for a receiver in another thread", async (g) => {
  const thread = g.thread();
  const pull = await g.pull({}, thread);
  await pull.bind("inproc://x");
  const push = await g.push();
  await push.connect("inproc://x");
  for (let round = 0; round < 50; round++) {
    await push.send(["1", "2", "3"]);
    const over = push.call("drain", { timeout: PATIENCE });
    await pull.receive(3);
    await over;
    assert.equal(g.conserved().queued, 0);
  }
});

for (const [how, death] of Object.entries(DEATHS)) {
  play(`drain waits for those that get what is left by a thread that dies by ${how}`, async (g) => {
    const thread = g.thread(death.start);
    const [dead, alive] = [await g.pull({}, thread), await g.pull()];
    await dead.bind("inproc://dead");
    await alive.bind("inproc://alive");
    const push = await g.push();
    await push.connect("inproc://dead");
    await push.connect("inproc://alive");
    await push.send(["1", "2", "3", "4"]);
    const over = push.call("drain", { timeout: PATIENCE });
    await die(thread, death);
    assert.equal(await settled(over), false);
    assert.deepEqual((await alive.receive(4)).toSorted(), ["1", "2", "3", "4"]);
    await over;
  });
}
