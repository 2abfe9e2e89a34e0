import { BorrowScope, type ScopeHost } from './borrow-scope.js';
import { currentScope, inScope } from './current-scope.js';

/**
 * Runs work in a borrow scope: what it borrows goes back when it has settled. Inside a scope that is running already it
 * joins that one, unless it is to have one of its `own`; not one that is over, as that of a request which once started a
 * timer or a queue.
 */
export async function runInScope<R>(
  host: ScopeHost,
  { own = false }: { readonly own?: boolean },
  work: (scope: BorrowScope) => R | PromiseLike<R>,
): Promise<R> {
  const outer = own ? undefined : currentScope(host);
  const scope = outer && !outer.over ? outer : new BorrowScope(host);
  const drop = scope.hold();
  try {
    return await inScope(scope, () => work(scope));
  } catch (error) {
    scope.fail(error);
    throw error;
  } finally {
    drop();
  }
}
