// SPDX-License-Identifier: MIT

/**
 * Typed messages: values go in and come out, and what cannot be encoded or decoded is told, once,
 * and is not lost. What the compiler says of them is in codec_types.ts.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Packr } from "msgpackr";
import {
  Channel,
  Client,
  type Codec,
  Dealer,
  Dish,
  framed,
  Gather,
  json,
  type Message,
  Pair,
  type Part,
  Peer,
  Publisher,
  Pull,
  Push,
  Radio,
  Reply,
  Request,
  Router,
  Scatter,
  Server,
  Subscriber,
  XPublisher,
  XSubscriber,
  type ZmqError,
} from "threadmq";
import { msgpack } from "threadmq/msgpack";
import { type Ground, play, zmq } from "../support/ground.ts";

interface Job {
  readonly name: string;
  readonly sizes: number[];
}
const job = (number: number): Job => ({ name: `job ${number} – é`, sizes: [number] });

/** A PUSH of anything and a PULL of jobs, linked. */
function link(g: Ground, options: object = {}): { push: Push<unknown>; pull: Pull<Job> } {
  const push = new Push<unknown>({ context: g.context, codec: json() });
  const pull = new Pull<Job>({ context: g.context, codec: json(), ...options });
  pull.bindSync("inproc://jobs");
  push.connect("inproc://jobs");
  return { push, pull };
}

/** The same, but the PUSH sends bytes as they are. */
function raw(g: Ground, options: object = {}): { push: Push; pull: Pull<Job> } {
  const push = new Push({ context: g.context });
  const pull = new Pull<Job>({ context: g.context, codec: json(), ...options });
  pull.bindSync("inproc://jobs");
  push.connect("inproc://jobs");
  return { push, pull };
}

/** What an undecodable message must be told as. */
function undecoded(text: string): (error: ZmqError) => true {
  return (error) => {
    zmq("EBADMSG", "inproc://jobs")(error);
    assert.equal(error.received?.map(String).join("|"), text);
    assert.ok(error.cause instanceof Error);
    return true;
  };
}

function thrown(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => assert.fail("it did not fail"),
    (error) => error,
  );
}

play("json: by all calls, values come out as they went in", async (g) => {
  const { push, pull } = link(g);
  await push.send(job(1));
  push.sendSync(job(2));
  assert.ok(push.trySend(job(3)));
  await push.sendMany([job(4), job(5)]);
  push.sendManySync(new Set([job(6), job(7), job(8), job(9)]));
  assert.deepEqual(await pull.receive(), job(1));
  assert.deepEqual(pull.receiveSync(), job(2));
  assert.deepEqual(pull.tryReceive(), job(3));
  assert.deepEqual(await pull.receiveMany(2), [job(4), job(5)]);
  assert.deepEqual(pull.receiveManySync(2), [job(6), job(7)]);
  for await (const one of pull) {
    assert.deepEqual(one, job(8));
    break;
  }
  for (const one of pull) {
    assert.deepEqual(one, job(9));
    break;
  }
  assert.equal(pull.tryReceive(), undefined);
  for (const value of [null, 0, "", false, "text", [1, [2]]]) {
    await push.send(value);
    assert.deepEqual(await pull.receive(), value);
  }
});

play("json: between threads", async (g) => {
  const pull = new Pull<Job>({ context: g.context, codec: json() });
  pull.bindSync("inproc://jobs");
  await g.thread().run(async ({ threadmq, context }) => {
    const push = new threadmq.Push<object>({ context, codec: threadmq.json() });
    push.connect("inproc://jobs");
    await push.send({ name: "from there", sizes: [1, 2] });
  });
  assert.deepEqual(await pull.receive(), { name: "from there", sizes: [1, 2] });
});

play("what encode throws is the error of the call, and nothing is sent", async (g) => {
  const { push, pull } = link(g);
  const circle: unknown[] = [];
  circle.push(circle);
  await assert.rejects(push.send(circle), TypeError);
  assert.throws(() => push.sendSync(circle), TypeError);
  assert.throws(() => push.trySend(circle), TypeError);
  await assert.rejects(push.send(undefined), zmq("EINVAL"));
  assert.throws(() => push.sendSync(() => {}), zmq("EINVAL"));
  assert.equal(push.stats().sent, 0);
  await push.send(job(1));
  assert.deepEqual(await pull.receive(), job(1));
});

play("sendMany: the error says how many were accepted, and has the codec's as cause", async (g) => {
  const { push, pull } = link(g);
  const circle: unknown[] = [];
  circle.push(circle);
  const told = (accepted: number) => (error: ZmqError) => {
    zmq("EINVAL")(error);
    assert.equal(error.accepted, accepted);
    assert.ok(error.cause instanceof TypeError);
    return true;
  };
  await assert.rejects(push.sendMany([job(1), job(2), circle, job(3)]), told(2));
  assert.throws(() => push.sendManySync(new Set([job(3), circle])), told(1));
  assert.throws(() => push.sendManySync([circle]), told(0));
  assert.equal(push.stats().sent, 3);
  assert.deepEqual(await pull.receiveMany(), [job(1), job(2), job(3)]);
});

const good = JSON.stringify(job(1));

play("what cannot be decoded is told with its bytes, and the next call goes on", async (g) => {
  const { push, pull } = raw(g);
  const calls = [
    () => pull.receive(),
    async () => pull.receiveSync(),
    async () => pull.tryReceive(),
    async () => (await pull.receiveMany())[0],
    async () => pull.receiveManySync()[0],
    async () => (await pull[Symbol.asyncIterator]().next()).value,
    async () => pull[Symbol.iterator]().next().value,
  ];
  for (const call of calls) {
    await push.send("{");
    await push.send(good);
    await assert.rejects(call, undecoded("{"));
    assert.deepEqual(await call(), job(1));
  }
  await push.send(["two", "parts"]);
  await assert.rejects(pull.receive(), undecoded("two|parts"));
  await push.send(Uint8Array.of(0x22, 0xff, 0x22)); // No UTF-8.
  await assert.rejects(pull.receive(), zmq("EBADMSG"));
  assert.equal(pull.stats().received, 2 * calls.length + 2);
});

play("of calls that wait only the one whose message it is fails", async (g) => {
  const { push, pull } = raw(g);
  const calls = Promise.allSettled([pull.receive(), pull.receive(), pull.receive()]);
  await push.sendMany([good, "{", good]);
  const [first, second, third] = await calls;
  assert.deepEqual(first, { status: "fulfilled", value: job(1) });
  assert.ok(second.status === "rejected" && undecoded("{")(second.reason));
  assert.deepEqual(third, { status: "fulfilled", value: job(1) });
});

play("receiveMany hands out first what was before it", async (g) => {
  const { push, pull } = raw(g);
  for (const sync of [false, true]) {
    const receiveMany = async () => (sync ? pull.receiveManySync() : pull.receiveMany());
    await push.sendMany([good, good, "{", "[", good]);
    assert.deepEqual(await receiveMany(), [job(1), job(1)]);
    await assert.rejects(receiveMany, undecoded("{"));
    await assert.rejects(receiveMany, undecoded("["));
    assert.deepEqual(await receiveMany(), [job(1)]);
  }
});

play("an iteration that has failed goes on with a new loop", async (g) => {
  const { push, pull } = raw(g);
  await push.sendMany([good, "{", good, good]);
  const seen: (Job | string)[] = [];
  while (seen.length < 4) {
    try {
      for await (const one of pull) {
        seen.push(one);
        if (seen.length === 4) break;
      }
    } catch (error) {
      seen.push((error as ZmqError).code);
    }
  }
  assert.deepEqual(seen, [job(1), "EBADMSG", job(1), job(1)]);
});

play("a decode that returns undefined loses no message", async (g) => {
  const { push } = raw(g);
  const nothing: Codec<never, undefined> = { encode: () => "", decode: () => undefined };
  const pull = new Pull({ context: g.context, codec: nothing });
  pull.bindSync("inproc://nothing");
  push.disconnect("inproc://jobs");
  push.connect("inproc://nothing");
  await push.send("text");
  await assert.rejects(pull.receive(), (error: ZmqError) => {
    assert.equal(error.received?.join(), "text");
    return zmq("EBADMSG")(error);
  });
});

play("a redelivered message is known by its value too", async (g) => {
  const { push, pull } = raw(g, { acknowledge: true });
  await push.sendMany([good, good]);
  const [first] = await pull.receiveMany(1);
  assert.ok(!pull.isRedelivered(first as Job));
  pull.close();
  const next = new Pull<Job>({ context: g.context, codec: json(), acknowledge: true });
  next.bindSync("inproc://jobs");
  const [again, second] = [await next.receive(), await next.receive()];
  assert.deepEqual(
    [again, second].map((one) => next.isRedelivered(one)),
    [true, false],
  );
});

play("REQ and REP see the value only; what is no request is replied to as well", async (g) => {
  const { context } = g;
  const reply = new Reply<string, Job>({ context, codec: json() });
  reply.bindSync("inproc://service");
  const request = new Request<Job, string>({ context, codec: json(), correlate: true });
  request.connect("inproc://service");
  await request.send(job(1));
  assert.deepEqual(await reply.receive(), job(1));
  await reply.send("done");
  assert.equal(await request.receive(), "done");

  const other = new Request({ context });
  other.connect("inproc://service");
  await other.send("{");
  await assert.rejects(reply.receive(), zmq("EBADMSG"));
  await assert.rejects(reply.receive(), zmq("EFSM"));
  await reply.send("no job");
  assert.equal(`${await other.receive()}`, '"no job"');
});

play("framed: a value behind an id, or behind an id and an empty part", async (g) => {
  const { context } = g;
  const router = new Router({ context, codec: framed(json<Job>()) });
  router.bindSync("inproc://router");
  const dealer = new Dealer<Job>({ context, codec: json(), routingId: "d" });
  dealer.connect("inproc://router");
  await dealer.send(job(1));
  const [id, first] = await router.receive();
  assert.deepEqual([`${id}`, first], ["d", job(1)]);
  await router.send([id, job(2)]);
  assert.deepEqual(await dealer.receive(), job(2));

  const broker = new Router({ context, codec: framed(json<Job>(), 2) });
  broker.bindSync("inproc://broker");
  const request = new Request<Job>({ context, codec: json() });
  request.connect("inproc://broker");
  await request.send(job(3));
  const [client, empty, third] = await broker.receive();
  assert.deepEqual([empty.length, third], [0, job(3)]);
  await broker.send([client, empty, third]);
  assert.deepEqual(await request.receive(), job(3));

  const untyped = router as Router<unknown>;
  for (const bad of [job(1), [id], [id, job(1), 3], undefined]) {
    await assert.rejects(untyped.send(bad), zmq("EINVAL"));
  }
});

play("a topic and a value; and what was missed before it is known by the value too", async (g) => {
  const { context } = g;
  const publisher = new Publisher({ context, codec: framed(json<Job>()), sendHighWaterMark: 1 });
  const codec = framed(json<Job>());
  const subscriber = new Subscriber({ context, codec, receiveHighWaterMark: 1 });
  publisher.bindSync("inproc://jobs");
  subscriber.connect("inproc://jobs");
  subscriber.subscribe("urgent");
  for (let number = 1; number <= 5; number++) {
    await publisher.send(["idle", job(number)]);
    await publisher.send(["urgent", job(number)]);
  }
  const received = await subscriber.receiveMany(2);
  assert.deepEqual(
    received.map(([topic, value]) => [`${topic}`, value]),
    [
      ["urgent", job(1)],
      ["urgent", job(2)],
    ],
  );
  await publisher.send(["urgent", job(6)]);
  const last = await subscriber.receive();
  assert.deepEqual(last[1], job(6));
  assert.equal(subscriber.missedBefore(last), 3);
});

play("PEER: the value, and whom it came from; answers are values too", async ({ context }) => {
  const server = new Peer<string, Job>({ context, codec: json() });
  server.bindSync("inproc://jobs");
  const client = new Peer<Job, string>({ context, codec: json() });
  const to = { routingId: client.connectPeer("inproc://jobs") };
  await client.send(job(1), to);
  const [one, from] = await server.receive();
  assert.deepEqual([one, Object.keys(from)], [job(1), ["routingId"]]);
  await server.send("promise", from);
  server.sendSync("sync", from);
  assert.ok(server.trySend("try", from));
  await server.sendMany(["many", "more"], from);
  const answers = await client.receiveMany();
  assert.deepEqual(
    answers.map(([answer]) => answer),
    ["promise", "sync", "try", "many", "more"],
  );
  await client.sendMany([job(2), job(3)], to);
  assert.deepEqual(await server.receiveMany(), [
    [job(2), from],
    [job(3), from],
  ]);
  await assert.rejects(server.send("nobody", { routingId: 1 }), zmq("EHOSTUNREACH"));
  await assert.rejects(server.send("nobody", {} as never), zmq("EINVAL"));
});

play("SERVER: whom to tell of what is no value stands behind it", async (g) => {
  const { context } = g;
  const server = new Server<string, Job>({ context, codec: json() });
  server.bindSync("inproc://jobs");
  const client = new Client({ context });
  client.connect("inproc://jobs");
  await client.sendMany(["{", JSON.stringify(job(1))]);
  const error = (await thrown(server.receive())) as ZmqError;
  zmq("EBADMSG", "inproc://jobs")(error);
  const [bytes, from] = error.received as unknown as [Buffer, { routingId: number }];
  assert.equal(`${bytes}`, "{");
  await server.send("no job", from);
  assert.equal(`${await client.receive()}`, '"no job"');
  assert.deepEqual(await server.receive(), [job(1), from]);
  const answered = new Client<Job, string>({ context, codec: json() });
  answered.connect("inproc://jobs");
  await answered.send(job(2));
  const [second, whom] = await server.receive();
  await server.send(second.name, whom);
  assert.equal(await answered.receive(), job(2).name);
});

play("SERVER and RADIO: what is encoded has one part", async ({ context }) => {
  const codec: Codec<Part[], unknown> = { encode: (parts) => parts, decode: String };
  const radio = new Radio<Part[]>({ context, codec });
  await radio.send(["one"], { group: "all" });
  await assert.rejects(radio.send(["one", "two"], { group: "all" }), zmq("EINVAL"));
  const server = new Server<Part[], unknown>({ context, codec });
  await assert.rejects(server.send(["one", "two"], { routingId: 1 }), zmq("EINVAL"));
});

play("RADIO and DISH: the value, and its group; and what was missed before it", async (g) => {
  const { context } = g;
  const radio = new Radio<Job>({ context, codec: json(), sendHighWaterMark: 1 });
  radio.bindSync("inproc://air");
  const dish = new Dish<Job>({ context, codec: json(), receiveHighWaterMark: 1 });
  dish.connect("inproc://air");
  dish.join("jobs", "news");
  await radio.send(job(1), { group: "jobs" });
  await radio.send(job(2), { group: "idle" });
  await radio.sendMany([job(3), job(4), job(5)], { group: "news" });
  const received = await dish.receiveMany();
  assert.deepEqual(received, [
    [job(1), { group: "jobs" }],
    [job(3), { group: "news" }],
  ]);
  await radio.send(job(6), { group: "jobs" });
  const last = await dish.receive();
  assert.deepEqual(last, [job(6), { group: "jobs" }]);
  assert.equal(dish.missedBefore(last), 2);

  const other = new Radio({ context });
  other.connect("inproc://more");
  dish.bindSync("inproc://more");
  await other.send("{", { group: "jobs" });
  const error = (await thrown(dish.receive())) as ZmqError;
  zmq("EBADMSG")(error);
  assert.deepEqual(error.received?.[1], { group: "jobs" });
});

play("XPUB: its codec sees what XSUBs send, and no subscription", async (g) => {
  const { context } = g;
  const publisher = new XPublisher<Job>({ context, codec: json() });
  publisher.bindSync("inproc://jobs");
  const subscriber = new XSubscriber({ context });
  subscriber.connect("inproc://jobs");
  await subscriber.sendMany([JSON.stringify(job(1)), "\x01{", "{", "\x00{"]);
  const texts = (message: unknown) => (message as Buffer[]).map(String);
  const received: unknown[] = [];
  const failed: ZmqError[] = [];
  while (received.length + failed.length < 4) {
    await publisher.receive().then(
      (one) => received.push(Array.isArray(one) ? texts(one) : one),
      (error) => failed.push(error),
    );
  }
  assert.deepEqual(received, [job(1), ["\x01{"], ["\x00{"]]);
  assert.equal(failed.length, 1);
  undecoded("{")(failed[0] as ZmqError);
  await subscriber.send("\x01{");
  assert.deepEqual((await publisher.receiveMany()).map(texts), [["\x01{"]]);
  await publisher.send(job(2));
  assert.deepEqual(texts(await subscriber.receive()), [JSON.stringify(job(2))]);
});

play("XSUB: with a codec it subscribes by a call, and each value is a message", async (g) => {
  const { context } = g;
  const bytes = {
    encode: (value: number) => Uint8Array.of(value),
    decode: ([part]: Message) => part?.[0] as number,
  };
  const publisher = new XPublisher({ context, codec: bytes });
  publisher.bindSync("inproc://numbers");
  const subscriber = new XSubscriber({ context, codec: bytes });
  subscriber.connect("inproc://numbers");
  await subscriber.sendMany([1, 0, 7]); // The first two would be about "".
  assert.deepEqual(await publisher.receiveMany(), [1, 0, 7]);
  await publisher.send(5);
  subscriber.subscribe("\x05");
  assert.deepEqual([...((await publisher.receive()) as Message)[0]], [1, 5]);
  assert.equal(subscriber.topicsCount, 1);
  await publisher.sendMany([4, 5, 6]);
  assert.equal(await subscriber.receive(), 5);
  subscriber.unsubscribe("\x05", "never");
  assert.deepEqual([...((await publisher.receive()) as Message)[0]], [0, 5]);
  await publisher.send(5);
  assert.equal(subscriber.topicsCount, 0);
  await assert.rejects(subscriber.receive({ timeout: 0 }), zmq("EAGAIN"));
  assert.throws(() => subscriber.subscribe(3 as never), zmq("EINVAL"));
});

play("the option is checked, and can be read back", async ({ context }) => {
  const codec = json<Job>();
  const push = new Push({ context, codec });
  const pull = new Pull({ context, codec });
  const dealer = new Dealer({ context, codec });
  assert.deepEqual([push.codec, pull.codec, dealer.codec], [codec, codec, codec]);
  assert.equal(new Push({ context }).codec, undefined);
  for (const socket of [
    ...[new Pair({ context, codec }), new Channel({ context, codec })],
    ...[new Request({ context, codec }), new Reply({ context, codec })],
    ...[new Router({ context, codec }), new Client({ context, codec })],
    ...[new Scatter({ context, codec }), new Gather({ context, codec })],
    ...[new Publisher({ context, codec }), new Subscriber({ context, codec })],
    ...[new XPublisher({ context, codec }), new XSubscriber({ context, codec })],
    ...[new Server({ context, codec }), new Peer({ context, codec })],
    ...[new Radio({ context, codec }), new Dish({ context, codec })],
  ]) {
    assert.equal(socket.codec, codec, socket.constructor.name);
  }
  for (const bad of [null, 5, {}, { encode() {} }, { decode() {} }, "json"]) {
    assert.throws(() => new Push({ context, codec: bad as never }), zmq("EINVAL"));
  }
});

play("msgpack: what JSON does not have", async ({ context }) => {
  const push = new Push<unknown>({ context, codec: msgpack() });
  const pull = new Pull<Record<string, unknown>>({ context, codec: msgpack() });
  pull.bindSync("inproc://values");
  push.connect("inproc://values");
  const value: Record<string, unknown> = {
    bytes: Buffer.from("bytes"),
    date: new Date(5),
    big: 2n ** 63n,
    map: new Map<unknown, unknown>([[1, { two: 3 }]]),
    set: new Set([1, "2"]),
    floats: new Float64Array([0.1]),
    nothing: undefined,
  };
  await push.sendMany([value, value]);
  for (const one of await pull.receiveMany()) assert.deepEqual(one, value);
  value.itself = value;
  await push.send(value);
  const circle = await pull.receive();
  assert.equal(circle.itself, circle);
  const raw = new Push({ context });
  raw.connect("inproc://values");
  await raw.send(new Packr({ structuredClone: true }).pack(undefined));
  await assert.rejects(pull.receive(), zmq("EBADMSG"), "undefined is no value");
});

play("msgpack: what has none is not sent", async ({ context }) => {
  const push = new Push<unknown>({ context, codec: msgpack() });
  push.connect("inproc://a");
  for (const value of [undefined, () => 1, Symbol("a")]) {
    assert.throws(() => push.trySend(value), zmq("EINVAL"));
    await assert.rejects(push.send(value), zmq("EINVAL"));
  }
  assert.equal(push.stats().sent, 0);
});

test("msgpack: a packer of one's own", () => {
  const packer = { pack: (value: unknown) => Buffer.from(`${value}`), unpack: String };
  const codec = msgpack<string>(packer);
  assert.equal(codec.decode([codec.encode("text")] as Buffer<ArrayBuffer>[]), "text");
});
