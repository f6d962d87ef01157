// SPDX-License-Identifier: MIT

export type Timer = ReturnType<typeof setTimeout>;

/** A timer that does not keep the event loop alive. */
export function quietTimer(task: () => void, ms: number): Timer {
  const timer = setTimeout(task, ms);
  (timer as { unref?: () => void }).unref?.(); // A page's timer is a number.
  return timer;
}
