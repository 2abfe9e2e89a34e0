import type { Lease, Pool } from '../engine/index.js';
import type { BorrowOptions, ScopeHost } from './borrow-scope.js';
import { currentScope } from './current-scope.js';
import { NoBorrowScopeError } from './errors.js';

/**
 * What a singleton holds to reach the resource of the unit of work it is called in: the same one all through a request,
 * borrowed on first use, given back when the request is done with it.
 */
export class Borrowed<T> {
  constructor(
    private readonly pool: Pool<T>,
    private readonly host: ScopeHost,
  ) {}

  /**
   * The resource of the current scope. Do not keep it: ask again in the next request.
   *
   * @throws NoBorrowScopeError outside any scope
   * @throws BorrowScopeEndedError in code that runs on after its scope has ended
   * @throws what `pool.acquire` throws
   */
  async get(options?: BorrowOptions): Promise<T> {
    return (await this.lease(options)).resource;
  }

  /** The lease itself, for its `signal`, or to give a broken resource up with `destroy()`. Throws as {@link get}. */
  lease(options?: BorrowOptions): Promise<Lease<T>> {
    const scope = currentScope(this.host);
    if (!scope) return Promise.reject(new NoBorrowScopeError(this.pool.name));
    return scope.borrow(this.pool, options);
  }
}
