// SPDX-License-Identifier: MIT

import type { PipeWriter } from "../pipe/index.ts";

/** unshown — the pipes that were written to since the last flush, each once. */
export class Unshown {
  /** Of the list only so many count: to shorten an array costs more than to write to it. */
  #count = 0;
  readonly #writers: PipeWriter[] = [];

  add(writer: PipeWriter): void {
    if (writer.unshown) return;
    writer.unshown = true;
    this.#writers[this.#count++] = writer;
  }

  /** Shows all that was written. */
  flush(): void {
    for (let i = 0; i < this.#count; i++) {
      const writer = this.#writers[i] as PipeWriter;
      writer.unshown = false;
      writer.flush();
    }
    this.#count = 0;
  }
}
