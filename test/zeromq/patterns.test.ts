// SPDX-License-Identifier: MIT

/** The patterns, each as a program of zeromq.js would use it. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { Pull as LibraryPull } from "threadmq";
import { only, outcome, type Scene, same, state, texts } from "./both.ts";

function dialogue({ zmq, open, address }: Scene, options: object = {}) {
  const name = address();
  const reply = open(new zmq.Reply());
  reply.bindSync(name);
  const request = open(new zmq.Request(options));
  request.connect(name);
  return { request, reply };
}

describe("REQ and REP", () => {
  same("a question and its answer, several parts", async (scene) => {
    const { request, reply } = dialogue(scene);
    const seen: unknown[] = [];
    for (const text of ["1", "2"]) {
      await request.send([text, "more"]);
      seen.push(texts(await reply.receive()));
      await reply.send([text, "answer"]);
      seen.push(texts(await request.receive()));
    }
    return seen;
  });

  same("who is out of turn waits for the turn", async (scene) => {
    const { request, reply } = dialogue(scene);
    const seen: unknown[] = [];
    await request.send("1");
    const second = request.send("2");
    seen.push(await state(second), texts(await reply.receive()));
    const next = reply.receive(); // Not before the answer to the first.
    seen.push(await state(next), [request.writable, reply.writable, reply.readable]);
    await reply.send("one");
    seen.push(request.readable, texts(await request.receive()));
    await second;
    seen.push(texts(await next));
    await reply.send("two");
    seen.push(texts(await request.receive()));
    return seen;
  });

  same("an answer before there was a question waits for it", async (scene) => {
    const { request, reply } = dialogue(scene);
    const early = reply.send("answer");
    const received = request.receive();
    const seen: unknown[] = [await state(early), await state(received)];
    await request.send("question");
    seen.push(texts(await reply.receive()));
    await early;
    seen.push(texts(await received));
    return seen;
  });

  same("with a timeout it is EFSM, when the time is up", async (scene) => {
    const { request, reply } = dialogue(scene, { sendTimeout: 5, receiveTimeout: 5 });
    reply.sendTimeout = 5;
    const seen = [await outcome(() => request.receive()), await outcome(() => reply.send("x"))];
    await request.send("1");
    seen.push(await outcome(() => request.send("2")));
    request.sendTimeout = 0;
    seen.push(await outcome(() => request.send("2")), await outcome(() => request.receive()));
    await reply.receive();
    reply.receiveTimeout = 0;
    seen.push(await outcome(() => reply.receive()));
    return seen;
  });

  same(
    "relaxed and correlated: the last question counts",
    async (scene) => {
      const { request, reply } = dialogue(scene, { relaxed: true, correlate: true });
      await request.send("1");
      await request.send("2");
      const seen: unknown[] = [];
      for (let i = 0; i < 2; i++) {
        const [question] = await reply.receive();
        await reply.send(`answer to ${question}`);
      }
      seen.push(texts(await request.receive()));
      return seen;
    },
    [["answer to 2"]],
  );

  only("who was asked has gone: that is the next one's turn", async ({ zmq, open, address }) => {
    const name = address();
    const reply = open(new zmq.Reply());
    await reply.bind(name);
    const request = open(new zmq.Request());
    request.connect(name);
    await request.send("1");
    const second = request.send("2");
    const receiving = outcome(() => request.receive());
    reply.close();
    const lost = await receiving;
    assert.equal((lost as any).rejected.code, "EHOSTUNREACH");
    const next = open(new zmq.Reply());
    await next.bind(name);
    await second;
    assert.deepEqual(texts(await next.receive()), ["2"]);
  });

  only("who waits for its turn holds the process, and is ended by the close", async (scene) => {
    const { request } = dialogue(scene);
    await request.send("1");
    const second = outcome(() => request.send("2"));
    request.close();
    const { rejected } = (await second) as { rejected: { code: string } };
    assert.equal(rejected.code, "EAGAIN");
  });

  only("whose answer cannot come any more is told", async (scene) => {
    const { request, reply } = dialogue(scene);
    await request.send("1");
    reply.close();
    const { rejected } = (await outcome(() => request.receive())) as { rejected: { code: string } };
    assert.equal(rejected.code, "EHOSTUNREACH");
  });
});

describe("DEALER and ROUTER", () => {
  same("by routing id, and nobody", async ({ zmq, open, address }) => {
    const name = address();
    const router = open(new zmq.Router());
    await router.bind(name);
    const dealer = open(new zmq.Dealer({ routingId: "me" }));
    dealer.connect(name);
    await dealer.send(["", "hello"]);
    const seen: unknown[] = [texts(await router.receive())];
    await router.send(["me", "", "back"]);
    seen.push(texts(await dealer.receive()));
    seen.push(await outcome(() => router.send(["nobody", "x"])));
    router.mandatory = true;
    seen.push(await outcome(() => router.send(["nobody", "x"])));
    seen.push(await outcome(() => router.mandatory));
    return seen;
  });

  same(
    "an id that the router gives when it connects",
    async ({ zmq, open, address }) => {
      const name = address();
      const dealer = open(new zmq.Dealer());
      await dealer.bind(name);
      const router = open(new zmq.Router());
      router.connect(name, { routingId: "named" });
      await router.send(["named", "hello"]);
      const seen: unknown[] = [texts(await dealer.receive())];
      await dealer.send("back");
      seen.push(texts(await router.receive()));
      return seen;
    },
    [["hello"], ["named", "back"]],
  );

  same(
    "an id that is made up has five bytes, the first of them 0",
    async (scene) => {
      const { zmq, open, address } = scene;
      const name = address();
      const router = open(new zmq.Router());
      await router.bind(name);
      const dealer = open(new zmq.Dealer());
      dealer.connect(name);
      await dealer.send("x");
      const [id] = await router.receive();
      return [id?.length, id?.[0]];
    },
    [5, 0],
  );

  same(
    "probeRouter",
    async ({ zmq, open, address }) => {
      const name = address();
      const router = open(new zmq.Router());
      await router.bind(name);
      const dealer = open(new zmq.Dealer({ probeRouter: true, routingId: "probe" }));
      dealer.connect(name);
      return texts(await router.receive());
    },
    ["probe", ""],
  );
});

describe("PUSH and PULL, PAIR", () => {
  same(
    "messages are shared out in turn",
    async ({ zmq, open, address }) => {
      const name = address();
      const push = open(new zmq.Push());
      await push.bind(name);
      const pulls = [open(new zmq.Pull()), open(new zmq.Pull())];
      for (const pull of pulls) pull.connect(name);
      for (let i = 0; i < 6; i++) await push.send(String(i));
      const seen: string[][] = [];
      for (const pull of pulls) {
        const mine: string[] = [];
        while (pull.readable) mine.push(...texts(await pull.receive()));
        seen.push(mine);
      }
      return seen;
    },
    [
      ["0", "2", "4"],
      ["1", "3", "5"],
    ],
  );

  same(
    "a watermark is the sum of both",
    async ({ zmq, open, address }) => {
      const name = address();
      const pull = open(new zmq.Pull({ receiveHighWaterMark: 3 }));
      await pull.bind(name);
      const push = open(new zmq.Push({ sendHighWaterMark: 2, sendTimeout: 0 }));
      push.connect(name);
      let sent = 0;
      while ("resolved" in (await outcome(() => push.send("x")))) sent++;
      return sent;
    },
    5,
  );

  same("a PAIR sends and receives", async ({ zmq, open, address }) => {
    const name = address();
    const [left, right] = [open(new zmq.Pair()), open(new zmq.Pair())];
    await left.bind(name);
    right.connect(name);
    await left.send("to the right");
    await right.send("to the left");
    return [texts(await left.receive()), texts(await right.receive())];
  });

  // The library's sockets may not have it yet.
  if ("conflate" in LibraryPull.prototype) {
    same(
      "conflate keeps the last",
      async ({ zmq, open, address }) => {
        const name = address();
        const pull = open(new zmq.Pull({ conflate: true }));
        await pull.bind(name);
        const push = open(new zmq.Push({ conflate: true }));
        push.connect(name);
        for (let i = 0; i < 5; i++) await push.send(String(i));
        return [texts(await pull.receive()), pull.readable];
      },
      [["4"], false],
    );
  }
});

describe("PUB and SUB", () => {
  same("prefixes, as text and as bytes; without any, all", async ({ zmq, open, address }) => {
    const name = address();
    const pub = open(new zmq.Publisher());
    await pub.bind(name);
    const sub = open(new zmq.Subscriber());
    sub.connect(name);
    sub.subscribe("a", Buffer.from("b"));
    sub.unsubscribe("b");
    const all = open(new zmq.Subscriber());
    all.connect(name);
    all.subscribe();
    const first = [await outcome(() => pub.send("nobody listens yet"))];
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
    for (const text of ["apple", "banana", "avocado", "last"]) await pub.send([text, "!"]);
    const seen: string[] = [];
    for (let i = 0; i < 2; i++) seen.push(...texts(await sub.receive()));
    let text = "";
    while (text !== "last") {
      [text = ""] = texts(await all.receive());
      if (text.length < 8) seen.push(text);
    }
    return [first, seen];
  });

  same("what a subscription may be", async ({ zmq, open }) => {
    const sub = open(new zmq.Subscriber());
    const subscribe = sub.subscribe.bind(sub) as (...args: unknown[]) => void;
    const seen: object[] = [];
    for (const value of ["x", "", null, Buffer.from("x"), 5, {}, undefined]) {
      seen.push(await outcome(() => subscribe(value)));
    }
    return seen;
  });

  same("an XPUB hears of subscriptions, an XSUB sends them", async ({ zmq, open, address }) => {
    const name = address();
    const xpub = open(new zmq.XPublisher());
    await xpub.bind(name);
    const xsub = open(new zmq.XSubscriber());
    xsub.connect(name);
    await xsub.send(Buffer.from("\u0001topic"));
    const seen: unknown[] = [texts(await xpub.receive())];
    await xpub.send("topic 1");
    await xpub.send("other");
    await xpub.send(["topic 2", "part"]);
    seen.push(texts(await xsub.receive()), texts(await xsub.receive()));
    await xsub.send(Buffer.from("\u0000topic"));
    seen.push(texts(await xpub.receive()));
    return seen;
  });

  same("verbosity: equal subscriptions too, or not", async ({ zmq, open, address }) => {
    const seen: unknown[] = [];
    for (const verbosity of [null, "allSubs", "allSubsUnsubs"] as const) {
      const name = address();
      const xpub = open(new zmq.XPublisher({ verbosity }));
      await xpub.bind(name);
      for (let i = 0; i < 2; i++) {
        const sub = open(new zmq.Subscriber());
        sub.connect(name);
        sub.subscribe("x");
      }
      const last = open(new zmq.Subscriber());
      last.connect(name);
      last.subscribe("y");
      const heard: string[] = [];
      while (heard.at(-1) !== "\u0001y") heard.push(...texts(await xpub.receive()));
      seen.push(heard);
    }
    return seen;
  });

  same(
    "a welcome",
    async ({ zmq, open, address }) => {
      const name = address();
      const xpub = open(new zmq.XPublisher({ welcomeMessage: "welcome" }));
      await xpub.bind(name);
      const sub = open(new zmq.Subscriber());
      sub.subscribe("wel");
      sub.connect(name);
      await xpub.receive();
      return texts(await sub.receive());
    },
    ["welcome"],
  );
});

describe("STREAM", () => {
  only("can be made, and linked to nobody", async ({ zmq, open, address }) => {
    const stream = open(new zmq.Stream({ notify: false }));
    const { threw } = (await outcome(() => stream.connect(address()))) as { threw: Error };
    assert.equal(threw.message, "The protocol is not compatible with the socket type");
    const { rejected } = (await outcome(() => stream.bind("tcp://127.0.0.1:*"))) as {
      rejected: { code: string };
    };
    assert.equal(rejected.code, "EPROTONOSUPPORT");
    const received = stream.receive();
    assert.equal(await state(received), "pending");
    stream.close();
    await assert.rejects(received, { code: "EAGAIN" });
  });
});

describe("draft", () => {
  same("SERVER and CLIENT", async ({ zmq, open, address }) => {
    const name = address();
    const server = open(new zmq.Server());
    await server.bind(name);
    const client = open(new zmq.Client());
    client.connect(name);
    await client.send("question");
    const [question, { routingId }] = await server.receive();
    await server.send(`answer to ${question}`, { routingId });
    const send = server.send.bind(server) as (...args: unknown[]) => Promise<void>;
    return [
      typeof routingId,
      texts(await client.receive()),
      await outcome(() => send("x")),
      await outcome(() => send("x", {})),
      await outcome(() => send("x", { routingId: 0 })),
      await outcome(() => send("x", { routingId: routingId + 1 })),
      await outcome(() => client.send(["a", "b"] as never)),
      await outcome(() => client.send(["a"] as never)),
    ];
  });

  same("RADIO and DISH", async ({ zmq, open, address }) => {
    const name = address();
    const dish = open(new zmq.Dish());
    await dish.bind(name);
    dish.join("one", Buffer.from("two"));
    dish.leave("two");
    const radio = open(new zmq.Radio());
    radio.connect(name);
    const received = dish.receive();
    // A RADIO does not keep what nobody has joined yet.
    for (let heard = "pending"; heard === "pending"; heard = await state(received)) {
      await radio.send("lost", { group: "two" });
      await radio.send("heard", { group: Buffer.from("one") });
    }
    const [part, { group }] = await received;
    const send = radio.send.bind(radio) as (...args: unknown[]) => Promise<void>;
    return [
      [String(part), Buffer.isBuffer(group), String(group)],
      await outcome(() => send("x")),
      await outcome(() => send("x", {})),
    ];
  });

  same("SCATTER and GATHER", async ({ zmq, open, address }) => {
    const name = address();
    const gather = open(new zmq.Gather());
    await gather.bind(name);
    const scatter = open(new zmq.Scatter());
    scatter.connect(name);
    await scatter.send("x");
    return [texts(await gather.receive()), await outcome(() => scatter.send(["a", "b"] as never))];
  });

  only("DGRAM can be made, and linked to nobody", async ({ zmq, open }) => {
    const datagram = open(new zmq.Datagram());
    const { rejected } = (await outcome(() => datagram.bind("udp://127.0.0.1:5555"))) as {
      rejected: { code: string };
    };
    assert.equal(rejected.code, "EPROTONOSUPPORT");
  });
});
