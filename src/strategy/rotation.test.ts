// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Pipe } from "../pipe/index.ts";
import { checkAll } from "../testing/index.ts";
import { Rotation } from "./rotation.ts";

/** Pipes are only told apart here. */
const pipesOf = (count: number): Pipe[] =>
  Array.from({ length: count }, (_, name) => ({ name }) as unknown as Pipe);

/** Whose turn it is, so many times. */
function turns(rotation: Rotation, count: number): (Pipe | undefined)[] {
  return Array.from({ length: count }, () => {
    const pipe = rotation.pipes[rotation.current];
    rotation.advance();
    return pipe;
  });
}

describe("a rotation", () => {
  it("gives each pipe its turn, in the order they came", () => {
    const rotation = new Rotation();
    const pipes = pipesOf(3);
    for (const pipe of pipes) rotation.add(pipe);
    assert.deepEqual(turns(rotation, 7), [...pipes, ...pipes, pipes[0]]);
  });

  it("leaves out who does not take part, and takes it back", () => {
    const rotation = new Rotation();
    const pipes = pipesOf(4);
    for (const pipe of pipes) rotation.add(pipe);
    rotation.deactivate(pipes[1] as Pipe);
    rotation.deactivate(pipes[1] as Pipe);
    assert.equal(rotation.active, 3);
    assert.ok(!turns(rotation, 6).includes(pipes[1]));
    rotation.activate(pipes[1] as Pipe);
    rotation.activate(pipes[1] as Pipe);
    assert.equal(new Set(turns(rotation, 4)).size, 4);
  });

  it("knows nothing of a pipe that was removed", () => {
    const rotation = new Rotation();
    const pipes = pipesOf(2);
    for (const pipe of pipes) rotation.add(pipe);
    rotation.remove(pipes[0] as Pipe);
    rotation.remove(pipes[0] as Pipe);
    rotation.activate(pipes[0] as Pipe);
    assert.equal(rotation.has(pipes[0] as Pipe), false);
    assert.deepEqual(turns(rotation, 2), [pipes[1], pipes[1]]);
  });

  it("gives everybody who takes part one turn a round, whatever happens in between", () => {
    const step = fc.tuple(
      fc.constantFrom("add", "activate", "deactivate", "remove", "advance"),
      fc.nat(7),
    );
    const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const rotation = new Rotation();
      const pipes = pipesOf(8);
      const active = new Set<Pipe>();
      const known = new Set<Pipe>();
      for (const [op, index] of steps) {
        const pipe = pipes[index] as Pipe;
        if (op === "advance") rotation.advance();
        else if (op !== "add") rotation[op as "activate" | "deactivate" | "remove"](pipe);
        else if (!known.has(pipe)) rotation.add(pipe);
        if (op === "add") known.add(pipe);
        if (op === "add" && !rotation.has(pipe)) assert.fail("added");
        if (op === "remove") known.delete(pipe);
        if ((op === "add" || op === "activate") && known.has(pipe)) active.add(pipe);
        if (op === "deactivate" || op === "remove") active.delete(pipe);
        if (op === "add" && rotation.pipes.indexOf(pipe) >= rotation.active) active.delete(pipe);
        assert.deepEqual(new Set(rotation.pipes), known);
        assert.equal(rotation.pipes.length, known.size);
        assert.deepEqual(new Set(rotation.pipes.slice(0, rotation.active)), active);
        assert.ok(rotation.current < rotation.active || rotation.current === 0);
        assert.deepEqual(
          new Set(turns(rotation, rotation.active)),
          active,
          "each has one turn a round",
        );
      }
    });
    checkAll("rotation", 300, property);
  });
});
