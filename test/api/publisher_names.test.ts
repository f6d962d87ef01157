// SPDX-License-Identifier: MIT

/** Publishers that connect: what becomes of it when who is bound there goes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Context, Dish, Publisher, Radio, Subscriber, XPublisher, XSubscriber } from "threadmq";
import { SMALL } from "../support/ground.ts";

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
