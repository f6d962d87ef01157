// SPDX-License-Identifier: MIT

/** Properties of the host: P1 a thread is known to have ended only if the system says so. */
import assert from "node:assert/strict";
import fs from "node:fs";
import { describe, it, mock } from "node:test";
import { host } from "./node.ts";

const { claim, birth } = host.thread;
/** The numbers of threads are below 2 ** 22. */
const NO_THREAD = 2 ** 30;

describe("node", {
  skip: claim < 0 ? "the system does not say which threads exist" : false,
}, () => {
  it("P1: who lives, who does not, and whose number another has", () => {
    assert.equal(host.hasEnded(claim, birth), false);
    assert.equal(host.hasEnded(claim, 0), false, "not signed yet");
    assert.equal(host.hasEnded(claim, birth + 1), true);
    assert.equal(host.hasEnded(NO_THREAD, birth), true);
  });

  for (const [code, expected] of [
    ["ENOENT", true],
    ["ESRCH", true],
    ["EMFILE", undefined],
    ["ENFILE", undefined],
    ["ENOMEM", undefined],
  ] as const) {
    it(`P1: a look that fails by ${code} says ${expected}`, () => {
      const read = mock.method(fs, "readFileSync", () => {
        throw Object.assign(new Error(code), { code });
      });
      try {
        assert.equal(host.hasEnded(claim, birth), expected);
      } finally {
        read.mock.restore();
      }
    });
  }
});
