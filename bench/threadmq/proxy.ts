// SPDX-License-Identifier: MIT

/**
 * proxy — the thread between, of inproc_thr and broker: a Proxy from inproc://front to
 * inproc://back, until the main thread says that it is over.
 */

import * as threadmq from "threadmq";
import { inThread, ready, told } from "../child.ts";

async function run({ isBroker }: { isBroker: boolean }): Promise<void> {
  const front = isBroker ? new threadmq.Router() : new threadmq.Pull();
  const back = isBroker ? new threadmq.Dealer() : new threadmq.Push();
  front.bindSync("inproc://front");
  back.bindSync("inproc://back");
  const proxy = new threadmq.Proxy(front, back);
  const running = proxy.run();
  ready();
  await told();
  proxy.terminate();
  await running;
  front.close();
  back.close();
}

await inThread(run);
