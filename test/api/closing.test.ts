// SPDX-License-Identifier: MIT

/** A socket that closes itself: calls that wait say that, and not what the close looks like. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Context, Dealer, Peer, Reply, Request, Router } from "threadmq";

const A = "inproc://a";

for (const [how, code] of [
  ["close", "EBADF"],
  ["terminate", "ETERM"],
] as const) {
  test(`${how}: a REQ that waits for its reply`, async () => {
    for (const isRead of [true, false]) {
      const context = new Context();
      const request = new Request({ context });
      const reply = new Reply({ context });
      reply.bindSync(A);
      request.connect(A);
      request.sendSync("?");
      if (isRead) reply.receiveSync();
      const told = assert.rejects(request.receive(), { code });
      if (how === "close") request.close();
      await Promise.all([told, how === "terminate" && context.terminate()]);
      if (how === "close" && !isRead) assert.equal(`${reply.receiveSync()}`, "?");
      await context.terminate();
    }
  });

  test(`${how}: a ROUTER or PEER that waits for room`, async () => {
    const context = new Context();
    const router = new Router({ context, mandatory: true, sendHighWaterMark: 1 });
    const dealer = new Dealer({ context, routingId: "d", receiveHighWaterMark: 1 });
    router.bindSync(A);
    dealer.connect(A);
    const peer = new Peer({ context, sendHighWaterMark: 1 });
    const other = new Peer({ context, receiveHighWaterMark: 1 });
    other.bindSync("inproc://b");
    const routingId = peer.connectPeer("inproc://b");
    while (router.trySend(["d", "x"]));
    while (peer.trySend("x", { routingId }));
    const told = [router.send(["d", "x"]), peer.send("x", { routingId })].map((sent) => {
      return assert.rejects(sent, { code });
    });
    if (how === "close") for (const socket of [router, peer]) socket.close();
    else await context.terminate();
    await Promise.all(told);
    await context.terminate();
  });
}
