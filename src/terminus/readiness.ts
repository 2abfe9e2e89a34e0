import type { KeyedPoolStats, PoolStats } from '../engine/index.js';

/** When a pool counts as not ready. Durations are milliseconds. */
export interface ReadinessOptions {
  /** A queue whose oldest waiter is older counts as stuck. Default 1 000. */
  maxWait?: number;
  /**
   * Stuck for longer than this, and nobody served meanwhile, is starved: down, until somebody is served or something is
   * free again. Default 5 000. A time, not a count of checks, as several probers ask. A pool that serves is not starved,
   * however long its queue: all pods of an overloaded application would be taken out at once.
   */
  starvedFor?: number;
  /**
   * Degraded (still 200) from this share of the resources on that are leased, overflow included: more than 0, at most 1.
   * Default 1: when every one is leased.
   */
  maxUtilization?: number;
  /**
   * What an unavailable backend means for readiness. `degraded` keeps the pod in the load balancer: with one database
   * for all pods, taking all of them out at once is an outage of its own. Default `down`.
   */
  whenUnavailable?: 'down' | 'degraded';
  /** How long the answer of an idle pool's probe stands for others. Default 1 000. */
  cacheFor?: number;
  /** How long such a probe may take. Default 1 000. */
  probeTimeout?: number;
  /**
   * Shows in the details what `pool.advice()` says, each with its `rule` and `text`, which name no owner, host or stack. It
   * changes no status. Not of a pool by key. Default false.
   */
  advice?: boolean;
}

export const DEFAULTS: Required<ReadinessOptions> = {
  maxWait: 1_000,
  starvedFor: 5_000,
  maxUtilization: 1,
  whenUnavailable: 'down',
  cacheFor: 1_000,
  probeTimeout: 1_000,
  advice: false,
};

export type Readiness =
  { readonly status: 'up' } | { readonly status: 'down' | 'degraded'; readonly reason: string };

export const UP: Readiness = { status: 'up' };

/** What is known of a pool, or of a pool by key. */
export type AnyStats = PoolStats | KeyedPoolStats;

/** What is wrong with options of a check, or undefined. */
export function faultOf(options: ReadinessOptions): string | undefined {
  for (const [key, value] of Object.entries(options) as [string, unknown][]) {
    if (!(key in DEFAULTS)) {
      return `there is no option ${key}; there are ${Object.keys(DEFAULTS).join(', ')}`;
    }
    const allowed = value === undefined ? undefined : allows(key as keyof ReadinessOptions, value);
    if (allowed) return `${key} is ${String(value)}; it must be ${allowed}`;
  }
  return undefined;
}

/** What would be right, unless the value is. */
function allows(key: keyof ReadinessOptions, value: unknown): string | undefined {
  if (key === 'whenUnavailable') {
    return value === 'down' || value === 'degraded' ? undefined : `'down' or 'degraded'`;
  }
  if (key === 'advice') return typeof value === 'boolean' ? undefined : 'true or false';
  const isNumber = typeof value === 'number';
  if (key === 'maxUtilization') {
    return isNumber && value > 0 && value <= 1 ? undefined : 'more than 0 and at most 1';
  }
  return isNumber && value >= 0 ? undefined : 'milliseconds ≥ 0';
}

/** How many resources there may be at most. */
export function capacityOf(stats: AnyStats): number {
  return 'maxTotal' in stats ? stats.maxTotal : stats.max + stats.overflow;
}

/** Reads readiness off the counters; borrows nothing, so that probes cannot make an overload worse. */
export function judge(stats: AnyStats, starved: boolean, options: Required<ReadinessOptions>): Readiness {
  switch (stats.state) {
    case 'starting':
      return { status: 'down', reason: 'starting: min is not reached yet' };
    case 'suspended':
      return { status: 'down', reason: 'suspended' };
    case 'draining':
    case 'closed':
      return { status: 'down', reason: 'closing' };
    case 'unavailable':
      return {
        status: options.whenUnavailable,
        reason: 'unavailable: nothing is live and creates keep failing',
      };
    case 'ready':
      break;
  }
  if (starved) {
    return {
      status: 'down',
      reason: `starved: nobody has been served since a waiter was older than ${options.maxWait} ms`,
    };
  }
  const capacity = capacityOf(stats);
  if (stats.leased >= capacity) return { status: 'degraded', reason: 'saturated: every resource is leased' };
  if (stats.leased >= capacity * options.maxUtilization) {
    return { status: 'degraded', reason: `busy: ${stats.leased} of ${capacity} resources are leased` };
  }
  return UP;
}
