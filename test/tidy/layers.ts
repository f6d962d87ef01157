// SPDX-License-Identifier: MIT

/**
 * layers — who may import whom, and who may name what.
 *
 * Imports point downwards and go through doors: a folder's `index.ts` is all that others see of it.
 */
import {
  type Complaint,
  importsOf,
  isTest,
  lineAt,
  resolve,
  sourcesOf,
  type Tree,
} from "./source.ts";

interface Allowed {
  readonly all: readonly string[];
  /** Folders of which only types may be imported: what the platform implements. */
  readonly types?: readonly string[];
  /** An entry that may be imported: what is built on the public API. */
  readonly entry?: string;
}

/**
 * The folders of `src`, from low to high. Files that lie directly in `src` are entries: they put
 * the whole together and may import everything.
 */
export const LAYERS: Readonly<Record<string, Allowed>> = {
  base: { all: [] },
  memory: { all: ["base"] },
  queue: { all: ["base", "memory"] },
  command: { all: ["base", "memory", "queue"] },
  pipe: { all: ["base", "memory", "queue", "command"] },
  strategy: { all: ["base", "memory", "queue", "command", "pipe"] },
  context: { all: ["base", "memory", "queue", "command", "pipe", "strategy", "platform"] },
  transport: { all: ["base", "memory", "queue", "command", "pipe", "strategy", "context"] },
  socket: {
    all: ["base", "memory", "queue", "command", "pipe", "strategy", "context", "transport"],
  },
  patterns: {
    all: ["base", "memory", "queue", "command", "pipe", "strategy", "context", "socket"],
  },
  platform: { all: ["base"], types: ["memory", "command"] },
  zeromq: { all: ["platform"], entry: "src/index.ts" },
};

/** The folder of a file in `src`, or undefined for an entry. */
function folderOf(path: string): string | undefined {
  const parts = path.split("/");
  return parts.length > 2 ? parts[1] : undefined;
}

export function layering(tree: Tree): Complaint[] {
  const complaints: Complaint[] = [];
  for (const source of sourcesOf(tree, "src")) {
    const folder = folderOf(source.path);
    if (folder === "testing") continue; // What tests share; no part of the package.
    if (folder !== undefined && LAYERS[folder] === undefined) {
      complaints.push(`${source.path}:1: the folder has no row in LAYERS`);
      continue;
    }
    for (const { from, line, typeOnly } of importsOf(source)) {
      const say = (what: string): void => {
        complaints.push(`${source.path}:${line}: ${what}: ${from}`);
      };
      if (!from.startsWith(".")) continue;
      const target = resolve(source.path, from);
      const other = folderOf(target);
      if (!target.startsWith("src/")) say("leaves src");
      else if (!tree.has(target)) say("no such file");
      else if (isTest(target) && !isTest(source.path)) say("imports a test");
      if (other === folder) continue;
      // Each host has a file of its own in platform/, and a door would drag in all of them.
      const throughDoor = other === undefined || target === `src/${other}/index.ts`;
      const picksHost = folder === undefined && other === "platform";
      if (!throughDoor && !picksHost) say("not through the door");
      if (folder === undefined || isTest(source.path)) continue;
      const allowed = LAYERS[folder] as Allowed;
      if (other === undefined) {
        if (target !== allowed.entry) say("imports an entry");
      } else if (allowed.types?.includes(other)) {
        if (!typeOnly) say(`only types may be imported from ${other} by ${folder}`);
      } else if (!allowed.all.includes(other)) say(`${folder} may not import ${other}`);
    }
  }
  return complaints;
}

/** For each file of `src`, the files of `src` that it imports. */
function graphOf(tree: Tree): Map<string, string[]> {
  const graph = new Map<string, string[]>();
  for (const source of sourcesOf(tree, "src")) {
    const relative = importsOf(source).filter(({ from }) => from.startsWith("."));
    graph.set(
      source.path,
      relative.map(({ from }) => resolve(source.path, from)).filter((path) => tree.has(path)),
    );
  }
  return graph;
}

/** Types are counted too: files that cannot be understood without each other are one file. */
export function cycles(tree: Tree): Complaint[] {
  const graph = graphOf(tree);
  const complaints: Complaint[] = [];
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (path: string): void => {
    const seen = trail.indexOf(path);
    if (seen >= 0) complaints.push(`${path}:1: cycle: ${[...trail.slice(seen), path].join(" → ")}`);
    if (seen >= 0 || done.has(path)) return;
    trail.push(path);
    for (const next of graph.get(path) ?? []) visit(next);
    trail.pop();
    done.add(path);
  };
  for (const path of graph.keys()) visit(path);
  return complaints;
}

/** A file that neither an entry nor a test leads to. */
export function deadFiles(tree: Tree): Complaint[] {
  const graph = graphOf(tree);
  const reached = new Set<string>();
  const visit = (path: string): void => {
    if (reached.has(path)) return;
    reached.add(path);
    for (const next of graph.get(path) ?? []) visit(next);
  };
  for (const path of graph.keys()) if (folderOf(path) === undefined || isTest(path)) visit(path);
  return [...graph.keys()]
    .filter((path) => !reached.has(path))
    .map((path) => `${path}:1: dead: no entry and no test leads here`);
}

/**
 * What belongs to one host. Timers, `AbortSignal`, `performance`, `queueMicrotask` and the text
 * codecs are the same everywhere, and not here.
 */
const HOST_GLOBALS = new RegExp(
  `(?<![\\w$#]|(?<!globalThis)\\.)(?:${[
    "(?:process|window|document|navigator|self|localStorage|location)(?=\\s*(?:\\.|\\?\\.|\\[))",
    "Buffer|require|__dirname|__filename|setImmediate|clearImmediate|fetch|importScripts",
    "Worker|SharedWorker|MessageChannel|MessagePort|BroadcastChannel|Deno|Bun|NodeJS",
  ].join("|")})(?![\\w$])(?!\\s*\\??:(?!:))`,
  "g",
);

/** The type of what a user receives is Node's: it has to be named where all layers can see it. */
const HOST_TYPES: Readonly<Record<string, string>> = {
  "src/base/host.ts": "Buffer",
  "src/zeromq/shapes.ts": "Buffer",
};

/** What an entry is there for: it is loaded only by those who import that entry. */
const OF_ENTRIES: Readonly<Record<string, string>> = {
  "src/msgpack.ts": "msgpackr",
  "src/node_streams.ts": "node:stream",
};

export function hostNames(tree: Tree): Complaint[] {
  const complaints: Complaint[] = [];
  for (const { path, text, code, ...source } of sourcesOf(tree, "src")) {
    if (path.startsWith("src/platform/") || isTest(path)) continue;
    for (const { from, line } of importsOf({ path, text, code, ...source })) {
      if (from.startsWith(".") || OF_ENTRIES[path] === from) continue;
      complaints.push(
        `${path}:${line}: only src/platform/ may import a module of the host: ${from}`,
      );
    }
    for (const match of code.matchAll(HOST_GLOBALS)) {
      if (HOST_TYPES[path] === match[0]) continue;
      const line = lineAt(text, match.index);
      complaints.push(`${path}:${line}: only src/platform/ may name ${match[0].trim()}`);
    }
  }
  return complaints;
}

/** The seam: every atomic access goes through one file, where a model checker can be let in. */
export function atomicsInOnePlace(tree: Tree): Complaint[] {
  const complaints: Complaint[] = [];
  for (const { path, text, code } of sourcesOf(tree, "src")) {
    if (path === "src/memory/atomics.ts" || isTest(path)) continue;
    for (const match of code.matchAll(/\bAtomics\b/g)) {
      const line = lineAt(text, match.index);
      complaints.push(`${path}:${line}: only src/memory/atomics.ts may name Atomics`);
    }
  }
  return complaints;
}
