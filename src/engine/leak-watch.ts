import { Deadline } from './deadlines.js';
import type { Interior } from './interior.js';
import type { Lease } from './lease.js';
import type { Slot } from './slot.js';

interface Held {
  readonly since: number;
  readonly stack: string;
  readonly deadline: Deadline;
  reported: boolean;
}

/** Reports leases that are held for longer than `leakThreshold`, and again when they do come back. */
export class LeakWatch<T> {
  private readonly held = new Map<Lease<T>, Held>();

  constructor(private readonly pool: Interior<T>) {}

  get active(): boolean {
    return this.pool.settings.leakThreshold !== Infinity && this.pool.watch.onLeak !== undefined;
  }

  /** @param trace where the lease was acquired */
  lent(lease: Lease<T>, slot: Slot<T>, trace: Error): void {
    const now = this.pool.clock.now();
    const held: Held = {
      since: now,
      stack: trace.stack ?? '',
      reported: false,
      deadline: new Deadline(at => {
        held.reported = true;
        this.report(held, slot, at);
      }),
    };
    this.held.set(lease, held);
    this.pool.deadlines.set(held.deadline, now, this.pool.settings.leakThreshold);
  }

  returned(lease: Lease<T>, slot: Slot<T>): void {
    const held = this.held.get(lease);
    if (!held) return;
    this.held.delete(lease);
    this.pool.deadlines.cancel(held.deadline);
    if (held.reported) this.report(held, slot, this.pool.clock.now(), true);
  }

  private report(held: Held, slot: Slot<T>, now: number, returned = false): void {
    const { watch, settings } = this.pool;
    watch.onLeak?.({
      pool: settings.name,
      at: now,
      slot: slot.id,
      heldMs: now - held.since,
      stack: held.stack,
      returned,
    });
  }
}
