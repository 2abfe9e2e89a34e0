export { BorrowScope, type BorrowOptions, type ScopeHost } from './borrow-scope.js';
export { Borrowed } from './borrowed.js';
export { anyScope, currentScope, inScope } from './current-scope.js';
export { BorrowScopeEndedError, NoBorrowScopeError, RequestAbortedError } from './errors.js';
