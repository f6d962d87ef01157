// SPDX-License-Identifier: MIT

/**
 * rounds — threads are killed at random moments in plays of all patterns (PUSH and PULL alone have
 * kills.ts, with more ways to call, and with acknowledgements).
 *
 * # Method
 *
 * 1. Survivors play without end: two in this thread by promises, each other in a worker of its own,
 *    by blocking calls or by attempts. What they do is in `play_*.ts`: there is the head of what is
 *    asserted for each pattern.
 * 2. Victims play with them, by any of the three APIs, are killed after a random time, also before
 *    they have begun, and others take their places.
 * 3. Then the survivors bring to an end what is under way.
 *
 * # What is asserted
 *
 *   - What the play asserts while it goes on, and in the end.
 *   - The library's books balance: sent = received + dropped, and nothing is queued.
 *   - No call of a survivor waits for more than five seconds.
 *   - Memory, slots, names, pipes and descriptors are as they were before.
 *
 * All choices follow from the seed. When a thread is killed, in the life of the others, does not.
 */
import assert from "node:assert/strict";
import { Context } from "threadmq";
import { Random } from "../support/random.ts";
import { PLAYS } from "./cast.ts";
import { inUse, type KillsReport, killUnderLoad } from "./kills.ts";
import {
  AGAIN,
  CLOSING,
  FINISHED,
  FROM_VICTIMS,
  HANDS,
  openBooks,
  PATIENCE,
  type Play,
  Player,
  play,
  RESTING,
  type Role,
} from "./player.ts";
import { type Killing, killAll, startSurvivor } from "./threads.ts";

const CAST: URL = new URL("./cast.js", import.meta.url);
/** So many survivors play in this thread. */
const HERE = 2;

/** PUSH and PULL, and all others. */
export const PATTERNS: readonly string[] = ["pipeline", ...Object.keys(PLAYS)];

export interface RoundOptions {
  readonly pattern: string;
  readonly kills: number;
  readonly seed: number;
  readonly progress?: (kills: number) => void;
}

export interface RoundReport {
  pattern: string;
  kills: number;
  seconds: number;
  /** Messages of survivors, and of them how many were in the hands of a killed application. */
  sent: number;
  inHands: number;
  /** Requests that were sent again: whom they had gone to was dead. */
  again: number;
  fromVictims: number;
  /** The longest wait of a survivor's call, in ms. */
  longest: number;
}

/** Kills so many threads of a pattern; an error says how to do it again. */
export async function killThreads(options: RoundOptions): Promise<RoundReport | KillsReport> {
  const { pattern, kills, seed } = options;
  try {
    return await (pattern === "pipeline" ? killUnderLoad(options) : killInPlay(options));
  } catch (error) {
    const command = `npm run kills -- --kills=${kills} --seed=${seed} --pattern=${pattern}`;
    throw new Error(`${command}: ${(error as Error).message}`, { cause: error });
  }
}

/** Kills so many threads in a play; throws if anything that is promised does not hold. */
async function killInPlay(options: RoundOptions): Promise<RoundReport> {
  const { pattern, kills, seed, progress } = options;
  const random = new Random(seed);
  const { survivors, leaves = false, verdict } = PLAYS[pattern] as Play;
  const context = new Context({ maxSockets: 200 });
  const before = inUse(context);
  const began = performance.now();
  const books = openBooks();
  const variant = random.next(2 ** 16);
  const data = { handle: context.handle, books, pattern, variant };
  const players = survivors.slice(0, HERE).map((_role, number) => {
    const own = new Random(random.next(2 ** 31));
    return new Player(context, own, { books, number, place: -1, way: "promise", variant });
  });
  const [player] = players as [Player];
  const here = players.map(async (one, number) => {
    await play(one, (survivors[number] as Role)(one), () => one.count(FINISHED));
    return one.longest;
  });
  const workers = survivors.slice(HERE).map((_role, index) => {
    return startSurvivor(CAST, { ...data, sender: HERE + index, seed: random.next(2 ** 31) });
  });
  const ends = Promise.all([...here, ...workers.map(({ ended }) => ended)]);
  const killed = (place: number) => player.killed(place);
  const killing: Killing = { file: CAST, data, kills, random, progress, killed, over: false };
  try {
    await Promise.race([Promise.all(workers.map(({ ready }) => ready)), ends]);
    await Promise.race([killAll(killing), ends]);
    player.phase = RESTING;
    await Promise.race([quiet(context, player, survivors.length, leaves), ends]);
    player.phase = CLOSING;
    const longest = Math.max(...(await ends));
    await Promise.all(workers.map(({ exit }) => exit));
    assert.ok(longest < PATIENCE, `a call waited for ${longest} ms`);
    assert.deepEqual(inUse(context), before, "memory, slots, names, pipes, descriptors");
    const { sent, received, queued, dropped } = context.stats().messages;
    assert.equal(queued, 0);
    assert.equal(sent, received + dropped, "sent = received + dropped");
    const inHands = verdict?.(player, player.counted(HANDS)) ?? 0;
    const seconds = (performance.now() - began) / 1000;
    return { pattern, kills, seconds, ...figures(player, survivors.length), inHands, longest };
  } finally {
    killing.over = true;
    player.phase = CLOSING;
    for (const { worker } of workers) await worker.terminate();
    await context.terminate({ timeout: PATIENCE });
  }
}

/** All have come to an end, and nothing is under way, unless something may be left. */
async function quiet(
  context: Context,
  player: Player,
  survivors: number,
  leaves: boolean,
): Promise<void> {
  const end = performance.now() + 2 * PATIENCE;
  for (;;) {
    const { messages } = context.stats();
    const finished = player.counted(FINISHED);
    if (finished === survivors && (leaves || messages.queued === 0)) return;
    const what = `${finished} of ${survivors} have finished, ${messages.queued} are queued`;
    assert.ok(performance.now() < end, `all is received: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function figures(player: Player, survivors: number) {
  let sent = 0;
  for (let one = 0; one < survivors; one++) sent += player.sentBy(one, 0) + player.sentBy(one, 1);
  return { sent, again: player.counted(AGAIN), fromVictims: player.counted(FROM_VICTIMS) };
}
