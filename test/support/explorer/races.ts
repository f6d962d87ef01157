// SPDX-License-Identifier: MIT

/**
 * races — finds plain accesses that are not ordered by the seam's operations.
 *
 * Each thread has a vector clock: how far it knows every thread to be. An atomic write leaves the
 * writer's clock at its word; an atomic read takes up the clock that the write it sees has left.
 * (As in ECMA-262, a load sees one write and synchronises with that alone: there are no release
 * sequences, but a read-modify-write passes on what it has taken up.) For each word of the arena we
 * keep when each thread last read it and wrote it, plainly and atomically. A plain access that
 * conflicts with one which the thread does not know of is a data race.
 *
 * Clocks never go back from run to run; a run begins with all threads knowing everything. So
 * nothing has to be cleared.
 */
import type { Addr, Arena } from "#src/memory/index.ts";
import { MAX_STEPS, MAX_THREADS } from "./control.ts";

export const PLAIN_READ = 0;
export const PLAIN_WRITE = 1;
export const ATOMIC_READ = 2;
export const ATOMIC_WRITE = 3;
const USES = ["plain read", "plain write", "atomic read", "atomic write"] as const;
type Use = 0 | 1 | 2 | 3;

/** For each kind of access, those of other threads that it must be ordered after. */
const CONFLICTS: readonly (readonly Use[])[] = [
  [PLAIN_WRITE, ATOMIC_WRITE],
  [PLAIN_READ, PLAIN_WRITE, ATOMIC_READ, ATOMIC_WRITE],
  [PLAIN_WRITE],
  [PLAIN_READ, PLAIN_WRITE],
];

const T = MAX_THREADS;
const WRITES = 1 + 4 * (MAX_STEPS + 1);

export class Races {
  readonly buffer: SharedArrayBuffer;
  readonly #clocks: Int32Array;
  readonly #sync: Int32Array;
  readonly #last: Int32Array;
  /** All atomic writes of this run: the word, what it was before, whose, when; first, how many. */
  readonly #writes: Int32Array;
  me = 0;

  /** @param size How many words the arena has. */
  constructor(size: number, buffer = new SharedArrayBuffer(4 * (T * T + 5 * T * size + WRITES))) {
    this.buffer = buffer;
    this.#clocks = new Int32Array(buffer, 0, T * T);
    this.#sync = new Int32Array(buffer, 4 * T * T, T * size);
    this.#last = new Int32Array(buffer, 4 * (T * T + T * size), 4 * T * size);
    this.#writes = new Int32Array(buffer, 4 * (T * T + 5 * T * size), WRITES);
  }

  /** From here on everybody knows all that has happened. */
  begin(): void {
    const base = Math.max(...this.#clocks);
    this.#clocks.fill(base);
    for (let t = 0; t < T; t++) this.#clocks[t * T + t] = base + 1;
    this.#writes[0] = 0;
  }

  /** Notes that this thread is about to write a word atomically. */
  write(at: Addr, before: number): void {
    const count = this.#writes[0];
    this.#writes.set([at, before, this.me, this.#clocks[this.me * T + this.me]], 1 + 4 * count);
    this.#writes[0] = count + 1;
  }

  /**
   * The oldest value of a word that a thread may still see, if it does not load it but peeks.
   *
   * It is what the last write that the thread knows of left there.
   */
  oldest(thread: number, at: Addr): number | undefined {
    const writes = this.#writes;
    let oldest: number | undefined;
    for (let i = 1; i < 1 + 4 * writes[0]; i += 4) {
      if (writes[i] !== at) continue;
      const known = writes[i + 3] <= this.#clocks[thread * T + writes[i + 2]];
      if (known) oldest = undefined;
      else oldest ??= writes[i + 1];
    }
    return oldest;
  }

  /** Takes up what the write of a word that this thread now sees has left there. */
  acquire(at: Addr): void {
    const mine = this.me * T;
    for (let t = 0; t < T; t++) {
      const left = this.#sync[at * T + t];
      if (left > this.#clocks[mine + t]) this.#clocks[mine + t] = left;
    }
  }

  /** Leaves what this thread knows at a word. */
  release(at: Addr): void {
    const mine = this.me * T;
    for (let t = 0; t < T; t++) this.#sync[at * T + t] = this.#clocks[mine + t];
    this.#clocks[mine + this.me]++;
  }

  /** What this thread knows goes to another one that it wakes. */
  wake(thread: number): void {
    for (let t = 0; t < T; t++) {
      const known = this.#clocks[this.me * T + t];
      if (known > this.#clocks[thread * T + t]) this.#clocks[thread * T + t] = known;
    }
    this.#clocks[this.me * T + this.me]++;
  }

  /** Takes up all that a thread knew, which has ended. */
  join(thread: number): void {
    const mine = this.me * T;
    for (let t = 0; t < T; t++) {
      const known = this.#clocks[thread * T + t];
      if (known > this.#clocks[mine + t]) this.#clocks[mine + t] = known;
    }
  }

  /** Notes an access. If it races with an earlier one, says with which. */
  access(use: Use, at: Addr): string | undefined {
    const last = this.#last;
    const place = at * T * 4;
    const mine = this.me * T;
    let found: string | undefined;
    for (let t = 0; t < T; t++) {
      if (t === this.me) continue;
      const known = this.#clocks[mine + t];
      for (const other of CONFLICTS[use] as Use[]) {
        if (last[place + t * 4 + other] > known) {
          found = `a ${USES[use]} races with a ${USES[other]} by ${String.fromCharCode(97 + t)}`;
        }
      }
    }
    last[place + this.me * 4 + use] = this.#clocks[mine + this.me];
    return found;
  }
}

/** Asked of a watched view, it gives the view itself. */
export const RAW = Symbol("raw");

type View = Int32Array<SharedArrayBuffer> | Uint8Array<SharedArrayBuffer>;
/** False if the access shall have no effect. */
export type OnPlain = (from: Addr, to: Addr, use: Use) => boolean;

/** Lets `onPlain` know of each plain access to the arena by this thread, before it is made. */
export function watchArena(arena: Arena, onPlain: OnPlain, onOutside: (key: string) => void): void {
  for (const name of ["words", "bytes"] as const) {
    let watched = watch(arena[name], onPlain, onOutside);
    Object.defineProperty(arena, name, {
      get: () => watched,
      set: (view: View) => {
        watched = watch(view, onPlain, onOutside);
      },
    });
  }
}

function watch(view: View, onPlain: OnPlain, onOutside: (key: string) => void): View {
  const shift = view instanceof Uint8Array ? 2 : 0;
  const span = (from: number, to: number, use: Use): boolean =>
    to > from && onPlain(from >>> shift, ((to - 1) >>> shift) + 1, use);
  const methods: Record<string, unknown> = {
    fill(value: number, from = 0, to = view.length) {
      if (span(from, to, PLAIN_WRITE)) view.fill(value, from, to);
    },
    copyWithin(to: number, from: number, end: number) {
      span(from, end, PLAIN_READ);
      if (span(to, to + end - from, PLAIN_WRITE)) view.copyWithin(to, from, end);
    },
    set(source: ArrayLike<number>, to = 0) {
      if (span(to, to + source.length, PLAIN_WRITE)) view.set(source, to);
    },
    // What it is used for is to copy from it, at once.
    subarray(from: number, to: number) {
      span(from, to, PLAIN_READ);
      return view.subarray(from, to);
    },
  };
  return new Proxy(view, {
    get(_, key) {
      if (key === RAW) return view;
      const index = typeof key === "string" ? Number(key) : Number.NaN;
      if (index < view.length) {
        span(index, index + 1, PLAIN_READ);
        return view[index];
      }
      const name = key as string;
      if (name in methods) return methods[name];
      if (name === "length" || name === "byteLength" || name === "buffer") return view[name];
      onOutside(name);
      return undefined;
    },
    set(_, key, value) {
      const index = Number(key);
      if (!(index < view.length)) onOutside(key as string);
      if (span(index, index + 1, PLAIN_WRITE)) view[index] = value;
      return true;
    },
  });
}
