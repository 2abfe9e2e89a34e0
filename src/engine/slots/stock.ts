import type { ResourceFactory } from '../options/factory.js';
import type { SessionHooks } from '../options/hooks.js';
import type { Limits, ResolvedSettings } from '../options/options.js';
import type { Title } from '../reports/channels.js';
import type { Latencies } from '../reports/latency.js';
import type { PoolTotals } from '../reports/stats.js';
import type { Watch } from '../reports/watch.js';
import type { Clock } from '../time/clock.js';
import type { CoarseTime } from '../time/coarse-time.js';
import type { Deadlines } from '../time/deadlines.js';
import type { Pace } from '../time/pace.js';
import type { IdleSlots } from './idle-slots.js';
import type { Observed } from './observed.js';
import type { Census, Slot } from './slot.js';

/** What a pool has, and all that those need to know who look after it. */
export interface Stock<T> {
  readonly settings: ResolvedSettings;
  /** What it is called where all pools of the process are told apart. */
  readonly title: Title;
  /** Changed by `resize()`. */
  limits: Limits;
  /** While true, nothing is lent, created or validated. */
  suspended: boolean;
  readonly factory: ResourceFactory<T>;
  readonly hooks: SessionHooks<T>;
  readonly clock: Clock;
  readonly coarse: CoarseTime;
  readonly deadlines: Deadlines;
  readonly watch: Watch;
  readonly census: Census;
  /** Every slot that is not gone. */
  readonly slots: Set<Slot<T>>;
  /** The slots in state `idle`, except while one is on its way from one state to the next. */
  readonly idle: IdleSlots<T>;
  /** Once the pool of a key has gone, they are those of all keys. */
  totals: PoolTotals;
  readonly latencies: Latencies;
  readonly observed: Observed;
  /** What it has in common with others under one total, if it does. */
  readonly share: { readonly pace: Pace } | undefined;
}
