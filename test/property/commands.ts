// SPDX-License-Identifier: MIT

/**
 * commands — what may be done to a few PUSHes and PULLs, as plain data, so that a sequence can
 * be made shorter. What does not apply, as sending by a socket that is not open, is nothing.
 */
import fc from "fast-check";

/** How many sockets of each type may be open. */
export const SLOTS = 2;
export const NAMES = 3;

const at = fc.nat(SLOTS - 1);
/** One is used more than the others, so that much happens there. */
const name = fc.constantFrom(0, 0, 0, 1, NAMES - 1);
const mark = fc.constantFrom(0, 1, 1, 2, 5);
const swap = fc.constantFrom(0, 0, 100, 1000, 100_000);
const size = fc.oneof(fc.nat(40), fc.nat(20_000));
const parts = fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.array(size, { maxLength: 3 }));
/** Bodies with blocks of their own: so many that their records go over the end of a chunk. */
const heavy = fc.array(fc.integer({ min: 4000, max: 6000 }), { minLength: 1, maxLength: 3 });
const load = fc.array(heavy, { minLength: 12, maxLength: 20 });
const kind = fc.constantFrom("push" as const, "pull" as const);
const which = { kind, at };

export const openPush = fc.record({ call: fc.constant("open push" as const), at, mark, swap });
const acknowledge = fc.boolean();
export const openPull = fc.record({
  call: fc.constant("open pull" as const),
  at,
  mark,
  acknowledge,
});
const link = fc.constantFrom("bind" as const, "connect" as const);
const letGo = fc.constantFrom("unbind" as const, "disconnect" as const);

export const command = fc.oneof(
  { weight: 1, arbitrary: openPush },
  { weight: 1, arbitrary: openPull },
  { weight: 1, arbitrary: fc.record({ call: fc.constant("close" as const), ...which }) },
  { weight: 5, arbitrary: fc.record({ call: link, ...which, name }) },
  { weight: 3, arbitrary: fc.record({ call: letGo, ...which, name }) },
  { weight: 8, arbitrary: fc.record({ call: fc.constant("send" as const), at, parts }) },
  {
    weight: 3,
    arbitrary: fc.record({ call: fc.constant("send many" as const), at, all: fc.array(parts) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ call: fc.constant("send many" as const), at, all: load }),
  },
  { weight: 5, arbitrary: fc.record({ call: fc.constant("receive" as const), at }) },
  {
    weight: 2,
    arbitrary: fc.record({
      call: fc.constant("receive many" as const),
      at,
      max: fc.integer({ min: 1, max: 9 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ call: fc.constant("acknowledge" as const), at }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant("mark" as const), ...which, mark }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant("swap" as const), at, swap }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant("drain" as const), at }) },
);
type Arbitrary<T> = T extends fc.Arbitrary<infer Value> ? Value : never;
export type Command = Arbitrary<typeof command>;

/** How it begins: with nothing, one PUSH with two PULLs, or two PUSHes with one PULL. */
export const links: readonly (readonly Command[])[] = [
  [],
  [
    { call: "bind", kind: "push", at: 0, name: 0 },
    { call: "connect", kind: "pull", at: 0, name: 0 },
    { call: "connect", kind: "pull", at: 1, name: 0 },
  ],
  [
    { call: "connect", kind: "push", at: 0, name: 0 },
    { call: "connect", kind: "push", at: 1, name: 0 },
    { call: "bind", kind: "pull", at: 0, name: 0 },
  ],
];

const bytes = Buffer.alloc(21_000, "0123456789abcdefghijklmnopqrstuvwxyz");

/** The parts of a message after the first: neighbours have other bytes. */
export function bodies(number: number, sizes: readonly number[]): Buffer[] {
  return sizes.map((length, part) => {
    const begin = (7 * number + part) % 36;
    return bytes.subarray(begin, begin + length);
  });
}
