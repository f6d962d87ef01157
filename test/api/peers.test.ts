// SPDX-License-Identifier: MIT

/**
 * B3: every pair of socket types, in both orders, as the table of `context/peers.ts` has it: those
 * that fit are linked, and for the others the call that would complete the link fails, and both
 * sockets are as they were.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as threadmq from "threadmq";
import { compatible, typeName } from "#src/context/peers.ts";
import { SMALL, zmq } from "../support/ground.ts";

const NAME = "inproc://a";
const { Context, Socket } = threadmq;

type Make = new (options: { context: threadmq.Context }) => threadmq.Socket;

/** All classes of sockets, by their type; what others extend has none of its own. */
function classes(): Map<number, Make> {
  const all = (Object.values(threadmq) as unknown[]).filter(isSocketClass);
  const last = all.filter((one) => !all.some((other) => other.prototype instanceof one));
  const context = new Context(SMALL);
  const byType = new Map(last.map((One) => [new One({ context }).type as number, One]));
  context.terminate();
  return byType;
}

function isSocketClass(value: unknown): value is Make {
  return typeof value === "function" && value.prototype instanceof Socket;
}

const CLASSES = classes();
const TYPES = [...CLASSES.keys()];

describe("socket types", () => {
  test("all have a class", () => {
    assert.equal(TYPES.length, 19);
  });

  for (const [type, One] of CLASSES) {
    for (const [peer, Other] of CLASSES) {
      for (const order of ["bind first", "connect first"]) {
        const fit = compatible(type, peer);
        const claim = `B3: ${typeName(type)} bound, ${typeName(peer)} connected, ${order}`;
        test(`${claim}: ${fit ? "fine" : "ENOCOMPATPROTO"}`, async () => {
          const context = new Context(SMALL);
          const bound = new One({ context });
          const connected = new Other({ context });
          if (order === "bind first") bound.bindSync(NAME);
          else connected.connect(NAME);
          const complete = () => {
            if (order === "bind first") connected.connect(NAME);
            else bound.bindSync(NAME);
          };
          if (fit) complete();
          else assert.throws(complete, zmq("ENOCOMPATPROTO", NAME));
          const pipes = (socket: threadmq.Socket) => socket.stats().pipes;
          const waits = !fit && order === "connect first" ? 1 : 0;
          assert.deepEqual([pipes(bound), pipes(connected)], fit ? [1, 1] : [0, waits]);
          // The name goes on to one that fits.
          if (!fit) {
            (order === "bind first" ? bound : connected).close();
            const [Fits] = TYPES.filter((t) => compatible(t, peer)).map((t) => CLASSES.get(t));
            const next = new (Fits as Make)({ context });
            next.bindSync(NAME);
            if (order === "bind first") connected.connect(NAME);
            else {
              const again = new Other({ context });
              again.connect(NAME);
              assert.equal(pipes(again), 1);
            }
            assert.equal(pipes(next), 1);
          }
          await context.terminate();
        });
      }
    }
  }
});
