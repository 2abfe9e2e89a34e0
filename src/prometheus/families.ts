import type { DestroyReason, LatencyHistogram, PoolState, PoolStats } from '../engine/index.js';
import type { Labels } from './options.js';
import type { Reading } from './watched.js';

/** One number of one pool. */
export interface Sample {
  /** What follows the name of the metric, of a histogram. */
  readonly suffix?: string;
  /** Beside those of the pool. */
  readonly labels?: Labels;
  readonly value: number;
}

/** A metric: what is told of every pool. */
export interface Family {
  /** What follows the prefix. */
  readonly name: string;
  readonly type: 'gauge' | 'counter' | 'histogram';
  readonly help: string;
  /** What becomes of the values of two pools with the same labels, here and in the processes of a cluster. */
  readonly combine: 'sum' | 'max';
  /** What a pool has nothing to say about it gets no series. */
  readonly samples: (reading: Reading) => readonly Sample[];
}

const STATES = ['starting', 'ready', 'unavailable', 'suspended', 'draining'] as const satisfies PoolState[];

const RESOURCE_STATES = [
  'idle',
  'leased',
  'creating',
  'validating',
  'preparing',
  'resetting',
  'closing',
] as const satisfies (keyof PoolStats)[];

/** All of them: a series that begins with its first event has no rate for it. */
const DESTROY_REASONS = Object.keys({
  idle: 0,
  lifetime: 0,
  uses: 0,
  invalid: 0,
  'reset-failed': 0,
  fatal: 0,
  held: 0,
  recycled: 0,
  overflow: 0,
  shrink: 0,
  evicted: 0,
  closed: 0,
  late: 0,
  caller: 0,
} satisfies Record<DestroyReason, 0>) as DestroyReason[];

/** In the order that they are shown in. */
export const FAMILIES: readonly Family[] = [
  gauge('resources', 'Resources of the pool, by what they are doing.', ({ stats }) =>
    RESOURCE_STATES.map(state => ({ labels: { state }, value: stats[state] })),
  ),
  gauge(
    'limit',
    'How many resources there may be at once; of a pool by key, of all keys together.',
    ({ stats }) => one('maxTotal' in stats ? stats.maxTotal : stats.max + stats.overflow),
  ),
  gauge('min', 'How many resources are kept, used or not.', ({ stats }) =>
    'min' in stats ? one(stats.min) : [],
  ),
  {
    ...gauge(
      'server_limit',
      'How many resources the server admits, of all who come to it, less what it reserves for others.',
      ({ capacity }) => (capacity ? one(capacity.limit - (capacity.reserved ?? 0)) : []),
    ),
    combine: 'max',
  },
  gauge('abandoned', 'Creates and destroys that did not settle in time and may still do so.', ({ stats }) =>
    one(stats.abandoned),
  ),
  gauge('keys', 'Keys that hold or want something now.', ({ stats }) =>
    'keys' in stats ? one(stats.keys) : [],
  ),
  gauge('state', 'Pools in this state: 1 for the one that the pool is in, 0 for the others.', ({ stats }) =>
    STATES.map(state => ({ labels: { state }, value: Number(stats.state === state) })),
  ),
  gauge('pending_requests', 'Borrowers that wait for a resource now.', ({ stats }) => one(stats.waiting)),
  {
    ...gauge('oldest_wait_seconds', 'How long the first of those who wait has been waiting.', ({ stats }) =>
      one(stats.oldestWaitMs / 1_000),
    ),
    combine: 'max',
  },
  counter('acquires_total', 'Leases given.', ({ stats }) => one(stats.totals.acquired)),
  counter('waits_total', 'Acquires that found nothing idle and had to queue.', ({ stats }) =>
    one(stats.totals.waited),
  ),
  counter('acquires_failed_total', 'Acquires that got nothing, by reason.', ({ stats: { totals } }) => [
    { labels: { reason: 'timeout' }, value: totals.timedOut },
    { labels: { reason: 'refused' }, value: totals.refused },
    { labels: { reason: 'shed' }, value: totals.shed },
    { labels: { reason: 'aborted' }, value: totals.aborted },
    { labels: { reason: 'deadlocked' }, value: totals.deadlocked },
  ]),
  counter('creates_total', 'Resources made.', ({ stats }) => one(stats.totals.created)),
  counter('create_failures_total', 'Creates that have failed.', ({ stats }) =>
    one(stats.totals.createFailed),
  ),
  counter('destroys_total', 'Resources destroyed, by reason.', ({ stats: { totals } }) =>
    DESTROY_REASONS.map(reason => ({ labels: { reason }, value: totals.destroyedBy[reason] ?? 0 })),
  ),
  counter('leaks_total', 'Leases held for too long, by the threshold that they exceeded.', ({ leaks }) => [
    { labels: { threshold: 'leak_threshold' }, value: leaks.leakThreshold },
    { labels: { threshold: 'max_hold' }, value: leaks.maxHold },
    { labels: { threshold: 'close' }, value: leaks.close },
  ]),
  histogram('wait_seconds', 'From the acquire to the lease, of those who were served.', ({ histograms }) =>
    distribution(histograms.wait),
  ),
  histogram('create_seconds', 'How long it took to make a resource.', ({ histograms }) =>
    distribution(histograms.create),
  ),
];

/** Of pools that measure every lease: of others there is but a sample. */
export const USE: Family = histogram('use_seconds', 'From the lease to its end.', ({ use, histograms }) =>
  use ? distribution(histograms.hold) : [],
);

function gauge(name: string, help: string, samples: Family['samples']): Family {
  return { name, type: 'gauge', help, combine: 'sum', samples };
}

function counter(name: string, help: string, samples: Family['samples']): Family {
  return { name, type: 'counter', help, combine: 'sum', samples };
}

function histogram(name: string, help: string, samples: Family['samples']): Family {
  return { name, type: 'histogram', help, combine: 'sum', samples };
}

function one(value: number): Sample[] {
  return [{ value }];
}

function distribution({ buckets, count, sumMs }: LatencyHistogram): Sample[] {
  return [
    ...buckets.map(({ upToMs, count: value }) => ({
      suffix: '_bucket',
      labels: { le: seconds(upToMs) },
      value,
    })),
    { suffix: '_bucket', labels: { le: '+Inf' }, value: count },
    { suffix: '_sum', value: sumMs / 1_000 },
    { suffix: '_count', value: count },
  ];
}

/** A bound is part of a series' name: it is written without what is lost in a division. */
function seconds(ms: number): string {
  return String(Number((ms / 1_000).toPrecision(12)));
}
