// SPDX-License-Identifier: MIT

/** Options: all of them, by name and by number, read, set, and read again. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OURS, only, outcome, type Scene, same, THEIRS, type Zmq } from "./both.ts";

type Class = new (options?: object) => { close(): void };

const CLASSES = [
  ["Pair", "Publisher", "Subscriber", "Request", "Reply", "Dealer", "Router", "Pull", "Push"],
  ["XPublisher", "XSubscriber", "Stream"],
  ["Server", "Client", "Radio", "Dish", "Gather", "Scatter", "Datagram"],
].flat();

function classOf(zmq: Zmq, name: string): Class {
  return (zmq as unknown as Record<string, Class>)[name] as Class;
}

/** Of CURVE, which we do not have; `vmci` too is known to libzmq by how it was built. */
const MISSING = /^curve/;

/** The names of all properties of a class that are options. */
function namesOf(zmq: Zmq, name: string): string[] {
  const names = new Set<string>();
  let prototype: object | null = classOf(zmq, name).prototype;
  for (
    ;
    prototype !== Object.prototype && prototype;
    prototype = Object.getPrototypeOf(prototype)
  ) {
    for (const [key, { get, set }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if ((get ?? set) !== undefined && !MISSING.test(key)) names.add(key);
    }
  }
  return [...names].sort();
}

const NOT_OPTIONS = ["closed", "context", "events", "readable", "writable"];

const VALUES = [-2, -1, 0, 1, 5, 1.9, 2 ** 32 + 5, true, "", "x", "1.2.3.4/8", null, {}, "a\0b"];

/** Sets every option of a class to each value, and reads it again. */
async function tour({ zmq, open }: Scene, name: string): Promise<object> {
  const seen: Record<string, unknown> = {};
  for (const option of namesOf(zmq, name).filter((option) => !NOT_OPTIONS.includes(option))) {
    const socket = open(new (classOf(zmq, name))()) as unknown as Record<string, unknown>;
    seen[option] = await outcome(() => socket[option]);
    for (const value of VALUES) {
      const set = await outcome(() => {
        socket[option] = value;
      });
      seen[`${option} = ${JSON.stringify(value)}`] = [set, await outcome(() => socket[option])];
    }
    (socket as unknown as { close(): void }).close();
  }
  return seen;
}

describe("by name", () => {
  for (const name of CLASSES) {
    test(`${name} has the options that it has there`, () =>
      assert.deepEqual(namesOf(OURS, name), namesOf(THEIRS, name)));

    same(`${name}: each of them, set to all sorts of values`, (scene) => tour(scene, name));
  }

  same(
    "what cannot be read is undefined",
    ({ zmq, open }) => {
      const request = open(new zmq.Request({ correlate: true, relaxed: true, probeRouter: true }));
      return [request.correlate, request.relaxed, request.probeRouter];
    },
    [undefined, undefined, undefined],
  );

  same("an id that is no text comes back cut", ({ zmq, open }) => {
    class Raw extends zmq.Dealer {
      setId(id: Buffer): string | null {
        this.setStringOption(5, id);
        return this.routingId;
      }
    }
    const raw = open(new Raw());
    return [raw.setId(Buffer.from([1, 0, 255, 2])), raw.setId(Buffer.from("dé"))];
  });

  same(
    "PLAIN is the mechanism of a server of PLAIN",
    ({ zmq, open }) => {
      const push = open(new zmq.Push());
      const seen: unknown[] = [push.securityMechanism];
      push.plainServer = true;
      seen.push(push.securityMechanism, push.plainServer);
      push.plainUsername = "x";
      seen.push(push.securityMechanism, push.plainServer);
      push.plainPassword = null;
      return [...seen, push.securityMechanism];
    },
    [null, "plain", true, "plain", false, null],
  );
});

/** A class of a program's own that opens a type by its number. */
function raw(zmq: Zmq, type: number): Record<string, (id: number, value?: unknown) => unknown> {
  class Raw extends zmq.Socket {
    constructor() {
      super(type);
    }
  }
  return new Raw() as never;
}

/** Numbers of texts; all others but these, which libzmq has for itself, are of numbers. */
const TEXTS = [5, 6, 7, 32, 38, 45, 46, 55, 61, 68, 72, 92];
const SKIPPED = new Set([14, 31, 41, 47, 48, 49, 50, 58, 59, 60, 89, 95, 96, 97, 98, 99]);
const NUMBERS: Record<string, unknown[]> = {
  Bool: [true, false],
  Int32: [-1, 0, 1, 5, 6553600],
  Uint32: [0, 5],
  Int64: [-1, 5, 2 ** 64],
  Uint64: [0, 7, -7, 2 ** 60],
};
const LONG = new Set([4, 22, 85, 86, 87]);

function sweep({ zmq, open }: Scene, type: number): Promise<object> {
  const socket = raw(zmq, type);
  open(socket as unknown as { close(): void });
  return sweepOf(socket);
}

async function sweepOf(
  socket: Record<string, (id: number, value?: unknown) => unknown>,
): Promise<object> {
  const seen: Record<string, unknown> = {};
  for (let id = 0; id < 95; id++) {
    if (SKIPPED.has(id)) continue;
    const values = TEXTS.includes(id) ? { String: [null, "", "x", "y".repeat(256)] } : NUMBERS;
    for (const [accessor, list] of Object.entries(values)) {
      // A word read as a long: libzmq lets some pass, of which the rest is not set.
      if (/64/.test(accessor) && !LONG.has(id)) continue;
      const get = () => outcome(() => socket[`get${accessor}Option`]?.(id));
      seen[`${id} ${accessor}`] = await get();
      for (const value of list) {
        const set = await outcome(() => socket[`set${accessor}Option`]?.(id, value));
        seen[`${id} ${accessor} = ${String(value).slice(0, 9)}`] = [set, await get()];
      }
    }
  }
  return seen;
}

describe("by number", () => {
  for (let type = 0; type <= 11; type++) {
    same(`socket type ${type}: all numbers`, (scene) => sweep(scene, type));
  }

  same("arguments of a wrong kind, and too many", async ({ zmq, open }) => {
    const socket = raw(zmq, 8);
    open(socket as unknown as { close(): void });
    const calls: [string, unknown[]][] = [
      ["getInt32Option", []],
      ["getInt32Option", ["x"]],
      ["getInt32Option", [17, 3]],
      ["setInt32Option", [17]],
      ["setInt32Option", [17, "x"]],
      ["setInt32Option", [17, 1, 2]],
      ["setBoolOption", [17, 3]],
      ["setStringOption", [17, 3]],
      ["setUint64Option", [4, null]],
    ];
    const seen: object[] = [];
    for (const [name, args] of calls) {
      seen.push(await outcome(() => socket[name]?.(...(args as [number]))));
    }
    return seen;
  });
});

describe("at the constructor", () => {
  same("options are assigned; they are an object", async ({ zmq, open }) => [
    open(new zmq.Dealer({ linger: 7, routingId: "me" })).routingId,
    await outcome(() => new zmq.Push(null as never)),
    await outcome(() => new zmq.Push("x" as never)),
  ]);

  // A socket of zeromq.js that fails here is never closed, and its process may not end.
  only("one that is not known, or cannot be set, is a TypeError", ({ zmq }) => {
    const make = (options: object) => () => new zmq.Push(options);
    const unknown = "Cannot add property foo, object is not extensible";
    assert.throws(make({ foo: 1 }), { name: "TypeError", message: unknown });
    assert.throws(make({ type: 1 }), TypeError);
    assert.throws(make({ linger: -2 }), { code: "EINVAL", message: "Invalid argument" });
  });

  same(
    "instances are sealed, and have no properties of their own",
    ({ zmq, open }) => {
      const push = open(new zmq.Push());
      return [Object.isSealed(push), Object.getOwnPropertyNames(push), Object.keys(push)];
    },
    [true, [], []],
  );

  same(
    "the context is taken out of what the program gave",
    ({ zmq, open }) => {
      const options = { context: new zmq.Context(), linger: 0 };
      const { context } = options;
      const push = open(new zmq.Push(options));
      return ["context" in options, push.context === context, push.linger];
    },
    [false, true, 0],
  );

  same("a context of another making, a type that there is not", async ({ zmq }) => {
    const seen: object[] = [];
    for (const context of [undefined, null, 5, {}]) {
      seen.push(await outcome(() => new zmq.Push({ context } as never)));
    }
    const Any = zmq.Socket as unknown as new (...args: unknown[]) => unknown;
    for (const args of [[], ["x"], [99], [-1], [8, {}, 1]]) {
      seen.push(await outcome(() => new Any(...args)));
    }
    return seen;
  });

  only("a socket that could not be given its options is not left open", ({ zmq }) => {
    const context = new zmq.Context({ maxSockets: 1 });
    for (let round = 0; round < 3; round++) {
      assert.throws(() => new zmq.Push({ context, foo: 1 } as object), TypeError);
    }
    new zmq.Push({ context }).close();
  });
});

/** What is warned of while something is done. */
async function warnings(act: () => unknown): Promise<string[]> {
  const seen: string[] = [];
  const emit = process.emitWarning;
  process.emitWarning = (warning: string | Error) => void seen.push(String(warning));
  try {
    await act();
  } finally {
    process.emitWarning = emit;
  }
  return seen;
}

describe("warnings", () => {
  same("of what will not take effect any more", async ({ zmq, open, address }) => {
    const router = open(new zmq.Router());
    const all = () => {
      router.backlog = 5;
      router.linger = 0;
      router.mandatory = true;
      router.handover = true;
      router.sendHighWaterMark = 5;
      router.sendTimeout = 5;
      router.plainServer = false;
    };
    const seen = [await warnings(all)];
    router.connect(address());
    seen.push(await warnings(all));
    const push = open(new zmq.Push());
    await push.bind("foo").catch(() => {}); // It counts all the same.
    const bound = push.bind(address());
    const change = () => {
      push.backlog = 7;
    };
    seen.push(await warnings(change));
    await bound;
    return seen;
  });

  same("of numbers that are too large", async ({ zmq, open }) => {
    const push = open(new zmq.Push());
    const seen: unknown[] = [];
    for (const value of [2 ** 53 - 1, 2 ** 53, 2 ** 64, 2 ** 70, -5]) {
      const set = () => {
        push.affinity = value;
      };
      seen.push(await warnings(set), push.affinity);
    }
    return seen;
  });
});
