import type { PoolClosedError } from '../errors.js';
import type { Interior } from '../interior.js';
import type { Lease } from '../lease.js';
import type { Retirement } from '../slots/retirement.js';
import type { Slot } from '../slots/slot.js';
import type { Growth } from '../supply/growth.js';
import { Deadline } from '../time/deadlines.js';
import type { Refusals } from './refusals.js';

/** What closing asks of its pool. */
export interface ClosingEvents<T> {
  /** The deadline has passed: a lease ends under its holder. */
  revoke(slot: Slot<T>, lease: Lease<T>, why: Error): void;
  /** Nobody waits any more for what is being prepared for a borrower. */
  unprepare(slot: Slot<T>, why: Error): void;
  /** Places have become free: time for the next step. */
  changed(): void;
  /** Every place is free. */
  done(): void;
}

/**
 * The end of a pool: whatever is idle goes at once, whatever is out when it comes back, and at the deadline everything
 * that is still there. A step is taken whenever something in the pool has changed.
 */
export class Closing<T> {
  readonly finished: Promise<void>;
  private finish!: () => void;
  private isFinished = false;
  /** What is said to creates that run and to holders of leases. */
  private readonly reason: PoolClosedError;
  private forcedAt = Infinity;
  private readonly deadline = new Deadline(() => {
    this.force();
  });

  constructor(
    private readonly pool: Interior<T>,
    private readonly growth: Growth<T>,
    private readonly retirement: Retirement<T>,
    private readonly refusals: Refusals<T>,
    private readonly events: ClosingEvents<T>,
  ) {
    this.reason = refusals.closed();
    this.finished = new Promise(resolve => {
      this.finish = resolve;
    });
    pool.alarm.hold();
  }

  /** Sets the deadline, unless there is an earlier one. */
  within(timeout: number): void {
    const now = this.pool.clock.now();
    if (this.isFinished || now + timeout >= this.forcedAt) return;
    this.forcedAt = now + timeout;
    if (timeout === 0) this.force();
    else this.pool.deadlines.set(this.deadline, now, timeout);
  }

  /** Never inside itself, although destroying the last resource may end everything: the pool sees to that. */
  step(): void {
    const { waiters, idle, census, alarm, deadlines } = this.pool;
    if (this.isFinished || waiters.length > 0) return;
    this.growth.stop(this.reason);
    for (let slot = idle.pop(); slot; slot = idle.pop()) this.retirement.retire(slot, 'closed');
    if (census.places > 0) return;
    this.isFinished = true;
    alarm.letGo();
    deadlines.cancel(this.deadline);
    this.events.done();
    this.finish();
  }

  private force(): void {
    this.refusals.refuseAll(() => this.refusals.closed());
    this.growth.stop(this.reason);
    for (const slot of [...this.pool.slots]) {
      if (slot.state === 'creating') this.growth.giveUp(slot, this.reason, 'closed');
      else if (slot.lease) this.events.revoke(slot, slot.lease, this.reason);
      else if (slot.state === 'preparing') this.events.unprepare(slot, this.reason);
      else if (slot.state === 'validating' || slot.state === 'resetting')
        this.retirement.retire(slot, 'closed');
    }
    this.events.changed();
  }
}
