// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { checkAll } from "../testing/index.ts";
import { PrefixTable } from "./prefix_table.ts";
import { Prefixes } from "./prefixes.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const WORDS = ["tester", "water", "slow", "slower", "test", "team", "toast"];

function prefixesOf(...words: string[]): Prefixes {
  const prefixes = new Prefixes();
  for (const word of words) assert.equal(prefixes.add(bytes(word)), true);
  return prefixes;
}

function keysOf(prefixes: Prefixes): string[] {
  return [...prefixes].map((key) => Buffer.from(key).toString("latin1")).sort();
}

describe("prefix table", () => {
  it("is empty at first", () => {
    assert.equal(new Prefixes().size, 0);
    assert.deepEqual(keysOf(new Prefixes()), []);
  });

  for (const [what, words] of [
    ["single entry", ["foo"]],
    ["same", ["test"]],
    ["a prefix of what is there", ["tester", "test"]],
    ["prefixed by what is there", ["test", "tester"]],
    ["that shares a beginning", ["tester", "tent"]],
    ["bytes beyond ASCII", ["\u00ff\u0000", "\u00ff", "\u0000"]],
    ["all", WORDS],
  ] as const) {
    it(`adds and removes: ${what}`, () => {
      const prefixes = prefixesOf(...words);
      for (const word of words) assert.equal(prefixes.add(bytes(word)), false, "a duplicate");
      assert.equal(prefixes.size, words.length);
      for (const word of words) assert.equal(prefixes.remove(bytes(word)), false);
      assert.deepEqual(keysOf(prefixes), [...words].sort());
      for (const word of words) assert.equal(prefixes.remove(bytes(word)), true, "the last");
      assert.equal(prefixes.size, 0);
      for (const word of words) assert.equal(prefixes.matches(bytes(word)), false);
    });
  }

  it("does not remove what was never added: missing, longer, or a common beginning", () => {
    const prefixes = prefixesOf("tester", "tent");
    for (const word of ["", "t", "te", "tes", "testers", "x"]) {
      assert.equal(prefixes.remove(bytes(word)), false, word);
    }
    assert.deepEqual(keysOf(prefixes), ["tent", "tester"]);
    assert.equal(prefixes.add(bytes("te")), true);
    assert.equal(prefixes.remove(bytes("te")), true);
    assert.deepEqual(keysOf(prefixes), ["tent", "tester"]);
  });

  it("takes the empty key like any other", () => {
    const prefixes = prefixesOf("");
    assert.equal(prefixes.matches(bytes("")), true);
    assert.equal(prefixes.matches(bytes("all")), true);
    assert.equal(prefixes.remove(bytes("")), true);
    assert.equal(prefixes.matches(bytes("")), false);
  });

  it("matches what begins with a key, and nothing else", () => {
    const prefixes = prefixesOf("foo", "toasted");
    for (const [topic, matches] of [
      ["foo", true],
      ["foobar", true],
      ["fo", false],
      ["fob", false],
      ["", false],
      ["toast", false],
      ["toaste", false],
      ["toaster", false],
      ["toasted", true],
    ] as const) {
      assert.equal(prefixes.matches(bytes(topic)), matches, topic);
    }
  });

  it("visits exactly the keys that are there", () => {
    assert.deepEqual(keysOf(prefixesOf(...WORDS)), [...WORDS].sort());
  });

  it("keeps the value of each, as many come and go", () => {
    const table = new PrefixTable<number>();
    const keys = Array.from({ length: 256 }, (_, i) => Uint8Array.of(7, i));
    for (const [i, key] of keys.entries()) table.set(key, i);
    for (const [i, key] of keys.entries()) assert.equal(table.get(key), i);
    assert.equal([...table.entries()].length, 256);
    for (const key of keys.slice(2)) table.delete(key);
    assert.deepEqual([...table.entries()].map(([key, value]) => [...key, value]).sort(), [
      [7, 0, 0],
      [7, 1, 1],
    ]);
    table.delete(keys[0] as Uint8Array);
    assert.equal(table.get(keys[1] as Uint8Array), 1);
    assert.equal(table.get(Uint8Array.of(7)), undefined);
  });

  it("takes very long keys, and many that go on from one another", () => {
    const table = new PrefixTable<number>();
    const long = Uint8Array.from({ length: 200_000 }, (_, i) => i % 251);
    for (let length = 0; length <= long.length; length += 500) {
      table.set(long.subarray(0, length), length);
    }
    const seen: number[] = [];
    table.match(long, (value) => seen.push(value) < 0);
    assert.equal(seen.length, 401);
    assert.equal(table.get(long), long.length);
    assert.equal([...table.entries()].length, 401);
  });

  it("takes as many steps as a topic has bytes, also where all it begins with is there", () => {
    const table = new PrefixTable<number>();
    const long = new Uint8Array(1000).fill(97);
    for (let length = 0; length < long.length; length++) table.set(long.subarray(0, length), 1);
    table.match(long, () => false); // Each is compared once, as when it was added.
    table.delete(long.subarray(0, 500));
    table.set(long.subarray(0, 700), 2);
    let steps = 0;
    let found = 0;
    const topic = new Proxy(long, {
      get(bytes, key) {
        steps++;
        return Reflect.get(bytes, key, bytes);
      },
    });
    table.match(topic, (value) => {
      found += value;
      return false;
    });
    assert.equal(found, 1000);
    assert.ok(steps < 10 * long.length, `${steps}`);
  });

  it("tells long ones apart that begin alike, as those before them come and go", () => {
    const table = new PrefixTable<string>();
    const long = (text: string) => bytes("x".repeat(100) + text);
    const found = (topic: string) => {
      const seen: string[] = [];
      table.match(long(topic), (value) => seen.push(value) < 0);
      return seen.join();
    };
    const words = ["", "a", "ab", "abc", "b", "bc"];
    for (const word of words) table.set(long(word), word || "-");
    assert.deepEqual([found("abcd"), found("bcd"), found("ac")], ["-,a,ab,abc", "-,b,bc", "-,a"]);
    for (const word of words) {
      table.delete(long(word));
      const rest = ["-", "a", "ab", "abc"].filter((one) => one !== (word || "-"));
      assert.equal(found("abcd"), rest.join());
      table.set(long(word), word || "-");
      assert.equal(found("abcd"), "-,a,ab,abc");
    }
  });

  it("does nothing to take out what is not there", () => {
    const table = new PrefixTable<number>();
    table.delete(bytes("a"));
    table.set(bytes("a"), 1);
    table.delete(bytes("b"));
    table.delete(bytes(""));
    assert.deepEqual([table.size, table.get(bytes("a"))], [1, 1]);
    assert.equal(
      table.match(bytes("abc"), () => true),
      true,
    );
  });

  it("is what a map says, whatever comes and goes", () => {
    const key = fc.array(fc.constantFrom(0, 1, 97, 255), { maxLength: 5 });
    const wide = fc.array(fc.nat(255), { minLength: 1, maxLength: 2 });
    const step = fc.record({ adds: fc.boolean(), key: fc.oneof(key, wide), value: fc.nat(9) });
    const check = (steps: { adds: boolean; key: number[]; value: number }[]): void => {
      const table = new PrefixTable<number>();
      const map = new Map<string, number>();
      for (const { adds, key, value } of steps) {
        const at = Uint8Array.from(key);
        assert.equal(table.get(at), map.get(key.join()));
        const ways = key.map((_, i) => key.slice(0, i + 1).join());
        const expected = ["", ...ways].map((way) => map.get(way)).filter((v) => v !== undefined);
        const seen: number[] = [];
        table.match(at, (found) => seen.push(found) < 0);
        assert.deepEqual(seen, expected);
        if (adds) {
          table.set(at, value);
          map.set(key.join(), value);
        } else if (map.delete(key.join())) table.delete(at);
        assert.equal(table.size, map.size);
      }
      const entries = [...table.entries()].map(([at, value]) => [at.join(), value]);
      assert.deepEqual(new Map(entries as [string, number][]), map);
    };
    checkAll("prefix table", 500, fc.property(fc.array(step, { maxLength: 120 }), check));
  });
});
