// SPDX-License-Identifier: MIT

import { Push } from "threadmq";
import { startThread } from "../child.ts";

export interface ProxyData {
  isBroker: boolean;
  /** Whether it blocks its thread. */
  blocks: boolean;
}

/** Starts the thread of proxy.ts. Returns what ends it. */
export async function startProxy(data: ProxyData): Promise<() => void> {
  await startThread(new URL("./proxy.js", import.meta.url).href, data);
  const control = new Push();
  control.connect("inproc://control");
  return () => {
    control.sendSync("TERMINATE");
    control.close();
  };
}
