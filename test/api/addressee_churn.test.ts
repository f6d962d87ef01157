// SPDX-License-Identifier: MIT

/**
 * Binders in several threads take a name in turn, and close, unbind or are killed at any time,
 * while another thread speaks to them all the time: nobody receives what was for another.
 */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { Reply, Router, type ZmqError } from "threadmq";
import { type Ground, play, type Thread } from "../support/ground.ts";
import { Random } from "../support/random.ts";
import type { Scene } from "../support/stage.ts";

const NAME = "inproc://a";
const MILLISECONDS = 3000;

interface Report {
  /** How often it has had the name, and how many messages it has received. */
  turns: number;
  received: number;
  wrong: string[];
}

/** Takes the name again and again, each time by another id, and says what came that was not its. */
async function takeTurns(
  scene: Scene,
  name: string,
  prefix: string,
  seed: number,
  milliseconds: number,
): Promise<Report> {
  const { Random } = await scene.load("./random.js");
  const random = new Random(seed);
  const report: Report = { turns: 0, received: 0, wrong: [] };
  const until = Date.now() + milliseconds;
  for (let turn = 0; Date.now() < until; turn++) {
    const id = `${prefix}.${turn}`;
    const options = { receiveHighWaterMark: random.next(8), sendTimeout: 1000, linger: 0 };
    const socket = new scene.threadmq.Dealer({
      context: scene.context,
      routingId: id,
      ...options,
    });
    const hear = (message: readonly Uint8Array[] | undefined) => {
      if (message === undefined) return false;
      const text = new TextDecoder().decode(message.at(-1));
      report.received++;
      if (!text.startsWith(`${id}:`)) report.wrong.push(`${id} has received ${text}`);
      return true;
    };
    try {
      socket.bindSync(name);
      report.turns++;
      // What lay there for another would come before anything of ours.
      for (let i = random.next(3); i > 0; i--) hear(socket.tryReceive());
      for (let i = 0; i < 8; i++) await socket.send(["", `${id}:${i}`]);
      for (let i = random.next(8); i > 0; i--) {
        if (!hear(await socket.receive({ timeout: 20 }).catch(() => undefined))) break;
      }
      if (random.next(3) === 0) {
        socket.unbindSync(name);
        while (hear(socket.tryReceive()));
      }
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 1)); // Another has the name.
    }
    socket.close();
  }
  return report;
}

/** Lets one thread take turns with others that are killed. */
async function churn(g: Ground, seed: number): Promise<Report> {
  const random = new Random(seed);
  const until = Date.now() + MILLISECONDS;
  const start = (prefix: string, thread: Thread): Promise<Report> =>
    thread.run(takeTurns, NAME, prefix, random.next(2 ** 31), MILLISECONDS);
  const report = start("survivor", g.thread());
  for (let round = 0; Date.now() < until; round++) {
    const thread = g.thread();
    start(`victim${round}`, thread).catch(() => {});
    await delay(50 + random.next(150), undefined, { signal: g.signal });
    await thread.kill();
  }
  return report;
}

/** Closes a socket that answers: what it has not sent by then, it cannot any more. */
async function leave(socket: Router | Reply, answering: Promise<void>): Promise<void> {
  socket.close();
  await answering.catch((error: ZmqError) => assert.equal(error.code, "EBADF"));
}

function check({ turns, received, wrong }: Report, seed: number): void {
  assert.deepEqual(wrong, [], `THREADMQ_SEED=${seed}`);
  assert.ok(turns > 20 && received > 20, `${turns} turns, ${received} received`);
}

play("ROUTER: no binder receives what was for another, whatever becomes of it", async (g) => {
  const { seed } = new Random();
  const router = new Router({ context: g.context, sendHighWaterMark: 20 });
  router.connect(NAME);
  const answering = (async () => {
    for await (const [id, , text] of router) {
      for (let i = 0; i < 3; i++) await router.send([id as Uint8Array, text as Uint8Array]);
    }
  })();
  check(await churn(g, seed), seed);
  await leave(router, answering);
});

play(
  "REP: no binder receives the reply to another's request, whatever becomes of it",
  async (g) => {
    const { seed } = new Random();
    const reply = new Reply({ context: g.context, sendHighWaterMark: 20 });
    reply.connect(NAME);
    const answering = (async () => {
      for await (const request of reply) await reply.send(request);
    })();
    check(await churn(g, seed), seed);
    await leave(reply, answering);
  },
);
