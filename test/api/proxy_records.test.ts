// SPDX-License-Identifier: MIT

/** What a proxy passes on without looking into it: messages of every shape, by every way. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import {
  Context,
  Dealer,
  // biome-ignore lint/suspicious/noShadowRestrictedNames: it is ZeroMQ's word.
  Proxy,
  Pull,
  Push,
  Reply,
  Request,
  Router,
} from "threadmq";
import { play } from "../support/ground.ts";
import { PATIENCE } from "../support/stage.ts";

const [FRONT, BACK] = ["inproc://front", "inproc://back"];
/** Around what fits into a record, a line, and a run that is copied at a time. */
const SIZES = [0, 1, 8, 64, 159, 160, 161, 4095, 4096, 4097, 65_536];

/** Messages of one part of every size, of two, and of many. */
const SHAPES: readonly Buffer[][] = [
  ...SIZES.map((size) => [Buffer.alloc(size, size % 251)]),
  ...SIZES.flatMap((size) => [0, 64, 4097].map((other) => [body(size, 1), body(other, 2)])),
  Array.from({ length: 40 }, (_, index) => body(index * 10, index)),
];

function body(size: number, fill: number): Buffer {
  return Buffer.alloc(size, fill);
}

function bytesOf(messages: readonly Buffer[][]): number {
  return messages.flat().reduce((sum, { length }) => sum + length, 0);
}

function line(context: Context, options: { acknowledge?: boolean } = {}) {
  const front = new Pull({ context, ...options });
  const back = new Push({ context });
  front.bindSync(FRONT);
  back.bindSync(BACK);
  return { front, back, proxy: new Proxy(front, back) };
}

/** What a proxy receives of a socket from now on, and does not pass on as it lies there. */
function receivedBy(socket: Pull): string[] {
  const taken: string[] = [];
  const half = socket.receivingHalf;
  const take = half.takePassing.bind(half);
  half.takePassing = (lease) => {
    const message = take(lease);
    if (message !== undefined) taken.push(`${message[0]}`);
    return message;
  };
  return taken;
}

describe("a proxy", () => {
  play("gives room back to all from whom it has passed something on at once", async (g) => {
    const { front, proxy } = line(g.context);
    front.receiveHighWaterMark = 1;
    const sink = new Pull({ context: g.context });
    sink.connect(BACK);
    const sources = [1, 2, 3].map(() => {
      const source = new Push({ context: g.context, sendHighWaterMark: 1 });
      source.connect(FRONT);
      while (source.trySend("fill"));
      return source;
    });
    const ended = proxy.run();
    for (const source of sources) {
      for (let count = 0; count < 5; count++) await source.send("more", { timeout: PATIENCE });
    }
    await Promise.all(sources.map((source) => source.drain({ timeout: PATIENCE })));
    proxy.terminate();
    await ended;
    assert.ok(sink.receiveManySync().length >= 15);
  });

  play("passes on messages of every shape, in order, and counts their bytes", async (g) => {
    const { front, back, proxy } = line(g.context);
    const ended = proxy.run();
    const source = new Push({ context: g.context });
    const sink = new Pull({ context: g.context });
    source.connect(FRONT);
    sink.connect(BACK);
    for (let round = 0; round < 20; round++) {
      await source.sendMany(SHAPES);
      for (const shape of SHAPES) assert.deepEqual(await sink.receive(), shape);
    }
    const counted = { messages: 20 * SHAPES.length, bytes: 20 * bytesOf(SHAPES) };
    const { front: one, back: two } = proxy.stats();
    assert.deepEqual([one.received, two.sent], [counted, counted]);
    assert.equal(front.stats().received, counted.messages);
    assert.equal(back.stats().sent, counted.messages);
    proxy.terminate();
    await ended;
    for (const socket of [front, back, source, sink]) socket.close();
  });

  play(
    "receives nothing that it can pass on, where another link keeps only the newest",
    async (g) => {
      const { front, proxy } = line(g.context);
      const sink = new Pull({ context: g.context });
      sink.connect(BACK);
      const [many, newest] = [false, true].map((conflate) => {
        const source = new Push({ context: g.context, conflate });
        source.connect(FRONT);
        return source;
      }) as [Push, Push];
      for (let number = 0; number < 100; number++) many.sendSync("one of many");
      newest.sendSync("newest");
      const taken = receivedBy(front);
      const ended = proxy.run();
      for (let count = 0; count < 101; count++) await sink.receive({ timeout: PATIENCE });
      proxy.terminate();
      await ended;
      assert.deepEqual(taken, ["newest"]);
    },
  );

  play("receives nothing of what a sender that has closed has left", async (g) => {
    const { front, proxy } = line(g.context);
    const sink = new Pull({ context: g.context });
    sink.connect(BACK);
    const source = new Push({ context: g.context });
    source.connect(FRONT);
    for (let number = 0; number < 100; number++) source.sendSync(["a", Buffer.alloc(number * 100)]);
    source.close();
    const taken = receivedBy(front);
    const ended = proxy.run();
    for (let count = 0; count < 100; count++) await sink.receive({ timeout: PATIENCE });
    proxy.terminate();
    await ended;
    assert.deepEqual(taken, []);
    assert.equal(front.stats().pipes, 0);
  });

  play("keeps to the watermarks, however many messages it moves at once", async (g) => {
    const { front, back, proxy } = line(g.context);
    back.sendHighWaterMark = 3;
    const sink = new Pull({ context: g.context, receiveHighWaterMark: 2 });
    sink.connect(BACK);
    const source = new Push({ context: g.context });
    source.connect(FRONT);
    source.sendManySync(Array.from({ length: 100 }, (_, number) => `${number}`));
    const ended = proxy.run();
    for (let number = 0; number < 100; number++) {
      const [text] = await sink.receive({ timeout: PATIENCE });
      assert.equal(`${text}`, `${number}`);
      assert.ok(proxy.stats().back.sent.messages <= number + 1 + 5);
    }
    proxy.terminate();
    await ended;
    assert.equal(front.stats().received, 100);
    assert.equal(back.stats().sent, 100);
  });

  play("finds the way back for replies of every shape, to each who has asked", async (g) => {
    const { context } = g;
    const [front, back] = [new Router({ context }), new Dealer({ context })];
    front.bindSync(FRONT);
    back.bindSync(BACK);
    const proxy = new Proxy(front, back);
    const ended = proxy.run();
    const worker = g.thread();
    await worker.run(async ({ threadmq, context, props }, name) => {
      const dealers = [0, 1].map(() => new threadmq.Dealer({ context }));
      props.dealers = dealers;
      for (const dealer of dealers) {
        dealer.connect(name);
        (async () => {
          // The id of who has asked is the first part.
          for await (const message of dealer) await dealer.send(message);
        })();
      }
    }, BACK);
    const clients = ["one", "a long name, of more than eight bytes", undefined].map((routingId) => {
      return new Dealer({ context, ...(routingId === undefined ? {} : { routingId }) });
    });
    await Promise.all(
      clients.map(async (client, number) => {
        client.connect(FRONT);
        const name = Buffer.from(`${number}`);
        for (const shape of SHAPES) {
          await client.send([name, ...shape]);
          assert.deepEqual(await client.receive({ timeout: 20_000 }), [name, ...shape]);
        }
      }),
    );
    assert.equal(proxy.stats().dropped, 0);
    proxy.terminate();
    await ended;
    await worker.run(({ props }) => {
      for (const dealer of props.dealers) dealer.close();
    });
    for (const socket of [...clients, front, back]) socket.close();
  });

  play("takes from each in turn, and gives to each in turn", async (g) => {
    const { front, back, proxy } = line(g.context);
    const sources = ["a", "b", "c"].map((name) => {
      const source = new Push({ context: g.context });
      source.connect(FRONT);
      source.sendManySync(Array.from({ length: 200 }, () => name));
      return source;
    });
    const sinks = [0, 1].map(() => new Pull({ context: g.context }));
    for (const sink of sinks) sink.connect(BACK);
    const ended = proxy.run();
    for (let turn = 0; turn < 300; turn++) {
      for (const [index, sink] of sinks.entries()) {
        const [part] = await sink.receive();
        assert.equal(`${part}`, "abc"[(2 * turn + index) % 3], `turn ${turn}`);
      }
    }
    proxy.terminate();
    await ended;
    for (const socket of [front, back, ...sources, ...sinks]) socket.close();
  });

  play("acknowledges what it has passed on", async (g) => {
    const { front, back, proxy } = line(g.context, { acknowledge: true });
    const ended = proxy.run();
    const source = new Push({ context: g.context });
    const sink = new Pull({ context: g.context });
    source.connect(FRONT);
    sink.connect(BACK);
    const sending = source.sendMany(Array.from({ length: 5000 }, (_, index) => `${index}`));
    for (let index = 0; index < 5000; index++) {
      assert.equal(`${await sink.receive({ timeout: 20_000 })}`, `${index}`);
    }
    await sending;
    proxy.terminate();
    await ended;
    for (const socket of [front, back, source, sink]) socket.close();
  });

  play("to a REQ makes requests of them", async (g) => {
    const { context } = g;
    const [front, back] = [new Pull({ context }), new Request({ context })];
    front.bindSync(FRONT);
    back.bindSync(BACK);
    const proxy = new Proxy(front, back);
    const ended = proxy.run();
    const [source, sink] = [new Push({ context }), new Reply({ context })];
    source.connect(FRONT);
    sink.connect(BACK);
    source.sendManySync(["first", "second"]);
    assert.equal(`${await sink.receive({ timeout: 20_000 })}`, "first");
    await sink.send("answer");
    assert.equal(`${await back.receive({ timeout: 20_000 })}`, "answer");
    assert.equal(`${await sink.receive({ timeout: 20_000 })}`, "second");
    proxy.terminate();
    await ended;
    for (const socket of [front, back, source, sink]) socket.close();
  });

  play("that dies loses nothing; what it was just passing on may come twice", async (g) => {
    const COUNT = 20_000;
    const sink = new Pull({ context: g.context });
    sink.connect(BACK);
    const source = new Push({ context: g.context });
    source.connect(FRONT);
    const start = async () => {
      const thread = g.thread();
      await thread.run(
        ({ threadmq, context }, front, back) => {
          const [pull, push] = [new threadmq.Pull({ context }), new threadmq.Push({ context })];
          pull.bindSync(front);
          push.bindSync(back);
          new threadmq.Proxy(pull, push).run().catch(() => {});
        },
        FRONT,
        BACK,
      );
      return thread;
    };
    let between = await start();
    const sending = source.sendMany(Array.from({ length: COUNT }, (_, index) => `${index}`));
    const seen = new Map<number, number>();
    for (let received = 0; seen.size < COUNT; received++) {
      const number = Number(`${await sink.receive({ timeout: 30_000 })}`);
      seen.set(number, (seen.get(number) ?? 0) + 1);
      if (received % 4000 !== 3999 || seen.size === COUNT) continue;
      await between.kill();
      between = await start();
    }
    await sending;
    const twice = [...seen.values()].reduce((sum, count) => sum + count - 1, 0);
    assert.ok(twice <= 5 * 512, `${twice} came twice`);
    await between.kill();
    for (const socket of [source, sink]) socket.close();
  });
});

/** More than the memory of a context. */
const MANY = 500;

for (const size of [5000, 100_000]) {
  const claim = "large messages go on though who sends them takes all the memory that comes free";
  play(`${claim}: ${size} bytes`, async (g) => {
    const context = new Context({ maxMemory: 4 << 20 });
    const [source, sink] = [new Push({ context }), new Pull({ context })];
    const proxy = g.thread();
    await proxy.run(
      async ({ threadmq, props }, handle, names) => {
        const context = threadmq.Context.from(handle);
        const [front, back] = [new threadmq.Pull({ context }), new threadmq.Push({ context })];
        front.bindSync(names[0]);
        back.bindSync(names[1]);
        props.ended = new threadmq.Proxy(front, back).run();
      },
      context.handle,
      [FRONT, BACK],
    );
    source.connect(FRONT);
    sink.connect(BACK);
    const bodies = Array.from({ length: MANY }, (_, i) => Buffer.alloc(size, i));
    const sending = (async () => {
      for (const body of bodies) await source.send(body);
    })();
    for (const body of bodies) {
      const [received] = await sink.receive({ timeout: PATIENCE });
      assert.ok(received?.equals(body), "whole, and in order");
    }
    await sending;
    const { messages } = context.stats();
    assert.deepEqual(messages, { sent: 2 * MANY, received: 2 * MANY, queued: 0, dropped: 0 });
    await proxy.kill();
    for (const socket of [source, sink]) socket.close();
    await context.terminate({ timeout: PATIENCE });
  });
}
