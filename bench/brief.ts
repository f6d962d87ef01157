// SPDX-License-Identifier: MIT

/**
 * brief — the table of the README: what is done, in one line each, and how many times as fast it
 * goes as with the rivals, whatever the figure itself is.
 */

import { medianOf, type Round, ratioOf, significant, table, write } from "./report.ts";

/** What is measured, and by which programs. */
interface Task {
  title: string;
  figure: "rate" | "p50";
  blocking: string;
  promises?: string;
  libzmq: string;
  /** libzmq as it waits for many sockets, beside promises; if it is another program. */
  polled?: string;
  zeromqjs: string;
}

/** What is done one by one, and in batches: two lines. */
const both = (bench: string, title: string): Task[] =>
  ["one", "many"].map((way) => ({
    title: way === "one" ? title : `${title}, in batches`,
    figure: "rate",
    blocking: `${bench}/${way}`,
    promises: `${bench}/${way}-await`,
    libzmq: `${bench}/libzmq-copy`,
    zeromqjs: `${bench}/zeromqjs`,
  }));

const TASKS: readonly Task[] = [
  ...both("thr", "PUSH to PULL"),
  {
    title: "a request and its reply, REQ and REP",
    figure: "p50",
    blocking: "reqrep/busy",
    promises: "reqrep/busy-await",
    libzmq: "reqrep/libzmq-poll",
    polled: "reqrep/libzmq-wait",
    zeromqjs: "reqrep/zeromqjs",
  },
  ...[1, 8, 64].flatMap((n) => both(`pub/64/${n}`, `PUB to ${n} SUB of one thread`)),
  {
    title: "PUB of 64 KiB to 8 SUB, received by leases",
    figure: "rate",
    blocking: "pub/65536/8/lease",
    libzmq: "pub/65536/8/libzmq-copy",
    zeromqjs: "pub/65536/8/zeromqjs",
  },
  ...both("subs", "PUB to one SUB with 100,000 subscriptions"),
  ...both("proxy", "PUSH to PULL by a proxy"),
  {
    title: "requests by a ROUTER-DEALER broker",
    figure: "rate",
    blocking: "broker/turn",
    promises: "broker/await",
    libzmq: "broker/libzmq-turn",
    polled: "broker/libzmq-poll",
    zeromqjs: "broker/zeromqjs",
  },
];

/** The table of what has run; nothing if none of it has. */
export function briefTable(rounds: Round[]): string {
  const lines = TASKS.filter(({ blocking }) => rounds.some((round) => blocking in round)).map(
    (task) => [task.title, ...cellsOf(task, rounds)],
  );
  if (lines.length === 0) return "";
  const heads = ["", "blocking", "× libzmq", "promises", "× libzmq", "× zeromq.js"];
  return `### In brief\n\n${table(heads, lines)}`;
}

function cellsOf(task: Task, rounds: Round[]): string[] {
  const { figure, blocking, promises, libzmq, polled = libzmq, zeromqjs } = task;
  const value = (id: string | undefined): string => {
    if (id === undefined) return "–";
    const median = medianOf(rounds, id, figure);
    return median === undefined ? "–" : write(median, figure === "rate" ? "rate" : "us");
  };
  const times = (id: string | undefined, rival: string): string => {
    if (id === undefined) return "–";
    const ratio = figure === "rate" ? [id, rival] : [rival, id]; // Of times, less is faster.
    const median = ratioOf(rounds, ratio[0], ratio[1], figure);
    return median === undefined ? "–" : significant(median);
  };
  return [
    value(blocking),
    times(blocking, libzmq),
    value(promises),
    times(promises, polled),
    times(promises ?? blocking, zeromqjs),
  ];
}
