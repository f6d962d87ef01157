// SPDX-License-Identifier: MIT

/** RFC 49, "SCATTER-GATHER": SCATTER and GATHER, which are PUSH and PULL for one part. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { DISTANCES, far, play, zmq } from "../support/ground.ts";
import { link, NAME, several } from "../support/links.ts";
import { WAYS } from "../support/stage.ts";

for (const distance of DISTANCES) {
  for (const way of WAYS) {
    describe(`${distance}, by ${way}`, () => {
      play("SCATTER: SHALL route to its peers using round-robin", async (g) => {
        const scatter = await g.open("Scatter");
        await scatter.bind(NAME);
        const gathers = await several(g, 5, "Gather", far(g, distance));
        await scatter.send(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"], way);
        for (const [index, gather] of gathers.entries()) {
          assert.deepEqual(await gather.receive(2, way), [`${index}`, `${index + 5}`]);
          assert.deepEqual(await gather.drain(), []);
        }
      });

      play("GATHER: SHALL receive from its peers using fair-queuing", async (g) => {
        const gather = await g.open("Gather");
        await gather.bind(NAME);
        const scatters = await several(g, 5, "Scatter", far(g, distance));
        for (const scatter of scatters) await scatter.send(["first", "second"], way);
        const got = await gather.receive(10, way);
        assert.deepEqual(got, [...Array(5).fill("first"), ...Array(5).fill("second")]);
      });
    });
  }

  describe(distance, () => {
    play("SCATTER: SHALL block on sending, or fail, when it has no peers", async (g) => {
      const scatter = await g.open("Scatter", { sendTimeout: 20 }, far(g, distance));
      assert.equal(await scatter.call("trySend", "ABC"), false);
      await assert.rejects(scatter.call("send", "ABC"), zmq("EAGAIN"));
      await assert.rejects(scatter.call("sendSync", "ABC"), zmq("EAGAIN"));
    });

    play("SCATTER: SHALL NOT discard messages that it cannot queue", async (g) => {
      const gather = await g.open("Gather", { receiveHighWaterMark: 1 }, far(g, distance));
      const scatter = await g.open("Scatter", { sendHighWaterMark: 1 });
      await link(gather, scatter);
      const all = Array.from({ length: 50 }, (_, i) => `${i}`);
      const sent = scatter.send(all);
      assert.deepEqual(await gather.receive(50), all);
      await sent;
    });

    play("SCATTER: several parts are an EINVAL, and nothing is sent", async (g) => {
      const gather = await g.open("Gather", {}, far(g, distance));
      const scatter = await g.open("Scatter");
      await link(gather, scatter);
      await assert.rejects(scatter.call("send", ["1", "2"]), zmq("EINVAL"));
      await scatter.send([["one"]]);
      assert.deepEqual(await gather.receive(1), ["one"]);
    });
  });
}
