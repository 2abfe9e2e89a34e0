import type { Interior } from '../interior.js';
import { Refusal, WaiterQueue, type Wish } from '../queue/waiter-queue.js';
import type { PoolState } from '../reports/stats.js';
import type { Growth } from '../supply/growth.js';
import type { Refusals } from './refusals.js';

/** Can the pool serve? Knows its state, and those who await its start. */
export class Availability<T> {
  state: PoolState = 'ready';
  private readonly starters: WaiterQueue<void>;

  constructor(
    private readonly pool: Interior<T>,
    private readonly growth: Growth<T>,
    private readonly refusals: Refusals<T>,
  ) {
    this.starters = new WaiterQueue(pool.alarm, pool.waits, {
      late: waiter => refusals.startTimedOut(waiter.wish.timeout),
      left: () => undefined,
    });
  }

  get filled(): boolean {
    return this.pool.census.live >= this.pool.limits.min;
  }

  private get ending(): boolean {
    return this.state === 'draining' || this.state === 'closed';
  }

  /** Resolves when `min` are live; until they have been, the pool counts as starting. */
  fill(wish: Wish): Promise<void> {
    if (this.state === 'ready') this.become('starting');
    return this.starters.join(wish);
  }

  /** Nobody awaits its start, and there is nothing to get over. */
  get settled(): boolean {
    return this.state === 'ready' && this.starters.length === 0;
  }

  /** Looks at what has become of supply, and tells those who would wait in vain. */
  assess(): void {
    const { waiters, suspended } = this.pool;
    if (suspended) return;
    if (this.growth.failing) {
      if (!this.ending && this.state !== 'unavailable')
        this.become('unavailable', this.growth.attempts.lastError);
      if (waiters.length === 0 && this.starters.length === 0) return;
      const unavailable = this.refusals.unavailable();
      this.refusals.refuseAll(unavailable);
      this.starters.settleAll(new Refusal(unavailable));
    } else {
      if (this.state === 'unavailable' || (this.state === 'starting' && this.filled)) this.become('ready');
      if (this.filled) this.starters.settleAll(undefined);
    }
  }

  /** Another pool for the same has been unavailable, and has said so. */
  recalled(): void {
    if (this.growth.failing) this.state = 'unavailable';
  }

  suspend(): void {
    this.become('suspended');
  }

  /** What the pool was before counts no longer: the next create will tell. */
  resume(): void {
    this.become(this.starters.length > 0 ? 'starting' : 'ready');
  }

  /** The pool is closing: nobody's start succeeds any more. */
  drain(): void {
    this.starters.settleAll(new Refusal(() => this.refusals.closed()));
    this.become('draining');
  }

  become(to: PoolState, cause?: unknown): void {
    const from = this.state;
    this.state = to;
    const { watch, settings, clock } = this.pool;
    watch.onStateChange?.({ pool: settings.name, at: clock.now(), from, to, cause });
  }
}
