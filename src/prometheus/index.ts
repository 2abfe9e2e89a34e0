export { collectPools, type CollectPoolsOptions } from './collect-pools.js';
export type { MetricsRegistry, PoolMetricsOptions } from './options.js';
export { PoolMetricsModule, type PoolMetricsAsyncOptions } from './pool-metrics.module.js';
export type { MeasuredPool } from './watched.js';
