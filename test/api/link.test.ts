// SPDX-License-Identifier: MIT

/**
 * Links by name: connect and bind in either order, binders that come and go, names that are free
 * again. Within a thread and between threads.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { Context, Pull, Push } from "threadmq";
import { type Actor, DISTANCES, far, play, SMALL, zmq } from "../support/ground.ts";
import { Random } from "../support/random.ts";
import { WAYS } from "../support/stage.ts";

const NAME = "inproc://a";
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `${from + i}`);

for (const distance of DISTANCES) {
  describe(distance, () => {
    for (const way of WAYS) {
      for (const binder of ["Push", "Pull"] as const) {
        play(
          `B1: ${binder} binds, before or after the connect: the same messages, by ${way}`,
          async (g) => {
            const place = far(g, distance);
            const results: unknown[] = [];
            for (const [round, first] of ["bind", "connect"].entries()) {
              const name = `inproc://${round}`;
              const push = await g.push({ sendHighWaterMark: 3 });
              const pull = await g.pull({ receiveHighWaterMark: 2 }, place);
              const [b, c] = binder === "Push" ? [push, pull] : [pull, push];
              if (first === "bind") await b.bind(name);
              await c.connect(name);
              if (first === "connect") await b.bind(name);
              const fits = await push.fill("", 100);
              const got = await pull.receive(fits, way);
              await push.send(numbers(4), way);
              results.push({ fits, got, later: await pull.receive(4, way) });
            }
            assert.deepEqual(results[0], { fits: 5, got: numbers(5), later: numbers(4) });
            assert.deepEqual(results[1], results[0]);
          },
        );
      }
    }

    play(
      "B1: several connecters before, and several after the bind, are served in order",
      async (g) => {
        const place = far(g, distance);
        const push = await g.push();
        const pulls: Actor[] = [];
        for (let i = 0; i < 6; i++) {
          if (i === 3) await push.bind(NAME);
          pulls.push(await g.pull({}, place));
          await pulls.at(-1)?.connect(NAME);
        }
        await push.send(numbers(12));
        for (const [i, pull] of pulls.entries()) {
          assert.deepEqual(await pull.receive(2), [`${i}`, `${i + 6}`]);
        }
      },
    );

    play("B2: an immediate PUSH has no queue until somebody is bound", async (g) => {
      const push = await g.push({ immediate: true }, far(g, distance));
      await push.connect(NAME);
      assert.equal(await push.call("trySend", "early"), false);
      assert.equal((await push.call("stats")).queuedOut, 0);
      const sent = push.call("send", "waits", { timeout: 10_000 });
      const pull = await g.pull();
      await pull.bind(NAME);
      await sent;
      assert.deepEqual(await pull.receive(1), ["waits"]);
      await pull.close();
      assert.equal(await push.call("trySend", "late"), false);
      await push.set("immediate", false);
      assert.equal(await push.call("trySend", "kept"), true, "the option takes effect at once");
      const next = await g.pull();
      await next.bind(NAME);
      assert.deepEqual(await next.receive(1), ["kept"]);
    });

    play(
      "C1: messages that a closing PULL has not read wait for the next bind, in order",
      async (g) => {
        const push = await g.push({}, far(g, distance));
        await push.connect(NAME);
        const first = await g.pull();
        await first.bind(NAME);
        await push.send(numbers(10));
        assert.deepEqual(await first.receive(4), numbers(4));
        await first.close();
        g.conserved();
        await push.send(numbers(5, 10));
        const second = await g.pull();
        await second.bind(NAME);
        assert.deepEqual(await second.receive(11), numbers(11, 4));
        assert.deepEqual(await second.drain(), []);
      },
    );

    play("C1: after a rebind, connecters are served in the order of their connects", async (g) => {
      const place = far(g, distance);
      const pulls: Actor[] = [];
      for (let i = 0; i < 4; i++) {
        pulls.push(await g.pull({}, place));
        await pulls.at(-1)?.connect(NAME);
      }
      for (let round = 0; round < 3; round++) {
        const push = await g.push();
        await push.bind(NAME);
        await push.send(numbers(8));
        for (const [i, pull] of pulls.entries()) {
          assert.deepEqual(await pull.receive(2), [`${i}`, `${i + 4}`], `round ${round}`);
        }
        if (round === 0) await push.close();
        else await push.call("unbindSync", NAME);
      }
    });

    play("C1: a rebind by another thread, many times: no message is lost or doubled", async (g) => {
      const push = await g.push({ sendHighWaterMark: 0 });
      await push.connect(NAME);
      const place = far(g, distance);
      const got: string[] = [];
      await push.send(numbers(500));
      for (let round = 0; round < 50; round++) {
        const pull = await g.pull(
          { receiveHighWaterMark: round % 3 },
          round % 2 === 0 ? place : g.here,
        );
        await pull.bind(NAME);
        got.push(...(await pull.receive(10)));
        await pull.close();
      }
      assert.deepEqual(got, numbers(500));
    });

    play(
      "C2: unbind ends the links, what has arrived can be read, and new ones are made",
      async (g) => {
        const pull = await g.pull();
        await pull.bind(NAME);
        const push = await g.push({ immediate: true }, far(g, distance));
        await push.connect(NAME);
        await push.send(numbers(3));
        await pull.call("unbindSync", NAME);
        assert.equal(await push.call("trySend", "none"), false);
        assert.deepEqual(await pull.receive(3), numbers(3));
        assert.equal((await pull.call("stats")).pipes, 0);
        assert.equal(g.context.stats().endpoints, 1, "the connecter keeps the name");
        await pull.bind(NAME);
        await push.send(["again"]);
        assert.deepEqual(await pull.receive(1), ["again"]);
      },
    );

    play("C2: one of several names is unbound: the others go on", async (g) => {
      const pull = await g.pull();
      const place = far(g, distance);
      const pushes: Actor[] = [];
      for (const name of ["inproc://1", "inproc://2"]) {
        await pull.bind(name);
        pushes.push(await g.push({ immediate: true }, place));
        await pushes.at(-1)?.connect(name);
      }
      const [one, two] = pushes as [Actor, Actor];
      await pull.call("unbindSync", "inproc://1");
      assert.equal(await one.call("trySend", "1"), false);
      await two.send(["2"]);
      assert.deepEqual(await pull.receive(1), ["2"]);
    });

    play("C3: who disconnects reads what had arrived; who sent is told at once", async (g) => {
      const push = await g.push();
      await push.bind(NAME);
      const pull = await g.pull({}, far(g, distance));
      await pull.connect(NAME);
      await push.send(numbers(5));
      assert.deepEqual(await pull.receive(2), numbers(2));
      await pull.call("disconnect", NAME);
      assert.equal(await push.call("trySend", "none"), false);
      assert.deepEqual(await pull.receive(3), numbers(3, 2));
      assert.equal((await pull.call("stats")).pipes, 0);
      await pull.connect(NAME);
      await push.send(["new"]);
      assert.deepEqual(await pull.receive(1), ["new"]);
    });

    play("C3: what a disconnecting PUSH has sent is received", async (g) => {
      const pull = await g.pull();
      await pull.bind(NAME);
      const push = await g.push({}, far(g, distance));
      await push.connect(NAME);
      await push.send(numbers(5));
      await push.call("disconnect", NAME);
      await push.connect(NAME);
      await push.send(numbers(5, 5));
      assert.deepEqual(await pull.receive(10), numbers(10));
    });

    play("connecting twice makes two links; disconnect ends both", async (g) => {
      const pull = await g.pull();
      await pull.bind(NAME);
      const push = await g.push({}, far(g, distance));
      await push.connect(NAME);
      await push.connect(NAME);
      assert.equal((await push.call("stats")).pipes, 2);
      await push.send(numbers(10));
      assert.equal((await pull.receive(10)).length, 10);
      await push.call("disconnect", NAME);
      assert.equal((await push.call("stats")).pipes, 0);
      await assert.rejects(push.call("disconnect", NAME), zmq("ENOENT"));
    });

    play("D1: a name is free when close() has returned", async (g) => {
      const place = far(g, distance);
      for (let i = 0; i < 20; i++) {
        const one = await g.pull({}, i % 2 === 0 ? g.here : place);
        await one.bind(NAME);
        await one.close();
        const other = await g.push({}, i % 3 === 0 ? g.here : place);
        await other.bind(NAME);
        await other.close();
      }
      assert.equal(g.context.stats().endpoints, 0);
    });

    play("D1: nothing is accepted for a PULL that has closed", async (g) => {
      const push = await g.push({}, far(g, distance));
      await push.bind(NAME);
      const pull = await g.pull();
      await pull.connect(NAME);
      await push.send(["1"]);
      assert.deepEqual(await pull.receive(1), ["1"]);
      await pull.close();
      assert.equal(await push.call("trySend", "2"), false);
      await assert.rejects(push.call("sendSync", "2", { timeout: 0 }), zmq("EAGAIN"));
      await assert.rejects(push.call("sendMany", ["2"], { timeout: 0 }), zmq("EAGAIN"));
    });
  });
}

test("D1: a name can be bound again 2000 times, each time with a link and a message", () => {
  const context = new Context(SMALL);
  for (let i = 0; i < 2000; i++) {
    const pull = new Pull({ context });
    pull.bindSync(NAME);
    const push = new Push({ context });
    push.connect(NAME);
    push.sendSync(`${i}`);
    assert.equal(`${pull.tryReceive()}`, `${i}`);
    push.close();
    pull.close();
  }
  const { sockets, endpoints, pipes, messages } = context.stats();
  assert.deepEqual({ sockets, endpoints, pipes }, { sockets: 0, endpoints: 0, pipes: 0 });
  assert.deepEqual(messages, { sent: 2000, received: 2000, queued: 0, dropped: 0 });
});

play("D1: a name is bound and closed 2000 times while another thread sends to it", async (g) => {
  const thread = g.thread();
  const sent = thread.run(async ({ threadmq, context }) => {
    const push = new threadmq.Push({ context });
    push.connect("inproc://a");
    for (let i = 0; i < 2000; i++) push.sendSync(`${i}`, { timeout: 20_000 });
    push.close();
  });
  const got: string[] = [];
  for (let i = 0; i < 2000; i++) {
    const pull = new Pull({ context: g.context });
    pull.bindSync(NAME);
    got.push(`${pull.receiveSync({ timeout: 10_000 })}`);
    pull.close();
  }
  await sent;
  assert.deepEqual(got, numbers(2000));
});

test("D1: a loop of open and close never comes to EMFILE, and takes no more memory", () => {
  const context = new Context({ ...SMALL, maxSockets: 2 });
  const keep = new Push({ context });
  let used = 0;
  for (let i = 0; i < 20_000; i++) {
    new Pull({ context }).close();
    if (i === 100) used = context.stats().memory.used;
  }
  assert.equal(context.stats().memory.used, used);
  keep.close();
});

test("E1: a socket takes no file of the system", {
  skip: process.platform !== "linux",
}, async () => {
  const context = new Context(SMALL);
  const files = () => readdirSync("/proc/self/fd").length;
  new Pull({ context }).close();
  const before = files();
  const sockets = Array.from({ length: 250 }, (_, i) => {
    const pull = new Pull({ context });
    pull.bindSync(`inproc://${i}`);
    const push = new Push({ context });
    push.connect(`inproc://${i}`);
    push.sendSync("x");
    return [push, pull] as const;
  });
  assert.equal(files(), before);
  for (const [push, pull] of sockets) {
    push.close();
    assert.equal(`${pull.tryReceive()}`, "x");
    pull.close();
  }
  assert.equal(files(), before);
  assert.equal(context.stats().pipes, 0);
});

play(
  "random binds, connects, unbinds and disconnects against a list: each pair is linked once",
  async (g, t) => {
    const random = new Random();
    t.diagnostic(`THREADMQ_SEED=${random.seed}`);
    const names = ["inproc://0", "inproc://1", "inproc://2"];
    const sockets = Array.from({ length: 6 }, (_, i) => ({
      socket: i < 3 ? new Push({ context: g.context }) : new Pull({ context: g.context }),
      type: i < 3 ? "Push" : "Pull",
      binds: new Set<string>(),
      connects: new Map<string, number>(),
    }));
    for (let step = 0; step < 1500; step++) {
      const me = random.pick(sockets);
      const name = random.pick(names);
      const others = sockets.filter((other) => other !== me);
      const binder = sockets.find((other) => other.binds.has(name));
      const misfit = (who: (typeof sockets)[0]) => who.type === me.type;
      const act = (code: string | undefined, call: () => void, done: () => void) => {
        if (code !== undefined) return assert.throws(call, zmq(code, name), `step ${step}`);
        call();
        done();
      };
      const action = random.next(4);
      if (action === 0) {
        const pending = sockets.some((other) => misfit(other) && other.connects.has(name));
        const code = binder ? "EADDRINUSE" : pending ? "ENOCOMPATPROTO" : undefined;
        act(
          code,
          () => me.socket.bindSync(name),
          () => me.binds.add(name),
        );
      } else if (action === 1) {
        const count = (me.connects.get(name) ?? 0) + 1;
        const code = binder && misfit(binder) ? "ENOCOMPATPROTO" : undefined;
        if (count < 4)
          act(
            code,
            () => me.socket.connect(name),
            () => me.connects.set(name, count),
          );
      } else if (action === 2) {
        const code = me.binds.has(name) ? undefined : "ENOENT";
        act(
          code,
          () => me.socket.unbindSync(name),
          () => me.binds.delete(name),
        );
      } else {
        const code = me.connects.has(name) ? undefined : "ENOENT";
        act(
          code,
          () => me.socket.disconnect(name),
          () => me.connects.delete(name),
        );
      }
      // This thread hears what has come.
      (sockets.at(-1)?.socket as Pull | undefined)?.tryReceive();
      let links = 0;
      for (const { connects } of sockets) for (const count of connects.values()) links += count;
      assert.equal(g.context.stats().pipes, links, `step ${step}`);
      const bound = new Set(
        [...others, me].flatMap(({ binds, connects }) => [...binds, ...connects.keys()]),
      );
      assert.equal(g.context.stats().endpoints, bound.size, `step ${step}`);
    }
    for (const { socket } of sockets) socket.close();
  },
);
