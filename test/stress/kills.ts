// SPDX-License-Identifier: MIT

/**
 * kills — threads are killed at random moments, under load, and the books must balance.
 *
 * # Method
 *
 * 1. Survivors send and receive without end: this thread by promises, one worker by blocking calls,
 *    one by attempts and batches. Each has a PUSH that is bound, and that connects to names which
 *    others bind; and a PULL.
 * 2. Victims do the same, by an API of their own, in a loop: they receive from the survivors, send
 *    to them, bind names. Each is killed by `terminate()` after a random time, also before it has
 *    begun, and another takes its place.
 * 3. Whoever has received a message of a survivor marks it, in shared memory, as the first thing
 *    it does. A victim that acknowledges receives from names of its own.
 * 4. At the end the survivors stop sending, and this thread receives what is left.
 *
 * # What is asserted
 *
 *   - No message of a survivor is marked twice; of those sent to victims that acknowledge, only if
 *     it was marked as redelivered the second time.
 *   - Each message of a survivor is marked, or was in the hands of a killed application, in a call
 *     that had begun to receive. Of those sent to victims that acknowledge none is missing.
 *   - The library's books balance: sent = received + dropped.
 *   - Messages of one sender come in order to each receiver, if nobody has died in between.
 *   - No call of a survivor waits for more than five seconds.
 *   - Memory, slots, names, pipes and descriptors are as they were before.
 *
 * All choices follow from the seed. When a thread is killed, in the life of the others, does not:
 * so a seed repeats the program, and not the run.
 */
import assert from "node:assert/strict";
import { Context, type ContextStats } from "threadmq";
import { Random } from "../support/random.ts";
import { figuresOf } from "./figures.ts";
import {
  ACKED,
  type Books,
  countHands,
  HANDS,
  openBooks,
  PATIENCE,
  SENDERS,
  STOP,
  Survivor,
  WORK,
} from "./parts.ts";
import { killAll, startSurvivor } from "./threads.ts";

const PARTS: URL = new URL("./parts.js", import.meta.url);

export interface KillsOptions {
  readonly kills: number;
  readonly seed: number;
  /** Called now and then with the number of kills so far. */
  readonly progress?: (kills: number) => void;
}

export interface KillsReport {
  kills: number;
  seconds: number;
  /** Messages of survivors, and of them how many were in the hands of a killed application. */
  sent: number;
  inHands: number;
  /** Messages that were received a second time, marked as redelivered. */
  redelivered: number;
  /** Messages that came from victims. */
  fromVictims: number;
  /** The longest wait of a survivor's call, in ms. */
  longest: number;
}

/** Kills so many threads; throws if anything that is promised does not hold. */
export async function killUnderLoad(options: KillsOptions): Promise<KillsReport> {
  const random = new Random(options.seed);
  const context = new Context({ maxSockets: 200 });
  const before = inUse(context);
  const began = performance.now();
  const books = openBooks();
  const data = { handle: context.handle, books: books.buffers };
  const survivors = [1, 2].map((sender) => {
    return startSurvivor(PARTS, { ...data, sender, seed: random.next(2 ** 31) });
  });
  const here = new Survivor(context, books, 0, random.next(2 ** 31));
  const sending = here.run();
  await Promise.all(survivors.map(({ ready }) => ready));

  const { kills, progress } = options;
  const killed = (place: number) => countHands(books, place);
  await killAll({ file: PARTS, data, kills, random, progress, killed });

  Atomics.store(books.words, STOP, 1);
  const ends = await Promise.all([sending, ...survivors.map(({ ended }) => ended)]);
  await Promise.all(survivors.map(({ exit }) => exit));
  await here.receiveTheRest();
  const report = balance(books, context.stats(), here, Math.max(...ends));
  const after = inUse(context);
  assert.deepEqual(after, before, "memory, slots, names, pipes, descriptors are as they were");
  await context.terminate();
  return { ...report, kills, seconds: (performance.now() - began) / 1000 };
}

function balance(
  books: Books,
  { messages, sockets, threads }: ContextStats,
  here: Survivor,
  longest: number,
): Omit<KillsReport, "kills" | "seconds"> {
  assert.equal(sockets, 0);
  assert.equal(threads, 1);
  assert.equal(messages.queued, 0);
  assert.equal(messages.sent, messages.received + messages.dropped, "sent = received + dropped");
  let sent = 0;
  let marked = 0;
  let redelivered = 0;
  for (let sender = 0; sender < SENDERS; sender++) {
    for (const [kind, name] of [
      [WORK, "work"],
      [ACKED, "acknowledged work"],
    ] as const) {
      const count = books.sentBy(sender, kind);
      sent += count;
      for (let number = 0; number < count; number++) {
        const marks = books.marks(sender, kind, number);
        const again = marks >> 4;
        const message = `${name} ${number} of sender ${sender}`;
        assert.ok((marks & 15) - again <= 1, `${message} was received ${marks & 15} times`);
        if (kind === ACKED) assert.ok((marks & 15) > 0, `${message} is missing`);
        redelivered += again;
        if ((marks & 15) > 0) marked++;
      }
    }
  }
  const inHands = sent - marked;
  const hands = Atomics.load(books.words, HANDS);
  assert.ok(inHands <= hands, `${inHands} are missing, ${hands} were in the hands of the killed`);
  assert.ok(longest < PATIENCE, `a call waited for ${longest} ms`);
  return { sent, inHands, redelivered, fromVictims: here.fromVictims, longest };
}

/** What must be as it was. */
export function inUse(context: Context): object {
  const { rssMiB: _, ...figures } = figuresOf(context);
  return figures;
}
