// SPDX-License-Identifier: MIT

/**
 * What a thread leaves that dies while it moves a message, and how it is put in order. Every step
 * of it, with others who go on meanwhile: test/model/pipe.deaths.model.ts.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LANE_MOVED_TO } from "../queue/index.ts";
import { assertFreed, createArena, createPair, createThread } from "../testing/index.ts";
import { PIPE_OUT } from "./layout.ts";
import { settleMove } from "./move.ts";
import { destroyPipe } from "./pipe.ts";
import type { PipeReader } from "./reader.ts";
import { repairPipeReader, repairPipeWriter } from "./repair.ts";
import { Slab } from "./slab.ts";

const LARGE = "L".repeat(20_000);
const MESSAGES = [["small"], [LARGE, "and", LARGE], ["x".repeat(300)], ["last", LARGE]];

/** Two pipes of one sender: what is unread in the first shall go to the second. */
function createRig() {
  const arena = createArena();
  const sender = createThread(arena, 1);
  const receiver = createThread(arena, 2);
  const base = sender.pool.pages.usedBytes;
  const from = createPair(sender, receiver);
  const to = createPair(sender, receiver);
  for (const message of MESSAGES) assert.ok(from.writer.write(message));
  from.writer.flush();
  from.binder.leave();
  const back = from.connecter.readBack(new Slab(sender.host));
  const lane = arena.words[from.at + PIPE_OUT];
  return {
    from,
    to,
    back,
    lane,
    words: arena.words,
    /** Does what is done for a sender that has died, twice as by one who dies at it too. */
    mourn(): PipeReader {
      for (let times = 2; times > 0; times--) settleMove(arena, lane);
      for (const { at } of [from, to]) {
        repairPipeWriter(arena, receiver.pool, arena.words[at + PIPE_OUT], 0);
      }
      repairPipeReader(arena, receiver.pool, lane, 0);
      return from.connecter.readBack(new Slab(sender.host));
    },
    end(): void {
      to.close();
      from.connecter.leave();
      destroyPipe(arena, sender.pool, from.at);
      assertFreed(base, sender.pool, receiver.pool);
    },
  };
}

function textsOf(reader: PipeReader): string[][] {
  const texts: string[][] = [];
  for (let m = reader.read(); m !== undefined; m = reader.read()) texts.push(m.map(String));
  reader.release();
  return texts;
}

/** Lets a method throw at its n-th call, instead of doing anything. */
function dieAt(object: object, method: string, call: number): void {
  const whole = (object as Record<string, (...args: unknown[]) => unknown>)[method];
  let calls = 0;
  Object.defineProperty(object, method, {
    configurable: true,
    value(...args: unknown[]) {
      if (++calls === call) throw new Error("dies");
      return whole?.apply(this, args);
    },
  });
}

function revive(object: object, method: string): void {
  Reflect.deleteProperty(object, method);
}

describe("a thread that dies while it moves a message", () => {
  for (let done = 0; done < MESSAGES.length; done++) {
    it(`number ${done}, before it is shown: it is where it was, bodies and all`, () => {
      const rig = createRig();
      for (let i = 0; i < done; i++) assert.ok(rig.back.moveTo(rig.to.writer));
      dieAt(rig.to.writer, "flush", 2); // The first shows what was written before.
      assert.throws(() => rig.back.moveTo(rig.to.writer), /dies/);
      assert.notEqual(rig.words[rig.lane + LANE_MOVED_TO], 0);
      assert.deepEqual(textsOf(rig.mourn()), MESSAGES.slice(done));
      assert.deepEqual(textsOf(rig.to.reader), MESSAGES.slice(0, done));
      revive(rig.to.writer, "flush");
      rig.end();
    });

    for (const isRead of [false, true]) {
      const how = isRead ? "shown and received" : "shown";
      it(`number ${done}, after it is ${how}: it has left, bodies and all`, () => {
        const rig = createRig();
        for (let i = 0; i < done; i++) assert.ok(rig.back.moveTo(rig.to.writer));
        rig.back.run(); // It leads over the end of a chunk, and advances.
        dieAt(rig.back, "advance", 1);
        assert.throws(() => rig.back.moveTo(rig.to.writer), /dies/);
        assert.notEqual(rig.words[rig.lane + LANE_MOVED_TO], 0);
        const got = isRead ? textsOf(rig.to.reader) : [];
        assert.deepEqual(textsOf(rig.mourn()), MESSAGES.slice(done + 1));
        got.push(...textsOf(rig.to.reader));
        assert.deepEqual(got, MESSAGES.slice(0, done + 1));
        rig.end();
      });
    }
  }
});
