import type { AcquireSignal } from '../engine/index.js';
import { DEADLINE_PASSED, type CallerDeadline } from './caller-deadline.js';

type Listener = Parameters<AcquireSignal['addEventListener']>[1];

/**
 * Tells the acquires of a scope that are queueing to give up. As an `AbortController` and its signal in one, which would
 * cost a request more than all else about a borrow that finds something idle.
 */
export class Departure implements AcquireSignal {
  reason: unknown = undefined;
  private over = false;
  private listeners: Set<Listener> | undefined = undefined;
  private forgetDeadline: (() => void) | undefined = undefined;

  /** @param deadline they give up when it passes, too */
  constructor(private readonly deadline: CallerDeadline | undefined) {}

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
    // Only who has to queue listens, so that a borrow which finds something idle sets no timer.
    this.forgetDeadline ??= this.deadline?.watch(() => {
      this.abort(DEADLINE_PASSED);
    });
  }

  removeEventListener(_: 'abort', listener: Listener): void {
    if (!this.listeners?.delete(listener) || this.listeners.size > 0) return;
    this.forgetDeadline?.();
    this.forgetDeadline = undefined;
  }
}
