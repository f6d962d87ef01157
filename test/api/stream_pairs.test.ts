// SPDX-License-Identifier: MIT

/**
 * Streams of sockets whose `send` is told more than the message: pairs, of a message and whom it is
 * for, or its group.
 */
import assert from "node:assert/strict";
import { pipeline } from "node:stream/promises";
import { Client, Dish, json, Radio, Server, toReadableStream, toWritableStream } from "threadmq";
import { toDuplex, toWritable } from "threadmq/node-streams";
import { type Ground, play, zmq } from "../support/ground.ts";
import { PATIENCE } from "../support/stage.ts";

const PATIENT = { timeout: PATIENCE };

/** A SERVER of numbers, and who asks it. */
function service(g: Ground): { server: Server<number>; clients: Client<number>[] } {
  const { context } = g;
  const server = new Server<number>({ context, codec: json() });
  server.bindSync("inproc://service");
  const clients = [0, 1, 2].map(() => new Client<number>({ context, codec: json() }));
  for (const client of clients) client.connect("inproc://service");
  return { server, clients };
}

const asked = (clients: readonly Client<number>[]) =>
  Promise.all(
    clients.map(async (client, index) => {
      await client.sendMany([index, index + 10]);
      assert.deepEqual(
        [await client.receive(), await client.receive()],
        [2 * index, 2 * index + 20],
      );
    }),
  );

play("a SERVER's readable, through a transform, to its writable", async (g) => {
  const { server, clients } = service(g);
  const double = new TransformStream<[number, { routingId: number }]>({
    transform: ([value, from], stream) => stream.enqueue([2 * value, from]),
  });
  const writable = toWritableStream(server);
  const serving = toReadableStream(server).pipeThrough(double).pipeTo(writable);
  await asked(clients);
  server.close();
  await serving;
});

play("a SERVER as a duplex stream of Node's", async (g) => {
  const { server, clients } = service(g);
  const duplex = toDuplex(server);
  duplex.on("data", ([value, from]) => duplex.write([2 * value, from]));
  await asked(clients);
  duplex.destroy();
});

play("what a DISH receives is written to a RADIO; what is no pair is an EINVAL", async (g) => {
  const { context } = g;
  const [first, second] = [new Radio({ context }), new Radio({ context })];
  const [relay, dish] = [new Dish({ context }), new Dish({ context })];
  for (const [radio, to] of [[first, relay] as const, [second, dish] as const]) {
    radio.bindSync(`inproc://${to === dish}`);
    to.connect(`inproc://${to === dish}`);
    to.join("news");
  }
  const relaying = toReadableStream(relay).pipeTo(toWritableStream(second));
  await toWritableStream(first)
    .getWriter()
    .write(["hello", { group: "news" }]);
  const [body, about] = await dish.receive(PATIENT);
  assert.deepEqual([`${body}`, about], ["hello", { group: "news" }]);
  relay.close();
  await relaying;
  for (const chunk of ["hello", ["hello"], ["hello", {}], ["hello", null]]) {
    const writing = toWritableStream<unknown>(first).getWriter().write(chunk);
    await assert.rejects(writing, zmq("EINVAL"));
    await assert.rejects(pipeline([chunk], toWritable(first)), zmq("EINVAL"));
  }
});
