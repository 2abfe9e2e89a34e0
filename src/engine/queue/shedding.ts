import type { Lease } from '../lease.js';
import type { Shed } from '../options/options.js';
import { Deadline } from '../time/deadlines.js';
import type { Waiter } from './waiter-queue.js';
import type { Waiting } from './waiting.js';

/**
 * Cuts a standing queue: CoDel (Nichols & Jacobson 2012, "Controlling Queue Delay") in the form that Elixir's
 * db_connection gave it for pools.
 *
 * A queue that empties now and then only smooths a burst. One in which even the luckiest waited longer than `target`
 * for a whole `interval` is standing: it makes everybody wait and serves nobody more. Then the pool is slow: it turns
 * away who has waited for twice the target and serves who comes after, until in some interval somebody waits for less
 * than the target again.
 */
export class Shedding<T> {
  /** The least time that anybody who was served waited in this interval. */
  private delay = 0;
  private slow = false;
  /** When this interval ends. */
  private next: number;
  /** Since when the first in the queue waited at the last look. */
  private lastFirst = -Infinity;
  private looking = false;
  private readonly look = new Deadline(() => {
    this.checkStall();
  });

  /** @param refuse tells a waiter, taken out of the queue, that it was shed */
  constructor(
    private readonly pool: Waiting<T>,
    private readonly shed: Shed,
    private readonly refuse: (waiter: Waiter<Lease<T>>) => void,
  ) {
    this.next = pool.waits.now();
  }

  /** Somebody has begun to wait. */
  joined(): void {
    if (this.looking) return;
    this.looking = true;
    this.lastFirst = -Infinity;
    this.pool.waits.set(this.look, this.pool.waits.now(), this.shed.interval);
  }

  /** Takes the one to be served out of the queue, and turns away who has waited for too long before it. */
  take(): Waiter<Lease<T>> | undefined {
    const { waiters, waits } = this.pool;
    const now = waits.now();
    const fresh = now >= this.next;
    if (fresh) {
      this.slow = this.delay > this.shed.target;
      this.next = now + this.shed.interval;
    } else if (this.slow) {
      this.drop(now);
    }
    const waiter = waiters.shift();
    const delay = waiter ? now - waiter.since : 0;
    if (fresh || delay < this.delay) this.delay = delay;
    return waiter;
  }

  /** A resource has come back, and nobody waits for it. */
  empty(): void {
    this.delay = 0;
  }

  stop(): void {
    this.pool.waits.cancel(this.look);
  }

  /** Nothing has come back for a whole interval, so that nobody was looked at. */
  private checkStall(): void {
    const { waiters, waits } = this.pool;
    const now = waits.now();
    const first = waiters.first?.since;
    this.looking = first !== undefined;
    if (first === undefined) return;
    if (first <= this.lastFirst && now >= this.next) {
      this.slow = this.delay > this.shed.target;
      this.delay = now - first;
      this.next = now + this.shed.interval;
      if (this.slow) this.drop(now);
    }
    this.lastFirst = waiters.first?.since ?? now;
    waits.set(this.look, now, this.shed.interval);
  }

  private drop(now: number): void {
    const { waiters } = this.pool;
    for (
      let first = waiters.first;
      first && now - first.since > 2 * this.shed.target;
      first = waiters.first
    ) {
      waiters.remove(first);
      this.refuse(first);
    }
  }
}
