// SPDX-License-Identifier: MIT

/** form — sizes, first lines, names, documents: what can be seen without understanding the code. */
import {
  type Complaint,
  isTest,
  lineAt,
  resolve,
  type Source,
  sourcesOf,
  type Tree,
} from "./source.ts";

const PROGRAMS = ["src", "test", "bench", "examples", "scripts"];

const COLUMNS = 100;
const FILE_LINES = 600;
const FUNCTION_LINES = 70;

/** What may be longer, and why: `path` for a file, `path#name` for a function. */
export const EXCEPTIONS: Readonly<Record<string, string>> = {};

export function sizes(tree: Tree): Complaint[] {
  const complaints: Complaint[] = [];
  for (const source of sourcesOf(tree, ...PROGRAMS)) {
    const lines = source.text.split("\n");
    for (const [index, line] of lines.entries()) {
      const width = [...line].length;
      if (width > COLUMNS) complaints.push(`${source.path}:${index + 1}: ${width} columns`);
    }
    if (lines.length - 1 > FILE_LINES && EXCEPTIONS[source.path] === undefined) {
      complaints.push(`${source.path}:1: ${lines.length - 1} lines`);
    }
    for (const { name, line, length } of functionsOf(source)) {
      if (length <= FUNCTION_LINES || EXCEPTIONS[`${source.path}#${name}`] !== undefined) continue;
      complaints.push(`${source.path}:${line}: ${name} has ${length} lines`);
    }
  }
  return complaints;
}

const NOT_A_FUNCTION = new RegExp(
  [
    /^(?:else\s+)?(?:if|for|while|switch|catch|with)\b/,
    /^(?:do|else|try|finally)\b/,
    /\b(?:class|interface|enum|namespace)\s/,
  ]
    .map((pattern) => pattern.source)
    .join("|"),
);

/** Functions, methods and arrows with a body in braces. The callback of a suite is none. */
function functionsOf({ code }: Source): { name: string; line: number; length: number }[] {
  const found: { name: string; line: number; length: number }[] = [];
  const open: { header: string; at: number }[] = [];
  let headerAt = 0;
  for (let at = 0; at < code.length; at++) {
    const char = code[at];
    if (char === "{") {
      const header = code.slice(headerAt, at).trim();
      open.push({ header, at: headerAt + code.slice(headerAt, at).search(/\S|$/) });
    } else if (char === "}") {
      const { header, at: begin } = open.pop() ?? { header: "", at };
      const isFunction = header.endsWith("=>") || /\bfunction\b|\)\s*(?::[^=]*)?$/.test(header);
      if (isFunction && !NOT_A_FUNCTION.test(header) && !/^(?:describe|suite)\(/.test(header)) {
        const name = /\bfunction\*?\s+(\w+)|([\w#$]+)\s*[=(<]/.exec(header)?.slice(1);
        const line = lineAt(code, begin);
        found.push({
          name: name?.find((part) => part !== undefined) ?? "a function",
          line,
          length: lineAt(code, at) - line + 1,
        });
      }
    }
    if (char === "{" || char === "}" || char === ";") headerAt = at + 1;
  }
  return found;
}

export function words(tree: Tree): Complaint[] {
  const complaints: Complaint[] = [];
  for (const { path, text, code } of sourcesOf(tree, "src")) {
    if (!text.startsWith("// SPDX-License-Identifier: MIT\n")) {
      complaints.push(`${path}:1: the first line is not the licence`);
    }
    for (const match of text.matchAll(/\b(?:FIXME|TODO|XXX)\b/g)) {
      complaints.push(`${path}:${lineAt(text, match.index)}: ${match[0]}`);
    }
    if (isTest(path)) continue;
    for (const match of code.matchAll(/\bconsole\s*\./g)) {
      complaints.push(`${path}:${lineAt(text, match.index)}: the library prints nothing`);
    }
  }
  return complaints;
}

export function fileNames(tree: Tree): Complaint[] {
  const complaints: Complaint[] = [];
  for (const { path } of sourcesOf(tree, ...PROGRAMS)) {
    if (/(?:^|\/)(?:utils?|common|helpers?|types)(?:[./])/.test(path)) {
      complaints.push(`${path}:1: a name that says nothing`);
    }
  }
  return complaints;
}

/** One title; links to files of the repository lead somewhere. */
export function documents(tree: Tree): Complaint[] {
  const folders = new Set<string>();
  for (const path of tree.keys()) {
    for (let end = path.indexOf("/"); end >= 0; end = path.indexOf("/", end + 1)) {
      folders.add(path.slice(0, end));
    }
  }
  const complaints: Complaint[] = [];
  for (const [path, text] of tree) {
    if (!path.endsWith(".md")) continue;
    const blank = (part: string): string => part.replace(/[^\n]/g, " ");
    const prose = text.replace(/^( *)(```|~~~)[\s\S]*?^\1\2/gm, blank).replace(/`[^`\n]*`/g, blank);
    const titles = [...prose.matchAll(/^# \S/gm)].length + [...prose.matchAll(/<h1\b/g)].length;
    if (titles !== 1) complaints.push(`${path}:1: ${titles} titles`);
    const links = /\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)|\b(?:src|href)="([^"]+)"/gm;
    for (const match of prose.matchAll(links)) {
      const link = (match[1] ?? match[2] ?? match[3]) as string;
      if (/^(?:[a-z]+:|#)/.test(link)) continue;
      const bare = decodeURI(link.replace(/[#?].*$/, "")).replace(/\/$/, "");
      const steps = bare.split("/");
      const target = resolve(path, bare).replace(
        /\.ts$/,
        steps.at(-1)?.endsWith(".js") ? ".js" : ".ts",
      );
      if (tree.has(target) || folders.has(target) || target === "") continue;
      complaints.push(`${path}:${lineAt(text, match.index)}: leads nowhere: ${link}`);
    }
  }
  return complaints;
}

/** A path of somebody's machine, or the address of a registry, is of no use to anybody else. */
const PRIVATE = [
  /(?<![\w.])\/(?:work|tmp|root|home)\/\w+/g,
  /\bregistry\.[a-z]+\.[a-z]+/g,
  /\bdeb\.[a-z]+\.org/g,
  /"resolved": *"/g,
];

export function privateNames(tree: Tree): Complaint[] {
  const complaints: Complaint[] = [];
  for (const [path, text] of tree) {
    for (const pattern of PRIVATE) {
      for (const match of text.matchAll(pattern)) {
        complaints.push(`${path}:${lineAt(text, match.index)}: names a place: ${match[0]}`);
      }
    }
  }
  return complaints;
}
