// SPDX-License-Identifier: MIT

/** The module: its exports, its constants, and what importing it costs. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { describe, test } from "node:test";
import * as esm from "threadmq/zeromq";
import * as draft from "threadmq/zeromq/draft";
import { runProgram } from "../support/child.ts";
import { OURS, only, outcome, same, THEIRS } from "./both.ts";

const NAMES = [
  ["version", "capability", "curveKeyPair", "context", "Context", "Socket", "Observer", "Proxy"],
  ["Pair", "Publisher", "Subscriber", "Request", "Reply", "Dealer", "Router", "Pull", "Push"],
  ["XPublisher", "XSubscriber", "Stream"],
].flat();

const DRAFT = ["Client", "Datagram", "Dish", "Gather", "Radio", "Scatter", "Server"];

describe("exports", () => {
  test("are those of zeromq.js, and no others, by import and by require", () => {
    const require = createRequire(import.meta.url);
    assert.deepEqual(Object.keys(esm).sort(), [...NAMES].sort());
    assert.deepEqual(Object.keys(require("threadmq/zeromq")).sort(), [...NAMES].sort());
    assert.deepEqual(Object.keys(require("zeromq")).sort(), [...NAMES].sort());
    assert.deepEqual(Object.keys(draft).sort(), DRAFT);
    assert.deepEqual(Object.keys(require("threadmq/zeromq/draft")).sort(), DRAFT);
    assert.equal(require("threadmq/zeromq").Push, esm.Push);
  });

  test("classes have their names", () => {
    for (const name of NAMES.filter((name) => /^[A-Z]/.test(name))) {
      assert.equal((OURS as unknown as Record<string, { name: string }>)[name]?.name, name);
    }
  });

  same("a class can be extended, and knows its prototype", ({ zmq, open }) => {
    class Own extends zmq.Push {
      get double(): number {
        return 2 * this.sendHighWaterMark;
      }
    }
    const own = open(new Own({ sendHighWaterMark: 4 }));
    return [
      own.double,
      own instanceof zmq.Push,
      own instanceof zmq.Socket,
      own instanceof zmq.Pull,
    ];
  });

  test("version and capabilities are of the same kind", () => {
    assert.equal(OURS.version, THEIRS.version);
    assert.deepEqual(Object.keys(OURS.capability), Object.keys(THEIRS.capability));
    for (const value of Object.values(OURS.capability)) assert.equal(typeof value, "boolean");
    assert.equal(OURS.capability.curve, false);
  });

  only("there are no keys: they are of the network", async ({ zmq }) => {
    const { threw } = (await outcome(() => zmq.curveKeyPair())) as { threw: { code: string } };
    assert.equal(threw.code, "ENOTSUP");
  });
});

describe("importing it", () => {
  test("opens nothing, and lets the process end", async () => {
    const { code, stdout } = await runProgram(`
      await import("threadmq/zeromq");
      await import("threadmq/zeromq/draft");
      const { context, Context } = await import("threadmq/zeromq");
      new Context({ maxSockets: 5 });
      context.maxSockets;
      const { context: library } = await import("threadmq");
      // The module loader's file and the standard output are not ours.
      const others = new Set(["CloseReq", "FSReqPromise", "PipeWrap", "TTYWrap"]);
      console.log(process.getActiveResourcesInfo().filter((name) => !others.has(name)).length);
      const { threads, sockets, memory } = library.stats();
      console.log(threads, sockets, memory.size);`);
    // The thread that asks is one itself.
    assert.equal(stdout, "0\n1 0 1048576\n");
    assert.equal(code, 0);
  });

  test("an idle socket does not hold the process; a receive and an observer's do", async () => {
    const program = (rest: string) => `
      const { Pull } = await import("threadmq/zeromq");
      const pull = new Pull();
      await pull.bind("inproc://a");
      process.on("exit", () => console.log("ends"));
      ${rest}`;
    assert.equal((await runProgram(program(""))).stdout, "ends\n");
    const waits = "setTimeout(() => { console.log('waits'); pull.close(); }, 50).unref();";
    const receiving = program(`pull.receive().catch(() => {}); ${waits}`);
    assert.equal((await runProgram(receiving)).stdout, "waits\nends\n");
    const observing = program(`pull.events.receive().catch(() => {}); ${waits}`);
    assert.equal((await runProgram(observing)).stdout, "waits\nends\n");
  });
});
