// SPDX-License-Identifier: MIT

/**
 * zeromqjs_proxy — the thread between, of zeromqjs_thr and zeromqjs_broker: a Proxy of the `zeromq`
 * package from inproc://front to inproc://back, until the main thread says that it is over.
 *
 * The package runs zmq_proxy in a thread of Node's pool; this one sleeps meanwhile. So there are as
 * many threads at work as elsewhere.
 */

import * as zeromq from "zeromq";
import { inThread, ready, told } from "../child.ts";

async function run({ isBroker }: { isBroker: boolean }): Promise<void> {
  const front = isBroker ? new zeromq.Router() : new zeromq.Pull();
  const back = isBroker ? new zeromq.Dealer() : new zeromq.Push();
  await front.bind("inproc://front");
  await back.bind("inproc://back");
  const proxy = new zeromq.Proxy(front, back);
  const running = proxy.run();
  ready();
  await told();
  proxy.terminate();
  await running;
  front.close();
  back.close();
}

await inThread(run);
