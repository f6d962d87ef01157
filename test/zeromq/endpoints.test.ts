// SPDX-License-Identifier: MIT

/** bind, connect and their opposites: what they throw and reject, and what is blocked meanwhile. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { only, outcome, same, shape, texts } from "./both.ts";

describe("addresses", () => {
  same("that are none, and that have an unknown scheme", async ({ zmq, open }) => {
    const seen: object[] = [];
    for (const address of ["foo", "foo-bar://x", "inproc://", "://x", ""]) {
      const push = open(new zmq.Push());
      seen.push(
        await outcome(() => push.bind(address)),
        await outcome(() => push.bindSync(address)),
        await outcome(() => push.connect(address)),
        await outcome(() => push.unbind(address)),
        await outcome(() => push.disconnect(address)),
      );
    }
    return seen;
  });

  same("that are no strings, and too many", async ({ zmq, open }) => {
    const push = open(new zmq.Push()) as unknown as Record<string, (...args: unknown[]) => unknown>;
    const seen: object[] = [];
    for (const name of ["bind", "bindSync", "unbind", "connect", "disconnect"]) {
      seen.push(await outcome(() => push[name]?.()), await outcome(() => push[name]?.(5)));
      seen.push(await outcome(() => push[name]?.("inproc://x", "inproc://y")));
    }
    return seen;
  });

  same("that are taken, and that are not there", async ({ zmq, open, address }) => {
    const [name, other] = [address(), address()];
    const first = open(new zmq.Pull());
    const second = open(new zmq.Pull());
    await first.bind(name);
    return [
      await outcome(() => second.bind(name)),
      await outcome(() => second.bindSync(name)),
      await outcome(() => first.bind(name)),
      await outcome(() => second.unbind(other)),
      await outcome(() => second.disconnect(other)),
      await outcome(() => first.unbind(name)),
      await outcome(() => second.bind(name)),
    ];
  });

  only("of the network are not supported", async ({ zmq, open }) => {
    const addresses = ["tcp://127.0.0.1:*", "ipc://x", "ws://x:1", "udp://x:1", "pgm://x;y:1"];
    for (const address of addresses) {
      const push = open(new zmq.Push());
      for (const call of ["bind", "bindSync", "connect"] as const) {
        const result = (await outcome(() => push[call](address))) as Record<string, object>;
        const error = result.threw ?? result.rejected;
        const { code, message, address: named } = error as Record<string, unknown>;
        const expected = ["EPROTONOSUPPORT", "Protocol not supported", address];
        assert.deepEqual([code, message, named], expected);
      }
    }
  });

  same("the last one is remembered", async ({ zmq, open, address }) => {
    const push = open(new zmq.Push());
    const seen = [push.lastEndpoint];
    push.connect(address());
    seen.push(push.lastEndpoint);
    await push.bind(address());
    return [...seen, push.lastEndpoint];
  });

  same("to unbind and to disconnect are one", async ({ zmq, open, address }) => {
    const [bound, connected] = [address(), address()];
    const pull = open(new zmq.Pull());
    await pull.bind(bound);
    pull.connect(connected);
    const seen = [
      await outcome(() => pull.disconnect(bound)),
      await outcome(() => pull.unbind(connected)),
      await outcome(() => pull.disconnect(bound)),
    ];
    return seen;
  });

  only("unbindSync unbinds, where zeromq.js binds", async ({ zmq, open, address }) => {
    const name = address();
    const pull = open(new zmq.Pull());
    pull.bindSync(name);
    pull.unbindSync(name);
    open(new zmq.Pull()).bindSync(name);
    const { threw } = (await outcome(() => pull.unbindSync(name))) as { threw: { code: string } };
    assert.equal(threw.code, "ENOENT");
  });
});

describe("while a socket is blocked", () => {
  same("by a bind or an unbind, every other call is thrown", async ({ zmq, open, address }) => {
    const name = address();
    const seen: object[] = [];
    const pair = open(new zmq.Pair());
    for (const blocking of ["bind", "unbind"] as const) {
      const settled = pair[blocking](name);
      const calls = ["send", "receive", "bind", "bindSync", "unbind", "connect", "disconnect"];
      for (const method of calls) {
        const any = pair as unknown as Record<string, (text?: string) => unknown>;
        try {
          any[method]?.(...(method === "receive" ? [] : [name]));
          seen.push({ method });
        } catch (error) {
          seen.push({ method, ...shape(error) });
        }
      }
      await settled;
    }
    return [seen.length, seen];
  });

  same(
    "a close waits until it is over",
    async ({ zmq, open, address }) => {
      const name = address();
      const pull = open(new zmq.Pull());
      const bound = pull.bind(name);
      pull.close();
      const seen = [pull.closed];
      await bound;
      seen.push(pull.closed);
      return seen;
    },
    [false, true],
  );

  same("its options can be read and set", async ({ zmq, open, address }) => {
    const pull = open(new zmq.Pull());
    const bound = pull.bind(address());
    pull.linger = 5;
    const seen = [pull.linger, pull.type, pull.closed];
    await bound;
    return seen;
  });
});

describe("order", () => {
  same(
    "connect first, then bind",
    async ({ zmq, open, address }) => {
      const name = address();
      const push = open(new zmq.Push());
      push.connect(name);
      await push.send("early");
      const pull = open(new zmq.Pull());
      await pull.bind(name);
      return texts(await pull.receive());
    },
    ["early"],
  );

  same(
    "a message waits for a peer, with linger, after the close",
    async ({ zmq, open, address }) => {
      const name = address();
      const push = open(new zmq.Push({ linger: -1 }));
      push.connect(name);
      await push.send("left");
      push.close();
      const pull = open(new zmq.Pull());
      await pull.bind(name);
      return texts(await pull.receive());
    },
    ["left"],
  );

  only("with a linger of 0 it does not; in libzmq it does", async ({ zmq, open, address }) => {
    const name = address();
    const push = open(new zmq.Push({ linger: 0 }));
    push.connect(name);
    await push.send("lost");
    push.close();
    const pull = open(new zmq.Pull());
    await pull.bind(name);
    assert.equal(pull.readable, false);
  });
});
