import { checkPools, type PoolMetricsOptions } from './options.js';
import { PoolMetrics } from './pool-metrics.js';
import type { MeasuredPool } from './watched.js';

export interface CollectPoolsOptions extends PoolMetricsOptions {
  pools: readonly MeasuredPool[];
}

/**
 * The metrics of pools that are no application's of NestJS, as {@link PoolMetricsModule} has them. A pool that is closed is
 * forgotten at the next scrape.
 *
 * @returns ends it
 * @throws TypeError for a wrong option; Error when the registry has another metric of such a name
 */
export function collectPools(given: CollectPoolsOptions): () => void {
  checkPools(given);
  const { pools, ...options } = given;
  const metrics = new PoolMetrics(options);
  const ends = pools.map(pool => metrics.watch(pool));
  return () => {
    for (const end of ends) end();
  };
}
