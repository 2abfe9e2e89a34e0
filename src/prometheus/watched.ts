import type {
  Capacity,
  KeyedPoolStats,
  LeakEvent,
  Pool,
  PoolHistograms,
  PoolStats,
} from '../engine/index.js';
import { warnUnreadable } from '../module/unreadable.js';
import type { Labels } from './options.js';

/** Who looks, where something cannot be read. */
export const OBSERVER = 'Prometheus';

/** A pool, or one by key, of whatever it lends. */
export interface MeasuredPool extends Pick<Pool<unknown>, 'name' | 'addListener' | 'histograms'> {
  /** Only of a pool that is not by key. */
  readonly capacity?: Capacity | undefined;
  stats(): PoolStats | KeyedPoolStats;
}

/** Leaks by what was exceeded: a pool keeps no total of them. */
export type Leaks = Record<LeakEvent['limit'], number>;

/** A pool whose metrics are collected. Copies of this package that share a registry read each other's: plain, and only added to. */
export interface Watched {
  readonly pool: MeasuredPool;
  /** Beside the name of the pool. */
  readonly labels: Labels;
  /** Is every lease measured? */
  readonly use: boolean;
  readonly leaks: Readonly<Leaks>;
}

/** What is known of one pool in one scrape. */
export interface Reading {
  readonly pool: MeasuredPool;
  /** The same for the same labels. */
  readonly key: string;
  /** With the name of the pool. */
  readonly labels: Labels;
  readonly stats: PoolStats | KeyedPoolStats;
  readonly histograms: PoolHistograms;
  readonly capacity: Capacity | undefined;
  readonly leaks: Readonly<Leaks>;
  readonly use: boolean;
}

/** @returns who is watched from now on, and what ends its listening */
export function watched(pool: MeasuredPool, labels: Labels, use: boolean): readonly [Watched, () => void] {
  const leaks: Leaks = { leakThreshold: 0, maxHold: 0, close: 0 };
  const unlisten = pool.addListener({
    onLeak: ({ limit, returned }) => {
      if (!returned) leaks[limit]++;
    },
    // That somebody listens is what makes the pool measure every lease.
    ...(use && { onRelease: () => undefined }),
  });
  return [{ pool, labels: { ...labels }, use, leaks }, unlisten];
}

/** What they are like now; those that are closed are forgotten. */
export function readAll(all: Set<Watched>): Reading[] {
  const seen = new Map<string, Map<MeasuredPool, Mutable<Reading>>>();
  for (const one of all) {
    const { pool, use } = one;
    const reading = read(one);
    if (reading === 'closed') all.delete(one);
    if (typeof reading !== 'object') continue;
    const same = seen.get(reading.key) ?? new Map<MeasuredPool, Mutable<Reading>>();
    seen.set(reading.key, same);
    const known = same.get(pool);
    // Watched twice, as by two imports of the module, it is still one; that one of them measures every lease is enough.
    if (known) known.use ||= use;
    else same.set(pool, reading);
  }
  return [...seen.values()].flatMap(same => [...same.values()]);
}

/** @returns undefined where it cannot be read: the scrape goes on with the others */
function read({ pool, labels: more, leaks, use }: Watched): Reading | 'closed' | undefined {
  try {
    const stats = pool.stats();
    if (stats.state === 'closed') return 'closed';
    const labels = { pool: pool.name, ...more };
    const { capacity } = pool;
    const histograms = pool.histograms();
    return { pool, key: keyOf(labels), labels, stats, histograms, capacity, leaks, use };
  } catch (error) {
    warnUnreadable(pool, OBSERVER, error);
    return undefined;
  }
}

type Mutable<R> = { -readonly [K in keyof R]: R[K] };

/** The same for the same labels, in whatever order. */
export function keyOf(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}
