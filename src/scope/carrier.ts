import type { BorrowScope } from './borrow-scope.js';
import type { ScopeHost } from './host.js';

const SCOPE = Symbol('nestjs-pool.scope');

/** What a unit of work is about, such as its request. */
interface Carrier {
  [SCOPE]?: BorrowScope;
}

/**
 * Keeps a scope with what its work is about. It is found there whatever has become of the async context on the way: a
 * driver that calls back in another request's context, or a listener that was made before the request.
 */
export function attach(carrier: object, scope: BorrowScope): void {
  (carrier as Carrier)[SCOPE] = scope;
}

/** The scope that is kept with a request; of several applications that serve it, that of the innermost. */
export function attachedTo(carrier: unknown): BorrowScope | undefined {
  return typeof carrier === 'object' && carrier !== null ? (carrier as Carrier)[SCOPE] : undefined;
}

/** The one of this application among a scope and those it lies within. */
export function ofHost(scope: BorrowScope | undefined, host: ScopeHost): BorrowScope | undefined {
  let found = scope;
  while (found && found.host !== host) found = found.outer;
  return found;
}
