// SPDX-License-Identifier: MIT

/**
 * REQ and REP when one of them goes: H4, who has asked is told; and no reply is ever taken for that
 * to another request.
 */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { type Context, Poller, Reply, Request } from "threadmq";
import { DEATHS, die } from "../support/deaths.ts";
import {
  type Actor,
  DISTANCES,
  far,
  type Ground,
  type Place,
  play,
  zmq,
} from "../support/ground.ts";
import { hog } from "../support/hog.ts";
import { link, NAME } from "../support/links.ts";
import { PATIENCE } from "../support/stage.ts";

const SIDES = ["the REP is bound", "the REQ is bound"] as const;
type Side = (typeof SIDES)[number];

async function two(g: Ground, side: Side, place: Place): Promise<{ req: Actor; rep: Actor }> {
  const rep = await g.open("Reply", {}, place);
  const req = await g.open("Request");
  await (side === "the REP is bound" ? link(rep, req) : link(req, rep));
  return { req, rep };
}

/** How a replier goes that is in order. */
const GOINGS: Readonly<Record<string, (rep: Actor, side: Side) => Promise<unknown>>> = {
  closes: (rep) => rep.close(),
  "lets go": (rep, side) =>
    rep.call(side === "the REP is bound" ? "unbindSync" : "disconnect", NAME),
};

for (const distance of DISTANCES) {
  for (const side of SIDES) {
    for (const [going, go] of Object.entries(GOINGS)) {
      for (const isRead of [true, false]) {
        const when = `${isRead ? "has read the request" : "has not read it"} and ${going}`;
        describe(`${distance}, ${side}, the REP ${when}`, () => {
          play("H4: a receive that waits is told, and the next request may be sent", async (g) => {
            const { req, rep } = await two(g, side, far(g, distance));
            await req.send(["1"]);
            if (isRead) await rep.receive(1);
            const waiting = assert.rejects(req.call("receive"), zmq("EHOSTUNREACH", NAME));
            await go(rep, side);
            await waiting;
            await assert.rejects(req.call("tryReceive"), zmq("EFSM"), "it is told once");
            await follow(g, side, req, isRead ? [] : ["1"]);
          });

          play("H4: the next receive is told", async (g) => {
            const { req, rep } = await two(g, side, far(g, distance));
            await req.send(["1"]);
            if (isRead) await rep.receive(1);
            await go(rep, side);
            await assert.rejects(req.call("receive"), zmq("EHOSTUNREACH", NAME));
            await follow(g, side, req, isRead ? [] : ["1"]);
          });

          play("H4: the next request may be sent without having asked", async (g) => {
            const { req, rep } = await two(g, side, far(g, distance));
            await req.send(["1"]);
            if (isRead) await rep.receive(1);
            await go(rep, side);
            await follow(g, side, req, isRead ? [] : ["1"]);
          });
        });
      }

      play(
        `an answer that was given before is received, ${distance}, ${side}, ${going}`,
        async (g) => {
          const { req, rep } = await two(g, side, far(g, distance));
          await req.send(["1"]);
          await rep.receive(1);
          await rep.send(["re 1"]);
          await go(rep, side);
          assert.deepEqual(await req.receive(1), ["re 1"]);
          await assert.rejects(req.call("tryReceive"), zmq("EFSM"));
          await follow(g, side, req, []);
        },
      );
    }
  }
}

/** Another REP comes: it gets the next request and no other, and its reply arrives. */
async function follow(g: Ground, side: Side, req: Actor, notThese: string[]): Promise<void> {
  const rep = await g.open("Reply");
  await (side === "the REP is bound" ? rep.bind(NAME) : rep.connect(NAME));
  assert.equal(await rep.call("tryReceive"), undefined, `not ${notThese}`);
  await req.send(["2"]);
  assert.deepEqual(await rep.receive(1), ["2"]);
  await rep.send(["re 2"]);
  assert.deepEqual(await req.receive(1), ["re 2"]);
}

describe("a thread dies", () => {
  for (const [name, death] of Object.entries(DEATHS)) {
    for (const side of SIDES) {
      for (const isRead of [true, false]) {
        play(`H4: ${name}, ${side}, ${isRead ? "read" : "unread"}`, async (g) => {
          const thread = g.thread(death.start);
          const { req, rep } = await two(g, side, thread);
          await req.send(["1"]);
          if (isRead) await rep.receive(1);
          const waiting = assert.rejects(req.call("receive"), zmq("EHOSTUNREACH", NAME));
          await die(thread, death);
          await waiting;
          await follow(g, side, req, isRead ? [] : ["1"]);
        });
      }
    }
  }

  for (const side of SIDES) {
    play(`H4: a REQ that blocks its thread, ${side}`, async (g) => {
      const dying = g.thread();
      const rep = await g.open("Reply", {}, dying);
      const req = await g.open("Request", {}, g.thread());
      await (side === "the REP is bound" ? link(rep, req) : link(req, rep));
      await req.send(["1"]);
      await rep.receive(1);
      const blocked = assert.rejects(req.call("receiveSync"), zmq("EHOSTUNREACH", NAME));
      await dying.kill();
      await blocked;
      await follow(g, side, req, []);
    });
  }

  play("the requester dies: the reply is dropped, and the next is served", async (g) => {
    const dying = g.thread();
    const rep = await g.open("Reply");
    await rep.bind(NAME);
    const gone = await g.open("Request", {}, dying);
    await gone.connect(NAME);
    await gone.send(["1"]);
    assert.deepEqual(await rep.receive(1), ["1"]);
    await dying.kill();
    await rep.send(["re 1"]);
    assert.equal((await rep.call("stats")).dropped, 1);
    const req = await g.open("Request");
    await req.connect(NAME);
    await req.send(["2"]);
    assert.deepEqual(await rep.receive(1), ["2"]);
    await rep.send(["re 2"]);
    assert.deepEqual(await req.receive(1), ["re 2"]);
  });
});

describe("no reply is taken for another's", () => {
  play("the next binder has read the request before the REQ heard that it was lost", async (g) => {
    const [first, second] = [g.thread(), g.thread()];
    const a = await g.open("Reply", {}, first);
    await a.bind(NAME);
    const req = await g.open("Request");
    await req.connect(NAME);
    await a.call("stats"); // It is attached.
    // The thread of the REQ, which is this one, does not look while that happens.
    const told = new Int32Array(new SharedArrayBuffer(4));
    const other = second.run(
      ({ context, threadmq }, name, word) => {
        const rep = new threadmq.Reply({ context });
        for (;;) {
          try {
            rep.bindSync(name);
            break;
          } catch {}
        }
        const [request] = rep.receiveSync();
        Atomics.store(word, 0, 1);
        Atomics.notify(word, 0);
        Atomics.wait(word, 0, 1);
        rep.sendSync(`re ${request}`);
        const [next] = rep.receiveSync();
        rep.sendSync(`re ${next}`);
      },
      NAME,
      told,
    );
    await req.send(["1"]);
    const closing = a.close();
    Atomics.wait(told, 0, 0);
    await closing;
    await assert.rejects(req.call("receiveSync"), zmq("EHOSTUNREACH"));
    await req.send(["2"]);
    Atomics.store(told, 0, 2);
    Atomics.notify(told, 0);
    assert.deepEqual(await req.receive(1), ["re 2"]);
    await other;
  });

  for (const distance of DISTANCES) {
    play(
      `a REP that has connected answers a REQ that is no longer bound, ${distance}`,
      async (g) => {
        const rep = await g.open("Reply", {}, far(g, distance));
        await rep.connect(NAME);
        const first = await g.open("Request");
        await first.bind(NAME);
        await first.send(["1"]);
        await first.close();
        const second = await g.open("Request");
        await second.bind(NAME);
        await second.send(["2"]);
        assert.deepEqual(await rep.receive(1), ["1"], "what was sent is received");
        await rep.send(["re 1"]);
        assert.deepEqual(await rep.receive(1), ["2"]);
        await rep.send(["re 2"]);
        assert.deepEqual(await second.receive(1), ["re 2"]);
        assert.equal((await rep.call("stats")).dropped, 1);
      },
    );

    play(
      `nor a REQ that has connected, to a name that a third is bound to now, ${distance}`,
      async (g) => {
        const place = far(g, distance);
        const req = await g.open("Request");
        await req.connect(NAME);
        for (const round of ["1", "2", "3"]) {
          const rep = await g.open("Reply", {}, place);
          await rep.bind(NAME);
          await req.send([round]);
          assert.deepEqual(await rep.receive(1), [round]);
          if (round !== "3") {
            await rep.close();
            continue;
          }
          await rep.send(["re 3"]);
          assert.deepEqual(await req.receive(1), ["re 3"]);
        }
      },
    );
  }
});

for (const distance of DISTANCES) {
  describe(`a request that waits for a REP, ${distance}`, () => {
    for (const relaxed of [false, true]) {
      const what = relaxed ? "also if relaxed" : "it is not its turn";
      play(`the next one is refused, ${what}; the first goes`, async (g) => {
        const req = await g.open("Request", { relaxed });
        await req.bind(NAME);
        const sending = req.send(["1"]);
        for (const method of ["send", "sendSync", "trySend"]) {
          await assert.rejects(req.call(method, "2"), zmq("EFSM"));
        }
        const rep = await g.open("Reply", {}, far(g, distance));
        await rep.connect(NAME);
        await sending;
        assert.deepEqual(await rep.receive(1), ["1"]);
        await rep.send(["re 1"]);
        assert.deepEqual(await req.receive(1), ["re 1"]);
      });
    }

    for (const [call, ...messages] of [
      ["send", "3"],
      ["sendMany", ["3"]],
    ] as const) {
      play(`L1: a receive that has begun meanwhile gets the reply, at once: ${call}`, async (g) => {
        const options = { routingId: "me", relaxed: true, sendHighWaterMark: 1 };
        const req = await g.open("Request", options);
        const router = await g.open("Router", { receiveHighWaterMark: 1 }, far(g, distance));
        await link(router, req);
        await req.send(["1", "2"]); // There is no room for more.
        await router.send([["me", "", "unasked"]]);
        assert.deepEqual(await req.receive(1), ["unasked"]);
        const sending = req.call(call, ...messages);
        const receiving = req.call("receive"); // It would look again when its time is over.
        assert.deepEqual(await router.receive(3), ["me||1", "me||2", "me||3"]);
        await sending;
        await router.send([["me", "", "re 3"]]);
        assert.equal(`${await receiving}`, "re 3");
      });
    }
  });

  for (const next of ["the next request is sent", "that is told"]) {
    play(`who is gone leaves a late reply, and a request: ${next}, ${distance}`, async (g) => {
      const req = await g.open("Request", { relaxed: true, correlate: true });
      await req.connect(NAME);
      const gone = await g.open("Router", {}, far(g, distance));
      await gone.bind(NAME);
      await req.send(["1"]);
      const request = await gone.call("receive");
      await req.send(["2"]);
      await gone.call("send", request);
      await gone.close();
      if (next === "that is told") {
        await assert.rejects(req.call("receive"), zmq("EHOSTUNREACH", NAME));
      } else await req.send(["3"]);
      const rep = await g.open("Reply", {}, far(g, distance));
      await rep.bind(NAME);
      if (next === "that is told") await req.send(["3"]);
      assert.deepEqual(await rep.receive(1), ["3"], "nobody waits for an answer to 2");
      await rep.send(["re 3"]);
      assert.deepEqual(await req.receive(1), ["re 3"]);
    });
  }
}

play("H4: an answer is received, though another is bound already", async (g) => {
  const req = await g.open("Request");
  await req.connect(NAME);
  await req.send(["1"]);
  const place = g.thread();
  const told = new Int32Array(new SharedArrayBuffer(4));
  const done = place.run(
    ({ threadmq, context, props }, name, word) => {
      const gone = new threadmq.Reply({ context });
      gone.bindSync(name);
      gone.sendSync(`re ${gone.receiveSync()}`);
      gone.close();
      props.next = new threadmq.Reply({ context });
      props.next.bindSync(name);
      Atomics.store(word, 0, 1);
      Atomics.notify(word, 0);
    },
    NAME,
    told,
  );
  Atomics.wait(told, 0, 0, PATIENCE); // The thread of the REQ does not look while that happens.
  await done;
  assert.deepEqual(await req.receive(1), ["re 1"]);
  await req.send(["2"]);
  assert.equal(await place.run(({ props }) => `${props.next.receiveSync()}`), "2");
});

describe("what else may happen to a REQ", () => {
  play("libzmq's: a receive that times out, and then the reply", async (g) => {
    const { req, rep } = await two(g, "the REP is bound", g.here);
    await req.send(["1"]);
    await assert.rejects(req.call("receive", { timeout: 5 }), zmq("EAGAIN"));
    await assert.rejects(req.call("trySend", "2"), zmq("EFSM"));
    await rep.receive(1);
    await rep.send(["re 1"]);
    assert.deepEqual(await req.receive(1), ["re 1"]);
  });

  play("relaxed, and the replier has gone: the next is sent to another", async (g) => {
    const req = await g.open("Request", { relaxed: true, correlate: true });
    await req.bind(NAME);
    const [a, b] = [await g.open("Reply"), await g.open("Reply")];
    await a.connect(NAME);
    await b.connect(NAME);
    await req.send(["1"]);
    await a.receive(1);
    await a.close();
    await req.send(["2"]);
    assert.deepEqual(await b.receive(1), ["2"]);
    await b.send(["re 2"]);
    assert.deepEqual(await req.receive(1), ["re 2"]);
  });

  play("several pending receives: one reply, and the others wait for theirs", async (g) => {
    const { req, rep } = await two(g, "the REP is bound", g.here);
    await req.send(["1"]);
    const [first, second] = [req.receive(1), req.receive(1)];
    await rep.receive(1);
    await rep.send(["re 1"]);
    assert.deepEqual(await first, ["re 1"]);
    await req.send(["2"]);
    await rep.receive(1);
    await rep.send(["re 2"]);
    assert.deepEqual(await second, ["re 2"]);
  });

  play("several requests that wait for a REP: one is handed out at a time", async (g) => {
    const { req, rep } = await two(g, "the REP is bound", g.here);
    const [first, second] = [rep.receive(1), rep.receive(1)];
    await req.send(["1"]);
    assert.deepEqual(await first, ["1"]);
    await rep.send(["re 1"]);
    assert.deepEqual(await req.receive(1), ["re 1"]);
    await req.send(["2"]);
    assert.deepEqual(await second, ["2"]);
  });

  play("sendMany and receiveMany: one message at a time", async (g) => {
    const { req, rep } = await two(g, "the REP is bound", g.here);
    const told = (accepted: number) => (error: any) => {
      return zmq("EFSM")(error) && error.accepted === accepted;
    };
    await assert.rejects(req.call("sendMany", ["1", "2"]), told(1));
    assert.equal((await rep.call("receiveMany", 5)).length, 1);
    await assert.rejects(rep.call("sendManySync", ["1", "2"]), told(1));
    assert.equal((await req.call("receiveManySync", 5)).length, 1);
  });

  play("after a close every call is EBADF, and not EFSM", async (g) => {
    const { req, rep } = await two(g, "the REP is bound", g.here);
    for (const socket of [req, rep]) {
      await socket.close();
      for (const [method, ...args] of [
        ["send", "X"],
        ["sendSync", "X"],
        ["trySend", "X"],
        ["receive"],
        ["tryReceive"],
        ["sendMany", ["X"]],
      ]) {
        await assert.rejects(socket.call(method as string, ...args), zmq("EBADF"));
      }
    }
  });

  play("a ROUTER refuses a REQ with an id that is taken: the error is told, once", async (g) => {
    const router = await g.open("Router", {}, g.thread());
    await router.bind(NAME);
    const dealer = await g.open("Dealer", { routingId: "X" });
    await dealer.connect(NAME);
    await dealer.send(["hello"]);
    await router.receive(1);
    const req = await g.open("Request", { routingId: "X" });
    await assert.rejects(
      (async () => {
        await req.connect(NAME); // Which is told it, if the ROUTER's thread is quick.
        await req.send(["1"]);
        await req.receive(1);
      })(),
      zmq("EADDRINUSE", NAME),
    );
    await req.set("routingId", "Y");
    await req.connect(NAME);
    await req.send(["2"]);
    assert.deepEqual(await router.receive(1), ["Y||2"]);
  });
});

/** A REP that has received a question, and the REQ that waits for the answer. */
function asked(context: Context): { rep: Reply; req: Request } {
  const [rep, req] = [new Reply({ context }), new Request({ context })];
  rep.bindSync(NAME);
  req.connect(NAME);
  req.sendSync("question");
  assert.equal(`${rep.receiveSync()}`, "question");
  return { rep, req };
}

play(
  "a reply waits where others have filled the memory, and whoever receives next for the reply",
  async (g) => {
    const { rep, req } = asked(g.context);
    const giveBack = hog(g.context);
    const answer = Buffer.alloc(100_000, 7);
    assert.equal(rep.trySend(answer), false);
    assert.throws(() => rep.sendSync(answer, { timeout: 0 }), zmq("EAGAIN"));
    const sent = rep.send(answer, { timeout: PATIENCE });
    const next = rep.receive({ timeout: PATIENCE });
    assert.equal(req.tryReceive(), undefined);
    giveBack();
    await sent;
    assert.deepEqual((await req.receive({ timeout: PATIENCE }))[0], answer);
    req.sendSync("another");
    assert.equal(`${await next}`, "another");
    rep.sendSync("answer");
    assert.equal(`${req.receiveSync()}`, "answer");
    assert.equal(rep.stats().dropped, 0);
    for (const socket of [rep, req]) socket.close();
  },
  { context: { maxMemory: 1 << 20 } },
);

play(
  "whether a reply can be sent says a Poller, also where memory is missing",
  async (g) => {
    const { rep, req } = asked(g.context);
    const poller = new Poller();
    poller.add(rep, { writable: true });
    assert.equal(poller.poll().length, 1);
    const giveBack = hog(g.context);
    const answer = Buffer.alloc(100_000);
    // Who finds none asks for some, and may find some then.
    for (let tries = 0; poller.poll().length > 0; tries++) {
      assert.ok(tries < 10, "it is not said without end");
      assert.equal(rep.trySend(answer), false);
    }
    const woken = poller.wait({ timeout: PATIENCE });
    giveBack();
    assert.equal((await woken).length, 1);
    assert.equal(rep.trySend(answer), true);
    assert.equal((await req.receive({ timeout: PATIENCE }))[0]?.length, answer.length);
    for (const one of [poller, rep, req]) one.close();
  },
  { context: { maxMemory: 1 << 20 } },
);

play(
  "a reply that waits for memory is dropped when whoever has asked goes",
  async (g) => {
    const { rep, req } = asked(g.context);
    const giveBack = hog(g.context);
    const sent = rep.send(Buffer.alloc(100_000), { timeout: PATIENCE });
    req.close();
    await sent;
    assert.equal(rep.stats().dropped, 1);
    giveBack();
    rep.close();
  },
  { context: { maxMemory: 1 << 20 } },
);
