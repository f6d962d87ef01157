// SPDX-License-Identifier: MIT

/** Contexts: their options, and what sockets take from them. */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { only, outcome, same, texts } from "./both.ts";

const NAMES = [
  ["blocky", "ioThreads", "ipv6", "maxMessageSize", "maxSockets", "maxSocketsLimit"],
  ["threadPriority", "threadSchedulingPolicy"],
].flat();

type Options = Record<string, unknown>;
type Raw = Record<string, (id: number, value?: unknown) => unknown>;

/** Contexts of zeromq.js stay: one that is collected may take the process with it at its end. */
const kept: unknown[] = [];

function keep<C>(context: C): C {
  kept.push(context);
  return context;
}

describe("options", () => {
  same("by name: the defaults, and all sorts of values", async ({ zmq }) => {
    const seen: Options = {};
    const context = zmq.context as unknown as Options;
    for (const name of NAMES) {
      const initial = context[name];
      seen[name] = initial;
      for (const value of [-1, 0, 1, 5, 65535, 65536, 2 ** 31, true, "x", null]) {
        // Threads of the system: they are there already.
        if (/thread/.test(name) && value !== 0 && typeof value === "number") continue;
        const set = await outcome(() => {
          context[name] = value;
        });
        seen[`${name} = ${value}`] = [set, context[name]];
      }
      if (initial !== undefined && name !== "maxSocketsLimit") context[name] = initial;
    }
    return seen;
  });

  same("by number", async ({ zmq }) => {
    const context = zmq.context as unknown as Raw;
    const seen: Options = {};
    for (const id of [0, 1, 2, 3, 5, 6, 11, 42, 43, 70, 71]) {
      const initial = await outcome(() => context.getInt32Option?.(id));
      seen[id] = [
        initial,
        await outcome(() => context.getBoolOption?.(id)),
        await outcome(() => context.setInt32Option?.(id, -1)),
        await outcome(() => context.setInt32Option?.(id)),
        await outcome(() => context.setBoolOption?.(id, 1)),
        await outcome(() => context.getInt32Option?.(id, 1)),
      ];
    }
    return seen;
  });

  only("at the constructor", ({ zmq }) => {
    const Any = zmq.Context as unknown as new (...args: unknown[]) => Options;
    const { blocky, maxSockets } = new Any({ blocky: false, maxSockets: 7 });
    assert.deepEqual([blocky, maxSockets, Object.isSealed(new Any())], [false, 7, true]);
    const object = { name: "TypeError", message: "Options must be an object" };
    assert.throws(() => new Any(null), object);
    assert.throws(() => new Any("x"), object);
    const unknown = "Cannot add property foo, object is not extensible";
    assert.throws(() => new Any({ foo: 1 }), { name: "TypeError", message: unknown });
    assert.throws(() => new Any({ maxSockets: 0 }), { code: "EINVAL", errno: 22 });
    const many = { name: "TypeError", message: "Expected 1 argument but received 2" };
    assert.throws(() => new Any({}, 1), many);
  });
});

describe("sockets of a context", () => {
  same(
    "cannot be linked to those of another, and are so many at the most",
    async ({ zmq, open, address }) => {
      const name = address();
      const context = keep(new zmq.Context({ maxSockets: 2, blocky: false, ipv6: true }));
      const inside = open(new zmq.Pull({ context }));
      const outside = open(new zmq.Pull());
      inside.bindSync(name);
      outside.bindSync(name);
      const push = open(new zmq.Push({ context }));
      push.connect(name);
      await push.send("x");
      return [
        texts(await inside.receive()),
        [outside.readable, outside.context === zmq.context],
        [push.linger, push.ipv6, outside.linger, outside.ipv6],
        await outcome(() => new zmq.Push({ context })),
      ];
    },
  );
});
