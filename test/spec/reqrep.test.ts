// SPDX-License-Identifier: MIT

/** The cases of libzmq's own test suite that concern REQ, REP and DEALER, on inproc. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { type Actor, play, zmq } from "../support/ground.ts";
import { forward, link, NAME, rebind, several } from "../support/links.ts";

const TEXT = "12345678ABCDEFGH12345678abcdefgh";

/** Two parts there and back. */
async function bounce(server: Actor, client: Actor): Promise<void> {
  await client.send([[TEXT, TEXT]]);
  assert.deepEqual(await server.receive(1), [`${TEXT}|${TEXT}`]);
  await server.send([[TEXT, TEXT]]);
  assert.deepEqual(await client.receive(1), [`${TEXT}|${TEXT}`]);
}

describe("test_reqrep_inproc, test_reqrep_tcp", () => {
  play("bounce", async (g) => {
    const rep = await g.open("Reply");
    const req = await g.open("Request");
    await link(rep, req);
    await bounce(rep, req);
  });

  play("a REQ that has connected to three REPs asks them in turn", async (g) => {
    const reps: Actor[] = [];
    const req = await g.open("Request", { immediate: true });
    for (const name of ["inproc://0", "inproc://1", "inproc://2"]) {
      const rep = await g.open("Reply");
      await rep.bind(name);
      await req.connect(name);
      reps.push(rep);
    }
    for (const turn of [0, 1, 2, 0, 1, 2, 0]) await bounce(reps[turn] as Actor, req);
    await req.call("disconnect", "inproc://0");
    await reps[1]?.call("unbindSync", "inproc://1");
    await bounce(reps[2] as Actor, req);
  });
});

describe("test_reqrep_device", () => {
  play("a ROUTER and a DEALER between: all parts arrive, both ways", async (g) => {
    const router = await g.open("Router");
    await router.bind("inproc://front");
    const dealer = await g.open("Dealer");
    await dealer.bind("inproc://back");
    const rep = await g.open("Reply", {}, g.thread());
    await rep.connect("inproc://back");
    const req = await g.open("Request", {}, g.thread());
    await req.connect("inproc://front");
    await req.send([["ABC", "DEF"]]);
    await forward(router, dealer);
    assert.deepEqual(await rep.receive(1), ["ABC|DEF"]);
    await rep.send([["GHI", "JKL"]]);
    await forward(dealer, router);
    assert.deepEqual(await req.receive(1), ["GHI|JKL"]);
  });
});

for (const asks of ["Request", "Dealer"] as const) {
  play(`C1: a ${asks} binds again and again, between threads: a REP answers it`, async (g) => {
    await rebind(g, "Reply", asks, (rep) => forward(rep, rep));
  });
}

describe("test_invalid_rep", () => {
  play("a reply that is only an id is an error, and the next is taken", async (g) => {
    const router = await g.open("Router");
    const req = await g.open("Request");
    await link(router, req);
    await req.send(["r"]);
    const [id, empty, body] = await router.call("receive");
    assert.deepEqual([empty.length, `${body}`], [0, "r"]);
    await assert.rejects(router.call("send", [id]), zmq("EINVAL"));
    await router.call("send", [id, "", "b"]);
    assert.deepEqual(await req.receive(1), ["b"]);
  });
});

describe("test_req_correlate", () => {
  play("the number of a request comes back, and a reply with another is not taken", async (g) => {
    const router = await g.open("Router");
    const req = await g.open("Request", { correlate: true });
    await link(router, req);
    let last: number | undefined;
    for (const _ of [0, 1]) {
      await req.send([["ABC", "DEF"]]);
      const [id, label, ...rest] = await router.call("receive");
      assert.equal(label.length, 4);
      assert.deepEqual(rest.map(String), ["", "ABC", "DEF"]);
      const number = label.readUInt32LE();
      if (last !== undefined) assert.equal(number, (last + 1) % 2 ** 32);
      last = number;
      const other = Buffer.from(label);
      other.writeUInt32LE((number + 1) % 2 ** 32);
      await router.call("send", [id, other, "", "DATA"]);
      await router.call("send", [id, "", "DATA"]);
      await router.call("send", [id, label, "", "GHI"]);
      assert.deepEqual(await req.receive(1), ["GHI"]);
    }
  });

  play("a REP sends it back by itself", async (g) => {
    const rep = await g.open("Reply");
    const req = await g.open("Request", { correlate: true });
    await link(rep, req);
    await bounce(rep, req);
  });

  play("changed while a reply is due, it counts for the next request", async (g) => {
    const rep = await g.open("Reply");
    const req = await g.open("Request");
    await link(rep, req);
    for (const correlate of [true, false]) {
      await req.send(["1"]);
      await req.set("correlate", correlate);
      await rep.receive(1);
      await rep.send(["re 1"]);
      assert.deepEqual(await req.receive(1), ["re 1"]);
    }
  });
});

describe("test_req_relaxed", () => {
  play("requests are given up, and no reply to those is taken", async (g) => {
    const req = await g.open("Request", { relaxed: true, correlate: true });
    await req.bind(NAME);
    const reps = (await several(g, 5, "Reply")) as [Actor, Actor, Actor, Actor, Actor];
    const ask = async (text: string, rep: Actor) => {
      await req.send([text]);
      assert.deepEqual(await rep.receive(1), [text]);
    };
    await ask("A", reps[0]);
    await ask("C", reps[1]);
    await reps[0].send(["WRONG"]);
    await reps[1].send(["OK"]);
    assert.deepEqual(await req.receive(1), ["OK"]);
    await ask("F", reps[2]);
    await reps[2].send([["two", "parts"]]);
    assert.deepEqual(await req.receive(1), ["two|parts"]);
    await ask("H", reps[3]);
    await reps[3].send(["BAD"]);
    await ask("I", reps[4]);
    await reps[4].send(["GOOD"]);
    assert.deepEqual(await req.receive(1), ["GOOD"]);
    await ask("J", reps[0]);
    await reps[0].send(["its link is the same"]);
    assert.deepEqual(await req.receive(1), ["its link is the same"]);
  });

  play("two requests before a ROUTER binds, who answers both: the second counts", async (g) => {
    const req = await g.open("Request", { relaxed: true, correlate: true });
    await req.connect(NAME);
    await req.send(["first"]);
    await req.send(["second"]);
    const router = await g.open("Router");
    await router.bind(NAME);
    for (const _ of [0, 1]) await forward(router, router);
    assert.deepEqual(await req.receive(1), ["second"]);
  });

  play("N1: a request that could not be sent gives nothing up", async (g) => {
    const options = { relaxed: true, correlate: true, sendHighWaterMark: 1 };
    const req = await g.open("Request", options);
    const router = await g.open("Router", { receiveHighWaterMark: 1 });
    await link(router, req);
    await req.send(["1"]);
    await req.send(["2"]);
    assert.equal(await req.call("trySend", "3"), false);
    await forward(router, router);
    await req.send(["3"]);
    assert.equal(await req.call("trySend", "4"), false);
    await forward(router, router);
    await forward(router, router);
    assert.equal(await req.call("trySend", "4"), true);
    await forward(router, router);
    assert.deepEqual(await req.receive(1), ["4"]);
  });

  play("N1: also when the answer has come already", async (g) => {
    const options = { relaxed: true, correlate: true, sendHighWaterMark: 1 };
    const req = await g.open("Request", options);
    const router = await g.open("Router", { receiveHighWaterMark: 1 });
    await link(router, req);
    await req.send(["given up"]);
    const [id] = await router.call("receive");
    await req.send(["1"]);
    const first = await router.call("receive");
    await router.call("send", first);
    // Something stands in the way of the next request.
    await req.call("disconnect", NAME);
    assert.equal(await req.call("trySend", "2"), false);
    assert.deepEqual(await req.receive(1), ["1"]);
    assert.deepEqual(first[0], id);
  });
});

describe("test_spec_dealer, what libzmq has switched off", () => {
  play("after a disconnect nothing can be sent; what had come is received, once", async (g) => {
    const a = await g.open("Dealer");
    const b = await g.open("Dealer");
    await link(a, b);
    await a.send(["from a"]);
    await b.send(["from b"]);
    await b.call("disconnect", NAME);
    assert.equal(await a.call("trySend", "none"), false);
    assert.deepEqual([await a.drain(), await b.drain()], [["from b"], ["from a"]]);
    await b.connect(NAME);
    assert.deepEqual([await a.drain(), await b.drain()], [[], []]);
    await a.send(["again"]);
    assert.deepEqual(await b.drain(), ["again"]);
  });
});

describe("test_bind_after_connect_tcp", () => {
  play("a DEALER sends three, then another binds: they arrive in order", async (g) => {
    const dealer = await g.open("Dealer");
    await dealer.connect(NAME);
    await dealer.send(["1", "2", "3"]);
    const other = await g.open("Dealer", {}, g.thread());
    await other.bind(NAME);
    assert.deepEqual(await other.receive(3), ["1", "2", "3"]);
  });
});
