/**
 * Pools of expensive resources for NestJS: borrow, use, return.
 *
 * @packageDocumentation
 */
export * from './engine/index.js';
// With `export *`, so that applications can augment the Pools interface through `declare module 'nestjs-pool'`.
export * from './module/pools.js';
export { PoolModule, type PoolModuleAsyncOptions } from './module/pool.module.js';
export type { RequestDeadline } from './module/deadline.js';
export type { PoolTelemetry } from './module/telemetry.js';
export type { PoolModuleOptions, PoolModuleRootOptions, PoolOptionsFactory } from './module/options.js';
export {
  definePool,
  type AnyPoolDefinition,
  type FactoryResult,
  type KeyedPoolDefinition,
  type KnownPoolDefinition,
  type ModuleSettings,
  type PoolDefinition,
  type StartMode,
} from './module/definition.js';
export { Borrow, BorrowSignal, type BorrowParameterOptions } from './module/borrow.decorator.js';
export { Transactional, type TransactionalOptions } from './module/transactional.decorator.js';
export { InjectBorrowed, InjectPool } from './module/inject.decorators.js';
export { UseBorrowScope, type UseBorrowScopeOptions } from './module/use-borrow-scope.decorator.js';
export { BorrowScopes } from './module/borrow-scopes.js';
export type { OpenBorrowScope } from './module/open-borrow-scope.js';
export { PoolRegistry } from './module/registry.js';
export { getBorrowedToken, getPoolToken } from './module/tokens.js';
export { describeCapacityError, type CapacityErrorDescription } from './module/capacity-errors.js';
export { PoolExceptionFilter, toHttpException } from './module/http-errors.js';
export { DuplicatePoolError, PoolStartError, UnknownPoolError } from './module/errors.js';
export {
  AbandonedError,
  BorrowKeyError,
  BorrowScopeEndedError,
  Borrowed,
  DeadlineExceededError,
  NoBorrowScopeError,
  RequestAbortedError,
  TransactionOverError,
  TransactionRefusedError,
  TransactionRolledBackError,
  type AnyPool,
  type BeginOptions,
  type BorrowOptions,
  type KeyRequest,
  type KeyRule,
  type KeyedBorrowOptions,
  type Propagation,
  type TransactOptions,
  type TransactionRetry,
} from './scope/index.js';
