// SPDX-License-Identifier: MIT

/**
 * zeromqjs_thr — throughput of the `zeromq` package (libzmq behind N-API) over inproc, from a
 * worker's PUSH to the main thread's PULL. If the fifth argument is 1, a proxy from a PULL to a
 * PUSH is between them, in a third thread (zeromqjs_proxy.ts).
 *
 * `await send` and `for await`: it has no other way. The sender uses one buffer again and again, as
 * everywhere; that is right up to 128 bytes, which it copies. Above, it sends by reference, so a
 * new buffer is made for each message.
 *
 * What is not equal: nothing up to 128 bytes; this is the same loop as ThreadMQ's `await send` and
 * `for await`. Above, nobody copies the body.
 */

import { once } from "node:events";
import { isMainThread } from "node:worker_threads";
import {
  type Arguments,
  inThread,
  Meter,
  Outgoing,
  readArguments,
  ready,
  report,
  reportSkip,
  startThread,
} from "../child.ts";
import { leave, REFERENCED_ABOVE, stay } from "./zeromqjs.ts";

interface Data extends Arguments {
  hasProxy: boolean;
}

async function sender({ size, count, warmup, hasProxy }: Data): Promise<void> {
  const { Push } = await import("zeromq");
  const push = new Push();
  push.connect(hasProxy ? "inproc://front" : "inproc://thr");
  ready();
  let outgoing = new Outgoing(size);
  for (let number = 0; number < warmup + count; number++) {
    if (size > REFERENCED_ABOVE) outgoing = new Outgoing(size);
    await push.send(outgoing.numbered(number));
  }
  await stay(push);
}

async function receiver(args: Data): Promise<void> {
  const zeromq = await import("zeromq").catch(() => undefined);
  if (zeromq === undefined) return reportSkip("the `zeromq` package does not load here");
  const pull = new zeromq.Pull();
  const proxyFile = new URL("./zeromqjs_proxy.js", import.meta.url).href;
  const proxy = args.hasProxy ? await startThread(proxyFile, { isBroker: false }) : undefined;
  if (args.hasProxy) pull.connect("inproc://back");
  else await pull.bind("inproc://thr");
  const worker = await startThread(import.meta.url, args);
  const meter = new Meter(args);
  for await (const [part] of pull) if (meter.look(part)) break;
  pull.close();
  report(meter.figures());
  if (proxy !== undefined) {
    // Should the process end while it closes its sockets, that would abort it.
    const ended = once(proxy, "exit");
    proxy.postMessage("over");
    await ended;
  }
  await leave(worker);
}

if (isMainThread) await receiver({ ...readArguments(), hasProxy: process.argv[6] === "1" });
else await inThread(sender);
