// SPDX-License-Identifier: MIT

interface Listener {
  readonly aborts: Set<() => void>;
  readonly listen: () => void;
}

const listeners = new WeakMap<AbortSignal, Listener>();

/**
 * aborting — what is done when a signal is aborted: by one listener for each signal, however many
 * calls wait with it. Node warns of a leak when there are more than ten.
 */
export function onAbort(signal: AbortSignal, abort: () => void): void {
  let listener = listeners.get(signal);
  if (listener === undefined) {
    const aborts = new Set<() => void>();
    const listen = (): void => {
      for (const each of aborts) each();
    };
    listener = { aborts, listen };
    listeners.set(signal, listener);
    signal.addEventListener("abort", listen);
  }
  listener.aborts.add(abort);
}

/** It is not to be done any more. */
export function offAbort(signal: AbortSignal, abort: () => void): void {
  const listener = listeners.get(signal);
  if (listener === undefined || !listener.aborts.delete(abort) || listener.aborts.size > 0) return;
  listeners.delete(signal);
  signal.removeEventListener("abort", listener.listen);
}
