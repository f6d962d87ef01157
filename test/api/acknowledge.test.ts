// SPDX-License-Identifier: MIT

/**
 * Explicit acknowledgement: a message that was not acknowledged goes to another when its receiver
 * dies or closes, marked; one that was does not.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Context, type Message, Pull, Push } from "threadmq";
import { DEATHS, die } from "../support/deaths.ts";
import { play, SMALL, type Thread, text } from "../support/ground.ts";
import { PATIENCE } from "../support/stage.ts";

const LARGE = "L".repeat(9000);

/** A PUSH that is bound, a PULL that acknowledges, and one that comes later. */
function open(options: object = {}): { push: Push; pull: Pull; next(): Pull; context: Context } {
  const context = new Context(SMALL);
  const push = new Push({ context });
  push.bindSync("inproc://x");
  const pull = new Pull({ context, acknowledge: true, ...options });
  pull.connect("inproc://x");
  push.stats(); // Attached.
  return {
    context,
    push,
    pull,
    next() {
      const other = new Pull({ context, acknowledge: true });
      other.connect("inproc://x");
      push.stats();
      return other;
    },
  };
}

/** All that can be received, each with whether it is marked. */
function all(pull: Pull): [string | undefined, boolean][] {
  const got: [string | undefined, boolean][] = [];
  for (let one = pull.tryReceive(); one !== undefined; one = pull.tryReceive()) {
    got.push([text(one), pull.isRedelivered(one)]);
  }
  return got;
}

function balanced(context: Context): void {
  const { sent, received, queued, dropped } = context.stats().messages;
  assert.equal(sent, received + queued + dropped, "H1");
}

describe("a message that was received", () => {
  test("is marked and goes to another, if the socket closes before it asks for the next", () => {
    const { context, push, pull, next } = open();
    push.sendManySync(["1", "2", "3"]);
    assert.equal(text(pull.tryReceive()), "1");
    assert.equal(text(pull.tryReceive()), "2"); // This acknowledges 1.
    pull.close();
    assert.deepEqual(all(next()), [
      ["2", true],
      ["3", false],
    ]);
    balanced(context);
  });

  test("is not seen again once it is acknowledged, by the next call or explicitly", () => {
    const ways: ((pull: Pull) => unknown)[] = [
      (pull) => pull.acknowledge(),
      (pull) => pull.tryReceive(),
      (pull) => assert.throws(() => pull.receiveSync({ timeout: 0 }), { code: "EAGAIN" }),
      (pull) => assert.throws(() => pull.receiveManySync(5, { timeout: 0 }), { code: "EAGAIN" }),
      (pull) => pull.receive({ timeout: 0 }).catch(() => {}),
      (pull) => pull.receiveMany(5, { timeout: 0 }).catch(() => {}),
    ];
    for (const acknowledge of ways) {
      const { context, push, pull, next } = open();
      push.sendSync("1");
      const message = pull.receiveSync();
      assert.equal(pull.isRedelivered(message), false);
      assert.equal(push.stats().queuedOut, 1, "it counts until it is acknowledged");
      acknowledge(pull);
      assert.equal(push.stats().queuedOut, 0);
      pull.close();
      assert.deepEqual(all(next()), [], `${acknowledge}`);
      assert.equal(context.stats().messages.received, 1);
    }
  });

  test("of receiveMany, and of several that waited, goes back with all others", async () => {
    for (const pending of [false, true]) {
      const { context, push, pull, next } = open();
      let got: Message[];
      if (pending) {
        const receives = [1, 2, 3].map(() => pull.receive({ timeout: PATIENCE }));
        push.sendManySync(["1", "2", "3", "4"]);
        got = await Promise.all(receives);
      } else {
        push.sendManySync(["1", "2", "3", "4"]);
        got = pull.receiveManySync(3);
      }
      assert.deepEqual(got.map(text), ["1", "2", "3"]);
      pull.close();
      assert.deepEqual(all(next()), [
        ["1", true],
        ["2", true],
        ["3", true],
        ["4", false],
      ]);
      balanced(context);
    }
  });

  test("of several parts, with large bodies, comes again whole; and again, if need be", () => {
    const { context, push, pull, next } = open();
    push.sendManySync([["1", LARGE, "end"], LARGE, ["", "2", ""]]);
    for (let i = 0; i < 3; i++) pull.receiveManySync(1);
    pull.close();
    let holder = next();
    for (let round = 0; round < 3; round++) {
      const [one] = holder.receiveManySync(1) as [Message];
      assert.equal(text(one), "|2|", "the first two were acknowledged by asking for the next");
      assert.equal(holder.isRedelivered(one), true);
      holder.close();
      holder = next();
    }
    assert.deepEqual(all(holder), [["|2|", true]]);
    holder.close();
    balanced(context);
    push.close();
    assert.equal(context.stats().messages.queued, 0);
  });

  test("of large bodies, none acknowledged, comes again in the order it was sent", () => {
    const { context, push, pull, next } = open();
    const sent = Array.from({ length: 40 }, (_, i) => [`${i}`, i % 3 === 0 ? LARGE : "small"]);
    push.sendManySync(sent);
    assert.equal(pull.receiveManySync(30).length, 30);
    pull.close();
    const got = all(next());
    assert.deepEqual(
      got.map(([message]) => message),
      sent.map((parts) => parts.join("|")),
    );
    assert.deepEqual(
      got.map(([, marked]) => marked),
      sent.map((_, index) => index < 30),
    );
    balanced(context);
  });
});

test("messages that are not acknowledged count against the watermark", () => {
  const { push, pull } = open({ receiveHighWaterMark: 2 });
  push.sendHighWaterMark = 1;
  let sent = 0;
  while (push.trySend("x")) sent++;
  assert.equal(sent, 3);
  assert.equal(pull.receiveManySync(3).length, 3);
  assert.equal(push.trySend("x"), false, "all three are still there");
  pull.acknowledge();
  assert.equal(push.trySend("x"), true);
});

test("a pipe that is let go is left when its last message is acknowledged, and not before", () => {
  const context = new Context(SMALL);
  const pull = new Pull({ context, acknowledge: true });
  pull.bindSync("inproc://x");
  const push = new Push({ context });
  push.connect("inproc://x");
  push.sendManySync(["1", "2"]);
  assert.equal(text(pull.tryReceive()), "1");
  pull.unbindSync("inproc://x");
  assert.equal(text(pull.tryReceive()), "2");
  assert.equal(pull.stats().pipes, 1);
  const next = new Pull({ context });
  next.bindSync("inproc://x");
  assert.equal(next.tryReceive(), undefined, "it is still the first one's");
  pull.acknowledge();
  assert.equal(pull.stats().pipes, 0);
  push.sendSync("3");
  assert.equal(text(next.tryReceive()), "3");
  balanced(context);
});

test("a pipe that was let go with a message not acknowledged gives it to the next binder", () => {
  const context = new Context(SMALL);
  const pull = new Pull({ context, acknowledge: true });
  pull.bindSync("inproc://x");
  const push = new Push({ context });
  push.connect("inproc://x");
  push.sendManySync(["1", "2"]);
  pull.unbindSync("inproc://x");
  assert.equal(pull.receiveManySync(2).length, 2);
  const next = new Pull({ context });
  next.bindSync("inproc://x");
  pull.close();
  assert.deepEqual(all(next), [
    ["1", true],
    ["2", true],
  ]);
  balanced(context);
});

for (const [how, death] of Object.entries(DEATHS)) {
  play(`a message in the hands of a thread that dies by ${how} goes on, marked`, async (g) => {
    const push = new Push({ context: g.context });
    push.bindSync("inproc://x");
    const thread = g.thread(death.start);
    await hold(thread, 3);
    push.sendManySync(["1", ["2", LARGE], "3", "4", "5"]);
    await thread.run(({ props }) => props.received);
    await die(thread, death);
    const pull = new Pull({ context: g.context });
    pull.connect("inproc://x");
    push.stats();
    assert.deepEqual(all(pull), [
      [`2|${LARGE}`, true],
      ["3", true],
      ["4", false],
      ["5", false],
    ]);
    assert.deepEqual(g.conserved(), { sent: 5, received: 5, queued: 0, dropped: 0 });
    push.close();
    pull.close();
  });
}

/** Lets a thread receive one message, and then so many that it does not acknowledge, less one. */
function hold(thread: Thread, count: number): Promise<void> {
  return thread.run(async ({ threadmq, context, props }, most) => {
    const pull = new threadmq.Pull({ context, acknowledge: true });
    pull.connect("inproc://x");
    props.received = (async () => {
      await pull.receive();
      let left = most - 1;
      while (left > 0) {
        const { length } = await pull.receiveMany(left);
        left -= length;
        if (left > 0) throw new Error("they were sent at once");
      }
    })();
  }, count);
}

test("without the option a message is the receiver's at once", () => {
  const { context, push } = open();
  const plain = new Pull({ context });
  assert.equal(plain.acknowledges, false);
  plain.connect("inproc://x");
  push.sendManySync(["1", "2"]);
  assert.ok(plain.tryReceive());
  plain.acknowledge();
  plain.close();
  assert.equal(context.stats().messages.received, 1);
  assert.throws(() => plain.acknowledge(), { code: "EBADF" });
});

test("what was acknowledged is over, also if its lane gives up its chunk before the next", () => {
  const context = new Context({ maxMemory: 524_288 });
  const unlimited = { context, sendHighWaterMark: 0 };
  const [busy, push] = [new Push(unlimited), new Push(unlimited)];
  const pull = new Pull({ context, acknowledge: true, receiveHighWaterMark: 0 });
  for (const each of [busy, push]) each.connect("inproc://x");
  pull.bindSync("inproc://x");
  push.sendSync(["first", Buffer.alloc(473)]); // It lies in a second chunk, a larger one.
  assert.ok(pull.tryReceive());
  pull.acknowledge();
  while (busy.trySend([Buffer.alloc(4097), Buffer.alloc(4097)])); // Till memory is wanted.
  for (const each of [pull, push]) each.stats(); // They hear of it.
  assert.ok(push.trySend("next"));
  pull.close();
  const other = new Pull({ context, receiveHighWaterMark: 0 });
  other.bindSync("inproc://x");
  let received = 0;
  for (let m = other.tryReceive(); m !== undefined; m = other.tryReceive(), received++) {
    assert.equal(other.isRedelivered(m), false, `${m}`.slice(0, 9));
  }
  assert.equal(received, busy.stats().sent + 1);
  for (const socket of [busy, push, other]) socket.close();
});
