// SPDX-License-Identifier: MIT

/** Messages passed on between two sockets: all, in order, none taken that cannot be passed on. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  Channel,
  Client,
  Context,
  Dealer,
  json,
  Pair,
  // biome-ignore lint/suspicious/noShadowRestrictedNames: it is ZeroMQ's word.
  Proxy,
  Publisher,
  Pull,
  Push,
  Reply,
  Request,
  Router,
  Server,
  Subscriber,
  XPublisher,
  XSubscriber,
} from "threadmq";
import { play, SMALL, text, zmq } from "../support/ground.ts";
import { hog } from "../support/hog.ts";

const [FRONT, BACK, CONTROL] = ["inproc://front", "inproc://back", "inproc://control"];

/** A PULL and a PUSH with a proxy between them, and who sends and receives at its ends. */
function line(
  context: Context,
  marks = { sendHighWaterMark: 1, receiveHighWaterMark: 1 },
  acknowledge = false,
) {
  const { receiveHighWaterMark } = marks;
  const front = new Pull({ context, receiveHighWaterMark, acknowledge });
  const back = new Push({ context, sendHighWaterMark: marks.sendHighWaterMark });
  const source = new Push({ context, sendHighWaterMark: marks.sendHighWaterMark });
  const sink = new Pull({ context, receiveHighWaterMark });
  front.bindSync(FRONT);
  back.bindSync(BACK);
  source.connect(FRONT);
  return { front, back, source, sink };
}

/** Lets the event loop do what there is to do. */
async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe("a proxy", () => {
  play("ROUTER and DEALER: requests and replies find their way (test_proxy)", async (g) => {
    const { context } = g;
    const [front, back] = [new Router({ context }), new Dealer({ context })];
    front.bindSync(FRONT);
    back.bindSync(BACK);
    const proxy = new Proxy(front, back);
    const ended = proxy.run();
    const thread = g.thread();
    await thread.run(async ({ threadmq, context, props }, name) => {
      props.replies = [0, 1, 2].map(() => {
        const reply = new threadmq.Reply({ context });
        reply.connect(name);
        (async () => {
          for await (const [part] of reply) await reply.send(`${part}!`);
        })();
        return reply;
      });
    }, BACK);
    const clients = [0, 1, 2].map(() => new Request({ context }));
    await Promise.all(
      clients.map(async (client, number) => {
        client.connect(FRONT);
        for (let round = 0; round < 20; round++) {
          await client.send([`${number}`, `${round}`]);
          assert.equal(text(await client.receive({ timeout: 10_000 })), `${number}!`);
        }
      }),
    );
    const { front: one, back: two, dropped } = proxy.stats();
    for (const { messages, bytes } of [one.received, one.sent, two.received, two.sent]) {
      assert.equal(messages, 60);
      assert.ok(bytes > 60);
    }
    assert.equal(dropped, 0);
    proxy.terminate();
    await ended;
    await thread.run(({ props }) => {
      for (const reply of props.replies) reply.close();
    });
    for (const socket of [...clients, front, back]) socket.close();
  });

  play("nothing is taken that cannot be passed on, and nothing is lost", async (g) => {
    const { front, back, source, sink } = line(g.context);
    const proxy = new Proxy(front, back);
    const ended = proxy.run();
    let sent = 0;
    while (source.trySend(`${sent}`)) sent++;
    await turns();
    assert.equal(proxy.stats().front.received.messages, 0, "the PUSH has no peer");
    sink.connect(BACK);
    for (let still = 0; still < 3; still++) {
      await turns();
      if (source.trySend(`${sent}`)) [sent, still] = [sent + 1, 0];
    }
    assert.equal(sent, 4, "the room of both links");
    proxy.terminate();
    await ended;
    proxy.terminate();
    const left: string[] = [];
    for (const pull of [sink, front]) {
      for (let m = pull.tryReceive(); m !== undefined; m = pull.tryReceive()) left.push(`${m}`);
    }
    assert.deepEqual(left, ["0", "1", "2", "3"]);
    const again = proxy.run();
    await source.send("5");
    assert.equal(`${await sink.receive()}`, "5");
    proxy.terminate();
    await again;
    for (const socket of [front, back, source, sink]) socket.close();
  });

  play(
    "a message for which there is no memory is put back",
    async (g) => {
      const marks = { sendHighWaterMark: 0, receiveHighWaterMark: 0 };
      const { front, back, source, sink } = line(g.context, marks, true);
      sink.connect(BACK);
      const part = Buffer.alloc(100_000);
      let sent = 0;
      while (source.trySend([`${sent}`, part])) sent++;
      assert.ok(sent > 10);
      const giveBack = hog(g.context);
      const proxy = new Proxy(front, back);
      const ended = proxy.run();
      await turns();
      proxy.terminate();
      await ended;
      assert.equal(proxy.stats().front.received.messages, 0);
      giveBack();
      const numbers: string[] = [];
      for (const pull of [sink, front]) {
        for (let m = pull.tryReceive(); m !== undefined; m = pull.tryReceive())
          numbers.push(`${m[0]}`);
      }
      assert.deepEqual(numbers.map(Number), [...Array(sent).keys()]);
      for (const socket of [front, back, source, sink]) socket.close();
    },
    { context: { maxMemory: 4 << 20 } },
  );

  const kept = "H1: a message that has to wait stays where it is";
  const dropped = "H1: one that was received for the capture is put back, and dropped at a close";
  for (const [title, captures] of [
    [kept, false],
    [dropped, true],
  ] as const) {
    play(title, async (g) => {
      const { context } = g;
      const { front, source } = line(context, { sendHighWaterMark: 9, receiveHighWaterMark: 9 });
      const router = new Router({ context, mandatory: true, sendHighWaterMark: 1 });
      router.bindSync("inproc://router");
      const sink = new Dealer({ context, routingId: "sink", receiveHighWaterMark: 1 });
      sink.connect("inproc://router");
      const other = new Dealer({ context, routingId: "other" }); // For whom there is room.
      other.connect("inproc://router");
      source.sendManySync(Array.from({ length: 5 }, (_, i) => ["sink", `${i}`]));
      const capture = captures ? new Push({ context }) : undefined;
      const proxy = new Proxy(front, router, capture && { capture });
      const ended = proxy.run();
      await turns();
      proxy.terminate();
      await ended;
      assert.equal(router.stats().sent, 2);
      assert.deepEqual([front.stats().received, front.stats().queuedIn], [2, 3]);
      front.close();
      const { received, queuedIn, dropped } = front.stats();
      const lost = captures ? 1 : 0;
      assert.deepEqual([received, queuedIn, dropped], [2, 0, lost]);
      assert.equal(source.stats().queuedOut, 3 - lost);
      for (const socket of [router, sink, other, source, capture]) socket?.close();
    });
  }

  play("pause, resume", async (g) => {
    const { front, back, source, sink } = line(g.context);
    sink.connect(BACK);
    const proxy = new Proxy(front, back);
    const ended = proxy.run();
    proxy.pause();
    assert.equal(proxy.paused, true);
    source.sendSync("1");
    await turns();
    assert.equal(sink.tryReceive(), undefined);
    proxy.resume();
    assert.equal(`${await sink.receive()}`, "1");
    proxy.terminate();
    await ended;
    for (const socket of [front, back, source, sink]) socket.close();
  });

  play("one socket as both sides: what comes goes back (test_proxy_single_socket)", async (g) => {
    const { context } = g;
    const [reply, request] = [new Reply({ context }), new Request({ context })];
    const server = new Server({ context });
    reply.bindSync(FRONT);
    request.connect(FRONT);
    server.bindSync(BACK);
    const proxies = [new Proxy(reply, reply), new Proxy(server, server)];
    const ended = proxies.map((proxy) => proxy.run());
    for (const message of ["msg1", "msg22"]) {
      request.sendSync(message);
      assert.equal(`${await request.receive()}`, message);
    }
    assert.deepEqual(proxies[0]?.stats().back, proxies[0]?.stats().front);
    const client = new Client({ context });
    client.connect(BACK);
    await client.send("echo");
    assert.equal(`${await client.receive()}`, "echo");
    for (const proxy of proxies) proxy.terminate();
    await Promise.all(ended);
    for (const socket of [reply, request, server, client]) socket.close();
  });

  play("what cannot be sent there is dropped, and counted", async (g) => {
    const { context } = g;
    const [front, back] = [new Dealer({ context }), new Router({ context, mandatory: true })];
    const [source, sink] = [new Dealer({ context }), new Dealer({ context, routingId: "d" })];
    front.bindSync(FRONT);
    back.bindSync(BACK);
    source.connect(FRONT);
    sink.connect(BACK);
    const proxy = new Proxy(front, back);
    const ended = proxy.run();
    for (const message of [["d"], ["nobody", "x"], ["d", "x"]]) source.sendSync(message);
    assert.equal(`${await sink.receive()}`, "x");
    assert.equal(proxy.stats().dropped, 2);
    assert.equal(proxy.stats().front.received.messages, 3);
    assert.equal(proxy.stats().back.sent.messages, 1);
    proxy.terminate();
    await ended;
    for (const socket of [front, back, source, sink]) socket.close();
  });

  play("capture: a copy of each message, as long as there is room", async (g) => {
    const { context } = g;
    const { front, back, source, sink } = line(context);
    sink.connect(BACK);
    const capture = new Push({ context, sendHighWaterMark: 1 });
    const seen = new Pull({ context, receiveHighWaterMark: 1 });
    capture.connect("inproc://seen");
    seen.bindSync("inproc://seen");
    const proxy = new Proxy(front, back, { capture });
    const ended = proxy.run();
    for (let number = 0; number < 5; number++) {
      source.sendSync([`${number}`, "x"]);
      assert.equal(text(await sink.receive()), `${number}|x`);
    }
    assert.equal(text(seen.tryReceive()), "0|x");
    assert.equal(text(seen.tryReceive()), "1|x");
    assert.equal(proxy.stats().uncaptured, 3);
    proxy.terminate();
    await ended;
    for (const socket of [front, back, source, sink, capture, seen]) socket.close();
  });

  for (const type of ["Pair", "Request"] as const) {
    play(`runSync, steered by a ${type} (test_proxy_steerable)`, async (g) => {
      const { context } = g;
      const thread = g.thread();
      const running = thread.run(
        ({ threadmq, context }, front, back, control, isPair) => {
          const sockets = [
            new threadmq.Pull({ context }),
            new threadmq.Push({ context }),
            isPair ? new threadmq.Pair({ context }) : new threadmq.Reply({ context }),
          ] as const;
          sockets[0].bindSync(front);
          sockets[1].bindSync(back);
          sockets[2].bindSync(control);
          const proxy = new threadmq.Proxy(sockets[0], sockets[1], { control: sockets[2] });
          proxy.runSync();
          for (const socket of sockets) socket.close();
          return proxy.stats().front.received.messages;
        },
        FRONT,
        BACK,
        CONTROL,
        type === "Pair",
      );
      const control = type === "Pair" ? new Pair({ context }) : new Request({ context });
      const [source, sink] = [new Push({ context }), new Pull({ context })];
      control.connect(CONTROL);
      source.connect(FRONT);
      sink.connect(BACK);
      const say = async (command: string) => {
        await control.send(command);
        if (type === "Pair" && command !== "STATISTICS") return [];
        return (await control.receive({ timeout: 10_000 })).map((part) => {
          return part.length === 0 ? "" : Number(part.readBigUInt64LE());
        });
      };
      assert.deepEqual(await say("STATISTICS"), Array(8).fill(0));
      await source.send("12345");
      assert.equal(`${await sink.receive()}`, "12345");
      assert.deepEqual(await say("STATISTICS"), [1, 5, 0, 0, 0, 0, 1, 5]);
      await say("PAUSE");
      await say("STATISTICS"); // A Pair is not told that it is obeyed: only this says so.
      await source.send("2");
      assert.deepEqual((await say("STATISTICS"))[0], 1);
      await say("RESUME");
      assert.equal(`${await sink.receive()}`, "2");
      assert.deepEqual(await say("TERMINATE"), type === "Pair" ? [] : [""]);
      assert.equal(await running, 2);
      for (const socket of [control, source, sink]) socket.close();
    });
  }

  test("what goes wrong at a socket costs no message: the next call is told", async () => {
    const context = new Context(SMALL);
    const front = new XSubscriber({ context, whenFull: "disconnect", receiveHighWaterMark: 1 });
    const back = new XPublisher({ context });
    const slow = new Publisher({ context, sendHighWaterMark: 1 });
    for (const [socket, name] of [[slow, FRONT] as const, [back, BACK] as const]) {
      socket.bindSync(name);
    }
    front.connect(FRONT);
    front.subscribe("");
    for (let i = 0; i < 5; i++) slow.sendSync("x"); // Which ends the link: it was too slow.
    await turns();
    const proxy = new Proxy(front, back);
    const ended = proxy.run();
    const subscriber = new Subscriber({ context });
    subscriber.connect(BACK);
    subscriber.subscribe("topic");
    await turns();
    assert.equal(front.topicsCount, 2);
    assert.equal(proxy.stats().dropped, 0);
    proxy.terminate();
    await ended;
    assert.throws(() => front.sendSync("\x01other"), zmq("EHOSTUNREACH", FRONT));
    await context.terminate();
  });

  test("a control socket that cannot answer is obeyed all the same", async () => {
    const context = new Context(SMALL);
    const { front, back } = line(context);
    const [control, boss] = [new Channel({ context }), new Channel({ context })];
    control.bindSync(CONTROL);
    boss.connect(CONTROL);
    const proxy = new Proxy(front, back, { control });
    const ended = proxy.run();
    for (const command of ["STATISTICS", "PAUSE"]) boss.sendSync(command);
    await turns();
    assert.equal(proxy.paused, true);
    boss.sendSync("TERMINATE");
    await ended;
    assert.equal(boss.tryReceive(), undefined);
    await context.terminate();
  });

  test("a socket that closes, a context that ends; and what cannot be a proxy", async () => {
    const context = new Context(SMALL);
    const { front, back, source } = line(context);
    const proxy = new Proxy(front, back);
    const ended = proxy.run();
    await assert.rejects(proxy.run(), zmq("EINVAL"));
    front.close();
    await assert.rejects(ended, zmq("EBADF", FRONT));
    await assert.rejects(proxy.run(), zmq("EBADF", FRONT));
    const pull = new Pull({ context });
    const bad: (() => unknown)[] = [
      () => new Proxy(pull, new Pull({ context })),
      () => new Proxy(source, pull, { capture: pull }),
      () => new Proxy(pull, source, { control: source }),
      () => new Proxy(pull, {} as never),
      () => new Proxy(pull, new Push({ context: new Context(SMALL) })),
    ];
    for (const call of bad) assert.throws(call, zmq("EINVAL"), `${call}`);
    const other = new Proxy(new Channel({ context }), new Channel({ context }));
    const terminated = assert.rejects(other.run(), zmq("ETERM"));
    await context.terminate();
    await terminated;
  });

  test("a message that cannot go although others could does not hold the event loop", async () => {
    const context = new Context(SMALL);
    const back = new Router({ context, mandatory: true, sendHighWaterMark: 1 });
    const front = new Pull({ context });
    const source = new Push({ context });
    front.bindSync(FRONT);
    source.connect(FRONT);
    back.bindSync(BACK);
    const [full, idle] = ["full", "idle"].map((routingId) => {
      const dealer = new Dealer({ context, routingId, receiveHighWaterMark: 1 });
      dealer.connect(BACK);
      return dealer;
    }) as [Dealer, Dealer];
    const proxy = new Proxy(front, back);
    const ended = proxy.run();
    for (let i = 0; i < 5; i++) source.sendSync(["full", `${i}`]);
    source.sendSync(["idle", "last"]);
    await turns();
    assert.equal(idle.tryReceive(), undefined);
    for (let i = 0; i < 5; i++) assert.equal(`${await full.receive()}`, `${i}`);
    assert.equal(`${await idle.receive()}`, "last");
    proxy.terminate();
    await ended;
    await context.terminate();
  });

  test("its capture closes: it ends, although nothing comes", async () => {
    const context = new Context(SMALL);
    const [front, back, capture] = [
      new Pull({ context }),
      new Push({ context }),
      new Push({ context }),
    ];
    const ended = assert.rejects(new Proxy(front, back, { capture }).run(), zmq("EBADF"));
    capture.close();
    await ended;
    await context.terminate();
  });

  test("nor does an error of a codec, which the next call is still to be told", async () => {
    const context = new Context(SMALL);
    const source = new Push({ context });
    const front = new Pull<number>({ context, codec: json() });
    const back = new Push({ context });
    const sink = new Pull({ context });
    source.bindSync(FRONT);
    front.connect(FRONT);
    back.bindSync(BACK);
    sink.connect(BACK);
    source.sendManySync(["1", "{"]);
    assert.deepEqual(front.receiveManySync(), [1]);
    const proxy = new Proxy(front, back);
    const ended = proxy.run();
    await turns();
    source.sendSync("2");
    assert.equal(`${await sink.receive()}`, "2");
    proxy.terminate();
    await ended;
    assert.equal(front.readable, true);
    await assert.rejects(front.receive(), zmq("EBADMSG"));
    await context.terminate();
  });

  test("nor one that goes back to where it came from, and finds no room there", async () => {
    const context = new Context(SMALL);
    const here = new Channel({ context, sendHighWaterMark: 1 });
    const there = new Channel({ context, receiveHighWaterMark: 1 });
    here.bindSync(FRONT);
    there.connect(FRONT);
    while (here.trySend("first"));
    there.sendSync("back");
    const proxy = new Proxy(here, here);
    const ended = proxy.run();
    await turns();
    for (const word of ["first", "first", "back"]) assert.equal(`${await there.receive()}`, word);
    proxy.terminate();
    await ended;
    await context.terminate();
  });

  test("what is no socket, or no options, is an EINVAL", () => {
    const make = (...args: unknown[]) => new Proxy(...(args as [Pull, Push]));
    const { front, back } = line(new Context(SMALL));
    const bad = [[], [undefined, back], [front], [front, null], [front, back, null]];
    for (const args of [...bad, [front, back, []], [front, back, { captur: back }]]) {
      assert.throws(() => make(...args), zmq("EINVAL"));
    }
  });

  play("the event loop has its turn", async (g) => {
    const { front, back, source, sink } = line(g.context, {
      sendHighWaterMark: 0,
      receiveHighWaterMark: 0,
    });
    sink.connect(BACK);
    source.sendManySync(Array(100_000).fill("x"));
    const proxy = new Proxy(front, back);
    const ended = proxy.run();
    let seen = 0;
    for (; proxy.stats().back.sent.messages < 100_000; seen++) await turns(1);
    assert.ok(seen > 2, `${seen} turns`);
    proxy.terminate();
    await ended;
    for (const socket of [front, back, source, sink]) socket.close();
  });
});
