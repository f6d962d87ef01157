// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { Addr, Arena } from "../memory/index.ts";
import { createArena, createThread } from "../testing/index.ts";
import { PIPE_STATE } from "./layout.ts";
import {
  ABSENT,
  ASSIGNED,
  ATTACHED,
  DRAINING,
  type EndState,
  GONE,
  type LinkEvent,
  move,
  PENDING,
  REFUSED,
  RETRACTED,
  type Side,
  stateOf,
  transition,
} from "./link.ts";

const STATES: Record<string, EndState> = {
  absent: ABSENT,
  assigned: ASSIGNED,
  attached: ATTACHED,
  draining: DRAINING,
  gone: GONE,
  retracted: RETRACTED,
  refused: REFUSED,
};

interface Cell {
  side: Side;
  state: string;
  event: LinkEvent;
  /** Undefined for ✗. */
  next: EndState | undefined;
}

/** The cells of the tables in the head comment of link.ts. */
function documented(): Cell[] {
  const text = readFileSync(new URL("../../../src/pipe/link.ts", import.meta.url), "utf8");
  const cells: Cell[] = [];
  let side: Side | undefined;
  let events: string[] = [];
  for (const line of text.split("\n")) {
    const row = line
      .replace(/^ \* {0,3}/, "")
      .trim()
      .split(/ {2,}/);
    const [first = "", ...rest] = row;
    if ((first === "binder" || first === "connecter") && rest.includes("leave")) {
      side = first;
      events = rest;
    } else if (first === "") side = undefined;
    else if (side !== undefined && first in STATES) {
      assert.equal(rest.length, events.length, line);
      for (const [index, event] of events.entries()) {
        const next = rest[index] === "✗" ? undefined : STATES[rest[index] as string];
        assert.ok(rest[index] === "✗" || next !== undefined, line);
        cells.push({ side, state: first, event: event as LinkEvent, next });
      }
    }
  }
  return cells;
}

const cells = documented();

function pipeIn(arena: Arena): Addr {
  return createThread(arena, 1).pool.allocate(32);
}

/** A word with both ends in these states, as `move` would leave it. */
function wordOf(connecter: EndState, binder: EndState): number {
  return PENDING + ((connecter - ATTACHED) << 8) + (binder - ABSENT);
}

describe("the table of a link", () => {
  it("is in the head comment, whole", () => {
    const count = (side: Side) => cells.filter((cell) => cell.side === side).length;
    assert.equal(count("binder"), 6 * 6);
    assert.equal(count("connecter"), 3 * 2);
  });

  for (const { side, state, event, next } of cells) {
    const leads = next === undefined ? "cannot" : `becomes ${Object.keys(STATES)[next]} by`;
    it(`says: a ${side} that is ${state} ${leads} ${event}`, () => {
      const from = STATES[state] as EndState;
      assert.equal(transition(side, from, event), next);
      const arena = createArena();
      const pipe = pipeIn(arena);
      const other: Side = side === "binder" ? "connecter" : "binder";
      const stays = side === "binder" ? GONE : DRAINING;
      const word = side === "binder" ? wordOf(stays, from) : wordOf(from, stays);
      arena.words[pipe + PIPE_STATE] = word;
      assert.equal(stateOf(arena, pipe, side), from);
      if (next === undefined) {
        assert.throws(() => move(arena, pipe, side, event), /broken invariant/);
        assert.equal(arena.words[pipe + PIPE_STATE], word);
      } else {
        move(arena, pipe, side, event);
        assert.equal(stateOf(arena, pipe, side), next);
      }
      assert.equal(stateOf(arena, pipe, other), stays, "the other end stays where it is");
    });
  }

  it("has nothing beyond the comment", () => {
    const known = new Set(cells.map(({ side, state, event }) => `${side} ${state} ${event}`));
    for (const side of ["binder", "connecter"] as const) {
      for (const [name, state] of Object.entries(STATES)) {
        for (const event of ["assign", "attach", "drain", "leave", "retract"] as const) {
          if (known.has(`${side} ${name} ${event}`)) continue;
          assert.equal(transition(side, state, event), undefined, `${side} ${name} ${event}`);
        }
      }
    }
  });

  it("begins with a connecter and no binder", () => {
    const arena = createArena();
    const pipe = pipeIn(arena);
    arena.words[pipe + PIPE_STATE] = PENDING;
    assert.equal(stateOf(arena, pipe, "connecter"), ATTACHED);
    assert.equal(stateOf(arena, pipe, "binder"), ABSENT);
  });
});
