// SPDX-License-Identifier: MIT

/**
 * Those who say to whom a message goes: a peer that is full holds up what is for it, in the order
 * of the calls, and nothing that is for others.
 */
import assert from "node:assert/strict";
import { Client, type Context, Dealer, Router, Server } from "threadmq";
import { type Ground, play, zmq } from "../support/ground.ts";

const NAME = "inproc://routed";
const MARKS = { sendHighWaterMark: 1, receiveHighWaterMark: 1 };

interface Far {
  readonly id: string | number;
  take(): string | undefined;
  close(): void;
}

/** A socket with peers, and how it sends to each. */
interface Party {
  readonly peers: Far[];
  readonly socket: Router | Server;
  send(to: Far, text: string, options?: { timeout?: number; signal?: AbortSignal }): Promise<void>;
  trySend(to: Far, text: string): boolean;
  close(): void;
}

function routers(context: Context, count: number): Party {
  const router = new Router({ context, mandatory: true, ...MARKS });
  router.bindSync(NAME);
  const dealers = Array.from({ length: count }, (_, i) => {
    const dealer = new Dealer({ context, routingId: `peer ${i}`, ...MARKS });
    dealer.connect(NAME);
    return dealer;
  });
  const peers = dealers.map((dealer, i) => ({
    id: `peer ${i}`,
    take: () => dealer.tryReceive()?.join(),
    close: () => dealer.close(),
  }));
  return {
    peers,
    socket: router,
    send: ({ id }, text, options) => router.send([String(id), text], options),
    trySend: ({ id }, text) => router.trySend([String(id), text]),
    close: () => [router, ...dealers].forEach((socket) => void socket.close()),
  };
}

async function servers(context: Context, count: number): Promise<Party> {
  const server = new Server({ context, ...MARKS });
  server.bindSync(NAME);
  const peers: Far[] = [];
  for (let i = 0; i < count; i++) {
    const client = new Client({ context, ...MARKS });
    client.connect(NAME);
    await client.send("hello");
    const [, { routingId }] = await server.receive();
    const take = () => client.tryReceive()?.join();
    peers.push({ id: routingId, take, close: () => client.close() });
  }
  const to = ({ id }: Far) => ({ routingId: Number(id) });
  return {
    peers,
    socket: server,
    send: (peer, text, options) => server.send(text, { ...to(peer), ...options }),
    trySend: (peer, text) => server.trySend(text, to(peer)),
    close: () => {
      for (const peer of peers) peer.close();
      server.close();
    },
  };
}

/** The same for ROUTER and SERVER. */
function both(
  claim: string,
  count: number,
  body: (party: Party, peers: Far[], g: Ground) => Promise<void>,
): void {
  for (const [name, make] of Object.entries({ routers, servers })) {
    play(`${name}: ${claim}`, async (g) => {
      const party = await make(g.context, count);
      await body(party, party.peers, g);
      party.close();
    });
  }
}

/** Sends to a peer until it has no room; how many that were. */
function fill(party: Party, peer: Far): number {
  let count = 0;
  while (party.trySend(peer, `fill ${count}`)) count++;
  return count;
}

function takeAll(peer: Far): string[] {
  const texts: string[] = [];
  for (let text = peer.take(); text !== undefined; text = peer.take()) texts.push(text);
  return texts;
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i));

both("a full peer holds up nobody else", 3, async (party, [full, free, other]) => {
  assert.ok(full && free && other);
  const before = fill(party, full);
  const waiting = ["a", "b", "c"].map((text) => party.send(full, text));
  assert.equal(party.socket.stats().pending, 3);
  for (const text of numbers(20)) {
    await party.send(free, text);
    assert.equal(free.take(), text);
    assert.ok(party.trySend(other, text));
    await party.send(free, text, { timeout: 0 });
    assert.deepEqual([other.take(), free.take()], [text, text]);
  }
  assert.equal(party.trySend(full, "too early"), false);
  const got: string[] = [];
  while (got.length < before + 3) {
    got.push(...takeAll(full));
    await new Promise(setImmediate);
  }
  await Promise.all(waiting);
  assert.deepEqual(got.slice(before), ["a", "b", "c"]);
});

both("several are full: each goes on by itself, in its order", 3, async (party, peers) => {
  const filled = peers.map((peer) => fill(party, peer));
  const sends: Promise<void>[] = [];
  for (const text of numbers(30)) for (const peer of peers) sends.push(party.send(peer, text));
  // The last one first.
  for (const [index, peer] of [...peers.entries()].reverse()) {
    const got: string[] = [];
    const all = (filled[index] as number) + 30;
    while (got.length < all) {
      got.push(...takeAll(peer));
      await new Promise(setImmediate);
    }
    assert.deepEqual(got.slice(-30), numbers(30));
    assert.equal(party.socket.stats().pending, 30 * index);
  }
  await Promise.all(sends);
});

both(
  "one that gives up, or whose peer goes, leaves the others as they are",
  3,
  async (party, peers) => {
    const [first, second, third] = peers as [Far, Far, Far];
    for (const peer of peers) fill(party, peer);
    const aborted = new AbortController();
    const gone = party.send(first, "gone");
    const given = party.send(second, "given up", { signal: aborted.signal });
    const timed = party.send(third, "too late", { timeout: 1 });
    const stays = party.send(third, "stays");
    const [hears, gives, times] = [
      assert.rejects(gone, zmq("EHOSTUNREACH")),
      assert.rejects(given, { name: "AbortError" }),
      assert.rejects(timed, zmq("EAGAIN")),
    ];
    await times;
    aborted.abort();
    await gives;
    first.close();
    await hears;
    const got: string[] = [];
    while (!got.includes("stays")) {
      got.push(...takeAll(third));
      await new Promise(setImmediate);
    }
    await stays;
    assert.ok(!got.includes("too late"));
    assert.equal(party.socket.stats().pending, 0);
    takeAll(second);
    await party.send(second, "again");
    assert.equal(second.take(), "again");
  },
);

both("thousands that wait for one cost the others little", 2, async (party, [full, free]) => {
  assert.ok(full && free);
  const before = fill(party, full);
  const count = 20_000;
  const sends = Array.from({ length: count }, (_, i) => party.send(full, String(i)));
  for (const text of numbers(1000)) {
    await party.send(free, text);
    assert.equal(free.take(), text);
  }
  const got: string[] = [];
  while (got.length < before + count) {
    got.push(...takeAll(full));
    await new Promise(setImmediate);
  }
  assert.deepEqual(got.slice(before), numbers(count));
  await Promise.all(sends);
});

play("a call that blocks its thread is held up by no other peer's", async (g) => {
  const party = routers(g.context, 2);
  const [full, free] = party.peers as [Far, Far];
  fill(party, full);
  const waits = party.send(full, "waits");
  const router = party.socket as Router;
  router.sendSync([String(free.id), "at once"], { timeout: 10_000 });
  assert.equal(free.take(), "at once");
  assert.throws(() => router.sendSync([String(full.id), "no"], { timeout: 1 }), zmq("EAGAIN"));
  const got = takeAll(full);
  router.sendSync([String(full.id), "after it"], { timeout: 10_000 });
  await waits;
  got.push(...takeAll(full));
  assert.deepEqual(got.slice(-2), ["waits", "after it"]);
  party.close();
});

play("a sendMany claims what it waits for, and goes on in its order", async (g) => {
  const party = routers(g.context, 2);
  const [full, free] = party.peers as [Far, Far];
  const before = fill(party, full);
  const router = party.socket as Router;
  const [a, b] = [String(full.id), String(free.id)];
  const many = router.sendMany([
    [b, "1"],
    [a, "2"],
    [a, "3"],
    [b, "4"],
  ]);
  assert.equal(free.take(), "1");
  await router.send([b, "passes"]);
  assert.equal(free.take(), "passes");
  const behind = router.send([a, "behind"]);
  const got: string[] = [];
  while (got.length < before + 3) {
    got.push(...takeAll(full));
    await new Promise(setImmediate);
  }
  await Promise.all([many, behind]);
  assert.deepEqual(got.slice(before).sort(), ["2", "3", "behind"]);
  assert.ok(got.indexOf("2") < got.indexOf("3"));
  assert.ok(got.indexOf("2") < got.indexOf("behind"));
  assert.equal(free.take(), "4");
  party.close();
});

both("a call that waits is not tried again for the room of another peer", 2, async (party) => {
  const { send, trySend, peers } = party;
  const [full, other] = peers as [Far, Far];
  for (const peer of peers) while (trySend(peer, "fills"));
  assert.equal(other.take(), "fills");
  await assert.rejects(send(full, "late", { timeout: 20 }), zmq("EAGAIN"));
  const later = send(full, "later");
  await new Promise(setImmediate); // The event loop has its turn.
  takeAll(full);
  await later;
});

play("without memory for one peer, a message that is small enough goes to another", async (g) => {
  const party = routers(g.context, 2);
  const router = party.socket as Router;
  router.sendHighWaterMark = 0;
  const [first, second] = party.peers as [Far, Far];
  const body = Buffer.alloc(1 << 20);
  while (router.trySend([String(first.id), body]));
  const waits = router.send([String(first.id), body]);
  assert.equal(router.stats().pending, 1);
  await router.send([String(second.id), "small"]);
  assert.equal(second.take(), "small");
  const behind = router.send([String(first.id), "behind"]);
  assert.equal(router.stats().pending, 2, "it is behind");
  while (router.stats().pending > 0) {
    takeAll(first);
    await new Promise(setImmediate);
  }
  await Promise.all([waits, behind]);
  takeAll(first);
  party.close();
});
