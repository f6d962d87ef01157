// SPDX-License-Identifier: MIT

/**
 * A worker with a live socket is terminated: the same program with zeromq.js, whose process is
 * aborted, and with ours, which goes on. Each runs in a process of its own.
 */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { type Outcome, runProgram } from "../support/child.ts";

const ROUNDS = 5;

/** A worker sends and receives, and is terminated; then the rest of the program goes on. */
function program(library: string, endpoint: string): string {
  const worker = `
    import { parentPort } from "node:worker_threads";
    import { Pull, Push } from "${library}";
    const pull = new Pull();
    await pull.bind("${endpoint}");
    const push = new Push({ linger: 0 });
    push.connect("${endpoint}");
    (async () => {
      for (;;) await push.send("to itself");
    })();
    let received = 0;
    for await (const message of pull) if (++received === 1000) parentPort.postMessage("busy");`;
  return `
    import { once } from "node:events";
    import { Worker } from "node:worker_threads";
    await import("${library}");
    const worker = new Worker(${JSON.stringify(worker)}, { eval: true });
    await once(worker, "message");
    await worker.terminate();
    console.log("alive");`;
}

/** Why zeromq.js cannot be tried here, or false. */
function cannotLoad(): string | false {
  try {
    createRequire(import.meta.url)("zeromq");
    return false;
  } catch (error) {
    return `zeromq.js does not load here: ${(error as Error).message.split("\n")[0]}`;
  }
}

async function outcomes(library: string): Promise<Outcome[]> {
  const all: Outcome[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    all.push(await runProgram(program(library, `inproc://rival-${round}`), 30_000));
  }
  return all;
}

test("ThreadMQ: the process goes on when a worker with a live socket is terminated", async () => {
  for (const { code, signal, stdout, stderr } of await outcomes("threadmq")) {
    assert.deepEqual(
      { code, signal, stdout, stderr },
      {
        code: 0,
        signal: null,
        stdout: "alive\n",
        stderr: "",
      },
    );
  }
});

test("zeromq.js: the process is aborted", { skip: cannotLoad() }, async (t) => {
  const all = await outcomes("zeromq");
  const aborted = all.filter(({ signal }) => signal === "SIGABRT" || signal === "SIGSEGV");
  const [first] = aborted;
  t.diagnostic(`${aborted.length} of ${ROUNDS}: ${first?.signal} ${first?.stderr.split("\n")[0]}`);
  assert.ok(aborted.length > 0, `it survived ${ROUNDS} times: say so in the README`);
});
