// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ACTIVATE_READ, ACTIVATE_WRITE, PIPE_TERM } from "../command/index.ts";
import { assertFreed, createArena, createPair, createThread } from "../testing/index.ts";
import { ABSENT, ATTACHED, stateOf } from "./link.ts";
import { createPipe, destroyPipe } from "./pipe.ts";

const PUSH = 8;

describe("a pipe", () => {
  for (const [name, sends, receives] of [
    ["out", true, false],
    ["in", false, true],
    ["both ways", true, true],
  ] as const) {
    it(`is pending when it is made, and is freed whole: ${name}`, () => {
      const arena = createArena();
      const thread = createThread(arena, 1);
      const base = thread.pool.pages.usedBytes;
      const at = createPipe(thread, PUSH, { sends, receives });
      assert.equal(stateOf(arena, at, "connecter"), ATTACHED);
      assert.equal(stateOf(arena, at, "binder"), ABSENT);
      thread.post(at + 32, PIPE_TERM);
      thread.post(at + 64, PIPE_TERM);
      assert.equal(thread.mailbox.hasMail, false, "nobody receives for it yet");
      destroyPipe(arena, thread.pool, at);
      assertFreed(base, thread.pool);
    });
  }

  it("is not made without memory, and leaves nothing behind then", () => {
    const arena = createArena({ maxBytes: 30 * 16_384 });
    const thread = createThread(arena, 1);
    const base = thread.pool.pages.usedBytes;
    const pipes: number[] = [];
    for (let at = 1; at !== 0; ) {
      at = createPipe(thread, PUSH, { sends: true, receives: true });
      if (at !== 0) pipes.push(at);
    }
    assert.ok(pipes.length > 10);
    for (const at of pipes) destroyPipe(arena, thread.pool, at);
    assertFreed(base, thread.pool);
  });

  it("tells each end what concerns it", () => {
    const arena = createArena();
    const [sender, receiver] = [createThread(arena, 1), createThread(arena, 2)];
    const base = sender.pool.pages.usedBytes;
    const { connecter, binder, heard, close } = createPair(sender, receiver);
    sender.post(connecter.peerBlock, ACTIVATE_READ | PIPE_TERM);
    receiver.dispatch();
    assert.deepEqual(heard.splice(0), ["peer", "read"]);
    receiver.post(binder.peerBlock, ACTIVATE_WRITE);
    sender.dispatch();
    assert.deepEqual(heard.splice(0), ["write"]);
    assert.equal(connecter.peerState, stateOf(arena, binder.at, "binder"));
    assert.equal(connecter.block, binder.peerBlock);
    close();
    assertFreed(base, sender.pool, receiver.pool);
  });

  it("tells an end that has left nothing", () => {
    const arena = createArena();
    const [sender, receiver] = [createThread(arena, 1), createThread(arena, 2)];
    const { connecter, binder, heard } = createPair(sender, receiver);
    sender.post(connecter.peerBlock, ACTIVATE_READ);
    binder.leave();
    receiver.dispatch();
    sender.post(connecter.peerBlock, ACTIVATE_READ | PIPE_TERM);
    receiver.dispatch();
    assert.deepEqual(heard, []);
    connecter.leave();
  });
});
