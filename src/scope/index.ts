export { BorrowScope, type AnyPool, type BorrowOptions, type ScopeHost } from './borrow-scope.js';
export { Borrowed, borrowIn, resourceOf, type KeyedBorrowOptions } from './borrowed.js';
export { attach, attachedTo, ofHost } from './carrier.js';
export { anyScope, currentScope, inScope, within } from './current-scope.js';
export {
  AbandonedError,
  BorrowKeyError,
  BorrowScopeEndedError,
  NoBorrowScopeError,
  RequestAbortedError,
} from './errors.js';
export type { KeyRequest, KeyRule } from './key.js';
