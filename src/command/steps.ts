// SPDX-License-Identifier: MIT

/**
 * steps — what is done to links as a whole, before anybody goes on who waits.
 *
 * A call that waits may run the user's code: an iterable, a codec. Were it tried as soon as
 * something has changed, in the midst of a step (a link that is made, or let go of; a round of
 * commands), that code could close what the step goes on with. So whatever is due is kept until the
 * outermost step is over.
 */
export class Steps {
  #depth = 0;
  readonly #due = new Set<() => void>();

  /** Does something as one step. */
  run<T>(step: () => T): T {
    this.begin();
    try {
      return step();
    } finally {
      this.end();
    }
  }

  begin(): void {
    this.#depth++;
  }

  end(): void {
    this.#depth--;
    if (this.#depth > 0) return;
    for (const due of this.#due) {
      this.#due.delete(due);
      due();
    }
  }

  /** Whether it is kept until the step is over. If there is none it is to be done now. */
  keeps(due: () => void): boolean {
    if (this.#depth > 0) this.#due.add(due);
    return this.#depth > 0;
  }
}
