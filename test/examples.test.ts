// SPDX-License-Identifier: MIT

/**
 * Tests of the examples: of pipeline its parts, and both as their user runs them.
 */

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { countChunk, LAST, MORE, Tally } from "../examples/pipeline/count.ts";
import { readChunks } from "../examples/pipeline/files.ts";

const PROGRAM = fileURLToPath(new URL("../examples/pipeline/main.js", import.meta.url));
const LOG = fileURLToPath(new URL("../examples/log/main.js", import.meta.url));
const POSIX = process.platform !== "win32";
const ROOT = process.getuid?.() === 0;
const CHUNK_BYTES = 1024;

let folder: string;
let data: string;

/** In the order of the walk: by name, folders in their place. */
const FILES: Record<string, string | Uint8Array> = {
  "all-bytes": Uint8Array.from({ length: 256 }, (_, byte) => byte),
  empty: "",
  "exactly-one-chunk": "a".repeat(CHUNK_BYTES),
  "exactly-two-chunks": "ab cde\n  ".repeat(CHUNK_BYTES).slice(0, 2 * CHUNK_BYTES),
  "inner/deep/no-newline-at-end": "one two\nthree",
  "inner/many-chunks": "The quick brown fox jumps over the lazy dog.\r\n".repeat(1000),
  "word-longer-than-chunks": `${"x".repeat(3 * CHUNK_BYTES + 7)} y\n`,
};

before(() => {
  folder = mkdtempSync(join(tmpdir(), "threadmq-examples-"));
  data = join(folder, "data");
  mkdirSync(join(data, "inner", "deep"), { recursive: true });
  for (const [name, content] of Object.entries(FILES)) writeFileSync(join(data, name), content);
});

after(() => rmSync(folder, { recursive: true, force: true }));

test("chunks join to the same counts wherever the cuts are", () => {
  const bytes = Buffer.from("  one two\nthree \n\n four\tfive\n six");
  for (let size = 1; size <= bytes.length; size++) {
    const tally = new Tally();
    for (let at = 0; at < bytes.length; at += size) {
      tally.add(countChunk(bytes.subarray(at, at + size)), MORE);
    }
    tally.add(countChunk(new Uint8Array()), LAST);
    const { files, lines, words } = tally.totals();
    assert.deepEqual({ files, lines, words }, { files: 1, lines: 4, words: 6 }, `size ${size}`);
  }
});

test("a file that is truncated while it is read is reported, and ends", () => {
  const path = join(folder, "shrinking");
  writeFileSync(path, "a".repeat(4 * CHUNK_BYTES));
  const problems: string[] = [];
  const chunks = readChunks(path, new Uint8Array(CHUNK_BYTES), (_, reason) => {
    problems.push(reason);
  });
  assert.equal(chunks.next().value?.end, MORE);
  truncateSync(path, CHUNK_BYTES + 10);
  assert.deepEqual(
    [...chunks].map(({ bytes, end }) => [bytes.length, end]),
    [[10, LAST]],
  );
  assert.deepEqual(problems, ["changed while it was read"]);
});

for (const workers of [1, 2, 5]) {
  test(`totals are those of a plain count of whole files: ${workers} workers`, async () => {
    const { code, stdout, stderr } = await run("--workers", `${workers}`, "--chunk", "1", data);
    assert.equal(stderr, "");
    assert.deepEqual(totalsOf(stdout), expected(Object.keys(FILES)));
    assert.match(stdout, /equal to a single-threaded run: yes/);
    assert.equal(code, 0);
  });
}

test("the digest of one small file tells its SHA-256", async () => {
  const { stdout } = await run("--no-verify", join(data, "inner/many-chunks"));
  const digest = createHash("sha256").update(FILES["inner/many-chunks"]).digest();
  assert.equal(totalsOf(stdout).digest, createHash("sha256").update(digest).digest("hex"));
  assert.doesNotMatch(stdout, /single-threaded/);
});

test("an empty folder counts as nothing", async () => {
  const empty = join(folder, "empty-folder");
  mkdirSync(empty);
  const { code, stdout } = await run("--chunk", "1", empty);
  assert.deepEqual(totalsOf(stdout), expected([]));
  assert.equal(code, 0);
});

test("a path that does not exist is reported, the others are counted, exit code 1", async () => {
  const missing = join(folder, "missing");
  const { code, stdout, stderr } = await run("--chunk", "1", missing, data);
  assert.equal(stderr, `pipeline: ${missing}: no such file or folder\n`);
  assert.deepEqual(totalsOf(stdout), expected(Object.keys(FILES)));
  assert.equal(code, 1);
});

test("a file that may not be read is reported", { skip: !POSIX || ROOT }, async () => {
  const secret = join(folder, "secret");
  writeFileSync(secret, "secret");
  chmodSync(secret, 0);
  const { code, stdout, stderr } = await run(secret);
  assert.equal(stderr, `pipeline: ${secret}: permission denied\n`);
  assert.equal(totalsOf(stdout).files, 0);
  assert.equal(code, 1);
});

const NO_SUCH_FILE = process.platform !== "linux" && "needs a file that opens but does not read";
test("a file that fails while it is read is left out", { skip: NO_SUCH_FILE }, async () => {
  const { code, stdout, stderr } = await run("--chunk", "1", "/proc/self/mem", data);
  assert.match(stderr, /^pipeline: \/proc\/self\/mem: EIO.*\n$/);
  assert.deepEqual(totalsOf(stdout), expected(Object.keys(FILES)));
  assert.equal(code, 1);
});

test("links inside folders are not followed", { skip: !POSIX }, async () => {
  const looped = join(folder, "looped");
  mkdirSync(looped);
  writeFileSync(join(looped, "file"), "one\n");
  symlinkSync(".", join(looped, "loop"));
  symlinkSync("file", join(looped, "twin"));
  const { code, stdout, stderr } = await run(looped);
  assert.equal(totalsOf(stdout).files, 1);
  assert.equal(stderr, "");
  assert.equal(code, 0);
});

test("--help explains itself on stdout", async () => {
  const { code, stdout, stderr } = await run("--help");
  assert.match(stdout, /^usage: pipeline /);
  assert.equal(stderr, "");
  assert.equal(code, 0);
});

for (const args of [["--workers", "0"], ["--workers", "2x"], ["--chunk", "1.5"], ["--nonsense"]]) {
  test(`wrong usage is told with exit code 2: ${args.join(" ")}`, async () => {
    const { code, stdout, stderr } = await run(...args);
    assert.match(stderr, new RegExp(`^pipeline: .*${args[0]}.*\n\nusage: `));
    assert.equal(stdout, "");
    assert.equal(code, 2);
  });
}

test("Ctrl-C ends it at once with exit code 130", { skip: !POSIX }, async () => {
  const huge = join(folder, "huge");
  writeFileSync(huge, "");
  truncateSync(huge, 64 * 2 ** 30);
  const child = spawn(process.execPath, [PROGRAM, huge], { stdio: ["ignore", "pipe", "pipe"] });
  const exit = once(child, "exit");
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  await once(child.stdout, "data");
  child.kill("SIGINT");
  assert.deepEqual(await exit, [130, null]);
  assert.equal(stderr, "pipeline: interrupted\n");
});

test("log: a line for everything that happens in four threads, and then an end", async () => {
  const { code, stdout, stderr } = await runProgram(LOG);
  assert.equal(stderr, "");
  assert.equal(code, 0);
  const lines = stdout.trimEnd().split("\n");
  for (const line of lines) {
    assert.match(line, /^ *\d+ ms {2}(?:main thread|worker \d) +[a-z]+\.[a-z-]+(?: {2,}\S|$)/);
  }
  const count = (what: RegExp) => lines.filter((line) => what.test(line)).length;
  assert.equal(count(/worker \d +thread\.attached +slot: \d$/), 3);
  assert.equal(count(/worker \d +thread\.left +slot: \d$/), 3);
  assert.equal(count(/main thread +socket\.bound +PULL \d+ {2}inproc:\/\/results$/), 1);
  assert.equal(count(/pipe\.attached +PUSH \d+ {2}inproc:\/\/tasks .* peer: PULL/), 2);
  assert.ok(count(/pipe\.full +PUSH \d+ {2}inproc:\/\/tasks .* queued: 2$/) >= 2);
  assert.ok(count(/pipe\.detached .* why: /) >= 6);
  assert.equal(count(/lost/), 0);
});

interface Run {
  code: number | string | null | undefined;
  stdout: string;
  stderr: string;
}

function run(...args: string[]): Promise<Run> {
  return runProgram(PROGRAM, ...args);
}

function runProgram(program: string, ...args: string[]): Promise<Run> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, stdout, stderr });
    });
  });
}

interface Totals {
  files: number;
  bytes: number;
  lines: number;
  words: number;
  digest: string;
}

function totalsOf(stdout: string): Totals {
  const field = (name: string) => new RegExp(`^${name} +(\\S+)$`, "m").exec(stdout)?.[1] ?? "";
  const number = (name: string) => Number(field(name).replaceAll(",", "") || Number.NaN);
  return {
    files: number("files"),
    bytes: number("bytes"),
    lines: number("lines"),
    words: number("words"),
    digest: field("digest"),
  };
}

/** Counted in another way than the program does: from whole files, with strings. */
function expected(names: string[]): Totals {
  const sha256 = (...parts: Uint8Array[]) =>
    createHash("sha256").update(Buffer.concat(parts)).digest();
  const contents = names.map((name) => readFileSync(join(data, name)));
  const text = contents.map((content) => content.toString("latin1"));
  const digests = contents.map((content) => {
    const chunks: Buffer[] = [];
    for (let at = 0; at < content.length; at += CHUNK_BYTES) {
      chunks.push(sha256(content.subarray(at, at + CHUNK_BYTES)));
    }
    return chunks.length > 1 ? sha256(...chunks) : sha256(content);
  });
  const sum = (count: (text: string) => number) => text.map(count).reduce((a, b) => a + b, 0);
  return {
    files: names.length,
    bytes: sum((content) => content.length),
    lines: sum((content) => content.split("\n").length - 1),
    words: sum((content) => content.split(/[ \t\n\v\f\r]+/).filter((word) => word !== "").length),
    digest: sha256(...digests).toString("hex"),
  };
}
