// SPDX-License-Identifier: MIT

/**
 * proxy — the thread between, of inproc_thr and broker: a Proxy from inproc://front to
 * inproc://back, until it is told by inproc://control that it is over. Beside promises it runs in
 * its thread's event loop, beside blocking calls it blocks its thread, as zmq_proxy does.
 */

import * as threadmq from "threadmq";
import { inThread, ready } from "../child.ts";
import type { ProxyData } from "./start_proxy.ts";

async function run({ isBroker, blocks }: ProxyData): Promise<void> {
  const front = isBroker ? new threadmq.Router() : new threadmq.Pull();
  const back = isBroker ? new threadmq.Dealer() : new threadmq.Push();
  const control = new threadmq.Pull();
  front.bindSync("inproc://front");
  back.bindSync("inproc://back");
  control.bindSync("inproc://control");
  const proxy = new threadmq.Proxy(front, back, { control });
  ready();
  if (blocks) proxy.runSync();
  else await proxy.run();
  for (const socket of [front, back, control]) socket.close();
}

await inThread(run);
