// SPDX-License-Identifier: MIT

/**
 * RFC 48, "RADIO-DISH", on inproc: each SHALL that such a socket can show, within one thread and
 * between threads, by promises, by blocking calls, and by attempts and batches. After it, the cases
 * of libzmq's own test suite.
 */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { type Actor, DISTANCES, far, play, zmq } from "../support/ground.ts";
import { link, NAME, ORDERS, several } from "../support/links.ts";
import { WAYS } from "../support/stage.ts";

const TV = { group: "TV" };
const MOVIES = { group: "Movies" };

/** What has come, with its group. */
async function drain(dish: Actor): Promise<string[]> {
  const got: string[] = [];
  for (;;) {
    const message = await dish.call("tryReceive");
    if (message === undefined) return got;
    got.push(`${message[1].group}: ${Buffer.from(message[0])}`);
  }
}

for (const distance of DISTANCES) {
  for (const way of WAYS) {
    for (const order of ORDERS) {
      describe(`${distance}, by ${way}, ${order}`, () => {
        play("RADIO: SHALL send to all DISHes that have joined exactly the group", async (g) => {
          const radio = await g.open("Radio");
          const dish = await g.open("Dish", {}, far(g, distance));
          await link(radio, dish, order);
          const [other] = (await several(g, 1, "Dish")) as [Actor];
          await dish.call("join", "Movies", "");
          await other.call("join", "TV", "Movies");
          await radio.send(["nobody's"], way, { group: "Mov" });
          await radio.send(["Friends"], way, TV);
          await radio.send(["Godfather", ""], way, MOVIES);
          await radio.send(["to all"], way, { group: "" });
          assert.deepEqual(await drain(dish), ["Movies: Godfather", "Movies: ", ": to all"]);
          const heard = ["TV: Friends", "Movies: Godfather", "Movies: "];
          assert.deepEqual(await drain(other), heard);
        });

        play("DISH: each of many that are received at once has its group", async (g) => {
          const radio = await g.open("Radio");
          const dish = await g.open("Dish", {}, far(g, distance));
          await link(radio, dish, order);
          await dish.call("join", "TV", "Movies");
          for (const text of ["a", "b", "c"]) await radio.send([text], way, TV);
          await radio.send(["d"], way, MOVIES);
          const heard: string[] = [];
          while (heard.length < 4) {
            for (const [part, { group }] of await dish.call("receiveMany", 10)) {
              heard.push(`${group}: ${Buffer.from(part)}`);
            }
          }
          assert.deepEqual(heard, ["TV: a", "TV: b", "TV: c", "Movies: d"]);
        });

        play(
          "DISH: SHALL receive from its RADIOs fairly; join and leave at any time",
          async (g) => {
            const dish = await g.open("Dish");
            const radio = await g.open("Radio", {}, far(g, distance));
            await link(dish, radio, order);
            const [other] = (await several(g, 1, "Radio", far(g, distance))) as [Actor];
            await dish.call("join", "TV");
            for (const [i, one] of [radio, other].entries()) {
              await one.send([`a${i}`, `b${i}`], way, TV);
            }
            const got = (await drain(dish)).map((text) => text.slice(0, 5));
            assert.deepEqual(got, ["TV: a", "TV: a", "TV: b", "TV: b"]);
            await dish.call("join", "Movies");
            await radio.send(["M"], way, MOVIES);
            assert.deepEqual(await drain(dish), ["Movies: M"]);
            await radio.send(["left in the queue"], way, MOVIES);
            await dish.call("leave", "Movies");
            await radio.send(["M"], way, MOVIES);
            await radio.send(["T"], way, TV);
            assert.deepEqual(await drain(dish), ["TV: T"]);
          },
        );
      });
    }
  }

  describe(distance, () => {
    play("RADIO: SHALL drop the message if the queue for a DISH is full", async (g) => {
      const radio = await g.open("Radio", { sendHighWaterMark: 1 });
      await radio.bind(NAME);
      const dish = await g.open("Dish", { receiveHighWaterMark: 2 }, far(g, distance));
      await dish.connect(NAME);
      await dish.call("join", "TV");
      await radio.send(["0", "1", "2", "3", "4"], "promise", TV);
      assert.deepEqual(await drain(dish), ["TV: 0", "TV: 1", "TV: 2"]);
      assert.deepEqual(g.conserved(), { sent: 5, received: 3, queued: 0, dropped: 2 });
    });

    play("RADIO with noDrop: waits while a DISH that has joined is full", async (g) => {
      const radio = await g.open("Radio", { sendHighWaterMark: 1, noDrop: true });
      await radio.bind(NAME);
      const options = () => ({ receiveHighWaterMark: 1 });
      const dishes = await several(g, 2, "Dish", far(g, distance), options);
      const [dish, other] = dishes as [Actor, Actor];
      await dish.call("join", "TV");
      await other.call("join", "TV", "Movies");
      await radio.send(["0", "1"], "promise", TV);
      assert.equal(await radio.call("trySend", "2", TV), false);
      const waiting = radio.send(["2"], "promise", TV);
      assert.deepEqual(await drain(other), ["TV: 0", "TV: 1"]);
      assert.equal((await dish.call("receive"))[1].group, "TV");
      await waiting;
      assert.deepEqual(await drain(dish), ["TV: 1", "TV: 2"]);
      assert.deepEqual(await drain(other), ["TV: 2"]);
      assert.equal(g.conserved().dropped, 0);
    });

    play("RADIO: SHALL send messages of one part only, each with its group", async (g) => {
      const radio = await g.open("Radio", {}, far(g, distance));
      await radio.bind(NAME);
      await assert.rejects(radio.call("send", ["a", "b"], TV), zmq("EINVAL"));
      await assert.rejects(radio.call("sendSync", [], TV), zmq("EINVAL"));
      for (const bad of [
        undefined,
        {},
        { group: 1 },
        { group: "x".repeat(256) },
        { group: null },
      ]) {
        await assert.rejects(radio.call("send", "a", bad), zmq("EINVAL"));
        await assert.rejects(radio.call("trySend", "a", bad), zmq("EINVAL"));
        await assert.rejects(radio.call("sendMany", ["a"], bad), zmq("EINVAL"));
      }
      assert.equal(await radio.call("trySend", ["a"], { group: "é".repeat(127) }), true);
    });
  });
}

describe("libzmq's suite", () => {
  play("test_radio_dish: join twice, leave unjoined, too long: EINVAL", async (g) => {
    const dish = await g.open("Dish");
    await dish.call("join", "Movies");
    await assert.rejects(dish.call("join", "Movies"), zmq("EINVAL"));
    await assert.rejects(dish.call("leave", "TV"), zmq("EINVAL"));
    await assert.rejects(dish.call("join", "x".repeat(256)), zmq("EINVAL"));
    await assert.rejects(dish.call("join", 7), zmq("EINVAL"));
    await dish.call("join", "x".repeat(255), "Eighteen letters..");
    await assert.rejects(dish.call("join", "A", "A"), zmq("EINVAL"));
    await assert.rejects(dish.call("leave", "Movies", "TV"), zmq("EINVAL"));
    await dish.call("join", "A"); // Nothing was joined by the call that failed,
    await dish.call("leave", "Movies"); // nor left.
  });

  play("groups are compared byte by byte", async (g) => {
    const radio = await g.open("Radio");
    await radio.bind(NAME);
    const [dish] = (await several(g, 1, "Dish")) as [Actor];
    await dish.call("join", "\uFEFFTV");
    await radio.send(["no"], "promise", TV);
    await radio.send(["yes"], "promise", { group: "\uFEFFTV" });
    assert.deepEqual(await drain(dish), ["\uFEFFTV: yes"]);
    await dish.call("join", "TV");
  });

  play(
    "a DISH is told of its groups again by nobody: it tells each RADIO that comes",
    async (g) => {
      const dish = await g.open("Dish");
      await dish.connect(NAME);
      await dish.call("join", "TV");
      for (let round = 0; round < 3; round++) {
        const radio = await g.open("Radio", {}, round === 1 ? g.thread() : g.here);
        await radio.bind(NAME);
        await radio.send([`${round}`], "promise", TV);
        await radio.send(["M"], "promise", MOVIES);
        assert.deepEqual(await drain(dish), [`TV: ${round}`]);
        await radio.close();
      }
    },
  );
});
