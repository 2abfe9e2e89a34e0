import type { KeyedPoolStats, LatencyHistogram, PoolHistograms, PoolStats } from '../engine/index.js';

/** What is known of a pool, or of a pool by key. */
export type AnyStats = PoolStats | KeyedPoolStats;

/** One second of a pool: what there was at its end, and what happened in it. Durations are milliseconds. */
export interface Sample {
  /** Of the epoch. */
  readonly at: number;
  /** How many there may be. */
  readonly max: number;
  readonly leased: number;
  readonly idle: number;
  readonly creating: number;
  readonly validating: number;
  readonly waiting: number;
  readonly oldestWaitMs: number;
  readonly longestHeldMs: number;
  readonly acquired: number;
  readonly released: number;
  readonly created: number;
  readonly createFailed: number;
  readonly destroyed: number;
  readonly timedOut: number;
  /** Shed, and refused because of a full queue, an unavailable pool or a deadlock. */
  readonly refused: number;
  /** 95 of 100 who were served waited no longer; undefined where nobody was. */
  readonly waitMs: number | undefined;
  /** Half of the leases that ended and were measured were no longer; undefined where there was none. */
  readonly holdMs: number | undefined;
  /** 95 of 100 of them were no longer. */
  readonly longHoldMs: number | undefined;
  /** On average; undefined where none was made. */
  readonly createMs: number | undefined;
}

/** In which order a sample is sent: the page is told, and knows none of its own. */
export const FIELDS = [
  'at',
  'max',
  'leased',
  'idle',
  'creating',
  'validating',
  'waiting',
  'oldestWaitMs',
  'longestHeldMs',
  'acquired',
  'released',
  'created',
  'createFailed',
  'destroyed',
  'timedOut',
  'refused',
  'waitMs',
  'holdMs',
  'longHoldMs',
  'createMs',
] as const satisfies readonly (keyof Sample)[];

export function packed(sample: Sample): (number | null)[] {
  return FIELDS.map(field => {
    const value = sample[field];
    return value === undefined ? null : Math.round(value * 10) / 10;
  });
}

/** What a pool had counted when it was looked at. */
export interface Counts {
  readonly stats: AnyStats;
  readonly histograms: PoolHistograms;
}

/** What has happened between two looks. */
export function sampleOf(
  before: Counts,
  { stats, histograms }: Counts,
  at: number,
  longestHeldMs: number,
): Sample {
  const { totals } = stats;
  const past = before.stats.totals;
  const wait = difference(before.histograms.wait, histograms.wait);
  const hold = difference(before.histograms.hold, histograms.hold);
  const create = difference(before.histograms.create, histograms.create);
  return {
    at,
    max: capacityOf(stats),
    leased: stats.leased,
    idle: stats.idle,
    creating: stats.creating,
    validating: stats.validating,
    waiting: stats.waiting,
    oldestWaitMs: stats.oldestWaitMs,
    longestHeldMs,
    acquired: totals.acquired - past.acquired,
    released: totals.released - past.released,
    created: totals.created - past.created,
    createFailed: totals.createFailed - past.createFailed,
    destroyed: totals.destroyed - past.destroyed,
    timedOut: totals.timedOut - past.timedOut,
    refused: totals.shed + totals.refused + totals.deadlocked - past.shed - past.refused - past.deadlocked,
    waitMs: quantile(wait, 0.95),
    holdMs: quantile(hold, 0.5),
    longHoldMs: quantile(hold, 0.95),
    createMs: create.count > 0 ? create.sumMs / create.count : undefined,
  };
}

/** How many resources there may be at most. */
export function capacityOf(stats: AnyStats): number {
  return 'maxTotal' in stats ? stats.maxTotal : stats.max + stats.overflow;
}

function difference(before: LatencyHistogram, after: LatencyHistogram): LatencyHistogram {
  return {
    count: after.count - before.count,
    sumMs: after.sumMs - before.sumMs,
    buckets: after.buckets.map(({ upToMs, count }, i) => ({
      upToMs,
      count: count - (before.buckets[i]?.count ?? 0),
    })),
  };
}

/** As Prometheus reads a histogram: in its bucket a value may be anywhere. */
function quantile({ count, sumMs, buckets }: LatencyHistogram, share: number): number | undefined {
  if (count <= 0) return undefined;
  // Of a few, and of those above the last bound, the mean says more.
  if (count === 1) return sumMs;
  const rank = share * count;
  let low = { upToMs: 0, count: 0 };
  for (const bucket of buckets) {
    if (bucket.count >= rank) {
      const inside = bucket.count - low.count;
      // Nobody took any time at all.
      if (sumMs === 0) return 0;
      return low.upToMs + (bucket.upToMs - low.upToMs) * (inside > 0 ? (rank - low.count) / inside : 1);
    }
    low = bucket;
  }
  return low.upToMs;
}
