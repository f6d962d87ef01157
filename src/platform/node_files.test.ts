// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { filesOf } from "./node_files.ts";

let folder: string;

before(() => {
  folder = fs.mkdtempSync(join(tmpdir(), "threadmq-files-"));
});

after(() => fs.rmSync(folder, { recursive: true, force: true }));

const files = filesOf(fs);

/** A file system on which an open file keeps its name; and what was opened, and how. */
function stubborn() {
  const opened: [name: string, flags: string, mode: number][] = [];
  const open = new Set<number>();
  const stub = {
    ...fs,
    openSync(name: string, flags: string, mode: number) {
      opened.push([name, flags, mode]);
      const fd = fs.openSync(name, flags, mode);
      open.add(fd);
      return fd;
    },
    closeSync(fd: number) {
      open.delete(fd);
      fs.closeSync(fd);
    },
    unlinkSync(name: string) {
      if (open.size > 0) throw Object.assign(new Error("it is open"), { code: "EBUSY" });
      fs.unlinkSync(name);
    },
  };
  return { files: filesOf(stub as never), opened };
}

/** A file system whose calls fail in some way. */
const failing = (calls: object) => filesOf({ ...fs, ...calls } as never);
const fails = (code: string) => () => {
  throw Object.assign(new Error(`${code}: it failed`), { code });
};

/** The number of a process that is no more. */
function deadPid(): number {
  return spawnSync(process.execPath, ["--version"]).pid;
}

describe("a swap file", () => {
  it("gives back what was written, at every place", () => {
    const file = files.open(folder);
    const [a, b] = [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6)];
    file.writeAt(b, 1000);
    file.writeAt(a, 0);
    const target = new Uint8Array(3);
    file.readAt(target, 1000);
    assert.deepEqual(target, b);
    file.readAt(target, 0);
    assert.deepEqual(target, a);
    file.truncate();
    assert.throws(() => file.readAt(target, 0), { name: "ZmqError", code: "EIO" });
    file.close();
  });

  it("P8: has no name from the first moment on, and mode 0600", { skip: noProc() }, () => {
    const before = descriptors();
    const file = files.open(folder);
    assert.deepEqual(fs.readdirSync(folder), []);
    const [fd] = descriptors().filter((each) => !before.includes(each));
    const { mode, nlink } = fs.statSync(`/proc/self/fd/${fd}`);
    assert.equal(mode & 0o777, 0o600);
    assert.equal(nlink, 0);
    file.close();
    assert.deepEqual(descriptors(), before);
  });

  it("P6: is made exclusively, under a name that is always another", () => {
    const { files: seen, opened } = stubborn();
    const both = [seen.open(folder), seen.open(folder)];
    for (const [name, flags, mode] of opened) {
      assert.equal(flags, "wx+");
      assert.equal(mode, 0o600);
      assert.match(name, new RegExp(`threadmq-${process.pid}-[0-9a-f]{16}\\.swap$`));
    }
    assert.notEqual(opened[0]?.[0], opened[1]?.[0]);
    for (const file of both) file.close();
    fs.rmSync(opened[0]?.[0] as string, { force: true });
  });

  it("P8: where an open file keeps its name, it is removed when it is closed", () => {
    const { files: seen, opened } = stubborn();
    const file = seen.open(folder);
    const name = opened[0]?.[0] as string;
    assert.ok(fs.existsSync(name));
    file.close();
    assert.ok(!fs.existsSync(name));
  });

  it("P8: what dead processes have left is removed, what others have is not", () => {
    const plant = (name: string) => fs.writeFileSync(join(folder, name), "x");
    const dead = `threadmq-${deadPid()}-0123456789abcdef.swap`;
    const kept = [
      `threadmq-${process.ppid}-0123456789abcdef.swap`, // It lives.
      `threadmq-${process.pid}-0123456789abcdef.swap`, // It is ours.
      `threadmq-${deadPid()}-0123456789abcdef.swap.txt`,
      `other-${deadPid()}-0123456789abcdef.swap`,
      "threadmq-0-00.swap",
    ];
    for (const name of [dead, ...kept]) plant(name);
    files.open(folder).close();
    assert.deepEqual(fs.readdirSync(folder).sort(), kept.sort());
    for (const name of kept) fs.rmSync(join(folder, name));
  });

  it("P6: writes and reads go on until all is done", () => {
    const few = failing({
      writeSync: (fd: number, from: Uint8Array, at: number, length: number, position: number) =>
        fs.writeSync(fd, from, at, Math.min(length, 7), position),
      readSync: (fd: number, to: Uint8Array, at: number, length: number, position: number) =>
        fs.readSync(fd, to, at, Math.min(length, 5), position),
    });
    const file = few.open(folder);
    const source = Uint8Array.from({ length: 100 }, (_, i) => i);
    file.writeAt(source, 3);
    const target = new Uint8Array(100);
    file.readAt(target, 3);
    assert.deepEqual(target, source);
    file.close();
  });

  for (const [code, expected] of [
    ["ENOSPC", "ENOSPC"],
    ["EDQUOT", "ENOSPC"],
    ["EIO", "EIO"],
  ] as const) {
    it(`P5: ${code} is a ZmqError ${expected} with a hint`, () => {
      const error = { name: "ZmqError", code: expected, hint: /^[A-Z].*\.$/ };
      const file = failing({ writeSync: fails(code), readSync: fails(code) }).open(folder);
      assert.throws(() => file.writeAt(new Uint8Array(1), 0), error);
      assert.throws(() => file.readAt(new Uint8Array(1), 0), error);
      file.close();
    });
  }

  it("P6: a directory is looked at before it is used", () => {
    files.check(folder);
    assert.deepEqual(fs.readdirSync(folder), [], "and nothing is left there");
    const missing = join(folder, "missing");
    assert.throws(() => files.check(missing), { code: "EINVAL", hint: /swapDirectory/ });
    const notOne = join(folder, "file");
    fs.writeFileSync(notOne, "");
    assert.throws(() => files.check(notOne), { code: "EINVAL" });
    fs.rmSync(notOne);
    const closed = failing({ openSync: fails("EROFS") });
    assert.throws(() => closed.check(folder), { code: "EACCES", hint: /swapDirectory/ });
    assert.throws(() => closed.open(folder), { code: "EACCES" });
    const many = failing({ openSync: fails("EMFILE") });
    assert.throws(() => many.open(folder), { code: "EMFILE" });
  });
});

function noProc(): string | false {
  return fs.existsSync("/proc/self/fd") ? false : "needs /proc";
}

/** The open files of this process; the one by which they are listed is closed by then. */
function descriptors(): string[] {
  return fs
    .readdirSync("/proc/self/fd")
    .filter((fd) => fs.existsSync(`/proc/self/fd/${fd}`) || isSwap(fd));
}

function isSwap(fd: string): boolean {
  try {
    return fs.readlinkSync(`/proc/self/fd/${fd}`).includes(".swap");
  } catch {
    return false;
  }
}
