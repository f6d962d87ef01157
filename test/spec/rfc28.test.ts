// SPDX-License-Identifier: MIT

/**
 * RFC 28, "REQREP", for REQ, REP, DEALER and ROUTER on inproc: each SHALL that such a socket can
 * show, within one thread and between threads, by promises, by blocking calls, and by attempts and
 * batches. What libzmq's own test suite has of them is in reqrep.test.ts and router.test.ts.
 */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { DISTANCES, far, play, zmq } from "../support/ground.ts";
import { link, NAME, several } from "../support/links.ts";
import { WAYS } from "../support/stage.ts";

const LETTERS = ["A", "B", "C", "D", "E"];

for (const distance of DISTANCES) {
  for (const way of WAYS) {
    describe(`${distance}, by ${way}`, () => {
      play("REQ: SHALL route requests to its peers using round-robin", async (g) => {
        const req = await g.open("Request");
        await req.bind(NAME);
        const reps = await several(g, 5, "Reply", far(g, distance));
        for (const rep of [...reps, ...reps]) {
          await req.send(["ABC"], way);
          assert.deepEqual(await rep.receive(1, way), ["ABC"]);
          await rep.send(["DEF"], way);
          assert.deepEqual(await req.receive(1, way), ["DEF"]);
        }
      });

      play("REQ: SHALL put an empty part before a request, and take it away", async (g) => {
        const req = await g.open("Request", { routingId: "me" });
        await req.bind(NAME);
        const [router] = await several(g, 1, "Router", far(g, distance));
        await req.send([["ABC", "", "DEF"]], way);
        assert.deepEqual(await router?.receive(1, way), ["me||ABC||DEF"]);
        await router?.send([["me", "", "GHI", ""]], way);
        assert.deepEqual(await req.receive(1, way), ["GHI|"]);
      });

      play("REQ: SHALL accept a reply only from whom it has asked", async (g) => {
        const req = await g.open("Request", { routingId: "me" });
        await req.bind(NAME);
        const routers = await several(g, 3, "Router", far(g, distance), () => ({
          mandatory: true,
        }));
        for (const asked of routers) {
          await req.send(["ABC"], way);
          assert.deepEqual(await asked.receive(1, way), ["me||ABC"]);
          for (const router of routers) {
            await router.send([["me", "", router === asked ? "GOOD" : "BAD"]], way);
          }
          assert.deepEqual(await req.receive(1, way), ["GOOD"]);
        }
      });

      play("REQ: SHALL ignore a reply that is malformed", async (g) => {
        const req = await g.open("Request", { routingId: "me" });
        await req.bind(NAME);
        const [router] = await several(g, 1, "Router", far(g, distance));
        await req.send(["ABC"], way);
        await router?.receive(1, way);
        await router?.send(
          [
            ["me", "no empty part"],
            ["me", "other", "", "label"],
            ["me", ""],
            ["me", "", "GOOD"],
          ],
          way,
        );
        assert.deepEqual(await req.receive(1, way), ["GOOD"]);
      });

      play("REQ, REP: SHALL send and receive in turn", async (g) => {
        const rep = await g.open("Reply", {}, far(g, distance));
        const req = await g.open("Request");
        await link(rep, req);
        await assert.rejects(req.receive(1, way), zmq("EFSM"));
        await assert.rejects(rep.send(["early"], way), zmq("EFSM"));
        await req.send(["one"], way);
        await assert.rejects(req.send(["two"], way), zmq("EFSM"));
        assert.deepEqual(await rep.receive(1, way), ["one"]);
        await assert.rejects(rep.receive(1, way), zmq("EFSM"));
        await rep.send(["reply"], way);
        await assert.rejects(rep.send(["again"], way), zmq("EFSM"));
        assert.deepEqual(await req.receive(1, way), ["reply"]);
        await assert.rejects(req.receive(1, way), zmq("EFSM"));
      });

      play("REP: SHALL receive fairly, and reply to whom the request is from", async (g) => {
        const rep = await g.open("Reply");
        await rep.bind(NAME);
        const reqs = await several(g, 5, "Request", far(g, distance));
        for (const round of [0, 1]) {
          for (const [index, req] of reqs.entries()) await req.send([`${round}${index}`], way);
          const order: string[] = [];
          for (const _ of reqs) {
            const [request] = await rep.receive(1, way);
            order.push(request as string);
            await rep.send([`re ${request}`], way);
          }
          assert.deepEqual(
            order,
            reqs.map((_, index) => `${round}${index}`),
          );
          for (const [index, req] of reqs.entries()) {
            assert.deepEqual(await req.receive(1, way), [`re ${round}${index}`]);
          }
        }
      });

      play("REP: SHALL keep the envelope and put it before the reply", async (g) => {
        const rep = await g.open("Reply");
        await rep.bind(NAME);
        const [dealer] = await several(g, 1, "Dealer", far(g, distance));
        for (const envelope of [[""], ["X", "Y", ""]]) {
          await dealer?.send([[...envelope, "A", ""]], way);
          assert.deepEqual(await rep.receive(1, way), ["A|"]);
          await rep.send([["B", "C"]], way);
          assert.deepEqual(await dealer?.receive(1, way), [[...envelope, "B", "C"].join("|")]);
        }
      });

      play("REP: SHALL ignore what has no envelope, or nothing in it", async (g) => {
        const rep = await g.open("Reply");
        await rep.bind(NAME);
        const [dealer] = await several(g, 1, "Dealer", far(g, distance));
        await dealer?.send(["bare", ["no", "empty", "part"], ["only", ""], "", ["", "A"]], way);
        assert.deepEqual(await rep.receive(1, way), ["A"]);
      });

      play("REP: SHALL discard the reply if whoever has asked has gone", async (g) => {
        const rep = await g.open("Reply");
        await rep.bind(NAME);
        const [gone, other] = await several(g, 2, "Request", far(g, distance));
        await gone?.send(["1"], way);
        assert.deepEqual(await rep.receive(1, way), ["1"]);
        await gone?.close();
        await rep.send(["nobody hears it"], way);
        assert.equal((await rep.call("stats")).dropped, 1);
        await other?.send(["2"], way);
        assert.deepEqual(await rep.receive(1, way), ["2"]);
        await rep.send(["heard"], way);
        assert.deepEqual(await other?.receive(1, way), ["heard"]);
      });

      play("DEALER: SHALL route to its peers using round-robin", async (g) => {
        const dealer = await g.open("Dealer");
        await dealer.bind(NAME);
        const reps = await several(g, 5, "Reply", far(g, distance));
        await dealer.send(
          LETTERS.map((letter) => ["", letter]),
          way,
        );
        for (const [index, rep] of reps.entries()) {
          assert.deepEqual(await rep.receive(1, way), [LETTERS[index]]);
          assert.equal((await rep.call("stats")).queuedIn, 0);
        }
      });

      play("DEALER: SHALL receive from its peers using fair-queuing", async (g) => {
        const dealer = await g.open("Dealer");
        await dealer.bind(NAME);
        const others = await several(g, 5, "Dealer", far(g, distance));
        for (const [index, other] of others.entries()) {
          await other.send([`first ${index}`, [`second ${index}`, ""]], way);
        }
        const got = await dealer.receive(10, way);
        const firsts = LETTERS.map((_, index) => `first ${index}`);
        const seconds = LETTERS.map((_, index) => `second ${index}|`);
        assert.deepEqual([got.slice(0, 5).sort(), got.slice(5).sort()], [firsts, seconds]);
      });

      play("ROUTER: SHALL receive fairly, and prepend the id of the sender", async (g) => {
        const router = await g.open("Router");
        await router.bind(NAME);
        const dealers = await several(g, 5, "Dealer", far(g, distance), (index) => ({
          routingId: LETTERS[index],
        }));
        await dealers[0]?.send(["warm", "up"], way);
        assert.deepEqual(await router.receive(2, way), ["A|warm", "A|up"]);
        for (const dealer of dealers) await dealer.send([["M", ""], "N"], way);
        const got = await router.receive(10, way);
        assert.deepEqual(
          got.slice(0, 5).sort(),
          LETTERS.map((letter) => `${letter}|M|`),
        );
        assert.deepEqual(
          got.slice(5).sort(),
          LETTERS.map((letter) => `${letter}|N`),
        );
      });

      play("ROUTER: SHALL route by the first part, and take it away", async (g) => {
        const router = await g.open("Router");
        await router.bind(NAME);
        const dealers = await several(g, 5, "Dealer", far(g, distance), (index) => ({
          routingId: LETTERS[index],
        }));
        await router.send(
          [...LETTERS].reverse().map((letter) => [letter, "to", letter]),
          way,
        );
        for (const [index, dealer] of dealers.entries()) {
          assert.deepEqual(await dealer.receive(1, way), [`to|${LETTERS[index]}`]);
        }
      });

      play("ROUTER: SHALL make up a unique id for a peer that has none", async (g) => {
        const router = await g.open("Router");
        await router.bind(NAME);
        const dealers = await several(g, 5, "Dealer", far(g, distance));
        for (const [index, dealer] of dealers.entries()) await dealer.send([`${index}`], way);
        const ids = new Map<string, Uint8Array>();
        for (const _ of dealers) {
          const [id, body] = await router.call("receive");
          assert.deepEqual([id.length, id[0]], [5, 0]);
          ids.set(Buffer.from(id).toString("hex"), body);
          await router.call("send", [id, body]);
        }
        assert.equal(ids.size, 5);
        for (const [index, dealer] of dealers.entries()) {
          assert.deepEqual(await dealer.receive(1, way), [`${index}`]);
        }
      });
    });
  }

  describe(distance, () => {
    for (const kind of ["Request", "Dealer"] as const) {
      play(`${kind}: SHALL block on sending, or fail, when it has no peers`, async (g) => {
        const socket = await g.open(kind, { sendTimeout: 20 }, far(g, distance));
        assert.equal(await socket.call("trySend", "ABC"), false);
        await assert.rejects(socket.call("sendSync", "ABC", { timeout: 0 }), zmq("EAGAIN"));
        await assert.rejects(socket.call("send", "ABC"), zmq("EAGAIN"));
        await assert.rejects(socket.call("sendSync", "ABC"), zmq("EAGAIN"));
      });
    }

    for (const kind of ["Reply", "Dealer", "Router"] as const) {
      play(`${kind}: SHALL block on receiving, or fail, when it has no peers`, async (g) => {
        const socket = await g.open(kind, { receiveTimeout: 20 }, far(g, distance));
        assert.equal(await socket.call("tryReceive"), undefined);
        await assert.rejects(socket.call("receiveSync", { timeout: 0 }), zmq("EAGAIN"));
        await assert.rejects(socket.call("receive"), zmq("EAGAIN"));
        await assert.rejects(socket.call("receiveSync"), zmq("EAGAIN"));
      });
    }

    play("REQ: SHALL NOT discard a request that it cannot queue", async (g) => {
      const rep = await g.open("Reply", {}, far(g, distance));
      const req = await g.open("Request");
      const sent = req.send(["waits"]);
      await link(rep, req);
      await sent;
      assert.deepEqual(await rep.receive(1), ["waits"]);
    });

    play("DEALER: SHALL NOT discard messages that it cannot queue", async (g) => {
      const one = await g.open("Dealer", { receiveHighWaterMark: 1 }, far(g, distance));
      const other = await g.open("Dealer", { sendHighWaterMark: 1 });
      await link(one, other);
      const all = Array.from({ length: 50 }, (_, i) => `${i}`);
      const sent = other.send(all);
      assert.deepEqual(await one.receive(50), all);
      await sent;
    });

    play("DEALER: SHALL consider a peer as available only when it has room", async (g) => {
      const dealer = await g.open("Dealer", { sendHighWaterMark: 1 });
      await dealer.bind(NAME);
      const place = far(g, distance);
      const [narrow, wide] = await several(g, 2, "Dealer", place, (index) => ({
        receiveHighWaterMark: index === 0 ? 1 : 5,
      }));
      assert.equal(await dealer.fill(), 8); // 1 + 1 for the one, 1 + 5 for the other.
      assert.deepEqual(await narrow?.drain(), ["fill0", "fill2"]);
      assert.equal((await wide?.drain())?.length, 6);
    });

    play("ROUTER: SHALL drop what is for nobody, or for a peer without room", async (g) => {
      const router = await g.open("Router", { sendHighWaterMark: 1 });
      await router.bind(NAME);
      const [dealer] = await several(g, 1, "Dealer", far(g, distance), () => ({
        routingId: "X",
        receiveHighWaterMark: 1,
      }));
      await router.send([
        ["nobody", "0"],
        ["X", "1"],
        ["X", "2"],
        ["X", "3"],
      ]);
      assert.deepEqual(await dealer?.receive(2), ["1", "2"]);
      assert.equal((await router.call("stats")).dropped, 2);
    });

    play("REP: SHALL NOT block: a reply without room is dropped, and counted", async (g) => {
      const rep = await g.open("Reply", { sendHighWaterMark: 1 });
      await rep.bind(NAME);
      const [dealer] = await several(g, 1, "Dealer", far(g, distance), () => ({
        receiveHighWaterMark: 1,
      }));
      for (let i = 0; i < 6; i++) {
        await dealer?.send([["", `${i}`]]);
        await rep.receive(1);
        await rep.send([`${i}`]);
      }
      assert.deepEqual(await dealer?.receive(2), ["|0", "|1"]);
      assert.equal((await rep.call("stats")).dropped, 4);
    });
  });
}
