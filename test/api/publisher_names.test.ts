// SPDX-License-Identifier: MIT

/** Publishers and XSUBs that connect: what becomes of it when who is bound there goes, or comes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Context, Dish, Publisher, Radio, Subscriber, XPublisher, XSubscriber } from "threadmq";
import { play, SMALL } from "../support/ground.ts";

const NAME = "inproc://hearer";
const KINDS: Readonly<Record<string, (context: Context) => { from: any; to: () => any }>> = {
  "PUB and SUB": (context) => ({
    from: new Publisher({ context }),
    to: () => {
      const subscriber = new Subscriber({ context });
      subscriber.subscribe();
      return subscriber;
    },
  }),
  "XPUB and XSUB": (context) => ({
    from: new XPublisher({ context }),
    to: () => {
      const subscriber = new XSubscriber({ context });
      subscriber.sendSync("\x01");
      return subscriber;
    },
  }),
  "RADIO and DISH": (context) => ({
    from: new Radio({ context }),
    to: () => {
      const dish = new Dish({ context });
      dish.join("g");
      return dish;
    },
  }),
};

for (const [kind, open] of Object.entries(KINDS)) {
  test(`C1, H1: ${kind}: what a binder had not read is dropped, not kept`, async () => {
    const context = new Context(SMALL);
    const { from, to } = open(context);
    from.connect(NAME);
    const before = context.stats().memory.used;
    const first = to();
    first.bindSync(NAME);
    const large = Buffer.alloc(65_536, 1);
    for (let i = 0; i < 10; i++) from.sendSync(large, { group: "g" });
    assert.equal(context.stats().messages.queued, 10);
    first.close();
    assert.equal(from.stats().dropped, 10);
    const { messages, memory } = context.stats();
    assert.deepEqual(messages, { sent: 10, received: 0, queued: 0, dropped: 10 });
    assert.equal(memory.used, before);

    const next = to();
    next.bindSync(NAME);
    from.sendSync("new", { group: "g" });
    assert.equal(`${next.receiveSync({ timeout: 1000 })[0]}`, "new");
    await context.terminate();
  });
}

for (const [sender, hearer] of [
  ["Publisher", "Subscriber"],
  ["XSubscriber", "XPublisher"],
] as const) {
  play(`${sender}: what is sent before anybody binds goes to nobody`, async (g) => {
    const from = await g.open(sender);
    await from.connect(NAME);
    assert.equal(await from.get("writable"), true);
    await from.send(["early"]);
    assert.equal((await from.call("stats")).queuedOut, 0);
    const to = await g.open(hearer, {}, g.thread());
    if (hearer === "Subscriber") await to.call("subscribe");
    await to.bind(NAME);
    await from.send(["late"]);
    assert.deepEqual(await to.receive(1), ["late"]);
    assert.deepEqual(await to.drain(), []);
  });
}

play("XSUB: what a dead XPUB had not received is the next binder's", async (g) => {
  const xsub = await g.open("XSubscriber");
  await xsub.connect(NAME);
  const thread = g.thread();
  const dead = await g.open("XPublisher", {}, thread);
  await dead.bind(NAME);
  await xsub.send(["0", "1"]);
  assert.deepEqual(await dead.receive(2), ["0", "1"]);
  await xsub.send(["2", "3", "4"]);
  assert.deepEqual(await dead.receive(1), ["2"]);
  await thread.kill();
  const next = await g.open("XPublisher");
  await next.bind(NAME);
  assert.deepEqual(await next.drain(), ["3", "4"]);
});

play("XSUB: what an XPUB that closes had not received is the next binder's", async (g) => {
  const xsub = await g.open("XSubscriber");
  await xsub.connect(NAME);
  const first = await g.open("XPublisher", {}, g.thread());
  await first.bind(NAME);
  await xsub.send(["0", "1", "2"]);
  assert.deepEqual(await first.receive(1), ["0"]);
  assert.equal((await first.call("stats")).queuedIn, 2, "they were heard");
  await first.close();
  const next = await g.open("XPublisher");
  await next.bind(NAME);
  await xsub.send(["3"]);
  assert.deepEqual(await next.drain(), ["1", "2", "3"]);
});

play("F2: XSUB: an XPUB gives room back with each message that it receives", async (g) => {
  const xpub = await g.open("XPublisher", { receiveHighWaterMark: 2 });
  await xpub.bind(NAME);
  const xsub = await g.open("XSubscriber", { sendHighWaterMark: 2 }, g.thread());
  await xsub.connect(NAME);
  await xsub.call("subscribe", "topic");
  assert.deepEqual(await xpub.receive(1), ["\x01topic"]);
  const large = "x".repeat(10_000);
  for (let next = 0; next < 300; next++) {
    await xsub.send([next % 3 === 0 ? [`${next}`, large] : [`${next}`]]);
    if (next % 5 === 0) await xsub.call("subscribe", "topic"); // Which is told, but no message.
    if (next < 3) continue;
    assert.equal((await xpub.get("readable")) && (await xpub.call("stats")).queuedIn, 4);
    const [message] = await xpub.receive(1);
    assert.equal(message?.split("|")[0], `${next - 3}`);
  }
  assert.equal((await xsub.call("stats")).dropped, 0);
});
