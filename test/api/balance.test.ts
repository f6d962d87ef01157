// SPDX-License-Identifier: MIT

/**
 * Sharing out by load: a message goes to the peer for which the fewest wait, in turn among equals
 * (G1); and what that does not promise.
 */
import assert from "node:assert/strict";
import { Client, Dealer, Gather, Pull, Push, Scatter, Server } from "threadmq";
import { play, zmq } from "../support/ground.ts";

const NAME = "inproc://work";
const LEAST = { balance: "least-loaded" } as const;
const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i));

play("G1: nothing waits behind a busy worker as long as another is idle", async (g) => {
  const { context } = g;
  using push = new Push({ context, ...LEAST });
  push.bindSync(NAME);
  // Who acknowledges has what it works on counted.
  const workers = numbers(4).map(() => new Pull({ context, acknowledge: true }));
  for (const worker of workers) worker.connect(NAME);
  const [slow, ...fast] = workers as [Pull, Pull, Pull, Pull];
  push.sendManySync(numbers(4));
  await slow.receive(); // And it is busy from now on.
  for (const worker of fast) await worker.receive();
  for (let i = 0; i < 300; i++) {
    const worker = fast[i % 3] as Pull;
    worker.acknowledge(); // It is idle.
    await push.send(String(i));
    const [part] = await worker.receive();
    assert.equal(String(part), String(i), "the idle one has it");
  }
  assert.equal(slow.tryReceive(), undefined);
  for (const worker of workers) worker.close();
});

play("by turn it would not be so: half of the messages wait for the slow one", async (g) => {
  const { context } = g;
  using push = new Push({ context });
  push.bindSync(NAME);
  const [slow, fast] = [new Pull({ context }), new Pull({ context })];
  for (const worker of [slow, fast]) worker.connect(NAME);
  for (let i = 0; i < 100; i++) {
    await push.send(String(i));
    fast.tryReceive();
  }
  assert.equal(slow.stats().queuedIn, 50);
  push.balance = "least-loaded"; // At once.
  for (let i = 0; i < 100; i++) {
    await push.send(String(i));
    assert.ok(fast.tryReceive());
  }
  assert.equal(slow.stats().queuedIn, 50);
  for (const worker of [slow, fast]) worker.close();
});

play(
  "watermarks of 1: no more than two are given to a busy worker, in another thread",
  async (g) => {
    const { context } = g;
    const name = "inproc://marks";
    const thread = g.thread();
    await thread.run(async ({ threadmq, context, props }) => {
      props.slow = new threadmq.Pull({ context, receiveHighWaterMark: 1 });
      props.slow.connect("inproc://marks");
    });
    using push = new Push({ context, sendHighWaterMark: 1, ...LEAST });
    push.bindSync(name);
    using fast = new Pull({ context, receiveHighWaterMark: 1 });
    fast.connect(name);
    const received: string[] = [];
    const sending = push.sendMany(numbers(200));
    while (received.length < 198) received.push(String((await fast.receive())[0]));
    await sending;
    const rest: string[] = await thread.run(({ props }) =>
      [props.slow.tryReceive(), props.slow.tryReceive(), props.slow.tryReceive()]
        .filter((message) => message !== undefined)
        .map(String),
    );
    assert.equal(rest.length, 2);
    assert.deepEqual(
      [...received, ...rest].map(Number).sort((a, b) => a - b),
      numbers(200).map(Number),
    );
  },
);

play("with many peers each has its share, and idle ones get what comes", async (g) => {
  const { context } = g;
  using push = new Push({ context, ...LEAST });
  push.bindSync(NAME);
  const pulls = numbers(50).map(() => new Pull({ context }));
  for (const pull of pulls) pull.connect(NAME);
  push.sendManySync(numbers(500));
  for (const pull of pulls) assert.equal(pull.stats().queuedIn, 10);
  const idle = pulls.filter((_, index) => index % 7 === 0);
  for (const pull of idle) pull.receiveManySync(10);
  push.sendManySync(numbers(10 * idle.length));
  for (const pull of pulls) assert.equal(pull.stats().queuedIn, 10);
  for (const pull of pulls) pull.close();
});

play("every socket that shares out has the option", async (g) => {
  const { context } = g;
  type Peers = [Push | Scatter | Dealer | Client, unknown[]];
  const pairs: (() => Peers)[] = [
    () => [new Push({ context, ...LEAST }), [new Pull({ context }), new Pull({ context })]],
    () => [new Scatter({ context, ...LEAST }), [new Gather({ context }), new Gather({ context })]],
    () => [new Dealer({ context, ...LEAST }), [new Dealer({ context }), new Dealer({ context })]],
    () => [new Client({ context, ...LEAST }), [new Server({ context }), new Server({ context })]],
  ];
  for (const make of pairs) {
    const [sender, peers] = make();
    const [busy, idle] = peers as [Pull, Pull]; // What they have in common will do.
    assert.equal(sender.balance, "least-loaded");
    sender.bindSync(NAME);
    for (const peer of [busy, idle]) peer.connect(NAME);
    sender.sendManySync(["1", "2"]);
    assert.equal(idle.stats().queuedIn, 1);
    idle.receiveSync();
    sender.sendSync("3");
    assert.equal(idle.stats().queuedIn, 1);
    for (const socket of [sender, busy, idle]) socket.close();
  }
  assert.equal(new Push({ context }).balance, "round-robin");
  assert.throws(() => new Push({ context, balance: "random" as "round-robin" }), zmq("EINVAL"));
});
