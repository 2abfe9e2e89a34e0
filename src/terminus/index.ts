export { PoolHealthIndicator } from './pool-health.indicator.js';
export type { ReadinessOptions } from './readiness.js';
