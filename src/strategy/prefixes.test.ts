// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { checkAll } from "../testing/index.ts";
import { Prefixes } from "./prefixes.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("prefixes", () => {
  it("match what begins with one of them, and nothing if there is none", () => {
    const prefixes = new Prefixes();
    assert.equal(prefixes.matches(bytes("")), false);
    assert.equal(prefixes.matches(bytes("pipe.full")), false);
    prefixes.add(bytes("pipe."));
    assert.equal(prefixes.matches(bytes("pipe.full")), true);
    assert.equal(prefixes.matches(bytes("pipe.")), true);
    assert.equal(prefixes.matches(bytes("pipe")), false);
    assert.equal(prefixes.matches(bytes("piper.full")), false);
  });

  it("match everything if one of them is empty", () => {
    const prefixes = new Prefixes();
    prefixes.add(bytes(""));
    assert.equal(prefixes.matches(bytes("")), true);
    assert.equal(prefixes.matches(Uint8Array.of(0, 255)), true);
    prefixes.remove(bytes(""));
    assert.equal(prefixes.matches(bytes("")), false);
  });

  it("are counted: two adds need two removes", () => {
    const prefixes = new Prefixes();
    assert.equal(prefixes.add(bytes("A")), true);
    assert.equal(prefixes.add(bytes("A")), false);
    assert.equal(prefixes.remove(bytes("A")), false);
    assert.equal(prefixes.matches(bytes("A")), true);
    assert.equal(prefixes.remove(bytes("A")), true);
    assert.equal(prefixes.matches(bytes("A")), false);
    assert.equal(prefixes.remove(bytes("A")), false);
    assert.equal(prefixes.add(bytes("A")), true, "what was not there was not taken away either");
  });

  it("do not take others with them when they go", () => {
    const prefixes = new Prefixes();
    for (const prefix of ["a", "abc", "abd"]) prefixes.add(bytes(prefix));
    prefixes.remove(bytes("a"));
    assert.equal(prefixes.matches(bytes("abx")), false);
    prefixes.remove(bytes("abc"));
    assert.equal(prefixes.matches(bytes("abc")), false);
    assert.equal(prefixes.matches(bytes("abd")), true);
    assert.equal(prefixes.remove(bytes("ab")), false);
  });

  it("are what a list with counts says, whatever comes and goes", () => {
    // Few different bytes, so that prefixes meet.
    const word = fc.uint8Array({ max: 2, maxLength: 4 });
    const step = fc.record({ what: fc.constantFrom("add", "remove", "match"), word });
    const check = (steps: { what: string; word: Uint8Array }[]): void => {
      const prefixes = new Prefixes();
      const list: string[] = [];
      for (const { what, word } of steps) {
        const name = String(word);
        const before = list.includes(name);
        if (what === "add") {
          assert.equal(prefixes.add(word), !before);
          list.push(name);
        } else if (what === "remove") {
          if (before) list.splice(list.indexOf(name), 1);
          assert.equal(prefixes.remove(word), before && !list.includes(name));
        } else {
          const starts = (_: unknown, length: number): string => String(word.subarray(0, length));
          const heads = Array.from({ length: word.length + 1 }, starts);
          assert.equal(
            prefixes.matches(word),
            heads.some((head) => list.includes(head)),
          );
        }
      }
    };
    checkAll("prefixes", 500, fc.property(fc.array(step, { maxLength: 60 }), check));
  });
});
