// SPDX-License-Identifier: MIT

/**
 * Sockets as streams, Web's and Node's: values, back-pressure, ends, errors, and what is given up.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { describe } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import {
  Dealer,
  json,
  Pair,
  Poller,
  Pull,
  Push,
  toReadableStream,
  toWritableStream,
} from "threadmq";
import { toDuplex, toReadable, toWritable } from "threadmq/node-streams";
import { type Ground, play, zmq } from "../support/ground.ts";
import { Random } from "../support/random.ts";
import { PATIENCE } from "../support/stage.ts";

/** A PUSH and a PULL of numbers; between them there is room for two. */
function link(g: Ground, name = "inproc://numbers"): { push: Push<unknown>; pull: Pull<number> } {
  const push = new Push<unknown>({ context: g.context, codec: json(), sendHighWaterMark: 1 });
  const pull = new Pull<number>({ context: g.context, codec: json(), receiveHighWaterMark: 1 });
  pull.bindSync(name);
  push.connect(name);
  return { push, pull };
}

const PATIENT = { timeout: PATIENCE };
const NUMBERS = Array.from({ length: 500 }, (_, index) => index);

/** Lets everything happen that is due. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 5; turns++) await turn();
}

describe("Web Streams", () => {
  play("values go through in order, and a closed socket ends the readable", async (g) => {
    const { push, pull } = link(g);
    const seen: number[] = [];
    const reading = (async () => {
      for await (const value of toReadableStream(pull)) {
        seen.push(value);
        if (value === NUMBERS.length - 1) pull.close();
      }
    })();
    await ReadableStream.from(NUMBERS).pipeTo(toWritableStream(push));
    await reading;
    assert.deepEqual(seen, NUMBERS);
    assert.ok(!push.closed, "the socket that was written to is open");
    await assert.rejects(toWritableStream(push).getWriter().write(undefined), zmq("EINVAL"));
  });

  play("through a transform in another thread, and back", async (g) => {
    const results = new Pull<number>({ context: g.context, codec: json() });
    results.bindSync("inproc://results");
    const work = g.thread().run(async ({ threadmq, context }) => {
      const { json, Pull, Push, toReadableStream, toWritableStream } = threadmq;
      const tasks = new Pull<number>({ context, codec: json() });
      tasks.bindSync("inproc://tasks");
      const answers = new Push<number>({ context, codec: json() });
      answers.connect("inproc://results");
      const double = new TransformStream<number, number>({
        transform(value, stream) {
          if (value < 0) tasks.close();
          else stream.enqueue(2 * value);
        },
      });
      await toReadableStream(tasks).pipeThrough(double).pipeTo(toWritableStream(answers));
    });
    const tasks = new Push<number>({ context: g.context, codec: json() });
    tasks.connect("inproc://tasks");
    await ReadableStream.from([...NUMBERS, -1]).pipeTo(toWritableStream(tasks));
    await work;
    const seen: number[] = [];
    while (seen.length < NUMBERS.length) seen.push(await results.receive());
    assert.deepEqual(
      seen,
      NUMBERS.map((value) => 2 * value),
    );
  });

  play("a readable takes nothing that nobody has asked for", async (g) => {
    const { push, pull } = link(g);
    const stream = toReadableStream(pull);
    await push.send(1);
    await settle();
    assert.equal(pull.stats().queuedIn, 1);
    const reader = stream.getReader();
    assert.deepEqual(await reader.read(), { value: 1, done: false });
    await push.send(2);
    await settle();
    assert.equal(await pull.receive(), 2);
  });

  play("a writable is ready when the socket has accepted the last", async (g) => {
    const { push, pull } = link(g);
    const writer = toWritableStream(push).getWriter();
    await writer.write(1);
    await writer.write(2);
    await writer.ready;
    const third = writer.write(3);
    await settle();
    assert.equal(writer.desiredSize, 0);
    assert.deepEqual([push.stats().sent, push.stats().pending], [2, 1]);
    assert.equal(await pull.receive(), 1);
    await third;
    await writer.ready;
    assert.equal(push.stats().sent, 3);
  });

  play("cancel gives up the receive: the next message is another's", async (g) => {
    const { push, pull } = link(g);
    const reader = toReadableStream(pull).getReader();
    const read = reader.read();
    await settle();
    assert.equal(pull.stats().pending, 1);
    await reader.cancel(new Error("enough"));
    assert.deepEqual(await read, { value: undefined, done: true });
    assert.equal(pull.stats().pending, 0);
    await push.send(1);
    assert.equal(await pull.receive(), 1);
    await push.send(2);
    for await (const value of toReadableStream(pull)) {
      assert.equal(value, 2);
      break; // Which cancels.
    }
    assert.ok(!pull.closed);
  });

  play("cancel, in the moment in which a message comes: it stays in the socket", async (g) => {
    const { push, pull } = link(g);
    const reader = toReadableStream(pull).getReader();
    const read = reader.read();
    await settle();
    push.sendSync(1);
    const cancelled = reader.cancel();
    assert.deepEqual(await read, { value: undefined, done: true });
    await cancelled;
    await push.send(2);
    assert.deepEqual([await pull.receive(), await pull.receive()], [1, 2]);
  });

  play("of two streams that are given up, neither has taken a message", async (g) => {
    const { push, pull } = link(g);
    const readers = [toReadableStream(pull).getReader(), toReadableStream(pull).getReader()];
    for (const reader of readers) reader.read();
    await settle();
    push.sendManySync([1, 2]);
    await Promise.all(readers.map((reader) => reader.cancel()));
    assert.deepEqual(await pull.receiveMany(), [1, 2]);
  });

  play("a reader lets go of the stream: what comes then stays in the socket", async (g) => {
    const { push, pull } = link(g);
    const stream = toReadableStream(pull);
    const first = stream.getReader();
    const read = first.read();
    await settle();
    first.releaseLock();
    await assert.rejects(read, TypeError);
    await push.send(1);
    await settle();
    assert.equal(pull.stats().queuedIn, 1);

    // Another has it, and what it does not read is still there when it is gone.
    const second = stream.getReader();
    assert.deepEqual(await second.read(), { value: 1, done: false });
    second.read().catch(() => {});
    second.releaseLock();
    await push.send(2);
    await settle();
    await stream.cancel();
    assert.equal(await pull.receive(), 2);
  });

  play("another reader has what comes for a read that was let go", async (g) => {
    const { push, pull } = link(g);
    const stream = toReadableStream(pull);
    const first = stream.getReader();
    first.read().catch(() => {});
    first.releaseLock();
    const second = stream.getReader();
    const reads = [second.read(), second.read()];
    await push.sendMany([1, 2]);
    const values = await Promise.all(reads);
    assert.deepEqual(
      values.map(({ value }) => value),
      [1, 2],
    );
  });

  play("a pipe that is aborted, and leaves the stream: no message is in it", async (g) => {
    const { push, pull } = link(g);
    const stream = toReadableStream(pull);
    const end = new AbortController();
    const piping = stream.pipeTo(new WritableStream(), { signal: end.signal, preventCancel: true });
    await settle();
    end.abort();
    await assert.rejects(piping, { name: "AbortError" });
    await push.send(1);
    await settle();
    await stream.cancel();
    assert.equal(await pull.receive(), 1);
  });

  play("whoever waits beside a stream that is given up has its message", async (g) => {
    const { push, pull } = link(g);
    using poller = new Poller();
    poller.add(pull);
    const reader = toReadableStream(pull).getReader();
    reader.read();
    const polled = poller.wait(PATIENT);
    await settle();
    push.sendSync(1);
    await reader.cancel();
    assert.equal((await polled).length, 1);
    assert.equal(pull.tryReceive(), 1);

    const other = toReadableStream(pull).getReader();
    other.read();
    const received = pull.receive(PATIENT);
    await settle();
    push.sendSync(2);
    await other.cancel();
    assert.equal(await received, 2);
  });

  play("readers and receives are served in the order in which they asked", async (g) => {
    const { push, pull } = link(g);
    const readers = [toReadableStream(pull).getReader(), toReadableStream(pull).getReader()];
    const asked: Promise<unknown>[] = [];
    for (const reader of readers) {
      asked.push(reader.read());
      await settle();
      asked.push(pull.receive());
    }
    await push.sendMany([1, 2, 3, 4]);
    const got = await Promise.all(asked);
    assert.deepEqual(
      got.map((one) => (typeof one === "number" ? one : (one as { value: number }).value)),
      [1, 2, 3, 4],
    );
  });

  play("a call that blocks is served beside a stream that waits", async (g) => {
    const { push, pull } = link(g);
    const reader = toReadableStream(pull).getReader();
    const read = reader.read();
    await settle();
    push.sendManySync([1, 2]);
    assert.equal(pull.receiveSync(PATIENT), 2);
    assert.equal((await read).value, 1);
  });

  play("what a stream is piped to may call the socket, and wait", async (g) => {
    const { push, pull } = link(g);
    const seen: number[] = [];
    const sink = new WritableStream<number>({
      write(head) {
        seen.push(head, pull.receiveSync(PATIENT));
        if (seen.length === 6) pull.close();
      },
    });
    const piping = toReadableStream(pull).pipeTo(sink);
    await settle();
    const sender = g.thread().run(async ({ threadmq, context }) => {
      const { json, Push } = threadmq;
      const push = new Push<number>({ context, codec: json() });
      push.connect("inproc://numbers");
      await push.sendMany([1, 2, 3, 4, 5, 6]);
    });
    await piping;
    await sender;
    assert.deepEqual(seen, [1, 2, 3, 4, 5, 6]);
    push.close();
  });

  play("what was not read is another socket's when this one closes", async (g) => {
    for (const acknowledge of [false, true]) {
      const name = `inproc://${acknowledge}`;
      const push = new Push({ context: g.context });
      const pull = new Pull({ context: g.context, acknowledge });
      pull.bindSync(name);
      push.connect(name);
      const reader = toReadableStream(pull).getReader();
      const read = reader.read();
      await settle();
      push.sendSync("1");
      pull.acknowledge(); // Of nothing.
      await reader.cancel();
      assert.equal((await read).done, true);
      pull.close();
      const next = new Pull({ context: g.context, acknowledge });
      next.bindSync(name);
      assert.equal(String(await next.receive(PATIENT)), "1");
    }
  });

  play("streams that come and go lose nothing, and give nothing twice", async (g) => {
    const { push, pull } = link(g);
    const random = new Random();
    const sending = push.sendMany(NUMBERS);
    const seen: number[] = [];
    while (seen.length < NUMBERS.length) {
      const reader = toReadableStream(pull).getReader();
      const reading = reader.read();
      const turns = random.next(8);
      if (turns === 0) await turn();
      for (let left = turns; left > 0; left--) await undefined;
      await reader.cancel();
      const { value } = await reading;
      if (value !== undefined) seen.push(value);
    }
    await sending;
    assert.deepEqual(seen, NUMBERS, `THREADMQ_SEED=${random.seed}`);
  });

  play("abort gives up the send: it is not accepted", async (g) => {
    const { push, pull } = link(g);
    const writer = toWritableStream(push).getWriter();
    await writer.write(1);
    await writer.write(2);
    const third = writer.write(3);
    third.catch(() => {});
    await settle();
    const reason = new Error("enough");
    await writer.abort(reason);
    await assert.rejects(third, reason);
    assert.deepEqual([push.stats().sent, push.stats().pending], [2, 0]);
    assert.deepEqual([await pull.receive(), await pull.receive()], [1, 2]);
    await push.send(4);
    assert.equal(await pull.receive(), 4);
  });

  play("an error ends the stream and not the socket", async (g) => {
    const { push, pull } = link(g);
    const raw = new Push({ context: g.context });
    raw.connect("inproc://numbers");
    await raw.sendMany(["{", "5"]);
    await assert.rejects(toReadableStream(pull).getReader().read(), zmq("EBADMSG"));
    const { value } = await toReadableStream(pull).getReader().read();
    assert.equal(value, 5);

    const writer = toWritableStream(push).getWriter();
    await assert.rejects(writer.write(1n), TypeError);
    await assert.rejects(writer.closed, TypeError);
    await push.send(6);
    assert.equal(await pull.receive(), 6);
    push.close();
    await assert.rejects(toWritableStream(push).getWriter().write(7), zmq("EBADF"));
  });
});

describe("Node's streams", () => {
  play("a pipeline of numbers, which ends when its socket is closed", async (g) => {
    const { push: first, pull: tasks } = link(g, "inproc://tasks");
    const { push: results, pull: last } = link(g, "inproc://results");
    const double = new Transform({
      objectMode: true,
      transform: (value: number, _, done) => done(null, 2 * value),
    });
    const working = pipeline(toReadable(tasks), double, toWritable(results));
    const writing = pipeline(NUMBERS, toWritable(first));
    const seen: number[] = [];
    for await (const value of toReadable(last)) {
      seen.push(value);
      if (seen.length === NUMBERS.length) break;
    }
    await writing;
    tasks.close();
    await working;
    assert.deepEqual(
      seen,
      NUMBERS.map((value) => 2 * value),
    );
    assert.ok(!first.closed && !results.closed && !last.closed);
  });

  play("a readable takes nothing that nobody has asked for", async (g) => {
    const { push, pull } = link(g);
    const stream = toReadable(pull);
    await push.send(1);
    await settle();
    assert.equal(pull.stats().queuedIn, 1);
    const [value] = await once(stream, "data");
    assert.equal(value, 1);
    stream.pause();
    stream.destroy();
    await push.send(2);
    assert.equal(await pull.receive(), 2);
  });

  play("a writable is full when its socket is, and then sends many at once", async (g) => {
    const { push, pull } = link(g);
    const stream = toWritable(push);
    let written = 0;
    while (stream.write(written)) written++;
    assert.equal(written + 1, stream.writableHighWaterMark);
    await settle();
    assert.equal(push.stats().sent, 2);
    const drained = once(stream, "drain");
    for (let value = 0; value <= written; value++) assert.equal(await pull.receive(), value);
    await drained;
    stream.end();
    await once(stream, "finish");
    assert.equal(push.stats().sent, written + 1);
  });

  play("destroy gives up the calls that wait", async (g) => {
    const { push, pull } = link(g);
    const readable = toReadable(pull);
    readable.resume();
    await settle();
    assert.equal(pull.stats().pending, 1);
    readable.destroy();
    await once(readable, "close");
    assert.equal(pull.stats().pending, 0);

    const writable = toWritable(push);
    for (const value of [1, 2, 3]) writable.write(value);
    await settle();
    assert.equal(push.stats().pending, 1);
    writable.destroy();
    await once(writable, "close");
    assert.deepEqual([push.stats().sent, push.stats().pending], [2, 0]);
    assert.deepEqual([await pull.receive(), await pull.receive()], [1, 2]);
  });

  play("destroy, in the moment in which a message comes: it stays in the socket", async (g) => {
    const { push, pull } = link(g);
    const stream = toReadable(pull).resume();
    await settle();
    push.sendSync(1);
    stream.destroy();
    await once(stream, "close");
    assert.equal(await pull.receive(), 1);
  });

  play(
    "destroy, when a message waits in the stream: it goes back, unless it was read",
    async (g) => {
      const { push, pull } = link(g);
      for (const isRead of [false, true]) {
        const stream = toReadable(pull);
        await push.send(1);
        await once(stream, "readable");
        if (isRead) assert.equal(stream.read(), 1);
        stream.destroy();
        await once(stream, "close");
        if (!isRead) assert.equal(await pull.receive(), 1);
      }
      await push.send(2);
      assert.equal(await pull.receive(), 2);
    },
  );

  play("a message that goes back from a stream wakes those who wait for it", async (g) => {
    const { push, pull } = link(g);
    using poller = new Poller();
    poller.add(pull);
    const stream = toReadable(pull);
    await push.send(1);
    await once(stream, "readable");
    const polled = poller.wait(PATIENT);
    await settle();
    stream.destroy();
    assert.equal((await polled).length, 1);
    assert.equal(pull.tryReceive(), 1);
  });

  play("a stream that flows does not keep the event loop from its turn", async (g) => {
    const push = new Push({ context: g.context, sendHighWaterMark: 0 });
    const pull = new Pull({ context: g.context, receiveHighWaterMark: 0 });
    pull.bindSync("inproc://x");
    push.connect("inproc://x");
    let left = 20_000;
    push.sendManySync(Array.from({ length: left }, () => "x"));
    let turns = 0;
    const stream = toReadable(pull);
    stream.on("data", () => {
      if (--left === 0) stream.destroy();
    });
    for (; !stream.closed; turns++) await turn();
    assert.equal(left, 0);
    assert.ok(turns > 3, `${turns}`);
  });

  play("a duplex both sends and receives, and is over when its socket is closed", async (g) => {
    const pair = new Pair<number, string>({ context: g.context, codec: json() });
    pair.bindSync("inproc://pair");
    const dealer = new Pair<string, number>({ context: g.context, codec: json() });
    dealer.connect("inproc://pair");
    const duplex = toDuplex(pair);
    duplex.write(1);
    assert.equal(await dealer.receive(), 1);
    await dealer.send("text");
    assert.deepEqual(await once(duplex, "data"), ["text"]);
    const closed = once(duplex, "close");
    pair.close();
    await closed;
    assert.ok(duplex.readableEnded && duplex.writableFinished);
  });

  play("errors destroy the stream: what is no JSON, null, a closed socket", async (g) => {
    const { push, pull } = link(g);
    const raw = new Push({ context: g.context });
    raw.connect("inproc://numbers");
    for (const [text, code] of [
      ["{", "EBADMSG"],
      ["null", "ENOTSUP"],
    ] as const) {
      await raw.send(text);
      const stream = toReadable(pull).resume();
      const [error] = await once(stream, "error");
      zmq(code)(error);
      assert.ok(stream.destroyed);
    }
    assert.equal(pull.tryReceive(), null, "it is still there");
    assert.equal(pull.tryReceive(), undefined);
    await assert.rejects(pipeline([1n], toWritable(push)), TypeError);
    push.close();
    await assert.rejects(pipeline([1], toWritable(push)), zmq("EBADF"));
    const dealer = new Dealer({ context: g.context, sendTimeout: 0 });
    await assert.rejects(pipeline(["nobody"], toWritable(dealer)), zmq("EAGAIN"));
  });
});

play("of a socket that cannot do it, and of what is none, no stream is made", async (g) => {
  const { push, pull } = link(g);
  const none = { send: async () => {}, sendMany: async () => {}, receive: async () => 0 };
  for (const make of [toWritable, toWritableStream, toDuplex] as ((of: any) => unknown)[]) {
    for (const what of [pull, none, undefined]) assert.throws(() => make(what), zmq("EINVAL"));
  }
  for (const make of [toReadable, toReadableStream, toDuplex] as ((of: any) => unknown)[]) {
    for (const what of [push, none, undefined]) assert.throws(() => make(what), zmq("EINVAL"));
  }
});
