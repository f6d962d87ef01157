// SPDX-License-Identifier: MIT

/**
 * ring_thr — a bare ring in a SharedArrayBuffer: what this machine gives to any library.
 *
 *      view     the receiver reads the word where it lies and makes no object: the upper bound for
 *               everything
 *      copied   the receiver copies each body into a pooled Buffer, and makes the Buffer and the
 *               array around it: the upper bound for a library whose user gets messages he may keep
 *
 *              read                            written
 *      | slot  |▓▓▓▓▓▓▓▓|▓▓▓▓▓▓▓▓|▓▓▓▓▓▓▓▓|      |      |     slot: length, body, filled up to 16
 *
 * Both sides keep a copy of the other's position and look again only when it is used up. A position
 * is published every 64 messages, or before its owner has to wait. Who has to wait spins. Bodies
 * are copied by words up to 128 bytes, above by TypedArray.set. Both ends of a copy begin at
 * multiples of eight bytes: V8 copies shared memory byte by byte if they do not agree in that.
 *
 * What is not equal: all of it. One size of message, one sender, one receiver, no names, no sleep,
 * no end; it burns both cores while it waits.
 */

import { isMainThread } from "node:worker_threads";
import {
  type Arguments,
  inThread,
  Meter,
  Outgoing,
  readArguments,
  ready,
  report,
  startThread,
} from "../child.ts";
import { BY_WORDS, Copier, HEAD, strideOf } from "./ring.ts";

/** Slots of the ring; fewer when they are large, so that it has at most 4 MiB. */
const SLOTS = 4096;
const RING_BYTES = 4 * 2 ** 20;
const PUBLISH_EVERY = 64;

/** Words of the control block, each in a cache line pair of its own. */
const WRITTEN = 0;
const READ = 32;

interface Data extends Arguments {
  control: Int32Array<SharedArrayBuffer>;
  ring: Int32Array<SharedArrayBuffer>;
}

function slotsOf(size: number): number {
  let slots = SLOTS;
  while (slots * strideOf(size) * 4 > RING_BYTES) slots /= 2;
  return slots;
}

function sender({ size, count, warmup, control, ring }: Data): void {
  const stride = strideOf(size);
  const slots = slotsOf(size);
  const total = warmup + count;
  const outgoing = new Outgoing(size);
  const body = new Int32Array(outgoing.body.buffer, outgoing.body.byteOffset, size / 4);
  let read = 0;
  let published = 0;
  ready();
  for (let number = 0; number < total; number++) {
    outgoing.numbered(number);
    if (number - read === slots) {
      Atomics.store(control, WRITTEN, number);
      published = number;
      while (number - read === slots) read = Atomics.load(control, READ);
    }
    const at = (number % slots) * stride;
    ring[at] = size;
    if (size <= BY_WORDS) for (let i = 0; i < body.length; i++) ring[at + HEAD + i] = body[i];
    else ring.set(body, at + HEAD);
    if (number - published === PUBLISH_EVERY || number === total - 1) {
      Atomics.store(control, WRITTEN, number + 1);
      published = number;
    }
  }
}

/** The receiver's end. */
class Slots {
  readonly #control: Int32Array;
  readonly #stride: number;
  readonly #slots: number;
  #number = -1;
  #written = 0;
  #published = 0;

  constructor({ size, control }: Data) {
    this.#control = control;
    this.#stride = strideOf(size);
    this.#slots = slotsOf(size);
  }

  /** The address of the next message's slot; with that the one before is given back. */
  next(): number {
    const number = ++this.#number;
    if (number === this.#written) {
      this.#publish();
      while (number === this.#written) this.#written = Atomics.load(this.#control, WRITTEN);
    } else if (number - this.#published > PUBLISH_EVERY) this.#publish();
    return (number % this.#slots) * this.#stride;
  }

  #publish(): void {
    Atomics.store(this.#control, READ, this.#number);
    this.#published = this.#number;
  }
}

async function receiver(args: Arguments): Promise<void> {
  const control = new Int32Array(new SharedArrayBuffer(256));
  const words = slotsOf(args.size) * strideOf(args.size);
  const ring = new Int32Array(new SharedArrayBuffer(words * 4));
  const data: Data = { ...args, control, ring };
  await startThread(import.meta.url, data);
  const slots = new Slots(data);
  const copier = new Copier(ring);
  const meter = new Meter(args);
  if (args.variant === "view") {
    let isOver = false;
    while (!isOver) {
      const at = slots.next();
      isOver = meter.lookAt(ring[at], ring[at + HEAD]);
    }
  } else if (args.variant === "copied") {
    let isOver = false;
    while (!isOver) {
      const [part] = copier.copy(slots.next());
      isOver = meter.look(part);
    }
  } else {
    const next = () => Promise.resolve({ value: copier.copy(slots.next()), done: false });
    for await (const [part] of { [Symbol.asyncIterator]: () => ({ next }) }) {
      if (meter.look(part)) break;
    }
  }
  report(meter.figures());
}

if (isMainThread) await receiver(readArguments());
else await inThread(sender);
