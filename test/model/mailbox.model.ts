// SPDX-License-Identifier: MIT

/**
 * Model of the mailbox, and of posting: small programs in every interleaving; for the method see
 * test/support/explorer/explorer.ts.
 */
import type { CommandTarget } from "#src/command/index.ts";
import type { Addr } from "#src/memory/index.ts";
import {
  type Env,
  forbidden,
  model,
  ok,
  type Program,
  rare,
} from "../support/explorer/explorer.ts";

const FOREVER = Number.POSITIVE_INFINITY;

/** Names the mailbox of a slot. */
function nameHead(env: Env, slot: number): void {
  const { SLOT_HEAD, slotAt } = env.code.memory;
  env.name(slotAt(slot) + SLOT_HEAD, `head of ${slot}`);
}

function allocate(env: Env, name: string): Addr {
  const at = env.pool.allocate(16);
  env.arena.words.fill(0, at, at + 16);
  env.name(at, name);
  return at;
}

/** A block that is open for commands to the first target of a slot. */
function openBlock(env: Env, slot: number, name: string): Addr {
  const at = allocate(env, name);
  env.as(slot).thread.open(at, 0);
  nameHead(env, slot);
  return at;
}

model("two senders meet a receiver that dozes: nothing is lost (mailbox.ts I1, I2, I3)", {
  setup: (env) => {
    nameHead(env, 1);
    return { blocks: ["a1", "a2", "b1"].map((name) => allocate(env, name)) };
  },
  threads: {
    receiver: (env, { blocks }) => {
      const { mailbox, signaler } = env.thread;
      return () => {
        const got: Addr[] = [];
        for (;;) {
          mailbox.take(got);
          if (got.length >= blocks.length) break;
          if (mailbox.doze()) signaler.block(FOREVER);
        }
        return got.map((block) => blocks.indexOf(block));
      };
    },
    first: (env, { blocks }) => {
      const { head } = env.as(1).thread.mailbox;
      return () => {
        env.code.mailbox.push(env.arena, head, blocks[0] as Addr);
        env.code.mailbox.push(env.arena, head, blocks[1] as Addr);
      };
    },
    second: (env, { blocks }) => {
      const { head } = env.as(1).thread.mailbox;
      return () => env.code.mailbox.push(env.arena, head, blocks[2] as Addr);
    },
  },
  outcomes: [
    [[[0, 1, 2], null, null], ok, "in the order of the pushes"],
    [[[0, 2, 1], null, null], ok, "likewise"],
    [[[2, 0, 1], null, null], ok, "likewise"],
    [[[1, 0, 2], null, null], forbidden, "one sender's blocks have changed their order"],
    [[[1, 2, 0], null, null], forbidden, "likewise"],
  ],
  planted: {
    "push loads and stores": {
      file: "command/mailbox.js",
      replace: "const found = swapIf(words, head, seen, block);",
      by: "const found = seen; exchange(words, head, block);",
    },
    "push links the block when it is there": {
      file: "command/mailbox.js",
      replace: "        if (found === seen)\n            break;",
      by:
        "if (found === seen) {" +
        "words[block + BLOCK_NEXT] = seen === ASLEEP ? EMPTY : seen; break; }",
    },
    "push does not look again who was there": {
      file: "command/mailbox.js",
      replace: "        seen = found;",
      by: "        seen = found === ASLEEP ? EMPTY : found;",
    },
    "push does not wake": {
      file: "command/mailbox.js",
      replace: "if (seen === ASLEEP)\n        notify",
      by: "if (seen === EMPTY)\n        notify",
    },
    "take loads and stores": {
      file: "command/mailbox.js",
      replace: "const found = swapIf(words, this.head, head, EMPTY);",
      by: "const found = head; store(words, this.head, EMPTY);",
    },
    "doze looks and then stores": {
      file: "command/mailbox.js",
      replace: "if (swapIf(words, this.head, EMPTY, ASLEEP) > ASLEEP)",
      by: "if (load(words, this.head) > ASLEEP || exchange(words, this.head, ASLEEP) < EMPTY)",
    },
    "take leaves the order as it is": {
      file: "command/mailbox.js",
      replace: "low < high;",
      by: "low > high;",
    },
  },
});

/** A sender that may die, and another that outlives it, and hears of its end. */
function orphaned(wakes: boolean): Program<{ blocks: readonly Addr[] }> {
  return {
    setup: (env) => {
      nameHead(env, 1);
      return { blocks: ["a1", "a2", "b1", "b2"].map((name) => allocate(env, name)) };
    },
    threads: {
      receiver: (env, { blocks }) => {
        const { mailbox, signaler } = env.thread;
        return () => {
          const got: Addr[] = [];
          for (;;) {
            mailbox.take(got);
            if (got.at(-1) === blocks[3]) break;
            if (mailbox.doze()) signaler.block(FOREVER);
          }
          return got.map((block) => ["a1", "a2", "b1", "b2"][blocks.indexOf(block)]).join(" ");
        };
      },
      sender: (env, { blocks }) => {
        const { head } = env.as(1).thread.mailbox;
        return () => {
          env.code.mailbox.push(env.arena, head, blocks[0] as Addr);
          env.code.mailbox.push(env.arena, head, blocks[1] as Addr);
        };
      },
      other: (env, { blocks }) => {
        const { head } = env.as(1).thread.mailbox;
        return () => {
          env.code.mailbox.push(env.arena, head, blocks[2] as Addr);
          const died = env.untilDead();
          env.code.mailbox.push(env.arena, head, blocks[3] as Addr);
          // The dead one may have replaced ASLEEP, and not have come to waking the owner.
          if (died && wakes) env.code.memory.notify(env.arena.words, head);
        };
      },
    },
    mortal: "sender",
    outcomes: [
      [["a1 a2 b1 b2", null, null], ok, "nobody died: in the order of the pushes"],
      [["a1 b1 a2 b2", null, null], ok, "likewise"],
      [["b1 a1 a2 b2", null, null], ok, "likewise"],
      [["b1 b2", "dead", null], ok, "it died before its first swap"],
      [["a1 b1 b2", "dead", null], ok, "between its swaps"],
      [["b1 a1 b2", "dead", null], ok, "likewise"],
      [["a1 a2 b1 b2", "dead", null], ok, "after its last"],
      [["a1 b1 a2 b2", "dead", null], ok, "likewise"],
      [["b1 a1 a2 b2", "dead", null], ok, "likewise"],
      [["b2", "dead", null], forbidden, "what another had pushed is gone"],
      [["a1 b2", "dead", null], forbidden, "likewise"],
    ],
  };
}

model("a sender dies at each step: what others push comes, in order (mailbox.ts I1)", {
  ...orphaned(true),
  planted: {
    // Without a death this one is right.
    "push takes a lock": {
      file: "command/mailbox.js",
      replace: "const found = swapIf(words, head, seen, block);",
      by:
        "while (swapIf(words, head + 1, 0, 1) !== 0);" +
        "const found = swapIf(words, head, seen, block); exchange(words, head + 1, 0);",
    },
  },
});

model("who does a dead sender's leaving must wake whom it pushes to (mailbox.ts I3)", {
  ...orphaned(false),
  complaint: /nobody can go on/,
});

/** Collects what it hears. */
class Ear implements CommandTarget {
  bits = 0;
  times = 0;
  readonly #hear: (bits: number) => void;

  constructor(hear: (bits: number) => void = () => {}) {
    this.#hear = hear;
  }

  command(_block: Addr, bits: number): void {
    this.bits |= bits;
    this.times++;
    this.#hear(bits);
  }
}

/** What has been posted to a block and not been heard. Who posted it is left out. */
function commandsOf(env: Env, block: Addr): number {
  const { BLOCK_BITS, COMMANDS } = env.code.command;
  return env.arena.words[block + BLOCK_BITS] & COMMANDS;
}

/** Waits in the thread until something is so. */
function waitUntil(env: Env, condition: () => boolean): void {
  env.thread.waitFor(condition, () => true, FOREVER);
}

model("two post to one block: both are heard, with all they did before (command.ts I1)", {
  setup: (env) => ({ block: openBlock(env, 1, "block"), data: allocate(env, "data") }),
  threads: {
    receiver: (env, { block: _, data }) => {
      const heard: number[] = [];
      const ear = new Ear((bits) => {
        // What a sender wrote plainly before it posted can be read plainly after it was heard.
        for (const bit of [1, 2]) if ((bits & bit) !== 0) heard.push(env.arena.words[data + bit]);
      });
      env.thread.register(ear);
      return () => {
        waitUntil(env, () => ear.bits === 3);
        return [heard.sort(), ear.times];
      };
    },
    first: (env, { block, data }) => {
      const { thread } = env;
      return () => {
        env.arena.words[data + 1] = 11;
        thread.post(block, 1);
      };
    },
    second: (env, { block, data }) => {
      const { thread } = env;
      return () => {
        env.arena.words[data + 2] = 22;
        thread.post(block, 2);
      };
    },
  },
  outcomes: [
    [[[[11, 22], 1], null, null], ok, "both at once"],
    [[[[11, 22], 2], null, null], ok, "one after the other"],
  ],
  planted: {
    "the bits are cleared after the command": {
      file: "command/thread.js",
      replace: "target.command(block, bits & COMMANDS);",
      by: "target.command(block, bits & COMMANDS); store(words, block + BLOCK_BITS, 0);",
    },
    "the bits are looked at and then cleared": {
      file: "command/thread.js",
      replace: "const bits = exchange(words, block + BLOCK_BITS, 0);",
      by: "const bits = or(words, block + BLOCK_BITS, 0); store(words, block + BLOCK_BITS, 0);",
    },
    "post sets bits plainly": {
      file: "command/thread.js",
      replace: "let seen = swapIf(words, block + BLOCK_BITS, 0, first);",
      by: "let seen = words[block + BLOCK_BITS]; words[block + BLOCK_BITS] = seen | first;",
    },
    "post pushes what is under way already": {
      file: "command/thread.js",
      replace: "            if (found === seen)\n                return;",
      by: "if (found === seen) { seen = 0; break; }",
    },
    "the thread sleeps on whatever the word is": {
      file: "command/signaler.js",
      replace: "wait(this.#arena.words, this.#mailbox.head, ASLEEP, timeoutMs)",
      by:
        "wait(this.#arena.words, this.#mailbox.head," +
        " load(this.#arena.words, this.#mailbox.head), timeoutMs)",
    },
  },
});

model("a bit that is posted while it is being taken is heard again (command.ts I1)", {
  setup: (env) => ({ block: openBlock(env, 1, "block"), data: allocate(env, "data") }),
  threads: {
    receiver: (env, { data }) => {
      const seen: number[] = [];
      const ear = new Ear(() => void seen.push(env.code.memory.load(env.arena.words, data)));
      env.thread.register(ear);
      return () => {
        waitUntil(env, () => seen.at(-1) === 2);
        return seen;
      };
    },
    sender: (env, { block, data }) => {
      const { thread, arena } = env;
      return () => {
        for (const value of [1, 2]) {
          env.code.memory.store(arena.words, data, value);
          thread.post(block, 1);
        }
      };
    },
  },
  final: (env, { block }) => commandsOf(env, block),
  outcomes: [
    [[[2], null, 0], ok, "both in one"],
    [[[1, 2], null, 0], ok, "one after the other"],
    [[[2], null, 1], ok, "the first was heard late; the second is still to be heard"],
    [[[2, 2], null, 0], rare, "the second was there when the first was heard, and is heard too"],
  ],
  planted: {
    "the bits are cleared after the command": {
      file: "command/thread.js",
      replace: "const bits = exchange(words, block + BLOCK_BITS, 0);",
      by:
        "const bits = or(words, block + BLOCK_BITS, 0); target.command(block, bits & COMMANDS);" +
        "store(words, block + BLOCK_BITS, 0); continue;",
    },
  },
});

model("withdraw meets two posts: the block is nowhere when it returns (command.ts I1, I2)", {
  setup: (env) => {
    const block = openBlock(env, 1, "block");
    const other = allocate(env, "other");
    env.as(1).thread.open(other, 1);
    return { block, other };
  },
  threads: {
    owner: (env, { block }) => {
      const { thread, arena } = env;
      const { BLOCK_NEXT, BLOCK_SLOT, BLOCK_OBJECT } = env.code.command;
      const ear = new Ear();
      const other = new Ear();
      thread.register(ear);
      thread.register(other);
      return () => {
        thread.withdraw(block);
        // Its memory is somebody else's now, but for the bits, which say CLOSED.
        for (const word of [BLOCK_NEXT, BLOCK_SLOT, BLOCK_OBJECT]) arena.words[block + word] = 99;
        waitUntil(env, () => other.times > 0);
        return [ear.times, other.times];
      };
    },
    first: (env, { block, other }) => {
      const { thread } = env;
      return () => {
        thread.post(block, 1);
        thread.post(other, 1);
      };
    },
    second: (env, { block }) => {
      const { thread } = env;
      return () => thread.post(block, 2);
    },
  },
  final: (env, { block }) => {
    const { words } = env.arena;
    const { BLOCK_BITS, CLOSED } = env.code.command;
    const left: Addr[] = [];
    env.as(1).thread.mailbox.take(left);
    return [(words[block + BLOCK_BITS] & CLOSED) !== 0, left.includes(block)];
  },
  outcomes: [
    [[[0, 1], null, null, [true, false]], ok, "not heard, and nowhere; the other block is heard"],
    [[[0, 1], null, null, [true, true]], forbidden, "freed memory lies on the mailbox"],
    [[[1, 1], null, null, [true, false]], forbidden, "it was heard after it was withdrawn"],
  ],
  planted: {
    "withdraw does not wait for what is under way": {
      file: "command/thread.js",
      replace: "if (bits === 0)",
      by: "this.mailbox.take(this.#inbox); if (bits === 0 || !this.#inbox.includes(block))",
    },
    "withdraw looks and then closes": {
      file: "command/thread.js",
      replace: "const bits = or(this.arena.words, block + BLOCK_BITS, CLOSED);\n        assert(",
      by:
        "const bits = or(this.arena.words, block + BLOCK_BITS, 0);" +
        "store(this.arena.words, block + BLOCK_BITS, CLOSED); assert(",
    },
    "withdraw forgets what else it took": {
      file: "command/thread.js",
      replace: "this.#inbox.splice(index, 1);",
      by: "this.#inbox.length = 0;",
    },
  },
});

const BIND = 1;

model("a block is withdrawn and assigned to another thread, while somebody posts (command.ts I2)", {
  setup: (env) => ({ block: openBlock(env, 1, "block") }),
  threads: {
    old: (env, { block }) => {
      const { thread } = env;
      thread.register(new Ear());
      return () => {
        thread.withdraw(block);
        thread.assign(block, 3, 0, BIND);
      };
    },
    poster: (env, { block }) => {
      const { thread } = env;
      return () => thread.post(block, 2);
    },
    new: (env) => {
      const ear = new Ear();
      env.thread.register(ear);
      return () => {
        waitUntil(env, () => (ear.bits & BIND) !== 0);
        return ear.bits;
      };
    },
  },
  final: (env, { block }) => {
    const bits = commandsOf(env, block);
    const mail = [1, 3].map((slot) => {
      const left: Addr[] = [];
      env.as(slot).thread.mailbox.take(left);
      return left.length;
    });
    return [bits, ...mail];
  },
  outcomes: [
    [[null, null, 1, [0, 0, 0]], ok, "posted to the old one, or to nobody"],
    [[null, null, 3, [0, 0, 0]], ok, "posted to the new one, heard at once"],
    [[null, null, 1, [2, 0, 1]], ok, "posted to the new one, who will hear it"],
    [[null, null, 1, [2, 1, 0]], forbidden, "it lies on the old one's mailbox"],
    [[null, null, 1, [2, 0, 0]], forbidden, "it has a bit and lies nowhere: deaf for ever"],
  ],
  planted: {
    "the block is open before it says whose it is": {
      file: "command/thread.js",
      replace: "words[block + BLOCK_SLOT] = slot;",
      by: "exchange(words, block + BLOCK_BITS, 0); words[block + BLOCK_SLOT] = slot;",
    },
    "assign does not push": {
      file: "command/thread.js",
      replace: "push(this.arena, slotAt(slot) + SLOT_HEAD, block);",
      by: "if (was !== CLOSED) push(this.arena, slotAt(slot) + SLOT_HEAD, block);",
    },
  },
});

model("mail comes while a thread returns to its event loop: it is called (mailbox.ts I2, I3)", {
  setup: (env) => ({ blocks: [openBlock(env, 1, "x"), openBlock(env, 1, "y")] }),
  threads: {
    receiver: (env) => {
      const ear = new Ear();
      env.thread.register(ear);
      return async () => {
        env.thread.signaler.arm();
        await env.until(() => ear.bits === 3);
        return ear.times;
      };
    },
    sender: (env, { blocks }) => {
      const { thread } = env;
      return () => {
        thread.post(blocks[0] as Addr, 1);
        thread.post(blocks[1] as Addr, 2);
      };
    },
  },
  outcomes: [[[2, null], ok, "each is heard once"]],
  planted: {
    "sleep is not announced": {
      file: "command/signaler.js",
      replace: "const promise = this.#mailbox.doze()",
      by: "const promise = !this.#mailbox.hasMail",
    },
    "nobody arms again after mail has come": {
      file: "command/signaler.js",
      replace: "this.#armed = false;\n            this.onMail(promise !== undefined);",
      by: "this.onMail(promise !== undefined); this.#armed = false;",
    },
  },
});
