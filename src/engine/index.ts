export { Pool } from './pool.js';
export type * from './options/calls.js';
export type { LatencyBucket, LatencyHistogram, LatencySummary } from './reports/latency.js';
export { Lease } from './lease.js';
export { Transaction } from './transaction.js';
export { kindOf, messageOf } from './basics/thrown.js';
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
  TransactionOutcomeUnknownError,
  describeStats,
  type DeadlockedHolder,
  type PoolErrorCode,
} from './errors.js';
export type { Advice, AdviceRule, Capacity } from './reports/advice.js';
export type { DestroyReason } from './reports/destroy-reason.js';
export type {
  CreateContext,
  Handle,
  IsolationLevel,
  OpenTransaction,
  ResetVerdict,
  ResourceFactory,
  TransactionOptions,
  Verdict,
} from './options/factory.js';
export type {
  BorrowContext,
  BorrowOutcome,
  KeyedBorrowContext,
  KeyedReturnContext,
  KeyedSessionHooks,
  ReturnContext,
  SessionHooks,
} from './options/hooks.js';
export type { CreateBackoff, PoolOptions, Shed, PoolSettings } from './options/options.js';
export type { AcquireContext, ChannelMessage } from './reports/channels.js';
export type * from './reports/listener.js';
export type {
  FailingCreates,
  PoolHistograms,
  PoolHolder,
  PoolLatency,
  PoolResource,
  PoolState,
  PoolStats,
  PoolTotals,
  PoolWaiter,
} from './reports/stats.js';
export type { ResourceTarget } from './reports/target.js';
export type { Clock, ClockTimer } from './time/clock.js';
export type { KeyedCreateContext, KeyedPoolOptions, KeyedResourceFactory } from './keyed/keyed-options.js';
export { KeyedPool } from './keyed/keyed-pool.js';
export type { KeyedPoolStats } from './keyed/keyed-stats.js';
