// SPDX-License-Identifier: MIT

/**
 * RFC 29, "PUBSUB", for PUB, SUB, XPUB and XSUB on inproc: each SHALL that such a socket can show,
 * within one thread and between threads, by promises, by blocking calls, and by attempts and
 * batches. After it, the cases of libzmq's own test suite that concern publishing.
 */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { type Actor, DISTANCES, far, type Ground, play, zmq } from "../support/ground.ts";
import { forward, link, NAME, ORDERS, several } from "../support/links.ts";
import { type Kind, WAYS } from "../support/stage.ts";

const PUBLISHERS = ["Publisher", "XPublisher"] as const;
const SUBSCRIBERS = ["Subscriber", "XSubscriber"] as const;

/** Subscribes a SUB or an XSUB. */
async function subscribe(kind: Kind, subscriber: Actor, ...topics: string[]): Promise<void> {
  if (kind === "Subscriber") await subscriber.call("subscribe", ...topics);
  else await subscriber.send(topics.map((topic) => `\x01${topic}`));
}

async function unsubscribe(kind: Kind, subscriber: Actor, ...topics: string[]): Promise<void> {
  if (kind === "Subscriber") await subscriber.call("unsubscribe", ...topics);
  else await subscriber.send(topics.map((topic) => `\0${topic}`));
}

/** A publisher that is bound, and one subscriber. */
async function one(g: Ground, options: object = {}, kind: Kind = "Subscriber") {
  const xpub = await g.open("XPublisher", options);
  await xpub.bind(NAME);
  const sub = await g.open(kind);
  await sub.connect(NAME);
  return { xpub, sub };
}

for (const distance of DISTANCES) {
  for (const way of WAYS) {
    describe(`${distance}, by ${way}`, () => {
      for (const publisher of PUBLISHERS) {
        for (const subscriber of SUBSCRIBERS) {
          for (const order of ORDERS) {
            play(
              `${publisher}, ${subscriber}, ${order}: SHALL match the first part by prefix`,
              async (g) => {
                const pub = await g.open(publisher);
                const sub = await g.open(subscriber, {}, far(g, distance));
                await link(pub, sub, order);
                await subscribe(subscriber, sub, "A", "long topic", "é");
                const sent = [["A"], ["", "A"], ["AB", "x"], ["B", "A"], ["long topi"], ["éa", ""]];
                await pub.send(sent, way);
                assert.deepEqual(await sub.receive(3, way), ["A", "AB|x", "éa|"]);
                await subscribe(subscriber, sub, "");
                await pub.send([["B", "1"], [""]], way);
                assert.deepEqual(await sub.receive(2, way), ["B|1", ""]);
                await unsubscribe(subscriber, sub, "", "A");
                await pub.send(["A", "B", "é"], way);
                assert.deepEqual(await sub.receive(1, way), ["é"]);
                assert.deepEqual(await sub.drain(), []);
              },
            );
          }
        }
      }

      play("PUB: SHALL send each message to all who have subscribed, once each", async (g) => {
        const pub = await g.open("Publisher");
        await pub.bind(NAME);
        const subs = await several(g, 5, "Subscriber", far(g, distance));
        for (const [i, sub] of subs.entries()) {
          for (let n = 0; n <= i; n++) await sub.call("subscribe", "abcde".slice(0, n));
        }
        await pub.send(["abcde", "abx", "z"], way);
        for (const sub of subs) {
          assert.deepEqual(await sub.receive(3, way), ["abcde", "abx", "z"]);
          assert.deepEqual(await sub.drain(), []);
        }
      });

      play("SUB: SHALL receive from its publishers using a fair-queuing strategy", async (g) => {
        const sub = await g.open("Subscriber");
        await sub.bind(NAME);
        await sub.call("subscribe");
        const pubs = await several(g, 5, "Publisher", far(g, distance));
        for (const [i, pub] of pubs.entries()) await pub.send([`first ${i}`, `second ${i}`], way);
        const all = (what: string) => [0, 1, 2, 3, 4].map((i) => `${what} ${i}`);
        assert.deepEqual((await sub.receive(5, way)).sort(), all("first"));
        assert.deepEqual((await sub.receive(5, way)).sort(), all("second"));
      });

      play("XSUB: SHALL send other messages to all publishers; XPUB receives them", async (g) => {
        const xsub = await g.open("XSubscriber");
        await xsub.bind(NAME);
        const xpubs = await several(g, 3, "XPublisher", far(g, distance));
        const pub = await g.open("Publisher", {}, far(g, distance));
        await pub.connect(NAME);
        await xsub.send([["\x02A", "b"], [""], ["\x01T"], ["c", "\x01U", "d"]], way);
        for (const xpub of xpubs) {
          const got = await xpub.receive(5, way);
          assert.deepEqual(got, ["\x02A|b", "", "\x01T", "\x01U", "c|d"]);
        }
        await pub.send(["T", "U", "V"], way);
        assert.deepEqual(await xsub.receive(2, way), ["T", "U"]);
        assert.deepEqual(await xsub.drain(), []);
      });

      play("XPUB: SHALL hand (un)subscriptions to its application, in order", async (g) => {
        const { xpub, sub } = await one(g);
        await sub.call("subscribe", "A", "B");
        await sub.call("unsubscribe", "A");
        const topics = ["a".repeat(245), "b".repeat(246), "c".repeat(70_000)];
        for (const topic of topics) await sub.call("subscribe", topic);
        for (const topic of topics) await sub.call("unsubscribe", topic);
        const got = await xpub.receive(9, way);
        const long = [1, 0].flatMap((byte) => topics.map((t) => String.fromCharCode(byte) + t));
        assert.deepEqual(got, ["\x01A", "\x01B", "\0A", ...long]);
        await sub.close();
        assert.deepEqual(await xpub.receive(1, way), ["\0B"]);
        assert.deepEqual(await xpub.drain(), []);
      });
    });
  }

  describe(distance, () => {
    play("PUB: SHALL drop what nobody has subscribed to, and never waits", async (g) => {
      const pub = await g.open("Publisher", {}, far(g, distance));
      await pub.send(["A", "B"], "sync");
      await pub.bind(NAME);
      const sub = await g.open("Subscriber");
      await sub.connect(NAME);
      await pub.send(["A", "B"], "try");
      await pub.send(["A", "B"]);
      assert.deepEqual(await sub.drain(), []);
      await assert.rejects(sub.call("receiveSync", { timeout: 0 }), zmq("EAGAIN"));
      await assert.rejects(sub.call("receive", { timeout: 5 }), zmq("EAGAIN"));
      assert.equal(g.conserved().dropped, 0);
    });

    play("PUB: SHALL drop the message if the queue for a subscriber is full", async (g) => {
      const pub = await g.open("Publisher", { sendHighWaterMark: 3 });
      await pub.bind(NAME);
      const place = far(g, distance);
      const narrow = await g.open("Subscriber", { receiveHighWaterMark: 2 }, place);
      const wide = await g.open("Subscriber", { receiveHighWaterMark: 50 }, place);
      for (const sub of [narrow, wide]) {
        await sub.connect(NAME);
        await sub.call("subscribe");
      }
      await pub.send(Array.from({ length: 20 }, (_, i) => `${i}`));
      assert.deepEqual(await narrow.drain(), ["0", "1", "2", "3", "4"]);
      assert.equal((await wide.drain()).length, 20);
      assert.equal(g.conserved().dropped, 15);
    });

    play("SUB: SHALL count subscriptions: two to the same need two cancels", async (g) => {
      const { xpub, sub } = await one(g);
      await sub.call("subscribe", "A");
      await sub.call("subscribe", "A");
      await sub.call("unsubscribe", "A");
      await xpub.send(["A1"]);
      await sub.call("unsubscribe", "B"); // It was not there: that is nothing.
      assert.deepEqual(await sub.drain(), ["A1"]);
      await xpub.send(["A2"]);
      await sub.call("unsubscribe", "A"); // What has come by it alone is not received.
      await xpub.send(["A3"]);
      assert.deepEqual(await sub.drain(), []);
      assert.deepEqual(await xpub.drain(), ["\x01A", "\0A"]);
    });

    play("PUB: SHALL discard what subscribers send but subscriptions", async (g) => {
      const pub = await g.open("Publisher");
      await pub.bind(NAME);
      const xsub = await g.open("XSubscriber", { sendHighWaterMark: 2 }, far(g, distance));
      await xsub.connect(NAME);
      for (let i = 0; i < 3000; i++) assert.equal(await xsub.call("trySend", `${i}`), true);
      await xsub.send(["\x01A"]);
      await pub.send(["A"]);
      assert.deepEqual(await xsub.receive(1), ["A"]);
    });

    play("XSUB: drops what a publisher has no room for; it never waits", async (g) => {
      const xpub = await g.open("XPublisher", { receiveHighWaterMark: 2 }, far(g, distance));
      await xpub.bind(NAME);
      const xsub = await g.open("XSubscriber", { sendHighWaterMark: 3 });
      await xsub.connect(NAME);
      await xsub.send(Array.from({ length: 10 }, (_, i) => `${i}`));
      await xsub.send(["\x01A"]); // No watermark holds that up.
      assert.deepEqual(await xpub.drain(), ["0", "1", "2", "3", "4", "\x01A"]);
      await xsub.send(["more"]);
      assert.deepEqual(await xpub.drain(), ["more"]);
      assert.equal(g.conserved().dropped, 5);
    });

    play("PUB and SUB have no other direction", async (g) => {
      const pub = await g.open("Publisher", {}, far(g, distance));
      const sub = await g.open("Subscriber");
      const isMissing = ({ name }: Error) => name === "TypeError";
      await assert.rejects(pub.call("receive"), isMissing);
      await assert.rejects(sub.call("send", "A"), isMissing);
    });
  });
}

describe("libzmq's suite: life-cycle", () => {
  play("test_inproc_connect: what was published before a SUB binds is not for it", async (g) => {
    const pub = await g.open("Publisher");
    await pub.connect(NAME);
    await pub.send(["before"]);
    const sub = await g.open("Subscriber");
    await sub.call("subscribe");
    await sub.bind(NAME);
    await pub.send(["after"]);
    assert.deepEqual(await sub.receive(1), ["after"]);
  });

  play("test_disconnect_inproc: three publications between connect and disconnect", async (g) => {
    const xpub = await g.open("XPublisher");
    await xpub.bind(NAME);
    const sub = await g.open("Subscriber");
    await sub.call("subscribe", "foo");
    const heard: string[] = [];
    const received: string[] = [];
    for (let round = 0; round < 7; round++) {
      if (round === 1) await sub.connect(NAME);
      if (round === 4) await sub.call("disconnect", NAME);
      heard.push(...(await xpub.drain()));
      received.push(...(await sub.drain()));
      await xpub.send([["foo", `${round}`]]);
    }
    assert.deepEqual(received, ["foo|1", "foo|2", "foo|3"]);
    assert.deepEqual(heard, ["\x01foo", "\0foo"]);
  });

  play("test_shutdown_stress: a hundred SUBs connect and close at once", async (g) => {
    const pub = await g.open("Publisher", {}, g.thread());
    await pub.bind(NAME);
    for (let i = 0; i < 100; i++) {
      const sub = await g.open("Subscriber");
      await sub.connect(NAME);
      await sub.call("subscribe");
      await sub.close();
    }
    await pub.send(["nobody hears it"]);
  });
});

describe("libzmq's suite: watermarks", () => {
  for (const mark of [1000, 100]) {
    play(`test_hwm_pubsub: ${mark} and as many again are sent and received`, async (g) => {
      const { xpub, sub } = await one(g);
      await xpub.set("sendHighWaterMark", mark);
      await sub.set("receiveHighWaterMark", mark);
      await sub.call("subscribe", "");
      assert.deepEqual(await xpub.receive(1), ["\x01"]);
      for (let round = 0; round < 3; round++) {
        await xpub.send(Array.from({ length: mark }, (_, i) => `${i}`));
        assert.equal((await sub.drain()).length, mark);
      }
      assert.equal(await xpub.fill("x", 3 * mark), 3 * mark);
      assert.equal((await sub.drain()).length, 2 * mark);
    });
  }

  play("test_hwm_pubsub: with noDrop none of 6000 is lost, and it blocks", async (g) => {
    const { xpub, sub } = await one(g, { noDrop: true, sendHighWaterMark: 2000 });
    await sub.call("subscribe", "");
    let blocked = 0;
    const got: string[] = [];
    for (let i = 0; i < 6000; i++) {
      while (!(await xpub.call("trySend", `${i}`))) {
        blocked++;
        got.push(...(await sub.drain()));
      }
    }
    got.push(...(await sub.drain()));
    assert.ok(blocked > 0);
    assert.deepEqual(
      got,
      Array.from({ length: 6000 }, (_, i) => `${i}`),
    );
  });

  play("test_xpub_nodrop: as many are received as accepted", async (g) => {
    const { xpub, sub } = await one(g, { noDrop: true, sendHighWaterMark: 2000, sendTimeout: 0 });
    await sub.call("subscribe");
    assert.equal(await xpub.fill("x", 1999), 1999);
    assert.equal((await sub.drain()).length, 1999);
    const accepted = await xpub.fill();
    assert.equal(accepted, 3000);
    await assert.rejects(xpub.call("sendSync", "x"), zmq("EAGAIN"));
    await assert.rejects(xpub.call("send", "x"), zmq("EAGAIN"));
    assert.equal((await sub.drain()).length, accepted);
    assert.equal(g.conserved().dropped, 0);
  });
});

describe("libzmq's suite: what XPUB hears", () => {
  play("test_sub_forward: a subscription is moved upstream, a message downstream", async (g) => {
    const xpub = await g.open("XPublisher");
    await xpub.bind("inproc://down");
    const xsub = await g.open("XSubscriber");
    await xsub.bind("inproc://up");
    const pub = await g.open("Publisher", {}, g.thread());
    await pub.connect("inproc://up");
    const sub = await g.open("Subscriber", {}, g.thread());
    await sub.connect("inproc://down");
    await sub.call("subscribe", "");
    await forward(xpub, xsub);
    await pub.send([""]);
    await forward(xsub, xpub);
    assert.deepEqual(await sub.receive(1), [""]);
  });

  play("test_xpub_welcome_msg: a new subscriber gets the welcome if it wants it", async (g) => {
    const { xpub, sub } = await one(g, { welcomeMessage: "W" });
    await sub.call("subscribe", "W");
    assert.deepEqual(await xpub.receive(1), ["\x01W"]);
    assert.deepEqual(await sub.receive(1), ["W"]);
    const other = await g.open("Subscriber", {}, g.thread());
    await other.connect(NAME);
    await other.call("subscribe", "X");
    await xpub.send(["X"]);
    assert.deepEqual(await other.receive(1), ["X"]);
  });

  play("test_xpub_verbose: one SUB", async (g) => {
    const { xpub, sub } = await one(g);
    await sub.call("subscribe", "A", "B");
    assert.deepEqual(await xpub.drain(), ["\x01A", "\x01B"]);
    await sub.call("subscribe", "A");
    assert.deepEqual(await xpub.drain(), []);
    await xpub.set("verbosity", "allSubs");
    await sub.call("subscribe", "A");
    assert.deepEqual(await xpub.drain(), ["\x01A"]);
    await xpub.send(["A", "B"]);
    assert.deepEqual(await sub.drain(), ["A", "B"]);
  });

  play("test_xpub_verbose: two SUBs", async (g) => {
    const { xpub, sub } = await one(g);
    const [other] = (await several(g, 1, "Subscriber")) as [Actor];
    await sub.call("subscribe", "A");
    assert.deepEqual(await xpub.drain(), ["\x01A"]);
    await other.call("subscribe", "A");
    assert.deepEqual(await xpub.drain(), []);
    await xpub.set("verbosity", "allSubs");
    await other.call("subscribe", "A");
    assert.deepEqual(await xpub.drain(), ["\x01A"]);
    await xpub.send(["A"]);
    for (const one of [sub, other]) assert.deepEqual(await one.drain(), ["A"]);
  });

  play("test_xpub_verboser: one SUB", async (g) => {
    const { xpub, sub } = await one(g);
    await sub.call("unsubscribe", "A");
    assert.deepEqual(await xpub.drain(), []);
    await sub.call("subscribe", "A");
    await sub.call("subscribe", "A");
    assert.deepEqual(await xpub.drain(), ["\x01A"]);
    await sub.call("unsubscribe", "A");
    assert.deepEqual(await xpub.drain(), []);
    await sub.call("unsubscribe", "A");
    assert.deepEqual(await xpub.drain(), ["\0A"]);
    await sub.call("unsubscribe", "A");
    assert.deepEqual(await xpub.drain(), []);
    await xpub.set("verbosity", "allSubsUnsubs");
    await sub.call("subscribe", "A");
    await xpub.send(["A"]);
    assert.deepEqual(await sub.drain(), ["A"]);
    await sub.call("unsubscribe", "A");
    await sub.call("unsubscribe", "A");
    assert.deepEqual(await xpub.drain(), ["\x01A", "\0A"]);
  });

  play("test_xpub_verboser: two SUBs", async (g) => {
    const { xpub, sub } = await one(g);
    const [other] = (await several(g, 1, "Subscriber")) as [Actor];
    for (const one of [sub, other]) await one.call("subscribe", "A");
    for (const one of [sub, other]) await one.call("unsubscribe", "A");
    assert.deepEqual(await xpub.drain(), ["\x01A", "\0A"]);
    await xpub.set("verbosity", "allSubsUnsubs");
    for (const one of [sub, other]) await one.call("subscribe", "A");
    for (const one of [sub, other]) await one.call("unsubscribe", "A");
    await sub.call("unsubscribe", "A");
    assert.deepEqual(await xpub.drain(), ["\x01A", "\x01A", "\0A", "\0A"]);
  });

  play("test_xsub_verbose: every unsubscription, or only the last", async (g) => {
    const { xpub, sub: xsub } = await one(g, { verbosity: "allSubsUnsubs" }, "XSubscriber");
    await xsub.send(["\0A"]);
    assert.deepEqual(await xpub.drain(), []);
    await xsub.send(["\x01A", "\x01A", "\0A"]);
    assert.deepEqual(await xpub.drain(), ["\x01A", "\x01A"]);
    await xsub.send(["\0A", "\0A"]);
    assert.deepEqual(await xpub.drain(), ["\0A"]);
    await xsub.set("verboseUnsubscribe", true);
    await xsub.send(["\x01A", "\x01A", "\0A"]);
    await xpub.send(["A is still wanted"]);
    assert.deepEqual(await xsub.drain(), ["A is still wanted"]);
    await xsub.send(["\0A", "\0A", "\0B"]);
    assert.deepEqual(await xpub.drain(), ["\x01A", "\x01A", "\0A", "\0A", "\0A", "\0B"]);
  });

  play("test_pub_invert_matching: who has subscribed gets the rest", async (g) => {
    const pub = await g.open("Publisher");
    await pub.bind(NAME);
    const [one, two] = (await several(g, 2, "Subscriber")) as [Actor, Actor];
    await one.call("subscribe", "prefix1");
    await two.call("subscribe", "p2");
    const messages = ["prefix1", "p2", "p3"];
    await pub.send(messages);
    assert.deepEqual([await one.drain(), await two.drain()], [["prefix1"], ["p2"]]);
    for (const socket of [pub, one, two]) await socket.set("invertMatching", true);
    await pub.send(messages);
    assert.deepEqual(
      [await one.drain(), await two.drain()],
      [
        ["p2", "p3"],
        ["prefix1", "p3"],
      ],
    );
  });

  play("test_pubsub_topics_count", async (g) => {
    const { xpub, sub } = await one(g);
    const counts = async (count: number) => {
      assert.equal(await sub.get("topicsCount"), count);
      assert.equal(await xpub.get("topicsCount"), count);
    };
    await sub.call("subscribe", "topic1", "topic2", "topic3");
    await counts(3);
    await sub.call("unsubscribe", "topic1");
    await counts(2);
    await sub.call("unsubscribe", "topic2", "topic3");
    await counts(0);
    await sub.call("subscribe", "a", "ab", "abc");
    await counts(3);
    await sub.call("subscribe", "xyz", "xy", "x", "x");
    await counts(6);
    await sub.close();
    assert.equal(await xpub.get("topicsCount"), 0);
  });

  play("ONLY_FIRST_SUBSCRIBE: later parts are the user's", async (g) => {
    const { xpub, sub: xsub } = await one(g, {}, "XSubscriber");
    await xsub.set("onlyFirstSubscribe", true);
    await xsub.send([
      ["ABC", "\0BC"],
      ["ABC", "\x01BC"],
      ["\x01A", "x"],
      ["\0A", "\x01y"],
    ]);
    const got = ["ABC|\0BC", "ABC|\x01BC", "\x01A", "x", "\0A", "\x01y"];
    assert.deepEqual(await xpub.drain(), got);
    await xsub.set("onlyFirstSubscribe", false);
    await xsub.send([["ABC", "\x01BC"]]);
    assert.deepEqual(await xpub.drain(), ["\x01BC", "ABC"]);
  });

  play("XSUB: what is no message subscribes to nothing", async (g) => {
    const { xpub, sub: xsub } = await one(g, {}, "XSubscriber");
    for (const bad of [1, undefined, {}, ["\x01A", 1], [], ["\x01A", ["\x01B"]]]) {
      await assert.rejects(xsub.call("send", bad), zmq("EINVAL"));
    }
    assert.deepEqual(await xpub.drain(), []);
    assert.equal(await xsub.get("topicsCount"), 0);
  });
});

describe("libzmq's suite: XPUB decides by hand", () => {
  for (const manual of ["manual", "manualLastValue"] as const) {
    const options = { [manual]: true };

    play(`${manual}: who asks for A is given B`, async (g) => {
      const { xpub, sub: xsub } = await one(g, options, "XSubscriber");
      await xsub.send(["\x01A"]);
      assert.deepEqual(await xpub.receive(1), ["\x01A"]);
      await xpub.call("subscribe", "B");
      await xpub.send(["A"]);
      if (manual === "manualLastValue") await xpub.call("subscribe", "B");
      await xpub.send(["B"]);
      assert.deepEqual(await xsub.drain(), ["B"]);
    });

    play(`${manual}: XA for A, XB for B; one is taken back; what was asked is told`, async (g) => {
      const { xpub, sub: xsub } = await one(g, options, "XSubscriber");
      for (const topic of ["A", "B"]) {
        await xsub.send([`\x01${topic}`]);
        assert.deepEqual(await xpub.receive(1), [`\x01${topic}`]);
        await xpub.call("subscribe", `X${topic}`);
      }
      await xsub.send(["\0A"]);
      assert.deepEqual(await xpub.receive(1), ["\0A"]);
      await xpub.call("unsubscribe", "XA");
      await xpub.send(["XA", "XB"]);
      assert.deepEqual(await xsub.drain(), ["XB"]);
      await xsub.close();
      assert.deepEqual(await xpub.drain(), ["\0B"]);
      await xpub.call("unsubscribe", "XB"); // It is gone: that is nothing.
      await xpub.call("subscribe", "XB");
      const [next] = (await several(g, 1, "XSubscriber")) as [Actor];
      await xpub.send(["XB"]);
      assert.deepEqual(await next.drain(), []);
    });

    play(`${manual}: two who close are told twice, and nothing goes to them`, async (g) => {
      const { xpub, sub } = await one(g, options);
      const [other] = (await several(g, 1, "Subscriber")) as [Actor];
      for (const one of [sub, other]) {
        await one.call("subscribe", "1");
        assert.deepEqual(await xpub.receive(1), ["\x011"], "every one: each is decided about");
        await xpub.call("subscribe", "1");
        await xpub.send(["1 to the last, or to all"]);
      }
      const got = await sub.drain();
      assert.equal(got.length, manual === "manual" ? 2 : 1);
      assert.equal((await other.drain()).length, 1);
      for (const one of [sub, other]) await one.close();
      assert.deepEqual(await xpub.drain(), ["\x001", "\x001"]);
    });
  }

  play("what was asked for by hand is taken back so, though that is over", async (g) => {
    const { xpub, sub } = await one(g, { manual: true });
    await sub.call("subscribe", "A", "B", "C");
    assert.deepEqual(await xpub.receive(3), ["\x01A", "\x01B", "\x01C"]);
    await xpub.call("subscribe", "A");
    await xpub.set("manual", false);
    await sub.call("subscribe", "D");
    await sub.call("unsubscribe", "B");
    assert.deepEqual(await xpub.receive(2), ["\x01D", "\0B"]);
    await sub.close();
    assert.deepEqual((await xpub.drain()).sort(), ["\0A", "\0C", "\0D"]);
    assert.equal(await xpub.get("topicsCount"), 0);
  });

  play("manualLastValue: the first send goes to the last, the next to all", async (g) => {
    const { xpub, sub } = await one(g, { manualLastValue: true });
    const [other] = (await several(g, 1, "Subscriber")) as [Actor];
    for (const one of [sub, other]) {
      await one.call("subscribe", "A");
      await xpub.receive(1);
      await xpub.call("subscribe", "A");
    }
    await xpub.send(["A1", "A2"]);
    assert.deepEqual([await sub.drain(), await other.drain()], [["A2"], ["A1", "A2"]]);
  });

  play("manualLastValue with noDrop: who waits is still for the last only", async (g) => {
    const marks = { sendHighWaterMark: 1, noDrop: true, manualLastValue: true };
    const xpub = await g.open("XPublisher", marks);
    await xpub.bind(NAME);
    const [sub, other] = (await several(g, 2, "Subscriber", g.here, () => ({
      receiveHighWaterMark: 1,
    }))) as [Actor, Actor];
    for (const one of [sub, other]) {
      await one.call("subscribe", "A");
      await xpub.receive(1);
      await xpub.call("subscribe", "A");
    }
    await xpub.send(["A0", "A1", "A2"].slice(0, 2)); // The first is for the last.
    await xpub.call("unsubscribe", "A");
    await xpub.call("subscribe", "A");
    const waiting = xpub.send(["A last"]);
    assert.deepEqual(await other.receive(3), ["A0", "A1", "A last"]);
    await waiting;
    assert.deepEqual(await sub.drain(), ["A1"]);
  });
});
