// SPDX-License-Identifier: MIT

/**
 * How links share the memory of a context: none takes all of it, so that who receives from one link
 * can send into another, and who is slow takes no more than half from all others.
 */
import assert from "node:assert/strict";
import { describe } from "node:test";
import {
  Context,
  Dealer,
  type Lease,
  Publisher,
  Pull,
  Push,
  Subscriber,
  XPublisher,
} from "threadmq";
import { play } from "../support/ground.ts";
import { PATIENCE } from "../support/stage.ts";

const [START, END] = ["inproc://start", "inproc://end"];
const UNLIMITED = { sendHighWaterMark: 0, receiveHighWaterMark: 0 };
/** Some times what the memory can hold. */
const MEMORY = 4 << 20;
const countOf = (size: number): number => Math.ceil((8 * MEMORY) / size);

/** Where many bodies come from, one after the other. */
function* bodies(size: number): Generator<Buffer> {
  for (let i = 0; i < countOf(size); i++) {
    const body = Buffer.alloc(size, i);
    body.writeInt32LE(i);
    yield body;
  }
}

async function receiveAll(pull: Pull | Subscriber | Dealer, size: number): Promise<void> {
  for (const body of bodies(size)) {
    const received = (await pull.receive({ timeout: PATIENCE })).at(-1);
    assert.ok(received?.equals(body), "whole, and in order");
  }
}

/** Who is between, in another thread: receives at START and sends at END, as long as it lives. */
const FORWARDERS = {
  "receives and sends": async ({ threadmq, props }: any, handle: any, [start, end]: string[]) => {
    const context = threadmq.Context.from(handle);
    const unlimited = { context, receiveHighWaterMark: 0 };
    const pull = new threadmq.Pull(unlimited);
    const push = new threadmq.Push({ context, sendHighWaterMark: 0 });
    pull.bindSync(start);
    push.bindSync(end);
    props.ended = (async () => {
      for await (const message of pull) await push.send(message);
    })();
  },
  "is a proxy from ROUTER to DEALER": (
    { threadmq, props }: any,
    handle: any,
    [start, end]: any,
  ) => {
    const context = threadmq.Context.from(handle);
    const unlimited = { context, sendHighWaterMark: 0, receiveHighWaterMark: 0 };
    const [front, back] = [new threadmq.Router(unlimited), new threadmq.Dealer(unlimited)];
    front.bindSync(start);
    back.bindSync(end);
    props.ended = new threadmq.Proxy(front, back).run();
  },
  "is a proxy from XSUB to XPUB": ({ threadmq, props }: any, handle: any, [start, end]: any) => {
    const context = threadmq.Context.from(handle);
    const front = new threadmq.XSubscriber({ context, receiveHighWaterMark: 0 });
    const back = new threadmq.XPublisher({ context, sendHighWaterMark: 0, noDrop: true });
    front.bindSync(start);
    back.bindSync(end);
    props.ended = new threadmq.Proxy(front, back).run();
  },
} as const;

/** Who sends to it, and who receives from it. */
function ends(context: Context, name: keyof typeof FORWARDERS) {
  const options = { context, ...UNLIMITED };
  const { sendHighWaterMark, receiveHighWaterMark } = UNLIMITED;
  if (name.includes("ROUTER")) return { source: new Dealer(options), sink: new Dealer(options) };
  if (name.includes("XSUB")) {
    const sink = new Subscriber({ context, receiveHighWaterMark });
    sink.subscribe("");
    return { source: new XPublisher({ context, sendHighWaterMark, noDrop: true }), sink };
  }
  const sink = new Pull({ context, receiveHighWaterMark });
  return { source: new Push({ context, sendHighWaterMark }), sink };
}

describe("who receives and sends on finds memory, though who sends to it takes all it gets", () => {
  for (const name of Object.keys(FORWARDERS) as (keyof typeof FORWARDERS)[]) {
    for (const size of [3000, 5000, 100_000, 300_000]) {
      play(`who ${name}: ${size} bytes`, async (g) => {
        const context = new Context({ maxMemory: MEMORY });
        const between = g.thread();
        await between.run(FORWARDERS[name], context.handle, [START, END]);
        const { source, sink } = ends(context, name);
        sink.connect(END);
        source.connect(START);
        if (source instanceof XPublisher) await source.receive(); // Now it is subscribed to.
        const sending = source.sendMany(bodies(size));
        await receiveAll(sink, size);
        await sending;
        assert.equal(context.stats().messages.queued, 0);
        await between.kill();
        for (const socket of [source, sink]) socket.close();
        await context.terminate({ timeout: PATIENCE });
      });
    }
  }
});

describe("who does not receive", () => {
  for (const size of [3000, 5000, 100_000]) {
    play(
      `keeps nothing from the other PULLs: ${size} bytes`,
      async ({ context }) => {
        const push = new Push({ context, sendHighWaterMark: 0 });
        push.bindSync(START);
        const [slow, other] = [0, 1].map(() => new Pull({ context, receiveHighWaterMark: 0 }));
        for (const pull of [slow, other]) pull?.connect(START);
        const received: number[] = [];
        const receive = (pull: Pull | undefined): void => {
          for (let m = pull?.tryReceive(); m !== undefined; m = pull?.tryReceive()) {
            received.push((m[0] as Buffer).readInt32LE());
          }
        };
        for (const body of bodies(size)) {
          push.sendSync(body, { timeout: PATIENCE });
          receive(other);
        }
        assert.ok(received.length > countOf(size) / 2, `only ${received.length}`);
        receive(slow);
        received.sort((a, b) => a - b);
        assert.deepEqual(received, [...Array(countOf(size)).keys()]);
        for (const socket of [push, slow, other]) socket?.close();
      },
      { context: { maxMemory: MEMORY } },
    );

    play(
      `keeps nothing from the other subscribers: ${size} bytes`,
      async ({ context }) => {
        const pub = new Publisher({ context, sendHighWaterMark: 0 });
        pub.bindSync(START);
        const [slow, other] = [0, 1].map(
          () => new Subscriber({ context, receiveHighWaterMark: 0 }),
        );
        for (const sub of [slow, other]) {
          sub?.connect(START);
          sub?.subscribe("");
        }
        for (const body of bodies(size)) {
          pub.sendSync(body);
          assert.ok(other?.receiveSync({ timeout: PATIENCE })[0]?.equals(body));
        }
        assert.ok((slow?.stats().missed ?? 0) === 0);
        assert.ok(pub.stats().dropped > 0, "the slow one has not got all");
        for (const socket of [pub, slow, other]) socket?.close();
      },
      { context: { maxMemory: MEMORY } },
    );
  }
});

play(
  "who leases all that comes gets as much as there is memory",
  async ({ context }) => {
    const [push, pull] = [
      new Push({ context, sendHighWaterMark: 0 }),
      new Pull({ context, receiveHighWaterMark: 0 }),
    ];
    pull.bindSync(START);
    push.connect(START);
    const size = 100_000;
    const most = Math.floor((0.8 * MEMORY) / (size + 16_384)); // Of whole pages.
    const sending = push.sendMany([...bodies(size)].slice(0, most));
    const leases: Lease[] = [];
    for (const body of [...bodies(size)].slice(0, most)) {
      const lease = await pull.receiveLease({ timeout: PATIENCE });
      assert.ok(Buffer.from(lease.message[0] as Uint8Array).equals(body));
      leases.push(lease);
    }
    await sending;
    for (const lease of leases) lease.release();
    for (const socket of [push, pull]) socket.close();
  },
  { context: { maxMemory: MEMORY } },
);

play(
  "a link that only says what is wanted goes on, however much it has said",
  async ({ context }) => {
    const publisher = new Publisher({ context });
    publisher.bindSync(START);
    const subscriber = new Subscriber({ context });
    subscriber.connect(START);
    for (let i = 0; i < 4000; i++) {
      const topic = `${i}`.padEnd(100, "x");
      subscriber.subscribe(topic);
      subscriber.unsubscribe(topic);
      if (i % 20 === 0) assert.equal(publisher.trySend("nobody's"), true); // Which hears it.
    }
    subscriber.subscribe("last");
    publisher.sendSync("last");
    assert.equal(`${subscriber.receiveSync({ timeout: PATIENCE })}`, "last");
    for (const socket of [publisher, subscriber]) socket.close();
  },
  { context: { maxMemory: 1 << 20 } },
);
