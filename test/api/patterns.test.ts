// SPDX-License-Identifier: MIT

/**
 * What is promised of every pattern with links both ways, or of one part: by a list of pairs of
 * types, each with what one says and how the other answers.
 */
import assert from "node:assert/strict";
import { describe } from "node:test";
import { type Actor, DISTANCES, far, type Ground, play, zmq } from "../support/ground.ts";
import { link, NAME, ORDERS, several } from "../support/links.ts";
import { type Kind, WAYS } from "../support/stage.ts";

/** Two types that talk: the first begins. */
interface Talk {
  readonly asks: Kind;
  readonly answers: Kind;
  /** What a text is sent as. */
  readonly wrap?: (text: string) => string[];
  /** Whether there is no answer. */
  readonly oneWay?: boolean;
  /** Whether the next is asked when the answer has come, and not before. */
  readonly inTurn?: boolean;
  readonly onePart?: boolean;
  /** Whether it takes one peer only. */
  readonly exclusive?: boolean;
  /** Whether what a closed peer has not read goes to the others. */
  readonly returns?: boolean;
}

const enveloped = (text: string) => ["", text];
const TALKS: readonly Talk[] = [
  { asks: "Pair", answers: "Pair", exclusive: true },
  { asks: "Channel", answers: "Channel", exclusive: true, onePart: true },
  { asks: "Request", answers: "Reply", inTurn: true },
  { asks: "Request", answers: "Router", inTurn: true },
  { asks: "Dealer", answers: "Reply", wrap: enveloped, returns: true },
  { asks: "Dealer", answers: "Router", returns: true },
  { asks: "Dealer", answers: "Dealer", returns: true },
  { asks: "Client", answers: "Server", onePart: true, returns: true },
  { asks: "Push", answers: "Pull", oneWay: true, returns: true },
  { asks: "Scatter", answers: "Gather", oneWay: true, onePart: true, returns: true },
];

/** The text in a message as the one that answers has received it. */
function textOf(kind: Kind, message: any[]): string {
  return Buffer.from(kind === "Server" ? message[0] : message.at(-1)).toString();
}

/** Receives a message, and sends it back if that can be done. */
async function serve({ answers, oneWay = false }: Talk, actor: Actor): Promise<string> {
  const message = await actor.call("receive", { timeout: 10_000 });
  if (!oneWay) {
    if (answers === "Server") await actor.call("send", message[0], message[1]);
    else await actor.call("send", message);
  }
  return textOf(answers, message);
}

async function ask({ wrap = (text) => [text] }: Talk, actor: Actor, text: string): Promise<void> {
  await actor.send([wrap(text)]);
}

async function hear({ oneWay = false }: Talk, actor: Actor, text: string): Promise<void> {
  if (oneWay) return;
  const [message] = await actor.receive(1);
  assert.equal(message?.split("|").at(-1), text);
}

async function talk(talk: Talk, asking: Actor, answering: Actor, text: string): Promise<void> {
  await ask(talk, asking, text);
  assert.equal(await serve(talk, answering), text);
  await hear(talk, asking, text);
}

/** What can be received now, as the text in each message. */
async function rest(kind: Kind, actor: Actor): Promise<string[]> {
  const texts: string[] = [];
  for (;;) {
    const message = await actor.call("tryReceive");
    if (message === undefined) return texts;
    texts.push(textOf(kind, message));
  }
}

/** The two sockets, in the roles of who binds and who connects. */
async function both(g: Ground, { asks, answers }: Talk, binds: "asks" | "answers", place = g.here) {
  const asking = await g.open(asks, { sendHighWaterMark: 3 });
  const answering = await g.open(answers, { receiveHighWaterMark: 2 }, place);
  const [binder, connecter] = binds === "asks" ? [asking, answering] : [answering, asking];
  return { asking, answering, binder, connecter };
}

for (const each of TALKS) {
  const { asks, answers } = each;
  for (const binds of ["asks", "answers"] as const) {
    for (const distance of DISTANCES) {
      describe(`${asks} and ${answers}, who ${binds} binds, ${distance}`, () => {
        play("B1: bind first or connect first is the same afterwards", async (g) => {
          const place = far(g, distance);
          const results: unknown[] = [];
          for (const order of ORDERS) {
            const { asking, answering, binder, connecter } = await both(g, each, binds, place);
            await link(binder, connecter, order);
            for (const text of ["1", "2"]) await talk(each, asking, answering, text);
            let fits = 0;
            if (each.inTurn !== true) {
              const message = each.wrap?.("fill") ?? ["fill"];
              while (await asking.call("trySend", message)) fits++;
              for (let i = 0; i < fits; i++) await serve(each, answering);
              for (let i = 0; i < fits; i++) await hear(each, asking, "fill");
            }
            await talk(each, asking, answering, "3");
            results.push(fits);
            await binder.close();
            await connecter.close();
          }
          const limit = each.inTurn === true ? 0 : 5;
          assert.deepEqual(results, [limit, limit]);
        });

        play("C1: who has connected is linked to the next binder, and the next", async (g) => {
          const place = far(g, distance);
          const { connecter, binder } = await both(g, each, binds, place);
          const kind = binds === "asks" ? asks : answers;
          let bound = binder;
          await connecter.connect(NAME);
          for (const round of ["1", "2", "3"]) {
            await bound.bind(NAME);
            const [asking, answering] = binds === "asks" ? [bound, connecter] : [connecter, bound];
            await talk(each, asking, answering, round);
            if (round === "1") await bound.call("unbindSync", NAME);
            else await bound.close();
            if (round !== "1") bound = await g.open(kind, {}, place);
          }
        });

        play(
          "D1: after a close the name is free, and nothing more is accepted for it",
          async (g) => {
            const place = far(g, distance);
            const { asking, answering, binder, connecter } = await both(g, each, binds, place);
            await link(binder, connecter);
            await talk(each, asking, answering, "1");
            await binder.close();
            const next = await g.open(binds === "asks" ? asks : answers, {}, place);
            await next.bind(NAME);
            for (const method of ["bindSync", "connect", "unbindSync"]) {
              await assert.rejects(binder.call(method, NAME), zmq("EBADF"));
            }
            const [a, b] = binds === "asks" ? [next, connecter] : [connecter, next];
            await talk(each, a, b, "2");
          },
        );
      });
    }
  }
}

for (const each of TALKS) {
  const { asks, answers } = each;
  for (const distance of DISTANCES) {
    if (each.returns === true) {
      for (const going of ["closes", "dies"] as const) {
        const claim = `${asks}: others get, once, what a ${answers} has not read that ${going}`;
        play(`G2, G3: ${claim}, ${distance}`, async (g) => {
          const asking = await g.open(asks);
          await asking.bind(NAME);
          const thread = g.thread();
          const [leaver] = await several(
            g,
            1,
            answers,
            going === "dies" ? thread : far(g, distance),
          );
          const others = await several(g, 2, answers, far(g, distance));
          const texts = Array.from({ length: 12 }, (_, i) => `${i}`);
          for (const text of texts) await ask(each, asking, text);
          assert.equal(await serve(each, leaver as Actor), "0");
          await (going === "dies" ? thread.kill() : leaver?.close());
          await asking.call("stats");
          const got: string[] = [];
          for (const other of others) {
            const own: string[] = [];
            if (answers === "Reply") {
              while ((await other.call("stats")).queuedIn > 0) own.push(await serve(each, other));
            } else own.push(...(await rest(answers, other)));
            got.push(...own);
          }
          const byNumber = got.map(Number).sort((a, b) => a - b);
          assert.deepEqual(byNumber.map(String), texts.slice(1));
        });
      }
    }

    play(
      `I2: ${asks}: a send that waits is not lost when the ${answers} closes, ${distance}`,
      async (g) => {
        if (each.inTurn === true) return; // Of REQ see reqrep.test.ts.
        const asking = await g.open(asks, { sendHighWaterMark: 1 });
        await asking.bind(NAME);
        const options = { receiveHighWaterMark: 1 };
        const [first] = await several(g, 1, answers, far(g, distance), () => options);
        for (const text of ["1", "2"]) await ask(each, asking, text);
        if (each.oneWay !== true && answers !== "Reply") {
          // Something unread the other way shall not be in the way.
          if (each.exclusive === true) await first?.send(["unread"]);
        }
        const waiting = ask(each, asking, "3");
        await first?.close();
        const [second] = await several(g, 1, answers, far(g, distance));
        await waiting;
        const expected = each.returns === true ? ["1", "2", "3"] : ["3"];
        for (const text of expected) assert.equal(await serve(each, second as Actor), text);
      },
    );

    for (const way of WAYS) {
      play(
        `N1: ${asks} to ${answers}: many parts, by ${way}, arrive whole, ${distance}`,
        async (g) => {
          if (each.onePart === true) return; // It cannot.
          const asking = await g.open(asks);
          const answering = await g.open(answers, {}, far(g, distance));
          await link(answering, asking);
          const parts = [
            "first",
            "",
            "x".repeat(70_000),
            ...Array.from({ length: 60 }, String),
            "",
          ];
          const sent = [...(each.wrap === undefined ? [] : [""]), ...parts];
          await asking.send([sent], way);
          const [got] = await answering.receive(1, way);
          assert.ok(
            got?.endsWith(parts.join("|")),
            "the whole message, and in front what is added",
          );
          assert.equal(await answering.call("tryReceive").catch(() => undefined), undefined);
        },
      );
    }
  }
}
