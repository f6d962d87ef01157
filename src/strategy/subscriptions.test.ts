// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { checkAll } from "../testing/index.ts";
import { Groups, Subscriptions } from "./subscriptions.ts";

/** Stands for a pipe. */
interface Who {
  readonly name: string;
}
const [a, b, c] = ["a", "b", "c"].map((name): Who => ({ name })) as [Who, Who, Who];

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const text = (key: Uint8Array): string => Buffer.from(key).toString("latin1");

function create(...wishes: [string, Who][]): Subscriptions<Who> {
  const subscriptions = new Subscriptions<Who>();
  for (const [prefix, who] of wishes) subscriptions.add(bytes(prefix), who);
  return subscriptions;
}

/** The names of those who get a message, one after the other. */
function match(wishes: Subscriptions<Who> | Groups<Who>, topic: string): string {
  const wanted = wishes.find(bytes(topic)) ?? new Set();
  const all = wanted instanceof Set ? [...wanted] : [wanted as Who];
  return all
    .map(({ name }) => name)
    .sort()
    .join("");
}

describe("subscriptions", () => {
  it("of nobody match nothing, not even the empty topic", () => {
    assert.equal(match(create(), ""), "");
    assert.equal(match(create(), "foo"), "");
    assert.equal(create().count, 0);
  });

  it("say whether one is the first for its prefix", () => {
    const subscriptions = create();
    assert.equal(subscriptions.add(bytes("foo"), a), true);
    assert.equal(subscriptions.add(bytes("foo"), a), false, "the same again");
    assert.equal(match(subscriptions, "foo"), "a");
    assert.equal(subscriptions.add(bytes("foo"), b), false);
    assert.equal(match(subscriptions, "foo"), "ab");
    assert.equal(subscriptions.count, 1);
  });

  it("match all prefixes of a topic, and give it to each pipe once", () => {
    const subscriptions = create(["foo", a], ["foobar", b], ["", c], ["foobar", a], ["f", a]);
    assert.equal(match(subscriptions, "foobar"), "abc");
    assert.equal(match(subscriptions, "foobarbaz"), "abc");
    assert.equal(match(subscriptions, "foo"), "ac");
    assert.equal(match(subscriptions, "x"), "c");
    assert.equal(subscriptions.count, 4);
  });

  it("of one prefix go one by one, in any order", () => {
    for (const order of [
      [a, b, c],
      [c, b, a],
      [b, a, c],
    ]) {
      const subscriptions = create(["foo", a], ["foo", b], ["foo", c]);
      const removals = order.map((who) => subscriptions.remove(bytes("foo"), who));
      assert.deepEqual(removals, ["remaining", "remaining", "last"]);
      assert.equal(match(subscriptions, "foo"), "");
      assert.equal(subscriptions.count, 0);
    }
  });

  for (const there of [["foo"], ["foo1", "foo3"], ["foobar"], ["f"], ["", "foo", "foobar"]]) {
    for (const name of ["bar", "fo", "fooba", "foo2", "foobars", "f1", "foo1x", "b"]) {
      it(`are not changed when ${name} is taken back, and there are only ${there}`, () => {
        const subscriptions = create(...there.map((key): [string, Who] => [key, a]));
        assert.equal(subscriptions.remove(bytes(name), a), "not found");
        assert.equal(subscriptions.count, there.length);
        for (const key of there) assert.ok(match(subscriptions, key) === "a");
      });
    }
  }

  it("of others are not taken back", () => {
    const subscriptions = create(["foo", a]);
    assert.equal(subscriptions.remove(bytes("foo"), b), "not found");
    subscriptions.add(bytes("foo"), b);
    assert.equal(subscriptions.remove(bytes("foo"), c), "not found");
    assert.equal(match(subscriptions, "foo"), "ab");
  });

  it("that branch off go in order and against it", () => {
    const keys = ["foo", "foobar", "foobaz", "fooq", "x", ""];
    for (const order of [keys, [...keys].reverse()]) {
      const subscriptions = create(...keys.map((key): [string, Who] => [key, a]));
      for (const key of order) assert.equal(subscriptions.remove(bytes(key), a), "last");
      assert.equal(subscriptions.count, 0);
    }
  });

  it("of a pipe go all at once; what nobody else has is told, or all", () => {
    for (const all of [false, true]) {
      const subscriptions = create(["", a], ["foo", a], ["foo", b], ["bar", a], ["baz", b]);
      const gone: string[] = [];
      subscriptions.removeAll(a, (key) => gone.push(text(key)), all);
      assert.deepEqual(gone.sort(), all ? ["", "bar", "foo"] : ["", "bar"]);
      assert.deepEqual(
        ["", "foo", "bar", "baz"].map((topic) => match(subscriptions, topic)),
        ["", "b", "", "b"],
      );
      assert.equal(subscriptions.count, 2);
      subscriptions.removeAll(a, () => assert.fail("it has none"), true);
    }
  });

  it("are what a list says, whatever comes and goes", () => {
    const key = fc
      .array(fc.constantFrom("a", "b", "\u00ff"), { maxLength: 4 })
      .map((x) => x.join(""));
    const who = fc.constantFrom(a, b, c);
    const step = fc.record({ what: fc.constantFrom("add", "remove", "match", "all"), key, who });
    const check = (steps: { what: string; key: string; who: Who }[]): void => {
      const subscriptions = create();
      let list: { key: string; who: Who }[] = [];
      const others = (key: string) => list.filter((one) => one.key === key);
      for (const { what, key, who } of steps) {
        const mine = others(key).find((one) => one.who === who);
        if (what === "add") {
          assert.equal(subscriptions.add(bytes(key), who), others(key).length === 0);
          if (mine === undefined) list.push({ key, who });
        } else if (what === "remove") {
          list = list.filter((one) => one !== mine);
          const left = others(key).length > 0 ? "remaining" : "last";
          const expected = mine === undefined ? "not found" : left;
          assert.equal(subscriptions.remove(bytes(key), who), expected);
        } else if (what === "match") {
          const names = list.filter((one) => key.startsWith(one.key)).map((one) => one.who.name);
          assert.equal(match(subscriptions, key), [...new Set(names)].sort().join(""));
        } else if (key.length > 3) {
          const gone: string[] = [];
          subscriptions.removeAll(who, (one) => gone.push(text(one)));
          const his = list.filter((one) => one.who === who);
          list = list.filter((one) => one.who !== who);
          const alone = his.filter((one) => others(one.key).length === 0);
          assert.deepEqual(gone.sort(), alone.map((one) => one.key).sort());
        }
        assert.equal(subscriptions.count, new Set(list.map((one) => one.key)).size);
      }
    };
    checkAll("subscriptions", 500, fc.property(fc.array(step, { maxLength: 80 }), check));
  });
});

describe("groups", () => {
  it("match exactly, and have members as subscriptions do", () => {
    const groups = new Groups<Who>();
    assert.equal(groups.add(bytes("tv"), a), true);
    assert.equal(groups.add(bytes("tv"), b), false);
    assert.equal(groups.add(bytes("tv"), b), false);
    assert.equal(groups.add(bytes(""), b), true);
    const all = ["tv", "tv2", "t", ""].map((group) => match(groups, group));
    assert.deepEqual(all, ["ab", "", "", "b"]);
    assert.equal(groups.count, 2);
    assert.equal(groups.remove(bytes("t"), a), "not found");
    assert.equal(groups.remove(bytes("tv"), a), "remaining");
    assert.equal(groups.remove(bytes("tv"), a), "not found");
    const gone: string[] = [];
    groups.removeAll(b, (group) => gone.push(text(group)));
    assert.deepEqual(gone, ["", "tv"]);
    assert.equal(groups.count, 0);
    assert.equal(match(groups, "tv"), "");
  });
});
