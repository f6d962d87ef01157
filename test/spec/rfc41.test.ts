// SPDX-License-Identifier: MIT

/**
 * RFC 41, "CLISRV": CLIENT and SERVER; RFC 51, "P2P": PEER. What a SERVER does a PEER does too, so
 * both are tried with each claim.
 */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { type Actor, DISTANCES, far, type Ground, play, zmq } from "../support/ground.ts";
import { forward, link, NAME, ORDERS, rebind, several } from "../support/links.ts";
import { WAYS } from "../support/stage.ts";

const PAIRS = [
  ["Server", "Client"],
  ["Peer", "Peer"],
] as const;

/** Message and sender's number. */
async function take(server: Actor): Promise<[text: string, routingId: number]> {
  const [part, { routingId }] = await server.call("receive");
  return [Buffer.from(part).toString(), routingId];
}

/** To whom a CLIENT or PEER sends: a PEER by the number it had when it connected. */
async function speak(g: Ground, kind: "Client" | "Peer", place = g.here, options = {}) {
  const socket = await g.open(kind, options, place);
  let to = {};
  if (kind === "Client") await socket.connect(NAME);
  else to = { routingId: await socket.call("connectPeer", NAME) };
  return { socket, to };
}

for (const [serving, asking] of PAIRS) {
  for (const distance of DISTANCES) {
    for (const way of WAYS) {
      describe(`${serving} and ${asking}, ${distance}, by ${way}`, () => {
        play("SHALL receive fairly, and say whom each message is from", async (g) => {
          const server = await g.open(serving);
          await server.bind(NAME);
          const place = far(g, distance);
          const all: Awaited<ReturnType<typeof speak>>[] = [];
          for (let i = 0; i < 5; i++) all.push(await speak(g, asking, place));
          for (const [i, { socket, to }] of all.entries()) {
            await socket.send([`1.${i}`, `2.${i}`], way, to);
          }
          const got = (await server.receive(10, way)).map((message) => message.split("|"));
          const rounds = got.map(([text]) => text?.[0]).join("");
          assert.equal(rounds, "1111122222");
          const numbers = new Map(got.map(([text, number]) => [text?.slice(2), Number(number)]));
          assert.equal(new Set(numbers.values()).size, 5);
          for (const [i, { socket }] of all.entries()) {
            const routingId = numbers.get(`${i}`) as number;
            assert.ok(routingId > 0 && routingId < 2 ** 32);
            await server.send([`re ${i}`], way, { routingId });
            assert.match((await socket.receive(1, way))[0] as string, new RegExp(`^re ${i}`));
          }
        });
      });
    }

    describe(`${serving} and ${asking}, ${distance}`, () => {
      play("SHALL fail with EHOSTUNREACH if nobody has that routingId", async (g) => {
        const server = await g.open(serving, {}, far(g, distance));
        await server.bind(NAME);
        const to = { routingId: 12345 };
        for (const method of ["send", "sendSync", "trySend"]) {
          await assert.rejects(server.call(method, "X", to), zmq("EHOSTUNREACH", NAME));
        }
        await assert.rejects(server.call("send", "X"), zmq("EINVAL"));
      });

      play("I2: SHALL fail with EHOSTUNREACH when that peer has gone", async (g) => {
        const server = await g.open(serving);
        await server.bind(NAME);
        const { socket, to } = await speak(g, asking, far(g, distance));
        await socket.send(["1", "2"], "promise", to);
        const [, routingId] = await take(server);
        await socket.close();
        await assert.rejects(server.call("send", "X", { routingId }), zmq("EHOSTUNREACH"));
        assert.deepEqual(await take(server), ["2", routingId], "what it had sent is received");
      });

      play("I2: a send that waits for room is told when the peer goes", async (g) => {
        const server = await g.open(serving, { sendHighWaterMark: 1 });
        await server.bind(NAME);
        const options = { receiveHighWaterMark: 1 };
        const { socket, to } = await speak(g, asking, far(g, distance), options);
        await socket.send(["1", "2"], "promise", to);
        const [, routingId] = await take(server);
        for (let i = 0; i < 2; i++) await server.call("send", `${i}`, { routingId });
        assert.equal(await server.call("trySend", "2", { routingId }), false);
        const waiting = assert.rejects(
          server.call("send", "2", { routingId }),
          zmq("EHOSTUNREACH"),
        );
        await socket.close();
        await waiting;
      });

      play("I2: and when its own socket lets go of the peer, with messages unread", async (g) => {
        const server = await g.open(serving, { sendHighWaterMark: 1 });
        await server.bind(NAME);
        const options = { receiveHighWaterMark: 1 };
        const { socket, to } = await speak(g, asking, far(g, distance), options);
        await socket.send(["1", "2"], "promise", to);
        const [, routingId] = await take(server);
        for (let i = 0; i < 2; i++) await server.call("send", `${i}`, { routingId });
        const waiting = assert.rejects(
          server.call("send", "2", { routingId }),
          zmq("EHOSTUNREACH"),
        );
        await server.call("unbindSync", NAME);
        await waiting;
        assert.deepEqual(await take(server), ["2", routingId]);
      });
    });
  }
}

for (const distance of DISTANCES) {
  describe(`CLIENT, ${distance}`, () => {
    play("SHALL route to its peers using round-robin, and receive from all fairly", async (g) => {
      const client = await g.open("Client");
      await client.bind(NAME);
      const servers = await several(g, 3, "Server", far(g, distance));
      await client.send(["0", "1", "2", "3", "4", "5"]);
      for (const [index, server] of servers.entries()) {
        const [first, routingId] = await take(server);
        assert.deepEqual([first, (await take(server))[0]], [`${index}`, `${index + 3}`]);
        for (const round of ["a", "b"])
          await server.call("send", `${round}${index}`, { routingId });
      }
      const got = await client.receive(6);
      assert.deepEqual(
        [got.slice(0, 3).sort(), got.slice(3).sort()],
        [
          ["a0", "a1", "a2"],
          ["b0", "b1", "b2"],
        ],
      );
    });

    play("SHALL block on sending, or fail, when it has no peer", async (g) => {
      const client = await g.open("Client", { sendTimeout: 20 }, far(g, distance));
      assert.equal(await client.call("trySend", "ABC"), false);
      await assert.rejects(client.call("send", "ABC"), zmq("EAGAIN"));
      await assert.rejects(client.call("sendSync", "ABC"), zmq("EAGAIN"));
    });
  });

  describe(`PEER, ${distance}`, () => {
    for (const order of ORDERS) {
      play(`SHALL know at once how to call whom it connects to, ${order}`, async (g) => {
        const other = await g.open("Peer", {}, far(g, distance));
        const peer = await g.open("Peer");
        if (order === "bind first") await other.bind(NAME);
        const routingId = await peer.call("connectPeer", NAME);
        await peer.send(["hello"], "promise", { routingId });
        if (order === "connect first") await other.bind(NAME);
        const [text, theirs] = await take(other);
        assert.equal(text, "hello");
        await other.send(["answer"], "promise", { routingId: theirs });
        assert.deepEqual(await take(peer), ["answer", routingId]);
      });
    }

    play(
      "test_peer_disconnect: the link ends, from either end, and what had come stays",
      async (g) => {
        const other = await g.open("Peer", {}, far(g, distance));
        await other.bind(NAME);
        for (const end of ["connecter", "binder"]) {
          const peer = await g.open("Peer");
          const mine = await peer.call("connectPeer", NAME);
          await peer.send(["1", "2"], "promise", { routingId: mine });
          const [, theirs] = await take(other);
          await other.send(["unread"], "promise", { routingId: theirs });
          const [socket, routingId] = end === "connecter" ? [peer, mine] : [other, theirs];
          await socket.call("disconnectPeer", routingId);
          await assert.rejects(socket.call("disconnectPeer", routingId), zmq("EHOSTUNREACH"));
          const to = { routingId };
          await assert.rejects(socket.call("send", "X", to), zmq("EHOSTUNREACH"));
          assert.equal((await take(other))[0], "2");
          if (end === "binder")
            await assert.rejects(peer.call("receive"), zmq("EHOSTUNREACH", NAME));
          assert.equal((await take(peer))[0], "unread");
          await peer.close();
        }
      },
    );
  });
}

play("C1: a CLIENT binds again and again, between threads: it gets its answers", async (g) => {
  await rebind(g, "Server", "Client", (server) => forward(server, server));
});

play("C1: a PEER binds again and again, between threads: messages go both ways", async (g) => {
  const peer = await g.open("Peer");
  const routingId = await peer.call("connectPeer", NAME);
  const other = await g.open("Peer", {}, g.thread());
  for (let round = 0; round < 200; round++) {
    await other.bind(NAME);
    await peer.send([`${round}`], "promise", { routingId });
    const [text, theirs] = await take(other);
    await other.send([text], "promise", { routingId: theirs });
    assert.deepEqual(await take(peer), [`${round}`, routingId]);
    await other.call("unbindSync", NAME);
  }
});

describe("test_client_server", () => {
  play("several parts are an EINVAL on both", async (g) => {
    const server = await g.open("Server");
    const client = await g.open("Client");
    await link(server, client);
    await assert.rejects(client.call("send", ["X", "Y"]), zmq("EINVAL"));
    await client.send(["X"]);
    const [text, routingId] = await take(server);
    assert.equal(text, "X");
    await assert.rejects(server.call("send", ["X", "Y"], { routingId }), zmq("EINVAL"));
    await server.send(["Z"], "promise", { routingId });
    assert.deepEqual(await client.receive(1), ["Z"], "a CLIENT is told no number");
  });
});
