import { isThenable } from '../engine/basics/user-code.js';
import { BorrowScope } from './borrow-scope.js';
import { currentScope, inScope } from './current-scope.js';
import type { ScopeHost } from './host.js';

/**
 * Runs work in a borrow scope: what it borrows goes back when it has settled. Inside a scope that is running already it
 * joins that one, unless it is to have one of its `own`; not one that is over, as that of a request which once started a
 * timer or a queue.
 */
export function runInScope<R>(
  host: ScopeHost,
  { own = false }: { readonly own?: boolean | undefined },
  work: (scope: BorrowScope) => R | PromiseLike<R>,
): Promise<R> {
  return runHeld(runningScope(host, own) ?? new BorrowScope(host), work);
}

/** Runs work in a scope that is known, and holds it until the work has settled. */
export async function runHeld<R>(
  scope: BorrowScope,
  work: (scope: BorrowScope) => R | PromiseLike<R>,
): Promise<R> {
  const drop = scope.hold();
  try {
    // What begins when somebody waits for it (a query that is built) begins in the scope.
    return await inScope(scope, async () => work(scope));
  } catch (error) {
    scope.fail(error);
    throw error;
  } finally {
    drop();
  }
}

/**
 * As {@link runInScope}, for work that may be synchronous: what it returns is returned as it is, and only what can be
 * waited for becomes a promise of what comes of it.
 *
 * @param keep is given what has come of the work while the scope is still held, and whether the scope is the work's own; it
 *   returns what the caller gets
 */
export function callInScope(
  host: ScopeHost,
  { own = false }: { readonly own?: boolean | undefined },
  work: () => unknown,
  keep: (scope: BorrowScope, value: unknown, isOwn: boolean) => unknown,
): unknown {
  const running = runningScope(host, own);
  const scope = running ?? new BorrowScope(host);
  const drop = scope.hold();
  const done = (value: unknown): unknown => {
    try {
      return keep(scope, value, !running);
    } finally {
      drop();
    }
  };
  const failed = (error: unknown): never => {
    scope.fail(error);
    drop();
    throw error;
  };
  let value: unknown;
  try {
    value = inScope(scope, () => {
      const result = work();
      return isThenable(result) ? Promise.resolve(result) : result;
    });
  } catch (error) {
    return failed(error);
  }
  return value instanceof Promise ? value.then(done, failed) : done(value);
}

function runningScope(host: ScopeHost, own: boolean): BorrowScope | undefined {
  const outer = own ? undefined : currentScope(host);
  return outer?.over ? undefined : outer;
}
