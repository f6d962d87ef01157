// SPDX-License-Identifier: MIT

/** The cases of libzmq's own test suite that concern ROUTER, and its options, on inproc. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { DISTANCES, far, play, zmq } from "../support/ground.ts";
import { forward, link, NAME, ORDERS, rebind, several } from "../support/links.ts";
import { PATIENCE } from "../support/stage.ts";

describe("test_inproc_connect", () => {
  play("a DEALER connects, a ROUTER binds later: id, A, B", async (g) => {
    const router = await g.open("Router");
    const dealer = await g.open("Dealer", { routingId: "D" });
    await link(router, dealer, "connect first");
    await dealer.send([["A", "B"]]);
    assert.deepEqual(await router.receive(1), ["D|A|B"]);
  });

  play("20 ROUTERs connect to names that nobody binds, and close", async (g) => {
    for (let i = 0; i < 20; i++) {
      const router = await g.open("Router");
      await router.connect(`inproc://${i}`);
      await router.close();
    }
    const { endpoints, pipes } = g.context.stats();
    assert.deepEqual({ endpoints, pipes }, { endpoints: 0, pipes: 0 });
  });
});

describe("test_router_mandatory", () => {
  play("nobody is there: dropped; or, if mandatory, EHOSTUNREACH", async (g) => {
    const router = await g.open("Router");
    await router.bind(NAME);
    await router.send([["UNKNOWN", "DATA"]]);
    assert.equal((await router.call("stats")).dropped, 1);
    await router.set("mandatory", true);
    for (const method of ["send", "sendSync", "trySend"]) {
      await assert.rejects(router.call(method, ["UNKNOWN", "DATA"]), zmq("EHOSTUNREACH", NAME));
    }
    const [dealer] = await several(g, 1, "Dealer", g.here, () => ({ routingId: "X" }));
    await dealer?.send(["Hello"]);
    assert.deepEqual(await router.receive(1), ["X|Hello"]);
    await router.send([["X", "Hello"]]);
    assert.deepEqual(await dealer?.receive(1), ["Hello"]);
  });

  for (const distance of DISTANCES) {
    play(`_hwm: full is EAGAIN, and exact, ${distance}`, async (g) => {
      const router = await g.open("Router", { mandatory: true, sendHighWaterMark: 1 });
      await router.bind(NAME);
      const [x, y] = await several(g, 2, "Dealer", far(g, distance), (index) => ({
        routingId: "XY"[index],
        receiveHighWaterMark: 1,
      }));
      const body = "b".repeat(65_536);
      for (const count of [2, 1]) {
        let sent = 0;
        while (await router.call("trySend", ["X", body])) sent++;
        assert.equal(sent, count);
        await x?.receive(1);
      }
      await router.send([["Y", "has room"]]);
      assert.deepEqual(await y?.receive(1), ["has room"]);
      await router.send([["X", "now"]]);
      const waiting = router.send([["X", "waits"]]);
      const got = (await x?.receive(3)) ?? [];
      assert.deepEqual(got.slice(1), ["now", "waits"]);
      await waiting;
    });

    play(`what was sent to a peer that goes, and what waits for it, ${distance}`, async (g) => {
      const router = await g.open("Router", { mandatory: true, sendHighWaterMark: 1 });
      await router.bind(NAME);
      const options = { routingId: "X", receiveHighWaterMark: 1 };
      const [x] = await several(g, 1, "Dealer", far(g, distance), () => options);
      await x?.send(["1", "2"]);
      assert.deepEqual(await router.receive(1), ["X|1"]);
      await router.send([
        ["X", "lost"],
        ["X", "lost too"],
      ]);
      const waiting = assert.rejects(router.call("send", ["X", "no"]), zmq("EHOSTUNREACH"));
      await x?.close();
      await waiting;
      assert.equal((await router.call("stats")).dropped, 2);
      assert.deepEqual(await router.drain(), ["X|2"], "what had come is received");
    });
  }

  for (const distance of DISTANCES) {
    play(`I2: what waits is told when the ROUTER itself lets go, ${distance}`, async (g) => {
      const router = await g.open("Router", { mandatory: true, sendHighWaterMark: 1 });
      await router.bind(NAME);
      const options = { routingId: "X", receiveHighWaterMark: 1 };
      const [x] = await several(g, 1, "Dealer", far(g, distance), () => options);
      await x?.send(["1", "2"]);
      assert.deepEqual(await router.receive(1), ["X|1"]);
      for (let i = 0; i < 2; i++) await router.send([["X", `${i}`]]);
      const waiting = assert.rejects(router.call("send", ["X", "no"]), zmq("EHOSTUNREACH"));
      await router.call("unbindSync", NAME);
      await waiting;
      assert.deepEqual(await router.receive(1), ["X|2"], "what had come is received");
    });
  }

  play(
    "test_spec_router: after a disconnect EHOSTUNREACH; what had come is received",
    async (g) => {
      const router = await g.open("Router", { mandatory: true });
      await router.bind(NAME);
      const [b] = await several(g, 1, "Dealer", g.here, () => ({ routingId: "B" }));
      await b?.send(["unread"]);
      await b?.call("disconnect", NAME);
      await assert.rejects(router.send([["B", "no"]]), zmq("EHOSTUNREACH"));
      assert.deepEqual(await router.drain(), ["B|unread"]);
      await b?.connect(NAME);
      await router.send([["B", "yes"]]);
      assert.deepEqual(await b?.drain(), ["yes"]);
    },
  );
});

for (const asks of ["Dealer", "Request"] as const) {
  play(`C1: a ${asks} binds again and again, between threads: it gets its answers`, async (g) => {
    await rebind(g, "Router", asks, (router) => forward(router, router));
  });
}

describe("test_router_handover", () => {
  for (const distance of DISTANCES) {
    play(`I3: without it the newcomer is refused, and told; ${distance}`, async (g) => {
      const router = await g.open("Router");
      await router.bind(NAME);
      const place = far(g, distance);
      const [first] = await several(g, 1, "Dealer", place, () => ({ routingId: "X" }));
      await first?.send(["one"]);
      assert.deepEqual(await router.receive(1), ["X|one"]);
      const second = await g.open("Dealer", { routingId: "X" }, place);
      const trying = (async () => {
        await second.connect(NAME);
        await second.call("receive");
      })();
      const told = assert.rejects(trying, zmq("EADDRINUSE", NAME));
      await router.send([["X", "for the first"]]);
      await told;
      assert.deepEqual(await first?.receive(1), ["for the first"]);
      await assert.rejects(second.call("receive", { timeout: 0 }), zmq("EAGAIN"), "told once");
      await second.set("routingId", "Y");
      await second.connect(NAME);
      await second.send(["two"]);
      assert.deepEqual(await router.receive(1), ["Y|two"]);
    });

    play(`with it the newcomer takes the id, and the other is told; ${distance}`, async (g) => {
      const router = await g.open("Router", { handover: true });
      await router.bind(NAME);
      const place = far(g, distance);
      const [first] = await several(g, 1, "Dealer", place, () => ({ routingId: "X" }));
      await first?.send(["one", "unread"]);
      assert.deepEqual(await router.receive(1), ["X|one"]);
      await router.send([["X", "unread here"]]);
      const [second] = await several(g, 1, "Dealer", place, () => ({ routingId: "X" }));
      await second?.send(["two"]);
      assert.deepEqual((await router.receive(2)).sort(), ["X|two", "X|unread"]);
      await router.send([["X", "reply"]]);
      assert.deepEqual(await second?.receive(1), ["reply"]);
      await assert.rejects(
        (async () => {
          for (;;) await first?.receive(1);
        })(),
        zmq("EADDRINUSE", NAME),
      );
      assert.equal(await first?.call("trySend", "no"), false);
    });
  }

  play("who has gone does not keep its id, though it has left something unread", async (g) => {
    const router = await g.open("Router");
    await router.bind(NAME);
    for (const round of ["1", "2", "3"]) {
      const [dealer] = await several(g, 1, "Dealer", g.here, () => ({ routingId: "X" }));
      await dealer?.send([round]);
      await (round === "2" ? dealer?.call("disconnect", NAME) : dealer?.close());
    }
    assert.deepEqual((await router.drain()).sort(), ["X|1", "X|2", "X|3"]);
  });
});

describe("test_probe_router", () => {
  for (const kind of ["Router", "Dealer"] as const) {
    for (const order of ORDERS) {
      play(`a ${kind} is known before it has sent anything, ${order}`, async (g) => {
        const server = await g.open("Router");
        const client = await g.open(kind, { routingId: "X", probeRouter: true });
        await link(server, client, order);
        assert.deepEqual(await server.receive(1), ["X|"]);
        await server.send([["X", "Hello"]]);
        const [message] = await client.receive(1);
        if (kind === "Dealer") assert.equal(message, "Hello");
        else assert.match(message as string, /^\0.+\|Hello$/s);
      });
    }
  }
});

describe("test_connect_rid", () => {
  for (const order of ORDERS) {
    for (const routingId of [undefined, "Y"]) {
      play(`a peer that is ${routingId ?? "unnamed"} is called as we say, ${order}`, async (g) => {
        const bound = await g.open("Router", routingId === undefined ? {} : { routingId });
        const router = await g.open("Router", { mandatory: true });
        if (order === "bind first") await bound.bind(NAME);
        await router.call("connect", NAME, { routingId: "conn1" });
        await router.send([["conn1", "hello"]]);
        if (order === "connect first") await bound.bind(NAME);
        const [id, body] = await bound.call("receive");
        assert.deepEqual([id.length, id[0], `${body}`], [5, 0, "hello"]);
        await bound.call("send", [id, "answer"]);
        assert.deepEqual(await router.receive(1), ["conn1|answer"]);
      });

      play(`B1: or as it calls itself (${routingId}), ${order}`, async (g) => {
        const bound = await g.open("Router", { routingId: "Z" });
        const router = await g.open("Router", { mandatory: true });
        await link(bound, router, order);
        await router.send([["Z", "hello"]]);
        const [id] = await bound.call("receive");
        await bound.call("send", [id, "answer"]);
        assert.deepEqual(await router.receive(1), ["Z|answer"]);
      });
    }
  }

  play("I3: a name that is in use is an EADDRINUSE, of the connect", async (g) => {
    const router = await g.open("Router", { mandatory: true });
    await router.call("connect", NAME, { routingId: "A" });
    const again = router.call("connect", "inproc://b", { routingId: "A" });
    await assert.rejects(again, zmq("EADDRINUSE", "inproc://b"));
    for (const routingId of ["", "\0x", "x".repeat(256), 7]) {
      await assert.rejects(router.call("connect", NAME, { routingId }), zmq("EINVAL"));
    }
    await router.call("connect", "inproc://b", { routingId: "B" });
    const [a, b] = [await g.open("Dealer"), await g.open("Dealer")];
    await a.bind(NAME);
    await b.bind("inproc://b");
    await router.send([
      ["A", "to a"],
      ["B", "to b"],
    ]);
    assert.deepEqual([await a.drain(), await b.drain()], [["to a"], ["to b"]]);
  });

  play("I3: two binders with the same id: the connect that meets the second fails", async (g) => {
    for (const name of ["inproc://1", "inproc://2"]) {
      const bound = await g.open("Dealer", { routingId: "Z" });
      await bound.bind(name);
    }
    const router = await g.open("Router", { mandatory: true });
    await router.connect("inproc://1");
    await assert.rejects(router.connect("inproc://2"), zmq("EADDRINUSE", "inproc://2"));
    await router.send([["Z", "one"]]);
    await router.call("disconnect", "inproc://1");
    await router.connect("inproc://2");
    await router.send([["Z", "two"]]);
  });

  play("I3: and if the second binds later, the next call does", async (g) => {
    const router = await g.open("Router", { mandatory: true });
    await router.connect("inproc://1");
    await router.connect("inproc://2");
    for (const name of ["inproc://1", "inproc://2"]) {
      const bound = await g.open("Dealer", { routingId: "Z" });
      await bound.bind(name);
    }
    await assert.rejects(router.call("tryReceive"), zmq("EADDRINUSE", "inproc://2"));
    assert.equal(await router.call("tryReceive"), undefined);
    await router.send([["Z", "one"]]);
  });
});

describe("a ROUTER that has connected, and a rebind", () => {
  for (const distance of DISTANCES) {
    play(`each message has the id of who has sent it, ${distance}`, async (g) => {
      const router = await g.open("Router", { mandatory: true });
      await router.connect(NAME);
      const place = far(g, distance);
      for (const routingId of ["first", "second", "third"]) {
        const bound = await g.open("Dealer", { routingId }, place);
        await bound.bind(NAME);
        await bound.send([`from the ${routingId}`]);
        await router.call("stats");
        await router.send([[routingId, "hello"]]);
        assert.deepEqual(await bound.receive(1), ["hello"]);
        if (routingId !== "third") await bound.close();
      }
      for (const gone of ["first", "second"]) {
        await assert.rejects(router.send([[gone, "gone"]]), zmq("EHOSTUNREACH"));
      }
      assert.deepEqual(await router.receive(3), [
        "first|from the first",
        "second|from the second",
        "third|from the third",
      ]);
    });
  }

  play("no message has the id of another, however fast they come and go", async (g) => {
    const router = await g.open("Router");
    await router.connect(NAME);
    const rebinding = g.thread().run(({ threadmq, context }, name) => {
      for (let i = 0; i < 2000; i++) {
        const bound = new threadmq.Dealer({ context, routingId: `${i}` });
        bound.bindSync(name);
        bound.sendSync(`${i}`);
        bound.close();
      }
    }, NAME);
    for (let i = 0; i < 2000; i++) {
      const [id, body] = await router.call("receive", { timeout: PATIENCE });
      assert.equal(`${body}`, `${i}`);
      if (id[0] !== 0) assert.equal(`${id}`, `${i}`); // Else it was gone before it was known.
    }
    await rebinding;
  });

  play("one that the user has named keeps its name, whoever comes", async (g) => {
    const router = await g.open("Router");
    await router.call("connect", NAME, { routingId: "N" });
    await g.thread().run(({ threadmq, context }, name) => {
      for (let i = 0; i < 20; i++) {
        const bound = new threadmq.Dealer({ context, routingId: `${i}` });
        bound.bindSync(name);
        bound.sendSync("hello");
        bound.close();
      }
    }, NAME);
    assert.deepEqual(await router.receive(20), Array(20).fill("N|hello"));
  });

  for (const distance of DISTANCES) {
    play(`one that has disconnected sends to nobody who binds later, ${distance}`, async (g) => {
      const router = await g.open("Router", { mandatory: true });
      await router.connect(NAME);
      const place = far(g, distance);
      const first = await g.open("Dealer", { routingId: "first" }, place);
      await first.bind(NAME);
      await first.send(["1", "2"]);
      assert.deepEqual(await router.receive(1), ["first|1"]);
      await router.call("disconnect", NAME);
      await first.close();
      const second = await g.open("Dealer", { routingId: "second" }, place);
      await second.bind(NAME);
      assert.deepEqual(await router.receive(1), ["first|2"]);
      await assert.rejects(router.send([["second", "no"]]), zmq("EHOSTUNREACH"));
    });
  }
});
