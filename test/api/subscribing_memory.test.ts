// SPDX-License-Identifier: MIT

/** Subscriptions when there is no memory to tell of them: nobody hangs for it, none is lost. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Context, Publisher, Pull, Push, Subscriber, XSubscriber } from "threadmq";

const TINY = { maxMemory: 409_600 };

const A = "inproc://a";

/** The event loop has had several turns. */
async function turns(): Promise<void> {
  for (let left = 5; left > 0; left--) await new Promise((resolve) => setTimeout(resolve));
}

describe("memory for subscriptions", () => {
  test("a topic that never fits is refused, and changes nothing", async () => {
    const context = new Context(TINY);
    const publisher = new Publisher({ context });
    const subscriber = new Subscriber({ context });
    const other = new XSubscriber({ context });
    publisher.bindSync(A);
    subscriber.connect(A);
    other.connect(A);
    const topic = "x".repeat(TINY.maxMemory);
    assert.throws(() => subscriber.subscribe("fits", topic), { code: "EMSGSIZE" });
    assert.throws(() => other.sendSync(["\x01fits", `\x01${topic}`]), { code: "EMSGSIZE" });
    assert.equal(subscriber.topicsCount + other.topicsCount, 0);
    await turns();
    subscriber.subscribe("a");
    publisher.sendSync("abc");
    assert.equal(`${subscriber.receiveSync()}`, "abc");
    await context.terminate();
  });

  test("what finds none is said when there is some; meanwhile the event loop turns", async () => {
    const context = new Context(TINY);
    const push = new Push({ context, sendHighWaterMark: 0 });
    const pull = new Pull({ context });
    push.connect("inproc://b");
    pull.bindSync("inproc://b");
    const publisher = new Publisher({ context });
    const subscriber = new Subscriber({ context });
    publisher.bindSync(A);
    subscriber.connect(A);
    while (push.trySend(Buffer.alloc(1000)));
    const topics = Array.from({ length: 1000 }, (_, index) => `${"t".repeat(90)} ${index};`);
    subscriber.subscribe(...topics);
    await turns();
    while (pull.tryReceive() !== undefined);
    await turns();
    for (const topic of topics) {
      publisher.sendSync("nobody wants it");
      publisher.sendSync(topic);
      assert.equal(`${subscriber.receiveSync()}`, topic);
    }
    assert.equal(publisher.stats().sent, 2 * topics.length);
    assert.equal(
      context.stats().messages.sent,
      push.stats().sent + topics.length,
      "others are not sent",
    );
    await context.terminate();
  });

  test("more subscriptions than there is memory at a time", async () => {
    const context = new Context(TINY);
    const publisher = new Publisher({ context });
    const subscriber = new Subscriber({ context });
    const topics = Array.from({ length: 3000 }, (_, index) => `${"t".repeat(190)} ${index};`);
    subscriber.subscribe(...topics);
    subscriber.connect(A);
    await turns();
    publisher.bindSync(A);
    for (const topic of topics.filter((_, index) => index % 100 === 0)) {
      publisher.sendSync(topic);
      assert.equal(`${await subscriber.receive()}`, topic);
    }
    for (const topic of topics) subscriber.unsubscribe(topic);
    publisher.sendSync(topics[0] as string);
    assert.equal(subscriber.tryReceive(), undefined);
    await context.terminate();
  });
});
