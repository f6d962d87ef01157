// SPDX-License-Identifier: MIT

import { assert, type HostFile, type HostFiles, ZmqError } from "../base/index.ts";
import { INLINE_BYTES, MORE, recordWords } from "../queue/index.ts";
import { lengthOf, SHORT_TEXT } from "./message.ts";

/**
 * swap — messages above the high watermark wait on disk, in order (`ZMQ_SWAP`).
 *
 * It belongs to the *writer's* end of a pipe, and no other thread knows of it: the reader sees only
 * messages in the ypipe. When the swap is used, and when it is emptied, is the writer's affair
 * (writer.ts); here is only the store.
 *
 *      write ──▶ room in the lane, and nothing in the swap? ──yes──▶ lane ──▶ reader
 *                     │ no                                            ▲
 *                     ▼                                               │ refill
 *                   swap  ────────────────────────────────────────────┘
 *
 * # Blocks
 *
 * Positions are bytes since the beginning and only grow. They are cut into blocks; the block that
 * is written to and the block that is read from are in memory, those between are in the file:
 *
 *           head                  in the file                    tail
 *      ├──────────────┼──────────────┼──────────────┼──────────────────────┤
 *        . . . .|=====|==============|==============|===========|- - - - -
 *            readAt                                          writeAt
 *
 * A block goes to the file when it is full and the reader is not in it: one that never left memory
 * is never written, and a swap with less than two blocks in it has no file. A place in the file is
 * used again as soon as its block has been read, the last one first; so the file is as long as the
 * backlog has ever been, and is cut when the swap is empty (`trim`).
 *
 * # Records
 *
 *         +--------+--------+--------+--------+------------------+--------+--------+
 *         | magic  |sequence| length | flags  | records …        |checksum|        |
 *         +--------+--------+--------+--------+------------------+--------+--------+
 *
 * A message is one record. In it are the very words of the queue's records (queue/layout.ts), all
 * bodies inside, so that to refill is to copy; LARGE says that some body will need a block of its
 * own there. The checksum is over all words before it. It is for a disk that gives back something
 * else than was written; a block of an earlier use of its place is known by the sequence.
 *
 * # Invariants
 *
 *   I1  readAt ≤ writeAt ≤ readAt + the limit, which is asked for with each message.
 *   I2  Only whole messages are there: `store` moves writeAt when everything is in place. What can
 *       fail comes before: the block in which the message begins is written last, and until then
 *       stays as it is, so that nothing has to be read back to undo half a message.
 *   I3  What `ready` shows is what was stored, in the order of storing; what cannot be read is
 *       skipped up to the next record that begins in another block, and counted.
 *   I4  At most three blocks are in memory, and one message that lies across their borders.
 *
 * # What this is not
 *
 * Not persistence. The file is of no use to another process, and nothing survives a crash. It buys
 * time for a slow peer, and its limit is a limit: when the swap is full, the socket is in its mute
 * state as ever.
 *
 * # If a thread dies
 *
 * Its file goes with its descriptor, or is known by its name (base/host.ts); its messages are lost,
 * and how many they were stands in the lane. Who leaves the pipe on its behalf counts them.
 */
const MAGIC = 0x50415753 | 0;
const LARGE = 1;
const HEAD_WORDS = 4;
const TRAILER_WORDS = 2;
/** How many bytes a message takes beside its records. */
export const SWAP_OVERHEAD: number = (HEAD_WORDS + TRAILER_WORDS) * 4;

/**
 * Measured with 1 KiB messages, 64 KiB to 1 MiB: from 256 KiB on the calls no longer count; larger
 * ones leave the second-level cache.
 */
export const BLOCK_BYTES: number = 1 << 18;
/** So many blocks that are not used are kept for the next swap of this thread. */
const MOST_SPARES = 4;
const spares: Block[] = [];

/** What a message is made of: bodies, and short texts of one byte a character. */
type StoredPart = string | Uint8Array;

class Block {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  number = 0;
  /** The first record that begins in it: where, and its sequence. -1: none does. */
  firstAt = -1;
  firstSequence = 0;

  constructor(size: number) {
    const buffer = new ArrayBuffer(size);
    this.words = new Int32Array(buffer);
    this.bytes = new Uint8Array(buffer);
  }
}

/** A block in the file, and which of the file's places it has. */
type Filed = Pick<Block, "number" | "firstAt" | "firstSequence"> & { place: number };

const NOTHING = new Int32Array(0);
const text = new Uint8Array(SHORT_TEXT);
/** The lengths of the parts that are being stored: views of growing memory may change theirs. */
const lengths: number[] = [];

export class Swap {
  readonly #files: HostFiles;
  readonly #blockBytes: number;
  readonly #onLost: (count: number, error: ZmqError) => void;
  #file: HostFile | undefined;
  #head: Block | undefined;
  #tail: Block | undefined;
  /** In the order of their numbers. */
  #filed: Filed[] = [];
  #freePlaces: number[] = [];
  #places = 0;
  /** The file takes more of the disk than there are places. */
  #isLong = false;
  #readAt = 0;
  #writeAt = 0;
  /** The sequence of the next message to be stored, and of the next to be read. */
  #stored = 0;
  #read = 0;

  // Where `store` is: the block and the byte in it, and how far the checksum has come.
  #current: Block | undefined;
  #offset = 0;
  #summed = 0;
  #sum = 0;
  #directory = "";

  /** What `ready` has found: the records of the next message, `size` words from `at` on. */
  words: Int32Array = NOTHING;
  at = 0;
  size = 0;
  /** Whether one of its bodies needs a block of its own in the queue. */
  large = false;
  #isReady = false;
  #nextAt = 0;
  /** The block that was last looked at. */
  #looked = 0;

  /** @param onLost Is told how many messages could not be read back, and why. */
  constructor(
    files: HostFiles,
    onLost: (count: number, error: ZmqError) => void,
    blockBytes: number = BLOCK_BYTES,
  ) {
    this.#files = files;
    this.#onLost = onLost;
    this.#blockBytes = blockBytes;
  }

  /** How many messages are there. */
  get count(): number {
    return this.#stored - this.#read;
  }

  /** How many bytes they take. */
  get used(): number {
    return this.#writeAt - this.#readAt;
  }

  /** How many bytes a message of these parts takes. */
  static sizeOf(parts: readonly StoredPart[]): number {
    return parts.reduce((sum, part) => sum + recordWords(lengthOf(part)) * 4, SWAP_OVERHEAD);
  }

  /**
   * Stores a message.
   *
   * @param limit How many bytes there may be then.
   * @param directory Where the file is made, if there is none yet.
   * @returns false if it does not fit.
   * @throws ZmqError if a block cannot be written; the message is then not there, all others are.
   */
  store(parts: readonly StoredPart[], limit: number, directory: string): boolean {
    let size = 0;
    let flags = 0;
    for (let index = 0; index < parts.length; index++) {
      const length = lengthOf(parts[index] as StoredPart);
      lengths[index] = length;
      size += recordWords(length);
      if (length > INLINE_BYTES) flags = LARGE;
    }
    if (this.used + size * 4 + SWAP_OVERHEAD > limit) return false;
    this.#directory = directory;
    const tail = this.#begin();
    try {
      this.#putPair(MAGIC, this.#stored | 0);
      this.#putPair(size, flags);
      for (let index = 0; index < parts.length; index++) {
        const more = index < parts.length - 1 ? MORE : 0;
        this.#putPart(parts[index] as StoredPart, lengths[index] as number, more);
      }
      this.#addUp();
      this.#putPair(this.#sum, 0);
      if (this.#current !== tail) this.#retire(tail);
    } catch (error) {
      this.#undo(tail);
      throw error;
    }
    const current = this.#current as Block;
    this.#tail = current;
    this.#writeAt = current.number * this.#blockBytes + this.#offset;
    this.#stored++;
    return true;
  }

  /** Whether there is a message; where, is then said by `words`, `at`, `size` and `large`. */
  ready(): boolean {
    while (!this.#isReady && this.count > 0) {
      try {
        this.#find();
        this.#isReady = true;
      } catch (error) {
        if (!(error instanceof ZmqError)) throw error;
        this.#skip(error);
      }
    }
    return this.#isReady;
  }

  /** The message that was ready has been taken. */
  shift(): void {
    this.#isReady = false;
    this.words = NOTHING;
    this.#readAt = this.#nextAt;
    this.#read++;
    if (this.count === 0) this.#emptied();
  }

  /** If nothing is there, gives back what the file takes of the disk: 50 ms for a GiB. */
  trim(): void {
    if (!this.#isLong || this.count > 0) return;
    this.#isLong = false;
    this.#file?.truncate();
  }

  /** Lets go of everything, the file included. */
  close(): void {
    this.#isReady = false;
    this.words = NOTHING;
    this.#read = this.#stored;
    this.#emptied();
    this.#file?.close();
    this.#file = undefined;
  }

  // Storing.

  /** The block in which the message begins. */
  #begin(): Block {
    this.#tail ??= this.#take(Math.floor(this.#writeAt / this.#blockBytes));
    const tail = this.#tail;
    this.#current = tail;
    this.#offset = this.#writeAt - tail.number * this.#blockBytes;
    this.#summed = this.#offset >> 2;
    this.#sum = 0;
    this.#mark(tail);
    return tail;
  }

  /** If the record that is being stored is the first that begins in this block, says so. */
  #mark(block: Block): void {
    const inIt = Math.floor(this.#writeAt / this.#blockBytes) === block.number;
    if (!inIt || block.firstAt >= 0) return;
    block.firstAt = this.#writeAt;
    block.firstSequence = this.#stored;
  }

  #putPart(part: StoredPart, length: number, more: number): void {
    this.#putPair(length, more);
    if (typeof part === "string") {
      for (let i = 0; i < length; i++) text[i] = part.charCodeAt(i);
      this.#putBytes(text, length);
    } else this.#putBytes(part, length);
    this.#offset = (this.#offset + 7) & -8;
  }

  /** Two words. They never lie across a border. */
  #putPair(first: number, second: number): void {
    if (this.#offset === this.#blockBytes) this.#goOn();
    const { words } = this.#current as Block;
    const at = this.#offset >> 2;
    words[at] = first;
    words[at + 1] = second;
    this.#offset += 8;
  }

  #putBytes(source: Uint8Array, length: number): void {
    for (let done = 0; done < length; ) {
      if (this.#offset === this.#blockBytes) this.#goOn();
      const count = Math.min(length - done, this.#blockBytes - this.#offset);
      const piece = source.length === count ? source : source.subarray(done, done + count);
      (this.#current as Block).bytes.set(piece, this.#offset);
      this.#offset += count;
      done += count;
    }
  }

  /** Goes on in the next block; the one that the message begins in is left as it is (I2). */
  #goOn(): void {
    this.#addUp();
    const full = this.#current as Block;
    const number = full.number + 1;
    if (full !== this.#tail) {
      this.#filed.push(this.#toFile(full));
      this.#giveBack(full);
    }
    this.#current = this.#take(number);
    this.#mark(this.#current);
    this.#offset = 0;
    this.#summed = 0;
  }

  /** Takes the words since the last time into the checksum: in pieces, by blocks. */
  #addUp(): void {
    const to = this.#offset >> 2;
    this.#sum = checksum((this.#current as Block).words, this.#summed, to, this.#sum);
    this.#summed = to;
  }

  /** The tail is full: it stays in memory if the reader is in it, else it goes to the file. */
  #retire(tail: Block): void {
    if (Math.floor(this.#readAt / this.#blockBytes) === tail.number) {
      this.#giveBack(this.#head);
      this.#head = tail;
      return;
    }
    const entry = this.#toFile(tail);
    // Further blocks of this message may be there already.
    const before = this.#filed.findLastIndex(({ number }) => number < tail.number);
    this.#filed.splice(before + 1, 0, entry);
    this.#giveBack(tail);
  }

  /** Nothing has happened: what was filed of the message is free again. */
  #undo(tail: Block): void {
    if (this.#current !== tail) this.#giveBack(this.#current);
    while ((this.#filed.at(-1)?.number ?? -1) > tail.number) {
      this.#freePlaces.push((this.#filed.pop() as Filed).place);
    }
  }

  /** Writes a block to a free place of the file. */
  #toFile({ bytes, number, firstAt, firstSequence }: Block): Filed {
    this.#file ??= this.#files.open(this.#directory);
    const place = this.#freePlaces.at(-1) ?? this.#places;
    this.#file.writeAt(bytes, place * this.#blockBytes);
    if (place === this.#places) this.#places++;
    else this.#freePlaces.pop();
    return { number, firstAt, firstSequence, place };
  }

  // Reading.

  /** Finds the record at readAt, and looks at all of it. */
  #find(): void {
    const number = Math.floor(this.#readAt / this.#blockBytes);
    const { words } = this.#load(number);
    const at = (this.#readAt - number * this.#blockBytes) >> 2;
    const end = words.length;
    const hasHead = at + HEAD_WORDS <= end;
    const size = hasHead ? this.#sizeOf(words, at) : 0;
    const to = at + HEAD_WORDS + size;
    if (!hasHead || to + TRAILER_WORDS > end) this.#stage();
    else if (checksum(words, at, to, 0) !== words[to]) throw garbled();
    else this.#found(words, at, size);
  }

  /** The same for a record that lies across a border: puts it together in memory of its own. */
  #stage(): void {
    const from = this.#readAt;
    const first = this.#looked;
    const head = new Int32Array(HEAD_WORDS);
    this.#copy(head, 0, from);
    this.#looked = first; // Should it be garbled: what follows in other blocks may be good.
    const size = this.#sizeOf(head, 0);
    const to = HEAD_WORDS + size;
    const words = new Int32Array(to + TRAILER_WORDS);
    words.set(head);
    this.#copy(words, HEAD_WORDS, from + HEAD_WORDS * 4);
    const blockWords = this.#blockBytes / 4;
    const untilBorder = blockWords - ((from / 4) % blockWords);
    let sum = 0;
    for (let at = 0, border = untilBorder; at < to; at = border, border += blockWords) {
      sum = checksum(words, at, Math.min(border, to), sum);
    }
    this.#looked = first;
    if (sum !== words[to]) throw garbled();
    this.#found(words, 0, size);
  }

  /** Fills `target` from `at` on with the words at a position. */
  #copy(target: Int32Array, at: number, position: number): void {
    const blockWords = this.#blockBytes / 4;
    let from = position / 4;
    for (let done = at; done < target.length; ) {
      const number = Math.floor(from / blockWords);
      const { words } = this.#load(number);
      const start = from - number * blockWords;
      const count = Math.min(target.length - done, blockWords - start);
      target.set(words.subarray(start, start + count), done);
      done += count;
      from += count;
    }
  }

  /** How many words of records there are, by a record's head. */
  #sizeOf(words: Int32Array, at: number): number {
    const size = words[at + 2];
    const isHead = words[at] === MAGIC && words[at + 1] === (this.#read | 0);
    if (!isHead || size <= 0 || size * 4 + SWAP_OVERHEAD > this.used) throw garbled();
    return size;
  }

  #found(words: Int32Array, at: number, size: number): void {
    this.words = words;
    this.at = at + HEAD_WORDS;
    this.size = size;
    this.large = (words[at + 3] & LARGE) !== 0;
    this.#nextAt = this.#readAt + size * 4 + SWAP_OVERHEAD;
  }

  /** A block, from memory or from the file. Its place there is free then. */
  #load(number: number): Block {
    this.#looked = number;
    if (this.#head?.number === number) return this.#head;
    this.#giveBack(this.#head);
    this.#head = undefined;
    if (this.#tail?.number === number) return this.#tail;
    while ((this.#filed[0]?.number ?? number) < number) this.#unfile();
    const filed = this.#filed[0];
    assert(filed?.number === number && this.#file !== undefined, "a block is in one place");
    const block = this.#take(number);
    try {
      this.#file.readAt(block.bytes, filed.place * this.#blockBytes);
    } catch (error) {
      this.#giveBack(block);
      throw error;
    }
    block.firstAt = filed.firstAt;
    block.firstSequence = filed.firstSequence;
    this.#unfile();
    this.#head = block;
    return block;
  }

  #unfile(): void {
    this.#freePlaces.push((this.#filed.shift() as Filed).place);
  }

  /** What lies here cannot be read: goes on with the first record of another block. */
  #skip(error: ZmqError): void {
    const blocks = [this.#head, ...this.#filed, this.#tail];
    const next = blocks.find((block) => {
      return block !== undefined && block.number > this.#looked && block.firstAt >= 0;
    });
    const lost = (next?.firstSequence ?? this.#stored) - this.#read;
    this.#readAt = next?.firstAt ?? this.#writeAt;
    this.#read += lost;
    if (this.count === 0) this.#emptied();
    this.#onLost(lost, error);
  }

  // Blocks.

  /** Nothing is there: gives back the memory. */
  #emptied(): void {
    this.#giveBack(this.#head);
    this.#giveBack(this.#tail);
    this.#head = undefined;
    this.#tail = undefined;
    this.#filed = [];
    this.#freePlaces = [];
    if (this.#places > 0) this.#isLong = true;
    this.#places = 0;
    this.#writeAt = Math.ceil(this.#writeAt / this.#blockBytes) * this.#blockBytes;
    this.#readAt = this.#writeAt;
  }

  #take(number: number): Block {
    const isUsual = this.#blockBytes === BLOCK_BYTES;
    const block = (isUsual ? spares.pop() : undefined) ?? new Block(this.#blockBytes);
    block.number = number;
    block.firstAt = -1;
    return block;
  }

  #giveBack(block: Block | undefined): void {
    const isUsual = this.#blockBytes === BLOCK_BYTES;
    if (block !== undefined && isUsual && spares.length < MOST_SPARES) spares.push(block);
  }
}

/** Odd numbers without a pattern, within 32 bits. */
const P = 0x9e3779b1 | 0;
const Q = 0x85ebca77 | 0;
const R = 0x27d4eb2f | 0;

/**
 * Sums up words, four and four, so that the processor need not wait for each product: 0.4 ns a
 * word. Any change of one word changes it.
 */
function checksum(words: Int32Array, from: number, to: number, before: number): number {
  if (from === to) return before;
  let a = before;
  let b = P;
  let c = Q;
  let d = R;
  let at = from;
  for (; at + 8 <= to; at += 8) {
    a = (Math.imul(a ^ words[at], P) + words[at + 4]) | 0;
    b = (Math.imul(b ^ words[at + 1], P) + words[at + 5]) | 0;
    c = (Math.imul(c ^ words[at + 2], P) + words[at + 6]) | 0;
    d = (Math.imul(d ^ words[at + 3], P) + words[at + 7]) | 0;
  }
  for (; at < to; at++) a = Math.imul(a ^ words[at], P);
  a = Math.imul(a ^ (a >>> 15), Q) + Math.imul(b ^ (b >>> 13), R);
  return (a + Math.imul(c ^ (c >>> 16), Q) + Math.imul(d ^ (d >>> 14), P)) | 0;
}

function garbled(): ZmqError {
  return new ZmqError("EIO", { hint: "What was read from a swap file is not what was written." });
}
