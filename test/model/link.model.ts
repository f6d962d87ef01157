// SPDX-License-Identifier: MIT

/**
 * Model of links: how the two ends of a pipe come and go, in every interleaving; for the method see
 * test/support/explorer/explorer.ts. What a thread does here is what its socket does, in order.
 */
import type { Addr } from "#src/memory/index.ts";
import type { Pipe } from "#src/pipe/index.ts";
import { type Env, forbidden, model, ok } from "../support/explorer/explorer.ts";
import {
  ADDRESS,
  accept,
  BINDER,
  CONNECTER,
  connect,
  NAME,
  openEnd,
  PULL,
  receive,
  send,
} from "./pipes.ts";

const FOREVER = Number.POSITIVE_INFINITY;

interface Shared {
  readonly at: Addr;
}

const setup = (env: Env): Shared => ({ at: connect(env, 1, 1) });

/** The connecter leaves; what it has sent is kept for nobody. */
function leaveAsConnecter(env: Env, pipe: Pipe): void {
  pipe.leave();
  new env.code.registry.Registry(env.thread).leave(pipe.at, "connecter", 0);
}

/** The binder gives its name back and leaves. */
function leaveAsBinder(env: Env, pipe: Pipe | undefined): void {
  const registry = new env.code.registry.Registry(env.thread);
  registry.unbind(NAME);
  if (pipe === undefined) return;
  pipe.leave();
  registry.leave(pipe.at, "binder", 0);
}

/** What is left: mail to those who have left, and pages when all have given back what they can. */
function left(env: Env): { mail: number; pages: number } {
  const mail: Addr[] = [];
  const slots = [CONNECTER, BINDER];
  for (const slot of slots) env.as(slot).thread.mailbox.take(mail);
  for (const slot of [...slots, ...slots]) env.as(slot).pool.trim();
  return { mail: mail.length, pages: env.arena.words[env.code.memory.PAGES_USED] };
}

const NOTHING = { mail: 0, pages: 0 };

const LEAVING = {
  "an end moves by a load and a store": {
    file: "pipe/link.js",
    replace: "if (swapIf(arena.words, pipe + PIPE_STATE, word, moved) === word)",
    by:
      "const now = load(arena.words, pipe + PIPE_STATE);" +
      "if (swapIf(arena.words, pipe + PIPE_STATE, now, moved) === now)",
  },
};

model("both ends move at once: each has moved (link.ts)", {
  setup,
  threads: {
    connecter: (env, { at }) => {
      return () => {
        env.code.pipe.move(env.arena, at, "connecter", "drain");
        env.code.pipe.move(env.arena, at, "connecter", "leave");
      };
    },
    binder: (env, { at }) => {
      return () => {
        env.code.pipe.move(env.arena, at, "binder", "attach");
        env.code.pipe.move(env.arena, at, "binder", "leave");
      };
    },
  },
  final: (env, { at }) => {
    const { stateOf } = env.code.pipe;
    return [stateOf(env.arena, at, "connecter"), stateOf(env.arena, at, "binder")];
  },
  outcomes: [
    [[null, null, [4, 0]], ok, "the connecter is gone, the binder absent"],
    [[null, null, [2, 0]], forbidden, "the connecter is back"],
    [[null, null, [4, 2]], forbidden, "the binder is back"],
  ],
  planted: LEAVING,
});

model("both ends leave at once: the pipe is freed, and once (link.ts, registry.ts I1, I3)", {
  setup,
  threads: {
    connecter: (env, { at }) => {
      const pipe = openEnd(env, at, "connecter", 1);
      send(pipe, 1);
      return () => leaveAsConnecter(env, pipe);
    },
    binder: (env) => {
      const pipe = accept(env, 1);
      return () => leaveAsBinder(env, pipe);
    },
  },
  final: left,
  outcomes: [[[null, null, NOTHING], ok, "nothing is left"]],
  planted: {
    "the state is moved without the lock": {
      file: "context/registry.js",
      replace: "leave(pipe, side, lingerMs, ends = false) {\n        this.lock.hold(() => {",
      by: "leave(pipe, side, lingerMs, ends = false) {\n        [0].forEach(() => {",
    },
    "who leaves last does not free": {
      file: "context/registry.js",
      replace: "if (this.dropIfOver(entry, pipe))\n            return;",
      by: 'if (side === "binder" && this.dropIfOver(entry, pipe))\n            return;',
    },
    "a block is not withdrawn before the pipe is freed": {
      file: "pipe/pipe.js",
      replace: "this.thread.withdraw(this.block);",
      by: "",
    },
  },
});

model("the connecter leaves while the binder attaches: what it sent is received (link.ts)", {
  setup,
  threads: {
    connecter: (env, { at }) => {
      const pipe = openEnd(env, at, "connecter", 1);
      return () => {
        send(pipe, 7);
        pipe.leave();
        new env.code.registry.Registry(env.thread).leave(pipe.at, "connecter", -1);
      };
    },
    binder: (env) => {
      return () => {
        const pipe = accept(env, 1);
        const got: number[] = [];
        // First whether anything can come, then whether something has: the last is not missed.
        const attempt = (): boolean => {
          const gone = pipe.peerState === env.code.pipe.GONE;
          for (let v = receive(pipe); v !== undefined; v = receive(pipe)) got.push(v);
          return gone;
        };
        env.thread.waitFor(attempt, () => pipe.reader?.sleep() ?? false, FOREVER);
        leaveAsBinder(env, pipe);
        return got;
      };
    },
  },
  final: left,
  outcomes: [
    [[null, [7], NOTHING], ok, "received, and nothing is left"],
    [[null, [], NOTHING], forbidden, "the message was lost"],
  ],
  planted: {
    "the peer is not told that an end has left": {
      file: "context/registry.js",
      replace:
        "this.thread.post(pipe + blockOf(peerOf(side)), PIPE_TERM | also);\n        const isFree",
      by: "const isFree",
    },
    "a pipe is freed although its binder is there": {
      file: "context/registry.js",
      replace:
        "if (!this.#isOrphan(pipe))\n            return false;\n" +
        "        if (!this.#isExpired(pipe)) {",
      by:
        'if (stateOf(this.arena, pipe, "connecter") !== GONE)\n            return false;\n' +
        "        if (false) {",
    },
  },
});

model("the binder gives its name back before it has attached, while the connecter leaves", {
  setup,
  threads: {
    connecter: (env, { at }) => {
      const pipe = openEnd(env, at, "connecter", 1);
      return () => {
        send(pipe, 7);
        leaveAsConnecter(env, pipe);
      };
    },
    binder: (env) => {
      return () => leaveAsBinder(env, undefined);
    },
  },
  final: left,
  outcomes: [[[null, null, NOTHING], ok, "nothing is left"]],
  planted: {
    "unbind does not withdraw what it had been assigned": {
      file: "context/registry.js",
      replace: "this.thread.withdraw(pipe + BINDER_BLOCK);",
      by: "",
    },
  },
});

model("another binder comes while the first one leaves: it gets the pipe and what is in it", {
  setup,
  threads: {
    connecter: (env, { at }) => {
      const pipe = openEnd(env, at, "connecter", 1);
      send(pipe, 7);
      return () => send(pipe, 8);
    },
    first: (env) => {
      const pipe = accept(env, 1);
      return () => {
        const got = receive(pipe);
        leaveAsBinder(env, pipe);
        return got;
      };
    },
    second: (env, { at }) => {
      let pipe: Pipe | undefined;
      env.thread.register({
        command: (_, bits) => {
          if ((bits & env.code.command.BIND) === 0) return;
          new env.code.registry.Registry(env.thread).attach(at);
          pipe = openEnd(env, at, "binder", 1);
        },
      });
      return () => {
        const registry = new env.code.registry.Registry(env.thread);
        try {
          registry.bind(NAME, ADDRESS, { slot: env.slot, object: 0, type: PULL, limit: 1 });
        } catch {
          return "too early";
        }
        let got: number | undefined;
        const attempt = (): boolean => {
          if (pipe !== undefined) got = receive(pipe);
          return got !== undefined;
        };
        env.thread.waitFor(attempt, () => pipe?.reader?.sleep() ?? true, FOREVER);
        return got;
      };
    },
  },
  outcomes: [
    [[null, 7, "too early"], ok, "the name was still taken"],
    [[null, 7, 8], ok, "it got the pipe, and the message that the first had not taken"],
    [[null, 7, 7], forbidden, "a message was received twice"],
  ],
  planted: {
    "how far the first has read is not kept": {
      file: "queue/ypipe.js",
      replace: "words[this.lane + LANE_FRONT] = to;",
      by: "",
    },
    "a pipe whose binder leaves is not assigned to the next": {
      file: "context/registry.js",
      replace: "if (isFree && this.words[entry + SLOT] !== 0)",
      by: "if (entry < 0)",
    },
    "a pipe that waits is not assigned to who binds": {
      file: "context/registry.js",
      replace:
        'if (stateOf(this.arena, pipe, "binder") === ABSENT)\n                    this.assign',
      by: "if (pipe < 0) this.assign",
    },
  },
});
