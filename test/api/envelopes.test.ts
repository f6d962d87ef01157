// SPDX-License-Identifier: MIT

/**
 * Envelopes: what stands before a request, up to the first empty part, stands before its reply,
 * byte for byte; whatever its size, the request's and the reply's, and whichever way both go.
 *
 * What becomes of the mark of a message that was delivered before: src/pipe/envelope.test.ts.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe } from "node:test";
import {
  type Context,
  Dealer,
  type LeasedPart,
  // biome-ignore lint/suspicious/noShadowRestrictedNames: it is ZeroMQ's word.
  Proxy,
  Reply,
  Request,
  Router,
} from "threadmq";
import { toReadable } from "threadmq/node-streams";
import { play, zmq } from "../support/ground.ts";
import { bytes, isShared, leased } from "../support/leases.ts";
import { Random } from "../support/random.ts";
import { PATIENCE } from "../support/stage.ts";

const NAME = "inproc://x";
const PATIENT = { timeout: PATIENCE };
const SWAP = 1 << 26;
const EMPTY = Buffer.alloc(0);

/** The labels that stand before the empty part. More than 4096 bytes have a block of their own. */
const ENVELOPES: Readonly<Record<string, readonly Buffer[]>> = {
  "only the empty part": [],
  "a label of one byte": [bytes(1, 7)],
  "a label of 5 bytes": [bytes(5, 7)],
  "a label of 255 bytes": [bytes(255, 7)],
  "several labels": [bytes(5, 1), bytes(8, 2), bytes(1, 3), bytes(255, 4), bytes(16, 5)],
  "forty labels": Array.from({ length: 40 }, (_, index) => bytes(1 + index * 3, index)),
  "the longest label that lies in a record": [bytes(4096, 7)],
  "a label of 5000 bytes": [bytes(5000, 7)],
  "labels of 5000 bytes among short ones": [bytes(5, 1), bytes(5000, 2), bytes(6, 3)],
  "labels that a run has no room for": [bytes(4000, 1), bytes(4000, 2), bytes(4000, 3)],
};

const BODIES: Readonly<Record<string, readonly Buffer[]>> = {
  "a short body": [bytes(20, 9)],
  "an empty body": [EMPTY],
  "two empty parts": [EMPTY, EMPTY],
  "several parts, empty ones among them": [EMPTY, bytes(30, 1), EMPTY, bytes(8, 2)],
  "a body of 4097 bytes": [bytes(4097, 9)],
  "a body of 70000 bytes": [bytes(70_000, 9)],
  "a large body among short ones": [bytes(3, 1), bytes(70_000, 2), bytes(5000, 3), EMPTY],
};

const REPLIES: Readonly<Record<string, any>> = {
  "of several parts": ["one", bytes(100, 1), "", null, bytes(3, 2)],
  "of a large body": bytes(70_000, 3),
  "of large and small bodies": [bytes(5000, 1), "small", bytes(70_000, 2), null],
  "of a string": "text",
  "of a long string": "é".repeat(3000),
  "of null": null,
  "of bytes that lie in a larger buffer": bytes(100, 1).subarray(3, 90),
};

interface Link {
  readonly dealer: Dealer;
  readonly reply: Reply;
}

function open({ context }: { context: Context }, toDealer: object = {}, toReply: object = {}) {
  const dealer = new Dealer({ context, ...toDealer });
  const reply = new Reply({ context, ...toReply });
  reply.bindSync(NAME);
  dealer.connect(NAME);
  reply.stats(); // Attached.
  return { dealer, reply };
}

/** What a part is when it is received. */
function received(part: Buffer | string | null): Buffer {
  return Buffer.isBuffer(part) ? Buffer.from(part) : Buffer.from(part ?? "");
}

/** A request with these labels gets this answer, and these labels before it. */
function exchange({ dealer, reply }: Link, labels: readonly Buffer[], body: any, answer: any) {
  dealer.sendSync([...labels, EMPTY, ...[body].flat()], PATIENT);
  assert.deepEqual(reply.receiveSync(PATIENT), [body].flat().map(received));
  reply.sendSync(answer);
  const parts = [answer].flat().map(received);
  assert.deepEqual(dealer.receiveSync(PATIENT), [...labels, EMPTY, ...parts]);
}

for (const [name, labels] of Object.entries(ENVELOPES)) {
  describe(`before a reply is what was before its request: ${name}`, () => {
    for (const [what, body] of Object.entries(BODIES)) {
      play(`of a request of ${what}`, async (g) => {
        const link = open(g);
        for (let round = 0; round < 3; round++) exchange(link, labels, body, "answer");
      });
    }

    for (const [what, answer] of Object.entries(REPLIES)) {
      play(`and a reply ${what}`, async (g) => {
        const link = open(g);
        for (let round = 0; round < 3; round++) exchange(link, labels, bytes(9), answer);
      });
    }

    play("the request has been leased, and given back before the reply", async (g) => {
      const { dealer, reply } = open(g);
      const body = bytes(70_000, 3);
      dealer.sendSync([...labels, EMPTY, body]);
      const lease = await reply.receiveLease(PATIENT);
      assert.deepEqual(lease.message, [body]);
      assert.equal(isShared(lease.message[0] as LeasedPart), true);
      lease.release();
      assert.equal(leased(g.context), 0);
      for (let round = 0; round < 5; round++) dealer.sendSync([bytes(5000), "", bytes(70_000)]);
      reply.sendSync("answer");
      assert.deepEqual(dealer.receiveSync(), [...labels, EMPTY, Buffer.from("answer")]);
    });

    play("the DEALER wants only the newest", async (g) => {
      const { dealer, reply } = open(g, { conflate: true });
      for (const answer of ["first", "second"]) {
        dealer.sendSync([...labels, EMPTY, answer]);
        assert.equal(`${reply.receiveSync(PATIENT)}`, answer);
        reply.sendSync([answer, bytes(5000)]);
      }
      const parts = [Buffer.from("second"), bytes(5000)];
      assert.deepEqual(dealer.receiveSync(), [...labels, EMPTY, ...parts]);
    });

    play("the reply is given to sendMany, by an iterable that receives", async (g) => {
      const { dealer, reply } = open(g);
      const more = [...labels, bytes(3, 1)];
      const turns = [labels, more, labels, more];
      for (const turn of turns) dealer.sendSync([...turn, EMPTY, "request"]);
      function* answers() {
        for (const index of turns.keys()) {
          reply.receiveSync(PATIENT);
          yield `answer ${index}`;
        }
      }
      await reply.sendMany(answers());
      for (const [index, turn] of turns.entries()) {
        const answer = Buffer.from(`answer ${index}`);
        assert.deepEqual(dealer.receiveSync(), [...turn, EMPTY, answer]);
      }
    });

    play("the request was put back before it was read", async (g) => {
      const { dealer, reply } = open(g);
      dealer.sendSync([...labels, EMPTY, "request"]);
      dealer.sendSync([bytes(3), EMPTY, "next"]);
      const stream = toReadable(reply);
      await once(stream, "readable");
      stream.destroy();
      await once(stream, "close");
      assert.equal(`${await reply.receive(PATIENT)}`, "request");
      await reply.send("answer");
      assert.deepEqual(dealer.receiveSync(), [...labels, EMPTY, Buffer.from("answer")]);
      assert.equal(`${await reply.receive(PATIENT)}`, "next");
      await reply.send("another");
      assert.deepEqual(dealer.receiveSync(), [bytes(3), EMPTY, Buffer.from("another")]);
    });
  });
}

play("of each request its own: many kinds one after the other, from two DEALERs", async (g) => {
  const { dealer, reply } = open(g);
  const other = new Dealer({ context: g.context });
  other.connect(NAME);
  reply.stats();
  const kinds = Object.values(ENVELOPES);
  for (const before of kinds) {
    for (const labels of kinds) {
      exchange({ dealer, reply }, before, "one", "1");
      exchange({ dealer: other, reply }, labels, "two", "2");
    }
  }
});

describe("what is no request is passed over", () => {
  /** No empty part; or it is the last, and nothing comes after it. */
  const NONE: readonly (readonly Buffer[])[] = [
    [bytes(5)],
    [EMPTY],
    [bytes(5), bytes(6)],
    [bytes(5), EMPTY],
    [bytes(5000)],
    [bytes(5000), EMPTY],
    [bytes(5), bytes(5000)],
    [bytes(5), bytes(5000), EMPTY],
    [bytes(4000), bytes(4000), bytes(4000), EMPTY],
  ];

  for (const way of ["received", "leased", "awaited", "polled"] as const) {
    play(`${way}: those that are come, each with its envelope; the books balance`, async (g) => {
      const { dealer, reply } = open(g);
      const envelopes = Object.values(ENVELOPES);
      for (const none of [NONE[0], NONE[3]]) dealer.sendSync(none as Buffer[]);
      assert.equal(reply.tryReceive(), undefined);
      assert.throws(() => reply.sendSync("no"), zmq("EFSM"));
      for (const labels of envelopes) {
        for (const none of NONE) dealer.sendSync(none);
        dealer.sendSync([...labels, EMPTY, "request"]);
      }
      for (const labels of envelopes) {
        if (way === "received") assert.equal(`${reply.tryReceive()}`, "request");
        else if (way === "leased") assert.equal(`${reply.tryReceiveLease()?.message}`, "request");
        else {
          if (way === "polled") assert.equal(reply.readable, true);
          assert.equal(`${await reply.receive(PATIENT)}`, "request");
        }
        reply.sendSync("answer");
        assert.deepEqual(dealer.receiveSync(), [...labels, EMPTY, Buffer.from("answer")]);
      }
      for (const none of NONE) dealer.sendSync(none);
      assert.equal(reply.tryReceive(), undefined);
      const { received, sent, queuedIn } = reply.stats();
      assert.deepEqual([received, sent, queuedIn], [envelopes.length, envelopes.length, 0]);
    });
  }
});

describe("many requests over one link", () => {
  play("of all sizes, many at once, across the borders of chunks", async (g, t) => {
    const random = new Random(Number(process.env.THREADMQ_SEED ?? 1));
    t.diagnostic(`THREADMQ_SEED=${random.seed}`);
    const source = bytes(20_000, 3);
    const part = (most: number) => {
      const from = random.next(source.length - most);
      return source.subarray(from, from + random.next(most + 1));
    };
    const label = () => {
      const some = part(random.next(20) === 0 ? 6000 : 40);
      return some.length === 0 ? source.subarray(0, 1) : some;
    };
    const { dealer, reply } = open(g);
    for (let left = 20_000; left > 0; ) {
      const batch = Array.from({ length: Math.min(left, 1 + random.next(60)) }, () => ({
        labels: Array.from({ length: random.next(4) }, label),
        body: Array.from({ length: 1 + random.next(2) }, () => part(6000)),
        answer: Array.from({ length: 1 + random.next(3) }, () => part(6000)),
      }));
      left -= batch.length;
      for (const { labels, body } of batch) dealer.sendSync([...labels, EMPTY, ...body]);
      for (const { body, answer } of batch) {
        same(random.next(3) === 0 ? leaseOf(reply) : reply.receiveSync(), body);
        reply.sendSync(answer);
      }
      for (const { labels, answer } of batch) {
        same(dealer.receiveSync(), [...labels, EMPTY, ...answer]);
      }
    }
  });
});

function leaseOf(reply: Reply): Buffer[] {
  using lease = reply.receiveLeaseSync();
  return lease.message.map((part) => Buffer.from(part));
}

/** As `deepEqual`, which takes a hundred times as long. */
function same(parts: readonly Uint8Array[], expected: readonly Buffer[]): void {
  const isSame = (part: Uint8Array, index: number) => expected[index]?.equals(part);
  if (parts.length === expected.length && parts.every(isSame)) return;
  assert.deepEqual(parts, expected);
}

describe("over a swap", () => {
  play("REP: what the DEALER did not read has its envelope when it comes back", async (g) => {
    const options = { swap: SWAP, sendHighWaterMark: 1 };
    const { dealer, reply } = open(g, { receiveHighWaterMark: 1 }, options);
    const envelopes = Object.values(ENVELOPES);
    const answers = Object.values(REPLIES);
    const turns = envelopes.flatMap((labels) => answers.map((answer) => ({ labels, answer })));
    for (const { labels, answer } of turns) {
      dealer.sendSync([...labels, EMPTY, "request"]);
      assert.equal(`${reply.receiveSync()}`, "request");
      reply.sendSync(answer);
    }
    assert.equal(reply.stats().queuedOut, turns.length);
    for (const { labels, answer } of turns) {
      const parts = [answer].flat().map(received);
      assert.deepEqual(await dealer.receive(PATIENT), [...labels, EMPTY, ...parts]);
    }
  });

  play("REP: a reply that is too large for the swap with its envelope is dropped", async (g) => {
    const options = { swap: 6000, sendHighWaterMark: 1 };
    const { dealer, reply } = open(g, { receiveHighWaterMark: 1 }, options);
    for (let round = 0; round < 3; round++) {
      dealer.sendSync([bytes(4000), EMPTY, "request"]);
      reply.receiveSync();
      reply.sendSync(bytes(1000, round));
    }
    dealer.sendSync([bytes(4000), EMPTY, "request"]);
    reply.receiveSync();
    reply.sendSync(bytes(1000));
    assert.deepEqual([reply.stats().queuedOut, reply.stats().dropped], [3, 1]);
  });

  for (const correlate of [false, true]) {
    play(`REQ: requests have theirs, ${correlate ? "" : "not "}correlated`, async (g) => {
      const options = { swap: SWAP, sendHighWaterMark: 1, relaxed: true, correlate };
      const request = new Request({ context: g.context, ...options });
      const router = new Router({ context: g.context, receiveHighWaterMark: 1 });
      router.bindSync(NAME);
      request.connect(NAME);
      const bodies = [bytes(5), bytes(5000, 1), bytes(70_000, 2), bytes(200_000, 3), EMPTY];
      for (const body of bodies) request.sendSync(["two", body]);
      assert.equal(request.stats().queuedOut, bodies.length);
      const numbers: number[] = [];
      for (const body of bodies) {
        const [id, ...message] = await router.receive(PATIENT);
        const label = correlate ? message.shift() : undefined;
        if (label !== undefined) numbers.push(Buffer.from(label).readUInt32LE());
        assert.deepEqual(message, [EMPTY, Buffer.from("two"), body]);
        const envelope = label === undefined ? [] : [label];
        if (body === EMPTY) router.sendSync([id as Buffer, ...envelope, "", "answer"]);
      }
      const follow = numbers.map((_, index) => ((numbers[0] as number) + index) >>> 0);
      assert.deepEqual(numbers, follow);
      assert.equal(`${await request.receive(PATIENT)}`, "answer");
    });
  }
});

describe("a REQ", () => {
  for (const correlate of [false, true]) {
    const how = correlate ? "with a number" : "without one";
    play(`${how}: bodies of every size go and come`, async (g) => {
      const request = new Request({ context: g.context, correlate });
      const reply = new Reply({ context: g.context });
      reply.bindSync(NAME);
      request.connect(NAME);
      for (const body of Object.values(BODIES)) {
        for (const answer of Object.values(REPLIES)) {
          request.sendSync(body);
          assert.deepEqual(reply.receiveSync(), body);
          reply.sendSync(answer);
          assert.deepEqual(request.receiveSync(), [answer].flat().map(received));
        }
      }
    });
  }

  play("with a number: what stands before it is that and the empty part", async (g) => {
    const request = new Request({ context: g.context, correlate: true });
    const dealer = new Router({ context: g.context });
    dealer.bindSync(NAME);
    request.connect(NAME);
    request.sendSync(["a", bytes(70_000)]);
    const [id, label, ...rest] = dealer.receiveSync() as [Buffer, Buffer, ...Buffer[]];
    assert.equal(label.length, 4);
    assert.deepEqual(rest, [EMPTY, Buffer.from("a"), bytes(70_000)]);
    dealer.sendSync([id, bytes(4), "", "another's"]);
    dealer.sendSync([id, label, "", "answer"]);
    assert.equal(`${request.receiveSync()}`, "answer");
  });
});

describe("over two hops", () => {
  play("a REP answers with the label of each ROUTER on the way, and the asker's own", async (g) => {
    const { context } = g;
    const [front, middle, back] = ["inproc://front", "inproc://middle", "inproc://back"];
    const hop = (from: string, to: string) => {
      const sockets = [new Router({ context }), new Dealer({ context })] as const;
      sockets[0].bindSync(from);
      if (to === back) sockets[1].bindSync(to);
      else sockets[1].connect(to);
      return new Proxy(...sockets);
    };
    const hops = [hop(middle, back), hop(front, middle)];
    const runs = hops.map((proxy) => proxy.run());
    const reply = new Reply({ context });
    reply.connect(back);
    const asker = new Dealer({ context, routingId: "the asker" });
    asker.connect(front);
    const requests = [1, 2, 3].map((correlate) => {
      const request = new Request({ context, correlate: correlate > 1 });
      request.connect(front);
      return request;
    });
    for (const labels of Object.values(ENVELOPES)) {
      for (const body of [bytes(20), bytes(5000)]) {
        await asker.send([...labels, EMPTY, body]);
        assert.deepEqual(await reply.receive(PATIENT), [body]);
        for (const request of requests) await request.send([body, "of a REQ"]);
        await reply.send(["answer", body]);
        const parts = [Buffer.from("answer"), body];
        assert.deepEqual(await asker.receive(PATIENT), [...labels, EMPTY, ...parts]);
        for (const _ of requests) {
          assert.deepEqual(await reply.receive(PATIENT), [body, Buffer.from("of a REQ")]);
          await reply.send(body);
        }
        for (const request of requests) assert.deepEqual(await request.receive(PATIENT), [body]);
      }
    }
    for (const proxy of hops) proxy.terminate();
    await Promise.all(runs);
  });
});

describe("a reply that is late", () => {
  for (const [first, second] of [
    [[bytes(2, 1)], [bytes(2, 2)]],
    [[bytes(2, 1)], [bytes(300, 2)]],
    [[bytes(5000, 1)], [bytes(2, 2)]],
    [[bytes(2, 1)], [bytes(5000, 2)]],
  ] as const) {
    const sizes = `${first[0].length} and ${second[0].length} bytes`;
    play(`has no other request's envelope: that came while it was read, ${sizes}`, async (g) => {
      const { dealer, reply } = open(g);
      for (const labels of [first, second]) dealer.sendSync([...labels, EMPTY, "request"]);
      reply.receiveSync();
      const message = Object.defineProperty(["late", "two"], 0, {
        get() {
          reply.sendSync("in time");
          reply.receiveSync();
          return "late";
        },
      });
      assert.throws(() => reply.sendSync(message), zmq("EFSM"));
      reply.sendSync("in time");
      for (const labels of [first, second]) {
        assert.deepEqual(dealer.receiveSync(), [...labels, EMPTY, Buffer.from("in time")]);
      }
      assert.equal(dealer.tryReceive(), undefined);
    });
  }

  play("has no other request's envelope: that came while it waited its turn", async (g) => {
    const { dealer, reply } = open(g, { sendHighWaterMark: 0 }, { sendHighWaterMark: 0 });
    let [asked, isOver] = [0, false];
    const ask = () => {
      dealer.sendSync([bytes(4, asked++), EMPTY, "request"]);
      reply.receiveSync();
    };
    function* answers() {
      for (ask(); !isOver; ask()) yield "in time";
    }
    const sending = reply.sendMany(answers()); // Till the event loop is to have its turn.
    isOver = true;
    const late = assert.rejects(reply.send("late"), zmq("EFSM"));
    await sending;
    await late;
    await reply.send("in time");
    for (let number = 0; number < asked; number++) {
      assert.deepEqual(dealer.receiveSync(), [bytes(4, number), EMPTY, Buffer.from("in time")]);
    }
    assert.equal(dealer.tryReceive(), undefined);
  });
});

play(
  "a reply, or a request, that is too large: its envelope's bytes are in the count",
  async (g) => {
    const { context } = g;
    const dealer = new Dealer({ context });
    const rep = new Reply({ context });
    const req = new Request({ context, correlate: true });
    rep.bindSync(NAME);
    dealer.connect(NAME);
    req.connect(NAME);
    const huge = Buffer.alloc(4 << 20);
    const hint = (count: number) => (error: any) => {
      assert.match(
        error.hint,
        new RegExp(`^It has ${count} bytes in 1 part\\(s\\) and its envelope,`),
      );
      return zmq("EMSGSIZE")(error);
    };
    await dealer.send([bytes(4000, 1), "", "x"]);
    await rep.receive(PATIENT);
    await assert.rejects(rep.send(huge), hint(huge.length + 4000));
    await assert.rejects(req.send(huge), hint(huge.length + 4));
  },
  { context: { maxMemory: 2 << 20 } },
);
