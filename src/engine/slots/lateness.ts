import { Pace } from '../time/pace.js';
import type { Coming, Slot } from './slot.js';
import type { Stock } from './stock.js';

/** What has not been answered within a second has been lost, as a rule: then TCP sends its first packet again. */
const HANGING_MS = 1_000;

/**
 * When what is on its way to a borrower is late: once it takes twice as long as such things take as a rule, or half of the
 * time that borrowers have, whichever is sooner. From then on it is no supply. Nothing is done to it, and what it makes in
 * the end is welcome; but whoever waits needs something else. Only where there is no room for that, and it has been late
 * for so long that it is likely to hang, its place is given to another.
 */
export class Lateness<T> {
  /** How long what is asked of resources takes. */
  readonly paces: Readonly<Record<Coming, Pace>> = {
    creating: new Pace(),
    validating: new Pace(),
    resetting: new Pace(),
  };

  constructor(private readonly pool: Stock<T>) {}

  /** How long somebody should wait at most before another resource is made for it. */
  get patience(): number {
    const { acquireTimeout } = this.pool.settings;
    return acquireTimeout > 0 ? acquireTimeout / 2 : Infinity;
  }

  /** User code has begun its work on a slot, which has so many milliseconds for it. */
  began(slot: Slot<T>, now: number, limit: number): void {
    slot.since = now;
    slot.limitAt = now + limit;
    this.watch(slot, now);
  }

  /** A create has succeeded. Those that began when nothing was known of how long that takes are late by what is known now. */
  learns(tookMs: number, now: number): void {
    const { creating } = this.paces;
    const isFirst = creating.limit === undefined;
    creating.record(tookMs, now);
    this.pool.share?.pace.record(tookMs, now);
    if (!isFirst) return;
    for (const slot of this.pool.slots) if (slot.coming) this.watch(slot, now);
  }

  /**
   * The deadline of a slot has passed: is it late, and has not reached its limit yet?
   *
   * @returns false when it is at its limit
   */
  notes(slot: Slot<T>, now: number): boolean {
    if (!slot.coming || now >= slot.limitAt) return false;
    slot.doubt();
    slot.hangs = now >= slot.since + this.hangsAfter(slot);
    this.watch(slot, now);
    return true;
  }

  /** Sets the deadline of a slot to the next moment that changes anything. */
  private watch(slot: Slot<T>, now: number): void {
    const { since, limitAt, hangs, doubted } = slot;
    const lateAt = doubted ? Infinity : since + Math.min(this.usualLimit(slot), this.patience);
    const hangsAt = hangs ? Infinity : since + this.hangsAfter(slot);
    this.pool.deadlines.set(slot.limit, now, Math.min(lateAt, hangsAt, limitAt) - now);
  }

  private hangsAfter(slot: Slot<T>): number {
    return Math.max(this.usualLimit(slot), HANGING_MS);
  }

  /** What takes longer is late. A check of what there is takes no longer than to make it, while nothing better is known. */
  private usualLimit({ state }: Slot<T>): number {
    const { paces, pool } = this;
    return paces[state as Coming].limit ?? paces.creating.limit ?? pool.share?.pace.limit ?? Infinity;
  }
}
