// SPDX-License-Identifier: MIT

import { type HostFile, type HostFiles, ZmqError } from "../base/index.ts";

/**
 * files — swap files in memory, that fail when a test wants it.
 *
 * What was written can be spoiled by the test: it is in `bytes`.
 */
export class FakeFiles implements HostFiles {
  readonly temporaryDirectory = "the temporary one";
  readonly files: FakeFile[] = [];
  /** How many more writes succeed. */
  writesLeft: number = Number.POSITIVE_INFINITY;
  /** Whether what lies at a position cannot be read. */
  isBad: (position: number) => boolean = () => false;

  check(): void {}

  open(directory: string): HostFile {
    const file = new FakeFile(this, directory);
    this.files.push(file);
    return file;
  }
}

export class FakeFile implements HostFile {
  readonly directory: string;
  bytes: Uint8Array = new Uint8Array(0);
  writes = 0;
  reads = 0;
  isOpen = true;
  readonly #owner: FakeFiles;

  constructor(owner: FakeFiles, directory: string) {
    this.#owner = owner;
    this.directory = directory;
  }

  readAt(target: Uint8Array, position: number): void {
    if (!this.isOpen) throw new Error("read after close");
    if (this.#owner.isBad(position)) throw new ZmqError("EIO", { hint: "The test said so." });
    if (position + target.length > this.bytes.length) throw new Error("nothing was written there");
    target.set(this.bytes.subarray(position, position + target.length));
    this.reads++;
  }

  writeAt(source: Uint8Array, position: number): void {
    if (!this.isOpen) throw new Error("write after close");
    if (--this.#owner.writesLeft < 0) throw new ZmqError("ENOSPC", { hint: "The test said so." });
    const end = position + source.length;
    if (end > this.bytes.length) {
      const longer = new Uint8Array(end);
      longer.set(this.bytes);
      this.bytes = longer;
    }
    this.bytes.set(source, position);
    this.writes++;
  }

  truncate(): void {
    this.bytes = new Uint8Array(0);
  }

  close(): void {
    this.isOpen = false;
  }
}
