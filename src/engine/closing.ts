import { Deadline } from './deadlines.js';
import type { Interior } from './interior.js';
import type { Lease } from './lease.js';
import type { Slot } from './slot.js';

/** What a closing pool does with its slots. */
export interface ClosingActions<T> {
  /** Those who still wait are told that the pool is closed. */
  refuseWaiters(): void;
  /** Nobody is waiting any more: creates are pointless, and told so. */
  stopGrowth(): void;
  abandonCreate(slot: Slot<T>): void;
  retire(slot: Slot<T>): void;
  /** Ends a lease under its holder. */
  revoke(slot: Slot<T>, lease: Lease<T>): void;
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
  private forcedAt = Infinity;
  private readonly deadline = new Deadline(() => {
    this.force();
  });

  constructor(
    private readonly pool: Interior<T>,
    private readonly actions: ClosingActions<T>,
  ) {
    this.finished = new Promise(resolve => {
      this.finish = resolve;
    });
    pool.deadlines.hold();
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
    const { waiters, idle, census, deadlines } = this.pool;
    if (this.isFinished || waiters.length > 0) return;
    this.actions.stopGrowth();
    for (let slot = idle.pop(); slot; slot = idle.pop()) this.actions.retire(slot);
    if (census.places > 0) return;
    this.isFinished = true;
    deadlines.letGo();
    deadlines.clear();
    this.actions.done();
    this.finish();
  }

  private force(): void {
    this.actions.refuseWaiters();
    this.actions.stopGrowth();
    for (const slot of [...this.pool.slots]) {
      if (slot.state === 'creating') this.actions.abandonCreate(slot);
      else if (slot.state === 'leased' && slot.lease) this.actions.revoke(slot, slot.lease);
      else if (slot.state === 'validating' || slot.state === 'resetting') this.actions.retire(slot);
    }
    this.actions.changed();
  }
}
