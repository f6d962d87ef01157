// SPDX-License-Identifier: MIT

/**
 * code — a copy of the compiled library with another seam, smaller constants, perhaps a planted
 * bug.
 *
 * The copy is made of the files that users run. In it `memory/atomics.js` is the explorer's seam,
 * and each change replaces a piece of text that occurs exactly once: should the source move on, the
 * change no longer fits and the test says so. A copy, and not a hook of the module loader: hooks
 * differ from version to version and from runtime to runtime, and what has been run can be looked
 * at.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { pathToFileURL } from "node:url";

const root = join(import.meta.dirname, "../../../..");
const code = join(root, "build/src");

/** The parts of the library that programs use, from a copy. */
export interface Code {
  readonly base: typeof import("#src/base/index.ts");
  readonly memory: typeof import("#src/memory/index.ts");
  readonly queue: typeof import("#src/queue/index.ts");
  readonly command: typeof import("#src/command/index.ts");
  readonly mailbox: typeof import("#src/command/mailbox.ts");
  readonly pipe: typeof import("#src/pipe/index.ts");
  readonly registry: typeof import("#src/context/registry.ts");
  readonly reaper: typeof import("#src/context/reaper.ts");
}

/** In a file below build/src, one text replaced by another, which may use all of the seam. */
export interface Change {
  readonly file: string;
  readonly replace: string;
  readonly by: string;
}

/** What is set with nothing called between: there an engine stops no thread (memory/arena.ts). */
const TOGETHER: readonly Change[] = [
  {
    file: "memory/arena.js",
    replace: "    words[at] = low;\n    words[note] = value;\n",
    by: "    together(words, at, low, note, value);\n",
  },
  {
    file: "memory/arena.js",
    replace: "    words[one] = first;\n    words[other] = second;\n    if",
    by: "    together(words, one, first, other, second);\n    if",
  },
  {
    file: "memory/arena.js",
    replace: "    words[one] = first;\n    words[other] = second;\n}",
    by: "    together(words, one, first, other, second);\n}",
  },
];

/** That, and everything that makes chunk edges, full tables and blocking frequent. */
export const SMALL: readonly Change[] = [
  ...TOGETHER,
  { file: "memory/layout.js", replace: "MAX_SLOTS = 256", by: "MAX_SLOTS = 8" },
  { file: "memory/lock.js", replace: "SPINS = 200", by: "SPINS = 1" },
  { file: "memory/arena.js", replace: "LEAST_PAGES = 16", by: "LEAST_PAGES = 8" },
  {
    file: "memory/pages.js",
    replace: "LEAVE_A_LINK = LINK_PAGES",
    by: "LEAVE_A_LINK = 0",
  },
  {
    file: "memory/pages.js",
    replace: "LEAVE_A_MOVE = LINK_PAGES + 4",
    by: "LEAVE_A_MOVE = 0",
  },
  { file: "queue/layout.js", replace: "FIRST_CHUNK_WORDS = 128", by: "FIRST_CHUNK_WORDS = 16" },
  {
    file: "queue/layout.js",
    replace: "LAST_CHUNK_WORDS = 8192 - ROW",
    by: "LAST_CHUNK_WORDS = 16",
  },
];

const SEAM: readonly string[] = [
  "load",
  "store",
  "peek",
  "swapIf",
  "swapNoting",
  "exchange",
  "exchangeNoting",
  "add",
  "and",
  "or",
  "wait",
  "notify",
  "together",
];
const FOLDERS = ["base", "memory", "queue", "command", "pipe", "context"];
const copies = join(root, "build", "explorer", String(process.pid));
let count = 0;

/** Makes a copy, and returns where it is. */
export function copyCode(changes: readonly Change[]): string {
  const copy = join(copies, String(count++));
  const left = new Set(changes);
  for (const folder of FOLDERS) {
    mkdirSync(join(copy, folder), { recursive: true });
    for (const name of readdirSync(join(code, folder))) {
      if (!/^\w+\.js$/.test(name)) continue;
      const file = `${folder}/${name}`;
      let text = readFileSync(join(code, file), "utf8");
      const own = changes.filter((one) => one.file === file);
      for (const change of own) {
        text = apply(change, text);
        left.delete(change);
      }
      text = importSeam(own.map(({ by }) => by).join(), text);
      // The map's own address, so that stacks name the lines of the source.
      const map = url(relative(join(copy, folder), join(code, `${file}.map`)));
      text = text.replace(/# sourceMappingURL=.*/, `# sourceMappingURL=${map}`);
      writeFileSync(join(copy, file), text);
    }
  }
  for (const { file } of left) throw new Error(`A change is of a file that is not there: ${file}`);
  const seam = url(relative(join(copy, "memory"), join(import.meta.dirname, "seam.js")));
  writeFileSync(join(copy, "memory", "atomics.js"), `export * from ${JSON.stringify(seam)};\n`);
  return copy;
}

function apply({ file, replace, by }: Change, text: string): string {
  if (text.split(replace).length === 2) return text.replace(replace, () => by);
  throw new Error(`A change no longer fits: ${file} does not have once: ${replace}`);
}

/** Imports what changes use of the seam and the file does not; at its end, so lines stay. */
function importSeam(by: string, text: string): string {
  const used = SEAM.filter((name) => new RegExp(`(?<![.\\w])${name}\\(`).test(by));
  const missing = used.filter((name) => !new RegExp(`import {[^}]*\\b${name}\\b`).test(text));
  if (missing.length === 0) return text;
  const line = `import { ${missing.join(", ")} } from "../memory/atomics.js";`;
  return text.replace(/(\n\/\/# sourceMappingURL=)/, `\n${line}$1`);
}

function url(path: string): string {
  return path.split(sep).join("/");
}

export async function loadCode(copy: string): Promise<Code> {
  const from = (file: string) => import(pathToFileURL(join(copy, file)).href);
  return {
    base: await from("base/index.js"),
    memory: await from("memory/index.js"),
    queue: await from("queue/index.js"),
    command: await from("command/index.js"),
    mailbox: await from("command/mailbox.js"),
    pipe: await from("pipe/index.js"),
    registry: await from("context/registry.js"),
    reaper: await from("context/reaper.js"),
  };
}

export function removeCopies(): void {
  rmSync(copies, { recursive: true, force: true });
}
