import { KeyedPool, type Lease } from '../engine/index.js';
import {
  refused,
  type AnyPool,
  type BorrowOptions,
  type BorrowScope,
  type ScopeHost,
} from './borrow-scope.js';
import { currentScope } from './current-scope.js';
import { NoBorrowScopeError } from './errors.js';
import { keyFor, type KeyRule } from './key.js';

/** How to borrow from a pool that may be a keyed one. */
export interface KeyedBorrowOptions<K = unknown> extends BorrowOptions {
  /** The key, in place of the one that the pool's own rule would find in the request. Only for keyed pools. */
  readonly key?: K | undefined;
}

/**
 * What a singleton holds to reach the resource of the unit of work it is called in: the same one all through a request,
 * borrowed on first use, given back when the request is done with it. Of a keyed pool: the same one for each key.
 */
export class Borrowed<T, K = unknown> {
  constructor(
    private readonly pool: AnyPool<T>,
    private readonly host: ScopeHost,
    /** How a keyed pool finds its key in a request. */
    private readonly rule?: KeyRule,
  ) {}

  /**
   * The resource of the current scope. Do not keep it: ask again in the next request.
   *
   * @throws NoBorrowScopeError outside any scope
   * @throws BorrowScopeEndedError in code that runs on after its scope has ended
   * @throws BorrowKeyError when the pool is a keyed one and its key is not known
   * @throws what `pool.acquire` throws
   */
  get(options?: KeyedBorrowOptions<K>): Promise<T> {
    const lease = this.lease(options);
    const resource: Promise<T> = lease.then(resourceOf, (error: unknown) => {
      // As with the lease: who forgets to await it does not end the process.
      resource.catch(() => undefined);
      throw error;
    });
    return resource;
  }

  /**
   * The lease itself, for its `signal`, or to give a broken resource up with `destroy()`. Throws as {@link get}. Leave
   * it to the scope to release it: where a scope waits for more, its pools take it that it keeps what it has.
   */
  lease(options?: KeyedBorrowOptions<K>): Promise<Lease<T>> {
    const scope = currentScope(this.host);
    if (!scope) return refused(new NoBorrowScopeError(this.pool.name));
    return borrowIn(scope, this.pool, options, this.rule);
  }
}

export const resourceOf = <T>(lease: Lease<T>): T => lease.resource;

/** Borrows in a scope; finds the key first where the pool is a keyed one. */
export function borrowIn<T>(
  scope: BorrowScope,
  pool: AnyPool<T>,
  options: KeyedBorrowOptions = {},
  rule?: KeyRule,
): Promise<Lease<T>> {
  // In a scope that has ended there is no request any more, and what is wrong is not the key.
  if (!(pool instanceof KeyedPool) || scope.ended) return scope.borrow(pool, options);
  let key: unknown;
  try {
    key = keyFor(pool.name, options.key, rule, scope.request);
  } catch (error) {
    return refused(error);
  }
  return scope.borrow(pool, options, key);
}
