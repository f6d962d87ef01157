// SPDX-License-Identifier: MIT

/**
 * The package as its user gets it: what is in it, and that it works from an ES module, from
 * CommonJS, and under the strictest TypeScript; installed from the tarball, without a network.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { rolldown } from "rolldown";

/** All that dist has to run. Whoever raises it says why. */
const MOST_BYTES = 420_000;

const ROOT = join(import.meta.dirname, "../..");
const run = promisify(execFile);

let folder: string;
let files: string[];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "threadmq-package-"));
  const args = ["pack", "--json", "--ignore-scripts", "--offline", "--pack-destination", folder];
  const { stdout } = await run("npm", args, { cwd: ROOT });
  const [packed] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  files = packed.files.map(({ path }) => path).sort();
  const modules = join(folder, "node_modules");
  mkdirSync(join(modules, "threadmq"), { recursive: true });
  const target = join(modules, "threadmq");
  await run("tar", ["xzf", join(folder, packed.filename), "--strip-components=1", "-C", target]);
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
});

after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a file of the folder; it must print nothing else than `expected`. */
async function prints(name: string, text: string, expected: string): Promise<void> {
  writeFileSync(join(folder, name), text);
  const { stdout, stderr } = await run(process.execPath, [join(folder, name)], { cwd: folder });
  assert.equal(stdout, expected);
  assert.doesNotMatch(
    stderr.replace(/\(node:\d+\) ExperimentalWarning[\s\S]*?\n\(Use[^\n]*\n?/, ""),
    /\S/,
  );
}

describe("what is in it", () => {
  test("the code, its types, its sources, the papers; no tests, no build information", () => {
    for (const wanted of [
      "package.json",
      "LICENSE",
      "CHANGELOG.md",
      "dist/index.js",
      "dist/types/index.d.ts",
      "src/index.ts",
    ]) {
      assert.ok(files.includes(wanted), wanted);
    }
    const strange = files.filter((file) => {
      if (/\.(?:test|model|bench)\.|tsbuildinfo|tsconfig|(?:^|\/)testing\//.test(file)) return true;
      return !/^(?:dist|src)\/|^(?:package\.json|LICENSE|README\.md|CHANGELOG\.md)$/.test(file);
    });
    assert.deepEqual(strange, []);
  });

  test("every source has its types, and every map leads to sources that are there", () => {
    const all = new Set(files);
    const sources = files.filter((file) => file.startsWith("src/"));
    const types = sources.map((file) => file.replace(/^src\/(.*)\.ts$/, "dist/types/$1.d.ts"));
    const declared = files.filter((file) => file.endsWith(".d.ts"));
    assert.deepEqual(declared, types.sort());
    const maps = files.filter((file) => /^dist\/\w+\.js\.map$/.test(file));
    const named = maps.flatMap((file) => {
      const map = JSON.parse(readFileSync(join(folder, "node_modules/threadmq", file), "utf8"));
      return map.sources.map((source: string) => posix.join("dist", source));
    });
    assert.ok(named.length > 50);
    assert.deepEqual(
      named.filter((source) => !all.has(source)),
      [],
    );
  });

  test("little code: each thread that uses the library reads it", () => {
    const sizes = files
      .filter((file) => /^dist\/\w+\.js$/.test(file))
      .map((file) => statSync(join(folder, "node_modules/threadmq", file)).size);
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    assert.ok(bytes < MOST_BYTES, `${bytes} bytes`);
  });

  test("no dependency, no script at the installation; what has effects is there", () => {
    const { dependencies, optionalDependencies, scripts, ...rest } = JSON.parse(
      readFileSync(join(folder, "node_modules/threadmq/package.json"), "utf8"),
    );
    assert.deepEqual([dependencies, optionalDependencies], [undefined, undefined]);
    const peers = Object.keys(rest.peerDependencies);
    assert.deepEqual(peers, Object.keys(rest.peerDependenciesMeta));
    for (const peer of peers) assert.equal(rest.peerDependenciesMeta[peer].optional, true, peer);
    const effective: string[] = rest.sideEffects.map((file: string) => posix.normalize(file));
    assert.deepEqual(
      effective.filter((file) => !files.includes(file)),
      [],
    );
    for (const hook of ["preinstall", "install", "postinstall", "prepare"])
      assert.equal(scripts[hook], undefined);
  });
});

const TALK = `
  const pull = new Pull(); pull.bindSync("inproc://a");
  const push = new Push(); push.connect("inproc://a");
  push.sendSync(["it", "works"]);
  console.log(pull.receiveSync().join(" "));`;

describe("how it is used", () => {
  for (const entry of ["threadmq", "threadmq/zeromq", "threadmq/zeromq/draft"]) {
    test(`by a bundler that drops what is not used: import "${entry}"`, async () => {
      const file = join(folder, "bare.mjs");
      writeFileSync(file, `import "${entry}";`);
      const bundle = await rolldown({ input: file, platform: "node", external: /^node:/ });
      const { output } = await bundle.generate({ format: "esm" });
      await bundle.close();
      assert.match(output[0].code, /setEnvironmentData/);
    });
  }

  test("from an ES module", () =>
    prints("esm.mjs", `import { Pull, Push } from "threadmq"; ${TALK}`, "it works\n"));

  test("from CommonJS, by require and by import()", async () => {
    await prints("cjs.cjs", `const { Pull, Push } = require("threadmq"); ${TALK}`, "it works\n");
    const lines = `import("threadmq").then(({ Pull, Push }) => { ${TALK} });`;
    await prints("dynamic.cjs", lines, "it works\n");
  });

  test("by the names of zeromq.js, from an ES module and from CommonJS", async () => {
    const talk = `
      const pull = new Pull(); pull.bindSync("inproc://a");
      const push = new Push(); push.connect("inproc://a"); push.send(["it", "works"]);
      pull.receive().then((parts) => console.log(parts.join(" ")));
      new Dish().close();`;
    const both = "threadmq/zeromq/draft";
    for (const draft of [both, `${both}.js`]) {
      const imports = `import { Pull, Push } from "threadmq/zeromq";
        import { Dish } from "${draft}";`;
      await prints("names.mjs", imports + talk, "it works\n");
    }
    const requires = `const { Pull, Push } = require("threadmq/zeromq");
      const { Dish } = require("${both}");`;
    await prints("names.cjs", requires + talk, "it works\n");
  });

  test("between threads, one of ES modules and one of CommonJS, by the default context", () =>
    prints(
      "threads.mjs",
      `import { Worker } from "node:worker_threads";
       import { Pull } from "threadmq";
       const pull = new Pull(); pull.bindSync("inproc://a");
       new Worker(\`const { Push } = require("threadmq");
         const push = new Push(); push.connect("inproc://a"); push.sendSync("from there");\`,
         { eval: true });
       console.log(String(await pull.receive()));`,
      "from there\n",
    ));

  test("threadmq/msgpack says which package is missing, and works when it is there", async () => {
    const lines = `import { Pull, Push } from "threadmq";
      import { msgpack } from "threadmq/msgpack";
      const pull = new Pull({ codec: msgpack() }); pull.bindSync("inproc://a");
      const push = new Push({ codec: msgpack() }); push.connect("inproc://a");
      push.sendSync(new Map([["it", "works"]]));
      console.log(...pull.receiveSync().keys());`;
    const peer = join(folder, "node_modules/msgpackr");
    const missing = /Cannot find package 'msgpackr' imported from .*threadmq/;
    await assert.rejects(prints("msgpack.mjs", lines, ""), missing);
    symlinkSync(join(ROOT, "node_modules/msgpackr"), peer, "dir");
    await prints("msgpack.mjs", lines, "it\n");
    const required = lines.replace(/import (.*) from (.*);/g, "const $1 = require($2);");
    await prints("msgpack.cjs", required, "it\n");
    rmSync(peer);
  });

  test("no inner file can be imported", async () => {
    writeFileSync(join(folder, "inner.mjs"), `import "threadmq/dist/context/context.js";`);
    const inner = run(process.execPath, [join(folder, "inner.mjs")]);
    await assert.rejects(inner, /ERR_PACKAGE_PATH_NOT_EXPORTED/);
    await prints(
      "itself.mjs",
      `import p from "threadmq/package.json" with { type: "json" }; console.log(p.name);`,
      "threadmq\n",
    );
  });

  test("two copies of the package in one process find the same context", async () => {
    const twin = join(folder, "twin/node_modules/threadmq");
    mkdirSync(join(twin, ".."), { recursive: true });
    await run("cp", ["-r", join(folder, "node_modules/threadmq"), twin]);
    writeFileSync(join(folder, "twin/push.mjs"), `export { Push } from "threadmq";`);
    const talk = TALK.replace("receiveSync()", "receiveSync({ timeout: 5000 })");
    const imports = `import { Pull } from "threadmq"; import { Push } from "./twin/push.mjs";`;
    const lines = imports + talk;
    await prints("copies.mjs", lines, "it works\n");
  });
});

const CONSUMER = `
import {
  Context, context, Pull, Push, Router, Socket, ZmqError,
  type ContextHandle, type ContextOptions, type ContextStats, type Message, type MessageLike,
  type Part, type ReceiveOptions, type SendOptions, type SocketOptions, type SocketStats,
  type WaitOptions, type ZmqErrorCode,
} from "threadmq";
import { framed, json, toReadableStream, toWritableStream, type Codec } from "threadmq";
import { msgpack } from "threadmq/msgpack";
import { toDuplex, toReadable, toWritable } from "threadmq/node-streams";

const options: SendOptions = { sendHighWaterMark: 5, sendTimeout: -1, linger: 0, immediate: true };
const receiving: ReceiveOptions = { receiveHighWaterMark: 0, receiveTimeout: 5, context };
const base: SocketOptions = { linger: -1 };
const own: ContextOptions = { maxSockets: 5, maxMemory: 1 << 24, spin: 0 };
const bytes: Part[] = [Buffer.from("x"), new Float32Array(1), new SharedArrayBuffer(1)];
const parts: Part[] = ["text", null, new ArrayBuffer(1), ...bytes];
const one: MessageLike = "text";
const frozen: readonly Part[] = parts;
const wait: WaitOptions = { timeout: 5, signal: new AbortController().signal };

export async function everything(): Promise<void> {
  await using mine = new Context(own);
  const handle: ContextHandle = mine.handle;
  const same: Context = Context.from(handle);
  using push = new Push({ ...options, context: same });
  using pull = new Pull(receiving);
  const socket: Socket = push;
  await push.bind("inproc://a");
  pull.connect("inproc://a");
  await push.send(frozen, wait);
  push.sendSync(one, { timeout: 1 });
  const sent: boolean = push.trySend(parts);
  await push.sendMany([one, parts], wait);
  push.sendManySync(new Set(["x"]));
  const message: Message = await pull.receive(wait);
  const [head]: Message = message;
  const text: string | undefined = head?.toString("utf8");
  const maybe: Message | undefined = pull.tryReceive();
  const many: Message[] = await pull.receiveMany(5, wait);
  for await (const [first] of pull) first?.readUInt8(0);
  for (const [first] of pull) first?.readUInt8(0);
  const figures: SocketStats = socket.stats();
  const all: ContextStats = mine.stats();
  try {
    pull.receiveSync();
  } catch (error) {
    if (error instanceof ZmqError) {
      const code: ZmqErrorCode = error.code;
      const accepted: number | undefined = error.accepted;
      console.log(code, error.errno, error.hint, error.address, accepted);
    }
  }
  const codec: Codec<Date> = msgpack();
  using typed = new Push<Date>({ codec });
  const numbers: ReadableStream<number> = toReadableStream(new Pull<number>({ codec: json() }));
  await toReadableStream(pull).pipeTo(toWritableStream(push));
  toReadable(pull).pipe(toWritable(typed));
  toDuplex(new Router({ codec: framed(json<Date>()) })).destroy();
  console.log(numbers.locked);
  console.log(base, sent, text, maybe, many, figures.sent, all.messages.sent);
  // @ts-expect-error A PUSH does not receive.
  push.receive();
  // @ts-expect-error A number is no part.
  push.sendSync(5);
  // @ts-expect-error A PULL has no such option.
  new Pull({ sendTimeout: 5 });
  // @ts-expect-error What is read only cannot be set.
  push.closed = true;
}
`;

describe("its types", () => {
  for (const module of ["nodenext", "esnext"]) {
    test(`satisfy the strictest compiler, skipLibCheck off, module ${module}`, async () => {
      const modules = join(folder, "node_modules");
      mkdirSync(join(modules, "@types"), { recursive: true });
      for (const name of ["@types/node", "undici-types"]) {
        const link = join(modules, name);
        rmSync(link, { force: true });
        symlinkSync(join(ROOT, "node_modules", name), link, "dir");
      }
      writeFileSync(join(folder, "consumer.mts"), CONSUMER);
      const config = {
        compilerOptions: {
          target: "es2022",
          lib: ["es2022", "esnext.disposable"],
          module,
          moduleResolution: module === "nodenext" ? "nodenext" : "bundler",
          types: ["node"],
          strict: true,
          exactOptionalPropertyTypes: true,
          noUncheckedIndexedAccess: true,
          noImplicitOverride: true,
          noPropertyAccessFromIndexSignature: true,
          skipLibCheck: false,
          noEmit: true,
        },
        files: ["consumer.mts"],
      };
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
      const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
      const { stdout } = await run(process.execPath, [tsc, "-p", folder]).catch((error) => error);
      assert.equal(stdout, "");
    });
  }
});
