import { AsyncLocalStorage } from 'node:async_hooks';
import type { BorrowScope } from './borrow-scope.js';
import { ofHost } from './carrier.js';
import type { ScopeHost } from './host.js';

const storage = new AsyncLocalStorage<BorrowScope>();

/** Runs `work` inside a scope. */
export function inScope<R>(scope: BorrowScope, work: () => R): R {
  return storage.run(scope, work);
}

/** The scope this code runs in, of whichever application. */
export function anyScope(): BorrowScope | undefined {
  return storage.getStore();
}

/** The scope of this application that this code runs in, also where that of another application lies within it. */
export function currentScope(host: ScopeHost): BorrowScope | undefined {
  return ofHost(storage.getStore(), host);
}

/** Runs what belongs to a scope in it. As a rule it runs there already. */
export function within<R>(scope: BorrowScope, work: () => R): R {
  return storage.getStore() === scope ? work() : storage.run(scope, work);
}

/** Runs what belongs to no scope outside any. As a rule it runs there already. */
export function outsideScopes<R>(work: () => R): R {
  return storage.getStore() === undefined ? work() : storage.run(undefined as never, work);
}
