// SPDX-License-Identifier: MIT

/**
 * claims — what comments promise must be there: synchronisation points and invariants.
 *
 * A file declares its SYNC(name)s in its head comment or under a heading `# Synchronisation`, and
 * its invariants under `# Invariants`. Where a thread publishes or observes, the comment says so:
 *
 *     // SYNC(flush) publish: what becomes visible
 *
 * SYNC(name) itself is how one speaks of the form.
 */
import { type Complaint, isTest, lineAt, type Source, sourcesOf, type Tree } from "./source.ts";

/** The comment lines below a heading, up to the next heading or the end of the comment. */
function section(source: Source, heading: string): string {
  const pattern = new RegExp(
    `^[ *]*# ${heading}[^\\n]*\\n((?:(?![ *]*# |.*\\*/)[^\\n]*\\n)*)`,
    "gm",
  );
  return [...source.comments.matchAll(pattern)].map((match) => match[1]).join("\n");
}

/** The first block comment of a file. */
function head(source: Source): string {
  return /\/\*\*[\s\S]*?\*\//.exec(source.comments)?.[0] ?? "";
}

const USE = /SYNC\((?<name>[\w-]+)\),? (?<role>publish|observe)/g;

export function syncPoints(tree: Tree): Complaint[] {
  const complaints: Complaint[] = [];
  const first = new Map<string, string>();
  const roles = new Map<string, Set<string>>();
  const sources = sourcesOf(tree, "src").filter((source) => !isTest(source.path));
  // A pair may have its halves in two files (a writer's and a reader's): one of them declares it.
  const declared = new Set<string>();
  for (const source of sources) {
    const declaring = `${head(source)}\n${section(source, "Synchronisation")}`;
    for (const match of declaring.matchAll(/SYNC\(([\w-]+)\)/g)) declared.add(match[1]);
  }
  for (const source of sources) {
    for (const match of source.comments.matchAll(/SYNC\((?<name>(?!name\))[\w-]+)\)/g)) {
      const name = match.groups?.name as string;
      const place = `${source.path}:${lineAt(source.text, match.index)}`;
      if (!first.has(name)) first.set(name, place);
      if (!declared.has(name))
        complaints.push(`${place}: SYNC(${name}) is not declared in any head`);
    }
    for (const match of source.comments.matchAll(USE)) {
      const { name, role } = match.groups as { name: string; role: string };
      const seen = roles.get(name) ?? new Set();
      roles.set(name, seen.add(role));
    }
  }
  for (const [name, place] of first) {
    for (const role of ["publish", "observe"]) {
      if (!roles.get(name)?.has(role)) complaints.push(`${place}: SYNC(${name}): no ${role}`);
    }
  }
  return complaints;
}

/** The file that a test tests: the one beside it of the same name. */
function subjectOf(path: string): string {
  return path.replace(/\.(test|model|bench)\.ts$/, ".ts");
}

const CITE =
  /(?:(?<file>[\w-]+)\.ts )?\b(?<list>I[1-9]\d?(?:(?:, (?:and |or )?| and | or |–)I[1-9]\d?)*)\b/g;

export function invariants(tree: Tree): Complaint[] {
  const complaints: Complaint[] = [];
  const sources = sourcesOf(tree, "src", "test");
  const declared = new Map<string, Set<string>>();
  for (const source of sources) {
    const rows = section(source, "Invariants").matchAll(/^[ *]*(I[1-9]\d?)\s/gm);
    declared.set(source.path, new Set([...rows].map((row) => row[1] as string)));
  }
  for (const { path, text, code } of sources) {
    if (path.startsWith("test/tidy")) continue;
    const named = path.startsWith("test/"); // There a lone I1 is a promise, no invariant.
    for (const match of text.matchAll(CITE)) {
      // An identifier of the program is not a citation.
      if (/\S/.test(code.slice(match.index, match.index + match[0].length))) continue;
      const { file, list } = match.groups as { file?: string; list: string };
      if (named && !file) continue;
      const places = file
        ? [...declared.keys()].filter((other) => other.endsWith(`/${file}.ts`))
        : [path, subjectOf(path)];
      for (const [name] of list.matchAll(/I\d+/g)) {
        if (places.some((place) => declared.get(place)?.has(name))) continue;
        const where = file ? `${file}.ts` : subjectOf(path);
        complaints.push(`${path}:${lineAt(text, match.index)}: ${where} has no invariant ${name}`);
      }
    }
  }
  return complaints;
}
