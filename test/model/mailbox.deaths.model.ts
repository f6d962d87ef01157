// SPDX-License-Identifier: MIT

/**
 * Model of posting when a thread dies: small programs in every interleaving, with a death at each
 * step; for the method see test/support/explorer/explorer.ts.
 */
import type { Addr } from "#src/memory/index.ts";
import { type Change, type Env, model, type Program } from "../support/explorer/explorer.ts";
import { MORTAL, watch } from "./deaths.ts";

const FOREVER = Number.POSITIVE_INFINITY;
const RECEIVER = 2;
const CHANGES: readonly Change[] = [
  { file: "memory/layout.js", replace: "MAX_SLOTS = 8", by: "MAX_SLOTS = 4" },
];

interface Shared {
  readonly blocks: readonly Addr[];
}

/** A slot has two blocks, of its first target and its second. */
function setup(slot: number) {
  return (env: Env): Shared => {
    const { SLOT_HEAD, slotAt, DEATHS } = env.code.memory;
    const blocks = [0, 1].map((index) => {
      const at = env.pool.allocate(16);
      env.arena.words.fill(0, at, at + 16);
      env.name(at, `block ${index}`);
      env.as(slot).thread.open(at, index);
      return at;
    });
    env.name(slotAt(slot) + SLOT_HEAD, `head of ${slot}`);
    env.name(DEATHS, "deaths");
    return { blocks };
  };
}

/** Posts to both blocks, and dies. */
const poster = (env: Env, { blocks }: Shared) => {
  const { thread } = env;
  return () => {
    for (const block of blocks) thread.post(block, 1);
  };
};

/** Counts what it hears of each block. */
function listen(env: Env, { blocks }: Shared): number[] {
  watch(env);
  const heard = [0, 0];
  env.thread.ownBlocks = () => [...blocks];
  for (const index of [0, 1]) {
    env.thread.register({
      command: () => {
        heard[index] = (heard[index] as number) + 1;
      },
    });
  }
  return heard;
}

/** Hears of the death, and lets every thread look around; then posts to the second block itself. */
const mourner = (env: Env, { blocks }: Shared) => {
  watch(env);
  const { thread } = env;
  return () => {
    const died = env.untilDead();
    if (died) thread.mourn();
    thread.post(blocks[1] as Addr, 2);
  };
};

/** Whether a command is in a block that nobody has heard. */
function left(env: Env, { blocks }: Shared): number[] {
  const { BLOCK_BITS, COMMANDS } = env.code.command;
  return blocks.map((block) => env.arena.words[block + BLOCK_BITS] & COMMANDS);
}

const THREAD = "command/thread.js";
const PLANTED = {
  "nobody looks for what a dead thread has not pushed": {
    file: THREAD,
    replace: "        this.#lookAround();\n",
    by: "",
  },
  "who mourns does not wake who sleeps": {
    file: THREAD,
    replace: "new Mailbox(this.arena, slotAt(slot) + SLOT_HEAD).nudge();",
    by: "",
  },
  "who mourns wakes only whom nobody has woken": {
    file: "command/mailbox.js",
    replace: "swapIf(this.#arena.words, this.head, ASLEEP, EMPTY);",
    by: "if (swapIf(this.#arena.words, this.head, ASLEEP, EMPTY) === ASLEEP)",
  },
  "doze does not look at the deaths": {
    file: "command/mailbox.js",
    replace: "return load(words, DEATHS) === this.deaths;",
    by: "return true;",
  },
};

/**
 * The receiver waits until the second block was heard by what the mourner posted; what the dead one
 * has set in the blocks before must have been heard by then, or be heard with it.
 */
const BLOCKED: Program<Shared> = {
  changes: CHANGES,
  setup: setup(RECEIVER),
  threads: {
    poster,
    receiver: (env, shared) => {
      const heard = listen(env, shared);
      let last = 0;
      const { thread } = env;
      return () => {
        const { load } = env.code.memory;
        const { BLOCK_BITS, COMMANDS } = env.code.command;
        thread.waitFor(
          () => {
            last = load(env.arena.words, (shared.blocks[0] as Addr) + BLOCK_BITS) & COMMANDS;
            return (heard[1] as number) > 0 && last === 0;
          },
          () => true,
          FOREVER,
        );
        return heard;
      };
    },
    mourner,
  },
  mortal: "poster",
  final: left,
  judge: (_: unknown, [first, second]: number[], __: unknown, [bits]: number[]) => {
    if ((first as number) > 1 || (second as number) > 2) return "heard more often than posted";
    return bits === 0 ? undefined : "a command was never heard";
  },
};

model("who posts dies at each step: what it said is heard by who is awake, or sleeps (thread.ts)", {
  ...BLOCKED,
  planted: PLANTED,
});

/** The owner of the blocks dies, with blocks taken or not; who mourns it withdraws them. */
model("who receives dies at each step: its blocks are withdrawn, its mailbox is as new", {
  changes: CHANGES,
  setup: setup(MORTAL),
  threads: {
    owner: (env, shared) => {
      const heard = listen(env, shared);
      return () => {
        env.thread.dispatch();
        env.thread.mailbox.doze();
        env.thread.dispatch();
        return heard.length;
      };
    },
    poster: (env, shared) => {
      watch(env);
      return poster(env, shared);
    },
    mourner: (env, { blocks }) => {
      watch(env);
      const { thread } = env;
      return () => {
        if (!env.untilDead()) return "alive";
        for (const block of blocks) thread.withdrawFor(MORTAL, block);
        thread.clearFor(MORTAL);
        return "mourned";
      };
    },
  },
  mortal: "owner",
  final: (env, { blocks }) => {
    const { SLOT_HEAD, slotAt } = env.code.memory;
    const { BLOCK_BITS, CLOSED } = env.code.command;
    const closed = blocks.map((block) => env.arena.words[block + BLOCK_BITS] === CLOSED);
    return [env.arena.words[slotAt(MORTAL) + SLOT_HEAD], ...closed];
  },
  judge: (owner: unknown, _: unknown, __: unknown, [head, ...closed]: unknown[]) => {
    if (owner !== "dead") return undefined;
    if (head !== 0) return "something lies in its mailbox";
    return closed.every(Boolean) ? undefined : "a block is not closed";
  },
  planted: {
    "who withdraws for the dead does not wait for who is posting": {
      file: THREAD,
      replace: "if ((bits & COMMANDS) !== 0 && (bits & TAKEN) === 0) {",
      by: "if (bits < 0) {",
    },
    "the owner does not mark what it takes": {
      file: "command/mailbox.js",
      replace: "or(this.#arena.words, block + BLOCK_BITS, TAKEN);",
      by: "",
    },
  },
} as Program<Shared>);
