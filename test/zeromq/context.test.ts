// SPDX-License-Identifier: MIT

/** Contexts: their options, and what sockets take from them. */
import { describe } from "node:test";
import { outcome, same, texts, type Zmq } from "./both.ts";

const NAMES = [
  ["blocky", "ioThreads", "ipv6", "maxMessageSize", "maxSockets", "maxSocketsLimit"],
  ["threadPriority", "threadSchedulingPolicy"],
].flat();

type Options = Record<string, unknown>;

function raw(zmq: Zmq): Record<string, (id: number, value?: unknown) => unknown> {
  class Raw extends zmq.Context {}
  return new Raw() as never;
}

describe("options", () => {
  same("by name: the defaults, and all sorts of values", async ({ zmq }) => {
    const seen: Options = {};
    for (const name of NAMES) {
      const context = new zmq.Context() as unknown as Options;
      seen[name] = context[name];
      for (const value of [-1, 0, 1, 5, 65535, 65536, 2 ** 31, true, "x", null]) {
        // Threads of the system: values that it does not know would end the process.
        if (/thread/.test(name) && value !== 0 && typeof value === "number") continue;
        const set = await outcome(() => {
          context[name] = value;
        });
        seen[`${name} = ${value}`] = [set, context[name]];
      }
    }
    return seen;
  });

  same("by number", async ({ zmq }) => {
    const context = raw(zmq);
    const seen: Options = {};
    for (const id of [0, 1, 2, 3, 4, 5, 6, 11, 42, 43, 70, 71]) {
      seen[id] = [
        await outcome(() => context.getInt32Option?.(id)),
        await outcome(() => context.getBoolOption?.(id)),
        await outcome(() => context.setInt32Option?.(id, -1)),
        await outcome(() => context.setBoolOption?.(id, true)),
        await outcome(() => context.getInt32Option?.(id)),
      ];
    }
    return seen;
  });

  same("at the constructor", async ({ zmq }) => {
    const Any = zmq.Context as unknown as new (...args: unknown[]) => Options;
    const context = new Any({ blocky: false, maxSockets: 7 });
    const seen: unknown[] = [context.blocky, context.maxSockets, Object.isSealed(context)];
    for (const args of [[null], ["x"], [{ foo: 1 }], [{ maxSockets: 0 }], [{}, 1]]) {
      seen.push(await outcome(() => new Any(...args)));
    }
    return seen;
  });
});

describe("sockets of a context", () => {
  same(
    "cannot be linked to those of another",
    async ({ zmq, open, address }) => {
      const name = address();
      const context = new zmq.Context();
      const inside = open(new zmq.Pull({ context }));
      const outside = open(new zmq.Pull());
      await inside.bind(name);
      await outside.bind(name);
      const push = open(new zmq.Push({ context }));
      push.connect(name);
      await push.send("x");
      return [texts(await inside.receive()), outside.readable, outside.context === zmq.context];
    },
    [["x"], false, true],
  );

  same("are so many at the most", async ({ zmq, open }) => {
    const context = new zmq.Context({ maxSockets: 2 });
    const first = open(new zmq.Push({ context }));
    open(new zmq.Pull({ context }));
    return [await outcome(() => new zmq.Push({ context })), first.closed];
  });

  same(
    "take over linger and ipv6",
    ({ zmq, open }) => {
      const context = new zmq.Context({ blocky: false, ipv6: true });
      const push = open(new zmq.Push({ context }));
      const usual = open(new zmq.Push());
      return [push.linger, push.ipv6, usual.linger, usual.ipv6];
    },
    [0, true, -1, false],
  );
});
