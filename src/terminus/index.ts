export { PoolHealthController, type HealthAnswer } from './pool-health.controller.js';
export { PoolHealthIndicator } from './pool-health.indicator.js';
export { PoolHealthModule } from './pool-health.module.js';
export type { PoolHealthModuleOptions } from './pool-health.options.js';
export type { ReadinessOptions } from './readiness.js';
