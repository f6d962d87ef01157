// SPDX-License-Identifier: MIT

/**
 * plan — what is measured, by which program; what is printed, beside which rival, with which
 * target.
 *
 * A program is run once in each round, in a process of its own. Counts are such that each takes
 * one to two seconds, after half of that to warm up. A row prints one figure of one program.
 */

export const BENCHES = [
  "thr",
  "lat",
  "fan",
  "memory",
  "swap",
  "size",
  "reqrep",
  "broker",
  "pub",
  "subs",
  "proxy",
] as const;
export type Bench = (typeof BENCHES)[number];

export interface Program {
  id: string;
  bench: Bench;
  /** Compiled JavaScript, or a C program, in this folder. */
  file: string;
  variant: string;
  size: number;
  count: number;
  /** Further arguments. */
  more?: number[];
  /** Options of Node. */
  flags?: string[];
  /** In the first round only: no rival, and it takes long or is always the same. */
  once?: boolean;
}

/** `atLeast` or `atMost`, not both. */
export interface Target {
  /** The program held against; if absent, the figure itself is meant. */
  rival?: string;
  atLeast?: number;
  atMost?: number;
  /** Takes the place of `atLeast` where the cores are far apart (see report.ts). */
  atLeastApart?: number;
}

/** How a figure is written. */
export type Unit = "rate" | "us" | "bytes" | "MiB" | "plain";

export interface Row {
  bench: Bench;
  id: string;
  figure: string;
  unit: Unit;
  title: string;
  /** A second figure of the same program, without a target. */
  also?: string;
  /** Programs beside which it is shown. */
  beside: string[];
  targets: Target[];
}

export interface Plan {
  programs: Program[];
  rows: Row[];
}

export const SIZES: readonly number[] = [16, 64, 256, 1024, 65536];
export const LIBZMQ = "thr/libzmq-copy";

/** What a rival is called beside a figure: by its id, or by the last word of that. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  "libzmq-copy": "libzmq",
  "libzmq-message": "libzmq, `zmq_msg_t`",
  "libzmq-poll": "libzmq polled",
  "libzmq-wait": "libzmq blocking",
  "libzmq-turn": "libzmq in turn",
  "broker/libzmq-poll": "libzmq, `zmq_poll`",
  zeromqjs: "zeromq.js",
  "lat/wait": "Atomics.wait",
  "lat/wait-async": "Atomics.waitAsync",
  "fan/one": "one PUSH",
  "fan/libzmq-one": "libzmq, one PUSH",
  "fan/libzmq-many": "libzmq, as many",
  "swap/file": "plain file",
  "swap/memory": "without a swap",
};

export function shortName(id: string): string {
  return SHORT_NAMES[id] ?? SHORT_NAMES[id.slice(id.lastIndexOf("/") + 1)] ?? id;
}

const LIBZMQ_THR = "inproc_thr.c";
const THR = "threadmq/inproc_thr.js";
const LAT = "threadmq/inproc_lat.js";
const FAN = "threadmq/fan_in.js";
const MEMORY = "threadmq/memory.js";
const RING = "rivals/ring_thr.js";
/** What a swap is measured with: 1 GiB of messages. */
const SWAP_SIZE = 1024;
const SWAP_COUNT: number = 2 ** 20;
/** Publications by the size of the body and the count of subscribers. */
const PUBLICATIONS: Readonly<Record<number, Record<number, Record<string, number>>>> = {
  64: {
    1: { ours: 6e6, copy: 10e6, message: 10e6, zeromqjs: 600e3 },
    8: { ours: 1.5e6, copy: 3e6, message: 3e6, zeromqjs: 100e3 },
    64: { ours: 200e3, copy: 500e3, message: 500e3, zeromqjs: 12e3 },
  },
  65536: {
    1: { ours: 100e3, lease: 300e3, copy: 300e3, message: 300e3, zeromqjs: 150e3 },
    8: { ours: 20e3, lease: 150e3, copy: 150e3, message: 300e3, zeromqjs: 25e3 },
    64: { ours: 5e3, lease: 30e3, copy: 30e3, message: 250e3, zeromqjs: 5e3 },
  },
};
/** Longer bodies can be leased. */
const INLINE = 4096;
/** Bytes of a request, and of a publication in `subs`. */
const SMALL = 64;

export interface PlanOptions {
  /** Bytes a message, where no other size is said. */
  size: number;
  /** The long form of what takes long. */
  full: boolean;
  /** PUSH sockets in fan_in and memory. */
  sockets: number;
  /** Subscriptions in subs. */
  subscriptions: number;
  /** The benchmarks asked for. */
  only: readonly string[];
}

export function makePlan(options: PlanOptions): Plan {
  const programs = [
    ...thrPrograms(options.size),
    ...latPrograms(options.size),
    ...fanPrograms(options),
    ...memoryPrograms(options),
    ...swapPrograms(),
    ...SIZES.filter((size) => !isInThr(size, options)).flatMap(sizePrograms),
    ...requestPrograms(options.size),
    ...brokerPrograms(),
    ...forPub(pubPrograms),
    ...subsPrograms(options),
    ...proxyPrograms(options.size),
  ].filter((program) => options.only.includes(program.bench));
  const rows = [
    ...thrRows(),
    ...latRows(),
    ...fanRows(options),
    ...memoryRows(options),
    ...swapRows(),
    ...requestRows(),
    ...brokerRows(),
    ...forPub(pubRows),
    ...subsRows(),
    ...proxyRows(),
  ];
  return { programs, rows };
}

/** Whether `thr` measures this size anyhow. */
function isInThr(size: number, options: PlanOptions): boolean {
  return size === options.size && options.only.includes("thr");
}

type Brief = [id: string, file: string, variant: string, count: number];

const programOf = (bench: Bench, size: number, [id, file, variant, count]: Brief): Program => ({
  id: `${bench}/${id}`,
  bench,
  file,
  variant,
  size,
  count,
  ...(file === LIBZMQ_THR ? { more: [1, 0] } : {}),
});

function thrPrograms(size: number): Program[] {
  const briefs: Brief[] = [
    ["many", THR, "many", 10e6],
    ["many-await", THR, "many-await", 10e6],
    ["one", THR, "one", 8e6],
    ["one-await", THR, "one-await", 5e6],
    ["libzmq-copy", LIBZMQ_THR, "copy", 5e6],
    ["libzmq-message", LIBZMQ_THR, "message", 4e6],
    ["zeromqjs", "rivals/zeromqjs_thr.js", "await", 300e3],
    ["post", "rivals/postmessage_thr.js", "one", 800e3],
    ["post-batch", "rivals/postmessage_thr.js", "batch", 1.5e6],
    ["ring-view", RING, "view", 20e6],
    ...RINGS,
  ];
  return briefs.map((brief) => programOf("thr", size, brief));
}

function latPrograms(size: number): Program[] {
  const briefs: Brief[] = [
    ["busy", LAT, "busy", 500e3],
    ["busy-await", LAT, "busy-await", 300e3],
    ["asleep", LAT, "asleep", 15e3],
    ["asleep-await", LAT, "asleep-await", 15e3],
    ["libzmq-poll", "inproc_lat.c", "poll", 300e3],
    ["libzmq-wait", "inproc_lat.c", "wait", 15e3],
    ["zeromqjs", "rivals/zeromqjs_lat.js", "await", 15e3],
    ["spin", "rivals/word_lat.js", "spin", 1e6],
    ["wait", "rivals/word_lat.js", "wait", 15e3],
    ["wait-async", "rivals/word_lat.js", "waitAsync", 15e3],
  ];
  return briefs.map((brief) => programOf("lat", size, brief));
}

function fanPrograms({ size, sockets }: PlanOptions): Program[] {
  const briefs: [Brief, sockets: number][] = [
    [["one", FAN, "rate", 5e6], 1],
    [["many", FAN, "rate", 3e6], sockets],
    [["served", FAN, "served", sockets * 100], sockets],
    [["served-many", FAN, "served-many", sockets * 100], sockets],
    [["libzmq-one", LIBZMQ_THR, "copy", 4e6], 1],
    [["libzmq-many", LIBZMQ_THR, "copy", 600e3], sockets],
  ];
  return briefs.map(([brief, more]) => ({ ...programOf("fan", size, brief), more: [more, 0] }));
}

function memoryPrograms({ size, sockets, full }: PlanOptions): Program[] {
  const briefs: Brief[] = [
    ["idle", MEMORY, "idle", sockets],
    ["flat", MEMORY, "flat", full ? 100e6 : 10e6],
    ["garbage", MEMORY, "garbage", 1],
  ];
  return briefs.map((brief) => ({
    ...programOf("memory", size, brief),
    flags: ["--expose-gc"],
    once: true,
  }));
}

function swapPrograms(): Program[] {
  const briefs: Brief[] = [
    ["file", "rivals/file.js", "plain", SWAP_COUNT],
    ["swap", "threadmq/swap.js", "swap", SWAP_COUNT],
    ["memory", THR, "many", SWAP_COUNT],
  ];
  return briefs.map((brief) => programOf("swap", SWAP_SIZE, brief));
}

function sizePrograms(size: number): Program[] {
  const count = size > 1024 ? 100e3 : size > 256 ? 3e6 : 6e6;
  const briefs: Brief[] = [
    [`${size}/many`, THR, "many", count],
    [`${size}/one`, THR, "one", count],
    ...(size > INLINE ? [[`${size}/lease`, THR, "lease", 3 * count] as Brief] : []),
    [`${size}/libzmq-copy`, LIBZMQ_THR, "copy", count],
    [`${size}/ring-copied`, RING, "copied", count],
  ];
  return briefs.map((brief) => programOf("size", size, brief));
}

function requestPrograms(size: number): Program[] {
  const briefs: Brief[] = [
    ["busy", LAT, "request-busy", 500e3],
    ["busy-await", LAT, "request-busy-await", 300e3],
    ["libzmq-poll", "inproc_lat.c", "request-poll", 300e3],
    ["libzmq-wait", "inproc_lat.c", "request-wait", 30e3],
    ["zeromqjs", "rivals/zeromqjs_lat.js", "request-await", 15e3],
  ];
  return briefs.map((brief) => programOf("reqrep", size, brief));
}

function brokerPrograms(): Program[] {
  const briefs: Brief[] = [
    ["many", "threadmq/broker.js", "many", 1.5e6],
    ["turn", "threadmq/broker.js", "turn", 1.5e6],
    ["await", "threadmq/broker.js", "await", 1.5e6],
    ["libzmq-turn", "broker.c", "turn", 3e6],
    ["libzmq-poll", "broker.c", "poll", 2e6],
    ["zeromqjs", "rivals/zeromqjs_broker.js", "await", 150e3],
    ["ring", "rivals/ring_broker.js", "turn", 3e6],
  ];
  return briefs.map((brief) => programOf("broker", SMALL, brief));
}

/** Counts are of publications. */
function pubPrograms(size: number, subscribers: number): Program[] {
  const file = "threadmq/pub.js";
  const counts = PUBLICATIONS[size][subscribers];
  const briefs: Brief[] = [
    ["many", file, "many", counts.ours],
    ["many-await", file, "many-await", counts.ours],
    ["one", file, "one", counts.ours],
    ["one-await", file, "one-await", counts.ours],
    ...(size > INLINE ? [["lease", file, "lease", counts.lease] as Brief] : []),
    ["libzmq-copy", "pub.c", "copy", counts.copy],
    ["libzmq-message", "pub.c", "message", counts.message],
    ["zeromqjs", "rivals/zeromqjs_pub.js", "await", counts.zeromqjs],
    ...(isBounded(size, subscribers) ? RINGS : []),
  ];
  return briefs.map(([id, program, variant, count]) => ({
    ...programOf("pub", size, [pubId(size, subscribers, id), program, variant, count]),
    more: [subscribers],
  }));
}

/** Where one thread has to make so many messages that this alone is a bound. */
function isBounded(size: number, subscribers: number): boolean {
  return size <= INLINE && subscribers > 1;
}

const RINGS: Brief[] = [
  ["ring-copied", RING, "copied", 10e6],
  ["ring-awaited", RING, "awaited", 5e6],
];

function forPub<T>(make: (size: number, subscribers: number) => T[]): T[] {
  return Object.entries(PUBLICATIONS).flatMap(([size, counts]) =>
    Object.keys(counts).flatMap((subscribers) => make(Number(size), Number(subscribers))),
  );
}

const pubId = (size: number, subscribers: number, name: string): string =>
  `${size}/${subscribers}/${name}`;

function subsPrograms({ subscriptions }: PlanOptions): Program[] {
  const briefs: Brief[] = [
    ["many", "threadmq/subs.js", "many", 2e6],
    ["many-await", "threadmq/subs.js", "many-await", 2e6],
    ["one", "threadmq/subs.js", "one", 1e6],
    ["one-await", "threadmq/subs.js", "one-await", 1e6],
    ["libzmq-copy", "subs.c", "copy", 1.5e6],
    ["libzmq-message", "subs.c", "message", 1.5e6],
    ["zeromqjs", "rivals/zeromqjs_subs.js", "await", 300e3],
  ];
  return briefs.map((brief) => ({ ...programOf("subs", SMALL, brief), more: [subscriptions] }));
}

function proxyPrograms(size: number): Program[] {
  const briefs: [Brief, more: number[]][] = [
    [["many", THR, "many", 4e6], [1]],
    [["many-await", THR, "many-await", 4e6], [1]],
    [["one", THR, "one", 4e6], [1]],
    [["one-await", THR, "one-await", 3e6], [1]],
    [
      ["libzmq-copy", LIBZMQ_THR, "copy", 5e6],
      [1, 1],
    ],
    [
      ["libzmq-message", LIBZMQ_THR, "message", 5e6],
      [1, 1],
    ],
    [["zeromqjs", "rivals/zeromqjs_thr.js", "await", 500e3], [1]],
  ];
  return briefs.map(([brief, more]) => ({ ...programOf("proxy", size, brief), more }));
}

/** The program of a size's row; what `thr` measures anyhow is not measured twice. */
export function sizeProgram(plan: Plan, size: number, name: string): string {
  const id = `size/${size}/${name}`;
  return plan.programs.some((program) => program.id === id) ? id : `thr/${name}`;
}

const rowOf =
  (bench: Bench, figure: string, unit: Unit, also?: string) =>
  (id: string, title: string, beside: string[] = [], ...targets: Target[]): Row => ({
    bench,
    id: `${bench}/${id}`,
    figure,
    unit,
    title,
    beside,
    targets,
    ...(also === undefined ? {} : { also }),
  });

function thrRows(): Row[] {
  const row = rowOf("thr", "rate", "rate");
  const rivals = [LIBZMQ, "thr/zeromqjs"];
  const batches = { rival: LIBZMQ, atLeast: 2, atLeastApart: 4 };
  const blocking = { rival: LIBZMQ, atLeast: 1.2, atLeastApart: 3 };
  const promises = { rival: LIBZMQ, atLeast: 0.7, atLeastApart: 1.5 };
  const known = { rival: "thr/zeromqjs", atLeast: 15 };
  return [
    row("many", "**ThreadMQ** `sendManySync`, `receiveManySync`", rivals, batches),
    row("many-await", "**ThreadMQ** `await sendMany`, `await receiveMany`", rivals, batches),
    row("one", "**ThreadMQ** `sendSync`, `receiveSync`", rivals, blocking),
    row("one-await", "**ThreadMQ** `await send`, `for await`", rivals, promises, known),
    row("libzmq-copy", "libzmq in C, `zmq_send`, `zmq_recv`"),
    row("libzmq-message", "libzmq in C, `zmq_msg_t`", [LIBZMQ]),
    row("zeromqjs", "zeromq.js `await send`, `for await`", [LIBZMQ]),
    row("post", "`postMessage`", [LIBZMQ]),
    row("post-batch", "`postMessage`, arrays of 256", [LIBZMQ]),
    row("ring-view", "bare ring, read in place", [LIBZMQ]),
    row("ring-copied", "bare ring, copied out to Buffers", [LIBZMQ]),
    row("ring-awaited", "bare ring, the same by `for await`", [LIBZMQ]),
  ];
}

function latRows(): Row[] {
  const row = rowOf("lat", "p50", "us", "p99");
  const wait = "lat/libzmq-wait";
  const asleep = { rival: "lat/wait", atMost: 1.3 };
  return [
    row("busy", "**ThreadMQ** busy, blocking", ["lat/libzmq-poll", wait], { atMost: 2 }),
    row("busy-await", "**ThreadMQ** busy, promises", ["lat/zeromqjs", wait], { atMost: 5 }),
    row("asleep", "**ThreadMQ** asleep, blocking", ["lat/wait", wait], asleep),
    row("asleep-await", "**ThreadMQ** asleep, promises", ["lat/wait-async", wait]),
    row("libzmq-poll", "libzmq in C, polled by hand"),
    row("libzmq-wait", "libzmq in C, blocking", ["lat/wait"]),
    row("zeromqjs", "zeromq.js, promises", ["lat/wait"]),
    row("spin", "bare word, spinning"),
    row("wait", "bare word, `Atomics.wait`"),
    row("wait-async", "bare word, `Atomics.waitAsync`", ["lat/wait"]),
  ];
}

function fanRows({ sockets }: PlanOptions): Row[] {
  const row = rowOf("fan", "rate", "rate");
  const served = rowOf("fan", "spread", "plain");
  const many = `${sockets.toLocaleString("en")} PUSH`;
  const half = { rival: "fan/one", atLeast: 0.5 };
  return [
    row("one", "**ThreadMQ**, one PUSH", ["fan/libzmq-one"]),
    row("many", `**ThreadMQ**, ${many}`, ["fan/one", "fan/libzmq-many"], half),
    row("libzmq-one", "libzmq in C, one PUSH"),
    row("libzmq-many", `libzmq in C, ${many}`, ["fan/libzmq-one"]),
    served("served", "**ThreadMQ**, most less least served, `receiveSync`", [], { atMost: 1 }),
    served("served-many", "**ThreadMQ**, the same, `receiveManySync(512)`"),
  ];
}

function memoryRows({ full }: PlanOptions): Row[] {
  const of = (id: string, figure: string, unit: Unit, title: string, ...targets: Target[]): Row =>
    rowOf("memory", figure, unit)(id, title, [], ...targets);
  const garbage = (figure: string, title: string): Row =>
    of("garbage", figure, "bytes", `heap a message: ${title}`);
  return [
    of("idle", "idle", "bytes", "arena for an idle PUSH and its pipe", { atMost: 4096 }),
    of("idle", "used", "bytes", "the same, after its first message"),
    of("flat", "growth", "MiB", `resident memory: growth over ${full ? 100 : 10} M messages`),
    of("flat", "arena", "MiB", "arena in use after them"),
    garbage("by-hand", "an array with a Buffer, made by hand"),
    garbage("receive-sync", "`receiveSync`"),
    garbage("try-receive", "`tryReceive`"),
    garbage("receive-many", "`receiveManySync`"),
    garbage("send", "`sendSync`"),
    of("garbage", "external", "bytes", "outside the heap a message: `receiveSync`"),
  ];
}

function swapRows(): Row[] {
  const row = rowOf("swap", "rate", "rate");
  const target = { rival: "swap/file", atLeast: 0.6 };
  const of = (figure: string, title: string): Row =>
    rowOf("swap", figure, "MiB")("swap", title, []);
  return [
    row("swap", "**ThreadMQ**, all swapped, then received", ["swap/file", "swap/memory"], target),
    row("file", "plain file, written, then read"),
    row("memory", "**ThreadMQ** without a swap, sent and received", ["swap/file"]),
    of("growth", "resident memory: growth, at the most"),
    of("arena", "arena, at the most"),
  ];
}

function requestRows(): Row[] {
  const row = rowOf("reqrep", "p50", "us", "p99");
  const [poll, wait, known] = ["reqrep/libzmq-poll", "reqrep/libzmq-wait", "reqrep/zeromqjs"];
  const blocking = [poll, wait].map((rival) => ({ rival, atMost: 1 }));
  const promises = [
    { rival: wait, atMost: 1 },
    { rival: known, atMost: 0.1 },
  ];
  return [
    row("busy", "**ThreadMQ** REQ and REP, blocking", [poll, wait], ...blocking),
    row("busy-await", "**ThreadMQ** REQ and REP, promises", [known, wait], ...promises),
    row("libzmq-poll", "libzmq in C, REQ and REP, polled by hand"),
    row("libzmq-wait", "libzmq in C, REQ and REP, blocking"),
    row("zeromqjs", "zeromq.js, REQ and REP, promises", [wait]),
  ];
}

/** As fast as libzmq, and for promises ten times as fast as zeromq.js. */
function rateTargets(libzmq: string[], zeromqjs?: string): Target[] {
  const targets = libzmq.map((rival) => ({ rival, atLeast: 1 }));
  return zeromqjs === undefined ? targets : [...targets, { rival: zeromqjs, atLeast: 10 }];
}

function brokerRows(): Row[] {
  const row = rowOf("broker", "rate", "rate");
  const [turn, poll, known] = ["broker/libzmq-turn", "broker/libzmq-poll", "broker/zeromqjs"];
  const promises = rateTargets([poll], known);
  return [
    row("many", "**ThreadMQ**, blocking, clients in batches", [turn], ...rateTargets([turn])),
    row("turn", "**ThreadMQ**, blocking, sockets in turn", [turn], ...rateTargets([turn])),
    row("await", "**ThreadMQ**, promises", [turn, poll, known], ...promises),
    row("libzmq-turn", "libzmq in C, blocking, sockets in turn"),
    row("libzmq-poll", "libzmq in C, `zmq_poll`", [turn]),
    row("zeromqjs", "zeromq.js, promises", [turn]),
    row("ring", "bare rings, copied out to Buffers", [turn]),
  ];
}

function pubRows(size: number, subscribers: number): Row[] {
  const to = `to ${subscribers}, ${size >= 1024 ? `${size / 1024} KiB` : `${size} B`}`;
  const [copy, message, known] = ["libzmq-copy", "libzmq-message", "zeromqjs"].map(
    (name) => `pub/${pubId(size, subscribers, name)}`,
  );
  const libzmq = [copy, message];
  const targets = rateTargets(libzmq);
  const row = (id: string, title: string, beside: string[], ...some: Target[]): Row =>
    rowOf("pub", "rate", "rate")(pubId(size, subscribers, id), title, beside, ...some);
  return [
    row("many", `**ThreadMQ** ${to}: \`sendManySync\`, \`receiveManySync\``, libzmq, ...targets),
    row(
      "many-await",
      `**ThreadMQ** ${to}: \`await sendMany\`, \`await receiveMany\``,
      [...libzmq, known],
      ...rateTargets(libzmq, known),
    ),
    row("one", `**ThreadMQ** ${to}: \`sendSync\`, \`receiveSync\``, libzmq, ...targets),
    row(
      "one-await",
      `**ThreadMQ** ${to}: \`await send\`, \`for await\``,
      [...libzmq, known],
      ...rateTargets(libzmq, known),
    ),
    ...(size > INLINE
      ? [row("lease", `**ThreadMQ** ${to}: \`sendSync\`, \`receiveLeaseSync\``, libzmq, ...targets)]
      : []),
    row("libzmq-copy", `libzmq in C ${to}: \`zmq_send\`, \`zmq_recv\``, []),
    row("libzmq-message", `libzmq in C ${to}: \`zmq_msg_t\``, [copy]),
    row("zeromqjs", `zeromq.js ${to}: \`await send\`, \`for await\``, [copy]),
    ...(isBounded(size, subscribers)
      ? [
          row("ring-copied", `bare ring to 1, ${size} B, copied out to Buffers`, [copy]),
          row("ring-awaited", `bare ring to 1, ${size} B, the same by \`for await\``, [copy]),
        ]
      : []),
  ];
}

function subsRows(): Row[] {
  const copy = "subs/libzmq-copy";
  const known = "subs/zeromqjs";
  const of = (figure: string, what: string): Row[] => {
    const row = rowOf("subs", figure, "rate");
    return [
      row("many", `**ThreadMQ**, in batches: ${what}`, [copy], ...rateTargets([copy])),
      row(
        "many-await",
        `**ThreadMQ**, promises, in batches: ${what}`,
        [copy, known],
        ...rateTargets([copy], known),
      ),
      row("one", `**ThreadMQ**, blocking: ${what}`, [copy], ...rateTargets([copy])),
      row(
        "one-await",
        `**ThreadMQ**, promises: ${what}`,
        [copy, known],
        ...rateTargets([copy], known),
      ),
      row("libzmq-copy", `libzmq in C, \`zmq_send\`, \`zmq_recv\`: ${what}`),
      row("libzmq-message", `libzmq in C, \`zmq_msg_t\`: ${what}`, [copy]),
      row("zeromqjs", `zeromq.js, promises: ${what}`, [copy]),
    ];
  };
  return [...of("rate", "published"), ...of("delivered", "delivered")];
}

function proxyRows(): Row[] {
  const row = rowOf("proxy", "rate", "rate");
  const copy = "proxy/libzmq-copy";
  const known = "proxy/zeromqjs";
  const targets = rateTargets([copy]);
  return [
    row("many", "**ThreadMQ** by proxy: `sendManySync`, `receiveManySync`", [copy], ...targets),
    row(
      "many-await",
      "**ThreadMQ** by proxy: `await sendMany`, `await receiveMany`",
      [copy, known],
      ...rateTargets([copy], known),
    ),
    row("one", "**ThreadMQ** by proxy: `sendSync`, `receiveSync`", [copy], ...targets),
    row(
      "one-await",
      "**ThreadMQ** by proxy: `await send`, `for await`",
      [copy, known],
      ...rateTargets([copy], known),
    ),
    row("libzmq-copy", "libzmq in C by proxy: `zmq_send`, `zmq_recv`"),
    row("libzmq-message", "libzmq in C by proxy: `zmq_msg_t`", [copy]),
    row("zeromqjs", "zeromq.js by proxy: `await send`, `for await`", [copy]),
  ];
}
