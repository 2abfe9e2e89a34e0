import type { AcquireSignal } from '../options/calls.js';

type Listener = Parameters<AcquireSignal['addEventListener']>[1];

/** Those who wait with the same signal: one listener for all, as Node.js warns of a leak when there are eleven. */
class Together implements Listener {
  readonly all = new Set<Listener>();

  handleEvent(): void {
    for (const one of [...this.all]) one.handleEvent();
  }
}

const together = new WeakMap<AcquireSignal, Together>();

/** @throws what the signal throws: it may be anybody's */
export function listen(signal: AcquireSignal, listener: Listener): void {
  if (!(signal instanceof AbortSignal)) {
    signal.addEventListener('abort', listener);
    return;
  }
  let those = together.get(signal);
  if (!those) {
    those = new Together();
    signal.addEventListener('abort', those);
    together.set(signal, those);
  }
  those.all.add(listener);
}

export function unlisten(signal: AcquireSignal, listener: Listener): void {
  const those = together.get(signal);
  if (!those) {
    try {
      signal.removeEventListener('abort', listener);
    } catch {
      // Whoever it was for has what it waited for, or has left.
    }
    return;
  }
  those.all.delete(listener);
  if (those.all.size > 0) return;
  together.delete(signal);
  signal.removeEventListener('abort', those);
}
