import { nameOf } from '../basics/name-of.js';
import type { Lease } from '../lease.js';
import { CHANNELS, publish } from '../reports/channels.js';
import type { LeakEvent } from '../reports/listener.js';
import type { Slot } from '../slots/slot.js';
import type { Stock } from '../slots/stock.js';
import { Deadline } from '../time/deadlines.js';

interface Held {
  readonly since: number;
  readonly trace: Error;
  readonly owner: object | undefined;
  readonly deadline: Deadline;
  /** The last limit it was reported for. */
  reported: LeakEvent['limit'] | undefined;
}

/**
 * Watches over how long leases are held: limits them to `maxHold`, and reports those that are held for longer than that
 * or `leakThreshold`, and again when they do come back.
 */
export class LeakWatch<T> {
  private readonly held = new Map<Lease<T>, Held>();

  /** Is there anything to watch? */
  readonly active: boolean;

  constructor(private readonly pool: Stock<T>) {
    const { leakThreshold, maxHold } = pool.settings;
    this.active = Math.min(leakThreshold, maxHold) !== Infinity;
  }

  /** Does anybody want to know where leases were acquired? */
  get traces(): boolean {
    return this.active && this.isHeard;
  }

  private get isHeard(): boolean {
    return this.pool.watch.onLeak !== undefined || CHANNELS.onLeak.hasSubscribers;
  }

  lent(lease: Lease<T>, slot: Slot<T>): void {
    const { deadlines, clock, settings } = this.pool;
    const now = clock.now();
    deadlines.set(slot.limit, now, settings.maxHold);
    const { trace, owner } = slot;
    if (!this.traces || !trace) return;
    const held: Held = {
      since: now,
      trace,
      owner,
      reported: undefined,
      deadline: new Deadline(at => {
        this.report(held, slot, at, 'leakThreshold');
      }),
    };
    this.held.set(lease, held);
    deadlines.set(held.deadline, now, settings.leakThreshold);
  }

  /** `maxHold` has passed. */
  overheld(lease: Lease<T>, slot: Slot<T>): void {
    const held = this.held.get(lease);
    if (held) this.report(held, slot, this.pool.clock.now(), 'maxHold');
  }

  /** The pool could not wait for it any longer, and takes it away. */
  takenAway(lease: Lease<T>, slot: Slot<T>): void {
    const { settings, clock } = this.pool;
    if (!this.isHeard) return;
    const at = clock.now();
    const held = this.held.get(lease);
    // That is its end: nobody has to be told that it did come back.
    if (held) held.reported = undefined;
    const since = held?.since ?? slot.lentAt;
    this.tell({
      pool: settings.name,
      at,
      slot: slot.id,
      limit: 'close',
      heldMs: Number.isNaN(since) ? undefined : at - since,
      stack: slot.trace?.stack ?? '',
      owner: slot.owner && nameOf(slot.owner),
      returned: false,
    });
  }

  returned(lease: Lease<T>, slot: Slot<T>): void {
    this.pool.deadlines.cancel(slot.limit);
    const held = this.held.get(lease);
    if (!held) return;
    this.held.delete(lease);
    this.pool.deadlines.cancel(held.deadline);
    if (held.reported) this.report(held, slot, this.pool.clock.now(), held.reported, true);
  }

  private report(held: Held, slot: Slot<T>, now: number, limit: LeakEvent['limit'], returned = false): void {
    const { settings } = this.pool;
    held.reported = limit;
    this.tell({
      pool: settings.name,
      at: now,
      slot: slot.id,
      limit,
      heldMs: now - held.since,
      stack: held.trace.stack ?? '',
      owner: held.owner && nameOf(held.owner),
      returned,
    });
  }

  private tell(event: LeakEvent): void {
    const { watch, title } = this.pool;
    watch.onLeak?.(event);
    publish(CHANNELS.onLeak, title, event);
  }
}
