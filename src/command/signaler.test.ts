// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Arena, SLOT_HEAD, SPIN, slotAt } from "../memory/index.ts";
import { createArena, FakeHost } from "../testing/index.ts";
import { Mailbox, push } from "./mailbox.ts";
import { Signaler } from "./signaler.ts";

const HEAD = slotAt(1) + SLOT_HEAD;
/** Any two places that can be blocks. */
const BLOCKS = [slotAt(7), slotAt(8)] as const;

function createRig(spin = 1, cores = 2) {
  const arena = createArena();
  arena.words[SPIN] = spin;
  const host = new FakeHost();
  host.cores = cores;
  const mailbox = new Mailbox(arena, HEAD);
  return { arena, host, mailbox, signaler: new Signaler(arena, mailbox, host) };
}

/** How many times a busy wait tries that never succeeds. */
function tries(signaler: Signaler): number {
  let count = 0;
  assert.equal(
    signaler.spin(() => ++count < 0),
    false,
  );
  return count;
}

describe("a busy wait", () => {
  it("tries until it succeeds", () => {
    const { signaler } = createRig(1_000_000);
    let left = 100;
    assert.equal(
      signaler.spin(() => --left === 0),
      true,
    );
    assert.equal(left, 0);
  });

  it("gives up after its time, and the next 1, 2, 4 … 64 waits do without", () => {
    const { signaler } = createRig();
    for (const skipped of [1, 2, 4, 8, 16, 32, 64, 64, 64]) {
      assert.ok(tries(signaler) > 0);
      for (let i = 0; i < skipped; i++) assert.equal(tries(signaler), 0, `${i} of ${skipped}`);
    }
    assert.ok(tries(signaler) > 0);
  });

  it("that pays makes the next failure cost one wait again", () => {
    const { signaler } = createRig();
    for (const skipped of [1, 2, 4]) {
      assert.ok(tries(signaler) > 0);
      for (let i = 0; i < skipped; i++) tries(signaler);
    }
    assert.equal(
      signaler.spin(() => true),
      true,
    );
    assert.ok(tries(signaler) > 0);
    assert.equal(tries(signaler), 0);
    assert.ok(tries(signaler) > 0);
  });

  it("is not worth it with one core, or when it is turned off", () => {
    assert.equal(tries(createRig(1000, 1).signaler), 0);
    assert.equal(tries(createRig(0).signaler), 0);
  });
});

describe("waiting in the event loop", () => {
  /** Counts calls of `onMail`; `next` settles with the next one. */
  function countMail(signaler: Signaler) {
    const counter = { count: 0, next: (): Promise<void> => Promise.resolve() };
    let tell = (): void => {};
    counter.next = () =>
      new Promise((resolve) => {
        tell = resolve;
      });
    signaler.onMail = () => {
      counter.count++;
      tell();
    };
    return counter;
  }

  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const post = (arena: Arena, index: 0 | 1) => push(arena, HEAD, BLOCKS[index]);

  it("calls once for mail, however often it was armed", async () => {
    const { arena, signaler } = createRig();
    const mail = countMail(signaler);
    signaler.arm();
    signaler.arm();
    signaler.arm();
    await turn();
    assert.equal(mail.count, 0);
    const next = mail.next();
    post(arena, 0);
    post(arena, 1);
    await next;
    await turn();
    assert.equal(mail.count, 1);
  });

  it("calls at once for mail that is there", async () => {
    const { arena, signaler } = createRig();
    const mail = countMail(signaler);
    const next = mail.next();
    post(arena, 0);
    signaler.arm();
    await next;
    assert.equal(mail.count, 1);
  });

  it("calls again only if it is armed again", async () => {
    const { arena, mailbox, signaler } = createRig();
    const mail = countMail(signaler);
    let next = mail.next();
    signaler.arm();
    post(arena, 0);
    await next;
    mailbox.take([]);
    post(arena, 0);
    await turn();
    assert.equal(mail.count, 1);
    next = mail.next();
    signaler.arm();
    await next;
    assert.equal(mail.count, 2);
  });

  it("calls also if the mail has been taken meanwhile", async () => {
    const { arena, mailbox, signaler } = createRig();
    const mail = countMail(signaler);
    const next = mail.next();
    signaler.arm();
    post(arena, 0);
    mailbox.take([]);
    await next;
    assert.equal(mail.count, 1);
  });

  it("holds the event loop from the first hold to the last unhold", () => {
    const { host, signaler } = createRig();
    assert.equal(host.held, false);
    signaler.hold();
    signaler.hold();
    signaler.unhold();
    assert.equal(host.held, true);
    signaler.unhold();
    assert.equal(host.held, false);
  });
});
