import type { Growth } from './growth.js';
import type { Interior } from './interior.js';
import type { Refusals } from './refusals.js';
import type { PoolState } from './stats.js';
import { Refusal, WaiterQueue } from './waiter-queue.js';

/** Can the pool serve? Knows its state, and those who await its start. */
export class Availability<T> {
  state: PoolState = 'ready';
  private readonly starters: WaiterQueue<void>;

  constructor(
    private readonly pool: Interior<T>,
    private readonly growth: Growth<T>,
    private readonly refusals: Refusals<T>,
  ) {
    this.starters = new WaiterQueue(pool.deadlines, pool.clock, {
      late: waiter => refusals.startTimedOut(waiter.timeout),
      left: () => undefined,
    });
  }

  get filled(): boolean {
    return this.pool.census.live >= this.pool.settings.min;
  }

  /** Resolves when `min` are live; until they have been, the pool counts as starting. */
  fill(timeout: number, signal: AbortSignal | undefined, joined: () => void): Promise<void> {
    if (this.state === 'ready') this.become('starting');
    return this.starters.join(timeout, signal, undefined, joined);
  }

  /** Looks at what has become of supply, and tells those who would wait in vain. */
  assess(): void {
    const { waiters } = this.pool;
    const ending = this.state === 'draining' || this.state === 'closed';
    if (this.growth.failing) {
      if (!ending && this.state !== 'unavailable') this.become('unavailable', this.growth.lastError);
      if (waiters.length === 0 && this.starters.length === 0) return;
      const unavailable = this.refusals.unavailable();
      this.refusals.refuseAll(unavailable);
      this.starters.settleAll(new Refusal(unavailable));
    } else if (!ending) {
      if (this.state === 'unavailable' || (this.state === 'starting' && this.filled)) this.become('ready');
      if (this.filled) this.starters.settleAll(undefined);
    }
  }

  /** The pool is closing: nobody's start succeeds any more. */
  drain(): void {
    this.become('draining');
    this.starters.settleAll(new Refusal(() => this.refusals.closed()));
  }

  become(to: PoolState, cause?: unknown): void {
    const from = this.state;
    this.state = to;
    const { watch, settings, clock } = this.pool;
    watch.onStateChange?.({ pool: settings.name, at: clock.now(), from, to, cause });
  }
}
