// SPDX-License-Identifier: MIT

/** Observers: of all events only the end ever comes; and proxies. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runProgram } from "../support/child.ts";
import { only, outcome, same, state } from "./both.ts";

describe("events", () => {
  same(
    "to listeners only the end, whatever happens",
    async ({ zmq, open, address }) => {
      const name = address();
      const pull = open(new zmq.Pull());
      const seen: unknown[] = [];
      const ended = new Promise<void>((resolve) => {
        const { events } = pull;
        for (const type of ["bind", "accept", "connect", "close", "disconnect", "end"] as const) {
          events.on(type, (event) => seen.push(event));
        }
        const gone = () => seen.push("gone");
        events
          .on("end", gone)
          .off("end", gone)
          .on("end", () => resolve());
      });
      await pull.bind(name);
      const push = open(new zmq.Push());
      push.connect(name);
      await push.send("x");
      await pull.receive();
      push.close();
      pull.close();
      await ended;
      return seen;
    },
    [{ type: "end" }],
  );

  same("by receive: the end, and then it is closed", async ({ zmq, open }) => {
    const pull = open(new zmq.Pull());
    const { events } = pull;
    const received = events.receive();
    const seen: unknown[] = [events === pull.events, events.closed];
    seen.push(await state(received), await outcome(() => events.receive()));
    pull.close();
    seen.push(await received, events.closed, await outcome(() => events.receive()));
    return seen;
  });

  same(
    "the end is kept until it is asked for",
    async ({ zmq, open }) => {
      const pull = open(new zmq.Pull());
      const { events } = pull;
      pull.close();
      const seen = [events.closed, await events.receive(), events.closed];
      return seen;
    },
    [false, { type: "end" }, true],
  );

  same(
    "by iteration",
    async ({ zmq, open }) => {
      const pull = open(new zmq.Pull());
      const seen: unknown[] = [];
      const { events } = pull;
      setImmediate(() => pull.close());
      for await (const event of events) seen.push(event);
      return seen;
    },
    [{ type: "end" }],
  );

  same("a listener changes the mode for good", async ({ zmq, open }) => {
    const pull = open(new zmq.Pull());
    const { events } = pull;
    const listener = () => {};
    events.on("end", listener);
    events.off("end", listener);
    let error: unknown;
    try {
      void events.receive();
    } catch (thrown) {
      error = thrown;
    }
    return [(error as Error).message];
  });

  same("an observer can be closed by itself", async ({ zmq, open }) => {
    const pull = open(new zmq.Pull());
    const { events } = pull;
    const received = outcome(() => events.receive());
    events.close();
    events.close();
    return [events.closed, await received, await outcome(() => events.receive()), pull.closed];
  });

  same(
    "a second observer ends the first",
    async ({ zmq, open }) => {
      const pull = open(new zmq.Pull());
      const first = new zmq.Observer(pull);
      const second = new zmq.Observer(pull);
      const event = await first.receive();
      second.close();
      return event;
    },
    { type: "end" },
  );

  same("what can be observed", async ({ zmq, open }) => {
    const Any = zmq.Observer as unknown as new (...args: unknown[]) => unknown;
    const pull = open(new zmq.Pull());
    pull.close();
    const seen: object[] = [];
    for (const args of [[], [5], [{}], [pull], [pull, 1]])
      seen.push(await outcome(() => new Any(...args)));
    return seen;
  });

  only("a closed observer ends its iteration", async ({ zmq, open }) => {
    const { events } = open(new zmq.Pull());
    setImmediate(() => events.close());
    for await (const event of events) assert.fail(event.type);
  });

  test("a listener that throws does not keep the end from the others", async () => {
    const { stdout } = await runProgram(`
      import { Pull } from "threadmq/zeromq";
      process.on("uncaughtException", ({ message }) => console.log(message));
      const pull = new Pull();
      pull.events.on("end", () => { throw new Error("of the program"); });
      pull.events.on("end", () => console.log("heard"));
      pull.close();`);
    assert.equal(stdout, "heard\nof the program\n");
  });
});
