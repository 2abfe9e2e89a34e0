export { BorrowScope, type AnyPool, type BorrowOptions } from './borrow-scope.js';
export {
  Borrowed,
  atPlace,
  resourceIn,
  transactionHere,
  type BeginOptions,
  type KeyedBorrowOptions,
} from './borrowed.js';
export { CallerDeadline } from './caller-deadline.js';
export { attach, attachedTo, ofHost } from './carrier.js';
export { anyScope, currentScope, inScope, outsideScopes, within } from './current-scope.js';
export {
  AbandonedError,
  BorrowKeyError,
  BorrowScopeEndedError,
  DeadlineExceededError,
  NoBorrowScopeError,
  RequestAbortedError,
  TransactionOverError,
  TransactionRefusedError,
  TransactionRolledBackError,
} from './errors.js';
export { inWholes } from './frames.js';
export type { ScopeHost, TransactionPlan } from './host.js';
export type { KeyRequest, KeyRule } from './key.js';
export { isConflict, type TransactionRetry } from './retry.js';
export { callInScope, runHeld, runInScope } from './run.js';
export {
  PROPAGATIONS,
  runningAt,
  transact,
  type Place,
  type Propagation,
  type Running,
  type TransactOptions,
} from './transact.js';
export type { WholeTransaction } from './whole-transaction.js';
