import type { Clock } from './clock.js';
import type { Deadlines } from './deadlines.js';
import type { Lease } from './lease.js';
import type { ResourceFactory } from './factory.js';
import type { IdleSlots } from './idle-slots.js';
import type { ResolvedSettings } from './options.js';
import type { Census, Slot } from './slot.js';
import type { PoolTotals } from './stats.js';
import type { WaiterQueue } from './waiter-queue.js';
import type { Watch } from './watch.js';

/** What the parts of one pool share. Nobody outside the pool sees it. */
export interface Interior<T> {
  readonly settings: ResolvedSettings;
  readonly factory: ResourceFactory<T>;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly watch: Watch;
  readonly census: Census;
  /** Every slot that is not gone. */
  readonly slots: Set<Slot<T>>;
  /** The slots in state `idle`, except while one is on its way from one state to the next. */
  readonly idle: IdleSlots<T>;
  readonly waiters: WaiterQueue<Lease<T>>;
  readonly totals: PoolTotals;
}
