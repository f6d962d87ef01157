// SPDX-License-Identifier: MIT

/**
 * RFC 31, "EXPAIR", and RFC 52, "CHANNEL": PAIR and CHANNEL on inproc, which differ only in that a
 * message of a CHANNEL has one part. By each way to send and receive.
 */
import assert from "node:assert/strict";
import { describe } from "node:test";
import {
  type Actor,
  DISTANCES,
  far,
  type Ground,
  type Place,
  play,
  zmq,
} from "../support/ground.ts";
import { link, NAME, ORDERS } from "../support/links.ts";
import { WAYS } from "../support/stage.ts";

const KINDS = ["Pair", "Channel"] as const;
type Kind = (typeof KINDS)[number];

async function two(g: Ground, kind: Kind, place: Place, options = {}): Promise<[Actor, Actor]> {
  return [await g.open(kind, options, place), await g.open(kind, options)];
}

for (const kind of KINDS) {
  for (const distance of DISTANCES) {
    for (const way of WAYS) {
      describe(`${kind}, ${distance}, by ${way}`, () => {
        play("SHALL send and receive in any order, both ways, in order", async (g) => {
          const [a, b] = await two(g, kind, far(g, distance));
          await link(a, b);
          for (const [from, to] of [
            [a, b],
            [b, a],
          ] as const) {
            await from.send(["1", "", "3"], way);
            assert.deepEqual(await to.receive(3, way), ["1", "", "3"]);
          }
        });
      });
    }

    describe(`${kind}, ${distance}`, () => {
      play("SHALL block on sending, or fail, when it has no peer; and on receiving", async (g) => {
        const place = far(g, distance);
        const socket = await g.open(kind, { sendTimeout: 20, receiveTimeout: 20 }, place);
        assert.equal(await socket.call("trySend", "ABC"), false);
        assert.equal(await socket.call("tryReceive"), undefined);
        for (const method of ["send", "sendSync"]) {
          await assert.rejects(socket.call(method, "ABC"), zmq("EAGAIN"));
        }
        for (const method of ["receive", "receiveSync"]) {
          await assert.rejects(socket.call(method), zmq("EAGAIN"));
        }
      });

      play(
        "SHALL block on sending, or fail, when its peer has no room; nothing is lost",
        async (g) => {
          const options = { sendHighWaterMark: 1, receiveHighWaterMark: 1 };
          const [a, b] = await two(g, kind, far(g, distance), options);
          await link(a, b);
          assert.equal(await b.fill(), 2);
          const sent = b.send(["last"]);
          assert.deepEqual(await a.receive(3), ["fill0", "fill1", "last"]);
          await sent;
        },
      );

      play("SHALL have one peer; a second is refused, and told so", async (g) => {
        const place = far(g, distance);
        const [a, b] = await two(g, kind, place);
        await link(a, b);
        const second = await g.open(kind);
        const told = (async () => {
          await second.connect(NAME);
          await second.call("receive");
        })();
        await assert.rejects(told, zmq("EADDRINUSE", NAME));
        await b.send(["first"]);
        assert.deepEqual(await a.receive(1), ["first"]);
        await b.close();
        await a.call("stats"); // Now it has heard of that.
        await second.connect(NAME);
        await second.send(["second"]);
        assert.deepEqual(await a.receive(1), ["second"]);
      });

      for (const order of ORDERS) {
        play(`SHALL NOT connect to a second peer itself, ${order}`, async (g) => {
          const [a, b] = await two(g, kind, far(g, distance));
          await link(a, b, order);
          await assert.rejects(b.connect("inproc://other"), zmq("EADDRINUSE", "inproc://other"));
          await b.call("disconnect", NAME);
          await b.connect("inproc://other");
          await a.bind("inproc://other");
          await b.send(["there"]);
          assert.deepEqual(await a.receive(1), ["there"]);
        });
      }
    });
  }

  play(`${kind}: of two that wait for a bind, the first gets it`, async (g) => {
    const [first, second] = await two(g, kind, g.here);
    await first.connect(NAME);
    await second.connect(NAME);
    await second.send(["lost"]);
    const binder = await g.open(kind);
    await binder.bind(NAME);
    await first.send(["mine"]);
    assert.deepEqual(await binder.drain(), ["mine"]);
    assert.equal((await second.call("stats")).dropped, 1, "what it had sent is accounted for");
    await assert.rejects(second.call("receive"), zmq("EADDRINUSE", NAME));
    await assert.rejects(second.call("receive", { timeout: 0 }), zmq("EAGAIN"), "it is told once");
  });

  play(
    `${kind}: a peer that was let go of makes room, though it has messages to read`,
    async (g) => {
      const [a, b] = await two(g, kind, g.here);
      await link(a, b);
      await a.send(["unread"]);
      await b.call("disconnect", NAME);
      await b.connect(NAME);
      await a.send(["new"]);
      await b.send(["back"]);
      assert.deepEqual([await b.drain(), await a.drain()], [["unread", "new"], ["back"]]);
    },
  );
}

describe("test_pair_inproc", () => {
  play("bounce: two parts there and back", async (g) => {
    const [a, b] = await two(g, "Pair", g.here);
    await link(a, b);
    const text = "12345678ABCDEFGH12345678abcdefgh";
    await b.send([[text, text]]);
    assert.deepEqual(await a.receive(1), [`${text}|${text}`]);
    await a.send([["foo", "foobar"]]);
    assert.deepEqual(await b.receive(1), ["foo|foobar"]);
  });
});

describe("test_channel", () => {
  play("several parts, or none, are an EINVAL, and nothing is sent", async (g) => {
    const [a, b] = await two(g, "Channel", g.here);
    await link(a, b);
    for (const parts of [["HELLO", "WORLD"], []]) {
      for (const method of ["send", "sendSync", "trySend"]) {
        await assert.rejects(b.call(method, parts), zmq("EINVAL"));
      }
    }
    await assert.rejects(b.call("sendMany", [["one"], ["t", "wo"], ["three"]]), (error: any) => {
      return zmq("EINVAL")(error) && error.accepted === 1;
    });
    assert.deepEqual(await a.drain(), ["one"]);
  });
});
