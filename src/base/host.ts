// SPDX-License-Identifier: MIT

/**
 * host — what the library asks of the runtime it runs in.
 *
 * The one place where Node, a browser, Bun and Deno differ. `platform/` implements it; the context
 * takes it from there, and every other layer gets it from the context.
 */
export interface Host {
  /** Where a received part lives: `Buffer` on Node, `Uint8Array` in a browser. */
  readonly Part: PartConstructor;
  /** Whether this thread may block. A page's main thread may not. */
  readonly canBlock: boolean;
  /** How many threads can run at once; with one core, spinning is of no use. */
  readonly cores: number;
  /** How this thread is called in messages, for example `"main thread"` or `"worker 3"`. */
  readonly threadName: string;
  /** The same of any thread, by its number. */
  nameOf(thread: number): string;
  readonly thread: ThreadIdentity;
  /**
   * Whether a thread of this process, this one or another, has ended. Undefined where that cannot
   * be asked; `onThreadEnd` then has to do.
   */
  hasEnded(claim: number, birth: number): boolean | undefined;
  /**
   * Tells of each thread that was started by this one, from now on, when it has ended, until what
   * it returns is called. A thread that ends takes with it those it has started.
   */
  onThreadEnd(task: (number: number) => void): () => void;
  /** Fresh memory for one received part; its contents need not be zero. */
  allocate(bytes: number): ArrayBuffer;
  /** The same for many parts together: transferring one of them must not take the others along. */
  allocateShared(bytes: number): ArrayBuffer;
  /** Runs `task` as a macrotask, after timers and I/O have had their turn. */
  defer(task: () => void): void;
  /**
   * Something that holds the event loop while it is ref'd. It starts unref'd.
   *
   * @param watch Is called about every second, at least while it is ref'd.
   */
  keepAlive(watch: () => void): KeepAlive;
  /** Runs `task` when this thread ends in an orderly way, unless what it returns was called. */
  onExit(task: () => void): () => void;
  /** Files for messages that wait on disk. */
  readonly files: HostFiles;
  /** What the threads of this process have published under a name; see `publish`. */
  published(name: string): unknown;
  /** Makes a value visible to every thread that this one, or one of those, starts later. */
  publish(name: string, value: unknown): void;
}

/** What tells a thread from all others of the process, those that have ended included. */
export interface ThreadIdentity {
  /** Two numbers that `hasEnded` understands. The first is not 0; see `claimOf`. */
  readonly claim: number;
  readonly birth: number;
  /** The runtime's own number of the thread. */
  readonly number: number;
  /**
   * That of the nearest thread above it that hears of the ends of those it has started; -1 if there
   * is none.
   */
  readonly parent: number;
}

/** The claim of a thread by its number alone, where the runtime knows no other. */
export function claimOf(number: number): number {
  return -1 - number;
}

/** One part of a received message: its bytes belong to the receiver. */
export type ReceivedPart = Buffer<ArrayBuffer>;

/**
 * A part of a message that is leased: its bytes where they lie, in memory that threads share, if it
 * is longer than 4096 bytes; else a copy. The former is not taken by every function of a browser.
 */
export type LeasedPart = Buffer<ArrayBufferLike>;

/** Makes a part over bytes that are already in place. */
export type PartConstructor = new (
  buffer: ArrayBuffer,
  byteOffset: number,
  length: number,
) => ReceivedPart;

/** A counted hold on the event loop of this thread. */
export interface KeepAlive {
  ref(): void;
  unref(): void;
}

/**
 * Where files come from that nobody else shall know of.
 *
 * Errors are ZmqErrors: ENOSPC, EACCES, EMFILE, or else EIO.
 */
export interface HostFiles {
  /** Where the system puts what is temporary. */
  readonly temporaryDirectory: string;
  /** @throws ZmqError EINVAL if it is no directory, EACCES if no file can be made there. */
  check(directory: string): void;
  /**
   * Makes a new file that only this user can open, under a name that no other has.
   *
   * It goes when it is closed. Where a file that is open can have its name taken away, that is done
   * at once: then it goes with its descriptor, however the thread or the process may end. Where it
   * cannot, the name says which process it belongs to; and what dead processes have left in the
   * directory is removed first.
   */
  open(directory: string): HostFile;
}

/**
 * A file of one thread, at bytes counted from 0. Nothing here waits for another turn of the event
 * loop; a FileSystemSyncAccessHandle of a browser can do the same.
 */
export interface HostFile {
  /** Fills all of `target`. */
  readAt(target: Uint8Array, position: number): void;
  /** Writes all of `source`. */
  writeAt(source: Uint8Array, position: number): void;
  /** Makes it empty. If that fails it stays as it is: nothing of it is needed. */
  truncate(): void;
  /** Closes it, and removes it. */
  close(): void;
}
