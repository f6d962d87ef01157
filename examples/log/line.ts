// SPDX-License-Identifier: MIT

import type { LogRecord } from "threadmq";

/** line — one record of the log, to be read by people. */
export function line(topic: string, record: LogRecord, startedAt: number): string {
  const { time, thread, sequence: _, dropped, socket, endpoint, ...rest } = record;
  const parts = [`${time - startedAt} ms`.padStart(7), thread.padEnd(11), topic.padEnd(18)];
  if (socket !== undefined) parts.push(`${socket.type} ${socket.number}`);
  if (endpoint !== undefined) parts.push(endpoint);
  for (const [name, value] of Object.entries(rest)) parts.push(`${name}: ${shown(value)}`);
  if (dropped > 0) parts.push(`(${dropped} records before this one are lost)`);
  return parts.join("  ").trimEnd();
}

function shown(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : `${value}`;
}
