// SPDX-License-Identifier: MIT

/**
 * Leases: large parts of a received message are views of shared memory until they are released,
 * whatever becomes of the sockets; then their memory is free, and not before.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Context, type Lease, type LeasedPart, Pull, Push } from "threadmq";
import { SMALL, zmq } from "../support/ground.ts";
import { hog } from "../support/hog.ts";
import { bytes, isShared, leased, used } from "../support/leases.ts";
import { Random } from "../support/random.ts";
import { PATIENCE } from "../support/stage.ts";

const LARGE = 20_000;

/** A PUSH and a PULL of one thread, in a context of their own. */
function open(options: object = {}, maxMemory = 64 << 20) {
  const context = new Context({ maxMemory });
  const base = used(context);
  const push = new Push({ context, sendHighWaterMark: 0 });
  push.bindSync("inproc://x");
  const join = (more: object = {}) => {
    const pull = new Pull({ context, receiveHighWaterMark: 0, ...options, ...more });
    pull.connect("inproc://x");
    push.stats(); // Attached.
    return pull;
  };
  const pull = join();
  push.sendSync("");
  pull.receiveSync();
  return { context, push, pull, join, base };
}

describe("a lease", () => {
  test("has large parts where they lie, and copies of all others", () => {
    const { push, pull, context } = open();
    const lengths = [0, 1, 4095, 4096, 4097, 5000, 65_536, 300_000];
    for (const length of lengths) {
      push.sendSync(bytes(length, length));
      const lease = pull.receiveLeaseSync();
      assert.equal(lease.message.length, 1);
      const [part] = lease.message as [LeasedPart];
      assert.deepEqual(part, bytes(length, length));
      assert.equal(isShared(part), length > 4096, `${length} bytes`);
      assert.equal(leased(context) > 0, length > 4096);
      assert.equal(lease.released, false);
      // @ts-expect-error It may be shared.
      const own: Buffer<ArrayBuffer> = part;
      assert.equal(own.length, length);
      lease.release();
      assert.equal(leased(context), 0);
    }
    push.sendSync(lengths.map((length) => bytes(length, length + 1)));
    const lease = pull.receiveLeaseSync();
    const expected = lengths.map((length) => bytes(length, length + 1));
    assert.deepEqual(lease.message, expected);
    lease.release();
    assert.equal(leased(context), 0);
  });

  test("is released once, by release or at the end of a block", () => {
    const { push, pull, context } = open();
    const before = used(context);
    push.sendManySync([bytes(LARGE, 1), bytes(LARGE, 2), bytes(LARGE, 3)]);
    const first = pull.receiveLeaseSync();
    const third = (() => {
      using second = pull.receiveLeaseSync();
      first.release();
      first.release();
      assert.equal(first.released, true);
      assert.throws(() => first.message, zmq("EINVAL"));
      assert.deepEqual(second.message[0], bytes(LARGE, 2));
      return pull.receiveLeaseSync();
    })();
    push.sendManySync([bytes(LARGE, 4), bytes(LARGE, 5), bytes(LARGE, 6)]);
    first[Symbol.dispose]();
    assert.deepEqual(third.message[0], bytes(LARGE, 3));
    third.release();
    for (let left = 3; left > 0; left--) pull.receiveSync();
    assert.equal(used(context), before);
  });

  test("keeps its memory while many come and go, in any order", (t) => {
    const { push, pull, context, base } = open();
    const random = new Random();
    t.diagnostic(`seed ${random.seed}`);
    const held: { lease: Lease; expected: Buffer[] }[] = [];
    for (let number = 0; number < 600; number++) {
      const parts = Array.from({ length: 1 + random.next(3) }, (_, i) => {
        return bytes(
          random.next(2) === 0 ? random.next(100) : 4000 + random.next(60_000),
          number + i,
        );
      });
      push.sendSync(parts);
      if (random.next(4) === 0) assert.deepEqual(pull.receiveSync(), parts);
      else held.push({ lease: pull.receiveLeaseSync(), expected: parts });
      while (held.length > 100 || (held.length > 0 && random.next(2) === 0)) {
        const [{ lease, expected }] = held.splice(random.next(held.length), 1) as [
          (typeof held)[0],
        ];
        assert.deepEqual(lease.message, expected);
        lease.release();
      }
    }
    for (const { lease, expected } of held) {
      assert.deepEqual(lease.message, expected);
      lease.release();
    }
    assert.equal(leased(context), 0);
    push.close();
    pull.close();
    assert.equal(used(context), base);
  });

  test("waits as receive does, and can be asked for without waiting", async () => {
    const { push, pull } = open();
    assert.equal(pull.tryReceiveLease(), undefined);
    assert.throws(() => pull.receiveLeaseSync({ timeout: 0 }), zmq("EAGAIN"));
    await assert.rejects(pull.receiveLease({ timeout: 1 }), zmq("EAGAIN"));
    const reason = new Error("not any more");
    const aborted = pull.receiveLease({ signal: AbortSignal.abort(reason) });
    await assert.rejects(aborted, reason);
    assert.throws(() => pull.receiveLeaseSync({ timeout: -2 }), zmq("EINVAL"));

    const first = pull.receiveLease();
    const second = pull.receive();
    const third = pull.receiveLease();
    push.sendManySync([bytes(LARGE, 1), bytes(LARGE, 2), bytes(LARGE, 3)]);
    assert.deepEqual((await first).message[0], bytes(LARGE, 1));
    assert.deepEqual((await second)[0], bytes(LARGE, 2));
    assert.deepEqual((await third).message[0], bytes(LARGE, 3));
    const last = pull.receiveLease();
    pull.close();
    await assert.rejects(last, zmq("EBADF"));
    assert.throws(() => pull.tryReceiveLease(), zmq("EBADF"));
  });

  test("outlives both sockets", () => {
    const { push, pull, context } = open();
    const before = used(context);
    push.sendManySync([bytes(LARGE, 1), bytes(LARGE, 2)]);
    const lease = pull.receiveLeaseSync();
    pull.close();
    push.close();
    const other = new Push({ context });
    other.connect("inproc://y");
    for (let number = 0; number < 10; number++) other.trySend(bytes(LARGE, number));
    assert.deepEqual(lease.message[0], bytes(LARGE, 1));
    other.linger = 0;
    other.close();
    lease.release();
    assert.ok(used(context) <= before);
    assert.equal(leased(context), 0);
  });

  test("ends with its context; to release it then is nothing", async () => {
    const { push, pull, context } = open();
    push.sendSync(bytes(LARGE));
    const lease = pull.receiveLeaseSync();
    const base = used(new Context(SMALL));
    await context.terminate();
    assert.equal(leased(context), 0);
    assert.equal(used(context), base);
    lease.release();
    assert.equal(lease.released, true);
    assert.equal(used(context), base);
  });

  test("is released by who collects it, if it is forgotten; a part of it keeps it", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const { push, pull, context } = open();
    const parts: LeasedPart[] = [];
    for (let number = 0; number < 200; number++) {
      push.sendSync(bytes(LARGE, number));
      const { message } = pull.receiveLeaseSync();
      if (number % 100 === 0) parts.push(message[0] as LeasedPart);
    }
    const deadline = performance.now() + PATIENCE;
    while (leased(context) > 4 * LARGE && performance.now() < deadline) {
      collect();
      await new Promise(setImmediate);
    }
    assert.ok(leased(context) <= 4 * LARGE);
    assert.ok(leased(context) >= 2 * LARGE);
    push.sendManySync([bytes(LARGE, 7), bytes(LARGE, 7)]);
    assert.deepEqual(parts, [bytes(LARGE, 0), bytes(LARGE, 100)]);
  });
});

describe("leases of a socket", () => {
  test("are there one at a time, until it closes", async () => {
    const { push, pull, context } = open();
    push.sendManySync(Array.from({ length: 5 }, (_, i) => bytes(LARGE, i)));
    const seen: Lease[] = [];
    for await (const lease of pull.leases()) {
      assert.deepEqual(lease.message[0], bytes(LARGE, seen.length));
      assert.ok(seen.every(({ released }) => released));
      seen.push(lease);
      if (seen.length === 5) pull.close();
    }
    assert.equal(seen.length, 5);
    assert.equal(leased(context), 0);
  });

  test("are released when the loop is left", async () => {
    const { push, pull, context } = open();
    push.sendManySync([bytes(LARGE, 1), bytes(LARGE, 2)]);
    for await (using lease of pull.leases()) {
      assert.deepEqual(lease.message[0], bytes(LARGE, 1));
      break;
    }
    for await (const lease of pull.leases()) {
      assert.deepEqual(lease.message[0], bytes(LARGE, 2));
      break;
    }
    assert.equal(leased(context), 0);
  });
});

describe("memory", () => {
  test("that is leased is missing; when it is released a send goes on", async () => {
    const { push, pull, context } = open({}, 2 << 20);
    const held: Lease[] = [];
    let sent = 0;
    while (push.trySend(bytes(300_000, sent))) {
      held.push(pull.receiveLeaseSync());
      sent++;
    }
    assert.ok(sent >= 2);
    assert.equal(leased(context) >= sent * 300_000, true);
    const waiting = push.send(bytes(300_000, sent));
    assert.equal(pull.tryReceive(), undefined);
    for (const [number, lease] of held.entries()) {
      assert.deepEqual(lease.message[0], bytes(300_000, number));
      lease.release();
    }
    await waiting;
    assert.deepEqual(pull.receiveSync()[0], bytes(300_000, sent));
  });

  test("for many leases is found as long as there is some; else parts are copies", () => {
    const { push, pull, context } = open({}, 2 << 20);
    const before = used(context);
    let sent = 0;
    while (push.trySend(bytes(5000, sent))) sent++;
    const giveBack = hog(context);
    const leases = Array.from({ length: sent }, () => pull.receiveLeaseSync());
    for (const [number, lease] of leases.entries()) {
      assert.deepEqual(lease.message[0], bytes(5000, number));
    }
    for (const lease of leases) lease.release();
    giveBack();
    assert.equal(leased(context), 0);
    assert.ok(used(context) <= before);
  });
});
