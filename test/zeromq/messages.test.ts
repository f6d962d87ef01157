// SPDX-License-Identifier: MIT

/** Sending and receiving: what a message may be, one call at a time, timeouts, iteration. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { only, outcome, type Scene, same, state, texts } from "./both.ts";

function pipeline({ zmq, open, address }: Scene, options: object = {}) {
  const name = address();
  const pull = open(new zmq.Pull());
  pull.bindSync(name);
  const push = open(new zmq.Push(options));
  push.connect(name);
  return { push, pull };
}

describe("what may be sent", () => {
  same("text, bytes, numbers, null, and everything else as text", async (scene) => {
    const { push, pull } = pipeline(scene);
    const values: unknown[] = [
      "text",
      "ümläut \u{1f600}",
      "",
      null,
      5,
      -0.5,
      Number.NaN,
      10n,
      true,
      {},
      [1, [2, 3]],
      () => 1,
      new Date(0).toISOString(),
      Buffer.from("buffer"),
      new Uint8Array([1, 0, 255]),
      new Uint16Array([1, 2]).subarray(1),
      new Float64Array(1),
      new Uint8Array([7, 8, 9]).buffer,
      new SharedArrayBuffer(4),
      "x".repeat(1000),
      Buffer.alloc(1000, "y"),
      [],
      ["a", "b", "c"],
      ["one"],
      ["a", undefined, null, 5, {}],
    ];
    const seen: unknown[] = [];
    for (const value of values) {
      await push.send(value as string);
      if (Array.isArray(value) && value.length === 0) continue; // Nothing is sent.
      seen.push((await pull.receive()).map((part) => [...part]));
    }
    return [seen, pull.readable];
  });

  same(
    "a part is a Buffer, a message an array",
    async (scene) => {
      const { push, pull } = pipeline(scene);
      await push.send(["a", "b"]);
      const message = await pull.receive();
      return [Array.isArray(message), message.length, message.every(Buffer.isBuffer)];
    },
    [true, 2, true],
  );

  same("what cannot be sent is a TypeError, at once", async (scene) => {
    const { push } = pipeline(scene);
    const send = push.send.bind(push) as (...args: unknown[]) => Promise<void>;
    return [
      await outcome(() => send()),
      await outcome(() => send(undefined)),
      await outcome(() => send("a", "b")),
      await outcome(() => send(Symbol("x"))),
      await outcome(() => send(["a", Symbol("x")])),
    ];
  });

  same(
    "a short message that waits is as it was at the call",
    async ({ zmq, open, address }) => {
      const name = address();
      const push = open(new zmq.Push());
      const bytes = Buffer.from("before");
      const sent = push.send(bytes);
      bytes.fill("x");
      push.connect(name);
      const pull = open(new zmq.Pull());
      await pull.bind(name);
      await sent;
      return texts(await pull.receive());
    },
    ["before"],
  );

  only("a long one too: nothing is shared with the receiver", async (scene) => {
    const { push, pull } = pipeline(scene);
    const bytes = Buffer.alloc(1000, "a");
    await push.send(bytes);
    bytes.fill("b");
    const [part] = await pull.receive();
    assert.equal(String(part), "a".repeat(1000));
  });

  only("a DataView is sent as its bytes", async (scene) => {
    const { push, pull } = pipeline(scene);
    await push.send(new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2));
    const [part] = await pull.receive();
    assert.deepEqual([...(part as Buffer)], [2, 3]);
  });
});

describe("one call at a time", () => {
  same(
    "a second send, or receive, is thrown; the first goes on",
    async ({ zmq, open, address }) => {
      const name = address();
      const push = open(new zmq.Push());
      const pull = open(new zmq.Pull());
      const sent = push.send("first");
      const seen: unknown[] = [await outcome(() => push.send("second"))];
      push.connect(name);
      await pull.bind(name);
      await sent;
      seen.push(texts(await pull.receive()));
      const received = pull.receive();
      seen.push(await outcome(() => pull.receive()));
      await push.send("third");
      seen.push(texts(await received));
      return seen;
    },
  );

  same(
    "several may be called in a row if each can be done at once",
    async (scene) => {
      const { push, pull } = pipeline(scene);
      const sent = [push.send("1"), push.send("2"), push.send("3")];
      await Promise.all(sent);
      const received = [pull.receive(), pull.receive(), pull.receive()];
      return (await Promise.all(received)).map(texts);
    },
    [["1"], ["2"], ["3"]],
  );

  same(
    "after 512 calls the event loop has its turn, and the next call is pending",
    async (scene) => {
      const { push } = pipeline(scene, { sendHighWaterMark: 0 });
      for (let i = 0; i < 512; i++) void push.send("x");
      const last = push.send("x");
      const seen = [await outcome(() => push.send("x"))];
      await last;
      await push.send("x");
      return seen;
    },
  );

  same(
    "a loop of sends does not keep timers waiting",
    async (scene) => {
      const { push } = pipeline(scene, { sendHighWaterMark: 0 });
      let rang = false;
      setTimeout(() => {
        rang = true;
      }, 1);
      let sent = 0;
      while (!rang && sent < 1e6) sent += Number((await push.send("x")) === undefined);
      return rang;
    },
    true,
  );

  same("readable and writable", async ({ zmq, open, address }) => {
    const name = address();
    const push = open(new zmq.Push({ sendHighWaterMark: 1 }));
    const pull = open(new zmq.Pull({ receiveHighWaterMark: 1 }));
    const seen = [[push.writable, push.readable, pull.readable, pull.writable]];
    await pull.bind(name);
    push.connect(name);
    const look = () => seen.push([push.writable, push.readable, pull.readable, pull.writable]);
    look();
    await push.send("1");
    look();
    await push.send("2");
    look();
    await pull.receive();
    await pull.receive();
    look();
    push.close();
    seen.push([push.writable, push.readable]);
    return seen;
  });
});

describe("timeouts, and the close", () => {
  same("EAGAIN", async ({ zmq, open }) => {
    const push = open(new zmq.Push({ sendTimeout: 0 }));
    const pull = open(new zmq.Pull({ receiveTimeout: 0 }));
    const seen = [await outcome(() => push.send("x")), await outcome(() => pull.receive())];
    push.sendTimeout = 5;
    pull.receiveTimeout = 5;
    return [...seen, await outcome(() => push.send("x")), await outcome(() => pull.receive())];
  });

  same("a close ends what waits as a timeout would", async ({ zmq, open }) => {
    const push = open(new zmq.Push());
    const pull = open(new zmq.Pull());
    const sent = outcome(() => push.send("x"));
    const received = outcome(() => pull.receive());
    push.close();
    pull.close();
    return [await sent, await received];
  });

  same("a closed socket throws at once; closing it again is nothing", async (scene) => {
    const { push, pull } = pipeline(scene);
    push.close();
    push.close();
    pull.close();
    return [
      push.closed,
      push.context === undefined,
      [push.readable, push.writable],
      await outcome(() => push.send("x")),
      await outcome(() => pull.receive()),
      await outcome(() => push.bind("inproc://x")),
      await outcome(() => push.bindSync("inproc://x")),
      await outcome(() => push.unbind("inproc://x")),
      await outcome(() => push.connect("inproc://x")),
      await outcome(() => push.disconnect("inproc://x")),
      await outcome(() => push.linger),
      await outcome(() => {
        push.linger = 5;
      }),
      await outcome(() => push.events),
      await outcome(() => (push.close as (x: number) => void)(1)),
    ];
  });
});

describe("iteration", () => {
  same(
    "ends when the socket is closed, and not before",
    async (scene) => {
      const { push, pull } = pipeline(scene);
      const seen: string[] = [];
      const reading = (async () => {
        for await (const [part] of pull) seen.push(String(part));
        seen.push("end");
      })();
      await push.send("1");
      await push.send("2");
      seen.push(await state(reading));
      pull.close();
      await reading;
      return seen;
    },
    ["1", "2", "pending", "end"],
  );

  same(
    "can be left, and begun again",
    async (scene) => {
      const { push, pull } = pipeline(scene);
      const seen: string[] = [];
      for (const text of ["1", "2", "3"]) await push.send(text);
      for await (const [part] of pull) {
        seen.push(String(part));
        break;
      }
      for await (const [part] of pull) if (seen.push(String(part)) === 3) break;
      return seen;
    },
    ["1", "2", "3"],
  );

  same("a timeout ends it with an error", async ({ zmq, open }) => {
    const pull = open(new zmq.Pull({ receiveTimeout: 5 }));
    return outcome(async () => {
      for await (const _ of pull);
    });
  });

  same("its iterator has next, and nothing else", async (scene) => {
    const { push, pull } = pipeline(scene);
    const iterator = pull[Symbol.asyncIterator]();
    await push.send("x");
    const first = await iterator.next();
    pull.close();
    const { done } = await iterator.next();
    return [Object.keys(iterator), first.done, texts(first.value as Buffer[]), done];
  });
});

describe("the wrong direction", () => {
  only("is told at once, where zeromq.js waits for ever", async ({ zmq, open }) => {
    const pull = open(new zmq.Pull()) as unknown as { send(text: string): Promise<void> };
    const push = open(new zmq.Push()) as unknown as { receive(): Promise<unknown> };
    const call = (result: object) => (result as { rejected: { code: string } }).rejected.code;
    assert.equal(call(await outcome(() => pull.send("x"))), "ENOTSUP");
    assert.equal(call(await outcome(() => push.receive())), "ENOTSUP");
  });

  same("where there is a timeout, there is the same error", async ({ zmq, open }) => {
    class Raw extends zmq.Pull {
      sendNow(): Promise<void> {
        this.setInt32Option(28, 0);
        return (this as unknown as { send(text: string): Promise<void> }).send("x");
      }
    }
    return outcome(() => open(new Raw()).sendNow());
  });
});
