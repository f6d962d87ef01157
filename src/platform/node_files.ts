// SPDX-License-Identifier: MIT

import { type HostFile, type HostFiles, ZmqError, type ZmqErrorCode } from "../base/index.ts";

/**
 * node_files — the files of swaps, on Node, Bun and Deno.
 *
 * A file is made exclusively, with mode 0600, as `threadmq-PID-RANDOM.swap`, and its name is taken
 * away at once. So it goes with its descriptor; and Node closes the descriptors of a worker that is
 * terminated, the kernel those of a process that is killed.
 *
 * # Where an open file keeps its name
 *
 * Some file systems, and old Windows, refuse to unlink what is open. There the file is removed when
 * it is closed. If its thread was terminated before, it lies about until its process has ended; and
 * the next swap that is opened in the directory, by whatever process, removes it: a file of that
 * name whose process is not alive is a leftover. A process of another container may seem dead, and
 * its file may have its name for the moment between making it and unlinking it. Then we unlink it,
 * and it finds that done.
 */
type Fs = typeof import("node:fs");

const os = process.getBuiltinModule("node:os");
const path = process.getBuiltinModule("node:path");
const crypto = process.getBuiltinModule("node:crypto");

const NAME = /^threadmq-(\d+)-[0-9a-f]+\.swap$/;
const MODE = 0o600;

/** @param fs Node's, or in a test one that refuses. */
export function filesOf(fs: Fs): HostFiles {
  return {
    temporaryDirectory: os.tmpdir(),

    check(directory: string): void {
      let isDirectory = false;
      try {
        isDirectory = fs.statSync(directory).isDirectory();
      } catch {
        // It is not there, or may not be looked at.
      }
      if (!isDirectory) {
        throw new ZmqError("EINVAL", {
          hint: `There is no directory ${directory}: give swapDirectory as the path of one.`,
        });
      }
      make(fs, directory).close(); // Rights alone do not tell: the file system may be read-only.
    },

    open(directory: string): HostFile {
      removeLeftovers(fs, directory);
      return make(fs, directory);
    },
  };
}

function make(fs: Fs, directory: string): HostFile {
  const random = crypto.randomBytes(8).toString("hex");
  const name = path.join(directory, `threadmq-${process.pid}-${random}.swap`);
  let fd: number;
  try {
    fd = fs.openSync(name, "wx+", MODE);
  } catch (error) {
    throw typed(error, `No swap file can be made in ${directory}`, "EACCES");
  }
  return new NodeFile(fs, fd, unlink(fs, name) ? undefined : name);
}

/** False if the file keeps its name. */
function unlink(fs: Fs, name: string): boolean {
  try {
    fs.unlinkSync(name);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}

function removeLeftovers(fs: Fs, directory: string): void {
  let names: string[] = [];
  try {
    names = fs.readdirSync(directory);
  } catch {
    // A directory may be writable and not readable.
  }
  for (const name of names) {
    const pid = Number(NAME.exec(name)?.[1]);
    if (pid > 0 && pid !== process.pid && !isAlive(pid)) unlink(fs, path.join(directory, name));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

class NodeFile implements HostFile {
  readonly #fs: Fs;
  readonly #fd: number;
  /** What is to be removed in the end. */
  readonly #name: string | undefined;

  constructor(fs: Fs, fd: number, name: string | undefined) {
    this.#fs = fs;
    this.#fd = fd;
    this.#name = name;
  }

  readAt(target: Uint8Array, position: number): void {
    const { length } = target;
    try {
      for (let done = 0; done < length; ) {
        const count = this.#fs.readSync(this.#fd, target, done, length - done, position + done);
        if (count === 0) throw new Error("the file ends too early");
        done += count;
      }
    } catch (error) {
      throw typed(error, "A swap file cannot be read", "EIO");
    }
  }

  writeAt(source: Uint8Array, position: number): void {
    const { length } = source;
    try {
      for (let done = 0; done < length; ) {
        done += this.#fs.writeSync(this.#fd, source, done, length - done, position + done);
      }
    } catch (error) {
      throw typed(error, "A swap file cannot be written", "EIO");
    }
  }

  truncate(): void {
    try {
      this.#fs.ftruncateSync(this.#fd);
    } catch {
      // It keeps its length, then, and goes with it.
    }
  }

  close(): void {
    this.#fs.closeSync(this.#fd);
    if (this.#name !== undefined) unlink(this.#fs, this.#name);
  }
}

const CODES: Readonly<Record<string, [code: ZmqErrorCode, advice: string]>> = {
  ENOSPC: ["ENOSPC", "Free some space, or give another swapDirectory"],
  EDQUOT: ["ENOSPC", "Raise the quota, or give another swapDirectory"],
  EMFILE: ["EMFILE", "Raise the limit of open files, or use fewer links that swap"],
  ENFILE: ["EMFILE", "Raise the limit of open files, or use fewer links that swap"],
};

function typed(error: unknown, what: string, otherwise: ZmqErrorCode): ZmqError {
  const { code = "", message } = error as NodeJS.ErrnoException;
  const [known, advice] = CODES[code] ?? [otherwise, "Give another swapDirectory"];
  return new ZmqError(known, { hint: `${what} (${message}). ${advice}.` });
}
