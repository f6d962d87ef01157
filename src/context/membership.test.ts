// SPDX-License-Identifier: MIT

/** Who joins, binds or opens a socket where threads have died that nobody was told of. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type Arena,
  CONTEXT_SLOT,
  MAX_SLOTS,
  MAX_SOCKETS,
  SLOT_CLAIM,
  slotAt,
  store,
} from "../memory/index.ts";
import { createArena, FakeHost, inWorker, type Roles, startRole } from "../testing/index.ts";
import { type ManagedSocket, Membership } from "./membership.ts";
import { PULL } from "./peers.ts";
import { isTaken, joinSlot, markEnded, VISITORS } from "./slots.ts";

const X = new TextEncoder().encode("x");
const SOCKET: ManagedSocket = { close() {}, stop() {}, memoryFreed() {} };
/** Claims that no thread of a machine has. */
const NOBODY = 2 ** 24;

function hostOf(claim: number): FakeHost {
  const host = new FakeHost();
  Object.assign(host.thread, { claim, number: claim });
  return host;
}

const join = (arena: Arena, host: FakeHost): Membership => Membership.join(arena, host, () => {});

function bind(member: Membership): void {
  const binder = { slot: member.thread.slot, object: 0, type: PULL, limit: 1 };
  member.bind(X, "inproc://x", binder);
}

/** Takes these slots, for threads that nobody knows to be dead. Returns their claims. */
function fill(arena: Arena, first = 1, end = VISITORS): number[] {
  const claims: number[] = [];
  for (let slot = first; slot < end; slot++) {
    claims.push(NOBODY + slot);
    assert.equal(joinSlot(arena, hostOf(NOBODY + slot), slot, end), slot);
  }
  return claims;
}

function taken(arena: Arena): number[] {
  const slots = Array.from({ length: MAX_SLOTS }, (_, slot) => slot);
  return slots.filter((slot) => slot !== CONTEXT_SLOT && isTaken(arena, slot));
}

const roles: Roles = {
  /** Joins, and stays. Returns the slot. */
  join: (arena, [claim]) => join(arena, hostOf(claim)).thread.slot,
};

if (!inWorker(roles)) {
  describe("a context whose slots are all taken", () => {
    it("is joined if one of them is a dead thread's, whose leaving is then done", () => {
      for (const count of [1, VISITORS - 1]) {
        const arena = createArena();
        const host = hostOf(1);
        const dead = fill(arena).slice(-count);
        for (const claim of dead) host.ended.add(claim);
        const member = join(arena, host);
        assert.equal(member.thread.slot, VISITORS - count);
        const living = Array.from({ length: VISITORS - 1 - count }, (_, i) => i + 1);
        assert.deepEqual(taken(arena), [...living, member.thread.slot]);
      }
    });

    it("is full if all of them live: EMFILE, and no visitor comes", () => {
      const arena = createArena();
      fill(arena);
      let comes = false;
      const host = hostOf(1);
      host.hasEnded = () => {
        comes ||= isTaken(arena, VISITORS);
        return false;
      };
      assert.throws(() => join(arena, host), { code: "EMFILE" });
      assert.deepEqual({ comes, threads: taken(arena).length }, { comes: false, threads: 253 });
    });

    it("gives back what the dead had: names and sockets", () => {
      const arena = createArena();
      arena.words[MAX_SOCKETS] = 1;
      const binder = join(arena, hostOf(NOBODY));
      binder.add(SOCKET);
      bind(binder);
      fill(arena, 2);
      const host = hostOf(1);
      host.ended.add(NOBODY);
      const next = join(arena, host);
      assert.equal(next.thread.slot, binder.thread.slot);
      next.add(SOCKET);
      bind(next);
    });

    it("is joined though a visitor has died, who had come before", () => {
      const arena = createArena();
      const host = hostOf(1);
      const claims = [...fill(arena), ...fill(arena, VISITORS, VISITORS + 1)];
      for (const claim of claims) host.ended.add(claim);
      const member = join(arena, host);
      assert.deepEqual(taken(arena), [member.thread.slot]);
    });

    it("is joined when the visitors have left who had come before", () => {
      const arena = createArena();
      const host = hostOf(1);
      const dead = new Set(fill(arena).slice(0, 1));
      const visitors = fill(arena, VISITORS, MAX_SLOTS);
      let looks = 0;
      host.hasEnded = (claim) => {
        if (claim === visitors[0] && ++looks === 2) {
          store(arena.words, slotAt(VISITORS) + SLOT_CLAIM, 0);
        }
        return dead.has(claim);
      };
      assert.equal(join(arena, host).thread.slot, 1);
      assert.ok(looks >= 2);
      assert.equal(isTaken(arena, VISITORS), false);
    });

    it("waits for no visitor for ever: EMFILE", () => {
      const arena = createArena();
      const host = hostOf(1);
      host.ended.add(fill(arena)[0] as number);
      fill(arena, VISITORS, MAX_SLOTS);
      assert.throws(() => join(arena, host), { code: "EMFILE" });
      for (const slot of [VISITORS, VISITORS + 1]) host.ended.add(NOBODY + slot);
      assert.throws(() => join(arena, host), { code: "EMFILE" }, "nor for the dead");
    });

    it("is joined by several at a time, in a slot each", async () => {
      const arena = createArena();
      for (const claim of fill(arena)) markEnded(arena, claim);
      const crew = [1, 2, 3, 4].map((claim) => startRole(import.meta.url, "join", arena, claim));
      const slots = (await Promise.all(crew.map(({ result }) => result))) as number[];
      assert.equal(new Set(slots).size, 4);
      assert.deepEqual(
        taken(arena),
        slots.toSorted((a, b) => a - b),
      );
    });
  });

  describe("what a thread had that has died, and nobody was told of it", () => {
    it("does not stand in the way of a bind", () => {
      const arena = createArena();
      const host = hostOf(1);
      const [dead, alive] = [join(arena, hostOf(2)), join(arena, host)];
      bind(dead);
      assert.throws(() => bind(alive), { code: "EADDRINUSE", address: "inproc://x" });
      host.ended.add(2);
      bind(alive);
      assert.throws(() => bind(alive), { code: "EADDRINUSE" });
    });

    it("does not stand in the way of a socket", () => {
      const arena = createArena();
      arena.words[MAX_SOCKETS] = 1;
      const host = hostOf(1);
      const [dead, alive] = [join(arena, hostOf(2)), join(arena, host)];
      dead.add(SOCKET);
      assert.throws(() => alive.add(SOCKET), { code: "EMFILE" });
      host.ended.add(2);
      alive.add(SOCKET);
      assert.throws(() => alive.add(SOCKET), { code: "EMFILE" });
    });
  });
}
