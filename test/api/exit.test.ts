// SPDX-License-Identifier: MIT

/** What keeps a process alive, and what does not: programs that must end by themselves. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runProgram } from "../support/child.ts";

const HEAD = `
  import { Context, Pull, Push, context } from "threadmq";
  import { Worker } from "node:worker_threads";
  const worker = (lines) => {
    const body = "(async () => { const { Pull } = await import('threadmq'); " + lines + " })()";
    return new Worker(body, { eval: true });
  };
  const code = (promise) => promise.then(() => console.log("done"), (e) => console.log(e.code));
  process.on("exit", () => console.log("exit"));
`;

/** The lines, and what is printed before the end. */
const ENDS: Record<string, [lines: string, stdout: string]> = {
  "importing only": ["", ""],
  "an open socket": [`new Pull().bindSync("inproc://a"); new Push().connect("inproc://b");`, ""],
  "a context, terminated": [
    `const c = new Context(); new Pull({ context: c }); await c.terminate();`,
    "",
  ],
  "a pending receive of an unref'd socket": [`new Pull().unref().receive();`, ""],
  "a pending send of an unref'd socket": [`new Push().unref().send("x");`, ""],
  "a receive that was pending before the unref": [
    `const p = new Pull(); p.receive(); p.unref(); setImmediate(() => {});`,
    "",
  ],
  "a receive that was served": [
    `const p = new Pull(); p.bindSync("inproc://a"); const s = new Push(); s.connect("inproc://a");
     const r = p.receive(); s.send("x"); console.log(String(await r));`,
    "x\n",
  ],
  "a receive that has timed out": [`await code(new Pull().receive({ timeout: 10 }));`, "EAGAIN\n"],
  "a receive that was aborted": [
    `await new Pull().receive({ signal: AbortSignal.abort("no") }).catch(console.log);`,
    "no\n",
  ],
  "a receive whose socket was closed": [
    `const p = new Pull(); const r = code(p.receive()); p.close(); await r;`,
    "EBADF\n",
  ],
  "a `for await` whose socket is closed": [
    `const p = new Pull(); setTimeout(() => p.close(), 10);
     for await (const m of p); console.log("end");`,
    "end\n",
  ],
  "messages that nobody receives": [
    `const p = new Push(); p.connect("inproc://a");
     for (let i = 0; i < 10; i++) await p.send("x");`,
    "",
  ],
  "a worker with an open socket that has nothing to do": [
    `worker('new Pull().bindSync("inproc://a")');`,
    "",
  ],
  "a worker that waits, and is served": [
    `worker('const p = new Pull(); p.bindSync("inproc://a"); await p.receive();');
     const s = new Push(); s.connect("inproc://a"); await s.send("x");`,
    "",
  ],
  "a swap of a link whose peer has died, and which others are given what it left": [
    `const w = worker('const p = new Pull({ receiveHighWaterMark: 1 });' +
       'p.bindSync("inproc://a"); setInterval(() => {}, 1000);' +
       '(await import("node:worker_threads")).parentPort.postMessage("bound")');
     await new Promise((resolve) => w.once("message", resolve));
     const s = new Push({ sendHighWaterMark: 1, swap: 100_000 });
     s.connect("inproc://a");
     for (let i = 0; i < 10; i++) await s.send("x");
     const p = new Pull({ receiveHighWaterMark: 1 }); p.bindSync("inproc://b");
     s.connect("inproc://b");
     w.on("exit", () => setImmediate(() => {
       console.log(s.stats().pipes); s.disconnect("inproc://a");
     }));
     w.terminate();`,
    "2\n",
  ],
  "process.exit with calls that wait": [`new Pull().receive(); process.exit(0);`, ""],
  "process.exit in a worker with calls that wait": [
    `worker('new Pull().receive(); setImmediate(() => process.exit(0));');`,
    "",
  ],
};

test("at the end of a worker, a call of an open socket is told so: EBADF", async () => {
  const { code, stdout } = await runProgram(`${HEAD}
    const push = "const push = new Push(); push.connect('inproc://a');";
    const pull = "const pull = new Pull(); pull.connect('inproc://b');";
    const show = "(call) => { try { call(); } catch (e) { console.log(e.code, e.message); } }";
    const calls = "[() => push.sendSync('x'), () => pull.tryReceive()].forEach(" + show + ")";
    const lines = push + pull + "process.on('exit', () => " + calls + ");";
    const body = "import('threadmq').then(({ Pull, Push }) => {" + lines + "});";
    new Worker(body, { eval: true });`);
  assert.equal(code, 0);
  assert.equal(stdout.match(/^EBADF .*thread is about to end/gm)?.length, 2, stdout);
  assert.doesNotMatch(stdout, /[Cc]ontext/);
});

describe("a process ends by itself, with code 0, after", () => {
  for (const [name, [lines, stdout]] of Object.entries(ENDS)) {
    test(name, async () => {
      const outcome = await runProgram(HEAD + lines);
      assert.deepEqual(outcome, { code: 0, signal: null, stdout: `${stdout}exit\n`, stderr: "" });
    });
  }
});

/** The program would end at once, were it not for the call; a timer without a hold serves it. */
const HOLDS: Record<string, string> = {
  "a pending receive": `
    const s = new Push(); s.connect("inproc://a");
    const p = new Pull(); p.bindSync("inproc://a");
    p.receive().then((m) => console.log(String(m)));
    setTimeout(() => s.send("held"), 50).unref();`,
  "a pending send": `
    const s = new Push(); s.send("held").then(() => console.log("held"));
    setTimeout(() => { s.connect("inproc://a"); }, 50).unref();`,
  "ref after unref": `
    const s = new Push(); s.connect("inproc://a");
    const p = new Pull().unref(); p.bindSync("inproc://a");
    p.receive().then((m) => console.log(String(m)));
    p.ref();
    setTimeout(() => s.send("held"), 50).unref();`,
  "a `for await`": `
    const p = new Pull(); p.bindSync("inproc://a");
    const s = new Push(); s.connect("inproc://a");
    setTimeout(() => s.send("held"), 50).unref();
    for await (const m of p) { console.log(String(m)); break; }`,
  "a receive in a worker, which holds the worker": `
    worker('const p = new Pull(); p.connect("inproc://a"); console.log(String(await p.receive()))');
    const s = new Push(); s.bindSync("inproc://a"); setTimeout(() => s.send("held"), 100);`,
};

describe("a process is held by", () => {
  for (const [name, lines] of Object.entries(HOLDS)) {
    test(name, async () => {
      const { code, signal, stdout, stderr } = await runProgram(HEAD + lines);
      assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: "" });
      assert.deepEqual(stdout.split("\n").sort(), ["", "exit", "held"].sort());
    });
  }
});
