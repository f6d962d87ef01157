// SPDX-License-Identifier: MIT

/**
 * RFC 30, "PIPELINE", for PUSH and PULL on inproc: each SHALL that such a socket can show, within
 * one thread and between threads, by promises, by blocking calls, and by attempts and batches.
 * After it, the cases of libzmq's own test suite that concern PUSH and PULL, inproc, and contexts.
 */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { Context, Push } from "threadmq";
import {
  type Actor,
  DISTANCES,
  far,
  type Ground,
  play,
  type Thread,
  zmq,
} from "../support/ground.ts";
import { WAYS } from "../support/stage.ts";

const NAME = "inproc://a";

/** So many PULLs that connect to a PUSH, or the other way round. */
async function several(count: number, open: () => Promise<Actor>): Promise<Actor[]> {
  const actors: Actor[] = [];
  for (let i = 0; i < count; i++) {
    actors.push(await open());
    await actors.at(-1)?.connect(NAME);
  }
  return actors;
}

for (const distance of DISTANCES) {
  for (const way of WAYS) {
    describe(`${distance}, by ${way}`, () => {
      play(
        "PUSH: SHALL route outgoing messages to connected peers using round-robin",
        async (g) => {
          const push = await g.push();
          await push.bind(NAME);
          const place = far(g, distance);
          const pulls = await several(5, () => g.pull({}, place));
          await push.send(
            Array.from({ length: 5 }, () => "ABC"),
            way,
          );
          await push.send(
            Array.from({ length: 5 }, () => "DEF"),
            way,
          );
          for (const pull of pulls) assert.deepEqual(await pull.receive(2, way), ["ABC", "DEF"]);
          for (const pull of pulls) assert.deepEqual(await pull.drain(), []);
        },
      );

      play("PULL: SHALL receive from its peers using a fair-queuing strategy", async (g) => {
        const pull = await g.pull();
        await pull.bind(NAME);
        const place = far(g, distance);
        const pushes = await several(5, () => g.push({}, place));
        for (const [index, push] of pushes.entries()) {
          await push.send([`first ${index}`, `second ${index}`], way);
        }
        const firsts = await pull.receive(5, way);
        assert.deepEqual(
          firsts.sort(),
          [0, 1, 2, 3, 4].map((i) => `first ${i}`),
        );
        const seconds = await pull.receive(5, way);
        assert.deepEqual(
          seconds.sort(),
          [0, 1, 2, 3, 4].map((i) => `second ${i}`),
        );
      });

      play("both: SHALL carry messages of several parts, whole and in order", async (g) => {
        const pull = await g.pull();
        await pull.bind(NAME);
        const push = await g.push({}, far(g, distance));
        await push.connect(NAME);
        const messages = [
          ["a"],
          ["b", "", "c"],
          [""],
          Array.from({ length: 100 }, (_, i) => `${i}`),
        ];
        await push.send(messages, way);
        const got = await pull.receive(messages.length, way);
        assert.deepEqual(
          got,
          messages.map((parts) => parts.join("|")),
        );
      });
    });
  }

  describe(distance, () => {
    play("PUSH: SHALL block on sending, or return an error, when it has no peers", async (g) => {
      const push = await g.push({ sendTimeout: 20 }, far(g, distance));
      assert.equal(await push.call("trySend", "ABC"), false);
      await assert.rejects(push.call("sendSync", "ABC", { timeout: 0 }), zmq("EAGAIN"));
      await assert.rejects(push.call("send", "ABC"), zmq("EAGAIN"));
      await assert.rejects(push.call("sendSync", "ABC"), zmq("EAGAIN"));
    });

    play("PULL: SHALL block on receiving, or return an error, when it has no peers", async (g) => {
      const pull = await g.pull({ receiveTimeout: 20 }, far(g, distance));
      assert.equal(await pull.call("tryReceive"), undefined);
      await assert.rejects(pull.call("receiveSync", { timeout: 0 }), zmq("EAGAIN"));
      await assert.rejects(pull.call("receive"), zmq("EAGAIN"));
      await assert.rejects(pull.call("receiveSync"), zmq("EAGAIN"));
    });

    play("PUSH: SHALL NOT discard messages that it cannot queue", async (g) => {
      const pull = await g.pull({ receiveHighWaterMark: 1 }, far(g, distance));
      await pull.bind(NAME);
      const push = await g.push({ sendHighWaterMark: 1 });
      await push.connect(NAME);
      const sent = push.send(Array.from({ length: 50 }, (_, i) => `${i}`));
      assert.deepEqual(
        await pull.receive(50),
        Array.from({ length: 50 }, (_, i) => `${i}`),
      );
      await sent;
    });

    play(
      "PUSH: SHALL consider a peer as available only when it has a queue that is not full",
      async (g) => {
        const push = await g.push({ sendHighWaterMark: 1 });
        await push.bind(NAME);
        const place = far(g, distance);
        const narrow = await g.pull({ receiveHighWaterMark: 1 }, place);
        await narrow.connect(NAME);
        const wide = await g.pull({ receiveHighWaterMark: 5 }, place);
        await wide.connect(NAME);
        assert.equal(await push.fill(), 8); // 1 + 1 for the one, 1 + 5 for the other.
        assert.deepEqual(await narrow.drain(), ["fill0", "fill2"]);
        assert.equal((await wide.drain()).length, 6);
      },
    );
  });
}

async function pair(
  g: Ground,
  push: object,
  pull: object,
  first: "bind" | "connect",
): Promise<[Actor, Actor]> {
  const sender = await g.push(push);
  const receiver = await g.pull(pull);
  if (first === "bind") await receiver.bind(NAME);
  await sender.connect(NAME);
  if (first === "connect") await receiver.bind(NAME);
  return [sender, receiver];
}

describe("test_hwm", () => {
  for (const first of ["bind", "connect"] as const) {
    for (const [send, receive, limit] of [
      [1000, 1000, 2000],
      [0, 0, 10_000],
      [1, 0, 10_000],
      [0, 1, 10_000],
      [1, 1, 2],
    ] as const) {
      play(`F1: ${first} first, marks ${send} and ${receive}: ${limit} fit`, async (g) => {
        const marks = [{ sendHighWaterMark: send }, { receiveHighWaterMark: receive }] as const;
        const [push, pull] = await pair(g, ...marks, first);
        assert.equal(await push.fill("", 10_000), limit);
        assert.equal((await pull.drain()).length, limit);
        assert.equal(await push.call("trySend", "one more"), true);
        assert.deepEqual(await pull.drain(), ["one more"]);
      });
    }
  }

  play("B1: what was sent before the close and before the bind arrives", async (g) => {
    const push = await g.push({ sendHighWaterMark: 1 });
    await push.connect(NAME);
    assert.equal(await push.fill(), 1);
    await push.close();
    const pull = await g.pull({ receiveHighWaterMark: 0 });
    await pull.bind(NAME);
    assert.deepEqual(await pull.drain(), ["fill0"]);
  });
});

describe("test_sockopt_hwm", () => {
  play("F1: marks set before the connect count", async (g) => {
    const [push, pull] = await pair(g, {}, {}, "bind");
    await push.call("disconnect", NAME);
    await push.set("sendHighWaterMark", 2);
    await pull.set("receiveHighWaterMark", 2);
    await push.connect(NAME);
    assert.equal(await push.get("sendHighWaterMark"), 2);
    assert.equal(await push.fill(), 4);
  });

  play("F2: a mark raised after the connect counts", async (g) => {
    const [push] = await pair(g, { sendHighWaterMark: 1 }, { receiveHighWaterMark: 1 }, "bind");
    await push.set("sendHighWaterMark", 5);
    assert.equal(await push.fill(), 6);
  });

  play("F2: a mark lowered on a full queue loses nothing, and holds afterwards", async (g) => {
    const [push, pull] = await pair(
      g,
      { sendHighWaterMark: 100 },
      { receiveHighWaterMark: 1 },
      "bind",
    );
    assert.equal(await push.fill(), 101);
    await push.set("sendHighWaterMark", 70);
    assert.equal(await push.fill(), 0);
    assert.deepEqual(
      await pull.drain(),
      Array.from({ length: 101 }, (_, i) => `fill${i}`),
    );
    assert.equal(await push.fill(), 71);
  });
});

describe("test_inproc_connect", () => {
  play("connect, send, then bind: received", async (g) => {
    const push = await g.push();
    await push.connect(NAME);
    await push.send(["foobar"]);
    const pull = await g.pull();
    await pull.bind(NAME);
    assert.deepEqual(await pull.drain(), ["foobar"]);
  });

  play("10 PUSHes connect and send one each; a PULL binds: 10 received", async (g) => {
    for (const push of await several(10, () => g.push())) await push.send(["one"]);
    const pull = await g.pull();
    await pull.bind(NAME);
    assert.equal((await pull.receive(10)).length, 10);
  });

  play(
    "20 sockets connect to names that nobody binds, and close: the end does not hang",
    async (g) => {
      for (let i = 0; i < 20; i++) {
        const pull = await g.pull();
        await pull.connect(`inproc://${i}`);
        await pull.close();
      }
      const { endpoints, pipes } = g.context.stats();
      assert.deepEqual({ endpoints, pipes }, { endpoints: 0, pipes: 0 });
    },
  );

  play("bind and unbind; another binds the same name; what is sent reaches that one", async (g) => {
    const one = await g.pull();
    await one.bind(NAME);
    await one.call("unbindSync", NAME);
    const other = await g.pull();
    await other.bind(NAME);
    const push = await g.push();
    await push.connect(NAME);
    await push.send(["foobar"]);
    assert.deepEqual(await other.drain(), ["foobar"]);
  });

  play("connect to a name that nobody binds; terminate; close: no crash, no hang", async (g) => {
    const push = await g.push();
    await push.connect(NAME);
    await g.context.terminate({ timeout: 1000 });
    await push.close();
  });

  play(
    "threads that connect, send and close at once, racing a bind: all is received",
    async (g) => {
      const threads = Array.from({ length: 4 }, () => g.thread());
      await Promise.all(threads.map((thread) => thread.run(() => 0)));
      const race = (thread: Thread) =>
        thread.run(({ threadmq, context }) => {
          for (let i = 0; i < 25; i++) {
            const push = new threadmq.Push({ context });
            push.connect("inproc://a");
            push.sendSync("raced");
            push.close();
          }
        });
      const racing = Promise.all(threads.map(race));
      const pull = await g.pull();
      await pull.bind(NAME);
      assert.equal((await pull.receive(100)).length, 100);
      await racing;
      assert.equal(g.conserved().sent, 100);
    },
  );

  play(
    "one connects and receives while another binds and sends and closes: received",
    async (g) => {
      const [a, b] = [g.thread(), g.thread()];
      for (let round = 0; round < 50; round++) {
        const connecter = a.run(async ({ threadmq, context }, name) => {
          const pull = new threadmq.Pull({ context });
          pull.connect(name);
          const [part] = pull.receiveSync({ timeout: 10_000 });
          pull.close();
          return `${part}`;
        }, `inproc://${round}`);
        const binder = b.run(({ threadmq, context }, name) => {
          const push = new threadmq.Push({ context });
          push.bindSync(name);
          push.sendSync("foobar", { timeout: 10_000 });
          push.close();
        }, `inproc://${round}`);
        assert.equal((await Promise.all([connecter, binder]))[0], "foobar");
      }
    },
  );
});

describe("test_last_endpoint, test_term_endpoint", () => {
  play("the last endpoint is that of each bind and connect in turn", async (g) => {
    const push = await g.push();
    assert.equal(await push.get("lastEndpoint"), null);
    for (const name of ["inproc://1", "inproc://2"]) {
      await push.bind(name);
      assert.equal(await push.get("lastEndpoint"), name);
    }
    await push.connect("inproc://3");
    assert.equal(await push.get("lastEndpoint"), "inproc://3");
  });

  play("C2: after the PUSH's unbind nothing can be sent", async (g) => {
    const push = await g.push();
    await push.bind(NAME);
    const pull = await g.pull();
    await pull.connect(NAME);
    await push.send(["ABC"]);
    assert.deepEqual(await pull.receive(1), ["ABC"]);
    await push.call("unbindSync", NAME);
    assert.equal(await push.call("trySend", "DEF"), false);
  });

  play("after the PUSH's disconnect nothing can be sent", async (g) => {
    const [push, pull] = await pair(g, {}, {}, "bind");
    await push.send(["ABC"]);
    await push.call("disconnect", NAME);
    assert.equal(await push.call("trySend", "DEF"), false);
    assert.deepEqual(await pull.drain(), ["ABC"]);
  });
});

describe("test_immediate", () => {
  for (const immediate of [false, true]) {
    const claim = immediate
      ? "B2: all go to the name that is bound"
      : "half wait for the other name";
    play(`one name is bound, one is not, immediate is ${immediate}: ${claim}`, async (g) => {
      const pull = await g.pull();
      await pull.bind("inproc://live");
      const push = await g.push({ immediate });
      await push.connect("inproc://dead");
      await push.connect("inproc://live");
      await push.send(Array.from({ length: 10 }, (_, i) => `${i}`));
      assert.equal((await pull.drain()).length, immediate ? 10 : 5);
    });
  }

  play(
    "B2: an immediate PUSH cannot send when its peer closes, and can when it is back",
    async (g) => {
      const push = await g.push({ immediate: true });
      await push.connect(NAME);
      assert.equal(await push.call("trySend", "0"), false);
      for (const round of ["1", "2"]) {
        const pull = await g.pull();
        await pull.bind(NAME);
        await push.send([round]);
        assert.deepEqual(await pull.receive(1), [round]);
        await pull.close();
        assert.equal(await push.call("trySend", "0"), false);
      }
    },
  );
});

describe("test_ctx_destroy, test_ctx_options, test_many_sockets", () => {
  play("a thread that blocks in a receive gets ETERM, and closes", async (g) => {
    const pull = await g.pull({}, g.thread());
    await pull.connect(NAME);
    const blocked = assert.rejects(pull.call("receiveSync"), zmq("ETERM"));
    await g.context.terminate({ timeout: 10_000 });
    await blocked;
    await pull.close();
  });

  for (const earlier of [true, false]) {
    play(
      `a socket after the end is ETERM, ${earlier ? "with" : "without"} an earlier one`,
      async (g) => {
        if (earlier) await g.push();
        await g.context.terminate();
        assert.throws(() => new Push({ context: g.context }), zmq("ETERM"));
      },
    );
  }

  play("E1: sockets up to the limit and not one more; what is closed makes room", async () => {
    const context = new Context({ maxSockets: 50, maxMemory: 16 << 20 });
    const sockets: Push[] = [];
    const open = () => sockets.push(new Push({ context }));
    for (let i = 0; i < 50; i++) open();
    for (let i = 0; i < 10; i++) assert.throws(open, zmq("EMFILE"));
    assert.equal(context.stats().sockets, 50);
    sockets.pop()?.close();
    open();
    assert.throws(open, zmq("EMFILE"));
    await context.terminate();
    assert.equal(context.stats().sockets, 0);
  });
});

describe("test_spec_pushpull, what libzmq has switched off", () => {
  play(
    "after a disconnect and a new connect nothing old comes twice, and the limit holds",
    async (g) => {
      const push = await g.push({ sendHighWaterMark: 1 });
      await push.bind(NAME);
      const pull = await g.pull({ receiveHighWaterMark: 1 });
      await pull.connect(NAME);
      assert.equal(await push.fill("old"), 2);
      await pull.call("disconnect", NAME);
      assert.equal(await push.call("trySend", "none"), false);
      assert.deepEqual(await pull.drain(), ["old0", "old1"], "C3: what had arrived can be read");
      await pull.connect(NAME);
      assert.deepEqual(await pull.drain(), []);
      assert.equal(await push.fill("new"), 2);
      assert.deepEqual(await pull.drain(), ["new0", "new1"]);
    },
  );

  for (const way of WAYS) {
    play(`N1: a message with a large last part is never seen in part, by ${way}`, async (g) => {
      const push = await g.push({ sendHighWaterMark: 1 });
      await push.bind(NAME);
      const pull = await g.pull({ receiveHighWaterMark: 1 }, g.thread());
      await pull.connect(NAME);
      const tail = "x".repeat(1 << 20);
      await push.send(["1", ["2", "2", tail]], way);
      await pull.call("disconnect", NAME);
      await pull.connect(NAME);
      await push.send(
        [
          ["3", "3", "3", tail],
          ["5", "5", tail],
        ],
        way,
      );
      const got = (await pull.receive(4, way)).map((message) => message.split("|"));
      assert.deepEqual(
        got.map(([first, ...rest]) => [first, rest.length]),
        [
          ["1", 0],
          ["2", 2],
          ["3", 3],
          ["5", 2],
        ],
      );
      for (const parts of got.slice(1)) assert.equal(parts.at(-1)?.length, tail.length);
    });
  }
});
