// SPDX-License-Identifier: MIT

/** Programs of threads: only the module's name tells one from the other. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runProgram } from "../support/child.ts";

/**
 * Work is pushed to worker threads, results are pulled from them, and a publisher tells them to
 * stop: the threads are of source text, and require the module. Sockets are fields of a class.
 */
function shift(library: string): string {
  const worker = `
    const zmq = require("${library}");
    class Shifter {
      input = new zmq.Pull({ receiveHighWaterMark: 1 });
      output = new zmq.Push();
      signal = new zmq.Subscriber();
      constructor() {
        this.input.connect("inproc://input");
        this.output.connect("inproc://output");
        this.signal.connect("inproc://signal");
        this.signal.subscribe();
        this.listen();
        this.output.send(["ready", ""]); // Who is stopped before it listens is not stopped.
      }
      async listen() {
        for await (const [word] of this.signal) if (word.toString() === "stop") this.stop();
      }
      stop() {
        this.input.close();
        this.output.close();
        this.signal.close();
      }
      async run() {
        for await (const [position, letter] of this.input) {
          const code = letter.toString().charCodeAt(0);
          await this.output.send([position, String.fromCharCode(code + 1)]);
        }
      }
    }
    new Shifter().run();`;
  return `
    import { Worker } from "node:worker_threads";
    import * as zmq from "${library}";
    const input = new zmq.Push();
    const output = new zmq.Pull();
    const signal = new zmq.Publisher();
    const places = [[input, "input"], [output, "output"], [signal, "signal"]];
    await Promise.all(places.map(([socket, name]) => socket.bind("inproc://" + name)));
    const exits = [1, 2].map(() => new Promise((resolve) => {
      new Worker(${JSON.stringify(worker)}, { eval: true, execArgv: [] }).on("exit", resolve);
    }));
    const text = "HAL 9000";
    for (const letter of text.split("").entries()) await input.send(letter.map(String));
    const letters = [];
    let ready = 0;
    for await (const [position, letter] of output) {
      if (position.toString() === "ready") ready++;
      else letters[Number(position)] = letter.toString();
      if (ready === 2 && Object.keys(letters).length === text.length) break;
    }
    console.log(letters.join(""));
    await Promise.all([
      signal.send("stop"),
      ...places.map(([socket, name]) => socket.unbind("inproc://" + name)),
    ]);
    console.log(await Promise.all(exits));`;
}

describe("threads", () => {
  for (const library of ["zeromq", "threadmq/zeromq"]) {
    test(`a pool of workers that are stopped by a signal: ${library}`, async () => {
      const { stdout, stderr, code } = await runProgram(shift(library));
      assert.equal(stderr, "");
      assert.equal(stdout, "IBM!:111\n[ 0, 0 ]\n");
      assert.equal(code, 0);
    });
  }

  test("one thread has zeromq.js's names, another the library's own", async () => {
    const worker = `
      const { Push } = require("threadmq");
      const push = new Push();
      push.connect("inproc://mixed");
      push.sendSync("from there");`;
    const { stdout } = await runProgram(`
      import { Worker } from "node:worker_threads";
      import { Pull } from "threadmq/zeromq";
      const pull = new Pull();
      await pull.bind("inproc://mixed");
      new Worker(${JSON.stringify(worker)}, { eval: true, execArgv: [] });
      console.log(String(await pull.receive()));`);
    assert.equal(stdout, "from there\n");
  });

  test("a worker that is terminated in the middle harms nobody", async () => {
    const worker = `
      const { parentPort } = require("node:worker_threads");
      const { Reply } = require("threadmq/zeromq");
      const reply = new Reply();
      reply.connect("inproc://mortal");
      (async () => {
        for await (const [question] of reply) {
          if (String(question) === "wait") parentPort.postMessage("waiting");
          else await reply.send("answer");
        }
      })();`;
    const { stdout, code } = await runProgram(`
      import { once } from "node:events";
      import { Worker } from "node:worker_threads";
      import { Request } from "threadmq/zeromq";
      const request = new Request();
      await request.bind("inproc://mortal");
      const worker = new Worker(${JSON.stringify(worker)}, { eval: true, execArgv: [] });
      await request.send("question");
      console.log(String(await request.receive()));
      await request.send("wait");
      await once(worker, "message");
      await worker.terminate();
      await request.receive().catch(({ code }) => console.log(code));`);
    assert.equal(stdout, "answer\nEHOSTUNREACH\n");
    assert.equal(code, 0);
  });

  test("sockets that the program has let go of are closed", async () => {
    const { stdout } = await runProgram(`
      import { setFlagsFromString } from "node:v8";
      import { runInNewContext } from "node:vm";
      import { setImmediate } from "node:timers/promises";
      import { Context, Pull, Push } from "threadmq/zeromq";
      setFlagsFromString("--expose-gc");
      const collect = runInNewContext("gc");
      const context = new Context({ maxSockets: 4 });
      const waiting = new Pull({ context }).receive();
      new Push({ context });
      new Push({ context });
      new Push({ context });
      let kept = false;
      waiting.finally(() => { kept = true; });
      for (let free = false; !free; ) {
        collect();
        await setImmediate();
        try {
          for (let i = 0; i < 3; i++) new Push({ context });
          free = true;
        } catch {}
      }
      console.log("free", kept);
      process.exit();`);
    assert.equal(stdout, "free false\n");
  });
});
