// SPDX-License-Identifier: MIT

/**
 * Messages that a stream of Node's had in hand when it was destroyed: the socket has them again. It
 * has not received them, nobody has acknowledged them, and if it closes they are dropped, or
 * another socket's.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { Readable } from "node:stream";
import {
  Poller,
  Pull,
  Push,
  Reply,
  Request,
  type RequestOptions,
  Subscriber,
  XPublisher,
  XSubscriber,
} from "threadmq";
import { toReadable } from "threadmq/node-streams";
import { type Ground, play, zmq } from "../support/ground.ts";
import { PATIENCE } from "../support/stage.ts";

const PATIENT = { timeout: PATIENCE };

play("a message that went back from a stream is not acknowledged by that", async (g) => {
  const push = new Push({ context: g.context });
  push.bindSync("inproc://x");
  const pull = new Pull({ context: g.context, acknowledge: true });
  pull.connect("inproc://x");
  await push.sendMany(["1", "2"]);
  const stream = toReadable(pull);
  await once(stream, "readable");
  stream.destroy();
  pull.acknowledge(); // Of what was handed out; but nobody has that one.
  pull.close();
  const next = new Pull({ context: g.context, acknowledge: true });
  next.connect("inproc://x");
  const messages = [await next.receive(PATIENT), await next.receive(PATIENT)];
  assert.deepEqual(messages.map(String), ["1", "2"]);
});

play(
  "a message that went back from a stream is not received, and dropped at a close",
  async (g) => {
    for (const isFirst of ["the stream", "the socket"]) {
      const push = new Push({ context: g.context });
      const pull = new Pull({ context: g.context });
      push.bindSync(`inproc://${isFirst}`);
      pull.connect(`inproc://${isFirst}`);
      const stream = toReadable(pull);
      await push.send("1");
      await once(stream, "readable");
      if (isFirst === "the socket") pull.close();
      stream.destroy();
      await once(stream, "close");
      const { received, queuedIn, dropped } = pull.stats();
      const isClosed = Number(pull.closed);
      assert.deepEqual([received, queuedIn, dropped], [0, 1 - isClosed, isClosed]);
      const told = pull.events.receive();
      pull.close();
      if (isClosed === 0) assert.deepEqual((await told).count, 1);
      else await assert.rejects(told, zmq("EBADF"));
      const after = pull.stats();
      assert.deepEqual([after.received, after.queuedIn, after.dropped], [0, 0, 1]);
      push.close();
    }
  },
);

play("what has gone back, and was acknowledged meanwhile, is no other's", async (g) => {
  const push = new Push({ context: g.context });
  push.bindSync("inproc://x");
  const open = () => {
    const pull = new Pull({ context: g.context, acknowledge: true });
    pull.connect("inproc://x");
    return pull;
  };
  const pull = open();
  await push.sendMany(["1", "2", "3"]);
  const stream = toReadable(pull);
  await once(stream, "readable");
  assert.equal(String(await pull.receive(PATIENT)), "2"); // Which acknowledges the first.
  pull.acknowledge();
  assert.equal(String(await pull.receive(PATIENT)), "3");
  stream.destroy();
  await once(stream, "close");
  assert.deepEqual([pull.stats().received, pull.stats().dropped], [2, 0]);
  pull.close();
  assert.deepEqual([pull.stats().received, pull.stats().dropped], [2, 1]);
  const next = open();
  assert.equal(String(await next.receive(PATIENT)), "3");
  assert.equal(next.tryReceive(), undefined);
});

play("what has gone back to an XPUB is the next that it gives, to a stream too", async (g) => {
  const xpub = new XPublisher({ context: g.context });
  xpub.bindSync("inproc://x");
  const xsub = new XSubscriber({ context: g.context });
  xsub.connect("inproc://x");
  for (let round = 0; round < 3; round++) {
    if (round === 0) await xsub.sendMany(["1", "2"]);
    const stream = toReadable(xpub);
    await once(stream, "readable");
    if (round === 2) assert.equal(String(stream.read()), "1");
    stream.destroy();
    await once(stream, "close");
  }
  assert.deepEqual([xpub.stats().received, xpub.stats().queuedIn], [1, 1]);
  xpub.unbindSync("inproc://x");
  assert.deepEqual([xpub.stats().pipes, xpub.stats().queuedIn], [0, 1]);
  xpub.close();
  assert.deepEqual([xpub.stats().queuedIn, xpub.stats().dropped], [0, 1]);
});

play("what goes back to an XPUB is there for the next stream, and readable", async (g) => {
  const publisher = new XPublisher({ context: g.context });
  const subscriber = new Subscriber({ context: g.context });
  publisher.bindSync("inproc://x");
  subscriber.connect("inproc://x");
  const first = toReadable(publisher);
  subscriber.subscribe("a");
  await once(first, "readable");
  first.destroy();
  await once(first, "close");
  assert.equal(publisher.readable, true);
  const second = toReadable(publisher);
  const [message] = await once(second, "data", { signal: AbortSignal.timeout(PATIENCE) });
  assert.equal(`${message}`, "\x01a");
  second.destroy();
});

/** A REQ and a REP that are linked, and have said nothing yet. */
function dialogue(g: Ground, options: RequestOptions = {}): { req: Request; rep: Reply } {
  const rep = new Reply({ context: g.context });
  const req = new Request({ context: g.context, receiveTimeout: PATIENCE, ...options });
  rep.bindSync("inproc://x");
  req.connect("inproc://x");
  return { req, rep };
}

/** A stream that has the next message, and nobody has read it. */
async function holding(socket: Request | Reply): Promise<Readable> {
  const stream = toReadable(socket);
  await once(stream, "readable");
  return stream;
}

async function giveUp(stream: Readable): Promise<void> {
  stream.destroy();
  await once(stream, "close");
}

for (const relaxed of [false, true]) {
  for (const correlate of [false, true]) {
    const what = `${relaxed ? "relaxed" : "strict"}${correlate ? ", with numbers" : ""}`;

    play(`a reply that went back is not that to the next request: ${what}`, async (g) => {
      const { req, rep } = dialogue(g, { relaxed, correlate });
      await req.send("1");
      await rep.send(`re ${await rep.receive(PATIENT)}`);
      await giveUp(await holding(req));
      assert.equal(req.writable, relaxed);
      if (!relaxed) {
        assert.throws(() => req.trySend("2"), zmq("EFSM"));
        using poller = new Poller();
        poller.add(req, { writable: true });
        const polled = poller.wait(PATIENT);
        assert.equal(`${await req.receive()}`, "re 1");
        assert.equal((await polled).length, 1);
        assert.equal(req.stats().received, 1);
      }
      await req.send("2");
      assert.equal(req.readable, false);
      await rep.send(`re ${await rep.receive(PATIENT)}`);
      assert.equal(`${await req.receive()}`, "re 2");
      assert.throws(() => req.tryReceive(), zmq("EFSM"));
    });

    play(`nor one that goes back when that was sent: ${what}`, async (g) => {
      const { req, rep } = dialogue(g, { relaxed, correlate });
      await req.send("1");
      await rep.send(`re ${await rep.receive(PATIENT)}`);
      const stream = await holding(req);
      await req.send("2");
      await giveUp(stream);
      assert.deepEqual([req.stats().received, req.readable], [0, false]);
      await rep.send(`re ${await rep.receive(PATIENT)}`);
      assert.equal(`${await req.receive()}`, "re 2");
      assert.throws(() => req.tryReceive(), zmq("EFSM"));
    });
  }
}

play("a request that went back is to be received before it is answered", async (g) => {
  const { req, rep } = dialogue(g);
  await req.send("1");
  await giveUp(await holding(rep));
  assert.equal(rep.writable, false);
  assert.throws(() => rep.trySend("re nothing"), zmq("EFSM"));
  using poller = new Poller();
  poller.add(rep, { writable: true });
  const polled = poller.wait(PATIENT);
  const request = await rep.receive(PATIENT);
  assert.equal((await polled).length, 1);
  await rep.send(`re ${request}`);
  assert.equal(`${await req.receive()}`, "re 1");
});

play("a request that goes back when it was answered does not come again", async (g) => {
  const { req, rep } = dialogue(g);
  await req.send("1");
  const stream = await holding(rep);
  await rep.send("re 1");
  await giveUp(stream);
  assert.deepEqual([rep.stats().received, rep.readable], [0, false]);
  assert.equal(`${await req.receive()}`, "re 1");
  await req.send("2");
  await rep.send(`re ${await rep.receive(PATIENT)}`);
  assert.equal(`${await req.receive()}`, "re 2");
});
