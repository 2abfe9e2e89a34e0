export { Pool } from './pool.js';
export type * from './calls.js';
export type { LatencySummary } from './latency.js';
export { Lease } from './lease.js';
export {
  LeaseReleasedError,
  PoolClosedError,
  PoolDeadlockError,
  PoolError,
  PoolOptionsError,
  PoolQueueFullError,
  PoolShedError,
  PoolTimeoutError,
  PoolUnavailableError,
  ResourceInvalidatedError,
  describeStats,
  kindOf,
  messageOf,
  type DeadlockedHolder,
  type PoolErrorCode,
} from './errors.js';
export type { DestroyReason } from './destroy-reason.js';
export type { CreateContext, Handle, ResourceFactory, Verdict } from './factory.js';
export type { CreateBackoff, PoolOptions, Shed, PoolSettings } from './options.js';
export type * from './listener.js';
export type { FailingCreates, PoolLatency, PoolState, PoolStats, PoolTotals } from './stats.js';
export type { Clock, ClockTimer } from './clock.js';
export type { KeyedCreateContext, KeyedPoolOptions, KeyedResourceFactory } from './keyed-options.js';
export { KeyedPool } from './keyed-pool.js';
export type { KeyedPoolStats } from './keyed-stats.js';
