// SPDX-License-Identifier: MIT

/**
 * Leases of every type that receives, with what else such a socket can do, and with threads that
 * die: of who has sent it a lease is independent, and with who holds it its memory comes free.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  Channel,
  Client,
  Context,
  Dealer,
  Dish,
  Gather,
  json,
  type Lease,
  type LeasedPart,
  Pair,
  Peer,
  Publisher,
  Pull,
  Push,
  Radio,
  type ReceivingSocket,
  Reply,
  Request,
  Router,
  Scatter,
  Server,
  Subscriber,
  XPublisher,
  XSubscriber,
} from "threadmq";
import { DEATHS, die, inUse } from "../support/deaths.ts";
import { play, SMALL, zmq } from "../support/ground.ts";
import { bytes, isShared, leased, used } from "../support/leases.ts";
import { PATIENCE } from "../support/stage.ts";

const LARGE = 20_000;

/** Two sockets that are linked, a message for the second, and what it is to receive of it. */
interface Link {
  readonly receiver: ReceivingSocket<any, any, any>;
  send(parts: Buffer[]): void;
  /** What stands in the message before those parts, and behind them. */
  readonly before?: number;
  readonly behind?: number;
  readonly copies?: boolean;
  readonly one?: boolean;
}

type Pattern = (context: Context) => Link;

function link<
  S extends { bindSync(endpoint: string): void },
  R extends { connect(to: string): void },
>(sender: S, receiver: R): [S, R] {
  sender.bindSync("inproc://x");
  receiver.connect("inproc://x");
  return [sender, receiver];
}

const PATTERNS: Readonly<Record<string, Pattern>> = {
  PULL(context) {
    const [push, receiver] = link(new Push({ context }), new Pull({ context }));
    return { receiver, send: (parts) => push.sendSync(parts) };
  },
  GATHER(context) {
    const [scatter, receiver] = link(new Scatter({ context }), new Gather({ context }));
    return { receiver, one: true, send: ([part]) => scatter.sendSync(part as Buffer) };
  },
  PAIR(context) {
    const [pair, receiver] = link(new Pair({ context }), new Pair({ context }));
    return { receiver, send: (parts) => pair.sendSync(parts) };
  },
  CHANNEL(context) {
    const [channel, receiver] = link(new Channel({ context }), new Channel({ context }));
    return { receiver, one: true, send: ([part]) => channel.sendSync(part as Buffer) };
  },
  DEALER(context) {
    const [dealer, receiver] = link(new Dealer({ context }), new Dealer({ context }));
    return { receiver, send: (parts) => dealer.sendSync(parts) };
  },
  ROUTER(context) {
    const [dealer, receiver] = link(new Dealer({ context }), new Router({ context }));
    return { receiver, before: 1, send: (parts) => dealer.sendSync(parts) };
  },
  REP(context) {
    const [request, receiver] = link(
      new Request({ context, relaxed: true }),
      new Reply({ context }),
    );
    let isDue = false;
    const send = (parts: Buffer[]) => {
      if (isDue) receiver.sendSync("");
      isDue = true;
      request.sendSync(parts);
    };
    return { receiver, send };
  },
  REQ(context) {
    const [reply, receiver] = link(
      new Reply({ context }),
      new Request({ context, correlate: true }),
    );
    return {
      receiver,
      send(parts) {
        receiver.sendSync("?");
        reply.receiveSync();
        reply.sendSync(parts);
      },
    };
  },
  SERVER(context) {
    const [client, receiver] = link(new Client({ context }), new Server({ context }));
    return { receiver, one: true, behind: 1, send: ([part]) => client.sendSync(part as Buffer) };
  },
  CLIENT(context) {
    const [server, receiver] = link(new Server({ context }), new Client({ context }));
    receiver.sendSync("hello");
    const [, from] = server.receiveSync();
    return { receiver, one: true, send: ([part]) => server.sendSync(part as Buffer, from as any) };
  },
  PEER(context) {
    const peer = new Peer({ context });
    const receiver = new Peer({ context });
    receiver.bindSync("inproc://x");
    const routingId = peer.connectPeer("inproc://x");
    const send = ([part]: Buffer[]) => peer.sendSync(part as Buffer, { routingId });
    return { receiver, one: true, behind: 1, send };
  },
  SUB(context) {
    const [publisher, receiver] = link(new Publisher({ context }), new Subscriber({ context }));
    receiver.subscribe("");
    return { receiver, send: (parts) => publisher.sendSync(parts) };
  },
  XSUB(context) {
    const [publisher, receiver] = link(new XPublisher({ context }), new XSubscriber({ context }));
    receiver.sendSync(Buffer.from([1]));
    return { receiver, send: (parts) => publisher.sendSync(parts) };
  },
  XPUB(context) {
    const [subscriber, receiver] = link(new XSubscriber({ context }), new XPublisher({ context }));
    return { receiver, copies: true, send: (parts) => subscriber.sendSync(parts) };
  },
  DISH(context) {
    const [radio, receiver] = link(new Radio({ context }), new Dish({ context }));
    receiver.join("x");
    const send = ([part]: Buffer[]) => radio.sendSync(part as Buffer, { group: "x" });
    return { receiver, one: true, behind: 1, send };
  },
};

for (const [name, pattern] of Object.entries(PATTERNS)) {
  test(`${name} receives leases`, async () => {
    const context = new Context(SMALL);
    const { receiver, send, before = 0, behind = 0, copies = false, one } = pattern(context);
    const messages = one
      ? [[bytes(LARGE, 11)], [bytes(10, 12)], [bytes(LARGE, 13)]]
      : [[bytes(LARGE, 11), bytes(10, 12), bytes(9000, 2)], [bytes(10, 13)], [bytes(LARGE, 14)]];
    const leases: Lease<any>[] = [];
    for (const [index, parts] of messages.entries()) {
      send(parts);
      leases.push(index === 1 ? await receiver.receiveLease() : receiver.receiveLeaseSync());
    }
    assert.equal(leased(context) > 0, !copies);
    for (const [index, { message }] of leases.entries()) {
      const parts = messages[index] as Buffer[];
      assert.deepEqual(message.slice(before, before + parts.length), parts);
      assert.equal(message.length, before + parts.length + behind);
      for (const part of message.slice(before, before + parts.length)) {
        assert.equal(isShared(part), !copies && part.length > 4096);
      }
    }
    for (const lease of leases) lease.release();
    assert.equal(leased(context), 0);
    await context.terminate();
  });
}

test("a body for many is leased by each, and freed with the last", async () => {
  const context = new Context(SMALL);
  const publisher = new Publisher({ context });
  publisher.bindSync("inproc://x");
  const subscribers = Array.from({ length: 10 }, () => {
    const subscriber = new Subscriber({ context });
    subscriber.connect("inproc://x");
    subscriber.subscribe("");
    return subscriber;
  });
  publisher.sendSync("");
  for (const subscriber of subscribers) subscriber.receiveSync();
  const before = used(context);
  publisher.sendSync([bytes(LARGE, 1), bytes(70_000, 2)]);
  publisher.sendSync([bytes(LARGE, 3), bytes(70_000, 4)]);
  const leases = subscribers.map((subscriber) => subscriber.receiveLeaseSync());
  for (const [i, subscriber] of subscribers.entries()) {
    if (i % 2 === 0) assert.deepEqual(subscriber.receiveSync()[1], bytes(70_000, 4));
    else subscriber.close();
  }
  publisher.close();
  assert.ok(leased(context) >= 10 * 90_000);
  for (const lease of leases) {
    assert.ok(used(context) > before - 200_000);
    assert.deepEqual(lease.message, [bytes(LARGE, 1), bytes(70_000, 2)]);
    lease.release();
  }
  assert.equal(leased(context), 0);
  for (const subscriber of subscribers) subscriber.close();
  assert.ok(used(context) <= before);
  await context.terminate();
});

test("what a SUB does not want any more is not leased", async () => {
  const context = new Context(SMALL);
  const [publisher, subscriber] = link(new Publisher({ context }), new Subscriber({ context }));
  subscriber.subscribe("a", "b");
  for (const topic of ["a", "a", "b"]) publisher.sendSync([topic, bytes(LARGE)]);
  publisher.sendSync(["b", "small"]);
  subscriber.unsubscribe("a");
  using first = subscriber.receiveLeaseSync();
  assert.equal(`${first.message[0]}`, "b");
  assert.equal(Math.floor(leased(context) / LARGE), 1);
  first.release();
  assert.equal(`${subscriber.receiveLeaseSync().message[1]}`, "small");
  assert.equal(leased(context), 0);
  publisher.sendSync(["b", bytes(LARGE)]);
  subscriber.unsubscribe("b");
  assert.equal(subscriber.tryReceiveLease(), undefined);
  assert.equal(leased(context), 0);
  await context.terminate();
});

test("the envelope that a REP answers with does not depend on the lease", async () => {
  const context = new Context(SMALL);
  const [dealer, reply] = link(new Dealer({ context }), new Reply({ context }));
  dealer.sendSync([bytes(LARGE, 1), "", bytes(LARGE, 2)]);
  const lease = reply.receiveLeaseSync();
  assert.deepEqual(lease.message, [bytes(LARGE, 2)]);
  lease.release();
  const push = new Push({ context });
  push.connect("inproc://y");
  for (let number = 0; number < 10; number++) push.sendSync(bytes(LARGE, 3));
  reply.sendSync("done");
  assert.deepEqual(dealer.receiveSync(), [bytes(LARGE, 1), Buffer.from(""), Buffer.from("done")]);
  await context.terminate();
});

test("with a codec a lease has what the codec would get", async () => {
  const context = new Context(SMALL);
  const [push, pull] = link(new Push({ context }), new Pull<unknown>({ context, codec: json() }));
  const value = { text: "x".repeat(LARGE) };
  push.sendManySync([JSON.stringify(value), "no JSON", JSON.stringify(value)]);
  const lease = pull.receiveLeaseSync();
  assert.ok(isShared(lease.message[0] as LeasedPart));
  assert.deepEqual(JSON.parse(`${lease.message[0]}`), value);
  lease.release();
  assert.throws(() => pull.receiveManySync(), zmq("EBADMSG"));
  assert.deepEqual(JSON.parse(`${pull.receiveLeaseSync().message[0]}`), value);
  await context.terminate();
});

test("of a message in a swap, and of the newest only", async () => {
  const context = new Context(SMALL);
  const swapping = new Push({ context, sendHighWaterMark: 1, swap: 1 << 20 });
  const [push, pull] = link(swapping, new Pull({ context, receiveHighWaterMark: 1 }));
  for (let number = 0; number < 10; number++) push.sendSync(bytes(LARGE, number));
  for (let number = 0; number < 10; number++) {
    using lease = pull.receiveLeaseSync();
    assert.deepEqual(lease.message, [bytes(LARGE, number)]);
    assert.ok(isShared(lease.message[0] as LeasedPart));
  }
  pull.close();
  const newest = new Pull({ context, conflate: true });
  newest.connect("inproc://x");
  swapping.stats();
  for (let number = 0; number < 10; number++) push.sendSync(bytes(LARGE, number));
  const { message } = newest.receiveLeaseSync();
  assert.equal(message.length, 1);
  assert.equal(isShared(message[0] as LeasedPart), false);
  assert.equal(leased(context), 0);
  await context.terminate();
});

describe("a message that is to be acknowledged", () => {
  const openTwo = () => {
    const context = new Context(SMALL);
    const push = new Push({ context });
    const pull = new Pull({ context, acknowledge: true });
    const [, other] = [
      link(push, pull),
      () => {
        const next = new Pull({ context, acknowledge: true });
        next.connect("inproc://x");
        push.stats();
        return next;
      },
    ];
    push.sendSync("");
    pull.receiveSync();
    pull.acknowledge();
    return { context, push, pull, other };
  };

  test("goes to another if it is leased and not acknowledged, and the lease has it still", () => {
    const { context, push, pull, other } = openTwo();
    push.sendManySync([bytes(LARGE, 1), bytes(LARGE, 2)]);
    const first = pull.receiveLeaseSync();
    const second = pull.receiveLeaseSync(); // This acknowledges the first.
    pull.close();
    const next = other();
    const lease = next.receiveLeaseSync();
    assert.deepEqual(lease.message[0], bytes(LARGE, 2));
    assert.equal(next.isRedelivered(lease.message), true);
    assert.equal(next.tryReceiveLease(), undefined);
    first.release();
    lease.release();
    push.sendManySync([bytes(LARGE, 3), bytes(LARGE, 4)]);
    assert.deepEqual(second.message[0], bytes(LARGE, 2));
    second.release();
    assert.equal(leased(context), 0);
    assert.deepEqual(next.receiveSync()[0], bytes(LARGE, 3));
    assert.deepEqual(next.receiveSync()[0], bytes(LARGE, 4));
  });

  test("is received although its lease was released before", () => {
    const { context, push, pull, other } = openTwo();
    const before = used(context);
    push.sendSync([bytes(LARGE, 1), bytes(LARGE, 2)]);
    pull.receiveLeaseSync().release();
    pull.close();
    const next = other();
    const lease = next.receiveLeaseSync();
    assert.deepEqual(lease.message, [bytes(LARGE, 1), bytes(LARGE, 2)]);
    next.acknowledge();
    assert.deepEqual(lease.message, [bytes(LARGE, 1), bytes(LARGE, 2)]);
    lease.release();
    assert.equal(leased(context), 0);
    assert.ok(used(context) <= before);
  });
});

for (const [how, death] of Object.entries(DEATHS)) {
  for (const kind of ["Push", "Publisher"] as const) {
    const other = kind === "Push" ? "Pull" : "Subscriber";
    play(`${how}: a lease outlives a ${kind} that it is from`, async (g) => {
      const thread = g.thread(death.start);
      const receivers = Array.from({ length: 2 }, () => {
        const options = { context: g.context };
        return other === "Pull" ? new Pull(options) : new Subscriber(options);
      });
      const [first, second] = receivers as [Pull, Pull];
      for (const receiver of receivers) {
        if (receiver instanceof Subscriber) receiver.subscribe("");
        receiver.bindSync(`inproc://${receivers.indexOf(receiver as Pull)}`);
      }
      const sender = await g.open(kind, {}, thread);
      for (const index of receivers.keys()) await sender.connect(`inproc://${index}`);
      const texts = ["1", "2", "3", "4"].map((text) => text.repeat(LARGE));
      await sender.send(texts.map((text) => [text, text]));
      const leases = [first.receiveLeaseSync(), second.receiveLeaseSync()];
      const expected = leases.map(({ message }) => message.map(String));
      await die(thread, death);
      g.context.stats();
      assert.deepEqual(
        leases.map(({ message }) => message.map(String)),
        expected,
      );
      for (const lease of leases) lease.release();
      for (const receiver of receivers) receiver.close();
      assert.equal(leased(g.context), 0);
    });
  }

  play(
    `${how}: what it had leased is free, and what it had not received goes to another`,
    async (g) => {
      const push = new Push({ context: g.context });
      push.bindSync("inproc://x");
      const before = inUse(g);
      const thread = g.thread(death.start);
      const holder = await g.open("Pull", {}, thread);
      await holder.connect("inproc://x");
      const bodies = Array.from({ length: 20 }, (_, i) => bytes(LARGE, i));
      push.sendManySync(bodies);
      await thread.run(({ threadmq, context, props }) => {
        const pull = new threadmq.Pull({ context });
        pull.bindSync("inproc://own");
        const sender = new threadmq.Push({ context });
        sender.connect("inproc://own");
        for (let number = 0; number < 200; number++) sender.sendSync(Buffer.alloc(5000, number));
        props.leases = Array.from({ length: 200 }, () => pull.receiveLeaseSync());
      });
      await holder.receive(1);
      assert.ok(leased(g.context) >= 200 * 5000);
      await die(thread, death);
      const next = new Pull({ context: g.context });
      next.connect("inproc://x");
      for (const body of bodies.slice(1)) {
        using lease = await next.receiveLease({ timeout: PATIENCE });
        assert.deepEqual(lease.message, [body]);
      }
      next.close();
      assert.equal(leased(g.context), 0);
      assert.deepEqual(inUse(g), before);
      push.close();
    },
  );
}
