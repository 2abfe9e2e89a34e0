import { guarded, type Outcome } from '../basics/user-code.js';
import type { DestroyReason } from '../reports/destroy-reason.js';
import type { Slot } from './slot.js';
import type { Stock } from './stock.js';

/** How resources end: destroyed exactly once, their place free only when that has settled or was given up. */
export class Retirement<T> {
  /** Those whose destroy hangs and that fill no place any more. */
  private readonly abandoned = new Set<Slot<T>>();

  /**
   * @param ends called when a resource comes to its end
   * @param freed called whenever a place of the cap has become free
   */
  constructor(
    private readonly pool: Stock<T>,
    private readonly ends: (slot: Slot<T>) => void,
    private readonly freed: () => void,
  ) {}

  /** Destroys the resource of a slot in any state that has one; an idle one must be out of the idle list. */
  retire(slot: Slot<T>, reason: DestroyReason, cause?: unknown): void {
    const { deadlines, clock } = this.pool;
    slot.condemn(reason, cause);
    slot.close();
    this.ends(slot);
    const { patience } = this;
    slot.since = clock.now();
    slot.limitAt = slot.since + patience;
    deadlines.set(slot.limit, slot.since, patience);
    this.destroy(slot, reason, outcome => {
      this.bury(slot);
      this.report(slot, reason, cause, outcome);
      this.freed();
    });
  }

  /** A create that was given up has made a resource after all. Nothing counts it, but it must not stay open. */
  retireLate(slot: Slot<T>): void {
    this.destroy(slot, 'late', outcome => {
      this.bury(slot);
      this.report(slot, 'late', undefined, outcome);
    });
  }

  /** The destroy of a closing slot did not settle in time. */
  giveUp(slot: Slot<T>): void {
    const { watch, settings, clock } = this.pool;
    const at = clock.now();
    this.abandoned.add(slot);
    slot.abandon();
    slot.done();
    watch.onAbandon?.({
      pool: settings.name,
      at,
      slot: slot.id,
      stage: 'destroy',
      ranMs: at - slot.since,
      limitMs: slot.limitAt - slot.since,
      reason: 'limit',
    });
    this.freed();
  }

  /**
   * How long a destroy may take. The other side may still see all that were given up: each time that those are as many again
   * as there may be resources, the next ones keep their places twice as long, so that they stay few however many hang.
   */
  private get patience(): number {
    const { settings, limits } = this.pool;
    return settings.destroyTimeout * 2 ** Math.floor(this.abandoned.size / limits.max);
  }

  private destroy(slot: Slot<T>, reason: DestroyReason, settled: (outcome: Outcome<unknown>) => void): void {
    guarded<unknown>(() => this.pool.factory.destroy?.(slot.resource, reason, { slot: slot.id }), settled);
  }

  private bury(slot: Slot<T>): void {
    this.pool.deadlines.cancel(slot.limit);
    this.pool.slots.delete(slot);
    this.abandoned.delete(slot);
    slot.vanish();
    slot.done();
    // The user may keep the lease; that must not keep the resource in memory.
    slot.resource = undefined as never;
  }

  private report(slot: Slot<T>, reason: DestroyReason, cause: unknown, outcome: Outcome<unknown>): void {
    const { totals, watch, settings, clock } = this.pool;
    totals.destroyed++;
    totals.destroyedBy[reason] = (totals.destroyedBy[reason] ?? 0) + 1;
    watch.onDestroy?.({
      pool: settings.name,
      at: clock.now(),
      slot: slot.id,
      reason,
      cause,
      error: outcome.ok ? undefined : outcome.error,
    });
  }
}
