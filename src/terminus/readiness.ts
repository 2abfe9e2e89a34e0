import type { KeyedPoolStats, PoolStats } from '../engine/index.js';

/** When a pool counts as not ready. Durations are milliseconds. */
export interface ReadinessOptions {
  /** A queue whose oldest waiter is older counts as stuck. Default 1 000. */
  maxWait?: number;
  /** Stuck for longer than this is starved: down. Default 5 000. A time, not a count of checks, as several probers ask. */
  starvedFor?: number;
  /**
   * What an unavailable backend means for readiness. `degraded` keeps the pod in the load balancer: with one database
   * for all pods, taking all of them out at once is an outage of its own. Default `down`.
   */
  whenUnavailable?: 'down' | 'degraded';
  /** How long the answer of an idle pool's probe stands for others. Default 1 000. */
  cacheFor?: number;
  /** How long such a probe may take. Default 1 000. */
  probeTimeout?: number;
}

export type Readiness =
  { readonly status: 'up' } | { readonly status: 'down' | 'degraded'; readonly reason: string };

export const UP: Readiness = { status: 'up' };

/** What is known of a pool, or of a pool by key. */
export type AnyStats = PoolStats | KeyedPoolStats;

/** How many resources there may be at most. */
function capacityOf(stats: AnyStats): number {
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
  if (starved) return { status: 'down', reason: `starved: waiters older than ${options.maxWait} ms` };
  if (stats.leased >= capacityOf(stats))
    return { status: 'degraded', reason: 'saturated: every resource is leased' };
  return UP;
}
