export { Pool, type AcquireOptions, type CloseOptions, type StartOptions } from './pool.js';
export { Lease } from './lease.js';
export {
  LeaseReleasedError,
  PoolClosedError,
  PoolError,
  PoolOptionsError,
  PoolQueueFullError,
  PoolTimeoutError,
  PoolUnavailableError,
  describeStats,
  messageOf,
  type PoolErrorCode,
} from './errors.js';
export type { CreateContext, DestroyReason, ResourceFactory, Verdict } from './factory.js';
export type { CreateBackoff, PoolOptions, PoolSettings } from './options.js';
export type * from './listener.js';
export type { PoolState, PoolStats, PoolTotals } from './stats.js';
export type { Clock, ClockTimer } from './clock.js';
