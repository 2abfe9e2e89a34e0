import type { Interior } from '../interior.js';
import { summaries, type PoolState, type PoolStats } from '../reports/stats.js';
import type { Attempts } from '../supply/attempts.js';

/** The counts of this moment. */
export function snapshot<T>(pool: Interior<T>, state: PoolState, { failing }: Attempts<T>): PoolStats {
  const { settings, limits, census, waiters, waits, totals, latencies } = pool;
  const { oldestSince } = waiters;
  return {
    name: settings.name,
    state,
    ...limits,
    total: census.places,
    idle: census.idle,
    leased: census.leased,
    creating: census.creating,
    validating: census.validating,
    resetting: census.resetting,
    closing: census.closing,
    abandoned: census.abandoned,
    waiting: waiters.length,
    oldestWaitMs: oldestSince === undefined ? 0 : waits.now() - oldestSince,
    failing,
    totals: { ...totals, destroyedBy: { ...totals.destroyedBy } },
    latency: summaries(latencies, totals.acquired),
  };
}
