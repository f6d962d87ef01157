// SPDX-License-Identifier: MIT

/**
 * codec_types — what the compiler says of typed messages. Nothing runs: that it compiles, and that
 * each line that is said to be an error is one, is the test.
 */
import {
  Channel,
  Client,
  type Codec,
  Dealer,
  Dish,
  framed,
  Gather,
  type Group,
  json,
  type Message,
  Pair,
  type Part,
  Peer,
  type PeerNumber,
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
  toWritableStream,
  XPublisher,
  XSubscriber,
} from "threadmq";
import { msgpack } from "threadmq/msgpack";

interface Job {
  readonly file: string;
  readonly line: number;
}
interface Result {
  readonly words: number;
}

/** A value of exactly this type, and no other. */
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function is<A>() {
  return { same: <B>(_value: B, ..._as: Same<A, B> extends true ? [] : [never]): void => {} };
}

const job: Job = { file: "a", line: 1 };

export async function pipeline(): Promise<void> {
  const push = new Push<Job>({ codec: json() });
  await push.send(job);
  push.sendSync(job);
  push.trySend(job);
  await push.sendMany(new Set([job]));
  // @ts-expect-error A PUSH of jobs sends no text.
  await push.send("text");
  // @ts-expect-error Nor part of a job.
  push.sendManySync([{ file: "a" }]);
  is<Codec<Job, unknown> | undefined>().same(push.codec);

  const pull = new Pull<Job>({ codec: json() });
  is<Job>().same(await pull.receive());
  is<Job>().same(pull.receiveSync());
  is<Job | undefined>().same(pull.tryReceive());
  is<Job[]>().same(await pull.receiveMany());
  is<Job[]>().same(pull.receiveManySync(5));
  for await (const one of pull) is<Job>().same(one);
  for (const one of pull) is<Job>().same(one);
  pull.isRedelivered(job);
  // @ts-expect-error It is a job, not a message.
  (await pull.receive()) satisfies Message;

  // The codec may say what the type is.
  await new Push({ codec: json<Job>() }).send(job);
  is<Job>().same(await new Pull({ codec: json<Job>() }).receive());
  is<Job>().same(await new Pull({ codec: msgpack<Job>() }).receive());
  is<Job>().same(await new Gather<Job>({ codec: msgpack() }).receive());
  await new Scatter<Job>({ codec: msgpack() }).send(job);
  // @ts-expect-error A codec of another type.
  new Pull<Job>({ codec: json<Result>() });
  // @ts-expect-error No codec.
  new Push<Job>({ codec: {} });
}

export async function bothWays(): Promise<void> {
  const pair = new Pair<Job, Result>({ codec: json() });
  await pair.send(job);
  is<Result>().same(await pair.receive());
  is<Codec<Job, Result> | undefined>().same(pair.codec);
  const request = new Request<Job, Result>({ codec: json() });
  await request.send(job);
  is<Result>().same(await request.receive());
  is<Job>().same(await new Pair<Job>({ codec: json() }).receive());
  is<string>().same(await new Request<string>({ codec: json() }).receive());
  const reply = new Reply<Result, Job>({ codec: json() });
  for await (const one of reply) await reply.send({ words: one.line });
  is<Result>().same(await new Client<Job, Result>({ codec: msgpack() }).receive());
  is<Result>().same(await new Channel<Job, Result>({ codec: msgpack() }).receive());
  is<Result>().same(await new Dealer<Job, Result>({ codec: json() }).receive());
}

export async function behindFrames(): Promise<void> {
  const router = new Router({ codec: framed(json<Job>()) });
  for await (const [id, one] of router) {
    is<Buffer<ArrayBuffer>>().same(id);
    is<Job>().same(one);
    await router.send([id, one]);
    await router.send(["text", one]);
    // @ts-expect-error The id is missing.
    await router.send([one]);
  }
  const named = new Router<[id: Part, result: Result], [id: Buffer<ArrayBuffer>, job: Job]>({
    codec: framed(json()),
  });
  const [, first] = await named.receive();
  is<Job>().same(first);
  const publisher = new Publisher({ codec: framed(json<Job>()) });
  await publisher.send(["topic", job]);
  const subscriber = new Subscriber<[topic: Buffer<ArrayBuffer>, job: Job]>({
    codec: framed(json()),
  });
  for await (const [, one] of subscriber) is<Job>().same(one);
  is<number>().same(subscriber.missedBefore(await subscriber.receive()));
  const broker = new Router({ codec: framed(json<Job>(), 2) });
  const [id, empty, last] = await broker.receive();
  is<Job>().same(last);
  await broker.send([id, empty, last]);
}

export async function besideValues(): Promise<void> {
  const server = new Server<Result, Job>({ codec: json() });
  is<Codec<Result, Job> | undefined>().same(server.codec);
  for await (const [one, from] of server) {
    is<Job>().same(one);
    is<number>().same(from.routingId);
    await server.send({ words: one.line }, from);
    // @ts-expect-error It is no result.
    await server.send(one, from);
  }
  const peer = new Peer<Job>({ codec: msgpack() });
  is<[body: Job, from: PeerNumber]>().same(await peer.receive());
  peer.trySend(job, { routingId: peer.connectPeer("inproc://jobs") });
  is<[body: Job, from: PeerNumber]>().same(await new Server({ codec: json<Job>() }).receive());

  const radio = new Radio<Job>({ codec: json() });
  await radio.send(job, { group: "jobs" });
  await radio.sendMany([job], { group: "jobs" });
  // @ts-expect-error A RADIO of jobs sends no text.
  await radio.send("text", { group: "jobs" });
  const dish = new Dish<Job>({ codec: json() });
  is<Codec<never, Job> | undefined>().same(dish.codec);
  for await (const [one, { group }] of dish) {
    is<Job>().same(one);
    is<string>().same(group);
  }
  is<number>().same(dish.missedBefore(await dish.receive()));

  const publisher = new XPublisher<Job, Result>({ codec: json() });
  is<Codec<Job, Result> | undefined>().same(publisher.codec);
  is<Result | Message>().same(await publisher.receive());
  const subscriber = new XSubscriber();
  is<number>().same(subscriber.missedBefore(await subscriber.receive()));
}

export async function plain(): Promise<void> {
  is<Message>().same(await new Pull().receive());
  is<Message>().same(await new Router().receive());
  is<Message>().same(await new Channel().receive());
  is<Message>().same(await new Client().receive());
  is<Message>().same(await new XPublisher().receive());
  is<[body: Buffer<ArrayBuffer>, from: PeerNumber]>().same(await new Server().receive());
  is<[body: Buffer<ArrayBuffer>, of: Group]>().same(await new Dish().receive());
  await new Radio().send("text", { group: "news" });
  await new Push().send(["a", new Uint8Array(1)]);
}

export async function withoutCodec<Value>(codec: Codec<Value>): Promise<void> {
  // @ts-expect-error A job is no message.
  new Push<Job>();
  // @ts-expect-error Nor is it received as one.
  new Pull<Job>({ receiveHighWaterMark: 1 });
  // @ts-expect-error
  new Pair<Job, Result>({});
  // @ts-expect-error Requests are messages, and replies are not.
  new Request<string, Job>();
  // @ts-expect-error
  new Router<[id: Part, job: Job]>();
  // @ts-expect-error
  new Server<Job>();
  // @ts-expect-error
  new Radio<Job>();
  // @ts-expect-error
  new Dish<Job>();
  // @ts-expect-error
  new Scatter<number>();
  // @ts-expect-error
  new XPublisher<Job>();
  // Some messages are messages, and any codec will do for its own values.
  new Push<string[]>();
  new Push<string>({ sendHighWaterMark: 1 });
  new Push<unknown>();
  new Pull<unknown>();
  new Push<Value>({ codec });
  new Pull<Value>({ codec, acknowledge: true });
  new Request({ codec });
  new Dealer<Value, Value>({ codec });
}

export async function streams(): Promise<void> {
  const jobs = toWritableStream(new Push<Job>({ codec: json() })).getWriter();
  await jobs.write(job);
  // @ts-expect-error No jobs.
  await jobs.write([job, { group: "news" }]);
  const radio = toWritableStream(new Radio<Job>({ codec: json() })).getWriter();
  await radio.write([job, { group: "news" }]);
  // @ts-expect-error Of no group.
  await radio.write(job);
  for (const socket of [new Server(), new Peer()]) {
    const writer = toWritableStream(socket).getWriter();
    await writer.write(["text", { routingId: 5 }]);
    // @ts-expect-error For nobody.
    await writer.write(["text"]);
  }
}
