import { AsyncLocalStorage } from 'node:async_hooks';
import type { BorrowScope, ScopeHost } from './borrow-scope.js';

const storage = new AsyncLocalStorage<BorrowScope>();

/** Runs `work` inside a scope. */
export function inScope<R>(scope: BorrowScope, work: () => R): R {
  return storage.run(scope, work);
}

/** The scope this code runs in, of whichever application. */
export function anyScope(): BorrowScope | undefined {
  return storage.getStore();
}

/** The scope of this application that this code runs in. */
export function currentScope(host: ScopeHost): BorrowScope | undefined {
  const scope = storage.getStore();
  return scope?.host === host ? scope : undefined;
}
