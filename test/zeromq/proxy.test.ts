// SPDX-License-Identifier: MIT

/** Proxies. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { only, outcome, type Scene, same, shape, state, texts } from "./both.ts";

/** A pipeline through a proxy: both of its ends are bound. */
async function through({ zmq, open, address }: Scene) {
  const [front, back] = [address(), address()];
  const frontEnd = open(new zmq.Pull());
  const backEnd = open(new zmq.Push());
  await frontEnd.bind(front);
  await backEnd.bind(back);
  const push = open(new zmq.Push());
  push.connect(front);
  const pull = open(new zmq.Pull());
  pull.connect(back);
  return { proxy: new zmq.Proxy(frontEnd, backEnd), frontEnd, backEnd, push, pull };
}

describe("a proxy", () => {
  same("passes messages on until it is terminated, and closes both ends", async (scene) => {
    const { proxy, frontEnd, backEnd, push, pull } = await through(scene);
    const run = proxy.run();
    const seen: unknown[] = [proxy.frontEnd === frontEnd, proxy.backEnd === backEnd];
    for (let i = 0; i < 3; i++) await push.send([String(i), "part"]);
    for (let i = 0; i < 3; i++) seen.push(texts(await pull.receive()));
    seen.push(await state(run), frontEnd.closed);
    proxy.terminate();
    seen.push(await outcome(() => run), frontEnd.closed, backEnd.closed);
    return [...seen, await outcome(() => proxy.terminate()), await outcome(() => proxy.pause())];
  });

  same(
    "questions and answers go both ways",
    async ({ zmq, open, address }) => {
      const [front, back] = [address(), address()];
      const router = open(new zmq.Router());
      const dealer = open(new zmq.Dealer());
      await router.bind(front);
      await dealer.bind(back);
      const proxy = new zmq.Proxy(router, dealer);
      const run = proxy.run();
      const requests = [open(new zmq.Request()), open(new zmq.Request())];
      for (const request of requests) request.connect(front);
      const reply = open(new zmq.Reply());
      reply.connect(back);
      for (const [index, request] of requests.entries()) await request.send(`question ${index}`);
      for (let i = 0; i < 2; i++) await reply.send(`answer to ${await reply.receive()}`);
      const seen: unknown[] = [];
      for (const request of requests) seen.push(texts(await request.receive()));
      proxy.terminate();
      await run;
      return seen;
    },
    [["answer to question 0"], ["answer to question 1"]],
  );

  same(
    "subscriptions and publications too",
    async ({ zmq, open, address }) => {
      const [front, back] = [address(), address()];
      const xsub = open(new zmq.XSubscriber());
      const xpub = open(new zmq.XPublisher());
      const pub = open(new zmq.XPublisher());
      await xsub.bind(front);
      await xpub.bind(back);
      pub.connect(front);
      const proxy = new zmq.Proxy(xsub, xpub);
      const run = proxy.run();
      const sub = open(new zmq.Subscriber());
      sub.connect(back);
      sub.subscribe("x");
      const seen: unknown[] = [texts(await pub.receive())];
      await pub.send("y");
      await pub.send("x");
      seen.push(texts(await sub.receive()));
      proxy.terminate();
      await run;
      return seen;
    },
    [["\u0001x"], ["x"]],
  );

  same("its ends are blocked", async (scene) => {
    const { proxy, frontEnd } = await through(scene);
    const run = proxy.run();
    const seen: object[] = [];
    for (const call of [() => frontEnd.receive(), () => frontEnd.bindSync("inproc://x")]) {
      try {
        call();
      } catch (error) {
        seen.push(shape(error));
      }
    }
    proxy.terminate();
    await run;
    return seen;
  });

  same(
    "its ends have to be bound or connected, and to be sockets",
    async ({ zmq, open, address }) => {
      const pull = open(new zmq.Pull());
      const push = open(new zmq.Push());
      const Any = zmq.Proxy as unknown as new (...args: unknown[]) => unknown;
      const seen: object[] = [await outcome(() => new zmq.Proxy(pull, push).run())];
      pull.connect(address());
      seen.push(await outcome(() => new zmq.Proxy(pull, push).run()));
      seen.push(await outcome(() => new zmq.Proxy(pull, push).pause()));
      for (const args of [[], [pull], [{}, {}], [pull, {}], [pull, push, 1]]) {
        seen.push(await outcome(() => new Any(...args)));
      }
      pull.close();
      return [...seen, await outcome(() => new zmq.Proxy(pull, push).run())];
    },
  );

  only("pauses and resumes, which zeromq.js's does not survive", async (scene) => {
    const { proxy, push, pull } = await through(scene);
    const run = proxy.run();
    await push.send("1");
    assert.deepEqual(texts(await pull.receive()), ["1"]);
    for (let round = 0; round < 3; round++) {
      proxy.pause();
      await push.send("2");
      const received = pull.receive();
      assert.equal(await state(received), "pending");
      proxy.resume();
      assert.deepEqual(texts(await received), ["2"]);
    }
    proxy.pause();
    proxy.terminate();
    await run;
  });

  only(
    "keeps order and loses nothing when its back end is full",
    async ({ zmq, open, address }) => {
      const [front, back] = [address(), address()];
      const pull = open(new zmq.Pull());
      const push = open(new zmq.Push({ sendHighWaterMark: 1 }));
      await pull.bind(front);
      await push.bind(back);
      const proxy = new zmq.Proxy(pull, push);
      const run = proxy.run();
      const source = open(new zmq.Push());
      source.connect(front);
      for (let i = 0; i < 50; i++) await source.send(String(i));
      const sink = open(new zmq.Pull({ receiveHighWaterMark: 1 }));
      sink.connect(back);
      for (let i = 0; i < 50; i++) {
        if (i % 10 === 0) {
          proxy.pause();
          await state(run);
          proxy.resume();
        }
        assert.deepEqual(texts(await sink.receive()), [String(i)]);
      }
      proxy.terminate();
      await run;
    },
  );

  only("ends with the error of an end", async ({ zmq, open, address }) => {
    const pull = open(new zmq.Pull());
    const router = open(new zmq.Router({ mandatory: true }));
    const name = address();
    await pull.bind(name);
    await router.bind(address());
    const run = outcome(() => new zmq.Proxy(pull, router).run());
    const push = open(new zmq.Push());
    push.connect(name);
    await push.send(["nobody", "x"]);
    const { rejected } = (await run) as { rejected: { code: string } };
    assert.equal(rejected.code, "EHOSTUNREACH");
    assert.deepEqual([pull.closed, router.closed], [true, true]);
  });

  same(
    "a message that says to nobody whom it is for is dropped",
    async ({ zmq, open, address }) => {
      const [front, back] = [address(), address()];
      const [router, dealer] = [open(new zmq.Router()), open(new zmq.Dealer())];
      await router.bind(front);
      await dealer.bind(back);
      const proxy = new zmq.Proxy(router, dealer);
      const run = proxy.run();
      const [request, worker] = [open(new zmq.Request()), open(new zmq.Dealer())];
      request.connect(front);
      worker.connect(back);
      await worker.send("hello");
      await request.send("question");
      const received = await worker.receive();
      await worker.send([...received.slice(0, -1), "answer"]);
      const seen = [texts(await request.receive()), await state(run), router.closed];
      proxy.terminate();
      return [...seen, await outcome(() => run)];
    },
  );
});
