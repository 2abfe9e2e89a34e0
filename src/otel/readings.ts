import type { KeyedPoolStats, LeakEvent, PoolState, PoolStats } from '../engine/index.js';
import { warnUnreadable } from '../module/unreadable.js';
import type { AnyPool } from '../scope/index.js';
import type { OWN, Shape } from './names.js';

/** Who looks, where something cannot be read. */
export const OBSERVER = 'OpenTelemetry';

/** What is read of a pool when somebody collects. */
export type Read = Exclude<Shape, 'createTime' | 'waitTime' | 'useTime'> | keyof typeof OWN;

/** How many, by the limit that was exceeded; one that exceeds two of them is told for each. */
export type Leaks = Map<LeakEvent['limit'], number>;

const LIMITS: readonly LeakEvent['limit'][] = ['leakThreshold', 'maxHold', 'close'];

const STATES: readonly PoolState[] = ['ready', 'starting', 'unavailable', 'suspended', 'draining', 'closed'];

/** What is in the places of a pool, each by the name that the conventions have for it, or else its own. */
const PLACES = {
  idle: 'idle',
  leased: 'used',
  creating: 'creating',
  validating: 'validating',
  preparing: 'preparing',
  resetting: 'resetting',
  closing: 'closing',
} as const satisfies Partial<Record<keyof PoolStats, string>>;

/** Of one pool, or of several whose series are the same: then they are added up. By metric, and by the label if it has one. */
export class Readings {
  private readonly values = new Map<Read, Map<string, number>>();

  add(metric: Read, value: number, label = ''): void {
    let labels = this.values.get(metric);
    if (!labels) this.values.set(metric, (labels = new Map<string, number>()));
    labels.set(label, (labels.get(label) ?? 0) + value);
  }

  addAll(others: Readings): void {
    others.forEach((metric, value, label) => {
      this.add(metric, value, label);
    });
  }

  forEach(each: (metric: Read, value: number, label: string) => void): void {
    for (const [metric, labels] of this.values) {
      for (const [label, value] of labels) each(metric, value, label);
    }
  }
}

/** What goes up and down; a pool that is closed has none of it. */
export function addLevels(to: Readings, pool: AnyPool<unknown>, stats: PoolStats | KeyedPoolStats): void {
  for (const [place, state] of Object.entries(PLACES)) {
    to.add('count', stats[place as keyof typeof PLACES], state);
  }
  // A keyed pool is one, whatever its keys: they come and go, and somebody else may say how many there are.
  to.add('limit', 'maxTotal' in stats ? stats.maxTotal : stats.max + stats.overflow);
  to.add('idleMax', 'maxTotal' in stats ? stats.maxTotal : stats.max);
  to.add('idleMin', keptIdle(pool));
  to.add('pending', stats.waiting);
  to.add('abandoned', stats.abandoned);
  for (const state of STATES) to.add('state', state === stats.state ? 1 : 0, state);
}

/** What only goes up. */
export function addCounters(
  to: Readings,
  { totals }: Pick<PoolStats | KeyedPoolStats, 'totals'>,
  leaks: Leaks,
): void {
  to.add('timeouts', totals.timedOut);
  to.add('acquires', totals.acquired);
  to.add('waits', totals.waited);
  to.add('creates', totals.created);
  to.add('createFailures', totals.createFailed);
  for (const [reason, count] of Object.entries(totals.destroyedBy)) to.add('destroys', count, reason);
  to.add('sheds', totals.shed);
  to.add('refusals', totals.refused);
  to.add('aborts', totals.aborted);
  to.add('deadlocks', totals.deadlocked);
  for (const limit of LIMITS) to.add('leaks', leaks.get(limit) ?? 0, limit);
}

/** One that cannot be read is taken for one that goes on. */
export function isClosed(pool: AnyPool<unknown>): boolean {
  try {
    return pool.stats().state === 'closed';
  } catch (error) {
    warnUnreadable(pool, OBSERVER, error);
    return false;
  }
}

/** So many are kept although nobody borrows. */
function keptIdle(pool: AnyPool<unknown>): number {
  if (!('inside' in pool)) return 0;
  const { limits, settings } = pool.inside;
  return Math.max(limits.min, settings.minIdle);
}
