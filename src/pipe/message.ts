// SPDX-License-Identifier: MIT

import { isBuffer, type ReceivedPart, ZmqError } from "../base/index.ts";
import {
  type Addr,
  copyWords,
  LEAVE_A_MOVE,
  load,
  MEMORY_WANTED,
  PAGE_BYTES,
  PAGE_WORDS,
  Pool,
  peek,
} from "../memory/index.ts";
import {
  BODY_HEAD,
  CHUNK_HEAD,
  CONTROL,
  FLAGS,
  INLINE_BYTES,
  LANE_PASSED,
  LANE_READ,
  LENGTH,
  MORE,
  ONE,
  RECORD_HEAD,
  REFERENCE,
  REFERENCE_WORDS,
  recordWords,
  WAITS,
  YpipeWriter,
} from "../queue/index.ts";
import { Backlog } from "./backlog.ts";
import type { Envelope } from "./envelope.ts";

/** What one part of a message may be made of. Text is sent as UTF-8; `null` is an empty part. */
export type Part = string | ArrayBufferView | ArrayBuffer | SharedArrayBuffer | null;

/** A message as it is sent: one part, or several. */
export type MessageLike = Part | readonly Part[];

/** A message as it is received: one entry a part, at least one. The bytes are the receiver's. */
export type Message = ReceivedPart[];

/** Below this, a loop is faster than the call of `set`. */
const SHORT_BYTES = 24;
export const SHORT_TEXT = 64;

const encoder = new TextEncoder();

/** Looked up once: for each message that costs as much as to copy a hundred bytes. */
const set: (this: Uint8Array, source: Uint8Array, at: number) => void = Uint8Array.prototype.set;

/** Of any typed array, whatever the user's own class says. */
const elementAt: (index: number) => unknown = Uint8Array.prototype.at;
/** Likewise, and however often it is asked. */
const arrayLength = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  "length",
)?.get as (this: Uint8Array) => number;

/** The large bodies of the message that is being written; kept from one message to the next. */
const bodies: Addr[] = [];

/**
 * message — a queue of messages: puts the parts of each into records, all of them or none.
 *
 * What can fail comes first: large bodies get their blocks, then all records together their place
 * in the queue. Filling that place cannot fail, so nothing is ever taken back from the queue.
 *
 * Everything is copied: what the caller does with its buffers after the call is its own affair.
 */
export class MessageWriter extends YpipeWriter {
  readonly #backlog = new Backlog(peek(this.arena.words, this.lane + LANE_PASSED));

  /**
   * Writes a whole message.
   *
   * @returns false if there is no memory for it now; then nothing is written.
   * @throws ZmqError EINVAL if it is no message, EMSGSIZE if it could never be stored.
   */
  write(message: MessageLike | Prepared): boolean {
    if (isSimple(message)) {
      const length = lengthOf(message); // Once: it may be a view of memory that grows.
      const at = this.#place(recordWords(length));
      if (at !== 0) this.#putBytes(at, message, length, 0);
      return at !== 0;
    }
    const prepared = message instanceof Prepared ? message : prepare(message, this.pool);
    return this.#writeParts((prepared as Prepared).check());
  }

  /**
   * Writes a message that lies as records, with all bodies inside, in memory of this thread.
   *
   * @param large Whether some body needs a block of its own here.
   * @returns false if there is no memory for it now.
   */
  writeCopy(source: Int32Array, from: number, size: number, large: boolean): boolean {
    if (large) return this.#writeParts(preparedOf(source, from, size));
    return this.writeRecords(source, from, size, 1);
  }

  /**
   * Writes so many messages, which lie one behind the other as records, with all bodies inside.
   *
   * @returns false if there is no memory for them now.
   */
  writeRecords(source: Int32Array, from: number, size: number, messages: number): boolean {
    const at = this.#place(size, messages);
    if (at !== 0) this.putRecords(at, source, from, size);
    return at !== 0;
  }

  /**
   * Writes a message that lies as records, with all bodies inside, behind a part of a few bytes.
   *
   * @returns false if there is no memory for it now.
   */
  writeBehind(part: Uint8Array, source: Int32Array, from: number, size: number): boolean {
    const head = recordWords(part.length);
    const at = this.#place(head + size);
    if (at === 0) return false;
    this.#putBytes(at, part, part.length, MORE);
    this.putRecords(at + head, source, from, size);
    return true;
  }

  /** Room for messages, of so many words, which are written then; 0 if there is no memory. */
  #place(size: number, messages = 1): Addr {
    const at = this.reserve(size);
    if (at !== 0) this.written = (this.written + messages * ONE) | 0;
    return at;
  }

  /** Puts records where there is room for them. */
  protected putRecords(at: Addr, source: Int32Array, from: number, size: number): void {
    copyWords(this.arena.words, at, source, from, size);
  }

  /** Writes what is no message but for the other end of the pipe. False if there is no memory. */
  writeControl(bytes: Uint8Array): boolean {
    const at = this.reserve(recordWords(bytes.length));
    if (at !== 0) this.#putBytes(at, bytes, bytes.length, CONTROL);
    return at !== 0;
  }

  /** The message that was written last has large bodies, of so many words. */
  refersTo(words: number): void {
    this.#backlog.add(this.written, words, this.#read);
  }

  /** As many as lie unread in the lane: see writer.ts. */
  override get mustLeave(): number | undefined {
    const passed = peek(this.arena.words, this.lane + LANE_PASSED);
    const unread = Math.ceil(this.#backlog.at(this.#read, passed) / PAGE_WORDS);
    return unread > this.pool.pages.unused ? undefined : LEAVE_A_MOVE + unread;
  }

  /** How many messages were read, as the lane counts them. */
  get #read(): number {
    // SYNC(room) observe: only a count.
    return load(this.arena.words, this.lane + LANE_READ) & ~WAITS;
  }

  protected override leftChunk(words: number): void {
    this.#backlog.addChunk(words);
  }

  #writeParts(message: Prepared): boolean {
    // A hint: who has said so itself knows that it is so.
    const isWanted = message.isLarge && peek(this.arena.words, MEMORY_WANTED) !== 0;
    const at = isWanted
      ? this.pool.alone(() => this.#placeParts(message))
      : this.#placeParts(message);
    if (at === 0) {
      // Who has begun to wait meanwhile may have found none for what was put back.
      if (!isWanted && bodies.length > 0) this.pool.tell(false);
      return false;
    }
    this.#fill(at, message);
    if (message.isLarge) this.refersTo(costOf(message.lengths));
    return true;
  }

  /** Blocks for the large parts, and room for the records; 0 if there is no memory for all. */
  #placeParts(message: Prepared): Addr {
    if (bodies.length > 0) bodies.length = 0;
    const isHoused = !message.isLarge || this.#allocateBodies(message.lengths);
    const at = isHoused ? this.#place(message.size) : 0;
    if (at === 0) for (let left = bodies.length; left > 0; left--) this.untake();
    return at;
  }

  /** Blocks for all large parts. False if there is no memory for all of them. */
  #allocateBodies(lengths: readonly number[]): boolean {
    const leave = this.mustLeave;
    if (leave === undefined) return false;
    for (const length of lengths) {
      if (length <= INLINE_BYTES) continue;
      const body = this.pool.allocate(bodyWords(length), leave);
      if (body === 0) return false;
      this.take(body);
      bodies.push(body);
    }
    return true;
  }

  #fill(from: Addr, { envelope, parts, lengths }: Prepared): void {
    let at = from;
    let body = 0;
    if (envelope !== undefined) {
      this.putRecords(at, envelope.words, 0, envelope.size);
      at += envelope.size;
    }
    for (let index = 0; index < parts.length; index++) {
      const part = parts[index] as string | Uint8Array;
      const length = lengths[index] as number;
      const more = index < parts.length - 1 ? MORE : 0;
      if (typeof part === "string") this.#putText(at, part, more);
      else if (length <= INLINE_BYTES) this.#putBytes(at, part, length, more);
      else this.#putReference(at, part, length, bodies[body++] as Addr, more);
      at += sizeOf(length);
    }
  }

  #putBytes(at: Addr, source: Uint8Array, length: number, more: number): void {
    const { words } = this.arena;
    words[at + LENGTH] = length;
    words[at + FLAGS] = more;
    setBytes(this.bytes, this.offsetOf(at + RECORD_HEAD), source, length);
  }

  #putText(at: Addr, text: string, more: number): void {
    const { words, bytes } = this.arena;
    words[at + LENGTH] = text.length;
    words[at + FLAGS] = more;
    const to = (at + RECORD_HEAD) * 4;
    for (let i = 0; i < text.length; i++) bytes[to + i] = text.charCodeAt(i);
  }

  #putReference(at: Addr, source: Uint8Array, length: number, body: Addr, more: number): void {
    const { words, bytes } = this.arena;
    bytes.set(source, (body + BODY_HEAD) * 4);
    words[at + LENGTH] = length;
    words[at + FLAGS] = more | REFERENCE;
    words[at + RECORD_HEAD] = body;
  }
}

/** A message whose parts have been looked at: nothing can go wrong with it but lack of memory. */
export class Prepared {
  /** All parts, but for those of the envelope. */
  readonly parts: readonly (string | Uint8Array)[];
  /** How many bytes each has: as many are sent, whatever a part says by then. */
  readonly lengths: readonly number[];
  /** How many words its records take together. */
  readonly size: number;
  /** Whether some part needs a block of its own. */
  readonly isLarge: boolean;
  /** What stands before the parts. */
  readonly envelope: Envelope | undefined;

  constructor(
    parts: readonly (string | Uint8Array)[],
    lengths: readonly number[],
    size: number,
    isLarge: boolean,
    envelope?: Envelope,
  ) {
    this.parts = parts;
    this.lengths = lengths;
    this.size = size;
    this.isLarge = isLarge;
    this.envelope = envelope;
  }

  /** All parts, those of the envelope too. */
  get all(): readonly (string | Uint8Array)[] {
    const { envelope, lengths } = this;
    const parts = this.parts.map((part, i) => cut(part, lengths[i] as number));
    return envelope === undefined ? parts : [...envelope.parts, ...parts];
  }

  /**
   * Looks whether all its bytes are there still: while it waited, a buffer may have been
   * transferred or have shrunk, and its views read as empty from then on.
   *
   * @throws ZmqError EINVAL.
   */
  check(): this {
    const { parts, lengths } = this;
    for (let i = 0; i < parts.length; i++) {
      if (lengthOf(parts[i] as string | Uint8Array) < (lengths[i] as number)) throw gone();
    }
    return this;
  }
}

/** Whether it is bytes, and not what only looks like it: a Proxy of them, or what inherits. */
export function isBytes(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value) && value instanceof Uint8Array;
}

/** The most frequent message by far: one part, neither empty (it may be detached) nor large. */
function isSimple(message: unknown): message is Uint8Array {
  if (!isBytes(message)) return false;
  const length = lengthOf(message);
  return length > 0 && length <= INLINE_BYTES && message.length === length;
}

/** How many bytes a part has that was looked at. No code of the user's says so. */
export function lengthOf(part: string | Uint8Array): number {
  return typeof part === "string" ? part.length : arrayLength.call(part);
}

/** Whether bytes are as many as they say. What lies behind the last is not to be had. */
function isWhole(bytes: Uint8Array, length: number): boolean {
  return bytes[length] === undefined && bytes[length - 1] !== undefined;
}

/** A part as it was when it was counted: a view of memory may have grown. */
function cut(part: string | Uint8Array, length: number): string | Uint8Array {
  if (typeof part === "string" || lengthOf(part) === length) return part;
  return new Uint8Array(part.buffer, part.byteOffset, length);
}

/**
 * Copies as many bytes as were counted, whatever there is by now: a view of memory that another
 * thread lets grow may be longer, and a class of the user's may say what it likes of its length.
 *
 * @param to Where what comes behind may be spoilt: the view may grow even while it is copied.
 */
export function setBytes(to: Uint8Array, at: number, source: Uint8Array, length: number): void {
  if (length > SHORT_BYTES && isWhole(source, length)) {
    try {
      set.call(to, source, at);
      return;
    } catch {
      // It has grown just now, and there is no room for so much.
    }
  }
  for (let i = 0; i < length; i++) to[at + i] = source[i] ?? 0;
}

/** The parts of a message, which may be one that stands for itself. */
export function partsOf(message: MessageLike): readonly Part[] {
  return Array.isArray(message) ? (message as readonly Part[]) : [message as Part];
}

/**
 * Looks at a message, once, before it waits for a peer or for memory.
 *
 * @param envelope What is to stand before it; as long as the message waits it is to be the same.
 * @throws ZmqError EINVAL if it is no message, EMSGSIZE if it could never be stored.
 */
export function prepare(
  message: MessageLike,
  pool: Pool,
  envelope?: Envelope,
): Uint8Array | Prepared {
  if (envelope?.isLarge === true) return prepareBehind(envelope, message, pool);
  if (isSimple(message)) {
    if (envelope === undefined) return message;
    const length = lengthOf(message);
    const size = envelope.size + sizeOf(length);
    if (size <= SMALL_WORDS) return new Prepared([message], [length], size, false, envelope);
  }
  const isList = Array.isArray(message);
  const count = isList ? message.length : 1;
  const parts = new Array<string | Uint8Array>(count);
  const lengths = new Array<number>(count);
  let size = envelope?.size ?? 0;
  let isLarge = false;
  for (let i = 0; i < count; i++) {
    let part = toPart(isList ? message[i] : message);
    let length = lengthOf(part);
    if (length > INLINE_BYTES) {
      isLarge = true;
      part = fixed(part);
      length = lengthOf(part);
    }
    parts[i] = part;
    lengths[i] = length;
    size += sizeOf(length);
  }
  // Not `<=`: a Proxy of an array may say that its length is no number.
  if (!(count > 0)) {
    throw new ZmqError("EINVAL", {
      hint: "A message has at least one part; send null or an empty string for an empty one.",
    });
  }
  const prepared = new Prepared(parts, lengths, size, isLarge, envelope);
  if (isLarge || size > SMALL_WORDS) checkMemory(prepared, pool);
  return prepared;
}

/** The same where a part of the envelope needs a block of its own in a lane. */
function prepareBehind(envelope: Envelope, message: MessageLike, pool: Pool): Prepared {
  const own = prepare(message, pool);
  const parts = own instanceof Prepared ? own.parts : [own];
  return prepare([...envelope.parts, ...parts], pool) as Prepared;
}

/** Records of so many words together fit into a page, whatever chunk they are in. */
const SMALL_WORDS = PAGE_WORDS >> 1;

/** @throws ZmqError EMSGSIZE if a message could never be stored. */
function checkMemory({ parts, lengths, size, envelope }: Prepared, pool: Pool): void {
  let memory = costOf(lengths);
  // Records that need no more than a page have one that is counted to the link.
  const records = Pool.cost(CHUNK_HEAD + size + RECORD_HEAD);
  if (records > PAGE_WORDS) memory += records;
  const most = pool.pages.mostWords;
  if (memory > most) throw tooLarge(parts, memory, most, envelope);
}

/** @throws ZmqError EMSGSIZE if a control record of these bytes could never be written. */
export function checkControl(bytes: Uint8Array, pool: Pool): void {
  const memory = Pool.cost(CHUNK_HEAD + recordWords(bytes.length) + RECORD_HEAD);
  const most = pool.pages.mostWords;
  if (memory > most) throw tooLarge([bytes], memory, most);
}

/** A message that lies as records, with all bodies inside. */
function preparedOf(words: Int32Array, from: number, size: number): Prepared {
  const parts: Uint8Array[] = [];
  const lengths: number[] = [];
  let whole = 0;
  for (let at = from; at < from + size; ) {
    const length = words[at + LENGTH];
    const start = words.byteOffset + (at + RECORD_HEAD) * 4;
    parts.push(new Uint8Array(words.buffer, start, length));
    lengths.push(length);
    whole += sizeOf(length);
    at += recordWords(length);
  }
  return new Prepared(parts, lengths, whole, true);
}

/** How many words the record of a part of so many bytes takes in the queue. */
function sizeOf(length: number): number {
  return length > INLINE_BYTES ? REFERENCE_WORDS : recordWords(length);
}

/** A part as it is copied: bytes, or a short text of one byte a character. */
function toPart(part: unknown): string | Uint8Array {
  if (typeof part === "string") {
    return part.length <= SHORT_TEXT && isAscii(part) ? part : encoder.encode(part);
  }
  if (part === null) return "";
  if (ArrayBuffer.isView(part)) {
    if (part instanceof Uint8Array && isWhole(part, part.length)) return part;
    const bytes = bytesOf(part);
    // A class of the user's may show less of them.
    const isLess = part instanceof Uint8Array && part.length < bytes.length;
    return isLess ? bytes.subarray(0, part.length) : bytes;
  }
  if (isBuffer(part)) return bytesIn(part, part.byteLength);
  const what = Array.isArray(part) ? "an array" : `a value of type ${typeof part}`;
  throw new ZmqError("EINVAL", {
    hint:
      "A part is a string, a Buffer, typed array or DataView, an ArrayBuffer or " +
      `SharedArrayBuffer, or null; this is ${what}. ` +
      "Convert it first, for example with JSON.stringify.",
  });
}

/**
 * The bytes that a view shows.
 *
 * @throws ZmqError EINVAL if they are gone: transferred to another thread, or past the end of a
 *   buffer that has shrunk.
 */
export function bytesOf(view: ArrayBufferView): Uint8Array {
  checkThere(view);
  try {
    return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  } catch {
    throw gone();
  }
}

/** Bytes of a buffer; of fixed length, for it may be growing. @throws ZmqError EINVAL. */
function bytesIn(buffer: ArrayBufferLike, length: number): Uint8Array {
  try {
    return new Uint8Array(buffer, 0, length);
  } catch {
    throw gone();
  }
}

/**
 * A typed array whose bytes are gone says that it is empty; what does not lie is its methods.
 *
 * @throws ZmqError EINVAL.
 */
function checkThere(view: ArrayBufferView): void {
  try {
    if (view.byteLength === 0 && "at" in view) elementAt.call(view, 0);
  } catch {
    throw gone();
  }
}

/** The same bytes in a view whose length does not change with the buffer's. */
function fixed(part: string | Uint8Array): string | Uint8Array {
  if (typeof part === "string") return part;
  const { resizable, growable } = part.buffer as { resizable?: boolean; growable?: boolean };
  return resizable === true || growable === true ? bytesOf(part) : part;
}

/** What a message is refused with, if that it is none has only shown when it was looked at. */
export function refusal(cause: unknown): ZmqError {
  if (cause instanceof ZmqError) return cause;
  const hint = "The message, or one of its parts, has thrown when it was read: see cause.";
  return new ZmqError("EINVAL", { hint, cause });
}

function gone(): ZmqError {
  return new ZmqError("EINVAL", {
    hint: "The bytes of a view are gone: its buffer was transferred, or has shrunk. Give a copy.",
  });
}

/** How many words of pages the large bodies take, of parts of so many bytes. */
export function costOf(lengths: readonly number[]): number {
  let words = 0;
  for (const length of lengths) if (length > INLINE_BYTES) words += Pool.cost(bodyWords(length));
  return words;
}

export function bodyWords(bytes: number): number {
  return BODY_HEAD + Math.ceil(bytes / 4);
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

/** @param memory How many words of pages it would take. @param most How many it may. */
function tooLarge(
  parts: readonly (string | Uint8Array)[],
  memory: number,
  most: number,
  envelope?: Envelope,
): ZmqError {
  const all = [...parts, ...(envelope?.parts ?? [])];
  const bytes = all.reduce((sum, part) => sum + lengthOf(part), 0);
  const and = envelope === undefined ? "" : " and its envelope";
  const pages = Math.ceil(memory / PAGE_WORDS);
  return new ZmqError("EMSGSIZE", {
    hint:
      `It has ${bytes} bytes in ${parts.length} part(s)${and}, which take ${pages} pages of ` +
      `${PAGE_BYTES} bytes; a message of this context may take ${most / PAGE_WORDS}. ` +
      "Send it in pieces, or create the context with a larger maxMemory.",
  });
}
