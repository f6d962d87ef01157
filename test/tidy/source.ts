// SPDX-License-Identifier: MIT

/**
 * source — a source file as the tidy checks see it.
 *
 * There is no compiler's tree here, only text with parts of it blanked: each character that is not
 * asked for becomes a space, so that every line and column stays where it was.
 */

/** All files by their path from the root, with `/` on every system. */
export type Tree = ReadonlyMap<string, string>;

/** What a check found wrong: `path:line: what`. */
export type Complaint = string;

export interface Source {
  readonly path: string;
  readonly text: string;
  /** Without comments, strings, templates' text and regular expressions. */
  readonly code: string;
  /** Without comments. */
  readonly codeAndStrings: string;
  /** Only the comments. */
  readonly comments: string;
}

export interface Import {
  readonly from: string;
  readonly line: number;
  readonly typeOnly: boolean;
}

type Kind = "code" | "string" | "comment";

/** After one of these a `/` begins a regular expression; after a value it divides. */
const BEFORE_REGEX = /(?:^|[([{,;=:?!&|+\-*%<>~^]|\b(?:return|typeof|case|in|of|do|else|yield))$/;

/** For each character, what it belongs to. */
function kinds(text: string): Kind[] {
  const kind: Kind[] = new Array(text.length).fill("code");
  /** For each open `${`, how many braces were opened inside. */
  const holes: number[] = [];
  let at = 0;

  const mark = (end: number, as: Kind): void => {
    kind.fill(as, at, end);
    at = end;
  };
  const endOf = (pattern: RegExp): number => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    return found === null ? text.length : found.index + found[0].length;
  };
  /** From a backtick or from the brace that closes a hole, to the next hole or the end. */
  const template = (): void => {
    const end = endOf(/(?<=(?<!\\)(?:\\\\)*)(?:`|\$\{)/g);
    mark(end, "string");
    if (text[end - 1] === "{") holes.push(0);
  };

  while (at < text.length) {
    const char = text[at] as string;
    if (text.startsWith("//", at)) mark(endOf(/(?=\n)/g), "comment");
    else if (text.startsWith("/*", at)) mark(endOf(/\*\//g), "comment");
    else if (char === '"' || char === "'") {
      at++;
      const end = endOf(char === '"' ? /(?:[^"\\]|\\.)*"/gs : /(?:[^'\\]|\\.)*'/gs);
      at--;
      mark(end, "string");
    } else if (char === "`") {
      kind[at++] = "string";
      template();
    } else if (char === "}" && holes.at(-1) === 0) {
      holes.pop();
      kind[at++] = "string";
      template();
    } else if (char === "/" && BEFORE_REGEX.test(codeBefore(text, kind, at))) {
      mark(endOf(/\/(?:\[(?:[^\]\\\n]|\\.)*\]|[^/\\\n[]|\\.)+\/\w*/g), "string");
    } else {
      if (char === "{" && holes.length > 0) holes[holes.length - 1]!++;
      if (char === "}" && holes.length > 0) holes[holes.length - 1]!--;
      at++;
    }
  }
  return kind;
}

/** The end of the code before a place: enough to tell a value from an operator. */
function codeBefore(text: string, kind: Kind[], at: number): string {
  let end = at;
  while (end > 0 && (kind[end - 1] === "comment" || /\s/.test(text[end - 1] as string))) end--;
  if (end > 0 && kind[end - 1] === "string") return '"';
  return text.slice(Math.max(0, end - 8), end);
}

function keep(text: string, kind: Kind[], wanted: readonly Kind[]): string {
  let kept = "";
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string;
    kept += char === "\n" || wanted.includes(kind[i] as Kind) ? char : " ";
  }
  return kept;
}

export function parse(path: string, text: string): Source {
  const kind = kinds(text);
  return {
    path,
    text,
    code: keep(text, kind, ["code"]),
    codeAndStrings: keep(text, kind, ["code", "string"]),
    comments: keep(text, kind, ["comment"]),
  };
}

export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

const IMPORT = new RegExp(
  [
    /\b(?:import|export)\b(?<what>[^;"'`()=]*?)\bfrom\s*["'](?<from>[^"']+)["']/,
    /\bimport\s*\(?\s*["'](?<bare>[^"']+)["']/,
    /\bnew\s+URL\(\s*["'](?<url>\.[^"']+)["']/,
  ]
    .map((pattern) => pattern.source)
    .join("|"),
  "g",
);

/** Every module that the file names: imports, re-exports, `import()`, and `new URL("./…")`. */
export function importsOf(source: Source): Import[] {
  return [...source.codeAndStrings.matchAll(IMPORT)].map((match) => {
    const { what = "", from, bare, url } = match.groups as Record<string, string | undefined>;
    const names = /\{([^}]*)\}/.exec(what)?.[1]?.split(",") ?? [];
    const written = names.map((name) => name.trim()).filter((name) => name !== "");
    const allTypes = written.length > 0 && written.every((name) => name.startsWith("type "));
    return {
      from: (from ?? bare ?? url) as string,
      line: lineAt(source.text, match.index),
      typeOnly: /^\s*type\b/.test(what) || allTypes,
    };
  });
}

/** The path that a relative import of a file means, with `.ts`. */
export function resolve(importer: string, from: string): string {
  const parts = importer.split("/").slice(0, -1);
  for (const part of from.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/").replace(/\.js$/, ".ts");
}

/** The TypeScript files below a folder. */
export function sourcesOf(tree: Tree, ...folders: string[]): Source[] {
  const sources: Source[] = [];
  for (const [path, text] of tree) {
    const inside = folders.some((folder) => path.startsWith(`${folder}/`));
    if (inside && path.endsWith(".ts")) sources.push(parse(path, text));
  }
  return sources;
}

/** Tests, models and benches stand beside the code, but are not part of the library. */
export function isTest(path: string): boolean {
  return /\.(test|model|bench)\.ts$|^src\/testing\//.test(path);
}
