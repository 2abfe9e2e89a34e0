import type { Alarm } from './alarm.js';
import type { Clock } from './clock.js';
import type { CoarseTime } from './coarse-time.js';
import type { Deadlines } from './deadlines.js';
import type { ResourceFactory } from './factory.js';
import type { IdleSlots } from './idle-slots.js';
import type { Latencies } from './latency.js';
import type { Lease } from './lease.js';
import type { Limits, ResolvedSettings } from './options.js';
import type { WaitingOwners } from './owners.js';
import type { Share } from './share.js';
import type { Census, Slot } from './slot.js';
import type { PoolTotals } from './stats.js';
import type { WaiterQueue } from './waiter-queue.js';
import type { Watch } from './watch.js';

/** What the parts of one pool share. Nobody outside the pool sees it. */
export interface Interior<T> {
  readonly settings: ResolvedSettings;
  /** Changed by `resize()`. */
  limits: Limits;
  /** While true, nothing is lent, created or validated. */
  suspended: boolean;
  readonly factory: ResourceFactory<T>;
  readonly clock: Clock;
  readonly coarse: CoarseTime;
  readonly alarm: Alarm;
  readonly deadlines: Deadlines;
  /** The time of those who wait; it stands still while the pool is suspended. */
  readonly waits: Deadlines;
  readonly watch: Watch;
  readonly census: Census;
  /** Every slot that is not gone. */
  readonly slots: Set<Slot<T>>;
  /** The slots in state `idle`, except while one is on its way from one state to the next. */
  readonly idle: IdleSlots<T>;
  readonly waiters: WaiterQueue<Lease<T>>;
  readonly owners: WaitingOwners;
  /** Once the pool of a key has gone, they are those of all keys. */
  totals: PoolTotals;
  readonly latencies: Latencies;
  /** This pool's part of a total that it shares with others, if it does. */
  readonly share: Share<T> | undefined;
}
