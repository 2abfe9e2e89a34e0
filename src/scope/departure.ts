import type { AcquireSignal } from '../engine/index.js';

type Listener = Parameters<AcquireSignal['addEventListener']>[1];

/**
 * Tells the acquires of a scope that are queueing to give up. As an `AbortController` and its signal in one, which would
 * cost a request more than all else about a borrow that finds something idle.
 */
export class Departure implements AcquireSignal {
  reason: unknown = undefined;
  private over = false;
  private listeners: Set<Listener> | undefined = undefined;

  abort(reason: unknown): void {
    if (this.over) return;
    this.over = true;
    this.reason = reason;
    for (const listener of this.listeners ?? []) listener.handleEvent();
  }

  throwIfAborted(): void {
    if (this.over) throw this.reason;
  }

  addEventListener(_: 'abort', listener: Listener): void {
    (this.listeners ??= new Set()).add(listener);
  }

  removeEventListener(_: 'abort', listener: Listener): void {
    this.listeners?.delete(listener);
  }
}
